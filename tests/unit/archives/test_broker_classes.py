"""What brokers said in ELAsTiCC, and the taxonomy both ways."""

import gzip
import io
import json
import re
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from flows.cli import app
from tides_bridge.archives.broker_classes import read_broker_classes, taxonomy_table
from tides_bridge.brokers.elasticc import alert_of_classes
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.meaning.classifications import object_in
from tides_bridge.formats.meaning.taxonomy import class_named, class_of
from tides_bridge.selection.conditions import Condition

SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "elasticc.v0_9_1.brokerClassfication",
    "fields": [
        *({"name": name, "type": "long"} for name in ("alertId", "diaSourceId", "elasticcPublishTimestamp")),
        *({"name": name, "type": "string"} for name in ("brokerName", "brokerVersion", "classifierName")),
        {"name": "classifierParams", "type": "string"},
        {
            "name": "classifications",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "one",
                    "fields": [{"name": "classId", "type": "int"}, {"name": "probability", "type": "float"}],
                },
            },
        },
    ],
}

MESSAGES = [
    {
        "alertId": 2**60 + number,
        "diaSourceId": 7 + number,
        "elasticcPublishTimestamp": 0,
        "brokerName": broker,
        "brokerVersion": "1",
        "classifierName": "c",
        "classifierParams": "",
        "classifications": [{"classId": 2222, "probability": 0.75}, {"classId": old, "probability": 0.25}],
    }
    for number, (broker, old) in enumerate([("Fink", 113), ("ALeRCE", 9999)])
]

EXPECTED = [
    (2**60, "Fink", 2222, "SN Ia", 0.75),
    (2**60, "Fink", 113, "SN II", 0.25),
    (2**60 + 1, "ALeRCE", 2222, "SN Ia", 0.75),
    (2**60 + 1, "ALeRCE", 9999, None, 0.25),
]


def bare(message: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(SCHEMA), message)
    return stream.getvalue()


def write_form(folder: Path, form: str) -> Path | None:
    (folder / "data").mkdir()
    if form == "container":
        with (folder / "data/a.avro").open("wb") as stream:
            fastavro.writer(stream, SCHEMA, MESSAGES)
        return None
    if form == "lines":
        (folder / "data/a.jsonl").write_text("\n".join(map(json.dumps, MESSAGES)))
        return None
    (folder / "c.avsc").write_text(json.dumps(SCHEMA))
    for number, message in enumerate(MESSAGES):
        (folder / f"data/{number}.avro.gz").write_bytes(gzip.compress(bare(message)))
    if form == "tar":
        with tarfile.open(folder / "night.tar.gz", "w:gz") as archive:
            archive.add(folder / "data", "data")
        for file in (folder / "data").iterdir():
            file.unlink()
        (folder / "night.tar.gz").rename(folder / "data/night.tar.gz")
    return folder / "c.avsc"


@pytest.mark.parametrize("form", ["container", "lines", "messages", "tar"])
def test_every_form_gives_the_same_rows(tmp_path: Path, form: str) -> None:
    schema, refused = write_form(tmp_path, form), []
    parts = list(read_broker_classes([tmp_path / "data"], lambda _, why: refused.append(why), schema))
    rows = [row for part in parts for row in part.to_pylist()]
    assert refused == []
    assert [
        tuple(row[k] for k in ("alertId", "brokerName", "classId", "class", "probability")) for row in rows
    ] == EXPECTED


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"classifications": None}, "is no brokerClassification"),
        ({"brokerName": ""}, "is no brokerClassification"),
        ({"classifications": [{"probability": 1}]}, "a classification has no classId"),
        ({"classifications": [{"classId": 2222, "probability": "much"}]}, "a probability is 'much'"),
        ({"alertId": 1.5e18}, "alertId is '1.5e+18', which is no whole number"),
    ],
)
def test_what_cannot_be_used_is_told_and_the_rest_is_read(tmp_path: Path, change: Any, reason: str) -> None:
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in (MESSAGES[0] | change, MESSAGES[1])))
    refused: list[str] = []
    (part,) = read_broker_classes([tmp_path], lambda _, why: refused.append(why))
    assert len(refused) == 1 and refused[0].startswith(reason)
    assert part["brokerName"].to_pylist() == ["ALeRCE", "ALeRCE"]


TIMED = MESSAGES[0] | {"diaSourceId": 208089362038, "elasticcPublishTimestamp": 86_400_000 * 20_000}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("elasticc", "104044681", 60587.0)),
        ({"brokerIngestTimestamp": datetime(2024, 10, 5, tzinfo=UTC)}, ("elasticc", "104044681", 60588.0)),
        ({"brokerIngestTimestamp": "2024-10-05"}, ("elasticc", "104044681", 60588.0)),
        ({"brokerIngestTimestamp": None, "diaObject": {"diaObjectId": 2**60}}, ("lsst", str(2**60), 60587.0)),
        ({"elasticcPublishTimestamp": 0}, "has no time"),
        (
            {"elasticcPublishTimestamp": 0, "diaSource": {"midpointMjdTai": 60000.0}},
            ("elasticc", "104044681", 59999.99957),
        ),
        ({"diaSourceId": 7}, "names no object"),
        ({"diaSourceId": 2e17}, "no whole number"),
    ],
)
def test_a_message_tells_of_which_object_and_when(change: dict[str, Any], expected: Any) -> None:
    if isinstance(expected, str):
        with pytest.raises(MalformedAlert, match=expected):
            alert_of_classes(TIMED | change)
        return
    alert = alert_of_classes(TIMED | change)
    assert (alert.survey, alert.object_id, round(alert.newest_mjd, 5)) == expected
    assert alert.annotations == {"classes.Fink.c.SN_Ia": 0.75, "classes.Fink.c.SN_II": 0.25, "classes.version": "1"}


@given(st.lists(st.tuples(st.text(max_size=9), st.floats() | st.none(), st.integers(0, 9999)), min_size=1, max_size=9))
def test_whatever_a_classifier_is_called_a_condition_can_ask_for_it(given_rows: list[tuple[Any, ...]]) -> None:
    classes = [{"classId": number, "probability": probability} for _, probability, number in given_rows]
    notes = alert_of_classes(TIMED | {"classifierName": given_rows[0][0], "classifications": classes}).annotations
    for name, value in notes.items():
        if name != "classes.version":
            assert Condition.read(f"{name} >= 0.5").name == name and 0 <= float(value) <= 1
    assert ("classes.version" in notes) == (len(notes) > 0)


def test_alerts_of_elasticc_name_sources_by_their_object(shared_data: Path) -> None:
    names = [re.search(r"obj(\d+)_src(\d+)", file.name) for file in (shared_data / "elasticc/avro").iterdir()]
    pairs = [(found[1], int(found[2])) for found in names if found]
    assert len(pairs) == 2 and all(object_in({"diaSourceId": source})[1] == name for name, source in pairs)


def test_the_taxonomy_goes_both_ways() -> None:
    rows = {row["class"]: row for row in taxonomy_table().to_pylist()}
    assert rows.pop("Meta")["classId"] == 0  # which was Static/Other in 2022, and is read as that
    for name, row in rows.items():
        assert class_named(name).class_id == row["classId"] == class_of(str(row["classId"]), "class id").class_id
        for gentype in row["gentypes"].split():
            assert class_of(gentype, "gentype").name == name
    assert rows["SN Ia"]["gentypes"] == "10" and rows["SN Ia"]["within"] == "SN-like; Non-Recurring; Variable"


def test_the_command(tmp_path: Path) -> None:
    write_form(tmp_path, "lines")
    result = CliRunner().invoke(app, ["classes", str(tmp_path / "data"), "--output", str(tmp_path / "c.csv")])
    assert result.exit_code == 0 and "4 rows in" in result.output
    assert (tmp_path / "c.csv").read_text().count("SN Ia") == 2
    assert "2222" in CliRunner().invoke(app, ["classes"]).output
