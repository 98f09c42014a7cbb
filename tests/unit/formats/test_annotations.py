"""What is understood of what brokers say beyond the light curve."""

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.processes import ROOT
from tides_bridge.formats.meaning.annotations import FIELDS, MOST, annotations_in

WORDS = ("name", "type", "class", "association", "catalogue", "host", "prefix")
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
ROOTS = sorted({place.partition(".")[0] for place in FIELDS} | {"annotations", "tags", "probabilities"})


def message(place: str, value: object) -> dict[str, Any]:
    """A message with one field."""
    outer, _, inner = place.partition(".")
    return {outer: {inner: value, "other": 1} if inner else value, "objectId": "ZTF26aaaaaaa", "unknown": 3}


@pytest.mark.parametrize("place", FIELDS)
def test_each_field_is_known_by_its_name_and_what_says_nothing_is_none(place: str) -> None:
    value = "SN" if FIELDS[place].endswith(WORDS) else 0.25
    assert annotations_in(message(place, value)) == {FIELDS[place]: value}
    for nothing in SAYING_NOTHING:
        assert annotations_in(message(place, nothing)) == {}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"snn_snia_vs_nonia": -1.0, "rf_snia_vs_nonia": 0.0}, {"fink.rf_snia_vs_nonia": 0.0}),
        ({"z": 0.0, "photoZ": -9.0, "Plx": -0.2}, {"gaia.parallax": -0.2}),
        ({"tns": "SN Ia", "tnsclass": "(TNS) SN II"}, {"tns.type": "SN Ia"}),
        ({"tns": "", "tnsclass": "(TNS) SN II"}, {"tns.type": "(TNS) SN II"}),
        (
            {"finkclass": "SN candidate", "fink_science_version": "8.1", "fink_broker_version": "4"},
            {"fink.class": "SN candidate", "fink.version": "8.1"},
        ),
        ({"vsx": "RRAB", "fink_science_version": "8.1"}, {"vsx.type": "RRAB"}),
        (
            {"annotations": [{"topic": "needle", "classification": "TDE", "classdict": {"tde": 0.9, "x": None}}, 7]},
            {"lasair.needle.class": "TDE", "lasair.needle.tde": 0.9},
        ),
        ({"annotations": {"sherlock": [{"classification": "ORPHAN"}]}}, {"sherlock.class": "ORPHAN"}),
        ({"tags": ["extragalactic", "young", 3]}, {"antares.tag.extragalactic": 1.0, "antares.tag.young": 1.0}),
        ({"lc_classification": {"probabilities": {"SNIa": 0.7}}}, {"alerce.SNIa": 0.7}),
        ({"vsx": "a\x1b[31m\0b" + "c" * 500}, {"vsx.type": "a[31mb" + "c" * 194}),
    ],
)
def test_values(content: dict[str, Any], expected: dict[str, Any]) -> None:
    assert annotations_in(content) == expected


@given(st.dictionaries(st.sampled_from(ROOTS), CONTENTS, max_size=4))
def test_whatever_comes_gives_finite_numbers_and_printable_words(content: dict[str, Any]) -> None:
    found = annotations_in(content)
    assert all(math.isfinite(value) if isinstance(value, float) else value.isprintable() for value in found.values())
    json.dumps(found, allow_nan=False)


def test_a_list_is_not_read_for_ever() -> None:
    assert len(annotations_in({"tags": [f"tag{number}" for number in range(10_000)]})) == MOST


def test_the_page_has_the_fields_as_they_are() -> None:
    text = (ROOT / "docs" / "annotations.md").read_text()
    table = re.findall(r"^\| `([\w.]+)` \| `([\w.]+)` \|$", text, re.MULTILINE)
    assert dict(table) == dict(FIELDS) and len(table) == len(FIELDS)


def test_what_is_in_real_packets_of_fink_and_messages_of_lasair(shared_data: Path) -> None:
    names: Counter[str] = Counter()
    for file in sorted((shared_data / "lsst" / "parquet").glob("fink_filters*.parquet")):
        for packet in pq.read_table(file, columns=["clf", "xm", "fink_science_version"]).to_pylist():
            names.update(list(annotations_in(packet)))
    assert names["fink.snn_sn_vs_all"] == names["fink.version"] == 27
    assert (names["gaia.name"], names["legacy.photometric_redshift"]) == (4, 3)
    names.clear()
    for row in json.loads((shared_data / "lasair_lsst" / "kafka_messages.json").read_text()):
        names.update(list(annotations_in(row)))
    assert (names["sherlock.class"], names["sherlock.host_separation"]) == (64, 6)
    assert names["sherlock.spectroscopic_redshift"] == 2
