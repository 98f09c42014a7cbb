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


def test_keys_and_lists_are_given_as_json(file: Path) -> None:
    set_by_hand(['targets.faintLimit={"r": 22, "g": 21.5}', 'shadowFunctions=["g", "h"]'])
    settings = load_settings(file=file)
    assert (settings.targets.faint_limit, settings.shadow_functions) == ({"r": 22.0, "g": 21.5}, ("g", "h"))


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        ("targets.keepUnselected=perhaps", "must be true or false, not perhaps"),
        ("targets.rule=perhaps", "must be 'days' or 'predicted', not perhaps"),
        ("targets.guard.share=7", "must be less than or equal to 1, not 7"),
        ("targets.guard.share=much", "must be a number, not much"),
        ("targets.guard.atLeast=1.5", "must be a whole number, not 1.5"),
        ("now=perhaps", "must be a time: write it as 2026-11-01T12:00:00Z, not perhaps"),
        ("targets.futureGrace=soon", "not a duration: write it as 5 days or 30 seconds, not soon"),
        ('targets.faintLimit={"q": 22}', "must be 'u', 'g', 'r', 'i', 'z' or 'y', not {\"q\": 22}"),
        ("targets.faintLimit=perhaps", "must be JSON"),
        ("shadowFunctions=perhaps", "must be JSON"),
    ],
)
def test_what_is_allowed_is_said_in_our_words(
    file: Path, pair: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tides_bridge.settings.by_hand.BY_HAND", made := {})
    monkeypatch.setattr("tides_bridge.settings.wrong.BY_HAND", made)
    set_by_hand([pair])
    with pytest.raises(SettingsError) as error:
        load_settings(file=file)
    assert (error.value.file, error.value.key) == ("--set", pair.partition("=")[0])
    assert problem in error.value.problem


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
