"""The simulated sky: the same for the same seed, and roughly as the real one."""

import json
from collections import Counter

import numpy as np
import pytest

from simulators.alerts.packets import alerts, name, packet, ztf_truth
from simulators.services.lasair import to_light_curve, to_message
from simulators.sky import LSST, SHARES, SUPERNOVAE, Sky, bazin, black_body_colour, redshift_of, to_flux, to_magnitude


@pytest.fixture(scope="module")
def sky() -> Sky:
    return Sky(seed=3, objects=400)


def test_the_seed_decides_everything() -> None:
    night = next(n for n in range(61260, 61290) if Sky(seed=5, objects=60).is_clear(n))
    again, other = (alerts(Sky(seed=seed, objects=60), night) for seed in (5, 6))
    assert alerts(Sky(seed=5, objects=60), night) == again
    assert again != other


def test_more_objects_leave_the_others_alone() -> None:
    few, many = Sky(seed=5, objects=5), Sky(seed=5, objects=50)
    assert few.objects == many.objects[:5]
    assert np.array_equal(few.light_curve(3).flux_njy, many.light_curve(3).flux_njy)


def test_every_kind_is_there_in_its_share(sky: Sky) -> None:
    counts = Counter(thing.kind for thing in sky.objects)
    assert set(counts) == set(SHARES)
    for kind, share in SHARES.items():
        assert abs(counts[kind] / 400 - share) < 3 * np.sqrt(share / 400)


def test_a_type_ia_supernova_fades_as_observed_ones() -> None:
    ia = SUPERNOVAE["SN Ia"]
    before, peak, after = to_magnitude(bazin(np.array([-15.0, 0.0, 15.0]), ia.rise, np.array([ia.fall])))
    assert after - peak == pytest.approx(1.05, abs=0.1)
    assert before - peak > 2


def test_colours_and_distances_are_those_of_textbooks() -> None:
    blue, red = black_body_colour(np.array([480.0, 790.0]), 11_000, 0.0)
    assert blue < 0 < red
    assert redshift_of(38.3) == pytest.approx(0.1, rel=0.02)
    assert to_flux(20.0) == pytest.approx(36_307.8, rel=1e-4)


def test_supernovae_only_brighten_stars_and_galaxies_do_both(sky: Sky) -> None:
    signs: dict[str, Counter[bool]] = {kind: Counter() for kind in SHARES}
    for thing in sky.objects:
        curve = sky.light_curve(thing.number)
        signs[thing.kind].update((curve.flux_njy[curve.detected] > 0).tolist())
    for kind, seen in signs.items():
        if kind in {"AGN", "variable star"}:
            assert 0.2 < seen[True] / seen.total() < 0.8
        else:
            assert seen[False] <= 1  # noise reaches five sigma once in two million


def test_noise_is_what_the_limit_says(sky: Sky) -> None:
    pulls = [sky.light_curve(t.number) for t in sky.objects if t.kind == "asteroid"]
    quiet = np.concatenate([(c.flux_njy / c.error_njy)[~c.detected] for c in pulls])
    assert np.std(quiet) == pytest.approx(1, abs=0.05)


def test_an_asteroid_is_seen_in_one_visit(sky: Sky) -> None:
    counts = [sky.light_curve(t.number).detected.sum() for t in sky.objects if t.kind == "asteroid"]
    assert set(counts) <= {0, 1}
    assert sum(counts) > 0.8 * len(counts)


def test_the_cadence_has_gaps_of_weather(sky: Sky) -> None:
    clear = [sky.is_clear(night) for night in range(sky.first_night, sky.first_night + sky.nights)]
    assert 0.5 < np.mean(clear) < 0.95
    assert not sky.is_clear(sky.first_night - 1)
    nights = {int(n) for thing in sky.objects[:30] for n in sky.light_curve(thing.number).night}
    assert all(sky.is_clear(night) for night in nights)


def test_lsst_sees_fainter_in_six_bands() -> None:
    sky = Sky(seed=3, survey="lsst", objects=100)
    curves = [sky.light_curve(thing.number) for thing in sky.objects]
    assert {LSST.bands[b] for curve in curves for b in curve.band} == set("ugrizy")
    assert np.median(np.concatenate([c.magnitude[c.detected] for c in curves])) > 22


def clear_nights(sky: Sky) -> list[int]:
    return [n for n in range(sky.first_night, sky.first_night + sky.nights) if sky.is_clear(n)]


def test_a_packet_has_the_form_of_a_recorded_one(sky: Sky) -> None:
    night = clear_nights(sky)[-1]
    alert = json.loads(json.dumps(alerts(sky, night)[0]))
    newest, history = alert["candidate"], alert["prv_candidates"]
    assert alert["objectId"].startswith("ZTF26aaa") and len(alert["objectId"]) == 12
    assert alert["candid"] == newest["candid"] > 2**53
    assert newest["candid"] < 2**63
    assert newest["nid"] == night - 57754 == int(newest["jd"] - 2457754.5)
    assert {"jd", "fid", "magpsf", "sigmapsf", "isdiffpos", "ra", "dec", "drb", "ndethist", "ssnamenr"} <= set(newest)
    assert all(newest["jd"] - 30 < point["jd"] < newest["jd"] for point in history)
    assert all(("magpsf" in point) == ("candid" in point) for point in history)
    assert newest["sigmapsf"] <= 1.0858 / 5


def test_identifiers_are_unique_and_a_detection_keeps_its_own(sky: Sky) -> None:
    earlier, later = clear_nights(sky)[20], clear_nights(sky)[22]
    detections: dict[int, tuple[float, float, str]] = {}
    for alert in alerts(sky, earlier) + alerts(sky, later):
        for point in to_light_curve(alert)["candidates"]:
            if "candid" in point:
                content = (point["jd"], point["magpsf"], point["ra"], alert["objectId"])
                assert detections.setdefault(point["candid"], content) == content
    assert len({content[-1] for content in detections.values()}) > 50


def test_an_object_not_seen_causes_no_alert(sky: Sky) -> None:
    cloudy = next(n for n in range(sky.first_night, sky.first_night + sky.nights) if not sky.is_clear(n))
    assert alerts(sky, cloudy) == []
    assert packet(sky, 0, cloudy) is None
    hidden = next(t for t in sky.objects if not sky.light_curve(t.number).detected.any())
    with pytest.raises(ValueError, match="never detected"):
        name(hidden, sky.light_curve(hidden.number))


def test_the_truth_lists_what_was_detected(sky: Sky) -> None:
    rows = {row["objectId"]: row for row in ztf_truth(sky)}
    seen = {a["objectId"]: a for night in clear_nights(sky) for a in alerts(sky, night)}
    assert set(rows) == set(seen)
    for key, alert in seen.items():
        assert rows[key]["kind"] == alert["labels"]["truth"]
        assert to_message(alert)["classification"] == rows[key]["sherlock"]
        assert to_message(alert)["decmean"] == pytest.approx(rows[key]["dec"], abs=1e-3)


def test_some_objects_are_too_far_north_for_4most(sky: Sky) -> None:
    north = sum(thing.dec > 40 for thing in sky.objects)
    assert 0 <= north < 0.3 * len(sky.objects)
