"""
All real messages and files: each is read, judged, and stored, or refused, passed over or put off, with a true reason.

Nothing is lost: as many messages as there are are judged objects, older alerts of these, refused, skipped or deferred.
What brokers make of the same messages is in `tests/brokers/test_real_messages.py`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest

from tests.support.databases import rows_of
from tests.support.decisions import carried_out, read_stream
from tides_bridge.brokers import broker_of
from tides_bridge.brokers.models import Message
from tides_bridge.database import Database
from tides_bridge.decisions.models import Judged
from tides_bridge.decisions.record import load_functions
from tides_bridge.resources import shipped
from tides_bridge.settings import Settings

LSST, ZTF = "tidesSNLSSTSelect", "tidesSNZTFSelect"

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

TABLE = "is a table with the columns"
UNASKED = "its message brought no light curve, and lightCurves.address is not set"


class Counts(NamedTuple):
    """Messages; objects judged, and how many pass; alerts of theirs that are older; skipped, refused, deferred."""

    messages: int
    judged: int
    passed: int
    older: int
    skipped: int = 0
    refused: int = 0
    deferred: int = 0


class Files(NamedTuple):
    """Real files, how they are read, and what comes of them; whose reasons have these words."""

    path: str
    function: str
    counts: Counts
    words: tuple[str, ...] = ()
    schemas: str = ""
    zero_point: float | None = None


REAL = [
    Files("ztf/alerts.jsonl.gz", ZTF, Counts(669, 573, 182, 96)),
    # Light curves in a table have no place: those that pass cannot become targets.
    Files("bts", ZTF, Counts(1150, 18, 0, 0, refused=2, deferred=1130), (TABLE, "its position is unknown")),
    Files("lasair_ztf", ZTF, Counts(12, 10, 4, 2)),
    Files("lasair_lsst", LSST, Counts(67, 33, 2, 33, refused=1), ("has sources, but no diaObjectId",)),
    Files("lasair_lsst/313637921267122191_object.json", LSST, Counts(1, 0, 0, 0, deferred=1), (UNASKED,)),
    Files("lsst/avro", LSST, Counts(16, 14, 0, 2), schemas="lsst/schema"),
    Files("lsst/json", LSST, Counts(2, 2, 1, 0)),
    Files("lsst/parquet", LSST, Counts(52, 41, 0, 5, skipped=6), ("is about an object of the solar system",)),
    Files("lsst/schema", LSST, Counts(20, 0, 0, 0, refused=20), ("is none of these",)),
    Files("elasticc/snia_5398alerts.parquet", LSST, Counts(5398, 3503, 1716, 1895)),
    Files("elasticc/agn_elasticc_alerts.parquet", LSST, Counts(100, 98, 72, 2)),
    Files("elasticc/elasticc_sample_seed0.parquet", LSST, Counts(89, 89, 47, 0)),
    Files("elasticc/avro", LSST, Counts(85, 45, 23, 40), (), "elasticc/schema", 27.5),
    Files("elasticc/schema", LSST, Counts(17, 0, 0, 0, refused=17), ("is none of these", "begins with")),
    Files("fourmost", LSST, Counts(4, 0, 0, 0, refused=4), (TABLE, "begins with")),
]


def settings_for(files: Files, settings: Settings, data: Path) -> Settings:
    """Give settings that lead to the files, whose targets count as seen for 20 years."""
    if not (data / files.path).exists():
        pytest.skip("these real messages are not here")
    broker: dict[str, Any] = {"kind": "recorded", "files": [data / files.path], "zeroPoint": files.zero_point}
    broker |= {"batchSize": 10_000} | ({"schemas": data / files.schemas} if files.schemas else {})
    changes = {
        "broker": settings.broker.model_validate(broker),
        "targets": settings.targets.model_validate({"deactivateAfter": "7305 days"}),
        "select_function": files.function,
        "select_function_path": shipped("selectionFunctions.yaml"),
        "now": NOW,
    }
    return settings.model_copy(update=changes)


def counts_of(judged: Sequence[Judged], messages: int, older: int) -> Counts:
    """Count what became of messages."""
    return Counts(
        messages,
        sum(len(chunk.passed) for chunk in judged),
        sum(sum(chunk.passed.values()) for chunk in judged),
        older,
        sum(sum(chunk.skipped.values()) for chunk in judged),
        sum(len(chunk.refused) for chunk in judged),
        sum(len(chunk.deferred) for chunk in judged),
    )


def older_in(messages: Sequence[Message], settings: Settings) -> int:
    """Count the alerts of objects that have a newer one: of one table by its column, else by reading each alone."""
    (path,) = settings.broker.files
    if path.suffix == ".parquet":
        ids = pq.read_table(path, columns=["diaSource.diaObjectId"]).flatten().column(0)
        return len(ids) - len(ids.unique())
    broker = broker_of(settings)
    names = [(alert.survey, alert.object_id) for each in messages for alert in broker.decode([each]).alerts]
    return len(names) - len(set(names))


def stored(database: Database) -> Counts:
    """Count what is in the database; what is older or skipped leaves nothing but the place in the stream."""
    (row,) = rows_of(database, COUNTED)
    return Counts(**row, older=0, skipped=0)


COUNTED = """
SELECT
    (SELECT coalesce(sum(next_offset), 0)::integer FROM stream_position) AS messages,
    (SELECT count(*) FROM last_decision) AS judged,
    (SELECT count(*) FROM association) AS passed,
    (SELECT count(*) FROM refused_message) AS refused,
    (SELECT count(*) FROM deferred_object) AS deferred
"""


@pytest.mark.parametrize("files", REAL, ids=[files.path for files in REAL])
def test_nothing_is_lost(files: Files, settings: Settings, database: Database, shared_data: Path) -> None:
    chosen = settings_for(files, settings, shared_data)
    messages = read_stream(chosen)
    judged = carried_out(database, chosen, load_functions(chosen))
    counts = counts_of(judged, len(messages), older_in(messages, chosen))
    assert counts == files.counts
    assert counts.messages == counts.judged + sum(counts[3:])
    assert stored(database) == counts._replace(older=0, skipped=0)
    reasons = [*rows_of(database, "SELECT reason FROM refused_message UNION ALL SELECT reason FROM deferred_object")]
    told = [row["reason"] for row in reasons] + [reason for chunk in judged for reason in chunk.skipped]
    assert all(any(words in reason for words in files.words) for reason in told), told
    assert all(any(words in reason for reason in told) for words in files.words)


def test_a_second_run_finds_nothing_new(settings: Settings, database: Database, shared_data: Path) -> None:
    (files,) = [each for each in REAL if each.path == "lsst/parquet"]
    chosen = settings_for(files, settings, shared_data)
    carried_out(database, chosen, load_functions(chosen))
    before = stored(database)
    assert carried_out(database, chosen, load_functions(chosen)) == []
    assert stored(database) == before
