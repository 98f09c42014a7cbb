"""The scripts in ``sql/``: every statement of the bridge is in a file there."""

import io
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from tides_bridge.resources import shipped

if TYPE_CHECKING:
    from pandas import DataFrame


@cache
def script_text(name: str) -> str:
    """Read a script, named from the ``sql`` folder on, such as ``decisions/upsert_to_master.sql``."""
    return (shipped("sql") / name).read_text(encoding="utf-8")


def run(
    connection: Connection, name: str, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """
    Run a script with bound parameters.

    Parameters
    ----------
    connection
        From `Database.transaction`.
    name
        Of the file, from the ``sql`` folder on.
    parameters
        Values of its parameters; a list runs it once for each.

    Returns
    -------
    list of dict
        The rows it returns, if any.
    """
    if isinstance(parameters, Sequence) and not parameters:
        return []
    result = connection.exec_driver_sql(script_text(name), parameters)
    if not result.returns_rows:
        return []
    names = tuple(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result.all()]  # of mappings it takes three times as long


def copy_frame(connection: Connection, name: str, frame: "DataFrame") -> None:
    """
    Load a frame through a COPY script that lists the same columns in the same order; NaN and None become NULL.

    Parameters
    ----------
    connection
        Of the transaction that the rows belong to.
    name
        Of the file, from the ``sql`` folder on; it lists the columns once, see `listed_columns`.
    frame
        (n rows,) in the columns of the script, in that order: COPY matches by position, not by name.
    """
    import pyarrow as pa
    from pyarrow import csv

    table = pa.Table.from_pandas(frame, preserve_index=False)
    plain = [column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column for column in table]
    text = io.BytesIO()
    # Of a table with empty chunks pyarrow 25 writes bytes of zero before the first line.
    csv.write_csv(pa.table(plain, table.column_names).combine_chunks(), text, csv.WriteOptions(include_header=False))
    text.seek(0)
    driver_connection: Any = connection.connection.driver_connection
    with driver_connection.cursor() as cursor:
        cursor.copy_expert(script_text(name), text)


def listed_columns(name: str) -> list[str]:
    """Read the columns of a COPY script, so that they are listed once."""
    listed = script_text(name).partition("(")[2].partition(")")[0]
    return [column.strip() for column in listed.split(",")]
