"""
What values mean, whatever container they came in: each question is decided in one module, or refused there by name.

::

    left_out     what was not used and why, counted while files are read
    bands        spellings of bands
    epochs       JD or MJD, TAI or UTC, text or number, and whether the type can hold them
    brightness   zero points, units and systems of fluxes and magnitudes
    identifiers  names of objects that have lost digits
    nights       whose noon parts two nights
    sky          positions, and what else is known of an object
    roles        which column of a table is which
    rivals       columns that say one thing twice, and whether they agree
    single_columns      what one column means, as numbers
    points       from the columns of a table to light curves, by all of these
"""
