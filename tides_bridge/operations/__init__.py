"""
Operations: how the bridge does, and who is told.

::

    status, prefect_server, expiry    what the database, Prefect, and tokens and certificates tell
    health                            all of it together; remembered keeps the database open for those who ask often
    problems, incidents               what is wrong, since when, and what to do
    notices, caller                   who is told, how, and when again
    screen, metrics                   the same for a terminal and for Prometheus
"""
