"""Avro: containers, and messages that bring no schema."""

import io
import json
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import recorded
from tests.unit.formats.test_files import digests, read, written
from tides_bridge.errors import MalformedAlert, SettingsError
from tides_bridge.formats.avro.schemas import open_container, schema_of_text, schemas_in

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


# Schemas without an end


def schema_of_graph(graph: list[list[tuple[int, str]]], number: int, written_out: set[int]) -> Any:
    """Write a record out where it comes first, and by its name from then on; each has fields of other records."""
    if number in written_out:
        return f"made.R{number}"
    written_out.add(number)
    fields: list[dict[str, Any]] = [{"name": "x", "type": "int"}]
    for place, (other, how) in enumerate(graph[number]):
        kind = schema_of_graph(graph, other, written_out)
        wrapped = {"plain": kind, "list": {"type": "array", "items": kind}, "map": {"type": "map", "values": kind}}
        fields.append({"name": f"f{place}", "type": wrapped.get(how, ["null", kind])})
    return {"type": "record", "name": f"R{number}", "namespace": "made", "fields": fields}


def has_circle(graph: list[list[tuple[int, str]]]) -> bool:
    """Tell whether a way leads from the first record through one that holds itself: by taking away what holds none."""
    reached, left = {0}, [0]
    while left:
        others = {other for other, _ in graph[left.pop()]} - reached
        reached |= others
        left += others
    holding = {number: {other for other, _ in graph[number]} for number in reached}
    while ends := [number for number, held in holding.items() if not held]:
        holding = {number: held - set(ends) for number, held in holding.items() if number not in ends}
    return bool(holding)


@st.composite
def graphs(draw: st.DrawFn) -> list[list[tuple[int, str]]]:
    number = draw(st.integers(1, 6))
    edge = st.tuples(st.integers(0, number - 1), st.sampled_from(["plain", "list", "map", "optional"]))
    return draw(st.lists(st.lists(edge, max_size=3), min_size=number, max_size=number))


@given(graphs())
def test_a_schema_that_holds_itself_is_refused_wherever_it_comes_from_and_no_other(
    graph: list[list[tuple[int, str]]],
) -> None:
    schema = schema_of_graph(graph, 0, set())
    text = json.dumps(schema).encode()
    container = io.BytesIO()
    fastavro.writer(container, schema, [])
    container.seek(0)
    for read_it in (lambda: schema_of_text(text), lambda: open_container(container)):
        if has_circle(graph):
            with pytest.raises(MalformedAlert, match=r"its record made\.R\d holds itself"):
                read_it()
        else:
            read_it()


def test_a_folder_with_a_schema_that_holds_itself_is_a_wrong_setting(tmp_path: Path) -> None:
    schema = schema_of_graph([[(1, "list")], [(0, "optional")]], 0, set())
    file = written(tmp_path, "v9_0/made.v9_0.alert.avsc", json.dumps(schema).encode())
    with pytest.raises(SettingsError, match=r"made\.v9_0\.alert\.avsc: its record made\.R0 holds itself"):
        schemas_in(tmp_path)
    assert file.exists()


@pytest.mark.parametrize("how", ["plain", "list", "map", "optional"])
def test_a_file_of_such_a_schema_is_refused_with_its_reason(tmp_path: Path, how: str) -> None:
    container = io.BytesIO()
    fastavro.writer(container, schema_of_graph([[(0, how)]], 0, set()), [])
    _, told = read(written(tmp_path, "a.avro", container.getvalue() + b"\x02" * 100_000))
    assert "its record made.R0 holds itself" in told[0][1]


HINTED = {
    "__fastavro_parsed": True,
    "__named_schemas": {"B": {"type": "record", "name": "B", "fields": [{"name": "x", "type": "B"}]}},
    "type": "record", "name": "A", "fields": [{"name": "x", "type": "B"}],
}  # fmt: skip
"""What fastavro writes into a schema that it has parsed, and believes."""


def chain(length: int, ways: int) -> list[Any]:
    """Records, flat as text, each of which holds the one before by its name."""
    first: dict[str, Any] = {"type": "record", "name": "R0", "fields": [{"name": "x", "type": "int"}]}
    others = [
        {"type": "record", "name": f"R{n}", "fields": [{"name": f"f{way}", "type": f"R{n - 1}"} for way in range(ways)]}
        for n in range(1, length)
    ]
    return [first, *others]


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (HINTED, "it has __"),
        ([HINTED], "it has __"),
        ({"type": "record", "name": "A", "fields": [{"name": "x", "type": HINTED}]}, "it has __"),
        (chain(200, 1), "more than 100 deep, or more than 100,000"),
        (chain(20_000, 1), "more than 100 deep"),
        (chain(30, 2), "more than 100 deep, or more than 100,000"),
        (chain(40, 1), None),
        (chain(12, 2), None),
    ],
)
def test_a_schema_is_no_larger_than_those_of_alerts(schema: Any, reason: str | None) -> None:
    text = json.dumps(schema).encode()
    meta = b"\x02\x16avro.schema" + long_of(len(text)) + text + b"\x00"
    container = io.BytesIO(b"Obj\x01" + meta + b"x" * 16)
    for read_it in (lambda: schema_of_text(text), lambda: open_container(container)):
        if reason:
            with pytest.raises(MalformedAlert, match=reason):
                read_it()
        else:
            read_it()


def long_of(number: int) -> bytes:
    """Write a number as Avro does."""
    number, written = number << 1, b""
    while number > 127:
        written, number = written + bytes([number & 127 | 128]), number >> 7
    return written + bytes([number])
