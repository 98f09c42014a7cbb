"""A command ends with one line for an error of ours, and prints as wide as it is told where there is no terminal."""

from codecs import BOM_UTF8
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from flows.cli import main
from tides_bridge.console import (
    check_arguments,
    echo_line,
    exit_on_error,
    lines_of,
    stderr_console,
    stdout_console,
    visible,
)
from tides_bridge.errors import BridgeError, BrokerUnavailable, MalformedAlert, SettingsError


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (SettingsError("flowSetting.yaml", "a.b", "is missing"), 2, "tides: flowSetting.yaml: a.b: is missing\n"),
        (BrokerUnavailable("Kafka", "is away", "start it"), 1, "tides: Kafka: is away (start it)\n"),
        (MalformedAlert("message 7", "is [empty]"), 1, "tides: message 7: is [empty]\n"),
        (BridgeError("port 8040 is in use"), 1, "tides: port 8040 is in use\n"),
    ],
)
def test_an_error_of_ours_is_one_line_on_stderr(
    error: BridgeError, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as caught, exit_on_error():
        raise error
    assert caught.value.exit_code == code
    assert caught.value.__suppress_context__
    assert capsys.readouterr() == ("", line)


@given(st.lists(st.binary(max_size=8)), st.booleans())
def test_lines_of_a_file_are_text_or_the_first_that_is_none_is_named(lines: list[bytes], is_marked: bool) -> None:
    content = [line.translate(None, b"\r\n") for line in lines]
    bad = [number for number, line in enumerate(content, 1) if b"\0" in line or not is_utf8(line)]
    with TemporaryDirectory() as folder:
        path = Path(folder, "names")
        path.write_bytes(BOM_UTF8 * is_marked + b"".join(line + b"\r\n" for line in content))
        if bad:
            with pytest.raises(SettingsError, match=rf"line {bad[0]}, .* is no text in UTF-8"):
                lines_of(path)
        elif is_marked or not path.read_bytes().startswith(BOM_UTF8):
            assert lines_of(path) == [line.decode() for line in content]


def is_utf8(content: bytes) -> bool:
    try:
        return bool(content.decode() or True)
    except UnicodeDecodeError:
        return False


def test_arguments_that_are_no_text_are_refused_unless_they_name_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["veto", "a", "--reason", "b\udcff"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("tides: argument 4: b\\xff is no UTF-8")
    file = tmp_path / "\udcff"
    file.touch()
    check_arguments(["veto", "--file", str(file)])


@pytest.mark.parametrize("error", [ValueError("a mistake of ours"), KeyboardInterrupt(), typer.Exit(7)])
def test_everything_else_passes_without_a_word(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(type(error)) as caught, exit_on_error():
        raise error
    assert caught.value is error
    assert capsys.readouterr() == ("", "")


def test_a_console_has_its_width_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for width in (40, 120):
        stdout_console(width).print("word " * 60)
        stderr_console(width).print("line " * 60)
        output, errors = capsys.readouterr()
        assert max(map(len, output.splitlines())) == width
        assert max(map(len, errors.splitlines())) == width
        assert set(output.split()) == {"word"}
        assert set(errors.split()) == {"line"}
    assert stdout_console().width == 200


EVIL = "SN\x1b[2J\x1b]0;title\x07\x9b31m\u202eab\x00"


def test_what_others_wrote_moves_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever way it is printed: as an error, a line, a word, a cell or a title."""
    table = Table(EVIL, title=EVIL)
    table.add_row(EVIL, style="bold red")
    for console in (stdout_console(), stderr_console(200), stdout_console(highlight=False, soft_wrap=True)):
        console.print(table, markup=False)
        console.print(EVIL, Text(EVIL, "bold"), markup=False)
    echo_line(EVIL)
    echo_line(EVIL, err=True)
    with pytest.raises(typer.Exit), exit_on_error():
        raise MalformedAlert(EVIL, EVIL)
    for shown in capsys.readouterr():
        assert shown.replace("\n", "").isprintable()
        assert "SN\\x1b[2J" in shown and "ab" in shown


def test_what_rich_says_itself_reaches_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console = stdout_console(force_terminal=True, highlight=False, color_system="standard", legacy_windows=False)
    console.print(Text("red", "red"), EVIL)
    console.show_cursor(False)
    shown = capsys.readouterr().out
    assert "\x1b[31mred\x1b[0m" in shown and "\x1b[?25l" in shown
    assert "\x1b[2J" not in shown and "\\x1b[2J" in shown


def test_all_that_can_be_seen_stays() -> None:
    for text in ("Ångström 超新星 ⠋ ━ │", "a\u00a0b", "a\\b", ""):
        assert visible(text) == text
    assert visible("a\tb\n", "\n\t") == "a\tb\n"
    assert visible("a\tb\n") == "a\\tb\\n"
