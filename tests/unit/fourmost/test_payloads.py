import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.answers import ztf_settings
from tides_bridge.errors import FourmostRejected
from tides_bridge.fourmost.payloads import FourmostStage, stage_for_4most, to_4most
from tides_bridge.settings import Settings

AGES = {"maxMagnitudeAge": "1000 days"}
"""However old it is, what was measured is sent."""

SETTINGS = ztf_settings(fourmost=AGES)


def r_of(mag: float) -> dict[str, dict[str, float]]:
    """Newest magnitudes of a target that has but one."""
    return {"lsst_r": {"mag": mag, "mjd": 61000.25}}


def row(**values: Any) -> dict[str, Any]:
    """A row of fourmost/list_targets.sql."""
    usual: dict[str, Any] = {
        "tides_id": 1,
        "name": "ZTF26aaaaaaa",
        "ra": 10.5,
        "decl": -20.25,
        "last_detection_mjd": 61000.25,
        "magnitudes": {f"lsst_{band}": {"mag": 20.0 + i / 10, "mjd": 61000.25} for i, band in enumerate("ugrizy")},
        "active": True,
        "pk_4most": None,
        "wanted_4most": None,
        "told_4most": None,
        "refused_4most": None,
        "refused_4most_payload": None,
        "is_refused_still": False,
        "otherwise_4most": None,
        "tonight": None,
        "annotations": {},
        "date_ingested": None,
    }
    assert values.keys() <= usual.keys()
    return {**usual, **values}


def fourmost(**values: Any) -> Settings:
    return ztf_settings(fourmost=AGES | values)


def stage(*rows: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """What is to be sent, by list; lists that are empty are left out."""
    staged = stage_for_4most(rows, SETTINGS)
    assert isinstance(staged, FourmostStage)
    return {name: rows for name, rows in vars(staged).items() if rows and name != "wanted"}


def wanted(*rows: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """What is wanted, and not allowed any more."""
    return stage_for_4most(rows, SETTINGS).wanted


def told(**changes: Any) -> dict[str, Any]:
    """What 4MOST was told, as it comes back from the database."""
    return json.loads(json.dumps({**to_4most(row(), SETTINGS), **changes}))  # type: ignore[no-any-return]


# The payload


def test_a_payload_says_what_tides_sends() -> None:
    assert to_4most(row(), SETTINGS) == {
        "uploadedfor_survey_id": 15,
        "name": "ZTF26aaaaaaa",
        "ra": 10.5,
        "dec": -20.25,
        "pmra": 0.0,
        "pmdec": 0.0,
        "epoch": 2000.0,
        "resolution": 1,
        "subsurvey": "tides-sn",
        "cadence": 1048576,
        "template": "SN_spec_specid56_snt1_phase5_redshift0.169.fits",
        "ruleset": "tides_snMay2024",
        "extent_flag": 0,
        "mag": 20.2,
        "mag_type": "LSST_r_AB",
        "classification": "TRA",
        "date_earliest": 2461000.75,
        "date_latest": 2461020.75,
        "t_exp_d": 38.0,
        "t_exp_g": 38.0,
        "t_exp_b": 4300.0,
        "t_exp_s": 4300.0,
        "is_active": True,
    }


@pytest.mark.parametrize(("mag_type", "mag"), [("LSST_g_AB", 20.1), ("LSST_r_AB", 20.2), ("LSST_y_AB", 20.5)])
def test_the_magnitude_is_that_of_the_band_it_is_labelled_with(mag_type: str, mag: float) -> None:
    payload = to_4most(row(), fourmost(magType=mag_type))
    assert (payload["mag"], payload["mag_type"]) == (mag, mag_type)


def test_a_magnitude_is_converted_where_the_settings_say_how() -> None:
    settings = fourmost(colourTerms=[{"from": "ZTF_r", "zeroPoint": 0.5, "source": "a test"}])
    known = row(magnitudes={"ztf_r": {"mag": 19.25, "mjd": 61000.25}})
    payload = to_4most(known, settings)
    assert (payload["mag"], payload["mag_type"]) == (19.75, "LSST_r_AB")
    (new,) = stage_for_4most([known], settings).new
    assert (new["payload"], new["origin"]) == (payload, "ZTF r + 0.5; source: a test")


def test_a_target_without_the_magnitude_is_refused_until_it_has_it() -> None:
    (refused,) = stage(row(magnitudes={"ztf_r": {"mag": 19.25, "mjd": 61000.25}}))["refused"]
    assert "mag: no magnitude in LSST r" in refused["reason"]
    assert list(stage(row(refused_4most=refused["reason"]))) == ["new"]


def test_a_range_holds_for_what_is_sent_and_not_for_what_was_measured() -> None:
    settings = fourmost(colourTerms=[{"from": "ZTF_r", "zeroPoint": -18, "source": "a test"}])
    with pytest.raises(FourmostRejected, match=r"mag: 2\.0 is outside 3\.0"):
        to_4most(row(magnitudes={"ztf_r": {"mag": 20.0, "mjd": 61000.25}}), settings)


def test_dates_are_julian_dates_in_float64() -> None:
    payload = to_4most(row(last_detection_mjd=61000.123456789), ztf_settings(targets={"deactivateAfter": "36 hours"}))
    assert payload["date_earliest"] == 61000.123456789 + 2400000.5
    assert payload["date_latest"] - payload["date_earliest"] == 1.5
    assert payload["date_earliest"] == pytest.approx(2461000.623456789, abs=1e-9)


def test_a_payload_passes_through_json_unchanged() -> None:
    payload = to_4most(row(ra=1 / 3, decl=-1e-17, last_detection_mjd=61000.123456789), SETTINGS)
    assert json.loads(json.dumps(payload)) == payload


@pytest.mark.parametrize(
    ("column", "value", "sent"),
    [
        ("decl", 40.0, "dec"),
        ("decl", -89.99999999, "dec"),
        ("ra", 0.0, "ra"),
        ("ra", 359.99999999, "ra"),
        ("name", "x" * 256, "name"),
    ],
)
def test_the_edges_of_the_ranges_are_sent_as_they_are(column: str, value: object, sent: str) -> None:
    assert to_4most(row(**{column: value}), SETTINGS)[sent] == value


@pytest.mark.parametrize("mag", [3.0, 50.0])
def test_the_edges_of_the_magnitudes_are_sent_as_they_are(mag: float) -> None:
    assert to_4most(row(magnitudes=r_of(mag)), SETTINGS)["mag"] == mag


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("decl", 40.0001, "dec: 40.0001 is outside -89.99999999 ... 40.0"),
        ("decl", -90.0, "dec: -90.0 is outside -89.99999999 ... 40.0"),
        ("decl", float("nan"), "dec: nan is outside -89.99999999 ... 40.0"),
        ("ra", 359.999999999, "ra: 359.999999999 is outside 0.0 ... 359.99999999"),
        ("ra", -0.1, "ra: -0.1 is outside 0.0 ... 359.99999999"),
        ("magnitudes", r_of(2.9), "mag: 2.9 is outside 3.0 ... 50.0"),
        ("magnitudes", r_of(56.0), "mag: 56.0 is outside 3.0 ... 50.0"),
        ("magnitudes", r_of(-1e308), "mag: -1e+308 is outside 3.0 ... 50.0"),
        ("name", "", "name: must have 1 to 256 characters"),
        ("name", "x" * 257, "name: must have 1 to 256 characters"),
    ],
)
def test_what_the_format_forbids_is_refused_and_never_clamped(column: str, value: object, problem: str) -> None:
    with pytest.raises(FourmostRejected) as refused:
        to_4most(row(**{column: value}), SETTINGS)
    assert refused.value.problem == problem


# The stage


def test_a_target_that_4most_does_not_know_is_new() -> None:
    assert stage(row()) == {"new": [{**row(), "payload": to_4most(row(), SETTINGS), "origin": "LSST r"}]}


def test_a_target_that_4most_knows_as_it_is_is_left_alone() -> None:
    assert list(stage(row(pk_4most=7, told_4most=told()))) == ["agreed"]


def test_only_what_changed_is_sent() -> None:
    (changed,) = stage(row(pk_4most=7, told_4most=told(), last_detection_mjd=61001.25, magnitudes=r_of(20.3)))[
        "changed"
    ]
    assert changed["changes"] == {"mag": 20.3, "date_earliest": 2461001.75, "date_latest": 2461021.75}
    assert changed["payload"] == told(mag=20.3, date_earliest=2461001.75, date_latest=2461021.75)
    assert (changed["pk_4most"], changed["origin"]) == (7, "LSST r")


INGESTED = datetime(2026, 6, 9, 13, tzinfo=UTC)


def test_after_ingestion_only_the_active_flag_is_sent() -> None:
    known = row(
        pk_4most=7, told_4most=told(), date_ingested=INGESTED, last_detection_mjd=61001.25, magnitudes=r_of(20.3)
    )
    assert stage(known) == {}
    (changed,) = stage({**known, "told_4most": told(is_active=False)})["changed"]
    assert (changed["changes"], changed["payload"], changed["origin"]) == ({"is_active": True}, told(), None)


def test_what_may_not_change_after_ingestion_is_wanted() -> None:
    known = row(
        pk_4most=7, told_4most=told(), date_ingested=INGESTED, last_detection_mjd=61001.25, magnitudes=r_of(20.3)
    )
    changes = {"mag": 20.3, "date_earliest": 2461001.75, "date_latest": 2461021.75}
    assert wanted(known) == {1: changes}
    assert wanted({**known, "told_4most": told(is_active=False)}) == {1: changes}
    assert wanted({**known, "wanted_4most": changes, "refused_4most": "no"}) == {1: changes}


def test_nothing_is_wanted_that_is_allowed_or_there_already() -> None:
    assert wanted(row(pk_4most=7, told_4most=told(), date_ingested=INGESTED)) == {}
    assert wanted(row(pk_4most=7, told_4most=told(is_active=False), date_ingested=INGESTED)) == {}
    assert wanted(row(pk_4most=7, told_4most=told(), magnitudes=r_of(20.3))) == {}
    assert wanted(row(active=False, pk_4most=7, told_4most=told(), date_ingested=INGESTED, magnitudes=r_of(20.3))) == {}
    assert wanted(row(pk_4most=7, told_4most=told(), date_ingested=INGESTED, decl=41.0)) == {}


@pytest.mark.parametrize("ingested", [None, INGESTED])
def test_a_target_that_is_off_here_is_switched_off_there(ingested: datetime | None) -> None:
    (off,) = stage(row(active=False, pk_4most=7, told_4most=told(), date_ingested=ingested))["deactivated"]
    assert (off["changes"], off["payload"], off["pk_4most"]) == ({"is_active": False}, told(is_active=False), 7)


@pytest.mark.parametrize("wrong", [{"decl": 41.0}, {"magnitudes": {}}])
def test_a_target_that_the_format_forbids_now_is_still_switched_off(wrong: dict[str, Any]) -> None:
    assert list(stage(row(active=False, pk_4most=7, told_4most=told(), **wrong))) == ["deactivated"]


def test_a_target_that_is_back_is_switched_on_with_all_that_changed() -> None:
    (changed,) = stage(row(pk_4most=7, told_4most=told(is_active=False), magnitudes=r_of(19.0)))["changed"]
    assert changed["changes"] == {"is_active": True, "mag": 19.0}


def test_a_target_that_the_format_forbids_is_refused_once() -> None:
    (refused,) = stage(row(decl=40.0001))["refused"]
    problem = "dec: 40.0001 is outside -89.99999999 ... 40.0"
    assert (refused["reason"], refused["payload"], refused["name"]) == (problem, None, "ZTF26aaaaaaa")
    assert stage(row(decl=40.0001, refused_4most=problem)) == {}
    assert list(stage(row(decl=40.0002, refused_4most=problem))) == ["refused"]
    assert list(stage(row(decl=40.0, refused_4most=problem))) == ["new"]


def test_a_payload_that_4most_refused_is_not_sent_again_until_it_changes() -> None:
    refused = row(refused_4most="no", refused_4most_payload=told(), is_refused_still=True)
    assert stage(refused) == {}
    assert list(stage({**refused, "is_refused_still": False})) == ["new"], "its wait is over"
    assert list(stage({**refused, "magnitudes": r_of(20.3)})) == ["new"]


def test_a_change_that_4most_refused_is_not_sent_again_until_it_changes() -> None:
    refused = row(pk_4most=7, told_4most=told(mag=21.0), refused_4most="no", refused_4most_payload=told())
    refused["is_refused_still"] = True
    assert stage(refused) == {}
    assert list(stage({**refused, "is_refused_still": False})) == ["changed"], "its wait is over"
    assert list(stage({**refused, "magnitudes": r_of(20.3)})) == ["changed"]


def test_a_refused_switch_is_sent_again() -> None:
    known = row(pk_4most=7, told_4most=told(is_active=False), date_ingested=INGESTED, magnitudes=r_of(19.0))
    (changed,) = stage(known)["changed"]
    again = stage({**known, "refused_4most": "no", "refused_4most_payload": changed["payload"]})
    assert [row["changes"] for row in again["changed"]] == [{"is_active": True}]


def test_targets_are_staged_one_by_one() -> None:
    rows = [
        row(name="new"),
        row(name="same", pk_4most=7, told_4most=told(name="same")),
        row(name="wrong", decl=41.0),
        row(name="off", active=False, pk_4most=8, told_4most=told(name="off")),
        row(name="changed", pk_4most=9, told_4most=told(name="changed", mag=19.0)),
    ]
    names = {key: [each["name"] for each in each_of] for key, each_of in stage(*rows).items()}
    expected = {
        "new": ["new"],
        "agreed": ["same"],
        "refused": ["wrong"],
        "deactivated": ["off"],
        "changed": ["changed"],
    }
    assert names == expected


@pytest.mark.parametrize(("targets", "days"), [({}, 20), ({"rule": "days"}, 5), ({"unlookedAfter": "9 days"}, 9)])
def test_the_window_of_a_target_ends_when_it_is_switched_off(targets: dict[str, str], days: int) -> None:
    settings = SETTINGS.model_copy(update={"targets": SETTINGS.targets.model_validate(targets)})
    payload = to_4most(row(), settings)
    assert payload["date_latest"] - payload["date_earliest"] == days


# What hardly changed


@pytest.mark.parametrize(("mag", "is_sent"), [(20.3, False), (20.38, False), (20.41, True), (20.18, True)])
def test_a_magnitude_is_sent_anew_if_it_changed_by_a_tenth(mag: float, is_sent: bool) -> None:
    magnitudes = {"lsst_r": {"mag": mag, "mjd": 61000.25, "error": 0.03}}
    new = row(pk_4most=7, told_4most=told(mag=20.29, mag_err=0.5), magnitudes=magnitudes)
    changes = {} if not is_sent else {"mag": mag, "mag_err": 0.03}
    assert [changed["changes"] for changed in stage(new).get("changed", [])] == ([changes] if is_sent else [])


@pytest.mark.parametrize(("east", "is_sent"), [(0.0, False), (0.09, False), (-0.09, False), (0.11, True)])
def test_a_target_is_moved_by_more_than_a_tenth_of_an_arcsecond(east: float, is_sent: bool) -> None:
    ra = 10.5 + east / 3600 / math.cos(math.radians(20.25))
    new = row(pk_4most=7, told_4most=told(), ra=ra)
    assert [changed["changes"] for changed in stage(new).get("changed", [])] == ([{"ra": ra}] if is_sent else [])


def test_what_was_never_told_is_told_whole() -> None:
    assert stage(row(ra=10.500001, magnitudes=r_of(20.301)))["new"][0]["payload"]["ra"] == 10.500001
    other = stage(row(pk_4most=7, told_4most=told(mag_type="LSST_g_AB")))["changed"][0]
    assert other["changes"] == {"mag_type": "LSST_r_AB"}


def noted(**numbers: float) -> dict[str, dict[str, Any]]:
    """Annotations of one object; two underscores stand for the point in a name."""
    return {name.replace("__", "."): {"number": number, "of": "ztf a"} for name, number in numbers.items()}


SPECTRUM = {"sherlock__spectroscopic_redshift": 0.05}
TNS = {"tns__redshift": 0.06}
PHOTOMETRIC = {"sherlock__photometric_redshift": 0.07, "sherlock__photometric_redshift_error": 0.01}
LEGACY = {"legacy__photometric_redshift": 0.08, "legacy__photometric_redshift_error": 0.02}


@pytest.mark.parametrize(
    ("numbers", "sent"),
    [
        ({}, {}),
        (LEGACY | PHOTOMETRIC | TNS | SPECTRUM, {"redshift_estimate": 0.05}),
        (LEGACY | PHOTOMETRIC | TNS, {"redshift_estimate": 0.06}),
        (LEGACY | PHOTOMETRIC, {"redshift_estimate": 0.07, "redshift_error": 0.01}),
        (LEGACY, {"redshift_estimate": 0.08, "redshift_error": 0.02}),
        (LEGACY | {"tns__redshift": 10.1}, {"redshift_estimate": 0.08, "redshift_error": 0.02}),
        (LEGACY | {"legacy__photometric_redshift_error": 11.0}, {"redshift_estimate": 0.08}),
        ({"tns__redshift": 10.0, "lasair__ebv": 100.0}, {"redshift_estimate": 10.0, "reddening": 100.0}),
        ({"tns__redshift": -0.01, "lasair__ebv": 0.0}, {"redshift_estimate": -0.01, "reddening": 0.0}),
        ({"tns__redshift": -0.02, "lasair__ebv": -0.1}, {}),
        ({"sherlock__photometric_redshift_error": 0.01, "lasair__ebv": 100.1}, {}),
        ({"tns__redshift": 0.0123456}, {"redshift_estimate": 0.0123}),
    ],
)
def test_the_best_redshift_that_is_known_is_sent_and_the_reddening(
    numbers: dict[str, float], sent: dict[str, float]
) -> None:
    columns = ("redshift_estimate", "redshift_error", "reddening")
    payload = to_4most(row(annotations=noted(**numbers)), SETTINGS)
    assert {column: payload[column] for column in columns if column in payload} == sent


def test_an_error_of_another_object_is_not_that_of_a_redshift() -> None:
    notes = noted(**PHOTOMETRIC)
    notes["sherlock.photometric_redshift_error"]["of"] = "lsst b"
    assert "redshift_error" not in to_4most(row(annotations=notes), SETTINGS)


def test_where_redshift_and_reddening_come_from_is_told_with_the_magnitude() -> None:
    notes = noted(**LEGACY, lasair__ebv=0.1)
    (new,) = stage(row(annotations=notes))["new"]
    (plain,) = stage(row())["new"]
    words = "redshift photometric, of the Legacy Survey; reddening of Lasair"
    assert new["origin"] == f"{plain['origin']}; {words}"
    there = {"pk_4most": 7, "told_4most": plain["payload"]}
    (changed,) = stage(row(annotations=notes, **there))["changed"]
    assert changed["changes"] == {"redshift_estimate": 0.08, "redshift_error": 0.02, "reddening": 0.1}
    assert changed["origin"] == words


def test_an_error_is_taken_back_with_the_redshift_that_it_was_of() -> None:
    told = to_4most(row(annotations=noted(**LEGACY)), SETTINGS)
    there = {"pk_4most": 7, "told_4most": told}
    (changed,) = stage(row(annotations=noted(**LEGACY, **SPECTRUM), **there))["changed"]
    assert changed["changes"] == {"redshift_estimate": 0.05, "redshift_error": 0.0}
    settled = {"pk_4most": 7, "told_4most": changed["payload"]}
    assert stage(row(annotations=noted(**LEGACY, **SPECTRUM), **settled)).keys() == {"agreed"}
