"""`tides run --dry-run`, which leaves nothing behind, and `tides run --only`, which leaves all else as it is."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import Consumer, TopicPartition

from simulators.standins.bundle import Standins, write_settings
from tests.flows.test_several_brokers import pairs
from tests.support.databases import rows_of
from tests.support.folders import reachable_folder
from tests.support.forked import forked_tides
from tests.support.served import AGE
from tides_bridge.database import open_database
from tides_bridge.settings import load_settings

TABLES = """
SELECT c.oid::regclass::text AS name FROM pg_class AS c WHERE c.relkind = 'r'
AND c.relnamespace = 'public'::regnamespace ORDER BY 1
"""


@dataclass(frozen=True)
class Night:
    """A bridge of two surveys whose batches are small, at work once; then more alerts came."""

    file: Path
    standins: Standins
    prefect_api: str

    def run(self, *words: str) -> Any:
        done = forked_tides("run", *words, "--settings", self.file, "--json", PREFECT_API_URL=self.prefect_api)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def set(self, **keys: Any) -> None:
        content = yaml.safe_load(self.file.read_text())
        content["standins"] |= keys
        self.file.write_text(yaml.safe_dump(content))

    def tables(self) -> dict[str, list[str]]:
        """Give all rows of all tables, partitions too."""
        with open_database(load_settings(None, self.file)) as database:
            names = [row["name"] for row in rows_of(database, TABLES)]
            return {
                name: sorted(row["t"] for row in rows_of(database, f"SELECT t::text FROM {name} AS t"))
                for name in names
            }

    def committed(self) -> dict[str, int]:
        """Give what Kafka was told of our place in each stream."""
        consumer = Consumer({"bootstrap.servers": self.standins.kafka.address, "group.id": "standins"})
        settings = load_settings(None, self.file)
        places = [TopicPartition(str(each.topic), 0) for each in settings.each_broker()]
        try:
            return {place.topic: place.offset for place in consumer.committed(places, timeout=30)}
        finally:
            consumer.close()

    def all_of_it(self) -> dict[str, Any]:
        """Give what is known in tables, at Kafka, and at 4MOST."""
        return self.tables() | {"Kafka": self.committed(), "4MOST": sorted(map(str, self.standins.fourmost.rows()))}


@pytest.fixture(scope="module")
def night(prefect_api: str) -> Iterator[Night]:
    with reachable_folder() as folder, Standins(folder / "f", streams=["lasair-lsst", "fink-ztf"]) as standins:
        found = [each for both in pairs() for each in both]
        standins.fill(found[: len(found) // 2], pytest.fail)
        written = standins.settings(AGE)
        for broker in written["brokers"].values():
            broker |= {"batchSize": 12, "silence": "0.3 seconds"}
        write_settings(folder / "settings.yaml", written | {"selectFunction": "tidesSNZTFSelect"})
        night = Night(folder / "settings.yaml", standins, prefect_api)
        night.run()
        standins.fill(found[len(found) // 2 :], pytest.fail)
        yield night


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Give what differs."""
    return {name: (before.get(name), after.get(name)) for name in before | after if before.get(name) != after.get(name)}


def of(rows: list[dict[str, str]], what: str) -> set[str]:
    return {row["target"] for row in rows if row["what"] == what}


def test_a_dry_run_leaves_nothing_and_foresees_the_run(night: Night) -> None:
    before = night.all_of_it()
    foreseen = night.run("--dry-run")
    assert changes(before, night.all_of_it()) == {}
    ahead = night.run("--dry-run", "--set", "now=2056-01-01T00:00:00Z", "--set", "targets.guard.share=1")
    assert changes(before, night.all_of_it()) == {}
    names = {row["name"] for row in night.standins.fourmost.rows()}
    assert of(ahead["rows"], "switched off") == of(ahead["rows"], "switched off at 4MOST") == names
    counts = night.run()
    same = ("messages", "objects", "evaluated", "passed", "inserted", "born_inactive", "updated", "deactivated")
    assert {name: foreseen["counts"][name] for name in same} == {name: counts[name] for name in same}
    assert counts["messages"] > 24 and counts["inserted"] > 1
    new = {row["name"] for row in night.standins.fourmost.rows()} - names
    assert new == of(foreseen["rows"], "new target") == of(foreseen["rows"], "created at 4MOST")
    assert len(of(foreseen["rows"], "updated at 4MOST")) == counts["updated_in_4most"]
    assert {row["detail"].split()[0] for row in foreseen["rows"] if row["what"] == "passes"} == {"lsst", "ztf"}
    assert foreseen["problem"] is None and any("not foreseen" in note for note in foreseen["notes"])


def test_looking_again_at_one_leaves_the_others(night: Night) -> None:
    with open_database(load_settings(None, night.file)) as database:
        targets = rows_of(
            database,
            "SELECT name, object_id FROM tides_master INNER JOIN association USING (tides_id, survey, object_id)"
            " WHERE survey = 'lsst' ORDER BY 1",
        )
    one, other = targets[0], targets[-1]
    before = night.all_of_it()
    night.set(selectFunction="tidesHostLSSTSelect")
    foreseen = night.run("--dry-run", "--only", one["name"], other["object_id"])
    assert changes(before, night.all_of_it()) == {}
    assert {row["target"] for row in foreseen["rows"]} == {one["name"], other["name"]}
    counts = night.run("--only", one["name"])
    assert (counts["evaluated"], counts["messages"], counts["inserted"]) == (1, 0, 0)
    after = night.all_of_it()
    assert not {"Kafka", "4MOST", "stream_position", "association", "deferred_object"} & changes(before, after).keys()
    changed = [row for row in after["last_decision"] if row not in before["last_decision"]]
    assert len(changed) == 1 and one["object_id"] in changed[0] and "tidesHostLSSTSelect" in changed[0]
    others = [[row for row in rows["tides_master"] if one["name"] not in row] for rows in (before, after)]
    assert others[0] == others[1]


def test_what_cannot_be_looked_at_is_told(night: Night) -> None:
    before = night.tables()["deferred_object"]
    found = night.run("--dry-run", "--only", "ZTF26zzzzzzz", "1")
    told = [note for note in found["notes"] if note.startswith("not decided")]
    assert len(told) == 2 and "ztf ZTF26zzzzzzz: fink_ztf" in told[1] and "lsst 1: lasair_lsst" in told[0]
    assert night.run("--only", "1")["deferred"] == 0 and night.tables()["deferred_object"] == before
    for words in (["--only"], ["TiDES26aaa"], ["--only", "TiDES26zzz"]):
        done = forked_tides("run", *words, "--settings", night.file, PREFECT_API_URL=night.prefect_api)
        assert done.returncode != 0 and "Traceback" not in done.stderr
