"""The command `tides tns`: load a list of the Transient Name Server."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line, exit_on_error

SHOWN = 10
"""Rows that could not be read, at most: the others are counted."""


def tns(
    file: Annotated[
        Path,
        typer.Argument(help="The CSV, packed with zip or not.", metavar="FILE", exists=True, dir_okay=False),
    ],
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """
    Load the daily list of the Transient Name Server: names, types and redshifts of our targets in the view tns_match.

    Reads the file; writes tns_object. The same list again changes nothing. What cannot be read is told, and left out.
    Types may ask for rulings, or rule: targets.tnsNoSupernova and tnsClassified in the settings.
    """
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.formats.meaning.tns_types import TNS_TYPES
    from tides_bridge.settings import load_settings
    from tides_bridge.targets.tns import load_tns
    from tides_bridge.targets.tns_rulings import rule_by_tns

    with exit_on_error():
        chosen = load_settings(config, settings)
        with open_database(chosen) as database:
            ensure_schema(database, is_ours=chosen.database.host == "embedded")
            loaded = load_tns(database, file)
            with database.transaction("ruling") as connection:
                ruled = rule_by_tns(connection, chosen)
    found = loaded.tns_list
    of = f" of {found.listed_for}" if found.listed_for else ""
    echo_line(
        f"{len(found.objects)} objects{of}: {loaded.inserted} new, {loaded.updated} changed; "
        f"{len(found.refused)} lines left out"
    )
    counts = Counter(found.objects["object_type"].dropna())
    if unknown := [f"{name} ({number})" for name, number in counts.most_common() if name not in TNS_TYPES]:
        echo_line(f"types unknown here, about which a person is asked: {', '.join(unknown[:SHOWN])}", err=True)
    if ruled:
        echo_line(f"{ruled} targets are off by their types: tides why NAME, tides release NAME")
    for line, reason in found.refused[:SHOWN]:
        echo_line(f"line {line}: {reason}", err=True)
    if len(found.refused) > SHOWN:
        echo_line(f"and {len(found.refused) - SHOWN} others", err=True)
