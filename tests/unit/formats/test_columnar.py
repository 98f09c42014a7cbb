"""Columns straight from the bytes of messages: the same as record by record, and no broken message disturbs another."""

import functools
import io
import json
import random
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fastavro
import msgspec
import numpy as np
import pytest
from fastavro.schema import load_schema
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.alerts.avro_messages import SchemaWriter, integer
from simulators.alerts.avro_schemas import elasticc_schema, fink_lsst_schema, lsst_schema
from simulators.alerts.broker_forms import to_elasticc, to_fink_lsst
from simulators.alerts.lsst_packets import LsstPackets
from simulators.sky import Sky
from tests.support import recorded
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.avro.columns import PROBLEMS, read_fields
from tides_bridge.formats.avro.program import (
    FLOAT,
    LONG,
    NAME,
    OBJECTS,
    SOURCES,
    TEXT,
    Column,
    Compiler,
    Marked,
    Rows,
    Shape,
)
from tides_bridge.formats.avro.records import decode_exactly
from tides_bridge.formats.columnar import program_of, read_packets
from tides_bridge.formats.framing import of_container
from tides_bridge.formats.records import Record, identify, to_light_curves

SCHEMAS: dict[str, Any] = {
    **{f"lsst {version}": lsst_schema(version) for version in ("9_0", "10_0", "11_0", "12_0")},
    "fink": fink_lsst_schema(),
    "elasticc 0_9": elasticc_schema("0_9"),
    "elasticc 0_9_1": elasticc_schema("0_9_1"),
}


@functools.cache
def packets(version: str = "10_0") -> list[dict[str, Any]]:
    """Give packets of a sky, some of them about the solar system."""
    made = LsstPackets(Sky(seed=7, survey="lsst", objects=40), version=version)
    return [each for each in map(made.newest, range(40)) if each]


def messages(name: str) -> list[dict[str, Any]]:
    """Give what a stream of some schema would hold."""
    of_objects = [each for each in packets() if each["diaObject"]]
    if name.startswith("elasticc"):
        return [to_elasticc(each, 27.5) for each in of_objects]
    if name == "fink":
        return [to_fink_lsst(each) for each in packets()]
    return packets(name.split()[1])


@functools.cache
def bodies(name: str) -> tuple[bytes, ...]:
    return tuple(map(SchemaWriter(SCHEMAS[name]).bare, messages(name)))


def read_slowly(schema: Any, body: bytes) -> Record | None:
    content = decode_exactly(body, schema)
    return None if content is None else msgspec.convert(content, Record, strict=False)


def check_equal(schema: Any, these: list[bytes], scale: float = 1.0) -> int:
    """Compare with records, one by one; gives the number of light curves."""
    schema = fastavro.parse_schema(schema)
    found = read_packets(program_of(schema), these)
    problems, chosen, expected = found.problems(), [], []
    for number, body in enumerate(these):
        record = read_slowly(schema, body)
        assert record is not None
        try:
            name, epoch = identify(record)
        except MalformedAlert as refusal:
            assert problems[number] == refusal.problem
            continue
        assert (found.object_ids[number], found.epochs[number]) == (name, epoch)
        chosen.append(number)
        expected.append(record)
    assert sorted([*problems, *chosen]) == list(range(len(these)))
    curves = found.curves(np.array(chosen, dtype=np.int64), scale)
    _, same = to_light_curves(expected, scale)
    assert curves.object_ids == same.object_ids
    assert curves.digests() == same.digests()
    np.testing.assert_array_equal(curves.flux, same.flux)
    return len(chosen)


class TestTheSameAsRecords:
    @pytest.mark.parametrize("name", SCHEMAS)
    def test_made_alerts(self, name: str) -> None:
        assert check_equal(SCHEMAS[name], list(bodies(name)), 36.3) > 20

    @pytest.mark.parametrize("make", [lambda each: each, recorded.elasticc])
    def test_a_schema_in_which_all_may_be_null(self, make: Any) -> None:
        made = [make(each) for each in recorded.alerts()]
        schema = recorded.schema_of(made)
        assert check_equal(schema, list(map(SchemaWriter(schema).bare, made))) == 2

    def test_alerts_of_the_solar_system_and_of_nothing(self) -> None:
        made = [recorded.moving(), recorded.alert(0, [recorded.source(1)]) | {"diaObject": None}, recorded.alerts()[0]]
        schema = recorded.schema_of(made)
        assert check_equal(schema, list(map(SchemaWriter(schema).bare, made))) == 1

    @pytest.mark.parametrize("content", [{"vsx_Type": "RRAB"}, {"vsx_Type": None}, {"vsx_Type": "Unknown"}, None])
    def test_matches_with_catalogues(self, content: Any) -> None:
        fields = [{"name": name, "type": ["null", "string"]} for name in ("vsx_Type", "gcvs_type")]
        schema = recorded.schema_of([recorded.alerts()[0]])
        schema["fields"].append({"name": "xm", "type": ["null", {"type": "record", "name": "xm", "fields": fields}]})
        match = content and {"gcvs_type": "nan", **content}
        assert check_equal(schema, [SchemaWriter(schema).bare(recorded.alerts()[0] | {"xm": match})]) == 1

    def test_real_alerts(self, shared_data: Path) -> None:
        count = 0
        for path in [*(shared_data / "lsst" / "avro").rglob("*.avro"), *(shared_data / "elasticc").rglob("*.avro")]:
            content = path.read_bytes()
            if content.startswith(b"Obj"):
                schema, body = of_container(content)
                count += check_equal(json.loads(schema), [body])
        framed = (shared_data / "lsst" / "avro" / "boom_7912941781254298.avro").read_bytes()
        schema = load_schema(str(shared_data / "lsst" / "schema" / "v9_0" / "lsst.v9_0.alert.avsc"))
        assert count + check_equal(schema, [framed[5:]]) > 90

    def test_in_two_threads(self) -> None:
        program, these = program_of(SCHEMAS["lsst 10_0"]), bodies("lsst 10_0") * 5
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda _: read_packets(program, these), range(8)))
        for each in found[1:]:
            np.testing.assert_array_equal(each.fields.floats, found[0].fields.floats)


def spoilt(body: bytes, dice: random.Random) -> bytes:
    """Spoil a message in one of some ways."""
    content = bytearray(body)
    way = dice.randrange(4)
    if way == 0:
        for _ in range(dice.randint(1, 4)):
            content[dice.randrange(len(content))] ^= dice.randint(1, 255)
    elif way == 1:
        del content[dice.randrange(len(content)) :]
    elif way == 2:
        content += dice.randbytes(dice.randint(1, 20))
    else:
        start = dice.randrange(len(content))
        del content[start : start + dice.randint(1, 9)]
    return bytes(content)


class TestBrokenOnes:
    def test_they_do_not_disturb_their_neighbours(self) -> None:
        schema, good = fastavro.parse_schema(SCHEMAS["lsst 10_0"]), bodies("lsst 10_0")[:20]
        dice, mixed = random.Random(26), []
        for body in good:
            mixed += [body, *(spoilt(body, dice) for _ in range(10)), b""]
        found = read_packets(program_of(schema), mixed)
        alone = read_packets(program_of(schema), good)
        places = np.arange(0, len(mixed), 12)
        assert not found.fields.problem[places].any()
        chosen = np.flatnonzero(alone.newest >= 0)
        assert found.curves(places[chosen]).digests() == alone.curves(chosen).digests()

    @pytest.mark.parametrize("name", ["lsst 10_0", "elasticc 0_9_1"])
    def test_what_fits_is_what_fits_for_fastavro(self, name: str) -> None:
        schema, dice = fastavro.parse_schema(SCHEMAS[name]), random.Random(2026)
        broken = [spoilt(dice.choice(bodies(name)), dice) for _ in range(1500)]
        found = read_packets(program_of(schema), broken)
        fits = [decode_exactly(body, schema) is not None for body in broken]
        differ = [number for number, is_fit in enumerate(fits) if is_fit != (found.fields.problem[number] == 0)]
        # fastavro takes a union's branch -1 for the last one; and it refuses texts that are no UTF-8.
        assert len(differ) < 15
        assert sum(fits) > 50
        assert set(found.fields.problem.tolist()) - {0} <= set(PROBLEMS)

    def test_the_reason_is_told(self) -> None:
        body = bodies("lsst 10_0")[0]
        found = read_packets(program_of(SCHEMAS["lsst 10_0"]), [body[:-1], body + b"\0", b"\x80" * 11, b""])
        assert list(found.problems().values()) == [
            f"does not fit its schema: {PROBLEMS[number]}" for number in (1, 5, 2, 1)
        ]

    def test_a_list_that_says_it_is_endless_costs_nothing(self) -> None:
        schema = {"type": "record", "name": "a", "fields": [{"name": "x", "type": {"type": "array", "items": "long"}}]}
        program = Compiler(schema, {}).program
        endless = [integer(2**62), integer(2**62) + b"\0" * 100, integer(-(2**63)) + b"\0" * 100]
        found = read_fields(program, Shape(0, (), 0, 0, 0, 0), endless)
        assert found.problem.all()


# Any schema

SHAPE = Shape(floats=1, integers=(-1,), names=1, object_floats=1, object_integers=2, object_texts=1)
ITEM = {"f": Column(FLOAT, SOURCES, 0), "i": Column(LONG, SOURCES, 0), "n": Column(NAME, SOURCES, 0)}
ABOUT = {"f": Column(FLOAT, OBJECTS, 0), "i": Column(LONG, OBJECTS, 0), "t": Column(TEXT, OBJECTS, 0)}
WANTED = {"one": Rows(0, ITEM), "more": Rows(1, ITEM), "about": Marked(1, ABOUT)}

OTHERS: list[Any] = [
    "null", "boolean", "int", "long", "float", "double", "string", "bytes",
    {"type": "array", "items": "long"}, {"type": "map", "values": "string"},
    {"type": "array", "items": {"type": "array", "items": "string"}},
]  # fmt: skip
VALUES: dict[str, Any] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "string": st.text(max_size=12),
    "bytes": st.binary(max_size=12),
}


@st.composite
def other_types(draw: st.DrawFn, number: int) -> Any:
    """Draw a type that is stepped over."""
    named = [
        {"type": "enum", "name": f"e{number}", "symbols": ["A", "B"]},
        {"type": "fixed", "name": f"x{number}", "size": draw(st.integers(1, 5))},
        {"type": "record", "name": f"r{number}", "fields": [{"name": "q", "type": ["null", "long"]}]},
    ]
    kind = draw(st.sampled_from([*OTHERS, *named]))
    union = draw(st.sampled_from(["none", "null first", "null last", "more"]))
    if union == "none" or kind == "null":
        return kind
    more = ["null", kind, *[each for each in ("boolean", "bytes") if each != kind]]
    return {"null first": ["null", kind], "null last": [kind, "null"], "more": more}[union]


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    if isinstance(kind, list):
        return st.sampled_from(kind).flatmap(values_of)
    if isinstance(kind, str):
        return VALUES[kind]
    return {
        "array": lambda: st.lists(values_of(kind["items"]), max_size=3),
        "map": lambda: st.dictionaries(st.text(max_size=3), values_of(kind["values"]), max_size=3),
        "enum": lambda: st.sampled_from(kind["symbols"]),
        "fixed": lambda: st.binary(min_size=kind["size"], max_size=kind["size"]),
        "record": lambda: st.fixed_dictionaries({field["name"]: values_of(field["type"]) for field in kind["fields"]}),
    }[kind["type"]]()


@st.composite
def records(draw: st.DrawFn) -> Any:
    """Draw a schema with wanted fields among others, and some messages of it."""
    numbers = iter(range(1000))

    def mixed(wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
        fields = list(wanted)
        for _ in range(draw(st.integers(0, 5))):
            number = next(numbers)
            fields.insert(draw(st.integers(0, len(fields))), {"name": f"o{number}", "type": draw(other_types(number))})
        return fields

    def maybe(kind: str) -> Any:
        return draw(st.sampled_from([kind, ["null", kind], [kind, "null"]]))

    number = draw(st.sampled_from(["float", "double", "int", "long"]))
    item = mixed(
        [{"name": name, "type": maybe(kind)} for name, kind in (("f", number), ("i", "long"), ("n", "string"))]
    )
    about = mixed(
        [{"name": name, "type": maybe(kind)} for name, kind in (("f", "double"), ("i", "int"), ("t", "string"))]
    )
    one = {"type": "record", "name": "item", "fields": item}
    schema = {
        "type": "record",
        "name": "top",
        "fields": mixed(
            [
                {"name": "one", "type": one},
                {"name": "more", "type": ["null", {"type": "array", "items": "item"}]},
                {"name": "about", "type": ["null", {"type": "record", "name": "about", "fields": about}]},
            ]
        ),
    }
    known = {
        "one": values_of(one),
        "more": st.none() | st.lists(values_of(one), max_size=4),
        "about": st.none() | values_of({"type": "record", "fields": about}),
    }
    others = {field["name"]: values_of(field["type"]) for field in schema["fields"] if field["name"] not in known}
    contents = st.fixed_dictionaries(known | others)
    return schema, draw(st.lists(contents, min_size=1, max_size=4))


def items_of(number: int, content: Any) -> list[tuple[int, int, dict[str, Any]]]:
    """Give message, group and content of each item."""
    assert content is not None
    return [(number, 0, content["one"]), *((number, 1, each) for each in content["more"] or [])]


def name_of(value: str | None) -> int:
    text = (value or "").encode()
    return 2**64 - 1 if len(text) > 8 else int.from_bytes(text, "little")


class TestAnySchema:
    @given(records())
    @settings(max_examples=150, deadline=None)
    def test_chosen_fields_are_those_of_fastavro(self, drawn: Any) -> None:
        parsed, these, contents = fastavro.parse_schema(drawn[0]), [], []
        for content in drawn[1]:
            stream = io.BytesIO()
            fastavro.schemaless_writer(stream, parsed, content)
            these.append(stream.getvalue())
            contents.append(decode_exactly(these[-1], parsed))
        found = read_fields(Compiler(parsed, WANTED).program, SHAPE, these)
        assert not found.problem.any()
        items = [item for number, content in enumerate(contents) for item in items_of(number, content)]
        assert found.message.tolist() == [number for number, _, _ in items]
        assert found.group.tolist() == [group for _, group, _ in items]
        expected = np.array([item["f"] for _, _, item in items], dtype=float)
        np.testing.assert_array_equal(found.floats[0], expected)
        assert found.integers[0].tolist() == [-1 if item["i"] is None else item["i"] for _, _, item in items]
        assert found.names[0].tolist() == [name_of(item["n"]) for _, _, item in items]
        for number, content in enumerate(contents):
            assert content is not None
            about = content["about"]
            assert found.object_integers[:, number].tolist() == [(about or {}).get("i") or 0, int(about is not None)]
            np.testing.assert_equal(found.object_floats[0, number], np.array((about or {}).get("f"), dtype=float))
            start, stop = found.object_texts[0, number].tolist()
            assert (found.content[start:stop].decode() if start >= 0 else None) == (about or {}).get("t")

    def test_lists_in_blocks_that_tell_their_size(self) -> None:
        item = {"type": "record", "name": "item", "fields": [{"name": "f", "type": "double"}]}
        schema = {"type": "record", "name": "a", "fields": [{"name": "more", "type": {"type": "array", "items": item}}]}
        two = struct.pack("<dd", 1.5, 2.5)
        body = integer(-2) + integer(16) + two + integer(1) + two[:8] + integer(0)
        found = read_fields(Compiler(schema, WANTED).program, SHAPE, [body])
        assert (found.problem.tolist(), found.floats[0].tolist()) == ([0], [1.5, 2.5, 1.5])

    def test_more_sources_than_there_was_room_for(self) -> None:
        item = {"type": "record", "name": "item", "fields": [{"name": "i", "type": "long"}]}
        schema = {"type": "record", "name": "a", "fields": [{"name": "more", "type": {"type": "array", "items": item}}]}
        body = integer(100) + b"".join(map(integer, range(100))) + integer(0)
        found = read_fields(Compiler(schema, WANTED).program, SHAPE, [body] * 70)
        assert found.integers[0].tolist() == list(range(100)) * 70
        assert found.message.tolist() == np.repeat(np.arange(70), 100).tolist()

    @pytest.mark.parametrize(
        ("kind", "why"),
        [
            ({"type": "array", "items": "null"}, "list of nothing"),
            ({"type": "array", "items": {"type": "record", "name": "r", "fields": []}}, "list of nothing"),
            (["null", "top"], "holds itself"),
        ],
    )
    def test_schemas_for_fastavro(self, kind: Any, why: str) -> None:
        schema = {"type": "record", "name": "top", "fields": [{"name": "o", "type": kind}]}
        with pytest.raises(MalformedAlert, match=why):
            Compiler(fastavro.parse_schema(schema), WANTED)

    @pytest.mark.parametrize("kind", ["string", "bytes", "boolean", {"type": "array", "items": "double"}])
    def test_a_wanted_field_of_another_type(self, kind: Any) -> None:
        item = {"type": "record", "name": "item", "fields": [{"name": "f", "type": ["null", kind]}]}
        schema = {"type": "record", "name": "a", "fields": [{"name": "one", "type": item}]}
        with pytest.raises(MalformedAlert, match="f is "):
            Compiler(fastavro.parse_schema(schema), WANTED)
