"""
Light curves as other programs and services publish them: each whole file is read at once into columns.

::

    forced          answers of the forced photometry services of ZTF and ATLAS
    astropy_tables  FITS, VOTable, ECSV and sncosmo's text, by astropy
    kinds           which kinds of file there are beside those of the alerts, how each is known, and how it is read
"""
