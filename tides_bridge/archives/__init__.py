"""
Archives: light curves in files, judged and compared with what is known of them. No network, no database.

::

    judging           files are judged piece by piece
    decision_files    decisions as CSV, Parquet or JSON
    backtest          how complete and pure a function is; backtest_report and backtest_plots show it
    predictions       magnitudes that a table asks for
    brightness        the fit that they rest on, and how good they are
    truth, taxonomy   what objects really are, and the names of classes
"""
