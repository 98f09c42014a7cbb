"""
What people look at in a browser: the page of targets. It only reads.

::

    page     the application and its templates
    guard    what stands before it: hosts, paths, the headers of every answer
    serving  connections to it, each with an end
    plots    the light curve of a target as a picture
    links    addresses of pages, here and at brokers
"""
