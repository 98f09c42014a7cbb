"""Settings of `tides run --set`."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from tides_bridge.errors import SettingsError
from tides_bridge.settings import load_settings
from tides_bridge.settings.by_hand import set_by_hand


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    file = tmp_path / "settings.yaml"
    targets = "{unlookedAfter: 20 days, keepUnselected: true}"
    file.write_text(f"a:\n  topic: t\n  groupID: 1\n  selectFunction: f\n  targets: {targets}\n")
    return file


def test_what_is_set_by_hand_wins_and_nothing_else_changes(file: Path) -> None:
    os.environ["TIDES_TARGETS__UNLOOKEDAFTER"] = "25 days"
    set_by_hand(["targets.unlookedAfter=30 days", "selectFunction = g", "now=2026-11-21T12:00:00Z"])
    settings = load_settings(file=file)
    assert (settings.targets.unlooked_after, settings.select_function) == (timedelta(days=30), "g")
    assert (settings.topic, settings.targets.keep_unselected, settings.now_mjd()) == ("t", True, 61365.5)


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        ("targets.unlookedAfter", "write KEY=VALUE"),
        ("topic=", "write KEY=VALUE"),
        ("topics=x", "unknown key"),
        ("lasairToken=x", "is a secret"),
        ("fourmost.token=x", "is a secret"),
        ("brokers.rubin.token=x", "is a secret"),
        ('broker.options={"sasl.password": "x"}', "is a secret"),
    ],
)
def test_what_is_wrong_is_named(file: Path, pair: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem) as error:
        set_by_hand([pair])
    assert error.value.key == pair.partition("=")[0]


@pytest.mark.parametrize("pair", ["targets.unlokedAfter=3 days", "targets.unlookedAfter=soon"])
def test_what_is_wrong_within_a_section_is_told_when_they_are_read(
    file: Path, pair: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tides_bridge.settings.by_hand.BY_HAND", made := {})
    monkeypatch.setattr("tides_bridge.settings.wrong.BY_HAND", made)
    set_by_hand([pair])
    with pytest.raises(SettingsError, match=f"^--set: {pair.partition('=')[0]}: "):
        load_settings(file=file)
    made.clear()
    with pytest.raises(
        SettingsError, match=f"^environment: TIDES_{pair.partition('=')[0].replace('.', '__').upper()}: "
    ):
        load_settings(file=file)
