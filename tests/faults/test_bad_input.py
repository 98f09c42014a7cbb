"""Broken messages and light curves: each is kept with a true reason or read, and nothing else suffers."""

import json
import math
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from confluent_kafka import KafkaError, Producer
from confluent_kafka import Message as KafkaMessage
from hypothesis import given
from hypothesis import strategies as st

from simulators.alerts.packets import alerts
from simulators.services.lasair import LasairStandin
from simulators.sky import Sky
from simulators.standins.bundle import TOPIC, Standins, write_settings
from simulators.standins.bundle import StandinAlert as Simulated
from tests.support import corpus
from tests.support.answers import broker_that_hears, ztf_settings
from tests.support.corpus import ANSWERS, MESSAGES, light_curves, message, points, text
from tests.support.curves import quick
from tests.support.databases import rows_of
from tests.support.folders import reachable_folder
from tests.support.forked import forked_in_bytes, forked_tides
from tests.support.processes import ROOT
from tides_bridge.brokers.decoding import read_message
from tides_bridge.brokers.lasair.ztf import NAME, LasairZtf
from tides_bridge.brokers.models import Alert, Message
from tides_bridge.database import open_database
from tides_bridge.decisions import batch as ingest
from tides_bridge.decisions import judging
from tides_bridge.decisions.models import Judged
from tides_bridge.errors import MalformedAlert
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.stored import unpack_table
from tides_bridge.selection.file import load_function
from tides_bridge.settings import Settings, load_settings
from tides_bridge.targets.curves import with_curves

BROKER = LasairZtf(ztf_settings())
FUNCTION = load_function(ROOT / "selectionFunctions.yaml", "tidesSNZTFSelect")
CURVES = light_curves()
PARTITIONS = 4
LONGEST_REASON = 300
"""[characters] A reason is read by people."""


# Messages


def assert_sound(alert: Alert) -> None:
    """See that an alert can go all the way: to a light-curve call, a database, another process."""
    assert alert.survey == "ztf" and NAME.fullmatch(alert.object_id)
    assert math.isfinite(alert.newest_mjd) and math.isfinite(alert.first_mjd or 0)
    assert (alert.ra is None) == (alert.decl is None)
    assert 0 <= (alert.ra or 0) < 360 and -90 <= (alert.decl or 0) <= 90
    stored = json.dumps(ingest._clean(asdict(alert)), allow_nan=False)
    assert "\\u0000" not in stored.replace("\\\\", "")


def decoded(body: bytes) -> Alert | str:
    """Read a message as the stream does; give the alert or the reason."""
    try:
        alert, _ = read_message(lambda each: (BROKER.alert_in(each.value), None), Message("t", 0, 0, body))
    except MalformedAlert as error:
        assert 0 < len(error.problem) < LONGEST_REASON
        assert error.problem.isprintable()
        return error.problem
    assert_sound(alert)
    return alert


@pytest.mark.parametrize(("body", "words"), MESSAGES.values(), ids=MESSAGES)
def test_a_broken_message_is_an_alert_or_refused_with_its_reason(body: bytes, words: str | None) -> None:
    found = decoded(body)
    if words is None:
        assert isinstance(found, Alert)
    else:
        assert isinstance(found, str) and words in found
        assert not found.startswith("cannot be decoded")  # the decoder itself saw it


def test_a_spoilt_real_message_is_an_alert_or_refused(shared_data: Path) -> None:
    found = [decoded(body) for body in corpus.spoilt(corpus.real_messages(shared_data), 1500)]
    refused = [reason for reason in found if isinstance(reason, str)]
    assert 100 < len(refused) < 1400
    assert not [reason for reason in refused if reason.startswith("cannot be decoded")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(corpus.STRANGE),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
KEYS = st.sampled_from([*message(), "ra", "dec", "decl", "jdgmax", "jdrmax", "diaObjectId"])


@quick
@given(st.dictionaries(KEYS | st.text(), JSON))
def test_any_json_object_is_an_alert_or_refused(content: dict[str, Any]) -> None:
    decoded(json.dumps(content).encode())
    decoded(json.dumps({**content, "objectId": "ZTF26aaaaaaa"}).encode())


@quick
@given(st.binary(max_size=200), st.integers(0, 200), st.integers(0, 200))
def test_any_bytes_alone_or_within_a_good_message_are_an_alert_or_refused(body: bytes, start: int, end: int) -> None:
    decoded(body)
    decoded(text()[:start] + body + text()[end:])


# Light curves


@pytest.fixture(scope="module")
def lasair() -> Iterator[LasairStandin]:
    """A light-curve API with all hand-made light curves, and good ones."""
    with LasairStandin("secret") as lasair:
        fill(lasair)
        yield lasair


def fill(lasair: LasairStandin, *names: str) -> None:
    """Give an API the broken light curves, which `load_settings` would not take, and good ones for these names."""
    for name in ("ZTF26good0", "ZTF26good1", *names):
        lasair.load([{"objectId": name, "candidates": points(), "forcedphot": []}])
    lasair._curves |= {object_id: entry for object_id, entry, _ in CURVES.values()}


def judge(lasair: LasairStandin, *names: str) -> Judged:
    settings = ztf_settings(lightCurves={"address": lasair.address, "timeout": 5})
    calls = judging.judge_objects([BROKER.alert_in(text(name)) for name in names], settings, [FUNCTION])
    return Judged(
        {name: passed for call in calls for name, passed in call.passed.items()},
        pd.concat([call.facts for call in calls]),
        {name: reason for call in calls for name, reason in call.deferred.items()},
        outage=next((call.outage for call in calls if call.outage), None),
        curves=LightCurves.joined([call.curves for call in calls if call.curves is not None]),
    )


def targets_of(judged: Judged, *names: str) -> pd.DataFrame:
    """The rows of some targets, their light curves as values: the bytes depend on the bands of others in the chunk."""
    keys = set(zip(judged.targets["survey"], judged.targets["object_id"], strict=True))
    rows = with_curves(judged.targets, judged.curves, keys).set_index("object_id")
    curves = [unpack_table(bytes.fromhex(curve[2:])).to_pylist() for curve in rows["curve"]]
    rows = rows.assign(curve=[str(curve) for curve in curves])
    return rows.loc[[name for name in names if name in rows.index]]


@pytest.mark.parametrize(("object_id", "entry", "due"), CURVES.values(), ids=CURVES)
def test_a_broken_light_curve_is_judged_on_its_good_points_or_deferred_and_spoils_no_other(
    lasair: LasairStandin, object_id: str, entry: Any, due: str | bool
) -> None:
    judged = judge(lasair, "ZTF26good0", object_id, "ZTF26good1")
    assert judged.outage is None
    assert_due(due, judged.deferred.get(object_id), judged.passed.get(object_id))
    alone = judge(lasair, "ZTF26good0", "ZTF26good1")
    good = ("ZTF26good0", "ZTF26good1")
    assert {name: judged.passed[name] for name in good} == alone.passed == dict.fromkeys(good, True)
    pd.testing.assert_frame_equal(targets_of(judged, *good), targets_of(alone, *good))


def assert_due(due: str | bool, reason: str | None, passed: bool | None) -> None:
    """Compare what became of an object with what must."""
    if isinstance(due, str):
        assert passed is None
        assert reason is not None and due in reason
        assert len(reason) < LONGEST_REASON and reason.isprintable()
    else:
        assert (reason, passed) == (None, due)


def test_broken_light_curves_spoil_each_other_in_no_order(lasair: LasairStandin) -> None:
    names = [object_id for object_id, _, _ in CURVES.values()]
    for order in (names, names[::-1]):
        judged = judge(lasair, "ZTF26good0", *order, "ZTF26good1")
        assert judged.outage is None
        assert judged.passed["ZTF26good0"] and judged.passed["ZTF26good1"]
        for object_id, _, due in CURVES.values():
            assert_due(due, judged.deferred.get(object_id), judged.passed.get(object_id))


def test_a_nameless_entry_gives_no_object_the_light_curve_of_another() -> None:
    good = {"objectId": "b", "candidates": points(isdiffpos="f")}
    fetched = broker_that_hears([good, None, {"objectId": "a", "candidates": points()}])[0].fetch(["a", "b", "c"])
    assert dict(zip(*positives(fetched.curves), strict=True)) == {"a": True, "b": False}


def positives(curves: Any) -> tuple[tuple[str, ...], list[bool]]:
    """Tell for each object whether its first point is positive."""
    firsts = [curves.object_index.tolist().index(i) for i in range(len(curves))]
    return curves.object_ids, curves.is_positive[firsts].tolist()


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("status", [200, 400, 404, 413, 418])
def test_an_answer_without_light_curves_defers_the_chunk_with_a_reason(
    answer: bytes, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "broker_of", lambda _: broker_that_hears(answer, status)[0])
    names = ["ZTF26good0", "ZTF26good1", "ZTF26good2"]
    (judged,) = judging.judge_objects([BROKER.alert_in(text(name)) for name in names], ztf_settings(), [FUNCTION])
    assert (judged.passed, len(judged.targets), list(judged.deferred)) == ({}, 0, names)
    for reason in judged.deferred.values():
        assert "light-curve API" in reason and len(reason) < LONGEST_REASON and reason.isprintable()


# The whole bridge


@dataclass
class Night:
    """What was published, and the settings that lead a run to it."""

    settings_file: Path
    prefect_api: str
    standins: Standins
    bodies: dict[tuple[int, int], bytes]
    good: set[str]

    @property
    def settings(self) -> Settings:
        return load_settings(None, self.settings_file)

    def run(self) -> dict[str, int]:
        done = forked_tides("run", "--settings", self.settings_file, "--json", PREFECT_API_URL=self.prefect_api)
        assert done.returncode == 0, done.stderr[-5000:]
        assert "Traceback" not in done.stderr
        return dict(json.loads(done.stdout))

    def ask(self, statement: str) -> list[dict[str, Any]]:
        with open_database(self.settings) as database:
            return rows_of(database, statement)

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        """Give all that a second run must not change."""
        tables = (
            "refused_message",
            "deferred_object",
            "last_decision",
            "stream_position",
            "tides_master",
            "exchange_log",
        )
        rows = {name: self.ask(f"SELECT to_jsonb(it) - 'lag_at' AS it FROM {name} AS it") for name in tables}
        return {name: sorted(found, key=str) for name, found in rows.items()}


def publish(standins: Standins, bodies: list[bytes]) -> dict[tuple[int, int], bytes]:
    """Put messages of any length into Kafka, compressed, as it keeps 5 MB; give them by partition and offset."""
    options = {"message.max.bytes": 3 * corpus.LONG, "compression.type": "gzip", "queue.buffering.max.ms": 200}
    producer = Producer({"bootstrap.servers": standins.kafka.address, **options})
    places: dict[tuple[int, int], bytes] = {}

    def note(error: KafkaError | None, sent: KafkaMessage, body: bytes) -> None:
        assert error is None
        places[sent.partition(), sent.offset()] = body

    for number, body in enumerate(bodies):
        producer.produce(
            TOPIC, body, partition=number % PARTITIONS, on_delivery=lambda e, m, body=body: note(e, m, body)
        )
        producer.flush(20) if len(body) > 500_000 else producer.poll(0)
    assert producer.flush(20) == 0 and len(places) == len(bodies)
    return places


def spoilt_real_messages(number: int) -> list[bytes]:
    """Give some spoilt real messages, none where there is no real data."""
    folder = ROOT.parent / "shared" / "data"
    return list(corpus.spoilt(corpus.real_messages(folder), number, seed=7)) if folder.exists() else []


@pytest.fixture(scope="module")
def night(prefect_api: str) -> Iterator[Night]:
    """A simulated night with the whole corpus between its alerts."""
    sky = Sky(seed=3, objects=400)
    clear = next(night for night in range(61270, 61290) if sky.is_clear(night))
    good = list(map(Simulated.from_packet, alerts(sky, clear)))
    readable = [decoded(body) for body, words in MESSAGES.values() if words is None]
    with reachable_folder() as folder, Standins(folder / "standins") as standins:
        fill(standins.lasair, *(alert.object_id for alert in readable if isinstance(alert, Alert)))
        standins.lasair.load(each.light_curve for each in good)
        named = [text(object_id) for object_id, _, _ in CURVES.values()]
        simulated = [json.dumps(each.message).encode() for each in good]
        broken = [body for body, _ in MESSAGES.values()]
        mixed = [*simulated[::2], *broken, *named, *spoilt_real_messages(100), *simulated[1::2]]
        bodies = publish(standins, mixed)
        settings = standins.settings({"deactivateAfter": "7305 days"})
        settings["broker"]["silence"] = "0.5 seconds"
        settings["selectFunction"] = FUNCTION.name
        write_settings(folder / "settings.yaml", settings)
        names = {each.message["objectId"] for each in good}
        yield Night(folder / "settings.yaml", prefect_api, standins, bodies, names)


@pytest.fixture(scope="module")
def first(night: Night) -> dict[str, int]:
    """The counts of the first run."""
    return night.run()


@pytest.fixture(scope="module")
def refused(night: Night, first: dict[str, int]) -> dict[tuple[int, int], dict[str, Any]]:
    """The refused messages, by partition and offset."""
    rows = night.ask("SELECT * FROM refused_message WHERE accepted_at IS NULL")
    return {(row["partition_number"], row["stream_offset"]): row for row in rows}


def test_every_broken_message_is_kept_as_it_came(night: Night, refused: dict[tuple[int, int], dict[str, Any]]) -> None:
    reasons = {place: found for place, body in night.bodies.items() if isinstance(found := decoded(body), str)}
    assert len(reasons) > 80
    assert {place: row["reason"] for place, row in refused.items()} == reasons
    for place, row in refused.items():
        assert row["topic"] == TOPIC
        assert bytes(row["body"]) == night.bodies[place]


def test_every_other_message_ends_in_a_decision_or_is_deferred(night: Night, first: dict[str, int]) -> None:
    read = [found for body in night.bodies.values() if isinstance(found := decoded(body), Alert)]
    decided = {row["object_id"] for row in night.ask("SELECT object_id FROM last_decision")}
    deferred = {row["object_id"]: row for row in night.ask("SELECT * FROM deferred_object")}
    assert decided | deferred.keys() == {alert.object_id for alert in read}
    assert not decided & deferred.keys()
    assert all(row["reason"] and row["attempts"] == 1 for row in deferred.values())


def test_the_counts_are_those_of_what_was_published(night: Night, first: dict[str, int]) -> None:
    count = {
        name: night.ask(f"SELECT count(*) FROM {name}")[0]["count"] for name in ("last_decision", "deferred_object")
    }
    (kept,) = night.ask("SELECT count(*), count(*) FILTER (WHERE refused_4most IS NOT NULL) AS bad FROM tides_master")
    assert first["messages"] == len(night.bodies)
    assert first["objects"] == first["evaluated"] + first["deferred"]
    assert (first["evaluated"], first["deferred"]) == (count["last_decision"], count["deferred_object"])
    refused = night.ask("SELECT count(*) FROM refused_message")[0]["count"]
    assert first["refused"] + first["failed_in_4most"] == refused + kept["bad"]
    passed = night.ask("SELECT count(*) FROM last_decision WHERE passed")[0]["count"]
    assert passed == night.ask("SELECT count(*) FROM association")[0]["count"]
    assert first["inserted"] == kept["count"] <= passed  # many are made at one place


def test_good_alerts_are_decided_as_they_would_be_alone(night: Night, first: dict[str, int]) -> None:
    found = {row["object_id"]: row["passed"] for row in night.ask("SELECT * FROM last_decision")}
    by_name = {alert.object_id: alert for body in night.bodies.values() if isinstance(alert := decoded(body), Alert)}
    names = sorted(night.good)
    judged = judging.judge_objects([by_name[name] for name in names], night.settings, [FUNCTION])
    passed = {name: result for call in judged for name, result in call.passed.items()}
    assert {name: found[name] for name in names} == passed
    assert len(names) > 50 and any(passed.values())


def test_broken_light_curves_end_in_the_run_as_they_do_alone(night: Night, first: dict[str, int]) -> None:
    decided = {row["object_id"]: row["passed"] for row in night.ask("SELECT * FROM last_decision")}
    deferred = {row["object_id"]: row["reason"] for row in night.ask("SELECT * FROM deferred_object")}
    for object_id, _, due in CURVES.values():
        assert_due(due, deferred.get(object_id), decided.get(object_id))


def test_targets_of_odd_messages_are_at_4most(night: Night, first: dict[str, int]) -> None:
    there = {row["name"] for row in night.standins.fourmost.rows()}
    told = night.ask(
        "SELECT tides_master.name, association.object_id FROM tides_master "
        "INNER JOIN association ON association.tides_id = tides_master.tides_id "
        "WHERE tides_master.pk_4most IS NOT NULL"
    )
    assert {row["name"] for row in told} == there
    assert {"ZTF26only", "ZTF26quote", "ZTF26nul", "ZTF26half", "ZTF26longclass"} <= {row["object_id"] for row in told}


def test_a_second_run_changes_nothing(night: Night, first: dict[str, int]) -> None:
    before = night.dump()
    again = night.run()
    assert (again["messages"], again["evaluated"], again["inserted"], again["updated"]) == (0, 0, 0, 0)
    assert night.dump() == before


# Looking at them, and reading them again


def command(night: Night, *arguments: str | int) -> subprocess.CompletedProcess[bytes]:
    return forked_in_bytes("refused", *map(str, arguments), "--settings", night.settings_file)


def test_refused_messages_are_listed_each_on_one_line(
    night: Night, refused: dict[tuple[int, int], dict[str, Any]]
) -> None:
    done = command(night, "list", "--number", 10_000)
    lines = done.stdout.decode().splitlines()
    assert (done.returncode, len(lines)) == (0, len(refused))
    for line, row in zip(lines, sorted(refused.values(), key=lambda row: -row["refused_id"]), strict=True):
        place = f"{TOPIC}[{row['partition_number']}]@{row['stream_offset']}"
        assert line.split()[0] == str(row["refused_id"])
        assert f"  {place}  {len(row['body'])} bytes  {row['reason']}" in line


@pytest.mark.parametrize("name", ["not JSON: Avro", "not JSON: cut in a character", "10 MB in a name"])
def test_a_refused_message_is_shown_byte_for_byte(
    name: str, night: Night, refused: dict[tuple[int, int], dict[str, Any]]
) -> None:
    body, words = MESSAGES[name]
    row = next(row for row in refused.values() if bytes(row["body"]) == body)
    done = command(night, "show", row["refused_id"])
    assert (done.returncode, done.stdout) == (0, body)
    assert words is not None and words in done.stderr.decode()


def test_a_key_that_is_none_is_told(night: Night, first: dict[str, int]) -> None:
    assert command(night, "show", 10**9).returncode == 1
    assert command(night, "retry", 10**9).returncode == 1


def test_what_can_be_read_now_is_judged_by_the_next_run_and_the_rest_stays_refused(
    night: Night, refused: dict[tuple[int, int], dict[str, Any]]
) -> None:
    night.standins.lasair.load([{"objectId": "ZTF26again", "candidates": points(ra=200.5), "forcedphot": []}])
    values = {"topic": TOPIC, "body": text("ZTF26again", ramean=200.5)}
    statement = (
        "INSERT INTO refused_message (broker, topic, partition_number, stream_offset, body, reason) "
        "VALUES ('lasair_ztf', %(topic)s, 0, 1000000, %(body)s, 'an older bridge could not read it') "
        "RETURNING refused_id"
    )
    with open_database(night.settings) as database, database.transaction() as connection:
        key = connection.exec_driver_sql(statement, values).scalar_one()
    done = command(night, "retry")
    lines = dict(line.split(None, 1) for line in done.stdout.decode().splitlines())
    assert done.returncode == 1
    assert lines.pop(str(key)) == "read: the next run judges its object"
    assert lines == {str(row["refused_id"]): f"still refused: {row['reason']}" for row in refused.values()}
    counts = night.run()
    assert (counts["messages"], counts["objects"], counts["evaluated"], counts["inserted"]) == (1, 1, 1, 1)
    assert night.ask("SELECT passed FROM last_decision WHERE object_id = 'ZTF26again'") == [{"passed": True}]
    assert command(night, "retry", next(iter(refused.values()))["refused_id"]).returncode == 1
    assert len(command(night, "list", "--number", 10_000).stdout.splitlines()) == len(refused)
