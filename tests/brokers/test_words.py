"""What brokers only say of objects, as ELAsTiCC's classifications: kept of targets, and no light curve is asked for."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.brokers.test_contract import GARBAGE
from tests.sql.test_annotations import BOTH, POINTS
from tests.support.answers import ztf_settings
from tests.support.batches import alert, batch_of
from tests.support.databases import rows_of
from tests.unit.archives.test_broker_classes import MESSAGES, bare, write_form
from tides_bridge.brokers import broker_of
from tides_bridge.brokers.models import Message
from tides_bridge.database import Database
from tides_bridge.decisions.batch import create_transient_stage, store_outcome, take_calls, upsert_to_master
from tides_bridge.decisions.judging import decide, judge_messages, waiting
from tides_bridge.decisions.record import put_in_force
from tides_bridge.lightcurves import LightCurves
from tides_bridge.settings import Settings

SENT = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp() * 1000)


def message(number: int, **changes: Any) -> Message:
    """A classification of an object, an hour later each."""
    content = MESSAGES[0] | {"diaSourceId": 2000 * 70 + number, "elasticcPublishTimestamp": SENT + 3_600_000 * number}
    return Message("classes", 0, number, bare(content | changes))


def of_elasticc(path: Any, settings: Settings | None = None) -> Settings:
    options = (settings or ztf_settings(topic="classes")).broker.model_copy(
        update={"kind": "elasticc_classes", "schemas": path}
    )
    return (settings or ztf_settings(topic="classes")).model_copy(update={"broker": options})


def test_a_stream_of_classes_is_kept_of_targets_alone_and_asks_for_nothing(
    database: Database, settings: Settings, tmp_path: Any
) -> None:
    schema = write_form(tmp_path, "messages")
    put_in_force(database, settings, [BOTH])
    alerts = [alert("70", newest_mjd=61001.0, survey="elasticc")]
    curves = LightCurves.from_points(["70"], POINTS["a"])
    judged = [decide(alerts, curves, [BOTH], {}, 61002.0)]
    stream = of_elasticc(schema, settings)
    messages = [
        message(2, classifications=[{"classId": 2222, "probability": 0.5}]),
        message(1),  # older, and after it
        message(3, classifierName="d", classifications=[{"classId": 2332, "probability": 0.25}]),
        message(4, brokerVersion="2", diaSourceId=2000 * 71),  # of no target
        Message("classes", 0, 5, b"no message"),
    ]
    words = judge_messages(messages, stream, [BOTH])
    assert waiting(words, []) == [] and [refused.offset for refused in words[0].refused] == [5]
    with database.transaction() as connection:
        create_transient_stage(connection, judged)
        upsert_to_master(connection, settings)
        store_outcome(connection, batch_of(alerts), judged, take_calls(database, settings, 2), settings)
    for _ in range(2):
        with database.transaction() as connection:
            store_outcome(connection, batch_of([]), words, take_calls(database, stream, 0), stream)
    rows = rows_of(database, "SELECT name, number, object_id, version FROM annotation ORDER BY name")
    assert [tuple(row.values()) for row in rows] == [
        ("classes.Fink.c.SN_II", 0.25, "70", "1"),
        ("classes.Fink.c.SN_Ia", 0.5, "70", "1"),
        ("classes.Fink.d.AGN", 0.25, "70", "1"),
    ]
    assert rows_of(database, "SELECT count(*) AS number FROM deferred_object") == [{"number": 0}]


@pytest.mark.parametrize("name", GARBAGE)
def test_what_is_no_message_is_refused_with_a_reason(name: str, tmp_path: Any) -> None:
    found = broker_of(of_elasticc(write_form(tmp_path, "messages"))).decode([Message("a", 2, 7, GARBAGE[name])])
    assert (found.alerts, list(found.words), len(found.refused)) == ([], [], 1)
    assert found.refused[0].reason
