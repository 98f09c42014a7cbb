"""
The spectra of targets: what deliveries say of them, whose they are, and which targets need no more.

::

    deliveries   files are read, and what they say is kept
    settling     spectra find their targets, and targets that have enough are done
"""
