"""The benchmarks run, and their sides agree: they end with an error otherwise."""

import importlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from benchmarks import exchange, frames, portal, rulings, startup, stream
from benchmarks.archive import read_decisions, select_command, write_functions
from benchmarks.load import make_packets, messages
from benchmarks.measure import added_mb, agree, run
from benchmarks.orchestrated import ANSWERS, make_lines
from tests.support.folders import reachable_folder
from tests.support.processes import ROOT
from tides_bridge.brokers import broker_of
from tides_bridge.brokers.models import Message

SMALL = {
    "simulations": ["--objects", "300"],
    "columns": ["--objects", "400", "--frames", "40", "--largest", "1000"],
    "text": ["--objects", "60", "--frames", "40"],
    "archive": ["--objects", "300"],
    "store": ["--objects", "60", "--known", "100"],
    "spectra": ["--spectra", "900", "--targets", "1000"],
}
SMALL_FIGURES = {
    "columns": [
        "one DataFrame an object",
        "the same with trigger, by prefixes",
        "columns, with trigger and all values",
    ],
    "text": [
        "one DataFrame an object",
        "the same with trigger",
        "with trigger,  50 objects an answer",
        "only parsed: orjson",
    ],
    "archive": ["       300 objects"],
    "simulations": ["one astropy table an object", "HEAD and PHOT", "ELAsTiCC2 Parquet"],
    "store": ["to_sql and MERGE", "COPY and ON CONFLICT"],
    "spectra": ["reading and keeping", "finding their targets", "the whole night", "the same again"],
}
STREAM_FIGURES = [
    "one by one: fastavro, a DataFrame each, a row each",
    "decoding to dicts, fastavro",
    "consuming",
    "decoding to columns",
    "judging",
    "storing decisions and targets",
    "the bridge, two workers",
]
MAIN_SECONDS = 900
"""Runs with a Prefect server of their own: six minutes on a busy machine."""


@pytest.mark.parametrize("name", SMALL)
def test_a_benchmark_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    importlib.import_module(f"benchmarks.{name}").main(SMALL[name])
    printed = capsys.readouterr().out
    rates = [float(rate.replace(",", "")) for rate in re.findall(r"([\d,.]+)/s", printed)]
    assert rates and min(rates) > 0
    for figure in SMALL_FIGURES[name]:
        assert re.search(rf"^{re.escape(figure)} .*/s", printed, re.MULTILINE), printed


def test_each_question_about_rulings_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    rulings.main(["--targets", "400", "--rulings", "60", "--annotations", "800"])
    printed = capsys.readouterr().out
    timed = re.findall(r"^(\S.*?) +[\d.]+ ms$", printed, re.MULTILINE)
    assert len(timed) == len(set(timed)) and {f"where {condition}" for condition in rulings.FILTERED} < set(timed)


def test_finding_what_changed_is_measured_and_finds_what_comparing_all_does(capsys: pytest.CaptureFixture[str]) -> None:
    exchange.main(["--targets", "400", "--changed", "20"])
    printed = capsys.readouterr().out
    for figure in ("comparing all", "looking at what changed", "tides status", "the watchdog's look"):
        assert re.search(rf"^{figure} +[\d.]+ s", printed, re.MULTILINE), printed
    assert "400 targets that 4MOST knows, 20 of them changed" in printed


def test_the_stream_is_measured_to_its_end(prefect_api: str) -> None:
    size = ("--alerts", "60", "--images", "20000", "--old", "5", "--parts", "60")
    printed = main_of("stream", *size, "--prefect", prefect_api)
    figures = re.findall(r"^  (?!which)(\D+?),? *[\d,.]+(?:/s|% of| alerts in)", printed, re.MULTILINE)
    assert figures == STREAM_FIGURES
    assert len(re.findall(r"/s +[\d,]+ x$", printed, re.MULTILINE)) == len(STREAM_FIGURES) - 1


def main_of(name: str, *options: str) -> str:
    """Run a benchmark to its end, and give what it prints."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *options]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=MAIN_SECONDS, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout


def test_what_goes_through_prefect_is_measured_to_its_end(prefect_api: str) -> None:
    printed = main_of("orchestrated", "--objects", "60", "--tasks", "2", "--files", ANSWERS, "--prefect", prefect_api)
    rates = [float(rate.replace(",", "")) for rate in re.findall(r"([\d,.]+)/s", printed)]
    assert len(rates) == 5 and min(rates) > 0
    for figure in ("one Prefect task an object, start-up not counted", "columns, one core"):
        assert len(re.findall(rf"^{figure} ", printed, re.MULTILINE)) == 1
    for figure in ("one process", "two Dask workers", "the flow, two workers"):
        assert len(re.findall(rf"^  {figure} .* x +[\d,]+ MB$", printed, re.MULTILINE)) == 1


def test_the_parts_of_the_stream_are_measured(tmp_path: Path) -> None:
    packets = make_packets(objects=60)
    with reachable_folder() as folder:
        rates = stream.steps(folder / "steps", packets, 0, 60)
    assert len(rates) == 5 and min(rates.values()) > 0
    assert sum(int(share) for share in re.findall(r"(\d+)% of the time", " ".join(rates))) == pytest.approx(100, abs=2)
    assert stream.the_old_way(packets, 10) > 0


def test_a_start_is_measured_stage_by_stage() -> None:
    printed = main_of("startup", "--runs", "1", "--servers", "running")
    assert len(re.findall(r"^ +imported +flow begins +Kafka asked +message read +ended$", printed, re.MULTILINE)) == 1
    for figure, stages in (("python -c pass", 1), ("Prefect: an empty flow", 3), ("tides run: no message", 4)):
        assert len(re.findall(rf"^  {figure}(?: +[\d.]+){{{stages}}}$", printed, re.MULTILINE)) == 1
    for row in re.findall(r"^  tides run: 20 alerts((?: +[\d.]+)+)$", printed, re.MULTILINE):
        took = [float(seconds) for seconds in row.split()]
        assert len(took) == len(startup.STAGES) and took == sorted(took)
    assert len(re.findall(r"^  tides run: 20 alerts, ratio(?: +[\d.]+ x)+$", printed, re.MULTILINE)) == 1


def test_every_alert_of_the_load_is_another_object() -> None:
    packets = make_packets(objects=60)
    with tempfile.TemporaryDirectory() as folder:
        broker = broker_of(stream.settings_for(Path(folder), "127.0.0.1:9092", "alerts"))
        read = [Message("alerts", 0, number, value) for number, value in enumerate(messages(packets, 50))]
        found = broker.decode(read)
    assert (len({alert.object_id for alert in found.alerts}), found.refused) == (50, [])
    assert set(found.curves.object_ids) == {alert.object_id for alert in found.alerts}
    places = sorted(alert.ra for alert in found.alerts if alert.ra is not None)
    assert len(places) == 50 and min(np.diff(places)) > 1, "objects at one place would be one target"


def test_what_goes_through_prefect_is_decided_alike_in_the_old_way(tmp_path: Path) -> None:
    make_lines(tmp_path / "answers.jsonl", 40)
    answers = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    output = tmp_path / "decisions.csv"
    run(select_command(tmp_path / "answers.jsonl", write_functions(tmp_path), output), {"PYTHONPATH": str(ROOT)})
    decisions = read_decisions(output)
    agree([frames.decide(answer["candidates"]) for answer in answers], decisions)
    assert {passed for passed, _ in decisions} == {True, False}
    assert len({answer["objectId"] for answer in answers}) == 40


@pytest.mark.parametrize("other", [[(True, 61001.0)], [(False, 61000.0)], [(True, float("nan"))], []])
def test_sides_that_disagree_are_not_compared(other: list[tuple[bool, float]]) -> None:
    agree([(True, 61000.0)], [(True, 61000.0)])
    with pytest.raises(SystemExit, match="disagree"):
        agree([(True, 61000.0)], other)


def test_a_process_that_fails_tells_why() -> None:
    with pytest.raises(SystemExit, match="no such light curve"):
        run(["-c", "raise ValueError('no such light curve')"])


def test_memory_counts_what_work_needs_for_a_time() -> None:
    assert 60 < added_mb(lambda: len(b"1" * 2**26)) < 90


def test_make_runs_every_benchmark() -> None:
    names = re.search(r"^bench:.*\n\t@for each in (.*);", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert names
    told = (ROOT / "benchmarks" / "README.md").read_text()
    for name in names[1].split():
        assert hasattr(importlib.import_module(f"benchmarks.{name}"), "main")
        assert f"| `{name}` |" in told


def test_the_portal_is_timed_beside_astropy(capsys: pytest.CaptureFixture[str]) -> None:
    portal.main(["--targets", "400", "--written", "100"])
    printed = capsys.readouterr().out
    assert "a cone of 1 degree" in printed
    assert re.search(r"100 rows: [\d.]+ s; astropy's writer alone", printed)
