"""
4MOST: what its target list is told, and what it answers.

::

    client        the Transient API over HTTP
    answers       what of its answers can be believed: types, sizes, ends
    identity      whose a row is, and whether it shows what was asked
    payloads      a target as the API wants it, and what of it has changed
    magnitudes    which magnitude is sent, and how it is converted
    exchange      creates, updates, deactivates and reads back, so that nothing is sent twice
    reconcile     compares both lists row by row
"""
