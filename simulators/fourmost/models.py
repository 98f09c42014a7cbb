"""The two tables of the stand-in's state."""

from django.db import models

from simulators.fourmost.columns import COLUMNS, TEXT_LENGTH, FourmostColumn


class Account(models.Model):
    """The account that may use the service. Its password is kept as it is, to be printed at every start."""

    username = models.CharField(max_length=TEXT_LENGTH, unique=True)
    password = models.CharField(max_length=TEXT_LENGTH)
    token = models.CharField(max_length=TEXT_LENGTH)
    surveys = models.JSONField()

    is_authenticated = True
    """Asked for by Django REST framework."""


class Transient(models.Model):
    """One row of the service; its columns are those of :data:`simulators.fourmost.columns.COLUMNS`."""


def _database_field(column: FourmostColumn) -> models.Field:
    if column.kind == "text":
        return models.CharField(max_length=TEXT_LENGTH, default=column.default, db_index=column.name == "name")
    if column.kind == "time":
        return models.DateTimeField(null=True, db_index=column.name == "date_ingested")
    kinds = {"int": models.BigIntegerField, "float": models.FloatField, "bool": models.BooleanField}
    return kinds[column.kind](default=column.default)


for _column in COLUMNS:
    if _column.name != "id":  # which Django adds
        Transient.add_to_class(_column.name, _database_field(_column))
