"""Light curves of several surveys judged together: what is stored, who is judged with whom, and what comes of it."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.support.curves import quick, same
from tests.support.databases import rows_of
from tests.support.staging import at
from tides_bridge.brokers.models import Alert
from tides_bridge.database import Database
from tides_bridge.decisions.batch import create_transient_stage, upsert_to_master
from tides_bridge.decisions.history import why
from tides_bridge.decisions.judging import decide
from tides_bridge.decisions.models import Judged
from tides_bridge.decisions.record import put_in_force, store_decisions
from tides_bridge.decisions.several_surveys import KEEP_DAYS, judge_together
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.lightcurves.stored import pack_rows, unpack_table
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings
from tides_bridge.targets.association import merge_targets, split_object, split_target

ARCSEC = 1 / 3600
NOW = 61010.0
KEYS = {"rules": "strict", "filters": [*"griz"], "significance": 5, "minBands": 2}
BOTH = SelectionFunction.parse("both", {**KEYS, "surveys": ["ztf", "lsst"]})
ALONE = SelectionFunction.parse("alone", KEYS)
LSST_ID = str(2**53 + 1)

Point = tuple[float, str, float]
"""MJD [d, UTC], band, magnitude."""


def seen(
    object_id: str, *points: Point, survey: str = "", east: float = 0.0, **known: Any
) -> tuple[Alert, LightCurves]:
    """Make the alert and the light curve of an object, so many arcsec east of ra 0; a number is a name of LSST's."""
    survey = survey or ("lsst" if object_id.isdigit() else "ztf")
    ra = known.pop("ra", east * ARCSEC % 360)
    decl = known.pop("decl", -20.0)
    alert = Alert(survey, object_id, max(point[0] for point in points), ra, decl, known.pop("sherlock_class", None), {})
    return replace(alert, known=known), curve(object_id, *points, nid=survey == "ztf")


def curve(object_id: str, *points: Point, nid: bool) -> LightCurves:
    """Make a light curve of positive detections; ZTF numbers its nights from 2017 on."""
    mjd, band, mag = zip(*points, strict=True)
    return LightCurves.from_magnitudes(
        [object_id],
        [0] * len(points),
        mjd,
        [BANDS.index(each) for each in band],
        mag,
        [0.1] * len(points),
        is_detection=[True] * len(points),
        is_positive=[True] * len(points),
        night=[int(each) - 57754 for each in mjd] if nid else None,
        source_id=[round(each * 1e6) for each in mjd],
    )


def chunk_of(
    objects: Sequence[tuple[Alert, LightCurves]], functions: Sequence[SelectionFunction], now_mjd: float = NOW
) -> Judged:
    """Judge a chunk as a worker does: each light curve alone."""
    alerts = [alert for alert, _ in objects]
    curves = LightCurves.joined([each for _, each in objects])
    chunk = decide(alerts, curves, functions, {}, now_mjd)
    known = [Objects.of(1, ra=a.ra, decl=a.decl, sherlock_class=[a.sherlock_class], **a.known) for a in alerts]
    told = [replace(each, objects=about) for (_, each), about in zip(objects, known, strict=True)]
    return replace(chunk, alerts=alerts, curves=LightCurves.joined(told))


def take(
    database: Database,
    settings: Settings,
    *chunks: Sequence[tuple[Alert, LightCurves]],
    functions: Sequence[SelectionFunction] = (BOTH,),
    now_mjd: float = NOW,
) -> list[Judged]:
    """Decide on a batch of chunks and store what comes of it, as a run does."""
    judged = [chunk_of(chunk, functions, now_mjd) for chunk in chunks]
    put_in_force(database, settings, functions)
    with database.transaction() as connection:
        judged = judge_together(connection, judged, at(settings, now_mjd), functions)
        create_transient_stage(connection, judged)
        upsert_to_master(connection, at(settings, now_mjd))
        alerts = {alert.object_id: alert for chunk in judged for alert in chunk.alerts}
        store_decisions(connection, judged, alerts, None)
    return judged


def verdicts(database: Database, columns: str = "object_id, passed", function: str = "both") -> list[tuple[Any, ...]]:
    """Give the latest decision on each object."""
    rows = rows_of(
        database, f"SELECT {columns} FROM last_decision WHERE function = '{function}' ORDER BY survey, object_id"
    )
    return [tuple(row.values()) for row in rows]


def staged(judged: Sequence[Judged]) -> dict[str, Any]:
    """Give the rows of the stage by object."""
    rows = [row for chunk in judged for row in chunk.targets.to_dict("records")]
    assert len(rows) == len({row["object_id"] for row in rows})
    return {row["object_id"]: row for row in rows}


ZTF = seen("ZTF26a", (61000.1, "g", 19.0))
LSST = seen(LSST_ID, (61002.2, "r", 20.0), east=0.5)


# One object, two surveys


@pytest.mark.parametrize("order", [(ZTF, LSST), (LSST, ZTF)])
def test_what_no_survey_shows_alone_is_found_together(
    database: Database, settings: Settings, order: tuple[Any, Any]
) -> None:
    first = take(database, settings, [order[0]])
    assert not any(first[0].passed.values()) and not staged(first)
    second = take(database, settings, [order[1]])
    assert second[0].passed == {order[1][0].object_id: True}
    assert verdicts(database, "survey, object_id, passed") == [("lsst", LSST_ID, True), ("ztf", "ZTF26a", True)]
    rows = staged(second)
    assert {name: (row["survey"], row["n_detections"]) for name, row in rows.items()} == {
        LSST_ID: ("lsst", 1),
        "ZTF26a": ("ztf", 1),
    }
    assert rows["ZTF26a"]["g_latest_mag"] == pytest.approx(19.0) and rows[LSST_ID]["r_latest_mag"] == pytest.approx(20)
    assert np.isnan([rows["ZTF26a"]["r_latest_mag"], rows[LSST_ID]["g_latest_mag"]]).all()
    assert rows[LSST_ID]["ra"] == LSST[0].ra and rows["ZTF26a"]["selection_function"] == "both"


def test_in_one_batch_they_are_found_too(database: Database, settings: Settings) -> None:
    one = take(database, settings, [ZTF, LSST])
    assert (
        one[0].passed == {"ZTF26a": True, LSST_ID: True} and len(one) == 1 and set(staged(one)) == {"ZTF26a", LSST_ID}
    )
    other = take(database, settings, [LSST], [ZTF])
    assert [chunk.passed for chunk in other] == [{LSST_ID: True}, {"ZTF26a": True}]
    assert [len(chunk.targets) for chunk in other] == [1, 1]
    assert len(rows_of(database, "SELECT 1 FROM decision")) == 2


def test_the_record_is_of_the_joint_light_curve(database: Database, settings: Settings) -> None:
    take(database, settings, [ZTF])
    take(database, settings, [LSST])
    columns = "object_id, passed, n_detections, newest_mjd, measured, failed, judged_with, role, survey"
    rows = rows_of(database, f"SELECT {columns}, curve_digest::text FROM decision ORDER BY decision_id")
    assert [tuple(row.values())[:9] for row in rows] == [
        ("ZTF26a", False, 1, 61000.1, {"minBands": 1.0}, ["minBands"], None, "active", "ztf"),
        (LSST_ID, True, 2, 61002.2, {"minBands": 2.0}, [], ["ztf ZTF26a"], "active", "lsst"),
        ("ZTF26a", True, 2, 61000.1, {"minBands": 2.0}, [], [f"lsst {LSST_ID}"], "active", "ztf"),
    ]
    assert rows[1]["curve_digest"] == rows[2]["curve_digest"] != rows[0]["curve_digest"]
    assert why(database, "ZTF26a")["decisions"][1]["judged_with"] == [f"lsst {LSST_ID}"]


def test_the_trigger_is_the_first_detection_at_which_both_suffice(database: Database, settings: Settings) -> None:
    take(database, settings, [seen("ZTF26a", (61000.1, "g", 19.0), (61005.1, "g", 19.0)), LSST])
    assert verdicts(database, "passed, trigger_mjd") == [(True, 61002.2), (True, 61002.2)]


def test_a_batch_that_comes_again_changes_nothing(database: Database, settings: Settings) -> None:
    take(database, settings, [ZTF])
    take(database, settings, [LSST])
    tables = "SELECT decision_id, decided_at FROM decision ORDER BY 1", "SELECT * FROM light_curve ORDER BY 1"
    before = [rows_of(database, table) for table in tables]
    again = take(database, settings, [LSST])
    assert set(staged(again)) == {LSST_ID, "ZTF26a"}
    take(database, settings, [ZTF])
    assert [rows_of(database, table) for table in tables] == before


# Who is judged with whom


@pytest.mark.parametrize(
    ("east", "decl", "is_one"),
    [(0.99, 0.0, True), (1.01, 0.0, False), (359.0 / ARCSEC, -20.0, False), (180 / ARCSEC, -90 + 0.4 * ARCSEC, True)],
)
def test_only_what_is_near_is_judged_together(
    database: Database, settings: Settings, east: float, decl: float, is_one: bool
) -> None:
    first = seen("ZTF26a", (61000.1, "g", 19.0), decl=decl)
    take(database, settings, [first])
    take(database, settings, [seen("1", (61002.2, "r", 19.0), east=east, decl=decl)])
    assert verdicts(database) == [("1", is_one), ("ZTF26a", is_one)]


def test_over_the_zero_of_right_ascension(database: Database, settings: Settings) -> None:
    take(database, settings, [seen("ZTF26a", (61000.1, "g", 19.0), east=-0.4)])
    take(database, settings, [seen("1", (61002.2, "r", 19.0), east=0.4)])
    assert verdicts(database) == [("1", True), ("ZTF26a", True)]


@pytest.mark.parametrize(("last_seen", "are_one"), [(61000.6, True), (61002.2, False)])
def test_what_is_judged_together_is_one_target(
    database: Database, settings: Settings, last_seen: float, are_one: bool
) -> None:
    """A chain is one if its middle was seen before its end; else when its end is seen again, the middle a target."""
    sizes = "SELECT count(*) AS number FROM association GROUP BY tides_id"
    take(database, settings, [seen("ZTF26a", (61000.1, "g", 19.0))])
    take(database, settings, [seen("ZTF26b", (61001.1, "g", 19.0), east=1.8)])
    assert verdicts(database) == [("ZTF26a", False), ("ZTF26b", False)]
    take(database, settings, [seen("1", (last_seen, "r", 19.0), east=0.89)])
    assert verdicts(database) == [("1", True), ("ZTF26a", True), ("ZTF26b", are_one)]
    assert rows_of(database, sizes) == [{"number": 3 if are_one else 2}]
    take(database, settings, [seen("ZTF26b", (61003.1, "g", 19.0), east=1.8)])
    assert verdicts(database) == [("1", True), ("ZTF26a", True), ("ZTF26b", True)]
    assert rows_of(database, sizes) == [{"number": 3}]


PASSING = (61000.1, "g", 19.0), (61001.1, "r", 19.0)


def judged_with(database: Database) -> list[str] | None:
    """Tell which objects the last decision in the log was made with."""
    found: list[str] | None = rows_of(database, "SELECT judged_with FROM decision ORDER BY decision_id DESC LIMIT 1")[
        0
    ]["judged_with"]
    return found


def test_what_a_person_merged_is_judged_together_until_it_is_split(database: Database, settings: Settings) -> None:
    take(database, settings, [seen("ZTF26a", *PASSING), seen("1", *PASSING, east=30)])
    assert judged_with(database) is None
    merge_targets(database, settings, "ZTF26a", "1", "the same galaxy, a wrong position")
    take(database, settings, [seen("1", *PASSING, (61002.2, "i", 19.0), east=30)])
    assert verdicts(database) == [("1", True), ("ZTF26a", True)]
    rows = rows_of(database, "SELECT object_id, judged_with FROM decision ORDER BY decision_id DESC LIMIT 2")
    assert {row["object_id"]: row["judged_with"] for row in rows} == {"1": ["ztf ZTF26a"], "ZTF26a": ["lsst 1"]}
    (merged,) = rows_of(database, "SELECT name FROM tides_master WHERE merged_into IS NOT NULL")
    split_target(database, settings, merged["name"], "two after all")
    take(database, settings, [seen("1", *PASSING, (61003.2, "i", 19.0), east=30)])
    assert judged_with(database) is None


def test_what_a_person_split_is_judged_apart(database: Database, settings: Settings) -> None:
    take(database, settings, [seen("ZTF26a", *PASSING), seen("1", *PASSING, east=0.5)])
    assert judged_with(database) is not None
    split_object(database, settings, "lsst", "1", "two in one galaxy")
    take(database, settings, [seen("1", *PASSING, (61003.2, "i", 19.0), east=0.5)])
    assert judged_with(database) is None
    take(database, settings, [seen("2", (61003.2, "i", 19.0), east=0.7)])
    assert judged_with(database) in (["lsst 1"], ["lsst 2"])


def test_a_target_without_stored_light_curve_keeps_its_place(database: Database, settings: Settings) -> None:
    """What is nearer to it is its own, as for the targets: not of the group of another one."""
    take(database, settings, [seen("ZTF26a", *PASSING, east=-0.5), seen("ZTF26b", *PASSING, east=0.6)])
    with database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM light_curve WHERE object_id = 'ZTF26a'")
    take(database, settings, [seen("1", (61003.2, "i", 19.0))])
    assert judged_with(database) is None


def test_two_names_of_one_survey_are_judged_together(database: Database, settings: Settings) -> None:
    function = SelectionFunction.parse("both", {**KEYS, "surveys": ["ztf"]})
    take(database, settings, [seen("ZTF26a", (61000.1, "g", 19.0))], functions=[function])
    take(database, settings, [seen("ZTF26b", (61002.1, "r", 19.0)), LSST], functions=[function])
    assert verdicts(database) == [(LSST_ID, False), ("ZTF26a", True), ("ZTF26b", True)]
    assert rows_of(database, "SELECT DISTINCT survey FROM light_curve") == [{"survey": "ztf"}]


def test_a_survey_that_is_not_named_is_judged_alone(database: Database, settings: Settings) -> None:
    simulated = seen("7", (61001.1, "r", 19.0), (61001.2, "g", 19.0), survey="elasticc")
    judged = take(database, settings, [ZTF, simulated])
    assert judged[0].passed == {"ZTF26a": False, "7": True} and set(staged(judged)) == {"7"}


def test_functions_of_other_surveys_have_their_own_groups(database: Database, settings: Settings) -> None:
    other = SelectionFunction.parse("other", {**KEYS, "surveys": ["ztf", "elasticc"]})
    judged = take(
        database,
        settings,
        [ZTF, LSST, seen("7", (61003.1, "i", 19.0), survey="elasticc")],
        functions=[BOTH, other, ALONE],
    )
    assert verdicts(database) == [("7", False), (LSST_ID, True), ("ZTF26a", True)]
    assert verdicts(database, function="other") == [("7", True), (LSST_ID, False), ("ZTF26a", True)]
    assert verdicts(database, function="alone") == [("7", False), (LSST_ID, False), ("ZTF26a", False)]
    assert verdicts(database, "role", "other") == [("shadow",)] * 3
    assert set(staged(judged)) == {LSST_ID, "ZTF26a"}


def test_a_shadow_makes_no_target(database: Database, settings: Settings) -> None:
    take(database, settings, [ZTF], functions=[ALONE, BOTH])
    judged = take(database, settings, [LSST], functions=[ALONE, BOTH])
    assert verdicts(database) == [(LSST_ID, True), ("ZTF26a", True)]
    assert judged[0].passed == {LSST_ID: False} and not staged(judged)


def test_what_passes_alone_may_fail_together(database: Database, settings: Settings) -> None:
    function = SelectionFunction.parse("both", {**KEYS, "brightLimit": 18.0, "surveys": ["ztf", "lsst"]})
    faint = seen("ZTF26a", (61000.1, "g", 19.0), (61001.1, "r", 19.0))
    assert set(staged(take(database, settings, [faint], functions=[function]))) == {"ZTF26a"}
    judged = take(database, settings, [faint, seen("1", (61002.1, "i", 17.0))], functions=[function])
    assert judged[0].passed == {"ZTF26a": False, "1": False} and not staged(judged)
    assert verdicts(database) == [("1", False), ("ZTF26a", False)]


# What is known beside the points


def test_a_night_that_two_surveys_saw_is_one(database: Database, settings: Settings) -> None:
    function = SelectionFunction.parse("both", {**KEYS, "minNights": 2, "surveys": ["ztf", "lsst"]})
    rubin = seen("1", (61001.05, "r", 19.0))
    for at_palomar, nights in ((61001.45, 1.0), (61001.55, 1.0), (61002.1, 2.0)):  # before and after noon in Greenwich
        take(database, settings, [rubin, seen("ZTF26a", (at_palomar, "g", 19.0))], functions=[function])
        rows = rows_of(database, "SELECT measured FROM decision ORDER BY decision_id DESC LIMIT 1")
        assert rows[0]["measured"]["minNights"] == nights


def test_a_yes_of_one_survey_is_a_yes(database: Database, settings: Settings) -> None:
    keys = {**KEYS, "pointSource": False, "maxEbv": 0.3, "sherlockClasses": ["SN"], "surveys": ["ztf", "lsst"]}
    function = SelectionFunction.parse("both", keys)
    ztf = seen("ZTF26a", (61000.1, "g", 19.0), point_source=0.0, ebv=0.5, sherlock_class="SN")
    for star, result in ((0.0, True), (1.0, False)):
        take(
            database, settings, [ztf, seen("1", (61002.1, "r", 19.0), point_source=star, ebv=0.1)], functions=[function]
        )
        assert verdicts(database) == [("1", result), ("ZTF26a", result)]


# What is stored


def test_the_newest_light_curve_is_kept_whichever_comes_first(database: Database, settings: Settings) -> None:
    new = seen("ZTF26a", (61000.1, "g", 19.0), (61003.1, "r", 19.0))
    take(database, settings, [new])
    old = take(database, settings, [ZTF, LSST])
    assert old[0].passed == {"ZTF26a": True, LSST_ID: True}
    assert staged(old)["ZTF26a"]["last_detection_mjd"] == 61003.1
    assert verdicts(database, "newest_mjd, passed") == [(61002.2, True), (61003.1, True)]
    assert rows_of(database, "SELECT newest_mjd FROM light_curve ORDER BY 1") == [
        {"newest_mjd": 61002.2},
        {"newest_mjd": 61003.1},
    ]


def test_a_light_curve_is_forgotten_long_after_its_last_detection(database: Database, settings: Settings) -> None:
    take(database, settings, [ZTF])
    later = 61000.1 + KEEP_DAYS
    take(database, settings, [seen("1", (later, "r", 19.0))], now_mjd=later - 0.1)
    assert verdicts(database) == [("1", True), ("ZTF26a", True)]
    take(database, settings, [seen("2", (later, "r", 19.0))], now_mjd=later + 0.1)
    assert rows_of(database, "SELECT object_id FROM light_curve ORDER BY 1") == [{"object_id": "1"}, {"object_id": "2"}]


def test_an_object_at_no_known_place_is_judged_alone(database: Database, settings: Settings) -> None:
    lost = seen("ZTF26b", (61000.1, "g", 19.0), ra=None, decl=None)
    judged = take(database, settings, [lost, LSST])
    assert judged[0].passed == {"ZTF26b": False, LSST_ID: False}
    assert rows_of(database, "SELECT object_id FROM light_curve") == [{"object_id": LSST_ID}]


def test_light_curves_come_back_as_they_were_stored() -> None:
    curves = LightCurves.joined([ZTF[1], LSST[1]])
    packed = pack_rows(curves.to_arrow(), range(2))
    tables = [unpack_table(bytes.fromhex(content.removeprefix("\\x"))) for content in packed]
    assert len(tables) == 2
    assert same(LightCurves.from_arrow(pa.concat_tables(tables)), curves)


def test_the_stored_columns_are_those_of_the_schema_file() -> None:
    """A column that goes adds a schema file that empties the table light_curve; a new one is unknown before."""
    about = ("object_id", "ra", "decl", "ebv", "solar_system", "point_source", "known_variable", "sherlock_class")
    about = (*about, "first_seen")
    points = "mjd band flux flux_error magnitude magnitude_error significance night is_detection is_positive source_id"
    names = [*about, *(f"point_{name}" for name in (*points.split(), "reliability", "ra", "decl"))]
    assert ZTF[1].to_arrow().schema.names == names


class NeverAsked:
    """A connection that nobody uses."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"asked for {name}")


def test_nothing_is_asked_where_no_function_says_so(settings: Settings) -> None:
    judged = [chunk_of([ZTF, LSST], [ALONE])]
    before = judged[0].decisions.copy()
    deferred = [Judged({}, pd.DataFrame(), {"ZTF26a": "none"})]
    assert judge_together(NeverAsked(), judged, settings, [ALONE]) == judged  # type: ignore[arg-type]
    assert judge_together(NeverAsked(), [], settings, [BOTH]) == []  # type: ignore[arg-type]
    assert judge_together(NeverAsked(), deferred, settings, [BOTH]) == deferred  # type: ignore[arg-type]
    assert len(judged) == 1 and judged[0].decisions.equals(before)


# In any order


@st.composite
def skies(draw: st.DrawFn) -> list[tuple[Alert, LightCurves]]:
    """Draw some objects of two surveys at two places, with one or two points each: some pass alone."""
    found = []
    for number in range(draw(st.integers(2, 5))):
        name = draw(st.sampled_from(["ZTF26", str(2**62)])) + str(number)
        bands = draw(st.lists(st.sampled_from("gri"), min_size=1, max_size=2))
        points = [(61000 + number / 10 + step, band, 19.0) for step, band in enumerate(bands)]
        found.append(seen(name, *points, east=draw(st.sampled_from([0.0, 0.5, 4.0])) + number / 100))
    return found


def ended(
    database: Database, settings: Settings, batches: Sequence[Sequence[tuple[Alert, LightCurves]]]
) -> dict[str, Any]:
    """Take batches one after the other, and give what the bridge knows then."""
    with database.transaction() as connection:
        connection.exec_driver_sql("TRUNCATE light_curve, last_decision, decision, tides_master CASCADE")
    for batch in batches:
        take(database, settings, batch)
    columns = "survey, object_id, passed, failed, curve_digest, trigger_mjd, newest_mjd"
    return {
        "verdicts": verdicts(database, columns),
        "targets": rows_of(database, "SELECT survey, object_id FROM association ORDER BY 1, 2"),
    }


@hypothesis_settings(quick, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(objects=skies(), dice=st.randoms())
def test_the_order_in_which_surveys_come_is_no_matter(
    database: Database, settings: Settings, objects: list[tuple[Alert, LightCurves]], dice: random.Random
) -> None:
    at_once = ended(database, settings, [objects])
    dice.shuffle(objects)
    assert ended(database, settings, [[each] for each in objects]) == at_once
    assert at_once["targets"] == [
        {"survey": survey, "object_id": name}
        for survey, name, passed in verdicts(database, "survey, object_id, passed")
        if passed
    ]
