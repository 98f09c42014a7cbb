"""Every way in which alerts come, Kafka in each framing, files and APIs, with what is decided of them."""

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import fastavro
import yaml
from rich.console import Console
from rich.progress import Progress

from flows.commands.files.selecting import ProgressPrinter
from flows.from_files import prepare, run_selection
from flows.in_order import runner
from simulators.alerts.avro_schemas import elasticc_schema, lsst_schema
from simulators.alerts.encoders import (
    FORMATS,
    Encoded,
    EncodingOptions,
    Packet,
    encode,
    is_of_object,
    survey_of,
    write_recording,
)
from simulators.alerts.simulate import SimulationPlan, alerts_in_time, sky_of
from simulators.services.antares import AntaresStandin, to_locus
from simulators.services.lasair import LasairStandin, to_light_curve, to_message
from simulators.services.lasair_lsst import LasairLsstStandin, to_object
from simulators.services.stream import KafkaStandin
from tests.support.answers import ztf_settings
from tests.support.decisions import (
    Decision,
    Decisions,
    curves_in,
    decision,
    decisions_in,
    digests_in,
    judged_of,
    read_stream,
)
from tides_bridge.brokers.models import Message
from tides_bridge.formats.recording import RecordedMessage
from tides_bridge.formats.whole_alerts import object_of
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.columns import BRIGHTNESS, POINT_COLUMNS
from tides_bridge.selection import SelectionFunction
from tides_bridge.selection.file import read_functions_file
from tides_bridge.settings import Settings

NOW = "2026-08-20T12:00:00Z"
"""After the last night of the simulated skies: ages count from there."""

FUNCTIONS = {
    "usual": {"filters": [*"griz"], "significance": 5, "minBands": 2, "minNights": 2, "magLimit": 22.5},
    "many": {
        "filters": [*"ugrizy"],
        "significance": 4,
        "minDetections": 3,
        "brightLimit": 17,
        "maxAgeLast": "20 d",
        "maxAgeFirst": "60 d",
        "maxGap": "9 d",
        "minFadeRate": 0.01,
        "declination": [-60, 30],
        "minGalacticLatitude": 20,
        "any": [{"filters": ["g", "r"], "minNights": 3}, {"filters": ["i"], "minRiseRate": 0.01}],
    },
}
"""The usual criteria, and most others; not those on what only some brokers tell of an object."""


@dataclass(frozen=True)
class Way:
    """
    How alerts come.

    Attributes
    ----------
    kind
        Of the broker that reads them.
    form
        One of `encoders.FORMATS`; empty: messages of a filter of Lasair for ZTF.
    options
        Of the encoder, such as the version of a schema.
    differs
        Columns of the light curves, of points and of objects, that are not those of the survey's own packets.
    near
        So close are numbers; in mag, deg, days as the criteria have them. 0: they are the same to the last bit.
    """

    kind: str
    form: str
    options: dict[str, str] = field(default_factory=dict)
    differs: frozenset[str] = frozenset()
    near: float = 0.0

    @property
    def sends_moving(self) -> bool:
        """Whether alerts of the solar system are in its stream."""
        return not self.form or not FORMATS[self.form].of_objects

    def encode(self, packet: Packet) -> Encoded:
        """Make a message."""
        if not self.form:
            return Encoded(None, json.dumps(to_message(packet)).encode())
        return encode(packet, self.form, EncodingOptions(**self.options))  # type: ignore[arg-type]


PLACES = frozenset({"point.ra", "point.decl"})
"""Where each point was: short forms do not say it."""
PLACE = frozenset({"ra", "decl"})
LASAIR = frozenset({"ebv", "sherlock_class", "annotations", "solar_system"})
"""The first three are added; it sends nothing of the solar system, so that nobody says that this is none."""
LSST = {
    "containers": Way("alerce", "lsst-avro"),
    "rubin": Way("rubin", "rubin"),
    # Fink looked objects up in catalogues of variables.
    "fink_lsst": Way("fink_lsst", "fink-lsst", {}, frozenset({"known_variable"})),
    "lasair_lsst FULL": Way("lasair_lsst", "lasair-lsst", {"lasair_mode": "FULL"}, LASAIR),
    # Without ids of sources.
    "lasair_lsst LITE": Way(
        "lasair_lsst", "lasair-lsst", {"lasair_mode": "LITE"}, LASAIR | PLACES | {"point.source_id"}
    ),
    # The message says where the object is, and its class; the API only its points.
    "lasair_lsst API": Way("lasair_lsst", "lasair-lsst", {"lasair_mode": "PLAIN"}, PLACE | PLACES | {"solar_system"}),
    # The place is that of the newest detection; Julian dates are rounded to 0.04 ms; earlier points have no ids.
    "babamul_lsst": Way(
        "babamul_lsst",
        "babamul-lsst",
        {},
        PLACE | PLACES | {"point.mjd", "point.source_id", "point.reliability"},
        near=1e-4,
    ),
    "elasticc": Way("elasticc", "elasticc", {}, PLACES | {"ebv", "solar_system", "point.reliability"}),
    # Without forced photometry, so that no column is as long; the place is that of the newest detection.
    "antares": Way(
        "antares", "antares", {}, PLACE | {"solar_system", *(f"point.{name}" for name in POINT_COLUMNS)}, near=1e-4
    ),
}
FLUXES = frozenset({f"point.{name}" for name in BRIGHTNESS})
ZTF = {
    "containers": Way("alerce", "ztf-avro"),
    "fink_ztf": Way("fink_ztf", "fink-ztf", {}, frozenset({"known_variable", "annotations"})),
    # Magnitudes became fluxes and again magnitudes; there is no id, no score.
    "babamul_ztf": Way("babamul_ztf", "babamul-ztf", {}, FLUXES | {"point.source_id", "point.reliability"}, near=1e-9),
    # The message says where the object is.
    "lasair_ztf API": Way(
        "lasair_ztf", "", {}, PLACE | {"solar_system", "point_source", "first_seen", "point.reliability"}
    ),
    "antares": Way("antares", "antares"),
}
WAYS = {("lsst", name): way for name, way in LSST.items()} | {("ztf", name): way for name, way in ZTF.items()}


@cache
def night(survey: str) -> tuple[Packet, ...]:
    """Give the alerts of the last nights of a sky in the order of time: several of most objects."""
    plan = SimulationPlan(f"{survey}-avro", objects=50, nights=40)
    made = list(alerts_in_time(plan, sky_of(plan)))[-130:]
    return tuple(made if survey == "lsst" else map(issued, made))


def issued(packet: Packet) -> Packet:
    """Give a packet of ZTF as it is issued: numbers of 32 bits where its schema has such."""
    (whole,) = fastavro.reader(io.BytesIO(encode(packet, "ztf-avro").value))
    assert isinstance(whole, dict)
    return whole | {"labels": packet["labels"]}


@dataclass
class World:
    """What brokers are: Kafka, their APIs, and the schemas that their messages do not bring."""

    folder: Path
    functions: list[SelectionFunction]
    kafka: KafkaStandin
    lasair_ztf: LasairStandin
    lasair_lsst: LasairLsstStandin
    antares: AntaresStandin
    topics: int = 0

    def settings(self, way: Way, survey: str, **broker: Any) -> Settings:
        """Give settings for a broker."""
        if way.form in {"rubin", "elasticc"}:
            broker |= {"schemas": str(self.folder / way.form)}
        lasair = self.lasair_ztf if survey == "ztf" else self.lasair_lsst
        address = self.antares.address if way.kind == "antares" else lasair.address
        broker = {"kind": way.kind, "bootstrapServers": self.kafka.address, "silence": "0.3 seconds"} | broker
        common = {"topic": f"t{self.topics}", "now": NOW, "lasairToken": lasair.token}
        return ztf_settings(broker=broker, lightCurves={"address": address}, **common)

    def know(self, packets: Sequence[Packet]) -> None:
        """Let the APIs know objects as they are after some alerts, which are in the order of time."""
        newest = {object_of(packet): packet for packet in packets if is_of_object(packet)}.values()
        of_ztf = [packet for packet in newest if survey_of(packet) == "ztf"]
        self.lasair_ztf.load(map(to_light_curve, of_ztf))
        self.lasair_lsst.load(to_object(packet) for packet in newest if survey_of(packet) == "lsst")
        self.antares.load(map(to_locus, newest))

    def send(self, way: Way, survey: str, packets: Sequence[Packet]) -> tuple[Settings, list[Message]]:
        """Send alerts through Kafka, and read them as a run does."""
        self.topics += 1
        made = messages_of(way, packets)
        self.kafka.publish(f"t{self.topics}", [(message.key, message.value) for message in made])
        settings = self.settings(way, survey)
        read = read_stream(settings)
        assert len(read) == len(made)
        return settings, read

    def record(self, way: Way, survey: str, packets: Sequence[Packet]) -> Settings:
        """Write the messages into a recording, and give the settings that lead there."""
        self.topics += 1
        file = self.folder / f"{self.topics}.recording"
        write_recording(file, (RecordedMessage(message.value, message.key, 0) for message in messages_of(way, packets)))
        return self.settings(replace(way, kind="recorded"), survey, files=[str(file)])


def messages_of(way: Way, packets: Sequence[Packet]) -> list[Encoded]:
    """Make the messages that a broker sends."""
    return [way.encode(packet) for packet in packets if way.sends_moving or is_of_object(packet)]


@contextmanager
def served(folder: Path) -> Iterator[World]:
    """Start Kafka and the APIs, and write functions and schemas."""
    file = folder / "functions.yaml"
    file.write_text(yaml.safe_dump({name: {"rules": "strict", **keys} for name, keys in FUNCTIONS.items()}))
    for name, schema in (("rubin", lsst_schema()), ("elasticc", elasticc_schema())):
        (folder / name).mkdir()
        (folder / name / f"{schema['name']}.avsc").write_text(json.dumps(schema))
    with ExitStack() as stack:
        kafka, antares = stack.enter_context(KafkaStandin()), stack.enter_context(AntaresStandin())
        ztf = stack.enter_context(LasairStandin("ztf", 10_000))
        lsst = stack.enter_context(LasairLsstStandin("lsst", 10_000))
        made = World(folder, list(read_functions_file(file).values()), kafka, ztf, lsst, antares)
        yield made


@dataclass(frozen=True)
class Known:
    """What is decided of the packets of a survey as they are, and their light curves."""

    decisions: Decisions
    digests: dict[str, str]
    curves: LightCurves


def known_of(world: World, survey: str, packets: Sequence[Packet]) -> Known:
    way = WAYS[survey, "containers"]
    settings = world.settings(way, survey)
    messages = [
        Message("packets", 0, number, encoded.value) for number, encoded in enumerate(messages_of(way, packets))
    ]
    judged = judged_of(settings, messages, world.functions)
    assert [refusal.reason for chunk in judged for refusal in chunk.refused] == []
    return Known(decisions_in(judged), digests_in(judged), curves_in(settings, messages))


# Files


def as_files(folder: Path, way: Way, packets: Sequence[Packet]) -> Path:
    """Write a message a file."""
    folder.mkdir()
    for number, message in enumerate(messages_of(way, packets)):
        (folder / f"{number:03d}.avro").write_bytes(message.value)
    return folder


def as_lines(folder: Path, way: Way, packets: Sequence[Packet]) -> Path:
    """Write a message a line."""
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(b"\n".join(message.value for message in messages_of(way, packets)))
    return folder


def selected(world: World, path: Path, schema: Path | None = None, refused: int = 0) -> Decisions:
    """Do what ``tides select`` does for each function, and read the decisions that it wrote."""
    return {
        (row["objectId"], function.name): decision_of(row)
        for function in world.functions
        for row in select(world, path, schema, function.name, refused)
    }


def select(world: World, path: Path, schema: Path | None, function: str, refused: int) -> list[dict[str, Any]]:
    """Do it for one; so many records must be refused."""
    world.topics += 1
    output = world.folder / f"{world.topics}.json"
    selecting = prepare(
        [path],
        function,
        functions=world.folder / "functions.yaml",
        output=output,
        plots=None,
        plot_all=False,
        now=NOW,
        schema=schema,
    )
    console = Console(file=io.StringIO())
    with ProgressPrinter(Progress(console=console, disable=True), console) as voice, runner(1, None) as run:
        tally, _ = run_selection(selecting, run, voice)
    assert tally.refused.total() == refused
    return list(json.loads(output.read_text()))


def decision_of(row: dict[str, Any]) -> Decision:
    """Make a decision of a row of a decision file."""
    verdicts = {name.removesuffix("_passed"): is_so for name, is_so in row.items() if name.endswith("_passed")}
    failed = [name for name, is_so in verdicts.items() if not is_so]
    return decision(
        row["passed"], failed, row["n_detections"], row["trigger_mjd"], {name: row[name] for name in verdicts}
    )
