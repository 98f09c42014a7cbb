"""What is understood of what brokers say beyond the light curve."""

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.processes import ROOT
from tides_bridge.formats.files import read_light_curves
from tides_bridge.formats.meaning.annotations import FIELDS, MOST, NAMES, WORDS, annotations_in

PLACES = [(broker, place) for broker, fields in FIELDS.items() for place in fields]
MARK = {"fink": {"fink_broker_version": ""}}
SAYING_NOTHING = (None, math.nan, math.inf, -math.inf, "", " ", "nan", "Unknown", "None", "Fail", [], {}, b"x")
CONTENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*"abz", "topic", "classification", "classdict", "sherlock"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)
ROOTS = sorted({place.partition(".")[0] for place in NAMES} | {"annotations", "tags", "probabilities"})


def message(place: str, value: object) -> dict[str, Any]:
    """A message with one field."""
    outer, _, inner = place.partition(".")
    return {outer: {inner: value, "other": 1} if inner else value, "objectId": "ZTF26aaaaaaa", "unknown": 3}


@pytest.mark.parametrize(("broker", "place"), PLACES)
def test_each_field_is_known_by_its_name_and_what_says_nothing_is_none(broker: str, place: str) -> None:
    name = FIELDS[broker][place]
    value, other = ("SN", 0.25) if name in WORDS else (0.25, "SN")
    assert annotations_in(message(place, value) | MARK.get(broker, {}), broker) == {name: value}
    for nothing in (*SAYING_NOTHING, other):
        assert annotations_in(message(place, nothing) | MARK.get(broker, {}), broker) == {}


@pytest.mark.parametrize(
    ("broker", "content", "expected"),
    [
        ("fink", {"snn_snia_vs_nonia": -1.0, "rf_snia_vs_nonia": 0.0}, {"fink.rf_snia_vs_nonia": 0.0}),
        ("lasair", {"z": 0.0, "photoZ": -9.0, "photoZErr": 0.1}, {"sherlock.photometric_redshift_error": 0.1}),
        ("fink", {"cdsxmatch": "Fail", "Plx": -0.2}, {"gaia.parallax": -0.2}),
        ("fink", {"clf": None, "tns": "SN Ia", "tnsclass": "(TNS) SN II"}, {"tns.type": "SN Ia"}),
        ("fink", {"clf": None, "tns": "", "tnsclass": "(TNS) SN II"}, {"tns.type": "SN II"}),
        (
            "fink",
            {"finkclass": "SN candidate", "fink_science_version": "8.1", "fink_broker_version": "4"},
            {"fink.class": "SN candidate", "fink.version": "8.1"},
        ),
        ("fink", {"classification": "AGN", "z": 1.2, "tags": ["x"], "vsx": "RRAB"}, {}),
        ("alerce", {"classification": "AGN", "z": 1.2, "vsx": "RRAB"}, {}),
        ("lasair", {"catalogue_object_id": 12376525990357894, "z": True}, {"sherlock.host": "12376525990357894"}),
        (
            "lasair",
            {"annotations": [{"topic": "needle", "classification": "TDE", "classdict": {"tde": 0.9, "x": None}}, 7]},
            {"lasair.needle.class": "TDE", "lasair.needle.tde": 0.9},
        ),
        ("lasair", {"annotations": {"sherlock": [{"classification": "ORPHAN"}]}}, {"sherlock.class": "ORPHAN"}),
        ("antares", {"tags": ["nearby", "young", 3]}, {"antares.tag.nearby": 1.0, "antares.tag.young": 1.0}),
        ("antares", {"tags": None, "catalogs": ["gaia_dr3", ["x", "y"], None]}, {"antares.catalog.gaia_dr3": 1.0}),
        (
            "fink",
            {"clf": None, "Plx": " 0.5 ", "vsx": ["RRAB"], "snn_sn_vs_all": "1e-1", "tns": ["a", "b"]},
            {"gaia.parallax": 0.5, "vsx.type": "RRAB", "fink.snn_sn_vs_all": 0.1},
        ),
        (
            "fink",
            {"clf": None, "Plx": "1_0", "e_Plx": "0x1", "slsn_score": "-1", "DR3Name": 4690},
            {"gaia.name": "4690"},
        ),
        ("alerce", {"lc_classification": {"probabilities": {"SNIa": 0.7}}}, {"alerce.SNIa": 0.7}),
        ("fink", {"clf": None, "vsx": "a\x1b[31m\0b" + "c" * 500}, {"vsx.type": "a[31mb" + "c" * 194}),
    ],
)
def test_values(broker: str, content: dict[str, Any], expected: dict[str, Any]) -> None:
    assert annotations_in(content, broker) == expected


@given(st.dictionaries(st.sampled_from(ROOTS), CONTENTS, max_size=4), st.sampled_from([*FIELDS, "antares", "alerce"]))
def test_whatever_comes_gives_finite_numbers_and_printable_words(content: dict[str, Any], broker: str) -> None:
    found = annotations_in(content, broker)
    assert all(math.isfinite(value) if isinstance(value, float) else value.isprintable() for value in found.values())
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("broker", ["lasair", "alerce"])
def test_names_that_brokers_make_up_hold_nothing_that_no_database_takes(broker: str) -> None:
    numbers = {"a\0b": 0.5, "\ud800": 0.1, "": 0.3, "c" * 1000: 0.2}
    found = annotations_in({"annotations": [{"topic": "t", "classdict": numbers}], "probabilities": numbers}, broker)
    assert {name.rpartition(".")[2][:9]: value for name, value in found.items()} == {"ab": 0.5, "c" * 9: 0.2}
    assert all(len(name) <= 200 and name.isprintable() for name in found)


def test_a_list_is_not_read_for_ever() -> None:
    assert len(annotations_in({"tags": [f"tag{number}" for number in range(10_000)]}, "antares")) == MOST


def test_the_page_has_the_fields_as_they_are() -> None:
    text = (ROOT / "docs" / "annotations.md").read_text()
    table = re.findall(r"^\| (\w+) \| `([\w.]+)` \| `([\w.]+)` \|$", text, re.MULTILINE)
    assert table == [(broker, place, name) for broker, fields in FIELDS.items() for place, name in fields.items()]


def test_what_is_in_real_packets_of_fink_and_messages_of_lasair(shared_data: Path) -> None:
    names: Counter[str] = Counter()
    for file in sorted((shared_data / "lsst" / "parquet").glob("fink_filters*.parquet")):
        for packet in pq.read_table(file, columns=["clf", "xm", "fink_science_version"]).to_pylist():
            names.update(list(annotations_in(packet, "fink")))
    assert names["fink.snn_sn_vs_all"] == names["fink.version"] == 27
    assert (names["gaia.name"], names["legacy.photometric_redshift"]) == (4, 3)
    names.clear()
    for row in json.loads((shared_data / "lasair_lsst" / "kafka_messages.json").read_text()):
        names.update(list(annotations_in(row, "lasair")))
    assert (names["sherlock.class"], names["sherlock.host_separation"]) == (64, 6)
    assert names["sherlock.spectroscopic_redshift"] == 2


def said_in(path: Path) -> dict[str, dict[str, Any] | None]:
    """What is known so of the objects of a file whose light curves are read."""
    parts = read_light_curves([path], refused=lambda *_: None)
    pairs = [pair for part in parts for pair in zip(part.object_ids, part.objects.annotations.tolist(), strict=True)]
    return dict(pairs)


def test_light_curves_in_files_bring_what_brokers_say_of_each(tmp_path: Path) -> None:
    point = {"jd": 2461000.5, "fid": 1, "magpsf": 19.0, "sigmapsf": 0.1, "isdiffpos": "t", "candid": 1}
    packet = {"objectId": "ZTF26aaaaaaa", "candidate": point, "snn_snia_vs_nonia": 0.8, "vsx": "RRAB", "z": 0.5}
    answer = {
        "objectId": "ZTF26aaaaaab",
        "candidates": [point],
        "sherlock": {"classification": "SN"},
        "TNS": {"z": 0.1},
    }
    source = {"midpointMjdTai": 61000.0, "psfFlux": 5e3, "psfFluxErr": 1e2, "band": "g", "diaSourceId": 1}
    alert = {"diaSourcesList": [source], "annotations": {"sherlock": [{"classification": "NT"}]}}
    message = {"diaObjectId": 7, "photoZ": 0.2, "alert": alert}
    fink = {"diaSource": {**source, "diaObjectId": 8}, "clf": {"snnSnVsOthers_score": 0.7}, "xm": {"vsx_Type": "Fail"}}
    bare = {"objectId": "ZTF26aaaaaac", "candidate": point}
    lines = tmp_path / "alerts.jsonl"
    lines.write_text("\n".join(map(json.dumps, (packet, answer, message, fink, bare))))
    expected = {
        "ZTF26aaaaaaa": {"fink.snn_snia_vs_nonia": 0.8, "vsx.type": "RRAB"},
        "ZTF26aaaaaab": {"sherlock.class": "SN", "tns.redshift": 0.1},
        "7": {"sherlock.class": "NT", "sherlock.photometric_redshift": 0.2},
        "8": {"fink.snn_sn_vs_all": 0.7},
        "ZTF26aaaaaac": None,
    }
    assert said_in(lines) == expected
    for number, record in enumerate((packet, fink)):
        rows = tmp_path / f"{number}.parquet"
        pq.write_table(pa.Table.from_pylist([record]), rows)
        name = str(record.get("objectId", 8))
        assert said_in(rows) == {name: expected[name]}


def test_files_of_fink_and_lasair_say_what_their_messages_do(shared_data: Path) -> None:
    counted = Counter(name for said in said_in(shared_data / "lsst" / "parquet").values() for name in said or {})
    assert (counted["fink.snn_sn_vs_all"], counted["gaia.name"], counted["legacy.photometric_redshift"]) == (19, 3, 2)
    messages = shared_data / "lasair_lsst" / "kafka_messages.json"
    counted = Counter(name for said in said_in(messages).values() for name in said or {})
    assert (counted["sherlock.class"], counted["sherlock.host_separation"]) == (32, 3)
