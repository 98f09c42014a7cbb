"""The command ``tides standins``; what it needs is imported only when it runs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tides_bridge.console import exit_on_error
from tides_bridge.errors import SettingsError


class AnswerShape(StrEnum):
    """How Lasair's ``lightcurves/`` answers."""

    NEW = "new"
    OLD = "old"


class StreamName(StrEnum):
    """A stream; the values are the keys of ``simulators.standins.broker_streams.STREAMS``."""

    LASAIR_ZTF = "lasair-ztf"
    LASAIR_LSST = "lasair-lsst"
    FINK_ZTF = "fink-ztf"
    FINK_LSST = "fink-lsst"
    RUBIN = "rubin"
    ELASTICC = "elasticc"
    BABAMUL_ZTF = "babamul-ztf"
    BABAMUL_LSST = "babamul-lsst"
    ALERCE = "alerce"
    ALERCE_ZTF = "alerce-ztf"
    ANTARES = "antares"
    ANTARES_ZTF = "antares-ztf"
    FASTDB = "fastdb"


class Mode(StrEnum):
    """How much of the alert messages of Lasair for LSST have."""

    MIXED = "mixed"
    PLAIN = "PLAIN"
    LITE = "LITE"
    FULL = "FULL"


def standins(  # noqa: PLR0913 (one argument an option)
    settings_out: Annotated[
        Path, typer.Option(help="Settings file to write, for tides run --settings.", dir_okay=False)
    ],
    *,
    alerts: Annotated[
        list[Path] | None,
        typer.Option(
            help="Recorded alert packets: files, archives and folders; may be repeated.",
            show_default="those of a simulated sky",
        ),
    ] = None,
    stream: Annotated[
        list[StreamName] | None,
        typer.Option(help="Whose stream to serve; may be repeated.", show_default="lasair-ztf"),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="A stream of ZTF that goes on, and goes on after a restart; see below.")
    ] = False,
    speed: Annotated[
        float | None, typer.Option(help="How much faster than the clock its time runs.", min=0.01, show_default="1")
    ] = None,
    objects: Annotated[
        int | None, typer.Option(help="Objects of the simulated sky.", min=1, show_default="300; live: 4200 at a time")
    ] = None,
    nights: Annotated[int | None, typer.Option(help="Nights it was observed.", min=1, show_default="60")] = None,
    seed: Annotated[int | None, typer.Option(help="Another number makes another sky.", min=0, show_default="1")] = None,
    schemas: Annotated[
        Path | None,
        typer.Option(
            "--schemas", "--schema", help="Avro schema, or folder of them, for recorded messages that bring none."
        ),
    ] = None,
    lasair_mode: Annotated[
        Mode | None,
        typer.Option(help="How much of the alert lasair-lsst sends; mixed: in turn.", show_default="mixed"),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Folder for 4MOST's state and the database; emptied first, unless --live. "
            "One for each settings file by default."
        ),
    ] = None,
    shape: Annotated[
        AnswerShape, typer.Option(help="Light curves as newer or older Lasair servers answer them.")
    ] = AnswerShape.NEW,
    calls_per_hour: Annotated[int, typer.Option(help="Calls the Lasair API allows in an hour.", min=1)] = 10_000,
    faults: Annotated[
        Path | None,
        typer.Option(help="Fault plan (YAML) for Lasair and 4MOST; see simulators/services/faults.py.", dir_okay=False),
    ] = None,
) -> None:
    """
    Start stand-ins for Kafka, the light-curve APIs of brokers and 4MOST on this machine, loaded with alerts.

    Of each object the newest packet counts: it becomes a message in each stream of its survey, and a light curve in the
    API where the broker has one. Packets of ZTF and Rubin are understood, in any format; what is none is left out and
    named. Without --alerts they are those of a simulated sky. A topic holds some 20 MB: the oldest that find no room
    are left out. Once all answer, a line begins with "ready"; Ctrl-C or SIGTERM ends them.

    Reads the alerts and the fault plan. Writes the settings file (readable for you only), in which recorded objects
    count as live for 20 years; beside it a folder with the schemas that messages of rubin and elasticc lack; and into
    the folder of the stand-ins: it is emptied at each start and stays at the end, so that you can look at the database.
    By default it lies in your data folder, or in /var/lib/tides-bridge/standins for root.

    With --live alerts come all day, some 30 an hour: those of a night in the 24 hours after it, and of the last five
    days at the first start. The folder is kept. After a restart, even a kill, all goes on: 4MOST with its targets, the
    tokens, the stream with the same messages at the same offsets, and what came meanwhile. At another speed, or after
    seven days of the stream, a start begins the stream anew. The settings file is written anew at each start.
    """
    with exit_on_error():
        try:
            from simulators.standins.broker_streams import MIXED
            from simulators.standins.bundle import Standins, folder_for
            from simulators.standins.live import LivePlan, check_streams, serve_live
            from simulators.standins.serving import StandinSource, serve_standins

            sky = {"objects": objects, "nights": nights, "seed": seed}
            given = {key: value for key, value in sky.items() if value is not None}
            names = [name.value for name in stream or [StreamName.LASAIR_ZTF]]
            _check(names, given if alerts else {}, lasair_mode)
            _check_live(live, speed, {"--alerts": alerts, "--nights": nights, "--schemas": schemas})
            three = Standins(
                folder or folder_for(settings_out),
                streams=names,
                modes=MIXED if lasair_mode in {None, Mode.MIXED} else [mode for mode in MIXED if mode == lasair_mode],
                calls_per_hour=calls_per_hour,
                old_shape=shape is AnswerShape.OLD,
                faults=faults,
            )
            if live:
                check_streams(names)
                plan = LivePlan()._replace(**{key: value for key, value in given.items() if key in LivePlan._fields})
                serve_live(three, plan._replace(speed=speed or plan.speed), settings_out)
            serve_standins(three, StandinSource(tuple(alerts or ()), schemas, **given), settings_out)
        except KeyboardInterrupt:
            typer.echo("stopped")


def _check(names: list[str], not_used: dict[str, int], lasair_mode: Mode | None) -> None:
    """Raise SettingsError if options do not fit together."""
    for key, value in not_used.items():
        raise SettingsError(f"--{key}", str(value), "is for a simulated sky, and goes without --alerts")
    if lasair_mode and StreamName.LASAIR_LSST not in names:
        raise SettingsError("--lasair-mode", lasair_mode.value, "is for --stream lasair-lsst")


def _check_live(live: bool, speed: float | None, not_live: dict[str, object]) -> None:
    """Raise SettingsError if options do not fit with --live, or without."""
    if speed and not live:
        raise SettingsError("--speed", str(speed), "is for --live")
    for key, value in not_live.items():
        if live and value:
            raise SettingsError(key, "", "goes without --live, whose sky does not end")
