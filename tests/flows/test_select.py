"""`tides select`, as a person types it, and the flow "TiDES select"."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import requests
from typer.testing import CliRunner, Result

from flows.cli import app
from flows.in_order import in_order
from tests.support.processes import ROOT, tides

FUNCTIONS = """
mine:
  rules: strict
  filters: [g, r]
  significance: 5
  minNights: 2
  magLimit: 19
  sherlockClasses: [SN, UNKNOWN]
"""

BAND = "gr"


def write_curves(path: Path, objects: int, first: int = 0) -> Path:
    """Write light curves of two nights; every second object is too faint."""
    rows = ["objectId,mjd,band,mag,magerr"]
    for number in range(first, first + objects):
        rows += [f"ZTF{number:04d},{61000.2 + at},{BAND[at % 2]},{18.5 + number % 2},0.1" for at in range(2)]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with functions, and with ten light curves in it."""
    (tmp_path / "functions.yaml").write_text(FUNCTIONS)
    (tmp_path / "archive").mkdir()
    write_curves(tmp_path / "archive" / "curves.csv", 10)
    return tmp_path


def select(folder: Path, *options: str | Path) -> Result:
    """Run the command in this process."""
    given = ["--function", "mine", "--functions", folder / "functions.yaml", *options]
    return CliRunner().invoke(app, ["select", *map(str, given)], catch_exceptions=False, env={"COLUMNS": "200"})


def summary(done: Result) -> dict[str, str]:
    """Read the table that is printed."""
    rows = [line.split("  ", 1) for line in done.stdout.splitlines() if "  " in line]
    return {name.strip(): value.strip() for name, value in rows}


def test_the_summary_counts(folder: Path) -> None:
    done = select(folder, folder / "archive")
    assert done.exit_code == 0, done.output
    found = summary(done)
    assert found["function"].startswith("mine, version ")
    assert (found["objects judged"], found["passed"]) == ("10", "5")
    assert (found["failed minNights >= 2"], found["failed magLimit <= 19 mag"]) == ("0", "5")
    assert "refused" not in found and found["time"].endswith(" s")
    assert not done.stderr  # nobody looks: no progress bar


def test_decisions_of_all_kinds_say_the_same(folder: Path) -> None:
    for ending in ("csv", "json", "parquet"):
        done = select(folder, folder / "archive", "--output", folder / f"decisions.{ending}")
        assert done.exit_code == 0, done.output
        assert summary(done)["decisions"].endswith(f"decisions.{ending}")
    rows: list[dict[str, Any]] = json.loads((folder / "decisions.json").read_text())
    assert rows == pq.read_table(folder / "decisions.parquet").to_pylist()
    with (folder / "decisions.csv").open(newline="") as stream:
        assert [row["objectId"] for row in csv.DictReader(stream)] == [row["objectId"] for row in rows]
    assert rows[0]["objectId"] == "ZTF0000" and rows[0]["passed"] and rows[0]["trigger_mjd"] == 61001.2
    assert rows[0]["sherlockClasses"] == "UNKNOWN" and rows[0]["sherlockClasses_passed"]
    assert rows[1]["trigger_mjd"] is None and rows[1]["magLimit"] == 19.5 and not rows[1]["magLimit_passed"]


def test_a_broken_file_is_told_and_the_rest_is_done(folder: Path) -> None:
    (folder / "archive" / "broken.json").write_text('{"objectId": "x", ')
    (folder / "archive" / "empty.csv").touch()
    done = select(folder, folder / "archive", "--output", folder / "d.csv")
    assert done.exit_code == 1
    assert summary(done)["objects judged"] == "10"
    assert summary(done)["refused"] == "2 files or records, in 2 files"
    assert "broken.json: " in done.stderr and "empty.csv: is empty" in done.stderr
    assert len((folder / "d.csv").read_text().splitlines()) == 11


def test_of_a_file_with_many_broken_records_a_few_are_told(folder: Path) -> None:
    (folder / "archive" / "lines.jsonl").write_text('{"objectId": 1}\n' * 12)
    done = select(folder, folder / "archive")
    assert done.exit_code == 1 and summary(done)["refused"] == "12 files or records, in 1 files"
    told = [line for line in done.stderr.splitlines() if "lines.jsonl" in line]
    assert len(told) == 6 and told[-1].endswith("7 more records of it were refused")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["nowhere"], "nowhere: there is no such file or folder"),
        (["archive", "--output", "d.txt"], "--output d.txt: must end in .csv, .parquet, .json"),
        (["archive", "--output", "nowhere/d.csv"], "there is no folder nowhere"),
        (["archive", "--function", "other"], "other: no such selection function; there are: mine"),
        (["archive", "--functions", "none.yaml"], "none.yaml"),
        (["archive", "--now", "2460000.5"], "--now 2460000.5: is no MJD"),
        (["archive", "--plots", "functions.yaml"], "--plots functions.yaml: cannot be made"),
        (["archive", "--schema", "nowhere.avsc"], "nowhere.avsc: there is no such file or folder"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_before_any_work(
    folder: Path, options: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("flows.from_files.work_units", lambda *_, **__: pytest.fail("it works already"))
    done = select(folder, *options)
    assert done.exit_code == 2 and not done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("tides: ") and words in line


def test_plots_of_what_passes_as_many_as_are_wanted(folder: Path) -> None:
    plots = folder / "archive" / "plots"
    done = select(folder, folder / "archive", "--plots", plots, "--max-plots", "2", "--output", folder / "d.csv")
    assert done.exit_code == 0, done.output
    assert summary(done)["plots"].startswith("2 of 5; --max-plots 0 plots all, in ")
    assert sorted(path.name for path in plots.iterdir()) == ["ZTF0000.png", "ZTF0002.png"]
    again = select(folder, folder / "archive", "--plots", plots, "--plot-all", "--dpi", "50")
    assert again.exit_code == 0, again.output  # its own plots are no input
    assert len(list(plots.iterdir())) == 10 and summary(again)["plots"].startswith("10, in ")


def test_its_own_decisions_are_no_input(folder: Path) -> None:
    for _ in range(2):
        done = select(folder, folder / "archive", "--output", folder / "archive" / "decisions.csv")
        assert done.exit_code == 0, done.output


def test_ages_count_from_now(folder: Path) -> None:
    (folder / "functions.yaml").write_text(FUNCTIONS.replace("magLimit: 19", "maxAgeLast: 5 d"))
    assert summary(select(folder, folder / "archive"))["passed"] == "10"
    assert summary(select(folder, folder / "archive", "--now", "2026-01-01"))["passed"] == "0"


def test_without_a_file_of_functions_ours_is_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, ["select", "archive", "--function", "tidesSNZTFSelect"], catch_exceptions=False)
    assert done.exit_code == 0 and summary(done)["passed"] == "10"


def test_a_full_disk_is_told_and_nothing_is_left(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    done = select(folder, folder / "archive", "--output", folder / "d.parquet")
    assert done.exit_code == 1 and "No space left on device" in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["archive", "functions.yaml"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_half_written(folder: Path, number: signal.Signals) -> None:
    os.mkfifo(folder / "archive" / "never.csv")  # a pipe that nobody writes to: it would wait for ever
    pipe = folder / "archive" / "never.csv"
    output = folder / "decisions.csv"
    command = [sys.executable, "-c", SLOW, "select", str(folder / "archive" / "curves.csv"), "--function", "mine"]
    command += ["--functions", str(folder / "functions.yaml"), "--output", str(output)]
    with subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=os.environ | {"PIPE": str(pipe)}
    ) as run:
        wait_for(lambda: any(path.name.startswith(".decisions") for path in folder.iterdir()))
        run.send_signal(number)
        _, told = run.communicate(timeout=120)
    assert run.returncode == 130
    assert told.strip() == f"tides: interrupted: {output} was not written"
    assert sorted(path.name for path in folder.iterdir()) == ["archive", "functions.yaml"]


SLOW = """
import os, sys
from flows import cli, from_files
judge_units = from_files.judge_units
def slow(*given):
    open(os.environ["PIPE"]).read()
from_files.judge_units = slow
cli.main(sys.argv[1:])
"""


def wait_for(is_so: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_two_workers_give_the_same_bytes_as_one(folder: Path) -> None:
    for number in range(1, 5):
        write_curves(folder / "archive" / f"more{number}.csv", 10, first=100 * number)
    (folder / "archive" / "broken.json").write_text("{")
    given = ["select", folder / "archive", "--function", "mine", "--functions", folder / "functions.yaml"]
    done = [tides(*given, "--output", folder / f"{number}.csv", "--workers", str(number)) for number in (1, 2)]
    assert [each.returncode for each in done] == [1, 1], done
    assert (folder / "1.csv").read_bytes() == (folder / "2.csv").read_bytes()
    assert len((folder / "1.csv").read_text().splitlines()) == 51
    assert done[0].stderr == done[1].stderr and len(done[1].stderr.splitlines()) == 1


class Counted:
    """Counts what is under way, and gives results out of order."""

    def __init__(self) -> None:
        self.under_way = self.most = 0

    def submit(self, item: int) -> "Counted._Future":
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        return self._Future(self, item)

    class _Future:
        def __init__(self, owner: "Counted", item: int) -> None:
            self._owner, self._item = owner, item

        def result(self) -> int:
            self._owner.under_way -= 1
            return self._item


def test_few_pieces_are_under_way_and_items_are_made_when_there_is_room() -> None:
    counted, made = Counted(), []

    def items() -> Iterator[int]:
        for item in range(20):
            made.append(item)
            yield item

    results = in_order(counted.submit, items(), 3)
    assert next(results) == 0 and len(made) <= 4
    assert list(results) == list(range(1, 20)) and counted.most == 3


def test_the_flow_gives_the_same_and_shows_a_table(folder: Path, prefect_api: str) -> None:
    (folder / "archive" / "broken.json").write_text("{")
    parameters = {"paths": [str(folder / "archive")], "function": "mine", "workers": 1, "objects_per_task": 4}
    parameters |= {"functions_file": str(folder / "functions.yaml"), "output": str(folder / "flow.csv")}
    code = (
        "import json, sys; from flows.select_files import select_from_files as go; print(go(**json.loads(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, json.dumps(parameters)]
    environment = os.environ | {"PREFECT_API_URL": prefect_api}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "{'objects': 10, 'passed': 5, 'plotted': 0, 'refused': 1}" in done.stdout
    assert select(folder, folder / "archive", "--output", folder / "command.csv").exit_code == 1
    assert (folder / "flow.csv").read_bytes() == (folder / "command.csv").read_bytes()
    filters = {"artifacts": {"key": {"any_": ["tides-select-summary"]}}, "sort": "CREATED_DESC", "limit": 1}
    (artifact,) = requests.post(f"{prefect_api}/artifacts/filter", json=filters, timeout=60).json()
    assert "5 of 10 objects pass mine, version " in artifact["description"]
    assert "failed magLimit" in artifact["data"] and "broken.json" in artifact["data"]


def test_every_parameter_of_the_flow_is_explained() -> None:
    from flows.select_files import select_from_files

    properties = select_from_files.parameters.properties
    assert set(properties) >= {"paths", "function", "output", "plots", "workers", "dask_address"}
    assert all(each.get("description") for each in properties.values())
