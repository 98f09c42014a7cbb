"""The command `tides classes`: ELAsTiCC's taxonomy, and what brokers said in its terms."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table

from flows.commands.options import Config, Schema, SettingsFile
from tides_bridge.console import echo_line, exit_on_error, stderr_console, stdout_console

if TYPE_CHECKING:
    from tides_bridge.brokers.models import Alert

FROM_FILES: Final = "elasticc_classes"
"""Who is said to have sent what files have: the kind of the stream."""


def classes(  # noqa: PLR0913, PLR0917
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files of brokerClassification, or folders; without: the taxonomy."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="File: .csv, .parquet, .json, .fits, .vot or .ecsv.")
    ] = None,
    schema: Schema = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep it of our targets, as annotations. Writes the database.")
    ] = False,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """
    Read what brokers said of alerts in ELAsTiCC, with the names of the classes; without files print the taxonomy.

    The taxonomy goes both ways: ids of ELAsTiCC2 and of 2022, names, and types of the simulation. Exit code 1 if
    anything could not be used.
    """
    from tides_bridge.archives.broker_classes import CLASSIFICATION_SCHEMA, read_broker_classes, taxonomy_table
    from tides_bridge.brokers.elasticc import alert_of_classes
    from tides_bridge.formats.output.table_files import TableFile, check_output, encode_rows, write_table

    refused: list[str] = []
    console = stderr_console(highlight=False)

    def tell(path: Path, problem: str) -> None:
        refused.append(problem)
        console.print(f"tides: {path}: {problem}", markup=False, soft_wrap=True)

    with exit_on_error():
        if output:
            check_output(output)
        if not paths:
            found = taxonomy_table()
            if output:
                write_table(found, output)
            table = Table(*found.column_names, box=None, pad_edge=False)
            for row in found.to_pylist():
                table.add_row(*("" if value is None else str(value) for value in row.values()))
            stdout_console(highlight=False, soft_wrap=True).print(table, markup=False)
            return
        counts: Counter[tuple[str, str, str]] = Counter()
        words: list[Alert] = []

        def listen(record: Mapping[str, Any]) -> None:
            words.append(alert_of_classes(record))

        parts = read_broker_classes(paths, tell, schema, listen if keep else None)
        if output:
            with TableFile(output, CLASSIFICATION_SCHEMA) as file:
                for part in parts:
                    file.append(encode_rows(part, output.suffix))
                    _count(part, counts)
        else:
            for part in parts:
                _count(part, counts)
        stored = _keep(words, config, settings) if keep else 0
    shown = Table("broker", "classifier", "class", "rows", box=None, pad_edge=False)
    for names, number in sorted(counts.items()):
        shown.add_row(*names, f"{number:,}")
    stdout_console(highlight=False, soft_wrap=True).print(shown, markup=False)
    if output:
        echo_line(f"{sum(counts.values()):,} rows in {output}")
    if keep:
        echo_line(f"{stored:,} of them are new of our targets: tides why OBJECT shows them")
    raise typer.Exit(1 if refused else 0)


def _keep(words: "list[Alert]", config: str | None, settings_file: Path | None) -> int:
    """Keep what was said of objects of targets; gives how much of it is new."""
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.decisions.annotated import store_annotations
    from tides_bridge.settings import load_settings

    chosen = load_settings(config, settings_file)
    with open_database(chosen) as database:
        ensure_schema(database, is_ours=False)
        with database.transaction("classes") as connection:
            return store_annotations(connection, words, FROM_FILES)


def _count(part: "object", counts: Counter[tuple[str, str, str]]) -> None:
    """Count rows by broker, classifier and class."""
    columns = [part[name].to_pylist() for name in ("brokerName", "classifierName", "class", "classId")]  # type: ignore[index]
    for broker, classifier, name, number in zip(*columns, strict=True):
        counts[broker or "", classifier or "", name or f"class id {number}"] += 1
