"""How values are worded for the scripts."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.answers import ztf_settings
from tests.support.curves import quick
from tides_bridge.brokers.base import HOURLY_LIMIT
from tides_bridge.brokers.models import Alert
from tides_bridge.database import listed_columns
from tides_bridge.database.scripts import script_text
from tides_bridge.decisions.batch import LOAD_BRIGHTNESS, LOAD_STAGE, _clean, _deferred
from tides_bridge.decisions.models import Judged
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.targets.association import life_limits

NOW = datetime(2026, 6, 9, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "mjd"),
    [
        (datetime(1858, 11, 17, tzinfo=UTC), 0.0),
        (datetime(2000, 1, 1, 12, tzinfo=UTC), 51544.5),
        (datetime(2026, 6, 9, 12, tzinfo=UTC), 61200.5),
        (datetime(2026, 6, 9, 14, tzinfo=timezone(timedelta(hours=2))), 61200.5),
    ],
)
def test_now_is_an_mjd(now: datetime, mjd: float) -> None:
    assert life_limits(ztf_settings(now=now))["now_mjd"] == pytest.approx(mjd, abs=1e-8)


def test_limits_are_worded_in_days_and_in_the_order_of_the_bands() -> None:
    targets = {"deactivateAfter": "36 hours", "faintLimit": {"y": 20.0, "g": 21.0}}
    limits = life_limits(ztf_settings(targets=targets))
    assert limits["deactivate_after_days"] == 1.5
    assert limits["faint_limits"] == [None, 21.0, None, None, None, 20.0]


@pytest.mark.parametrize(
    ("load", "table", "number"), [(LOAD_STAGE, "tides_stage", 11), (LOAD_BRIGHTNESS, "brightness_stage", 15)]
)
def test_the_stage_has_the_columns_of_its_table_in_their_order(load: str, table: str, number: int) -> None:
    columns = listed_columns(load)
    assert columns[:2] == ["survey", "object_id"]
    assert len(columns) == number
    made = script_text("decisions/create_transient_stage.sql").partition(f"TABLE {table} (")[2].partition(") ON")[0]
    lines = [line.split() for line in made.splitlines() if line.strip()]
    assert columns == [words[0] for words in lines if words[0] != "PRIMARY"]


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        (float("nan"), None),
        (float("-inf"), None),
        ([1.5, float("nan"), [float("inf")]], [1.5, None, [None]]),
        ({"a": {"b": float("nan")}}, {"a": {"b": None}}),
        ("a\0b", "ab"),
        ({"a\0": "\0"}, {"a": ""}),
        ("a\ud800b", "a?b"),
        ("é☄", "é☄"),
        (313637935709683761, 313637935709683761),
        (True, True),
        (None, None),
    ],
)
def test_what_jsonb_refuses_is_replaced(value: Any, cleaned: Any) -> None:
    assert _clean(value) == cleaned


def deferred(
    alert: Alert, *, reason: str = "reason", calls: int = 1, outage: Exception | None = None
) -> dict[str, Any]:
    chunk = Judged({}, pd.DataFrame(), {alert.object_id: reason}, calls=calls, outage=outage)
    return _deferred(alert, reason, chunk, ztf_settings(), NOW)


@pytest.mark.parametrize(
    ("why", "minutes", "attempts"),
    [
        ({}, 30, 1),
        ({"calls": 4}, 30, 1),
        ({"calls": 0}, 0, 0),
        ({"outage": BrokerUnavailable("Lasair", "is away")}, 0, 1),
        ({"reason": HOURLY_LIMIT}, 0, 1),
        ({"reason": HOURLY_LIMIT, "calls": 0}, 0, 0),
    ],
    ids=["at fault", "after several tries", "not asked for", "outage", "limit of the API", "our limit"],
)
def test_only_an_object_at_fault_waits(why: dict[str, Any], minutes: int, attempts: int) -> None:
    words = deferred(Alert("ztf", "a", 61200.5, None, None, None, {}), **why)
    assert (words["wait"], words["attempts"]) == (timedelta(minutes=minutes), attempts)
    assert words["tried_at"] == (NOW if attempts else None)
    assert words["longest_wait"] == timedelta(days=1)
    assert words["give_up_after"] == (timedelta(days=14) if minutes else None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec=None)), inner, max_size=3),
    max_leaves=8,
)


@quick
@given(JSON)
def test_any_alert_becomes_strict_json(content: Any) -> None:
    alert = Alert("ztf", "ZTF26aaaaaaa", 61200.5, 10.5, -20.25, "SN", {"content": content})
    text = deferred(alert)["alert"]
    back = Alert(**json.loads(text, parse_constant=pytest.fail))
    assert (back.object_id, back.newest_mjd, back.ra) == ("ZTF26aaaaaaa", 61200.5, 10.5)
    json.dumps(back.message, ensure_ascii=False).encode()
