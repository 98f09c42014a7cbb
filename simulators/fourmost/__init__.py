"""
A stand-in for the 4MOST Transient API, which is private.

``tides fourmost`` serves it on this machine; :class:`simulators.fourmost.process.FourmostStandin` does so for tests and
demos. Django is imported only inside the serving process. Which calls go wrong says a plan:
``simulators.services.faults``.

===================  ==================================================================
``columns``          the table of columns, units and ranges; everything else reads it
``clock``            Berlin time: how it is written, read in filters, and when OpSys ingests
``command``          the command ``tides fourmost``
``serving``          the process: settings, socket, signals
``state``            the SQLite file: its tables, its account, whether it fits
``models``           the two tables
``serializers``      from JSON to a row and back, with the checks
``filters``          ``?field__lookup=value``
``authentication``   Basic and Token
``views``, ``urls``  the addresses
``answers``          JSON in, ``{"err": ...}`` out
``sentences``        the errors in words
``ingestion``        what OpSys does every day at 15:00
``process``          the handle for tests and demos
===================  ==================================================================
"""
