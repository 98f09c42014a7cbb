"""
Lists as files, with what each column means: CSV, JSON, Parquet, FITS, VOTable and ECSV.

::

    meanings      units, UCDs and descriptions of columns, kept in the schema of an Arrow table
    table_files   writing such a table, part by part, in the form that the ending of the file says
    described     the same for FITS, VOTable and ECSV, by astropy
"""
