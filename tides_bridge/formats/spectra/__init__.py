"""
Spectra of 4MOST, as its deliveries ("MEC" files) have them.

::

    mec           what a delivery says of each spectrum
    values        its numbers, names and identifiers, whatever column or header they stand in
    significance  the S/N in a range of wavelengths, from the spectra themselves
"""
