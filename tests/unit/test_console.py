"""A command ends with one line for an error of ours, and prints as wide as it is told where there is no terminal."""

import pytest
import typer

from tides_bridge.console import exit_on_error, stderr_console, stdout_console
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
