"""From JSON to a row and back, with the checks of the 4FS catalogue format."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from simulators.fourmost.clock import to_berlin
from simulators.fourmost.columns import COLUMNS, TEXT_LENGTH, FourmostColumn, extent_problems, problem
from simulators.fourmost.models import Transient

_WANTED = {"int": "a whole number", "float": "a finite number", "text": "text", "bool": "true or false"}


class CheckedField(serializers.Field):
    """A field that checks its column's range, and whose messages name the value."""

    def __init__(self, column: FourmostColumn) -> None:
        needs = {"required": True} if column.required else {"default": column.default}
        blank = {"allow_blank": not column.required} if column.kind == "text" else {}
        super().__init__(help_text=column.help, **needs, **blank)
        self.column = column
        self.error_messages["required"] = "required, but not given"
        # Only for OPTIONS: the check is in to_internal_value.
        self.min_value, self.max_value = column.minimum, column.maximum
        self.max_length = TEXT_LENGTH if column.kind == "text" else None

    def to_internal_value(self, data: Any) -> Any:
        """Convert a value and check it."""
        try:
            if isinstance(data, bool) and self.column.kind != "bool":
                raise serializers.ValidationError
            value = super().to_internal_value(data)
        except serializers.ValidationError:
            raise serializers.ValidationError(f"{data!r:.60} is not {_WANTED[self.column.kind]}") from None
        if text := problem(self.column, value):
            raise serializers.ValidationError(text)
        return value


class IntColumn(CheckedField, serializers.IntegerField):
    """A whole number."""


class FloatColumn(CheckedField, serializers.FloatField):
    """A float64."""


class TextColumn(CheckedField, serializers.CharField):
    """A text."""


class BoolColumn(CheckedField, serializers.BooleanField):
    """True or false."""


_FIELDS = {"int": IntColumn, "float": FloatColumn, "text": TextColumn, "bool": BoolColumn}
_READ_ONLY = {"int": serializers.IntegerField, "time": serializers.DateTimeField}


def _field(column: FourmostColumn) -> serializers.Field:
    if column.read_only:
        return _READ_ONLY[column.kind](read_only=True, help_text=column.help)
    return _FIELDS[column.kind](column)


class TransientList(serializers.ListSerializer):
    """Rows of one bulk call."""

    def create(self, validated_data: list[dict[str, Any]]) -> list[Transient]:
        """Insert all rows in one transaction."""
        now = timezone.now()
        return list(Transient.objects.bulk_create(_new_row(values, now) for values in validated_data))


class TransientSerializer(serializers.Serializer):
    """One row."""

    class Meta:  # noqa: D106 (asked for by Django REST framework)
        list_serializer_class = TransientList

    def get_fields(self) -> dict[str, serializers.Field]:
        """Build the fields from the table of columns."""
        return {column.name: _field(column) for column in COLUMNS}

    def to_representation(self, instance: Transient) -> dict[str, Any]:
        """Write a row; the values of SQLite need no conversion except date-times."""
        values = ((column, getattr(instance, column.name)) for column in COLUMNS)
        return {column.name: to_berlin(value) if column.kind == "time" else value for column, value in values}

    def validate_uploadedfor_survey_id(self, value: int) -> int:
        """Refuse a survey that is not the account's."""
        surveys = self.context["request"].user.surveys
        if value not in surveys:
            raise serializers.ValidationError(f"{value} is not a survey of this account, which has {surveys}")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Check what columns mean together, in the row as it will be."""
        names = ("extent_flag", "extent_parameter", "extent_index")
        row = [attrs[name] if name in attrs else getattr(self.instance, name) for name in names]
        if problems := extent_problems(*row):
            raise serializers.ValidationError(problems)
        return attrs

    def create(self, validated_data: dict[str, Any]) -> Transient:
        """Insert one row."""
        row = _new_row(validated_data, timezone.now())
        row.save()
        return row

    def update(self, instance: Transient, validated_data: dict[str, Any]) -> Transient:
        """Change some columns of a row."""
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.date_modified = timezone.now()
        instance.save()
        return instance


def _new_row(values: dict[str, Any], now: datetime) -> Transient:
    return Transient(**values, date_submitted=now, date_modified=now)
