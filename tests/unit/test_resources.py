"""Files and folders that a user has for himself: whatever the umask, and whatever was there."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tides_bridge import resources
from tides_bridge.resources import make_own_folder, own_file, write_own


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o277], ids=oct)
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_umask")
def test_files_and_folders_are_their_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    make_own_folder(tmp_path / "a" / "b", 0o700)
    make_own_folder(tmp_path / "a" / "c")
    write_own(tmp_path / "a" / "b" / "file", "one")
    with own_file(tmp_path / "a" / "b" / "log") as log:
        log.write("two")
    assert [mode(tmp_path / path) for path in ("a", "a/b", "a/c")] == [0o700] * 3
    assert [mode(file) for file in (tmp_path / "a" / "b").iterdir()] == [0o600] * 2
    assert (tmp_path / "a" / "b" / "file").read_text() == "one"


@pytest.mark.usefixtures("_umask")
def test_for_root_parents_let_pass_and_the_folder_itself_need_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    make_own_folder(tmp_path / "a" / "b", 0o700)
    make_own_folder(tmp_path / "a" / "c")
    assert [mode(tmp_path / path) for path in ("a", "a/b", "a/c")] == [0o711, 0o700, 0o711]


def test_what_was_open_to_all_is_closed_and_folders_that_are_there_stay(tmp_path: Path) -> None:
    for name in ("file", "file.new", "log"):
        (tmp_path / name).write_text("a longer text of before")
        (tmp_path / name).chmod(0o666)
    tmp_path.chmod(0o755)
    make_own_folder(tmp_path, 0o700)
    write_own(tmp_path / "file", "new")
    own_file(tmp_path / "log").close()
    assert {path.name: (mode(path), path.read_text()) for path in tmp_path.iterdir()} == {
        "file": (0o600, "new"),
        "log": (0o600, ""),
    }
    assert mode(tmp_path) == 0o755


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    for name in ("file", "file.new"):
        (tmp_path / name).symlink_to("theirs")
    with pytest.raises(OSError, match="symbolic links"):
        own_file(tmp_path / "file")
    with pytest.raises(OSError, match="symbolic links"):
        write_own(tmp_path / "file", "ours")
    assert (tmp_path / "theirs").read_text() == "theirs"


def test_the_former_file_stays_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    write_own(tmp_path / "file", "one")
    monkeypatch.setattr(resources.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_own(tmp_path / "file", "two")
    assert (tmp_path / "file").read_text() == "one"
