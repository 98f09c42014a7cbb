"""
Avro: the schemas of alerts, and two readers of what was written with them.

::

    schemas    which schema an alert has
    records    containers and messages record by record, with fastavro
    program    a schema as the steps that read the needed fields of a message
    columns    many messages at once, by those steps, in compiled loops
"""
