"""The command `tides hosts`: the galaxies that targets may lie in."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line, exit_on_error

if TYPE_CHECKING:
    from tides_bridge.targets.hosts.candidates import HostFinder


def hosts(
    catalogue: Annotated[
        Path | None, typer.Option(help="FITS or Parquet file of galaxies.", exists=True, dir_okay=False)
    ] = None,
    mag_type: Annotated[str, typer.Option(help="Of its magnitudes, as SURVEY_band_SYSTEM.")] = "LSST_r_AB",
    finder: Annotated[
        str | None, typer.Option(help="A function of yours instead, as module:function: see docs/hosts.md.")
    ] = None,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """
    Look for the hosts of all targets, in a catalogue by directional light radius, or by a function of yours.

    Writes the database. What the same catalogue or function found before is replaced; that of others stays. What
    brokers say of hosts is kept by every run.
    """
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.errors import SettingsError
    from tides_bridge.formats.published.galaxies import read_galaxies
    from tides_bridge.settings import load_settings
    from tides_bridge.targets.hosts.catalogue import GalaxyCatalogue
    from tides_bridge.targets.hosts.settling import finder_named, look_for_hosts

    find: HostFinder
    with exit_on_error():
        if (catalogue is None) == (finder is None):
            raise SettingsError("--catalogue", "", "name a catalogue, or a function with --finder")
        if catalogue is not None:
            find = GalaxyCatalogue.of(read_galaxies(catalogue), catalogue.stem, mag_type)
            source = f"catalogue:{catalogue.stem}"
        else:
            find, source = finder_named(str(finder)), f"catalogue:{finder}"
        chosen = load_settings(config, settings)
        with open_database(chosen) as database:
            ensure_schema(database, is_ours=chosen.database.host == "embedded")
            looked, found = look_for_hosts(database, find, source)
    echo_line(f"{looked} objects were looked at: {found} have a host, by {source}")
