"""The six framings: told by key and first bytes, and unpacked; what is broken is refused, whatever it is."""

import bz2
import io
import json
import lzma
import struct
import zlib
from typing import Any

import cramjam
import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.alerts.encoders import encode
from simulators.alerts.lsst_packets import LsstPackets
from simulators.sky import Sky
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.avro.schemas import HEADER, open_container
from tides_bridge.formats.framing import (
    LARGEST,
    MAGIC,
    Framing,
    framing_of,
    inflated,
    of_confluent,
    of_container,
)

FOREIGN = ("zstandard", "lz4")
"""Codecs that fastavro needs other packages for."""

FRAMINGS = {
    "rubin": Framing.CONFLUENT,
    "elasticc": Framing.BARE,
    "fink-lsst": Framing.KEYED,
    "lasair-lsst": Framing.JSON,
    "babamul-lsst": Framing.CONTAINER,
    "lsst-avro": Framing.CONTAINER,
    "antares": Framing.BSON,
}

SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "a",
    "fields": [{"name": "x", "type": "long"}, {"name": "t", "type": "string"}],
}
RECORD = {"x": 170587115523932323, "t": "abc"}


@pytest.fixture(scope="module")
def packet() -> dict[str, Any]:
    packets = LsstPackets(Sky(seed=5, survey="lsst", objects=20))
    return next(each for each in map(packets.newest, range(20)) if each and each["diaObject"])


def container(records: list[dict[str, Any]], codec: str = "null", **options: Any) -> bytes:
    stream = io.BytesIO()
    fastavro.writer(
        stream,
        SCHEMA,
        records,
        codec=codec if codec not in FOREIGN else "null",
        sync_marker=b"0123456789abcdef",
        **options,
    )
    return packed_again(stream.getvalue(), codec) if codec in FOREIGN else stream.getvalue()


def body(record: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, SCHEMA, record)
    return stream.getvalue()


class TestTelling:
    @pytest.mark.parametrize("name", FRAMINGS)
    def test_what_brokers_send(self, packet: dict[str, Any], name: str) -> None:
        message = encode(packet, name)
        assert framing_of(message.value, message.key) is FRAMINGS[name]

    @pytest.mark.parametrize("value", [b"", b"\0", b"x", b"x\x00", b"\x02\x04", b"\0\0\0\x03\x84"])
    def test_what_is_nothing_else_is_bare(self, value: bytes) -> None:
        assert framing_of(value) is Framing.BARE

    def test_a_container_is_one_whatever_its_key(self) -> None:
        assert framing_of(container([RECORD]), b'{"type": "record"}') is Framing.CONTAINER

    def test_json_with_a_byte_order_mark(self) -> None:
        assert framing_of(b"\xef\xbb\xbf \n{}") is Framing.JSON


class TestConfluent:
    def test_number_and_body(self) -> None:
        assert of_confluent(struct.pack(">bI", 0, 1100) + b"abc") == (1100, b"abc")

    @pytest.mark.parametrize("value", [b"", b"\0", b"\0\0\0\x03\x84", b"\x01\0\0\x03\x84abc", b"{}"])
    def test_anything_else_is_refused(self, value: bytes) -> None:
        with pytest.raises(MalformedAlert, match="not with a zero byte and the number of its schema"):
            of_confluent(value)


PACKERS: dict[str, Any] = {
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstandard": lambda block: bytes(cramjam.zstd.compress(block)),
    "lz4": lambda block: bytes(cramjam.lz4.compress_block(block)),
    "deflate": lambda block: zlib.compress(block, wbits=-15),
    "snappy": lambda block: bytes(cramjam.snappy.compress_raw(block)) + zlib.crc32(block).to_bytes(4, "big"),
}


def packed_again(plain: bytes, codec: str) -> bytes:
    """Pack the blocks of a container that is not packed."""
    stream, packed = io.BytesIO(plain), io.BytesIO()
    header: Any = fastavro.schemaless_reader(stream, HEADER, None)
    header["meta"]["avro.codec"] = codec.encode()
    fastavro.schemaless_writer(packed, HEADER, header)
    packed.write(stream.read(16))
    while stream.tell() < len(plain):
        fastavro.schemaless_writer(packed, "long", fastavro.schemaless_reader(stream, "long", None))
        block: Any = fastavro.schemaless_reader(stream, "bytes", None)
        fastavro.schemaless_writer(packed, "bytes", PACKERS.get(codec, bytes)(block))
        packed.write(stream.read(16))
    return packed.getvalue()


class TestContainers:
    @pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "bzip2", "xz", "zstandard", "lz4"])
    def test_the_record_and_its_schema(self, codec: str) -> None:
        found = of_container(packed_again(container([RECORD]), codec))
        assert list(open_container(io.BytesIO(packed_again(container([RECORD] * 3), codec)))) == [RECORD] * 3
        assert found.body == body(RECORD)
        assert json.loads(found.schema)["fields"][0]["name"] == "x"

    @pytest.mark.parametrize("codec", ["brotli", "zip"])
    def test_other_codecs_are_refused_by_name(self, codec: str) -> None:
        with pytest.raises(MalformedAlert, match=f"packed with '{codec}'"):
            of_container(packed_again(container([RECORD]), codec))

    @pytest.mark.parametrize("number", [0, 2, 40])
    def test_another_number_of_records(self, number: int) -> None:
        with pytest.raises(MalformedAlert, match=f"with {number} records, not with one alert"):
            of_container(container([RECORD] * number, sync_interval=30))

    @pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "bzip2", "xz", "zstandard", "lz4"])
    def test_cut_off_anywhere(self, codec: str) -> None:
        whole = container([RECORD], codec)
        for length in range(len(whole)):
            with pytest.raises(MalformedAlert):
                of_container(whole[:length])

    def test_the_marker_of_a_block_is_another(self) -> None:
        with pytest.raises(MalformedAlert, match="a block does not end where it should"):
            of_container(container([RECORD])[:-1] + b"x")

    def test_the_check_sum_is_another(self) -> None:
        whole = bytearray(container([RECORD], "snappy"))
        whole[-17] ^= 1
        with pytest.raises(MalformedAlert, match="its check sum is another one"):
            of_container(bytes(whole))

    @given(st.binary(max_size=200))
    def test_any_bytes_are_refused_or_read(self, tail: bytes) -> None:
        try:
            found = of_container(MAGIC + tail)
        except MalformedAlert:
            return
        assert isinstance(found.body, bytes)

    @given(st.data())
    def test_spoilt_bytes_are_refused_or_read(self, data: st.DataObject) -> None:
        whole = bytearray(
            container(
                [RECORD], data.draw(st.sampled_from(["null", "deflate", "snappy", "bzip2", "xz", "zstandard", "lz4"]))
            )
        )
        for _ in range(data.draw(st.integers(1, 4))):
            whole[data.draw(st.integers(4, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
        try:
            assert isinstance(of_container(bytes(whole)).body, bytes)
        except MalformedAlert as refusal:
            assert "container" in refusal.problem or "bytes when unpacked" in refusal.problem


class TestBombs:
    def test_zlib(self) -> None:
        with pytest.raises(MalformedAlert, match=f"more than {LARGEST} bytes when unpacked"):
            inflated(zlib.compress(b"\0" * (LARGEST + 1), 9))

    def test_what_just_fits_is_read(self) -> None:
        assert len(inflated(zlib.compress(b"\0" * LARGEST, 9))) == LARGEST

    def test_cut_off(self) -> None:
        with pytest.raises(zlib.error):
            inflated(zlib.compress(b"abc" * 100)[:-5])

    @pytest.mark.parametrize("codec", ["deflate", "snappy"])
    def test_in_a_container(self, codec: str) -> None:
        with pytest.raises(MalformedAlert, match="bytes when unpacked"):
            of_container(container([{"x": 1, "t": "a" * (LARGEST + 1)}], codec))
