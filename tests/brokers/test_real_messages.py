"""Real alert packets, as messages of the brokers that send such: how many are alerts, and why the others are not."""

import gzip
import io
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastavro.schema import load_schema

from tests.support.alert_packets import broker, by_object, sent
from tides_bridge.brokers.base import Decoded
from tides_bridge.brokers.packets import SOLAR_SYSTEM
from tides_bridge.formats.avro.records import decode_exactly
from tides_bridge.formats.avro.schemas import schema_of_text
from tides_bridge.formats.files import read_light_curves
from tides_bridge.formats.framing import of_container
from tides_bridge.lightcurves import LightCurves


def values_in(folder: Path, pattern: str) -> list[bytes]:
    """Read files, unpacked."""
    contents = [path.read_bytes() for path in sorted(folder.rglob(pattern))]
    if not contents:
        pytest.skip("these real messages are not here")
    return [gzip.decompress(each) if each.startswith(b"\x1f\x8b") else each for each in contents]


def counts(found: Decoded) -> tuple[int, int, int, int]:
    """Objects, points, refused, passed over."""
    return len(found.alerts), len(found.curves.mjd), len(found.refused), sum(found.skipped.values())


def from_files(path: Path, **options: Any) -> dict[str, LightCurves]:
    parts = read_light_curves([path], refused=lambda *_: None, noted=lambda *_: None, **options)
    return by_object(LightCurves.joined(list(parts)))


def check_as_from_files(found: Decoded, expected: dict[str, LightCurves]) -> None:
    """The same light curves, whether as messages or as files."""
    curves = by_object(found.curves)
    assert curves.keys() == expected.keys()
    for name, curve in curves.items():
        assert curve.digests() == expected[name].digests()


class TestRubin:
    def test_framed_by_rubin(self, shared_data: Path) -> None:
        values = values_in(shared_data / "lsst" / "avro", "boom*.avro")
        found = broker("rubin", schemas=str(shared_data / "lsst" / "schema")).decode(sent(values))
        assert counts(found) == (1, 1, 0, 0)
        assert (found.alerts[0].object_id, found.alerts[0].survey) == ("7912941781254298", "lsst")
        check_as_from_files(
            found,
            from_files(
                shared_data / "lsst" / "avro" / "boom_7912941781254298.avro", schema=shared_data / "lsst" / "schema"
            ),
        )

    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [("fakeAlert*.avro", (1, 3, 0, 0)), ("1692*.avro", (12, 12, 0, 0)), ("*.avro", (13, 15, 1, 0))],
    )
    def test_containers(self, shared_data: Path, pattern: str, expected: tuple[int, int, int, int]) -> None:
        found = broker("babamul_lsst").decode(sent(values_in(shared_data / "lsst" / "avro", pattern)))
        assert counts(found) == expected
        assert [each.reason for each in found.refused] == [
            "begins with b'\\x00\\x00\\x00\\x03', not as an Avro container does"
        ] * expected[2]

    def test_the_real_ones_framed_anew_by_rubin_and_by_fink(self, shared_data: Path) -> None:
        contained = [of_container(value) for value in values_in(shared_data / "lsst" / "avro", "1692*.avro")]
        schema = load_schema(str(shared_data / "lsst" / "schema" / "v9_0" / "lsst.v9_0.alert.avsc"))
        records = [decode_exactly(each.body, schema_of_text(each.schema)) for each in contained]
        framed = [b"\0" + (900).to_bytes(4, "big") + bare(record or {}, schema) for record in records]
        rubin = broker("rubin", schemas=str(shared_data / "lsst" / "schema")).decode(sent(framed))
        fink = broker("fink_lsst").decode(sent([each.body for each in contained], contained[0].schema))
        expected = from_files(shared_data / "lsst" / "avro" / "fink-broker_rubin_test_data_9_0")
        for found in (rubin, fink):
            assert counts(found) == (12, 12, 0, 0)
            check_as_from_files(found, expected)

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("fink_filters_rubin_20251231_27alerts_nocutouts.parquet", (24, 26, 0, 3)),
            ("fink_science_rubin_20251231_25alerts_nocutouts.parquet", (22, 62, 0, 3)),
        ],
    )
    def test_tables_of_fink_as_its_messages(self, shared_data: Path, name: str, expected: Any) -> None:
        path = shared_data / "lsst" / "parquet" / name
        if not path.exists():
            pytest.skip("these real alerts are not here")
        table = pq.read_table(path)
        schema = to_avro(table.schema)
        found = broker("fink_lsst").decode(
            sent([bare(row, schema) for row in rows_of(table)], json.dumps(schema).encode())
        )
        assert counts(found) == expected
        assert set(found.skipped) == {SOLAR_SYSTEM}
        check_as_from_files(found, from_files(path))

    def test_json_as_messages_of_rubin(self, shared_data: Path) -> None:
        found = Counter[str]()
        for path in sorted((shared_data / "lsst" / "json").glob("*.json")):
            content = json.loads(path.read_text())
            content = content[0] if isinstance(content, list) else content
            schema = to_avro(pa.Table.from_pylist([without_images(content)]).schema)
            (alert,) = (
                broker("fink_lsst")
                .decode(sent([bare(without_images(content), schema)], json.dumps(schema).encode()))
                .alerts
            )
            found[alert.object_id] += 1
        assert sorted(found) == sorted(from_files(shared_data / "lsst" / "json"))


class TestElasticc:
    def test_the_first_samples_in_containers(self, shared_data: Path) -> None:
        values = values_in(shared_data / "elasticc" / "avro", "*.avro")
        found = broker("babamul_lsst", zeroPoint=27.5).decode(sent(values))
        assert len(values) == 84
        assert counts(found) == (44, 539, 0, 0)
        assert {alert.survey for alert in found.alerts} == {"elasticc"}
        expected = from_files(shared_data / "elasticc" / "avro", zero_point=27.5)
        check_as_from_files(found, expected)

    def test_their_zero_point_is_told_by_their_depth(self, shared_data: Path) -> None:
        found = broker("babamul_lsst").decode(sent(values_in(shared_data / "elasticc" / "avro", "*.avro")))
        assert "All magnitudes are 3.9 mag too faint" in found.notes[0]

    def test_bare_with_three_schemas_to_choose_from(self, shared_data: Path, tmp_path: Path) -> None:
        samples = shared_data / "elasticc" / "avro" / "alerce_LSST_samples"
        contained = [of_container(value) for value in values_in(samples, "*.avro")]
        streamed = values_in(shared_data / "elasticc" / "avro", "*.avro.gz")
        schemas = {json.dumps(json.loads(each.schema), sort_keys=True) for each in contained}
        for number, text in enumerate(sorted(schemas)):
            (tmp_path / f"early_{number}.alert.avsc").write_text(text)
        for path in (shared_data / "elasticc" / "schema").glob("*.avsc"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
        found = broker("elasticc", schemas=str(tmp_path), zeroPoint=27.5).decode(
            sent([*(each.body for each in contained), *streamed, b"\x02nothing"])
        )
        assert len(contained) == 82
        assert counts(found) == (44, 557, 1, 0)
        assert "does not fit any of these schemas: early_0.alert.avsc" in found.refused[0].reason

    def test_a_streamed_one(self, shared_data: Path) -> None:
        values = values_in(shared_data / "elasticc" / "avro", "*.avro.gz")
        found = broker("elasticc", schemas=str(shared_data / "elasticc" / "schema")).decode(sent(values))
        assert (counts(found), found.notes) == ((1, 19, 0, 0), ())


def without_images(content: Any) -> Any:
    return {key: value for key, value in content.items() if not key.startswith("cutout") and value is not None}


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    maps = [name for name in table.schema.names if "map<" in str(table.schema.field(name).type)]
    return [{key: plain(value) for key, value in row.items()} for row in table.drop_columns(maps).to_pylist()]


def plain(value: Any) -> Any:
    """Give what Avro can hold: times as text."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str | bytes) else str(value)


def to_avro(schema: pa.Schema) -> dict[str, Any]:
    """Make the Avro schema of a table's rows; all may be null."""
    return {"type": "record", "name": "row", "fields": _fields(schema, "row")}


def _fields(parts: Any, name: str) -> list[dict[str, Any]]:
    """Make the fields of what has some; columns of nothing, and maps, are left out."""
    return [_field(each, f"{name}_{each.name}") for each in parts if not _is_nothing(each.type)]


def _is_nothing(kind: pa.DataType) -> bool:
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return pa.types.is_null(kind) or pa.types.is_map(kind) or (is_list and _is_nothing(kind.value_type))


def _field(field: pa.Field, name: str) -> dict[str, Any]:
    return {"name": field.name, "type": ["null", _type(field.type, name)], "default": None}


def _type(kind: pa.DataType, name: str) -> Any:
    if pa.types.is_struct(kind):
        return {"type": "record", "name": name, "fields": _fields(kind, name)}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return {"type": "array", "items": ["null", _type(kind.value_type, f"{name}_item")]}
    told = {
        "boolean": pa.types.is_boolean(kind),
        "long": pa.types.is_integer(kind),
        "float": pa.types.is_float32(kind),
        "double": pa.types.is_floating(kind),
        "bytes": pa.types.is_binary(kind),
    }
    return next((word for word, is_it in told.items() if is_it), "string")


def bare(row: dict[str, Any], schema: Any) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), row)
    return stream.getvalue()


def test_ids_beyond_a_float_are_exact(shared_data: Path) -> None:
    found = broker("babamul_lsst").decode(sent(values_in(shared_data / "lsst" / "avro", "1692*.avro")))
    assert all(int(alert.object_id) > 2**53 for alert in found.alerts)
    assert all(math.isfinite(alert.newest_mjd) for alert in found.alerts)
    assert np.all(found.curves.source_id > 2**53)
