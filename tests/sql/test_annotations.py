"""What brokers say of objects is kept with their targets: the newest counts, and the history stays."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.support.batches import alert, batch_of
from tests.support.curves import curves_of, point
from tests.support.databases import rows_of
from tides_bridge.database import Database
from tides_bridge.decisions.batch import create_transient_stage, store_outcome, take_calls, upsert_to_master
from tides_bridge.decisions.history import why
from tides_bridge.decisions.judging import decide
from tides_bridge.decisions.record import put_in_force
from tides_bridge.decisions.several_surveys import judge_together
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings

BOTH = SelectionFunction.parse("both", {"rules": "strict", "filters": ["g", "r"], "significance": 5, "minBands": 2})
POINTS = {
    name: [point(61000.0 + day, band, of=number, ra=10.0 + number) for day, band in enumerate(bands)]
    for number, (name, bands) in enumerate({"a": "gr", "b": "gr", "c": "g"}.items())
}
"""Of which c is no target."""


def take(
    database: Database, settings: Settings, annotations: dict[str, dict[str, Any]], newest_mjd: float = 61001.0
) -> None:
    """Store a batch with one alert of each object, which says so of it."""
    alerts = [replace(alert(name, newest_mjd=newest_mjd), annotations=said) for name, said in annotations.items()]
    put_in_force(database, settings, [BOTH])
    curves = curves_of(*(row for name in annotations for row in POINTS[name]))
    judged = [decide(alerts, curves, [BOTH], {}, 61002.0)]
    with database.transaction() as connection:
        create_transient_stage(connection, judged)
        upsert_to_master(connection, settings)
        store_outcome(connection, batch_of(alerts), judged, take_calls(database, settings, 2), settings)


def log(database: Database) -> list[tuple[Any, ...]]:
    rows = rows_of(database, "SELECT object_id, name, number, word, version FROM annotation ORDER BY annotation_id")
    return [tuple(row.values()) for row in rows]


def newest(database: Database, name: str, as_of: datetime | None = None) -> dict[str, tuple[Any, int]]:
    found = why(database, name, None, as_of)["annotations"]
    return {f"{row['object_id']} {row['name']}": (row["word"] or row["number"], row["changes"]) for row in found}


def test_the_newest_counts_and_the_history_stays(database: Database, settings: Settings) -> None:
    first = {"fink.score": 0.4, "vsx.type": "EW", "fink.version": "8.1"}
    take(database, settings, {"a": first, "b": {"fink.score": 0.4}, "c": {"fink.score": 0.9}})
    kept = [("a", "fink.score", 0.4, None, "8.1"), ("a", "vsx.type", None, "EW", None)]
    kept += [("b", "fink.score", 0.4, None, None)]
    assert log(database) == kept, "c is no target"
    take(database, settings, {"a": first, "b": {"fink.score": 0.4}}, 61001.5)
    assert log(database) == kept
    (then,) = rows_of(database, "SELECT clock_timestamp() AS now")
    take(database, settings, {"a": first | {"fink.score": 0.6}, "b": {}}, 61001.7)
    kept += [("a", "fink.score", 0.6, None, "8.1")]
    assert log(database) == kept
    take(database, settings, {"a": {"fink.score": 0.1}}, 61001.6)  # a late message
    take(database, settings, {"a": {"fink.score": 0.6, "fink.version": "8.2"}}, 61001.7)
    kept += [("a", "fink.score", 0.6, None, "8.2")]
    assert log(database) == kept
    assert newest(database, "a") == {"a fink.score": (0.6, 2), "a vsx.type": ("EW", 0)}
    assert newest(database, "a", then["now"])["a fink.score"] == (0.4, 0)
    assert newest(database, "a", datetime(2020, 1, 1, tzinfo=UTC)) == {}
    assert newest(database, "b") == {"b fink.score": (0.4, 0)}


def test_brokers_that_word_it_otherwise_do_not_answer_each_other(database: Database, settings: Settings) -> None:
    other = settings.model_copy(update={"broker": settings.broker.model_copy(update={"kind": "fink_ztf"})})
    for _ in range(3):
        take(database, settings, {"a": {"tns.type": "SN Ia"}})
        take(database, other, {"a": {"tns.type": "SN Ia-pec"}})
    assert [row[3] for row in log(database)] == ["SN Ia", "SN Ia-pec"]
    assert len(why(database, "a")["annotations"]) == 2


def test_a_target_is_asked_for_by_its_name(database: Database, settings: Settings) -> None:
    take(database, settings, {"a": {"fink.score": 0.4}, "b": {"fink.score": 0.5}})
    names = {row["object_id"]: row["name"] for row in rows_of(database, "SELECT object_id, name FROM tides_master")}
    assert newest(database, names["a"]) == {"a fink.score": (0.4, 0)}
    assert newest(database, names["b"]) == {"b fink.score": (0.5, 0)}


ASKING = SelectionFunction.parse(
    "asking",
    {
        "rules": "strict",
        "filters": ["g", "r"],
        "significance": 5,
        "minBands": 2,
        "annotation": "fink.slsn_score >= 0.5",
    },
)
TYPED = SelectionFunction.parse(
    "typed",
    {"rules": "strict", "filters": ["g", "r"], "significance": 5, "minBands": 2, "not": {"tnsType": ["CV", "AGN"]}},
)


def verdicts(
    database: Database, settings: Settings, function: SelectionFunction, said: dict[str, dict[str, Any]], mjd: float
) -> dict[str, tuple[bool, Any]]:
    """Judge a batch by a function as a run does; gives what passed, and what was measured of what brokers say."""
    places = {name: rows[0][-2] for name, rows in POINTS.items()}
    alerts = [
        replace(alert(name, newest_mjd=mjd), ra=places[name], decl=-20.0, annotations=notes)
        for name, notes in said.items()
    ]
    curves = curves_of(*(row for name in said for row in POINTS[name]))
    put_in_force(database, settings, [function])
    judged = [decide(alerts, curves, [function], {}, 61002.0)]
    with database.transaction() as connection:
        judged = judge_together(connection, judged, settings, [function])
        create_transient_stage(connection, judged)
        upsert_to_master(connection, settings)
        store_outcome(connection, batch_of(alerts), judged, take_calls(database, settings, 2), settings)
    (path,) = [leaf.path for leaf in function.leaves if leaf.path != "minBands"]
    rows = rows_of(database, "SELECT object_id, passed, measured FROM decision ORDER BY decision_id")
    recorded = {row["object_id"]: (row["passed"], row["measured"][path]) for row in rows}
    assert {name: passed for chunk in judged for name, passed in chunk.passed.items()} == {
        name: recorded[name][0] for name in said
    }
    return {name: recorded[name] for name in said}


def test_what_one_broker_said_counts_for_the_alert_of_another(database: Database, settings: Settings) -> None:
    other = settings.model_copy(update={"broker": settings.broker.model_copy(update={"kind": "fink_ztf"})})
    none = {"a": {}, "b": {}, "c": {}}
    assert verdicts(database, settings, ASKING, none, 61001.0) == dict.fromkeys("abc", (False, None))
    first = {"a": {"fink.slsn_score": 0.6}, "b": {"fink.slsn_score": 0.4}, "c": {"fink.slsn_score": 0.9}}
    expected = {"a": (True, 0.6), "b": (False, 0.4), "c": (False, 0.9)}
    assert verdicts(database, other, ASKING, first, 61001.0) == expected
    assert verdicts(database, settings, ASKING, none, 61001.2) == expected, "it was kept of what is no target, too"
    expected = {"a": (True, 0.6), "b": (True, 0.7)}
    assert verdicts(database, settings, ASKING, {"a": {}, "b": {"fink.slsn_score": 0.7}}, 61001.4) == expected
    assert [row[:3] for row in log(database)] == [
        ("a", "fink.slsn_score", 0.6),
        ("b", "fink.slsn_score", 0.4),
        ("c", "fink.slsn_score", 0.9),
        ("b", "fink.slsn_score", 0.7),
    ]
    names = rows_of(database, "SELECT object_id FROM tides_master ORDER BY object_id")
    assert [row["object_id"] for row in names] == ["a", "b"]


def test_the_list_of_the_tns_counts_before_what_brokers_repeat(database: Database, settings: Settings) -> None:
    with database.transaction() as connection:
        for number, (kind, names, ra) in enumerate([("CV", ["a"], 200.0), ("SN Ia", [], 11.0), (None, ["c"], 12.0)]):
            connection.exec_driver_sql(
                "INSERT INTO tns_object (tns_object_id, name, ra, decl, object_type, internal_names)"
                " VALUES (%(n)s, 'AT x', %(ra)s, -20.0, %(kind)s, %(names)s)",
                {"n": number, "ra": ra, "kind": kind, "names": names},
            )
    said = {"a": {"tns.type": "SN II"}, "b": {"tns.type": "AGN"}, "c": {"tns.type": "SN Ic"}}
    assert verdicts(database, settings, TYPED, said, 61001.0) == {
        "a": (False, "CV"),
        "b": (True, "SN Ia"),
        "c": (False, "SN Ic"),
    }
