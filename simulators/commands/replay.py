"""The command ``tides replay``; what it needs is imported only when it runs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tides_bridge.console import exit_on_error
from tides_bridge.errors import SettingsError


class ReplayPacking(StrEnum):
    """How alerts are sent; the others of the values are those of ``tides_bridge.formats.framing.Framing``."""

    AS_RECORDED = "as-recorded"
    JSON = "json"
    CONTAINER = "container"
    CONFLUENT = "confluent"
    KEYED = "keyed"
    BARE = "bare"


def replay(  # noqa: PLR0913 (one argument an option)
    paths: Annotated[list[Path], typer.Argument(help="Files, archives, and folders with files in any depth.")],
    topic: Annotated[str, typer.Option(help="The Kafka topic to send to.")],
    bootstrap: Annotated[str, typer.Option(help="Kafka as host:port[,host:port].")],
    *,
    alerts_per_observation: Annotated[
        int | None, typer.Option(help="Alerts that are sent together.", min=1, show_default="3")
    ] = None,
    observations: Annotated[
        int | None, typer.Option(help="How many times; -1: until all are sent.", min=-1, show_default="4")
    ] = None,
    interval: Annotated[
        float | None,
        typer.Option(help="Between observations, at whole multiples on the clock [s].", min=0, show_default="5"),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            help="Send all at this multiple of the pace of the sky; inf: without a pause.", show_default=False
        ),
    ] = None,
    framing: Annotated[
        ReplayPacking, typer.Option(help="keyed is Fink's, confluent Rubin's, bare ELAsTiCC's, container ZTF's.")
    ] = ReplayPacking.AS_RECORDED,
    schemas: Annotated[
        Path | None,
        typer.Option("--schemas", "--schema", help="Avro schema, or folder of them, for messages that bring none."),
    ] = None,
    schema_number: Annotated[
        int | None,
        typer.Option(
            help="Number in the header of confluent; default by version, 1000 for 10.0.", min=0, max=2**32 - 1
        ),
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(help="Field to show of alerts, as diaSource.midpointMjdTai; may be repeated.", show_default=False),
    ] = None,
    skip: Annotated[int, typer.Option(help="Leave out so many of the earliest.", min=0)] = 0,
    wait_for_group: Annotated[
        str | None, typer.Option(help="Never be more than 5 MB a partition ahead of what this group has committed.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(help="Option of librdkafka, KEY=VALUE; may be repeated.", show_default=False),
    ] = None,
) -> None:
    """
    Send recorded or simulated alerts to Kafka, in the order of their epochs.

    Without options it sends three alerts at every fifth second, four times, as Fink's alert simulator does. Alerts keep
    their bytes unless another framing is asked for; all of an object go to one partition. The exit code is 1 if some
    could not be sent, and 130 after Ctrl-C, which tells with which --skip it would go on.

    Reads alerts of any format that tides select reads, recordings of tides simulate and tar archives, but no tables of
    points. Writes the topic, and a temporary file as large as what lies in archives and files of many alerts.
    """
    with exit_on_error():
        from simulators.replay.replay import ReplayPace, Target
        from simulators.replay.told import carry_out
        from tides_bridge.brokers.kafka import options_of
        from tides_bridge.formats.avro.schemas import schemas_in
        from tides_bridge.formats.framing import Framing

        if speed is not None and (alerts_per_observation, observations, interval) != (None, None, None):
            raise SettingsError("--speed", "", "goes without --alerts-per-observation, --observations and --interval")
        if speed is not None and not speed > 0:
            raise SettingsError("--speed", "", "must be greater than 0")
        given = {"alerts": alerts_per_observation, "observations": observations, "interval": interval, "speed": speed}
        pace = ReplayPace(**{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]
        target = Target(
            bootstrap,
            topic,
            options_of(option or ()),
            None if framing is ReplayPacking.AS_RECORDED else Framing(framing.value),
            schema_number,
            dict(schemas_in(schemas)) if schemas else {},
            wait_for_group,
        )
        code = carry_out(paths, target, pace, schemas=schemas, skip=skip, fields=field or ())
    raise typer.Exit(code)
