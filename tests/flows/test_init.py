"""`tides init`: what a bridge is set up with, where there is no checkout."""

from pathlib import Path

from tests.support.forked import forked_tides
from tests.support.processes import ROOT
from tides_bridge.settings import load_settings

NAMES = ("flowSetting.yaml", "selectionFunctions.yaml")


def test_settings_are_written_once_and_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "bridge"
    ended = forked_tides("init", folder)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert sorted(file.name for file in folder.iterdir()) == list(NAMES)
    for name in NAMES:
        assert (folder / name).read_text() == (ROOT / name).read_text()
    assert load_settings(file=folder / NAMES[0]).select_function_path == folder / NAMES[1]


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / NAMES[0]).write_text("mine: {}\n")
    ended = forked_tides("init", tmp_path)
    assert ended.returncode == 0
    assert f"{tmp_path / NAMES[0]} is there already, and stays as it is\n" in ended.stdout
    assert (tmp_path / NAMES[0]).read_text() == "mine: {}\n"
    assert (tmp_path / NAMES[1]).exists()


def test_what_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        ended = forked_tides("init", folder)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr.startswith(f"tides: {folder}") and "Traceback" not in ended.stderr
    assert (tmp_path / "file").read_text() == ""
