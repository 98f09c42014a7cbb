"""What ZTF's packets and Lasair's answers say of an object and its points."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import recorded
from tests.unit.formats.test_files import read, written
from tides_bridge.formats.records import Record, identify, to_light_curves
from tides_bridge.formats.ztf import NewestPoint, Point, ZtfObject, facts_of_alert, is_known_variable, ztf_curves
from tides_bridge.lightcurves import LightCurves

NAN = float("nan")


def curves_from(*points: recorded.Packet) -> LightCurves:
    return ztf_curves([ZtfObject("Z", [Point(**each) for each in points])])


@pytest.mark.parametrize(
    ("spelling", "is_positive"),
    [("t", True), ("1", True), (1, True), (True, True), ("f", False), ("0", False), (None, False)],
)
def test_the_spellings_of_isdiffpos(spelling: Any, is_positive: bool) -> None:
    assert curves_from({**recorded.point(0), "isdiffpos": spelling}).is_positive.tolist() == [is_positive]


def test_a_limit_with_a_magpsf_is_a_limit() -> None:
    curves = curves_from(recorded.limit(0) | {"magpsf": 20.5})
    assert not curves.is_detection[0] and math.isnan(curves.magnitude[0])


def test_sentinels_are_missing() -> None:
    curves = curves_from(recorded.point(0, magpsf=-999.0), recorded.point(1, sigmapsf=-99999.0))
    assert math.isnan(curves.magnitude[0]) and math.isnan(curves.magnitude_error[1])


def test_a_detection_needs_a_magnitude_and_a_candid() -> None:
    curves = curves_from(recorded.point(0), recorded.point(1, magpsf=None), recorded.point(2, candid=None))
    assert curves.is_detection.tolist() == [True, False, False]


def test_a_candid_as_a_float_is_a_detection_without_id() -> None:
    curves = curves_from(recorded.point(0, candid=2.6e18))
    assert (curves.is_detection.tolist(), curves.source_id.tolist()) == ([True], [-1])


def test_a_point_without_nid_gets_the_night_that_it_would_have() -> None:
    assert curves_from(recorded.point(0), recorded.point(1)).night.tolist() == [3200, 3201]
    assert curves_from(recorded.point(0), recorded.point(1, nid=None)).night.tolist() == [3200, 3201]


@pytest.mark.parametrize("jd", [None, NAN, math.inf, 1e300, 0.0, -999.0])
def test_a_point_without_epoch_is_left_out(jd: Any) -> None:
    assert len(curves_from(recorded.point(0), {**recorded.point(1), "jd": jd}).mjd) == 1


def test_an_object_without_points_is_kept() -> None:
    curves = ztf_curves([ZtfObject("A", []), ZtfObject("B", [Point(**recorded.limit(0))])])
    assert curves.object_ids == ("A", "B")
    assert curves.offsets.tolist() == [0, 0, 1]


@pytest.mark.parametrize(("distance", "flag"), [(-999.0, 0.0), (1.5, 1.0), (5.0, 1.0), (5.1, 0.0), (None, NAN)])
def test_asteroids(distance: Any, flag: float) -> None:
    assert facts_of_alert(NewestPoint(jd=0, ssdistnr=distance))["solar_system"] == pytest.approx(flag, nan_ok=True)


@pytest.mark.parametrize(
    ("score", "distance", "flag"),
    [(0.77, 1.9, 1.0), (0.76, 1.0, 0.0), (0.9, 2.0, 0.0), (-999.0, -999.0, 0.0), (0.9, -999.0, 0.0), (None, 1.0, NAN)],
)
def test_stars(score: Any, distance: Any, flag: float) -> None:
    known = facts_of_alert(NewestPoint(jd=0, sgscore1=score, distpsnr1=distance))
    assert known["point_source"] == pytest.approx(flag, nan_ok=True)


@pytest.mark.parametrize(("jd", "mjd"), [(2460000.5, 60000.0), (None, NAN), (-999.0, NAN), (1e9, NAN), (0.0, NAN)])
def test_when_it_was_first_seen(jd: Any, mjd: float) -> None:
    assert facts_of_alert(NewestPoint(jd=0, jdstarthist=jd))["first_seen"] == pytest.approx(mjd, nan_ok=True)


def test_a_catalogue_that_could_not_be_asked_is_no_answer() -> None:
    assert math.isnan(is_known_variable("Fail"))
    assert is_known_variable("Unknown", "Fail") == 0.0
    assert is_known_variable("Fail", "RRAB") == 1.0


def test_facts_of_a_packet_become_columns(tmp_path: Path) -> None:
    plain, star = (
        recorded.ztf_packets()[0],
        recorded.ztf_packets(sgscore1=0.99, distpsnr1=0.1, ssdistnr=1.0, ssnamenr="Eros")[1],
    )
    star |= {"vsx": "RRAB", "gcvs": "Unknown"}
    curves, _ = read(written(tmp_path, "p", recorded.json_lines([plain, star])))
    assert curves.objects.solar_system.tolist() == [0.0, 1.0]
    assert curves.objects.point_source.tolist() == [0.0, 1.0]
    assert np.array_equal(curves.objects.known_variable, [NAN, 1.0], equal_nan=True)
    assert (curves.objects.ra[0], curves.objects.decl[0]) == (10.25, -20.5)


def test_lasairs_object_answer_knows_more(tmp_path: Path) -> None:
    answer = recorded.answers()[0] | {
        "objectData": {"ramean": 1.5, "decmean": 2.5},
        "sherlock": {"classification": "SN"},
    }
    curves, _ = read(written(tmp_path, "p", recorded.json_text(answer)))
    assert curves.objects.sherlock_class.tolist() == ["SN"]
    assert (curves.objects.ra[0], curves.objects.decl[0]) == (1.5, 2.5)


def test_the_old_shape_with_the_id_in_the_first_line(tmp_path: Path) -> None:
    text = b"ZTF26aaaaaaa\n" + recorded.json_text([recorded.ZTF["ZTF26aaaaaaa"]])
    curves, told = read(written(tmp_path, "p.txt", text))
    assert told == []
    assert curves.object_ids == ("ZTF26aaaaaaa",)
    assert len(curves.mjd) == 4


def test_records_of_both_surveys_go_together() -> None:
    ztf = Record(objectId="Z", candidate=NewestPoint(**recorded.point(0)))
    assert identify(ztf) == ("Z", 61000.25)
    magnitudes, fluxes = to_light_curves([ztf])
    assert (len(magnitudes), len(fluxes)) == (1, 0)
