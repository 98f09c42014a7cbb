"""YAML within limits: whatever a file holds, it is read at once, or refused in one line that names file and limit."""

from pathlib import Path

import pytest

from tides_bridge.errors import SettingsError
from tides_bridge.resources import shipped
from tides_bridge.settings import yaml_blocks
from tides_bridge.settings.yaml_blocks import DEEPEST, LARGEST_FILE, MOST_VALUES, read_blocks, read_yaml

LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 20))
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 20))

BEYOND = {
    "large": ("a: b\n" * LARGEST_FILE, "is larger than 1 MB"),
    "deep": ("a: " + "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), f"is nested deeper than {DEEPEST} levels"),
    "deep without end": ("a: " + "[" * 100_000, f"is nested deeper than {DEEPEST} levels"),
    "deep in blocks": ("\n".join(" " * level + "a:" for level in range(DEEPEST + 5)), f"deeper than {DEEPEST} levels"),
    "many": ("a: [" + "x, " * MOST_VALUES + "]", f"holds more than {MOST_VALUES} keys and values"),
    "laughs": (LAUGHS, f"holds more than {MOST_VALUES} keys and values, with what its aliases mean"),
    "merges": (MERGES, f"holds more than {MOST_VALUES} keys and values, with what its aliases mean"),
    "holds itself": ("a: &a {b: [*a]}", "has an alias that stands within what it means"),
    "long integer": ("a: " + "9" * 900_000, "has a number or date of more than 100 characters"),
    "many sixtieths": ("a: 1" + ":59" * 300_000, "has a number or date of more than 100 characters"),
}


@pytest.mark.parametrize(("text", "limit"), BEYOND.values(), ids=BEYOND)
def test_what_is_beyond_a_limit_is_one_line(text: str, limit: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError) as error:
        read_blocks(file)
    assert limit in str(error.value) and str(file) in str(error.value)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    assert error.value.exit_code == 2


def test_a_file_that_never_ends_is_left() -> None:
    with pytest.raises(SettingsError, match=r"/dev/zero: is larger than 1 MB"):
        read_yaml(Path("/dev/zero"))


@pytest.mark.parametrize(
    "value",
    ["!!bool maybe", "!!int ''", "!!timestamp then", "!!float x", "!!binary abc", "2026-13-45",
     "!!python/name:os.system", "!!set [a]", "? [a]\n: b", "*nowhere", "{", "\t- a", "!!int 1_a"],
)  # fmt: skip
def test_what_does_not_fit_its_tag_is_one_line_too(value: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(f"block:\n  key: {value}\n")
    with pytest.raises(SettingsError, match=r"is not YAML: [^\n]+$"):
        read_blocks(file)


def test_what_is_within_the_limits_is_read_as_ever(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    text = "x" * 5000
    file.write_text(
        f"one: &one {{a: [1, 2.5, null, true, 2026-11-24], b: {text!r}}}\ntwo: {{<<: *one, a: *one}}\n" + "three: {}\n"
    )
    content = read_blocks(file)
    assert content["two"] == {"a": content["one"], "b": text}
    assert [type(value).__name__ for value in content["one"]["a"]] == ["int", "float", "NoneType", "bool", "date"]
    file.write_text("a: " + "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1))
    assert str(read_yaml(file)["a"]).count("[") == DEEPEST - 1
    file.write_text("")
    assert read_yaml(file) is None


def test_a_key_that_is_there_twice_is_refused_and_a_mapping_as_key_is_no_crash(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("one: {a: 1, b: 2}\ntwo: {a: 1, b: 2, a: 3}\n")
    with pytest.raises(SettingsError, match=r"key a is there twice in line 2$"):
        read_blocks(file)
    file.write_text("? {a: 1}\n: {b: 2}\n")
    with pytest.raises(SettingsError, match="is not YAML"):
        read_blocks(file)


@pytest.mark.parametrize("name", ["flowSetting.yaml", "selectionFunctions.yaml", "deployments/prefect.yaml"])
def test_the_shipped_files_are_far_within_the_limits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_yaml(shipped(name))
    monkeypatch.setattr(yaml_blocks, "MOST_VALUES", MOST_VALUES // 20)
    monkeypatch.setattr(yaml_blocks, "LARGEST_FILE", LARGEST_FILE // 20)
    monkeypatch.setattr(yaml_blocks, "DEEPEST", DEEPEST // 2)
    assert read_yaml(shipped(name)) == whole
