"""
Light curves of SNANA, the simulation of ELAsTiCC and the format of many supernova surveys.

::

    binary        tables of FITS as rows of numpy, without copies
    pairs         a HEAD and a PHOT file of FITS: objects, and the rows of points they point at
    object_rows   ELAsTiCC2's Parquet: an object a row, its points as lists
    texts         text with keys and lines of ``OBS:``
    points        what the columns of points mean, in all of these

Source: the manual and sntools_dataformat_fits.c of RickKessler/SNANA; read_snana.py of LSSTDESC/elasticc.
"""
