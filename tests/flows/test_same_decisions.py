"""
The same decisions, whichever way the alerts of a night come: by Kafka in any framing, in files, or through an API.

What is compared is all that is recorded of a decision: whether the object passed, the epoch that triggered, the
criteria that failed, and what was measured. Light curves have a digest; where that is another one, ``Way.differs`` says
in which columns, and beside it stands why.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from simulators.alerts.encoders import (
    FORMATS,
    USUAL,
    EncodingOptions,
    Packet,
    encode,
    is_of_object,
    survey_of,
    write_recording,
)
from simulators.alerts.packet_files import read_newest_packets
from tests.support.answers import ztf_settings
from tests.support.decisions import curves_in, decisions_in, differing, digests_in, judged_of, read_stream, unlike
from tests.support.streams import as_parquet
from tests.support.ways import (
    LSST,
    NOW,
    WAYS,
    ZTF,
    Known,
    Way,
    World,
    as_files,
    as_lines,
    known_of,
    messages_of,
    night,
    selected,
    served,
)
from tides_bridge.brokers.models import Message
from tides_bridge.decisions.judging import judge_messages
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.files import read_light_curves
from tides_bridge.formats.recording import RecordedMessage
from tides_bridge.formats.whole_alerts import object_of
from tides_bridge.settings import Settings

every_way = pytest.mark.parametrize(
    ("survey", "way"), [(survey, way) for (survey, _), way in WAYS.items()], ids=[" ".join(key) for key in WAYS]
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with served(tmp_path_factory.mktemp("same")) as made:
        made.know([*night("ztf"), *night("lsst")])
        yield made


@pytest.fixture(scope="module")
def known(world: World) -> Callable[[str], Known]:
    """Judge the packets of a survey as they are: all else is compared with that."""

    @cache
    def judge(survey: str) -> Known:
        return known_of(world, survey, night(survey))

    return judge


def check(world: World, settings: Settings, messages: list[Message], way: Way, known: Known) -> None:
    """Judge messages, and compare what is decided, and of which light curves."""
    judged = judged_of(settings, messages, world.functions)
    assert [each.reason for chunk in judged for each in chunk.refused] == []
    assert [chunk.deferred for chunk in judged if chunk.deferred] == []
    assert unlike(decisions_in(judged), known.decisions, way.near) == {}
    assert differing(curves_in(settings, messages), known.curves) == way.differs
    assert (digests_in(judged) == known.digests) == (not way.differs)


@pytest.mark.parametrize("survey", ["lsst", "ztf"])
def test_the_decisions_are_those_of_plain_python(survey: str, known: Callable[[str], Known]) -> None:
    newest = {object_of(each): each for each in night(survey) if is_of_object(each)}
    decided = {name: each.passed for (name, function), each in known(survey).decisions.items() if function == "usual"}
    assert decided == {name: satisfies(packet) for name, packet in newest.items()}
    assert 0 < sum(decided.values()) < len(decided)


@every_way
def test_by_kafka(world: World, known: Callable[[str], Known], survey: str, way: Way) -> None:
    check(world, *world.send(way, survey, night(survey)), way, known(survey))


@every_way
def test_by_recorded_messages(world: World, known: Callable[[str], Known], survey: str, way: Way) -> None:
    if way.kind == "antares":  # what a recording lacks is asked of Lasair
        way = replace(way, differs=WAYS[survey, f"lasair_{survey} API"].differs)
    settings = world.record(way, survey, night(survey))
    check(world, settings, read_stream(settings), way, known(survey))


@pytest.mark.parametrize("name", ["rubin", "lasair_lsst LITE", "lasair_lsst API"])
def test_in_chunks_as_dask_has_them(world: World, known: Callable[[str], Known], name: str) -> None:
    way = LSST[name]
    messages = [Message("alerts", 0, n, each.value) for n, each in enumerate(messages_of(way, night("lsst")))]
    size = sum(len(each.value) for each in messages) // 7
    judged = judged_of(world.settings(way, "lsst"), messages, world.functions, size)
    assert len(judged) >= 7
    assert unlike(decisions_in(judged), known("lsst").decisions) == {}


def recording_of(folder: Path, form: str, packets: Sequence[Packet], **options: str) -> Path:
    """Write messages into the one file that `tides simulate --recording` makes of them."""
    folder.mkdir()
    made, path = FORMATS[form], folder / "alerts.recording"
    messages = [encode(each, form, EncodingOptions(**options)) for each in packets]  # type: ignore[arg-type]
    schema = made.schema(USUAL) if made.schema else None
    write_recording(path, (RecordedMessage(each.value, each.key, 0) for each in messages), form, schema)
    return path


FILES: dict[str, Callable[[Path, Sequence[Packet]], Path]] = {
    "lsst containers": lambda folder, packets: as_files(folder, LSST["containers"], packets),
    "lsst messages of rubin": lambda folder, packets: as_files(folder, LSST["rubin"], packets),
    "lsst table": as_parquet,
    "lsst lines of lasair FULL": lambda folder, packets: as_lines(folder, LSST["lasair_lsst FULL"], packets),
    "lsst lines of lasair LITE": lambda folder, packets: as_lines(folder, LSST["lasair_lsst LITE"], packets),
    "lsst messages of elasticc": lambda folder, packets: as_files(folder, LSST["elasticc"], packets),
    "lsst containers of babamul": lambda folder, packets: as_files(folder, LSST["babamul_lsst"], packets),
    "ztf containers": lambda folder, packets: as_files(folder, ZTF["containers"], packets),
    "ztf lines": lambda folder, packets: as_lines(folder, Way("recorded", "ztf-json"), packets),
    "ztf containers of babamul": lambda folder, packets: as_files(folder, ZTF["babamul_ztf"], packets),
}

RECORDINGS = [f"{survey} {name}" for name, form in FORMATS.items() for survey in ("ztf", "lsst")
              if form.survey in {"", survey} and name != "antares"]  # fmt: skip

NEAR = {"babamul": 1e-4}
"""By a part of the name: how close numbers are, as in `ways`."""


def near_of(name: str) -> float:
    return next((near for part, near in NEAR.items() if part in name), 0.0)


@pytest.mark.parametrize("name", FILES)
def test_by_files_as_tides_select_reads_them(
    world: World, known: Callable[[str], Known], name: str, tmp_path: Path
) -> None:
    survey, _, what = name.partition(" ")
    packets = [each for each in night(survey) if is_of_object(each)]
    schema = {"messages of rubin": "rubin", "messages of elasticc": "elasticc"}.get(what)
    found = selected(world, FILES[name](tmp_path / "files", packets), world.folder / schema if schema else None)
    assert unlike(found, known(survey).decisions, near_of(name)) == {}


@pytest.mark.parametrize("name", RECORDINGS)
def test_by_recordings_as_tides_select_reads_them(
    world: World, known: Callable[[str], Known], name: str, tmp_path: Path
) -> None:
    survey, _, form = name.partition(" ")
    packets = [each for each in night(survey) if is_of_object(each)]
    found = selected(world, recording_of(tmp_path / "files", form, packets))
    assert unlike(found, known(survey).decisions, near_of(name)) == {}


@pytest.mark.parametrize(
    ("survey", "form", "options", "reason"),
    [
        ("lsst", "antares", {}, "is a locus of ANTARES, which brings no light curve"),
        ("ztf", "antares", {}, "is a locus of ANTARES, which brings no light curve"),
        ("lsst", "lasair-lsst", {"lasair_mode": "PLAIN"}, "has no light curve: does the Lasair filter add the alert"),
    ],
)
def test_a_form_without_light_curves_is_refused_by_name(
    survey: str, form: str, options: dict[str, str], reason: str, tmp_path: Path
) -> None:
    packets = [each for each in night(survey) if is_of_object(each)][:3]
    refused: list[str] = []
    path = recording_of(tmp_path / "files", form, packets, **options)
    assert list(read_light_curves([path], refused=lambda _, why: refused.append(why))) == []
    assert len(refused) == 3 and all(reason in why for why in refused)


def test_all_forms_are_tried() -> None:
    assert {name.partition(" ")[2] for name in RECORDINGS} | {"antares"} == set(FORMATS)
    assert {way.form for way in WAYS.values()} | {"ztf-json"} == {*FORMATS, ""}


# Real alerts


@cache
def real(data: Path, survey: str) -> list[Packet]:
    """Give real packets that fit all formats: nearly all of Rubin, and of ZTF those of every fourth object."""
    folder = data / ("lsst" if survey == "lsst" else "ztf/alerts.jsonl.gz")
    if not folder.exists():
        pytest.skip("the real alerts are not on this machine")
    ways = (LSST if survey == "lsst" else ZTF).values()
    found = [each.packet for each in read_newest_packets([folder], data / "lsst" / "schema", lambda _: None)]
    found = found if survey == "lsst" else found[::4]
    good = [each for each in found if all(fits(way, each) for way in ways)]
    assert len(good) >= len(found) - 4  # without forced photometry, an id that is a float, a magnitude that is none
    return good


def fits(way: Way, packet: Packet) -> bool:
    """Tell whether a format can say what is in a packet."""
    try:
        return bool(messages_of(way, [packet])) or True
    except MalformedAlert:
        return False


def is_plain(packet: Packet) -> bool:
    """
    Tell whether Babamul's form keeps all that counts of a packet.

    It has neither the number of the night, which is not that of the epoch in Fink's test data, as Fink moved the
    epochs, nor the ids by which two equal measurements are two.
    """
    seen = [each for each in (packet["candidate"], *packet["prv_candidates"]) if each.get("candid")]
    measured = {(each["jd"], each["fid"], each["magpsf"], each["sigmapsf"]) for each in seen}
    return len({each["nid"] - math.floor(each["jd"]) for each in seen}) == 1 and len(measured) == len(seen)


@every_way
def test_real_alerts_by_kafka(world: World, survey: str, way: Way, shared_data: Path) -> None:
    packets = real(shared_data, survey)
    if way.kind == "babamul_ztf":
        packets = [each for each in packets if is_plain(each)]
    if way.kind == "antares":  # which asks for one object a call
        packets = packets[::3]
    world.know(packets)
    settings, messages = world.send(way, survey, packets)
    judged = judged_of(settings, messages, world.functions)
    assert [chunk.refused or chunk.deferred for chunk in judged if chunk.refused or chunk.deferred] == []
    decisions = known_of(world, survey, packets).decisions
    assert len(decisions) > 30
    assert unlike(decisions_in(judged), decisions, way.near) == {}


REAL = {
    "lasair_lsst/kafka_messages.json": ("lasair_lsst", 32),
    "lsst/avro/fink-broker_rubin_test_data_9_0": ("babamul_lsst", 0),
    "lsst/avro/boom_7912941781254298.avro": ("rubin", 0),
    "lsst/parquet": ("", 6),
    "lsst/json": ("", 0),
    "ztf/alerts.jsonl.gz": ("", 0),
}
"""Real files, which broker sends such messages, and of how many `tides select` says that they have no light curve."""


@pytest.mark.parametrize("name", REAL)
def test_real_files_as_they_are(world: World, name: str, shared_data: Path) -> None:
    (kind, lacking), path, schemas = REAL[name], shared_data / name, shared_data / "lsst" / "schema"
    if not path.exists():
        pytest.skip("the real alerts are not on this machine")
    settings = ztf_settings(now=NOW, broker={"kind": "recorded", "files": [str(path)], "schemas": str(schemas)})
    messages = read_stream(settings)
    recorded = decisions_in(judge_messages(messages, settings, world.functions))
    assert recorded and unlike(selected(world, path, schemas, lacking), recorded) == {}
    if kind:
        world.topics += 1
        world.kafka.publish(f"t{world.topics}", [each.value for each in messages])
        own = world.settings(Way(kind, ""), "lsst", schemas=str(schemas))
        sent = decisions_in(judge_messages(read_stream(own), own, world.functions))
        assert unlike(sent, recorded) == {}


# Plain Python


def satisfies(packet: Packet) -> bool:
    """The function ``usual`` in plain Python: 2 bands, 2 nights, one at 22.5 or brighter, positive and 5 sigma."""
    good = [each for each in points_of(packet) if each[3] >= 5 and each[0] in "griz"]
    bands, nights = {band for band, *_ in good}, {int(night) for _, night, *_ in good}
    return len(bands) >= 2 and len(nights) >= 2 and any(mag <= 22.5 for _, _, mag, _ in good)


def points_of(packet: Packet) -> list[tuple[str, float, float, float]]:
    """List band, night, magnitude and significance of the positive detections of a packet."""
    if survey_of(packet) == "ztf":
        seen = [each for each in (packet["candidate"], *packet["prv_candidates"]) if each.get("candid")]
        return [
            ("?gri"[each["fid"]], each["nid"], each["magpsf"], 1.0857 / each["sigmapsf"])
            for each in seen
            if each["isdiffpos"] == "t"
        ]
    return [
        (each["band"], each["midpointMjdTai"] - 0.5, 31.4 - 2.5 * math.log10(each["psfFlux"]), each["snr"])
        for each in (packet["diaSource"], *packet["prvDiaSources"])
        if each["psfFlux"] > 0
    ]
