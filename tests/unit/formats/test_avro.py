"""Avro: containers, and messages that bring no schema."""

import json
from pathlib import Path

import pytest

from tests.support import recorded
from tests.unit.formats.test_files import digests, read, written
from tides_bridge.errors import SettingsError

ALERT = recorded.alerts()[0]


@pytest.fixture
def schemas(tmp_path: Path) -> Path:
    """Give a folder with the schemas of two versions, of which one fits."""
    folder = tmp_path / "schema"
    written(folder, "v9_0/made.v9_0.alert.avsc", json.dumps(recorded.schema_of([ALERT])).encode())
    other = recorded.schema_of([{"alertId": 1, "name": "x"}], "made.v8_1.alert")
    written(folder, "v8_1/made.v8_1.alert.avsc", json.dumps(other).encode())
    return folder


class TestMessages:
    @pytest.mark.parametrize("number", [None, 900, 7])
    @pytest.mark.parametrize("is_packed", [False, True])
    def test_framed_and_bare(self, tmp_path: Path, schemas: Path, number: int | None, is_packed: bool) -> None:
        content = recorded.message(ALERT, number)
        path = written(tmp_path, "m", recorded.packed(content) if is_packed else content)
        expected, _ = read(written(tmp_path, "a", recorded.json_text(ALERT)))
        for schema in (schemas, schemas / "v9_0" / "made.v9_0.alert.avsc"):
            curves, told = read(path, schema=schema)
            assert told == []
            assert digests(curves) == digests(expected)

    def test_no_schema_fits(self, tmp_path: Path, schemas: Path) -> None:
        path = written(tmp_path, "m", recorded.message(ALERT, 900) + b"more")
        _, told = read(path, schema=schemas)
        assert "is no message of these schemas: made.v8_1.alert.avsc, made.v9_0.alert.avsc" in told[0][1]
        assert "schema number 900" in told[0][1]

    def test_a_schema_does_not_make_other_formats_messages(self, tmp_path: Path, schemas: Path) -> None:
        curves, told = read(written(tmp_path, "a", recorded.json_text(ALERT)), schema=schemas)
        assert (len(curves), told) == (1, [])

    @pytest.mark.parametrize("content", [b"", b"{", b'{"type": "nothing"}', b'{"type": "record"}'])
    def test_a_broken_schema_is_a_wrong_setting(self, tmp_path: Path, content: bytes) -> None:
        schema = written(tmp_path, "s.avsc", content)
        with pytest.raises(SettingsError, match="is no Avro schema"):
            read(written(tmp_path, "m", recorded.message(ALERT)), schema=schema)

    def test_a_folder_without_schemas(self, tmp_path: Path) -> None:
        path = written(tmp_path, "m/m", recorded.message(ALERT))
        with pytest.raises(SettingsError, match="holds no Avro schema"):
            read(path, schema=tmp_path / "m")


class TestContainers:
    @pytest.mark.parametrize("codec", ["null", "deflate", "snappy"])
    def test_codecs(self, tmp_path: Path, codec: str) -> None:
        curves, told = read(written(tmp_path, "c", recorded.avro(recorded.alerts(), codec)))
        assert (len(curves), told) == (2, [])

    def test_what_precedes_broken_bytes_is_read(self, tmp_path: Path) -> None:
        packets = [recorded.alert(1 + i, [recorded.source(1)]) for i in range(900)]
        content = recorded.avro(packets, "null")
        curves, told = read(written(tmp_path, "c", content[: len(content) // 2]))
        assert 0 < len(curves) < 900
        assert [why.split(":")[0] for _, why in told] == [f"after record {len(curves)}"]
