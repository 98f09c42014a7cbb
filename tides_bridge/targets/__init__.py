"""
Targets: which objects are one target, and what is known of it.

::

    association    objects join targets, or are asked about; people merge and split
    neighbours     groups of objects at one place
    curves         the light curve with which a target passed
    brightness     how bright a target is on a night on which nobody saw it
    spectra        what 4MOST has observed, and which targets need no more
    hosts          the galaxies that targets may lie in
    tns            the list of the Transient Name Server
    tns_rulings    what its types mean for targets
"""
