"""What docs/streams.md says is what the commands do: its blocks are run in their order, and its tables are compared."""

import os
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from flows import cli
from simulators.alerts.encoders import FORMATS, encode
from simulators.commands.replay import ReplayPacking
from simulators.services.stream import KafkaStandin
from tests.support.processes import ROOT
from tests.support.streams import lsst_packets, read_all, ztf_packets
from tides_bridge.brokers import viewer as watching
from tides_bridge.formats.framing import Framing, framing_of

PAGE = (ROOT / "docs" / "streams.md").read_text()


def commands(kind: str) -> list[list[str]]:
    """Give the commands of all blocks of a kind."""
    text = "\n".join(re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)).replace("\\\n", " ")
    return [shlex.split(line) for line in text.splitlines() if line.startswith("tides ")]


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaStandin]:
    with KafkaStandin() as kafka:
        yield kafka


@pytest.fixture(autouse=True)
def _all_commands() -> None:
    if not any(command.name == "replay" for command in cli.app.registered_commands):
        cli._add_commands()


def quickly(words: list[str], address: str) -> list[str]:
    """Put the address in, and shorten what is waited for."""
    waits = {"--silence": "0", "--interval": "0.1"}
    known = [address if word == "$KAFKA" else word for word in words]
    return [known[0], *(waits.get(before, word) for before, word in pairwise(known))]


def test_the_blocks_do_what_the_page_says(kafka: KafkaStandin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.02)
    said: list[str] = []
    given = commands("sh")
    assert len(given) == 10
    for _, *words in given:
        done = CliRunner().invoke(cli.app, quickly(words, kafka.address), catch_exceptions=False)
        left_out = [line for line in done.output.splitlines() if line.startswith("tides: ")]
        assert done.exit_code == (1 if left_out else 0), (words, done.output)
        assert words[0] == "select" or not left_out
        assert all("an object of the solar system" in line for line in left_out)
        said.append(done.output)
    assert "12 alerts sent to topic tutorial" in said[1]
    assert len(list(Path("alerts").iterdir())) == 12 and list(Path("plots").glob("*.png"))
    assert len(re.findall(r"observation \d: 5 alerts sent \(\d{5}\.\d+ to \d{5}\.\d+\)", said[5])) == 3
    assert len(read_all(kafka, "tutorial")) == 15
    assert {framing_of(message.value, message.key) for message in read_all(kafka, "json")} == {Framing.JSON}
    assert {framing_of(message.value, message.key) for message in read_all(kafka, "fink")} == {Framing.KEYED}


@pytest.mark.parametrize("line", [" ".join(words) for words in commands("(?:sh|text)")])
def test_every_option_on_the_page_exists(line: str) -> None:
    _, name, *words = line.split()
    known = {each for param in get_command(cli.app).commands[name].params for each in param.opts}  # type: ignore[attr-defined]
    assert {word for word in words if word.startswith("--")} <= known


def test_options_in_the_text_exist() -> None:
    known = {
        each
        for name in ("simulate", "replay", "watch", "standins")
        for param in get_command(cli.app).commands[name].params  # type: ignore[attr-defined]
        for each in param.opts
    } | {"--help"}
    told = set(re.findall(r"`[^`\n]*?(--[a-z-]+)", PAGE))
    assert told and told <= known


def test_every_format_is_in_the_table_with_its_framing() -> None:
    rows = [line.split("|")[1:3] for line in PAGE.splitlines() if re.match(r"\| `\w", line)]
    told = {
        form: re.findall(r"`(\w+)`", framing)[0] for forms, framing in rows for form in re.findall(r"`([\w-]+)`", forms)
    }
    assert set(told) == set(FORMATS)
    for form, framing in told.items():
        made = encode((ztf_packets() if "ztf" in form else lsst_packets())[0], form)
        assert framing_of(made.value, made.key) is Framing(framing)
    assert {each.value for each in ReplayPacking} - {"as-recorded"} == {each.value for each in Framing} - {"bson"}


def test_the_login_of_the_page_is_read_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tides_bridge.settings import load_settings

    for name in [name for name in os.environ if name.startswith("TIDES_")]:
        monkeypatch.delenv(name)
    variable, value = re.findall(r"`(TIDES_\w+)='([^']*)'`", PAGE)[0]
    monkeypatch.setenv(variable, value)
    file = tmp_path / "s.yaml"
    file.write_text("a: {topic: t, groupID: 1, selectFunction: f, broker: {options: {sasl.username: me}}}")
    options = load_settings(file=file).broker.options
    assert {key: each.get_secret_value() for key, each in options.items()} == {
        "sasl.username": "me",
        "sasl.password": "...",
    }
