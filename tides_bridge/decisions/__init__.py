"""
From alerts to decisions, and what becomes of them.

::

    models             a batch, and what was decided of a chunk of it
    judging            messages are read and light curves judged, a chunk at a time
    several_surveys    objects at one place are judged on the points of all
    batch              what a batch does to the database, in one transaction
    refused            messages that could not be read
    record, history    every decision: written by runs, read by people
"""
