"""
The README says what is true: length, commands, files, links.

Its shell blocks are run in test_deployment, all but the first: ``make demo`` is run by test_demo, and ``make test`` is
what runs here. That both exist is asked of make.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from flows import cli
from tests.support.processes import ROOT

README = (ROOT / "README.md").read_text()
DOCS = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").glob("*.md"))]
OTHERS = {name: (ROOT / name).read_text() for name in ("CONTRIBUTING.md", "deployments/README.md", *DOCS)}
PAGES = {"README.md": README, **OTHERS}
LONGEST = dict.fromkeys(DOCS, 119) | {"docs/backtest.md": 299, "docs/selection.md": 249, "docs/annotations.md": 169}
LONGEST |= {"README.md": 119, "CONTRIBUTING.md": 99, "deployments/README.md": 299}


@pytest.fixture(scope="module")
def commands() -> set[str]:
    if not any(command.name == "standins" for command in cli.app.registered_commands):
        cli._add_commands()
    return set(get_command(cli.app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_short(page: str) -> None:
    lines = PAGES[page].splitlines()
    assert len(lines) <= LONGEST[page]
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize("page", PAGES)
def test_every_tides_command_on_a_page_exists(page: str, commands: set[str]) -> None:
    code = "\n".join(re.findall(r"```.*?```|`[^`]+`", PAGES[page], re.DOTALL))
    told = set(re.findall(r"(?:`|^)tides ([a-z-]+)", code, re.MULTILINE))
    assert told
    assert told <= commands


def test_the_readme_tells_of_every_command(commands: set[str]) -> None:
    assert [name for name in commands if f"tides {name}" not in README and f"make {name}" not in README] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_on_a_page_exists(page: str) -> None:
    """``make -n`` only tells what it would do."""
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    for target in set(re.findall(r"(?:`|^)make ([a-z]+)", PAGES[page], re.MULTILINE)):
        subprocess.run(["make", "-n", target], cwd=ROOT, env=alone, check=True, capture_output=True)


@pytest.mark.parametrize("page", PAGES)
def test_every_file_and_folder_on_a_page_exists(page: str) -> None:
    told = re.findall(r"`([\w.-]+/[\w./-]*|[\w-]+\.(?:md|yaml|toml|txt|py|sql)|LICENSE|Makefile)`", PAGES[page])
    rooms = [folder for top in ("tides_bridge", "sql") for folder in (ROOT / top).iterdir() if folder.is_dir()]
    places = [ROOT, ROOT / Path(page).parent, ROOT / "tides_bridge", *rooms]
    assert told
    assert [name for name in told if not any((place / name).exists() for place in places)] == []


def test_the_readme_tells_of_every_folder_of_code() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"sql", "tests", "deployments"}
    assert [name for name in folders if f"`{name}/" not in README] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_between_pages_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", PAGES[page])
    assert [link for link in links if not (ROOT / Path(page).parent / link).exists()] == []


def test_the_variables_for_secrets_are_settings() -> None:
    """Each is TIDES_ and the key in capitals, which flowSetting.yaml explains."""
    settings = (ROOT / "flowSetting.yaml").read_text()
    for variable in set(re.findall(r"\bTIDES_[A-Z_]+", "\n".join(PAGES.values()))) - {"TIDES_SETTINGS", "TIDES_CONFIG"}:
        key = variable.removeprefix("TIDES_").split("__")[-1]
        assert re.search(rf"^\s*(?:# )*\s*{key}:", settings, re.MULTILINE | re.IGNORECASE), variable


def test_the_names_that_a_person_types_are_those_of_the_deployments() -> None:
    deployments = yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text())["deployments"]
    names = {each["name"] for each in deployments}
    assert set(re.findall(r"`TiDES \w+/([\w-]+)`", OTHERS["docs/schedules.md"])) == names
    for page in PAGES.values():
        assert set(re.findall(r"TiDES \w+/([\w-]+)", page)) <= names
    assert {each["work_pool"]["name"] for each in deployments} == {"tides"}
