"""
The galaxies that targets may lie in.

::

    candidates   what a candidate is, and those that brokers name with their alerts
    catalogue    those of a catalogue in a file, by directional light radius
    settling     candidates are kept, a galaxy once
"""
