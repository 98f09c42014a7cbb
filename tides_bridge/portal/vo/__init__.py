"""
The Virtual Observatory's way in: cones and TAP, so that TOPCAT, STILTS, pyvo and astroquery work unchanged.

::

    service    the addresses, all below /vo
    asking     what a question says: parameters, formats, limits
    adql       from ADQL to SQL, by a list of what is allowed
    geometry   circles, boxes and polygons in plain SQL
    queries    carries a query out: reading only, within limits, row by row
    points     light curves as rows
    votable    writes answers while they are read
    jobs       queries that run by themselves (UWS), kept on disk
    documents  what the services say of themselves
"""
