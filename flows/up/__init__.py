"""
``tides up``: all that the bridge needs, kept running in one terminal.

::

    programs      which programs, and in which order
    supervised    supervisord, which starts them again, and its end with ours
    upkeep        from the first start to the last stop
    terminal      what is shown meanwhile
"""
