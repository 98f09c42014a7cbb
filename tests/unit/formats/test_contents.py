"""Files packed in any way, and texts in other letters: the same content, or an error that is named."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import recorded
from tests.support.curves import quick
from tides_bridge.errors import MalformedAlert, SettingsError
from tides_bridge.formats import Options
from tides_bridge.formats.avro.schemas import schema_of_text, schemas_in
from tides_bridge.formats.contents import (
    BROKEN,
    close_kept,
    first_bytes,
    open_unpacked,
    read_stretch,
    stretches_of_lines,
    whole_content,
)
from tides_bridge.formats.files import read_light_curves
from tides_bridge.formats.messages_of_files import messages_in
from tides_bridge.lightcurves import LightCurves


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue())


def zipped(content: bytes, *more: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("night/alerts", *more):
            archive.writestr(name, content)
    return sink.getvalue()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd, "zip": zipped,
}  # fmt: skip

WRITTEN: dict[str, Callable[[str], bytes]] = {
    "utf-8": str.encode,
    "utf-16": lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
    "utf-16-be": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "utf-16-le without mark": lambda text: text.encode("utf-16-le"),
    "utf-16-be without mark": lambda text: text.encode("utf-16-be"),
    "cr": lambda text: text.replace("\n", "\r").encode(),
}


def curves_in(path: Path) -> tuple[list[str], list[str]]:
    told: list[str] = []
    parts = list(read_light_curves([path], refused=lambda _, problem: told.append(problem)))
    return sorted(LightCurves.joined(parts).digests()), told


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("writing", WRITTEN)
@quick
@given(data=st.data())
def test_any_stretch_is_that_of_the_plain_text(
    tmp_path_factory: pytest.TempPathFactory, packing: str, writing: str, data: st.DataObject
) -> None:
    text = "objectId,mjd,band,é\n" + "".join(f"{row},ü{row}\n" for row in range(data.draw(st.integers(1, 3000))))
    plain = text.encode()
    path = tmp_path_factory.mktemp("text") / "packed"
    path.write_bytes(PACKED[packing](WRITTEN[writing](text)))
    cuts = data.draw(st.lists(st.tuples(*[st.integers(0, len(plain))] * 2).map(sorted), max_size=4))
    assert whole_content(path) == plain
    assert first_bytes(path, 5) == plain[:5]
    assert [read_stretch(path, start, stop) for start, stop in cuts] == [plain[start:stop] for start, stop in cuts]
    assert b"".join(part for _, part in stretches_of_lines(path)) == plain
    close_kept()


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("name", [name for name in recorded.ZTF_FILES if not name.endswith(".gz")])
def test_light_curves_and_messages_do_not_depend_on_the_packing(tmp_path: Path, name: str, packing: str) -> None:
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.write_bytes(recorded.ZTF_FILES[name]())
    packed.write_bytes(PACKED[packing](plain.read_bytes()))
    assert curves_in(packed) == curves_in(plain)
    assert len(curves_in(packed)[0]) == 3
    assert list(messages_in(packed, Options())) == list(messages_in(plain, Options()))


@pytest.mark.parametrize("writing", WRITTEN)
def test_a_table_in_other_letters_is_the_same(tmp_path: Path, writing: str) -> None:
    text = "objectId,mjd,band,mag,magerr\nZTF26aaaaaaa,61000.5,g,19.5,0.1\nZTF26aaaaaab,61001.5,r,18.5,0.1\n"
    path, plain = tmp_path / "table.csv", tmp_path / "plain.csv"
    path.write_bytes(WRITTEN[writing](text))
    plain.write_text(text)
    assert curves_in(path) == curves_in(plain)
    assert len(curves_in(path)[0]) == 2


@pytest.mark.parametrize("packing", [name for name in PACKED if name != "plain"])
def test_what_is_cut_off_is_told_and_nothing_raised(tmp_path: Path, packing: str) -> None:
    path, content = tmp_path / "cut", PACKED[packing](recorded.ZTF_FILES["array.json"]())
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(BROKEN):
        whole_content(path)
    ((problem,), (message,)) = (curves_in(path)[1], list(messages_in(path, Options())))
    assert "is broken: " in problem
    assert b"is broken: " in message[0]


def test_what_is_packed_and_alone_in_a_zip_archive_is_read(tmp_path: Path) -> None:
    content = recorded.ZTF_FILES["array.json"]()
    for name, packed in (("once", content), ("twice", gzip.compress(content))):
        (tmp_path / name).write_bytes(PACKED["zip"](packed))
    (once, _), (twice, refused) = (curves_in(tmp_path / name) for name in ("once", "twice"))
    assert (refused, twice) == ([], once) and once
    assert [*messages_in(tmp_path / "twice", Options())] == [*messages_in(tmp_path / "once", Options())]


@pytest.mark.parametrize("packing", [name for name in PACKED if name not in {"plain", "zip"}])
def test_what_is_packed_twice_is_named(tmp_path: Path, packing: str) -> None:
    path = tmp_path / "twice"
    path.write_bytes(PACKED[packing](gzip.compress(b"[]")))
    assert curves_in(path)[1] == ["is packed twice: unpack it once"]
    assert b"is packed twice" in next(messages_in(path, Options()))[0]


def test_what_macos_adds_to_an_archive_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "two.zip"
    path.write_bytes(zipped(b"a" * 10, "folder/", "__MACOSX/a"))
    with open_unpacked(path) as stream:
        assert stream.read() == b"a" * 10


@pytest.mark.parametrize("name", ["jd", "JD", "obsjd"])
@pytest.mark.parametrize("kind", ["float", ["null", "float"], {"type": "float"}])
def test_julian_dates_of_32_bits_are_refused_and_of_64_not(tmp_path: Path, name: str, kind: object) -> None:
    def text(kind: object) -> str:
        candidate = {"type": "record", "name": "candidate", "fields": [{"name": name, "type": kind}]}
        return json.dumps({"type": "record", "name": "alert", "fields": [{"name": "candidate", "type": candidate}]})

    with pytest.raises(MalformedAlert, match=rf"its epochs \({name}\) are float, whose steps of 0.25 d"):
        schema_of_text(text(kind))
    (tmp_path / "alert.avsc").write_text(text(kind))
    with pytest.raises(SettingsError, match="keep them as double"):
        schemas_in(tmp_path)
    assert schema_of_text(text(json.loads(json.dumps(kind).replace("float", "double"))))
