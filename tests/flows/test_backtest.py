"""`tides backtest` and the flow "TiDES backtest", as a person uses them; and what docs/backtest.md says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import Result
from typer.main import get_command
from typer.testing import CliRunner

from flows import cli
from tests.support.forked import forked_tides
from tests.support.processes import ROOT

PAGE = (ROOT / "docs" / "backtest.md").read_text()
FUNCTIONS = ("--function", "tidesSNZTFSelect")
HUGE = "313637935709683761"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two objects, one in two bands and one in one, both bright enough; the truth is in the file, too."""
    lines = ["objectId,mjd,band,mag,magerr,type,redshift"]
    for day in range(4):
        lines += [f"{HUGE},{61000.2 + day},{'gr'[day % 2]},19,0.1,SN Ia,0.1", f"b,{61000.2 + day},g,19,0.1,AGN,0.3"]
    file = tmp_path / "archive.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_the_command_prints_and_writes(archive: Path, tmp_path: Path) -> None:
    places = [
        option
        for name in ("a.json", "a.png")
        for option in (f"--{'plot' if 'png' in name else 'output'}", tmp_path / name)
    ]
    done = forked_tides("backtest", archive, *FUNCTIONS, "--function", "tidesSNLSSTSelect", "--truth", archive, *places)
    assert (done.returncode, len(done.stderr.splitlines())) == (0, 2)
    assert "columns that are not used: type, redshift" in done.stderr and "say --survey" in done.stderr
    for words in ("tidesSNLSSTSelect", "By true class", "A against B", "Efficiency by redshift", "SN Ia", "AGN"):
        assert words in done.stdout
    assert "2 objects in the archive, 0 of them of no known class" in done.stdout
    content = json.loads((tmp_path / "a.json").read_text())
    assert [(row["class"], row["selected_A"], row["selected_B"]) for row in content["classes"]] == [
        ("AGN", 0, 0),
        ("SN Ia", 1, 0),
    ]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_follows_targets_that_fade_and_one_that_stays_bright(tmp_path: Path) -> None:
    lines = ["objectId,mjd,band,mag,magerr,type,redshift"]
    for day in range(0, 60, 2):
        for band in "gr":
            lines.append(f"ZTF18aaaaaab,{61000 + day}.1,{band},{18 + 0.11 * abs(day - 10):.2f},0.1,SN Ia,0.05")
            lines.append(f"ZTF18aaaaaac,{61000 + day}.1,{band},{19 + 0.02 * abs(day - 12):.2f},0.1,SN II,0.07")
    archive = tmp_path / "archive.csv"
    archive.write_text("\n".join(lines) + "\n")
    options = ("--survey", "ztf", *FUNCTIONS, "--truth", archive, "--life", "--output", tmp_path / "a.json")
    done = forked_tides("backtest", archive, *options)
    assert done.returncode == 0, done.stderr
    for words in ("Life of targets by rule", "wanted: days", "wanted: predicted", "later points brighter that find it"):
        assert words in done.stdout
    by_rule = {row["rule"]: row for row in json.loads((tmp_path / "a.json").read_text())["lives"]}
    assert {rule: row["targets"] for rule, row in by_rule.items()} == {"days": 2, "predicted": 2}
    for row in by_rule.values():
        assert row["faint"] > 0 and row["later_faint"] > 0 and row["found"] == row["later"] > 0
    assert by_rule["predicted"]["on_faint"] <= by_rule["days"]["on_faint"]
    alone = forked_tides("backtest", archive, *options[:-3], "--output", tmp_path / "b.json")
    assert alone.returncode == 0 and "Life of targets" not in alone.stdout
    assert "lives" not in json.loads((tmp_path / "b.json").read_text())


def test_the_command_needs_no_prefect(archive: Path) -> None:
    program = (
        "import sys; from flows.cli import main\ntry: main(sys.argv[1:])\nfinally: print('prefect' in sys.modules)"
    )
    command = [sys.executable, "-c", program, "backtest", archive, *FUNCTIONS, "--truth", archive]
    done = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def in_process(*arguments: str | Path) -> Result:
    """Run the command without starting Python anew."""
    return CliRunner().invoke(cli.app, ["backtest", *map(str, arguments)])


def test_a_broken_file_is_told_and_the_rest_done(archive: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and no more")
    done = in_process(broken, archive, *FUNCTIONS, "--truth", archive)
    assert done.exit_code == 1
    assert f"tides: {broken}: is broken" in done.stderr
    assert "2 objects in the archive" in done.stdout


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--function", "none"), "none: no such selection function; there are: tidesSNLSSTSelect"),
        ((*FUNCTIONS, "--wanted", "SN Q"), "--wanted: SN Q: no class is called so; there are"),
        ((*FUNCTIONS, "--output", "a.txt"), "--output: a.txt must end with one of .md, .json, .csv"),
        ((*FUNCTIONS * 3,), "one function, or two that are compared"),
        ((*FUNCTIONS, "--peak-band", "x"), "--peak-band: x is not one of"),
        ((*FUNCTIONS, "--truth", "nowhere.csv"), "nowhere.csv: cannot be read"),
        ((*FUNCTIONS, "--truth", "nowhere.csv=SN Q"), "SN Q: no class is called so"),
    ],
)
def test_wrong_settings_are_told(archive: Path, options: tuple[str, ...], problem: str) -> None:
    done = in_process(archive, *options, *(() if "--truth" in options else ("--truth", archive)))
    assert done.exit_code == 2
    assert problem in re.sub(r"[│\s]+", " ", done.stderr)


def test_an_archive_without_light_curves(archive: Path, tmp_path: Path) -> None:
    done = in_process(tmp_path / "none.csv", *FUNCTIONS, "--truth", archive)
    assert done.exit_code == 1
    assert "there is no such file or folder" in done.stderr
    assert "no light curve that could be read" in done.stderr


def test_the_flow_publishes_its_report(archive: Path, tmp_path: Path, prefect_api: str) -> None:
    given: dict[str, Any] = {"paths": [str(archive), str(tmp_path / "none.csv")], "functions": ["tidesSNZTFSelect"]}
    given |= {"truth": [f"{archive}"], "output": str(tmp_path / "a.md"), "plot": str(tmp_path / "a.png")}
    program = "import json, sys; from flows.backtest import backtest_selection as flow; "
    program += "print(json.dumps(flow(**json.loads(sys.argv[1]))))"
    command = [sys.executable, "-c", program, json.dumps(given)]
    environment = os.environ | {"PREFECT_API_URL": prefect_api}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"objects": 2, "selected_A": 1, "refused": 1}
    assert "| SN Ia | yes | 1 | 1 |" in (tmp_path / "a.md").read_text()
    assert (tmp_path / "a.png").exists()
    report, classes = (_artifact(prefect_api, key) for key in ("tides-backtest", "tides-backtest-classes"))
    assert "## By true class" in report and "none.csv: there is no such file or folder" in report
    assert {row["class"]: row["A selects"] for row in json.loads(classes)} == {"AGN": "0", "SN Ia": "1"}


def _artifact(address: str, key: str) -> str:
    filters = {"artifacts": {"key": {"any_": [key]}}, "sort": "CREATED_DESC", "limit": 1}
    (artifact,) = requests.post(f"{address}/artifacts/filter", json=filters, timeout=60).json()
    return str(artifact["data"])


def test_the_form_of_the_flow_explains_every_parameter() -> None:
    from flows.backtest import backtest_selection

    assert backtest_selection.name == "TiDES backtest"
    parameters = backtest_selection.parameters
    assert parameters.required == ["paths", "functions", "truth"]
    assert [name for name, about in parameters.properties.items() if not about.get("description")] == []


def test_every_command_of_the_page_exists_with_its_options() -> None:
    command = get_command(cli.app).commands["backtest"]  # type: ignore[attr-defined]
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line]
    assert len(lines) >= 3
    assert all(line.startswith("tides backtest ") for line in lines)
    assert set(re.findall(r"(?<!-)--[a-z][a-z-]*", PAGE)) <= options | {"--help"}
    told = set(re.findall(r"--function (\w+)", " ".join(lines)))
    assert told <= set(re.findall(r"^(\w+):", (ROOT / "selectionFunctions.yaml").read_text(), re.MULTILINE))
    assert options <= set(re.findall(r"--[a-z-]+", PAGE))


@pytest.mark.parametrize("number", range(3))
def test_the_tables_of_the_page_are_what_its_commands_say(number: int, shared_data: Path, tmp_path: Path) -> None:
    """The counts by class under each command; the page calls the folder of real data ../shared/data."""
    parts = re.split(r"^```sh\n", PAGE, flags=re.MULTILINE)[1:]
    line, _, rest = parts[number].partition("```")
    words = line.replace("\\\n", " ").replace("../shared/data", str(shared_data)).split()
    done = in_process(*words[2:], "--output", tmp_path / "a.md")
    assert done.exit_code == 0, done.stderr
    made = (tmp_path / "a.md").read_text()
    tables = re.findall(r"^\| .*\|$", rest, re.MULTILINE)
    assert len(tables) > 4
    assert [row for row in tables if row not in made] == []
