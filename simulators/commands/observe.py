"""The command ``tides observe``; what it needs is imported only when it runs."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tides_bridge.console import echo_line, exit_on_error
from tides_bridge.errors import SettingsError


def observe(  # noqa: PLR0913, PLR0917
    folder: Annotated[Path, typer.Argument(help="Of the deliveries: the night has a folder in it.")],
    night: Annotated[
        str | None, typer.Option(help="The day on which it begins, as 20261129; default yesterday.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weather and noise: the same gives the same files.", min=0)] = 1,
    fields: Annotated[int, typer.Option(help="Fields that are observed, at most.", min=1)] = 12,
    trap: Annotated[
        list[str] | None, typer.Option(help="What is to be wrong with the files; may be repeated; all: everything.")
    ] = None,
    pixels: Annotated[int, typer.Option(help="Of each spectrum; a real one has 23200.", min=2)] = 200,
    config: Annotated[str | None, typer.Option(help="Configuration in the settings file.")] = None,
    settings: Annotated[Path | None, typer.Option(help="The settings file, which leads to the stand-in.")] = None,
) -> None:
    """
    Let a stand-in for 4MOST observe a night: files of spectra of the ingested, active targets at tides fourmost.

    Reads the list of targets at the address in the settings; writes the files. tides spectra reads them.
    """
    with exit_on_error():
        from simulators.spectra.nights import TRAPS, NightPlan, observe_night
        from tides_bridge.fourmost.client import FourmostClient
        from tides_bridge.settings import load_settings

        traps = set(trap or ())
        if unknown := traps - {*TRAPS, "all"}:
            known = "; ".join(f"{name}: {what}" for name, what in TRAPS.items())
            raise SettingsError("--trap", "", f"{', '.join(sorted(unknown))} is none of these: {known}")
        chosen = load_settings(config, settings)
        rows = FourmostClient(chosen.fourmost, lambda: None).all_rows(uploadedfor_survey_id=chosen.fourmost.survey_id)
        first = read_night(night) if night else int(chosen.now_mjd()) - 1
        plan = NightPlan(first, seed, fields, frozenset(TRAPS if "all" in traps else traps), pixels)
        observed = observe_night(rows, plan, folder)
    echo_line(f"{plan.name}: {len(observed.snr)} of {len(rows)} targets got a spectrum, in {len(observed.files)} files")


def read_night(text: str) -> int:
    """
    Read a night as the MJD of the day on which it begins.

    Raises
    ------
    SettingsError
        If it is none.

    >>> read_night("20261129")
    61373
    """
    from tides_bridge.lightcurves.photometry import mjd_from_time

    try:
        day = datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        raise SettingsError("--night", "", f"{text} is no night: write it as 20261129") from None
    return int(mjd_from_time(day))
