"""The light curves of targets: which is kept, and what is drawn of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from tests.sql.test_together import ALONE, BOTH, LSST_ID, NOW, seen, take
from tests.support.databases import rows_of
from tides_bridge.database import Database
from tides_bridge.decisions.models import Judged
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.stored import unpack_table
from tides_bridge.portal.plots import draw_target
from tides_bridge.selection import Verdicts, plots
from tides_bridge.settings import Settings
from tides_bridge.targets.curves import store_target_curves, with_curves

TWO_BANDS = ((61000.0, "g", 19.0), (61001.0, "r", 19.5))
ONE_BAND = ((61000.0, "g", 19.0),)


def stored(database: Database) -> list[dict[str, Any]]:
    return rows_of(database, "SELECT * FROM target_light_curve ORDER BY survey, object_id")


def keep(database: Database, judged: Sequence[Judged], now_mjd: float = NOW) -> int:
    with database.transaction() as connection:
        kept = (with_curves(chunk.targets, chunk.curves, keys_of(chunk)) for chunk in judged)
        return store_target_curves(connection, kept, now_mjd)


def keys_of(chunk: Judged) -> set[tuple[str, str]]:
    return set(zip(chunk.facts["survey"], chunk.facts["object_id"], strict=True)) if len(chunk.facts) else set()


def points(row: dict[str, Any]) -> LightCurves:
    return LightCurves.from_arrow(unpack_table(bytes(row["curve"])))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[LightCurves, Verdicts]]:
    """What is given to the plot."""
    given: list[tuple[LightCurves, Verdicts]] = []
    draw = plots.light_curve_figure

    def spy(curve: LightCurves, verdicts: Verdicts, place: int = 0) -> Any:
        given.append((curve, verdicts))
        return draw(curve, verdicts, place)

    monkeypatch.setattr(plots, "light_curve_figure", spy)
    return given


def test_the_light_curves_of_those_that_pass_are_kept(database: Database, settings: Settings) -> None:
    batch = [seen("a", *TWO_BANDS), seen("b", *ONE_BAND, east=100)]
    judged = take(database, settings, batch, functions=[ALONE])
    assert keep(database, judged) == 1
    (row,) = stored(database)
    assert (row["survey"], row["object_id"], row["last_detection_mjd"], row["now_mjd"]) == ("ztf", "a", 61001.0, NOW)
    assert isinstance(row["decided_at"], datetime)
    np.testing.assert_array_equal(points(row).mjd, [61000.0, 61001.0])
    assert keep(database, [Judged({}, judged[0].targets[:0], {})]) == 0


def test_the_newest_light_curve_is_kept_whichever_comes_first(database: Database, settings: Settings) -> None:
    newer = seen("a", *TWO_BANDS, (61002.0, "r", 19.0))
    keep(database, take(database, settings, [newer], functions=[ALONE]))
    keep(database, take(database, settings, [seen("a", *TWO_BANDS)], functions=[ALONE]), NOW + 1)
    (row,) = stored(database)
    assert (len(points(row).mjd), row["now_mjd"]) == (3, NOW)
    keep(database, take(database, settings, [newer], functions=[ALONE]), NOW + 2)
    assert stored(database)[0]["now_mjd"] == NOW + 2


def test_a_plot_has_the_target_the_object_and_the_verdict_of_then(
    database: Database, settings: Settings, drawn: list[tuple[LightCurves, Verdicts]]
) -> None:
    keep(database, take(database, settings, [seen("a", *TWO_BANDS)], functions=[ALONE]))
    picture = draw_target(database, "ztf", "a")
    assert picture is not None and picture.startswith(b"\x89PNG")
    ((curve, verdicts),) = drawn
    (name,) = rows_of(database, "SELECT name FROM tides_master")
    assert curve.object_ids == (f"{name['name']}: a",)
    assert (verdicts.function.name, verdicts.passed.tolist()) == ("alone", [True])


def test_points_of_several_surveys_are_drawn_where_they_were_judged_together(
    database: Database, settings: Settings, drawn: list[tuple[LightCurves, Verdicts]]
) -> None:
    batch = [seen("a", (61000.0, "g", 19.0)), seen(LSST_ID, (61001.0, "r", 19.5), east=0.1)]
    judged = take(database, settings, batch, functions=[BOTH])
    assert keep(database, judged) == 2
    for survey, object_id in (("ztf", "a"), ("lsst", LSST_ID)):
        assert draw_target(database, survey, object_id)
    for curve, verdicts in drawn:
        np.testing.assert_array_equal(curve.mjd, [61000.0, 61001.0])
        assert verdicts.passed.tolist() == [True]
    assert [curve.object_ids[0].partition(": ")[2] for curve, _ in drawn] == [f"a + {LSST_ID}", f"{LSST_ID} + a"]


def test_what_never_passed_or_cannot_be_understood_is_not_drawn(database: Database, settings: Settings) -> None:
    assert draw_target(database, "ztf", "a") is None
    keep(database, take(database, settings, [seen("a", *TWO_BANDS)], functions=[ALONE]))
    assert draw_target(database, "lsst", "a") is None
    rows_of(database, 'UPDATE selection_function SET normalised_text = \'{"of": "later"}\' RETURNING 1')
    assert draw_target(database, "ztf", "a") is None
