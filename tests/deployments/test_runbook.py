"""The runbook has what a message sends a person there for, and commands that exist."""

import re

import pytest
import yaml
from typer.main import get_command

from flows import cli
from tests.support.processes import ROOT
from tides_bridge.operations.problems import REMEDIES

FOLDER = ROOT / "deployments"
RUNBOOK = (FOLDER / "README.md").read_text()
ALARMS = RUNBOOK.partition("\n## Every alarm\n")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", RUNBOOK, re.MULTILINE | re.DOTALL)


def rows() -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", ALARMS, re.MULTILINE)


def test_every_alarm_has_one_row() -> None:
    """Of the watchdog its kinds, of Prometheus what a rule names as its runbook."""
    rules = yaml.safe_load((FOLDER / "prometheus" / "tides.rules.yml").read_text())["groups"]
    named = [rule["annotations"]["runbook"] for group in rules for rule in group["rules"] if "alert" in rule]
    prefix = "deployments/README.md: "
    assert named and all(each.startswith(prefix) for each in named)
    assert sorted(rows()) == sorted(set(REMEDIES) | {each.removeprefix(prefix) for each in named})


def test_every_command_that_the_bridge_has_is_one() -> None:
    if not any(command.name == "standins" for command in cli.app.registered_commands):
        cli._add_commands()
    commands = get_command(cli.app).commands  # type: ignore[attr-defined]
    typed = set(re.findall(r"(?:as-tides|worker|watchdog) tides ([a-z-]+)", RUNBOOK))
    assert {"check", "schema", "status", "watchdog", "upgrade", "restore"} <= typed <= set(commands)


@pytest.mark.parametrize("pattern", [r"(?:tides-[\w-]+\.\w+|tides\.target)", r"deployments/systemd/[\w@.-]+"])
def test_every_unit_and_file_of_a_command_exists(pattern: str) -> None:
    named = set(re.findall(pattern, "\n".join(BLOCKS))) - {"deployments/systemd/tides-"}
    assert named
    assert [name for name in named if not (FOLDER / "systemd" / name.split("/")[-1]).exists()] == []


def test_every_unit_is_installed() -> None:
    """As the names in the cp command have them."""
    units = {path.name for path in (FOLDER / "systemd").iterdir()}
    copied = {name for name in units if name.startswith("tides-")} | {"tides.target"}
    assert units - copied == {"as-tides", "journald@tides.conf", "tides.env.example"}
    assert all(any(name in block for block in BLOCKS) for name in units - copied)
