"""
The portal for programs: all that it shows, under ``/api/v1``, described by OpenAPI at ``/api/v1/openapi.json``.

::

    app      the application, and how it says an error
    answers  JSON or Arrow, with an ETag
    rows     what a target, a point and a page are, for the description
    classes  what people and pipelines made of spectra, sent here
    lists    targets by a filter, and those that changed
    objects  one target: light curve, decisions, why, what 4MOST was told, rulings
"""
