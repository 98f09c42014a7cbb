"""``tides watch``: shows a stream of alerts, saves them, and draws their light curves. It needs no database."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import exit_on_error, stderr_console
from tides_bridge.errors import MalformedAlert, SettingsError
from tides_bridge.processes import INTERRUPTED, interruptible

if TYPE_CHECKING:
    from tides_bridge.brokers.models import Message
    from tides_bridge.brokers.viewer import WatchedStream
    from tides_bridge.formats.whole_alerts import Opener, Whole
    from tides_bridge.selection import SelectionFunction
    from tides_bridge.selection.plots import Plots
    from tides_bridge.settings import Settings


class StreamStart(StrEnum):
    """Where in the stream to begin."""

    BEGINNING = "beginning"
    END = "end"


def watch(  # noqa: PLR0913, PLR0917
    topic: Annotated[
        str | None, typer.Option("--topic", help="The Kafka topic.", show_default="that of the settings")
    ] = None,
    bootstrap: Annotated[
        str | None,
        typer.Option("--bootstrap", help="Kafka as host:port[,host:port].", show_default="that of the settings"),
    ] = None,
    group: Annotated[
        str | None, typer.Option("--group", help="Go on where this group is, and move it; without, nothing is moved.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="End after so many messages.", show_default=False)
    ] = None,
    start: Annotated[StreamStart, typer.Option("--from", help="Where to begin.")] = StreamStart.BEGINNING,
    silence: Annotated[
        float | None,
        typer.Option("--silence", min=0, help="End when nothing came for so long [s].", show_default="never"),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One line an alert at a terminal, too; elsewhere it is so anyway.")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option("--save", help="Folder for the alerts, a file each.", file_okay=False)
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Folder for plots of their light curves.", file_okay=False)
    ] = None,
    function: Annotated[
        str | None, typer.Option("--function", help="Selection function that judges the light curves plotted.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="Option of librdkafka, KEY=VALUE; may be repeated.", show_default=False),
    ] = None,
    schemas: Annotated[
        Path | None,
        typer.Option("--schemas", "--schema", help="Avro schema, or folder of them, for messages that bring none."),
    ] = None,
    registry: Annotated[
        str | None,
        typer.Option("--schema-registry", help="Where schemas are asked for by number.", metavar="ADDRESS"),
    ] = None,
    zero_point: Annotated[
        float | None, typer.Option("--zero-point", help="Of ELAsTiCC's psFlux [mag]; default 31.4, which is nJy.")
    ] = None,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """
    Show the alerts of a stream as JSON, whatever their framing; save them, and draw their light curves.

    Images are shown as the number of their bytes, NaN as null, identifiers exactly. A message that cannot be read is
    named with its reason on stderr, and the exit code is 1 then. It runs until --limit, --silence or Ctrl-C.

    Reads the stream, and the settings where --bootstrap or --topic is not given. Commits nothing without --group.
    Writes into the folders: alerts as Avro containers with their schema, those in JSON as they came; plots as PNG.
    """
    with exit_on_error():
        from tides_bridge.brokers.kafka import options_of
        from tides_bridge.brokers.viewer import WatchedStream
        from tides_bridge.formats import Options
        from tides_bridge.formats.whole_alerts import Opener

        known = _settings(topic, bootstrap, config, settings)
        broker = known.broker if known else None
        given = {key: value.get_secret_value() for key, value in broker.options.items()} if broker else {}
        place = WatchedStream(
            bootstrap or (broker.bootstrap_servers if broker else ""),
            topic or str(known.topic if known else ""),
            given | options_of(option or ()),
            group,
            from_end=start is StreamStart.END,
        )
        scale = Options(broker.zero_point if broker and zero_point is None else zero_point).scale
        registry = registry or (broker.schema_registry if broker else None)
        viewer = Viewer(
            Opener(schemas or (broker.schemas if broker else None), _asking(registry) if registry else None),
            indent=2 if sys.stdout.isatty() and not as_json else None,
            folder=_made(folder),
            drawing=_drawing(_made(plot), function, scale),
        )
        is_complete = _show(place, viewer, limit, silence)
    if not is_complete:  # SIGTERM ended it; Ctrl-C is how a watch without an end ends
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(1 if viewer.refused else 0)


def _settings(topic: str | None, bootstrap: str | None, config: str | None, file: Path | None) -> "Settings | None":
    """
    Read the settings of the broker if anything is to be taken from them.

    Raises
    ------
    SettingsError
        If they list several brokers, and none or more than one of them has the topic.
    """
    if topic and bootstrap and config is None and file is None:
        return None
    from tides_bridge.settings import find_file, load_settings

    brokers = load_settings(config, file).each_broker()
    of_topic = [broker for broker in brokers if broker.topic == topic]
    if not of_topic and not (topic and len(brokers) > 1):  # one broker, or no topic was given: its own is read
        of_topic = brokers
    if len(of_topic) != 1:
        topics = ", ".join(sorted({str(broker.topic) for broker in brokers}))
        raise SettingsError(str(find_file(file, config)), "brokers", f"which of them? Name one of the topics: {topics}")
    return of_topic[0]


def _asking(registry: str) -> Callable[[int], Any]:
    """Give what asks a schema registry for the schema of a number."""
    from tides_bridge.brokers.kafka import ANSWER_SECONDS
    from tides_bridge.brokers.registry import schema_text
    from tides_bridge.formats.avro.schemas import schema_of_text

    return lambda number: schema_of_text(schema_text(registry, number, ANSWER_SECONDS))


def _made(folder: Path | None) -> Path | None:
    """Make a folder if it is not there."""
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(str(folder), "", f"cannot be made: {error.strerror}") from None
    return folder


@dataclass(frozen=True)
class Drawing:
    """How light curves are drawn: where, judged by which function, and what turns ``psFlux`` into nJy."""

    plots: "Plots"
    function: "SelectionFunction"
    scale: float


def _drawing(folder: Path | None, name: str | None, scale: float) -> Drawing | None:
    if folder is None:
        return None
    from tides_bridge.selection.file import functions_file, load_function
    from tides_bridge.selection.functions import every_detection
    from tides_bridge.selection.plots import Plots

    function = load_function(functions_file(), name) if name else every_detection()
    return Drawing(Plots(folder), function, scale)


def _show(place: "WatchedStream", viewer: "Viewer", limit: int | None, silence: float | None) -> bool:
    """Show messages until there is an end; False if SIGTERM was it."""
    from tides_bridge.brokers.viewer import Watch

    try:
        with interruptible(), Watch(place) as stream:
            for message in stream.messages(silence):
                viewer.show(message)
                stream.note_handled(message)
                if viewer.number == limit:
                    break
            if not stream.has_topic:
                viewer.tell(f"the broker has no topic {place.topic}, or not yet")
    except KeyboardInterrupt as end:
        viewer.tell_number(place.topic)
        return not end.args
    except OSError as error:
        raise SettingsError(str(error.filename or "output"), "", f"cannot be written: {error.strerror}") from None
    viewer.tell_number(place.topic)
    return True


class Viewer:
    """
    Shows messages one by one.

    Parameters
    ----------
    opener
        Reads them.
    indent
        Of the JSON; None: one line an alert.
    folder
        Where they are saved, if anywhere.
    drawing
        How their light curves are drawn, if at all.

    Attributes
    ----------
    number, refused
        Messages so far, and how many of them could not be read.
    """

    def __init__(
        self, opener: "Opener", *, indent: int | None = None, folder: Path | None = None, drawing: Drawing | None = None
    ) -> None:
        self._opener, self._indent, self._folder, self._drawing = opener, indent, folder, drawing
        self._console = stderr_console(highlight=False)
        self.number = self.refused = 0

    def show(self, message: "Message") -> None:
        """Print an alert, save and draw it; or say why it cannot be read."""
        from tides_bridge.brokers.viewer import save
        from tides_bridge.formats.whole_alerts import to_json

        self.number += 1
        try:
            whole = self._opener.open(message.value, message.key)
        except MalformedAlert as error:
            self.refused += 1
            self._tell_of(message, f"refused: {error.problem}")
            return
        print(to_json(whole.record, self._indent), flush=True)
        if self._folder is not None:
            save(self._folder, message, whole)
        self._draw(message, whole)

    def tell_number(self, topic: str) -> None:
        """Say how many there were."""
        refused = f", {self.refused} of them refused" if self.refused else ""
        self.tell(f"{self.number} messages of topic {topic}{refused}")

    def _draw(self, message: "Message", whole: "Whole") -> None:
        if self._drawing is None:
            return
        from tides_bridge.formats.whole_alerts import light_curve_of
        from tides_bridge.selection.plots import draw_light_curves

        try:
            curves = light_curve_of(whole, self._drawing.scale)
        except MalformedAlert as error:
            self._tell_of(message, f"not drawn: {error.problem}")
        else:
            draw_light_curves(self._drawing.plots, self._drawing.function, None, curves)

    def tell(self, text: str) -> None:
        """Say something that is no alert."""
        self._console.print(text, markup=False, soft_wrap=True)

    def _tell_of(self, message: "Message", text: str) -> None:
        self.tell(f"{message.topic}, partition {message.partition}, offset {message.offset}: {text}")
