"""Archives: what is in them is read as in a folder, and nothing in them does harm."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import recorded
from tests.unit.formats.test_contents import zstd
from tides_bridge.formats import Options, members
from tides_bridge.formats.files import read_light_curves
from tides_bridge.formats.members import archives_opened, is_archive
from tides_bridge.formats.messages_of_files import count_in, messages_in, unreadable_reason
from tides_bridge.lightcurves import LightCurves

Files = Mapping[str, bytes]

PACKETS: dict[str, bytes] = {
    f"NITE{number}/alert{number}.json": json.dumps(packet).encode()
    for number, packet in enumerate(recorded.ztf_packets())
}


def tar(files: Files, *, more: tuple[tarfile.TarInfo, ...] = ()) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for member in more:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return sink.getvalue()


def zipped(files: Files) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return sink.getvalue()


ARCHIVES: dict[str, Callable[[Files], bytes]] = {
    "tar": tar,
    "tar.gz": lambda files: gzip.compress(tar(files)),
    "tar.bz2": lambda files: bz2.compress(tar(files)),
    "tar.xz": lambda files: lzma.compress(tar(files)),
    "tar.zst": lambda files: zstd(tar(files)),
    "zip": zipped,
    "tar in zip": lambda files: zipped({"all.tar": tar(files)}),
    "nights in tar": lambda files: tar({f"{name}.tar.gz": gzip.compress(tar({name: files[name]})) for name in files}),
    "zips in tar.gz": lambda files: gzip.compress(tar({"all.zip": zipped(files)})),
}


def named(tmp_path: Path, path: Path) -> tuple[list[str], list[str]]:
    """Read a file; gives the digests of the light curves, and what was told by which name."""
    told: list[str] = []
    parts = read_light_curves(
        [path], refused=lambda file, problem: told.append(f"{file.relative_to(tmp_path)}: {problem}")
    )
    return sorted(LightCurves.joined(list(parts)).digests()), told


def reasons(path: Path) -> list[str]:
    """Give the reasons of the messages that say what is not read."""
    return [": ".join(unreadable_reason(value)) for value, _ in messages_in(path, Options()) if b"unread" in value]


@pytest.mark.parametrize("kind", ARCHIVES)
@settings(max_examples=4, deadline=None)
@given(order=st.permutations(sorted(PACKETS)), is_packed=st.booleans())
def test_what_is_in_an_archive_is_read_as_in_a_folder(
    tmp_path_factory: pytest.TempPathFactory, kind: str, order: list[str], is_packed: bool
) -> None:
    folder = tmp_path_factory.mktemp("files")
    files = {name: gzip.compress(PACKETS[name]) if is_packed else PACKETS[name] for name in order}
    path, plain = folder / "archive", folder / "plain.jsonl"
    path.write_bytes(ARCHIVES[kind](files))
    plain.write_bytes(b"\n".join(PACKETS[name] for name in order))
    assert is_archive(path)
    assert named(folder, path) == named(folder, plain)
    assert list(messages_in(path, Options())) == list(messages_in(plain, Options()))
    assert count_in(path, Options()) == len(order)
    assert len(named(folder, path)[0]) == 3


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def outside(name: str, size: int = 3) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def test_what_would_do_harm_is_told_and_the_rest_read(tmp_path: Path) -> None:
    path, victim = tmp_path / "night.tar", tmp_path / "victim.json"
    victim.write_bytes(b"mine")
    bad = (
        link("a.json", str(victim)),
        link("b.json", str(victim), tarfile.LNKTYPE),
        link("c.json", "", tarfile.FIFOTYPE),
        outside("../../victim.json"),
        outside(f"{victim}"),
        outside("empty", 0),
        link("folder", str(tmp_path)),
        outside("folder/victim.json"),
    )
    path.write_bytes(tar(PACKETS, more=bad))
    (digests, told), said = named(tmp_path, path), reasons(path)
    assert len(digests) == 3
    assert victim.read_bytes() == b"mine"
    assert sorted(tmp_path.iterdir()) == [path, victim]
    never = "is a link or a device: it is not followed"
    assert told[:6] == [
        *(f"night.tar/{name}: {never}" for name in ("a.json", "b.json", "c.json")),
        "night.tar/../../victim.json: leads out of its archive: it is not read",
        "night.tar/empty: is empty",
        f"night.tar/folder: {never}",
    ]
    assert [line.partition(": ")[2][:13] for line in told[6:]] == ["begins with b"] * 2  # read, and no light curves
    assert [reason.removeprefix(f"{tmp_path}/") for reason in said if "begins" not in reason] == told[:6]


def test_of_two_files_with_one_name_the_last_counts_and_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(tar(PACKETS, more=(outside("NITE1/alert1.json"),)))
    digests, told = named(tmp_path, path)
    assert (len(digests), told) == (3, ["a.tar/NITE1/alert1.json: is in its archive twice: the last one counts"])


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
@pytest.mark.parametrize("part", [0.3, 0.7, 0.95])
def test_an_archive_that_is_cut_off_is_told(tmp_path: Path, kind: str, part: float) -> None:
    content = ARCHIVES[kind](PACKETS)
    if kind == "tar":
        content = content.rstrip(b"\0")
    path = tmp_path / "cut"
    path.write_bytes(content[: int(len(content) * part)])
    digests, told = named(tmp_path, path)
    assert told and all("is broken: " in line for line in told)  # what was cut off, and the whole
    assert len(digests) < 3 and len(reasons(path)) == len(told)


def test_a_broken_header_in_the_middle_is_told(tmp_path: Path) -> None:
    content, path = bytearray(tar(PACKETS)), tmp_path / "broken.tar"
    content[content.index(b"NITE1") + 150] ^= 1  # its check sum
    path.write_bytes(content)
    digests, told = named(tmp_path, path)
    assert (len(digests), len(told)) == (1, 1)
    assert told[0] == "broken.tar: is broken: it goes on, or ends, where its end should be marked"
    assert len(reasons(path)) == 1


def test_archives_without_end_are_not_followed(tmp_path: Path) -> None:
    content = tar(PACKETS)
    for _ in range(3):
        content = tar({"again.tar": content})
    (tmp_path / "deep.tar").write_bytes(content)
    digests, told = named(tmp_path, tmp_path / "deep.tar")
    assert (digests, told) == ([], ["deep.tar/again.tar/again.tar: is an archive in 2 others: unpack them"])
    assert len(reasons(tmp_path / "deep.tar")) == 1


def test_what_would_fill_the_disk_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.zip"
    path.write_bytes(zipped(PACKETS))
    monkeypatch.setattr(members, "RESERVE", 1 << 60)
    digests, told = named(tmp_path, path)
    assert (digests, len(told), len(reasons(path))) == ([], 3, 3)
    assert "there is no room for its" in told[0] and "set TMPDIR" in told[0]
    monkeypatch.setattr(members, "LARGEST", 10)
    assert "has more than " in named(tmp_path, path)[1][0]


def test_a_name_of_any_length_is_not_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long.tar"
    path.write_bytes(tar({**PACKETS, "n" * 3000: b"[]"}))
    monkeypatch.setattr(members, "LARGEST_HEADER", 2000)
    assert named(tmp_path, path)[1][0].startswith("long.tar: is broken: a header has ")


def test_nothing_is_left_of_what_was_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "night.tar"
    path.write_bytes(tar(PACKETS))
    with archives_opened([path], lambda *_: None) as opened:
        places = list(opened.files)
        assert [str(opened.name_of(place)) for place in places] == [str(path / name) for name in PACKETS]
        assert opened.name_of(path) == path
    assert not any(place.exists() for place in places)


def sparse(number: str) -> bytes:
    """Make a tar archive whose second file says that it has holes, in a way that no program says it."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, headers in (("a.json", {}), ("b.json", {"GNU.sparse.size": number, "GNU.sparse.map": number})):
            member = tarfile.TarInfo(name)
            member.size, member.pax_headers = 3, headers
            archive.addfile(member, io.BytesIO(b"{ }"))
    return sink.getvalue()


MADE_UP: dict[str, bytes] = {
    "tar": sparse("many"),
    "zip of another version": zipped(PACKETS).replace(b"PK\1\2\x14\3\x14\0", b"PK\1\2\x14\3\xff\0"),
    "zip with names in no letters": zipped({f"ü{name}": text for name, text in PACKETS.items()}).replace(b"\xc3", b"a"),
    "text": b"\xff\xfe" + "objectId,mjd,band,mag".encode("utf-16-le") + b"\x00\xd8a\0",
}


@pytest.mark.parametrize("content", MADE_UP.values(), ids=MADE_UP)
def test_headers_and_letters_that_nobody_writes_are_told_as_broken(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "night"
    path.write_bytes(content)
    digests, told = named(tmp_path, path)
    assert digests == [] and any(line.startswith("night: is broken: ") for line in told)
    assert any("is broken: " in reason for reason in reasons(path))


@settings(deadline=None)
@given(
    content=st.sampled_from([tar({"a": b"{ }", "ü" * 99: b"{ }"}), zipped({"a": b"{ }", "ü": b"{ }"}), sparse("1,2")]),
    changes=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=5),
)
def test_no_archive_makes_python_fail(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, changes: list[tuple[int, int]]
) -> None:
    path, broken = tmp_path_factory.mktemp("a") / "night", bytearray(content)
    for place, value in changes:
        broken[place % len(content)] = value
    path.write_bytes(broken)
    told: list[str] = []
    with archives_opened([path], lambda _, problem: told.append(problem)) as opened:
        assert opened.files or told


@pytest.mark.parametrize("make", [tar, zipped])
@pytest.mark.parametrize("name", [".a.json", "__MACOSX/a.json", "_SUCCESS"])
def test_an_archive_without_files_is_told_as_a_folder_is(
    tmp_path: Path, make: Callable[[Files], bytes], name: str
) -> None:
    path = tmp_path / "night"
    path.write_bytes(make({name: b"{}", ".b.json": b"{}", "_c.json": b"{}"}))
    assert named(tmp_path, path) == ([], ["night: is an archive without files"])
    assert reasons(path) == [f"{path}: is an archive without files"]
    path.write_bytes(zipped({}))
    assert named(tmp_path, path)[1][0].startswith("night: is a zip archive without files")


def test_all_that_is_unpacked_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(("a.zip", "b.zip")):
        (tmp_path / name).write_bytes(zipped({"x": b"1234", "y": bytes([49 + number]) * 4}))
    monkeypatch.setattr(members, "LARGEST_SUM", 12)
    refused: list[tuple[str, str]] = []
    with archives_opened([tmp_path], lambda path, why: refused.append((path.name, why))) as opened:
        assert [path.name for path in opened.files] == ["x", "y", "x"]
    assert refused == [("y", "is not unpacked: all files together have over 0 GB")]
