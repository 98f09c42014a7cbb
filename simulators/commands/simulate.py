"""The command ``tides simulate``; what it needs is imported only when it runs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tides_bridge.console import exit_on_error


class SimulatedSurvey(StrEnum):
    """Who observes the sky."""

    LSST = "lsst"
    ZTF = "ztf"


class Form(StrEnum):
    """In which form alerts are written; the values are the keys of ``simulators.alerts.encoders.FORMATS``."""

    ZTF_JSON = "ztf-json"
    ZTF_AVRO = "ztf-avro"
    FINK_ZTF = "fink-ztf"
    BABAMUL_ZTF = "babamul-ztf"
    LSST_AVRO = "lsst-avro"
    RUBIN = "rubin"
    ELASTICC = "elasticc"
    FINK_LSST = "fink-lsst"
    LASAIR_LSST = "lasair-lsst"
    BABAMUL_LSST = "babamul-lsst"
    ANTARES = "antares"


class LasairMode(StrEnum):
    """How much of an alert a message of Lasair has."""

    PLAIN = "PLAIN"
    LITE = "LITE"
    FULL = "FULL"


def simulate(  # noqa: PLR0913 (one argument an option)
    *,
    form: Annotated[Form, typer.Option("--format", help="Whose alerts, and how they are framed.")],
    output: Annotated[Path, typer.Option(help="Folder to write: a new one, or empty.", file_okay=False)],
    objects: Annotated[int, typer.Option(help="Objects on the sky; not all are ever detected.", min=1)] = 1000,
    nights: Annotated[int, typer.Option(help="Nights that the survey observes.", min=1)] = 60,
    survey: Annotated[
        SimulatedSurvey | None, typer.Option(help="Who observes.", show_default="that of the format")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another number makes another sky.", min=0)] = 1,
    first_night: Annotated[int, typer.Option(help="MJD of the first evening.", min=51544, max=88000)] = 61230,
    cutouts: Annotated[
        int, typer.Option(help="Size of the images of an alert together [bytes]; 0: none.", min=0, max=900_000)
    ] = 0,
    every_detection: Annotated[
        bool, typer.Option("--every-detection", help="An alert for each detection, not the last one of a night.")
    ] = False,
    recording: Annotated[
        bool, typer.Option("--recording", help="One file of Kafka messages, for tides replay, whatever the format.")
    ] = False,
    schema_version: Annotated[
        str | None,
        typer.Option(
            help="Of Rubin's alerts 9_0 to 12_0, of ELAsTiCC's 0_9 or 0_9_1. 12_0 has fields that nobody knows.",
            show_default="10_0, 0_9_1",
        ),
    ] = None,
    zero_point: Annotated[
        float, typer.Option(help="Of ELAsTiCC's fluxes [mag]; its first samples had 27.5.", min=20, max=40)
    ] = 31.4,
    lasair_mode: Annotated[
        LasairMode, typer.Option(help="How much of the alert a message of Lasair has.")
    ] = LasairMode.FULL,
    without_alert: Annotated[
        float, typer.Option(help="Share of Lasair's messages that lack the alert all the same.", min=0, max=1)
    ] = 0.0,
) -> None:
    """
    Write the alerts of a simulated sky, in the form of any survey or broker, and what its objects truly are.

    The sky has supernovae, active galaxies, variable stars and asteroids, seen in the survey's cadence, bands and
    depths. Alerts are in the order of time; the same seed gives the same bytes.

    Reads nothing. Writes into the folder: alerts/ with one alert a file, alerts.jsonl, or alerts.recording where
    messages have keys or cannot stand alone; schema/ where the messages do not bring theirs; truth.csv for
    tides backtest --truth.
    """
    from simulators.alerts.encoders import USUAL, EncodingOptions
    from simulators.alerts.simulate import SimulationPlan, write_simulated_alerts

    is_elasticc = form is Form.ELASTICC
    options = EncodingOptions(
        lsst_version=USUAL.lsst_version if is_elasticc else schema_version or USUAL.lsst_version,
        elasticc_version=(schema_version if is_elasticc else None) or USUAL.elasticc_version,
        zero_point=zero_point,
        lasair_mode=lasair_mode.value,
        without_alert=without_alert,
    )
    plan = SimulationPlan(
        form.value,
        objects,
        nights,
        survey.value if survey else "",
        first_night,
        seed,
        cutouts,
        every_detection,
        recording,
        options,
    )
    with exit_on_error():
        written = write_simulated_alerts(plan, output)
    typer.echo(
        f"{written.alerts} alerts, {written.bytes / 1e6:.1f} MB, in {written.place}; "
        f"what is true of {written.objects} objects in {output / 'truth.csv'}"
    )
    if written.schema:
        typer.echo(f"Their schema, for --schema: {written.schema}")
    if written.left_out:
        typer.echo(f"Left out: {written.left_out} alerts of known asteroids, which {form.value} does not send")
