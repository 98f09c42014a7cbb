"""``tides standins --live``: a sky that does not end, and a stream that goes on where it was, whatever was killed."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain, islice, pairwise, takewhile
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from confluent_kafka import Consumer, TopicPartition

from simulators.commands.standins import _check_live
from simulators.services.stream import PARTITION_BYTES, PARTITIONS, KafkaStandin
from simulators.standins.broker_streams import LASAIR_ZTF, STREAMS
from simulators.standins.bundle import HEADER, Kept, Standins, write_settings
from simulators.standins.folders import KEEPER, MARKER, claimed, kept
from simulators.standins.live import (
    CONFIGURATION,
    START,
    LivePlan,
    LiveStart,
    LiveStream,
    check_streams,
    find_start,
    settings_of,
    write_start,
)
from simulators.standins.seasons import DAWN_DAYS, Due, due_after
from tests.support.folders import reachable_folder
from tests.support.forked import forked_tides
from tides_bridge.errors import SettingsError
from tides_bridge.settings import tree as settings

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "import typer; from simulators.commands.standins import standins; typer.run(standins)")
READY_SECONDS = 180.0
TOPIC = STREAMS[LASAIR_ZTF].topic
BEGAN = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()
OBJECTS = 120
START_NOW = LiveStart(began=BEGAN, objects=OBJECTS, seed=1, speed=24, streams=[LASAIR_ZTF], token="t")
HOUR = 3600.0

Stored = dict[int, list[tuple[int, int, bytes]]]
"""By partition: offset, time [ms] and value of each message."""


def coming(begin: float, days: float, seed: int = 1) -> list[Due]:
    return list(takewhile(lambda due: due.mjd <= begin + days, due_after(begin, seed, OBJECTS)))


def stored(address: str) -> Stored:
    consumer = Consumer({"bootstrap.servers": address, "group.id": "test", "log_level": 0, "fetch.wait.max.ms": 50})
    found: Stored = defaultdict(list)
    try:
        places = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
        marks = [consumer.get_watermark_offsets(place, timeout=60) for place in places]
        ends = {number: high for number, (low, high) in enumerate(marks) if high > low}
        consumer.assign([TopicPartition(TOPIC, number, low) for number, (low, _) in enumerate(marks)])
        limit = time.monotonic() + READY_SECONDS
        while any(not found[number] or found[number][-1][0] < high - 1 for number, high in ends.items()):
            assert time.monotonic() < limit
            for each in consumer.consume(500, timeout=0.1):
                found[each.partition() or 0].append((each.offset() or 0, each.timestamp()[1], each.value() or b""))
    finally:
        consumer.close()
    return found


# The sky


def test_the_sky_does_not_end_and_no_name_comes_twice() -> None:
    begin, places, first = 61300.5, dict[str, tuple[float, float]](), dict[str, int]()
    for due in coming(begin, 90):
        candidate, name = due.packet["candidate"], due.packet["objectId"]
        east, north = places.setdefault(name, (candidate["ra"], candidate["dec"]))
        assert abs(candidate["dec"] - north) < 1 / 3600
        assert abs(candidate["ra"] - east) * math.cos(math.radians(north)) < 1 / 3600
        first.setdefault(name, int(due.mjd - begin))
    news = [sum(day // 10 == decade for day in first.values()) for decade in range(9)]
    assert min(news) > 5
    assert len(set(first.values())) > 60


def test_alerts_come_after_they_were_seen_one_by_one_all_day() -> None:
    nights = defaultdict(list)
    for due in coming(61300 + DAWN_DAYS, 6):
        points = [due.packet["candidate"], *due.packet["prv_candidates"]]
        assert max(point["jd"] for point in points) - 2400000.5 < due.mjd
        nights[math.floor(due.mjd - DAWN_DAYS)].append(due)
    for night, dues in nights.items():
        assert [due.packet["candidate"]["jd"] for due in dues] == sorted(due.packet["candidate"]["jd"] for due in dues)
        assert [math.floor(due.packet["candidate"]["jd"] - 2400000.5) for due in dues] == [night] * len(dues)
        steps = {round(b.mjd - a.mjd, 6) for a, b in pairwise(dues)}
        assert max(steps) - min(steps) < 2e-6
    assert len(nights) == 6


def test_the_seed_decides_and_where_it_begins_changes_nothing_else() -> None:
    whole = coming(61300.2, 4)
    assert [due for due in whole if due.mjd > 61302.7] == coming(61302.7, 1.5)
    assert not {due.packet["candidate"]["ra"] for due in whole} & {
        due.packet["candidate"]["ra"] for due in coming(61300.2, 4, seed=2)
    }


# When it began


def test_its_time_runs_faster_than_the_clock() -> None:
    begin = START_NOW.mjd(BEGAN)
    assert begin == pytest.approx(61368.5)
    assert START_NOW.mjd(BEGAN + HOUR) == pytest.approx(begin + 1)
    assert START_NOW.clock(begin + 1) == pytest.approx(BEGAN + HOUR, abs=1e-3)
    assert START_NOW.first_mjd == pytest.approx(begin - 5)


def test_a_start_goes_on_with_the_last_one_or_begins_anew(tmp_path: Path) -> None:
    standins, plan, file = Standins(tmp_path), LivePlan(OBJECTS, seed=1, speed=24), tmp_path / START
    new = find_start(file, standins, plan, BEGAN)
    assert (new.began, new.objects, new.speed, new.ports) == (BEGAN, OBJECTS, 24, {})
    old = new.model_copy(update={"ports": {"fourmost": 1}})
    write_start(file, old)
    assert file.stat().st_mode & 0o777 == 0o600
    assert find_start(file, standins, plan, BEGAN + 6 * HOUR) == old
    for later, other in ((8 * HOUR, plan), (HOUR, plan._replace(speed=1))):
        anew = find_start(file, standins, other, BEGAN + later)
        assert (anew.began, anew.speed) == (BEGAN + later, other.speed)
        assert (anew.token, anew.ports) == (old.token, old.ports)


def test_a_stream_of_another_sky_or_a_broken_file_is_refused(tmp_path: Path) -> None:
    standins, plan, file = Standins(tmp_path), LivePlan(OBJECTS), tmp_path / START
    write_start(file, find_start(file, standins, plan, BEGAN))
    for other in (plan._replace(seed=2), plan._replace(objects=OBJECTS + 1)):
        with pytest.raises(SettingsError, match=rf"--seed 1 --objects {OBJECTS} --stream lasair-ztf: keep these"):
            find_start(file, standins, other, BEGAN)
    for broken in (HEADER, HEADER + "began: soon\n", HEADER + "{"):
        file.write_text(broken)
        with pytest.raises(SettingsError, match="cannot be understood: delete it"):
            find_start(file, standins, plan, BEGAN)


def test_options_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"--speed.*is for --live"):
        _check_live(False, 2.0, {})
    with pytest.raises(SettingsError, match=r"--nights.*does not end"):
        _check_live(True, None, {"--alerts": None, "--nights": 3})
    check_streams(["lasair-ztf", "fink-ztf"])
    with pytest.raises(SettingsError, match="rubin"):
        check_streams(["lasair-ztf", "rubin"])


def test_a_folder_that_is_kept_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / MARKER).touch()  # of an earlier demo
    (tmp_path / "state").touch()
    with claimed(tmp_path), pytest.raises(SettingsError, match="used by stand-ins that run"), kept(tmp_path):
        pass
    (tmp_path / "state").touch()  # claiming emptied it
    with kept(tmp_path), pytest.raises(SettingsError, match="used by stand-ins that run"), kept(tmp_path):
        pass
    with pytest.raises(SettingsError, match="no stand-in made"), claimed(tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [KEEPER, "state"]


# What is published


@contextmanager
def running(folder: Path, *streams: str, start: LiveStart = START_NOW) -> Iterator[tuple[Standins, LiveStream]]:
    standins = Standins(folder, streams=streams or (LASAIR_ZTF,))
    standins.kept = Kept(start.token, start.ports)
    with kept(folder), standins:
        yield standins, LiveStream(standins, start)


def light_curve(standins: Standins, name: str) -> dict[str, Any]:
    headers = {"Authorization": f"Token {standins.lasair.token}"}
    url = f"{standins.lasair.address}/lightcurves/"
    (curve,) = requests.post(url, data={"objectIds": name}, headers=headers, timeout=60).json()
    return dict(curve)


def test_a_stream_that_is_made_again_has_the_same_messages_at_the_same_places(tmp_path: Path) -> None:
    with running(tmp_path) as (standins, stream):
        for hours in (0, 0.3, 0.3, 1, 2):
            stream.publish_until(START_NOW.mjd(BEGAN + hours * HOUR))
        before, ports = stored(standins.kafka.address), standins.ports()
    with running(tmp_path, start=START_NOW.model_copy(update={"ports": ports})) as (standins, stream):
        stream.publish_until(START_NOW.mjd(BEGAN + 2 * HOUR))
        assert stored(standins.kafka.address) == before
        assert standins.ports() == ports
        stream.publish_until(START_NOW.mjd(BEGAN + 3 * HOUR))
        after = stored(standins.kafka.address)
    assert stream.published == sum(map(len, after.values())) > sum(map(len, before.values())) > 20
    for number, messages in after.items():
        assert messages[: len(before[number])] == before[number]
        assert [offset for offset, _, _ in messages] == list(range(len(messages)))
    newest = max(milliseconds for messages in after.values() for _, milliseconds, _ in messages)
    assert BEGAN + 2.5 * HOUR < newest / 1000 <= BEGAN + 3 * HOUR


def test_lasair_knows_what_came_and_nothing_else(tmp_path: Path) -> None:
    with running(tmp_path) as (standins, stream):
        for days in (0, 1, 40):
            now = START_NOW.mjd(BEGAN) + days
            stream.publish_until(now)
            messages = chain.from_iterable(stored(standins.kafka.address).values())
            rows = [json.loads(value) for _, _, value in sorted(messages, key=lambda each: each[1])]
            told = {row["objectId"]: row["jdmax"] for row in rows}
            recent = [name for name, jd in told.items() if jd - 2400000.5 > now - 5]
            for name in recent[:10]:
                assert max(point["jd"] for point in light_curve(standins, name)["candidates"]) == told[name]
            future = next(due for due in due_after(now, 1, OBJECTS) if due.packet["objectId"] not in told)
            assert "does not exist" in light_curve(standins, future.packet["objectId"])["error"]
        forgotten = [name for name, jd in told.items() if jd - 2400000.5 < now - 35]
        assert forgotten and all("error" in light_curve(standins, name) for name in forgotten)


def test_other_streams_of_ztf_are_live_too(tmp_path: Path) -> None:
    with running(tmp_path, "fink-ztf", "antares-ztf") as (standins, stream):
        stream.publish_until(START_NOW.mjd(BEGAN))
        assert stream.published > 0
        found = settings_of(standins)
        assert set(found["brokers"]) == {"fink_ztf", "antares_ztf"}  # type: ignore[call-overload]


def test_the_settings_are_those_of_a_demo_that_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TIDES_")]:
        monkeypatch.delenv(name)
    with running(tmp_path / "f") as (standins, _):
        write_settings(tmp_path / "s.yaml", settings_of(standins), CONFIGURATION)
        known = settings.load_settings("demo", tmp_path / "s.yaml")
    assert known.database.folder == tmp_path / "f" / "postgresql"
    assert known.targets.deactivate_after.days == 5
    assert known.targets.faint_limit["r"] == 20.5
    assert known.group_id == "demo"


def test_a_full_partition_forgets_its_oldest_and_keeps_its_offsets() -> None:
    value = b"x" * 100_000
    number = PARTITIONS * (PARTITION_BYTES // len(value) + 10)
    with KafkaStandin() as kafka:
        for first in range(0, number, 50):
            kafka.append(TOPIC, ((place, b"%d " % place + value) for place in range(first, min(first + 50, number))))
        found = stored(kafka.address)
    for partition, messages in found.items():
        assert messages[0][0] > 0
        assert messages[-1][0] == number // PARTITIONS - 1
        assert all(int(text.partition(b" ")[0]) == offset * PARTITIONS + partition for offset, _, text in messages)


# The command, and a bridge that follows it


@contextmanager
def live(folder: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run the command from its ready line on, and give what its settings say."""
    options = ["--live", "--speed", "600", "--objects", "400", "--settings-out", str(folder / "s.yaml")]
    said = folder / "said.txt"
    with said.open("w") as output:
        process = subprocess.Popen(
            [*COMMAND, *options, "--folder", str(folder / "f")],
            cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
    try:
        limit = time.monotonic() + READY_SECONDS
        while "\nready" not in said.read_text():
            assert process.poll() is None and time.monotonic() < limit, said.read_text()
            time.sleep(0.02)
        yield process, yaml.safe_load((folder / "s.yaml").read_text())["demo"]
    finally:
        process.kill()
        process.wait(60)


def run(folder: Path, prefect_api: str) -> tuple[int, int, str]:
    """Run the bridge; give how many messages it read now, where it stands, and its log."""
    done = forked_tides("run", "--settings", folder / "s.yaml", "--json", PREFECT_API_URL=prefect_api)
    assert done.returncode == 0, done.stderr
    status = forked_tides("status", "--settings", folder / "s.yaml", "--json")
    place = sum(row["next_offset"] for row in json.loads(status.stdout)["positions"])
    return int(json.loads(done.stdout)["messages"]), place, done.stderr


def test_a_bridge_goes_on_when_all_was_killed(prefect_api: str) -> None:
    with reachable_folder() as folder:
        with live(folder) as (process, first):
            read, place, _ = run(folder, prefect_api)
            assert read == place > 50
            before = stored(first["broker"]["bootstrapServers"])
            process.kill()
            process.wait(60)
        with live(folder) as (process, second):
            assert second["lasairToken"] == first["lasairToken"]
            assert second["fourmost"] == first["fourmost"]
            after = stored(second["broker"]["bootstrapServers"])
            assert all(after[number][: len(known)] == known for number, known in before.items())
            more, place, log = run(folder, prefect_api)
            assert read + more == place > sum(map(len, before.values()))
            assert "filled anew" not in log and "are gone" not in log
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        said = (folder / "said.txt").read_text()
        assert "UTC in the stream" in said and said.endswith("stopped\n")


def test_the_rate_is_that_of_a_demo() -> None:
    dues = list(islice(due_after(61368.5, 1, LivePlan().objects), 3000))
    assert 12 < 3000 / ((dues[-1].mjd - dues[0].mjd) * 24) < 45
