"""The real files that the project has at hand: how many objects and points each has, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.formats.test_files import Told, read

DATA = Path(__file__).parents[3] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real data are not here")

FILES: dict[str, tuple[int, int, int, int]] = {
    "ztf/alerts.jsonl.gz": (573, 14045, 4875, 0),
    "bts/snia_lightcurves.csv.gz": (1148, 22090, 22090, 0),
    "lasair_ztf/lasair_needle_ZTF24aatsiox_objects.json": (1, 20, 11, 0),
    "lasair_ztf/lasair_api_lc_ZTF22aaaozss.txt": (1, 27, 19, 0),
    "lasair_ztf/alerts": (8, 178, 58, 0),
    "lasair_lsst/kafka_messages.json": (32, 288, 288, 32),
    "lasair_lsst/313637921267122191.json": (1, 8, 8, 0),
    "lasair_lsst/313637921267122191_lite.json": (0, 0, 0, 1),
    "lasair_lsst/313637921267122191_object.json": (0, 0, 0, 1),
    "lsst/avro": (13, 15, 15, 1),
    "lsst/json": (2, 24, 24, 0),
    "lsst/parquet": (41, 81, 81, 6),
    "lsst/schema": (0, 0, 0, 20),
    "elasticc/snia_5398alerts.parquet": (3503, 145909, 43415, 0),
    "elasticc/agn_elasticc_alerts.parquet": (98, 15062, 4863, 0),
    "elasticc/elasticc_sample_seed0.parquet": (89, 6393, 1925, 0),
    "elasticc/avro": (44, 539, 539, 1),
    "fourmost": (0, 0, 0, 4),
}
"""Objects, points, detections, refused."""


@pytest.mark.parametrize("name", FILES)
def test_counts(name: str) -> None:
    notes: Told = []
    curves, told = read(DATA / name, noted=lambda path, why: notes.append((path.name, why)))
    found = (len(curves), len(curves.mjd), int(np.count_nonzero(curves.is_detection)), len(told))
    assert found == FILES[name]
    assert bool(notes) == (name == "elasticc/avro")


@pytest.mark.parametrize(
    ("name", "schema", "options", "counts"),
    [
        ("lsst/avro", "lsst/schema", {}, (14, 16, 16)),
        ("elasticc/avro", "elasticc/schema", {"zero_point": 27.5}, (45, 558, 544)),
    ],
)
def test_with_a_schema_nothing_is_refused(name: str, schema: str, options: dict[str, Any], counts: Any) -> None:
    curves, told = read(DATA / name, schema=DATA / schema, **options, noted=lambda *_: None)
    assert told == []
    assert (len(curves), len(curves.mjd), int(np.count_nonzero(curves.is_detection))) == counts


def test_plain_messages_and_solar_system_objects_are_refused_with_their_reasons() -> None:
    _, told = read(DATA / "lasair_lsst" / "kafka_messages.json")
    assert all("does the Lasair filter add the alert" in why for _, why in told)
    _, told = read(DATA / "lsst" / "parquet")
    assert all("an object of the solar system" in why for _, why in told)


def test_ids_are_those_of_the_sources_where_the_object_has_a_float() -> None:
    curves, _ = read(DATA / "lsst" / "parquet" / "fink_science_rubin_20251231_25alerts_nocutouts.parquet")
    assert "169813006680588318" in curves.object_ids


def test_elasticc_peaks_at_the_magnitude_of_its_truth() -> None:
    import pyarrow.parquet as pq

    path = DATA / "elasticc" / "snia_5398alerts.parquet"
    curves, _ = read(path)
    table = pq.read_table(path, columns=["diaSource", "PEAKMJD", "PEAKMAG_r"])
    ids = [str(each["diaObjectId"]) for each in table["diaSource"].to_pylist()]
    truth = dict(zip(ids, zip(table["PEAKMJD"].to_pylist(), table["PEAKMAG_r"].to_pylist(), strict=True), strict=True))
    peak, peak_mag = np.array([truth[each] for each in curves.object_ids]).T
    near = (np.abs(curves.mjd - peak[curves.object_index]) < 2) & (curves.band == 2) & (curves.significance > 10)
    assert np.count_nonzero(near) > 100
    assert np.median(curves.magnitude[near] - peak_mag[curves.object_index[near]]) == pytest.approx(0.0, abs=0.05)


def test_the_packets_facts() -> None:
    curves, _ = read(DATA / "ztf" / "alerts.jsonl.gz")
    assert np.nansum(curves.objects.solar_system) > 20
    assert np.nansum(curves.objects.point_source) > 50
    assert np.nansum(curves.objects.known_variable) >= 3
    assert np.isfinite(curves.objects.ra).all()
