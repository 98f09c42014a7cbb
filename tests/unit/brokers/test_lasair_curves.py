"""The fast way from an answer to columns gives what the lenient one gives, entry by entry."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.answers import detection, limit
from tests.support.curves import quick
from tides_bridge.brokers.base import Fetched
from tides_bridge.brokers.lasair import curves as lasair_curves
from tides_bridge.brokers.lasair.curves import NO_DETECTION, fetched_light_curves
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.columns import POINT_COLUMNS

CANDID = 1869447434515015004


def entry(name: str, *points: dict[str, Any]) -> dict[str, Any]:
    return {"objectId": name, "candidates": list(points), "forcedphot": []}


def text(*entries: Any, **options: Any) -> bytes:
    return json.dumps(list(entries), **options).encode()


def assert_equal(one: LightCurves, other: LightCurves) -> None:
    assert one.object_ids == other.object_ids
    assert one.offsets.tolist() == other.offsets.tolist()
    for name in POINT_COLUMNS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name, strict=True)


def fast(body: bytes, names: list[str] | None = None) -> Fetched:
    """The fast way only: the lenient one is an error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lasair_curves, "_read_leniently", lambda *_: pytest.fail("it was read leniently"))
        return fetched_light_curves(body, names)


def lenient(body: bytes, names: list[str] | None = None) -> Fetched:
    return lasair_curves._read_leniently(body, names)


POINTS = st.builds(
    lambda is_limit, sixteenth, values: (
        limit(2461000.5 + sixteenth / 16, fid=values["fid"], diffmaglim=values["diffmaglim"])
        if is_limit
        else detection(CANDID, 2461000.5 + sixteenth / 16, **values)
    ),
    st.booleans(),
    st.integers(0, 40),
    st.fixed_dictionaries(
        {
            "fid": st.integers(0, 4),
            "nid": st.integers(0, 5000),
            "magpsf": st.sampled_from([19.5, 20, -999.0, None]),
            "sigmapsf": st.sampled_from([0.1, 0, -999.0]),
            "isdiffpos": st.sampled_from(["t", "f", "1", "0"]),
            "ra": st.sampled_from([10.5, 10, -999.0]),
            "drb": st.sampled_from([0.99, 1, None]),
            "diffmaglim": st.sampled_from([20.5, 20, -999.0]),
        }
    ),
)


@quick
@given(st.lists(st.lists(POINTS, max_size=6), max_size=4))
def test_both_ways_give_the_same(curves: list[list[dict[str, Any]]]) -> None:
    for points in curves:
        for number, point in enumerate(points):
            point.update({"candid": CANDID + number} if "candid" in point else {})
        points.extend(points[:2])  # what comes twice counts once
    body = text(*(entry(f"ZTF{number}", *points) for number, points in enumerate(curves)))
    one, other = fast(body), lenient(body)
    assert_equal(one.curves, other.curves)
    assert one.missing == other.missing


@pytest.mark.parametrize("options", [{}, {"separators": (",", ":")}, {"indent": 1}])
def test_blanks_are_no_matter(options: dict[str, Any]) -> None:
    body = text(entry("a", detection(CANDID, drb=None, ssnamenr=None), limit(2461001.5)), **options)
    assert_equal(fast(body).curves, lenient(body).curves)


def test_objects_come_in_the_order_asked_for_and_those_without_detection_are_told() -> None:
    body = text(entry("c", detection(CANDID)), entry("limits", limit(2461001.5)), entry("a", detection(CANDID + 1)))
    answer = fast(body, ["a", "none", "limits", "c"])
    assert answer.curves.object_ids == ("a", "c")
    assert answer.curves.source_id.tolist() == [CANDID + 1, CANDID]
    assert answer.missing == {"none": NO_DETECTION, "limits": NO_DETECTION}


def test_an_answer_without_points_and_one_without_objects() -> None:
    assert fast(text(entry("a")), ["a"]).missing == {"a": NO_DETECTION}
    assert len(fast(text()).curves) == 0


def test_where_one_detection_lacks_a_night_it_has_that_of_its_epoch() -> None:
    points = [detection(CANDID), detection(CANDID + 1, 2461002.7), limit(2461001.5, nid=3247)]
    del points[1]["nid"]
    body = text(entry("a", *points))
    assert_equal(fast(body).curves, lenient(body).curves)
    assert fast(body).curves.night.tolist() == [3246, 3247, 3248]


def test_a_limit_has_an_error_only() -> None:
    curves = fast(text(entry("a", detection(CANDID), limit(2461001.5, diffmaglim=31.4, magpsf=20.0)))).curves
    assert curves.is_detection.tolist() == [True, False]
    assert curves.flux_error[1] == pytest.approx(0.2)  # a fifth of 1 nJy
    assert np.isnan([curves.flux[1], curves.magnitude[1], curves.significance[1]]).all()


@pytest.mark.parametrize(
    "point",
    [
        detection(7),
        detection(2**63 + 5),
        detection(CANDID, isdiffpos=1),
        detection(CANDID, isdiffpos=None),
        detection(CANDID, nid=-4),
        detection(CANDID, fid=1.5),
        detection(CANDID, magpsf=float("nan")),
        detection(CANDID, magpsf="19.5"),
        detection(CANDID, jd=2400000.5),
        detection(CANDID, nid=None),
        detection(CANDID, fid=None),
    ],
)
def test_what_is_not_as_usual_is_read_leniently(point: dict[str, Any]) -> None:
    body = text(entry("a", detection(CANDID + 9), point))
    assert_equal(fetched_light_curves(body).curves, lenient(body).curves)
    assert len(fetched_light_curves(body).curves) == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"null", b'"x"', b"[1]"])
def test_what_is_no_answer_is_an_error_or_no_light_curve(body: bytes) -> None:
    try:
        assert len(fetched_light_curves(body, ["a"]).curves) == 0
    except ValueError as error:
        assert str(error)


def test_real_alerts_are_read_alike(shared_data: Path) -> None:
    file = shared_data / "ztf" / "alerts.jsonl.gz"
    if not file.exists():
        pytest.skip("the real alerts are not on this machine")
    with gzip.open(file, "rt") as lines:
        packets = {packet["objectId"]: packet for packet in map(json.loads, lines)}
    usual = ("candid", "jd", "ra", "dec", "fid", "nid", "magpsf", "sigmapsf", "isdiffpos", "drb", "diffmaglim")
    entries = [
        entry(name, *({key: each[key] for key in usual if key in each} for each in points))
        for name, packet in packets.items()
        for points in [[packet["candidate"], *(packet["prv_candidates"] or [])]]
    ]
    body = text(*entries)
    assert_equal(fetched_light_curves(body).curves, lenient(body).curves)
    assert len(fetched_light_curves(body).curves) == 573
