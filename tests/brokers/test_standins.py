"""``tides standins``: all three stand-ins, their folder, their settings file, and that nothing outlives them."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import psutil
import pytest
import requests
import yaml
from confluent_kafka import Consumer, TopicPartition

from simulators.alerts.packets import alerts
from simulators.fourmost.process import FourmostStandin
from simulators.sky import Sky
from simulators.standins.bundle import HEADER, Standins, folder_for, read_alerts, write_settings
from simulators.standins.folders import MARKER, claimed
from tests.support.folders import reachable_folder
from tides_bridge.database.embedded import EmbeddedServer, acquire_server
from tides_bridge.errors import FourmostUnavailable, SettingsError
from tides_bridge.settings import tree as settings

ROOT = Path(__file__).parents[2]
RECORDED = ROOT.parent / "shared" / "data" / "ztf" / "alerts.jsonl.gz"
COMMAND = (sys.executable, "-c", "import typer; from simulators.commands.standins import standins; typer.run(standins)")
READY_SECONDS = 180.0


def packets() -> list[dict[str, Any]]:
    sky = Sky(seed=2, objects=40)
    nights = [n for n in range(61260, 61280) if sky.is_clear(n)]
    return alerts(sky, nights[0]) + alerts(sky, nights[4])


def write(file: Path, *lines: object) -> Path:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    file.write_bytes(gzip.compress(text.encode()) if file.suffix == ".gz" else text.encode())
    return file


def command(*options: str | Path, output: IO[str] | int = subprocess.PIPE) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *map(str, options)], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, text=True
    )


Start = Callable[..., tuple[subprocess.Popen[str], Path]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the command and wait until it is ready; whatever happens, it ends with the test."""
    started: list[subprocess.Popen[str]] = []

    def until_ready(*options: str | Path) -> tuple[subprocess.Popen[str], Path]:
        said = tmp_path / f"said-{len(started)}.txt"
        with said.open("w") as output:
            process = command(*options, output=output)
        started.append(process)
        limit = time.monotonic() + READY_SECONDS
        while "\nready" not in said.read_text():
            assert process.poll() is None and time.monotonic() < limit, said.read_text()
            time.sleep(0.02)
        return process, said

    yield until_ready
    for process in started:
        process.kill()
        process.wait(60)


def configuration(file: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(file.read_text())["standins"])


def waiting(address: str, topic: str) -> int:
    consumer = Consumer({"bootstrap.servers": address, "group.id": "test"})
    try:
        partitions = consumer.list_topics(topic, timeout=60).topics[topic].partitions
        marks = [consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=60) for p in partitions]
    finally:
        consumer.close()
    return sum(high - low for low, high in marks)


def test_three_answer_when_it_says_ready_and_end_with_it(tmp_path: Path, start: Start) -> None:
    alerts_file = write(tmp_path / "alerts.jsonl", *packets())
    file = tmp_path / "settings.yaml"
    process, said = start("--alerts", alerts_file, "--settings-out", file, "--folder", tmp_path / "f", "--shape", "old")
    assert f"tides run --settings {file}" in said.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    told = configuration(file)
    names = {packet["objectId"] for packet in packets()}
    assert waiting(told["broker"]["bootstrapServers"], told["topic"]) == len(names)
    headers = {"Authorization": f"Token {told['lasairToken']}"}
    url, question = f"{told['lightCurves']['address']}/lightcurves/", {"objectIds": ",".join(names)}
    curves = requests.post(url, data=question, headers=headers, timeout=60).json()
    assert all(isinstance(curve, list) and curve for curve in curves)
    url, headers = told["fourmost"]["address"], {"Authorization": f"Token {told['fourmost']['token']}"}
    assert requests.get(f"{url}/targetCat/transients/", headers=headers, timeout=60).json() == []
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert said.read_text().endswith("ready (Ctrl-C stops all three)\nstopped\n")
    assert not any(child.is_running() for child in children)
    assert (tmp_path / "f" / "fourmost.sqlite3").exists()


def test_no_child_survives_a_kill(tmp_path: Path, start: Start) -> None:
    alerts_file = write(tmp_path / "alerts.jsonl", *packets())
    process, _ = start("--alerts", alerts_file, "--settings-out", tmp_path / "s.yaml", "--folder", tmp_path / "f")
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert children and not alive


def test_a_second_start_waits_for_the_first_to_end_and_begins_anew(tmp_path: Path, start: Start) -> None:
    options = ["--alerts", write(tmp_path / "alerts.jsonl", *packets()), "--settings-out", tmp_path / "s.yaml",
               "--folder", tmp_path / "f"]  # fmt: skip
    first, _ = start(*options)
    second = command(*options)
    said, _ = second.communicate(timeout=120)
    assert second.returncode == 2
    assert "is used by stand-ins that run" in said
    (tmp_path / "f" / "database").mkdir()
    first.send_signal(signal.SIGINT)
    assert first.wait(60) == 0
    start(*options)
    assert not (tmp_path / "f" / "database").exists()


def test_settings_files_have_folders_of_their_own(tmp_path: Path) -> None:
    assert folder_for(tmp_path / "a.yaml") != folder_for(tmp_path / "b" / "a.yaml")
    assert folder_for(tmp_path / "a.yaml") == folder_for(tmp_path / "b" / ".." / "a.yaml")
    assert folder_for(tmp_path / "a.yaml").name.startswith("a-")


def test_the_settings_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TIDES_")]:
        monkeypatch.delenv(name)
    with Standins(tmp_path / "f", calls_per_hour=123) as standins:
        write_settings(tmp_path / "s.yaml", standins.settings({"deactivateAfter": "7305 days"}))
        known = settings.load_settings(file=tmp_path / "s.yaml")
        assert known.light_curves.address == standins.lasair.address
        assert known.light_curves.calls_per_hour == 123
        assert known.fourmost.address == standins.fourmost.address
        assert known.targets.deactivate_after.days == 7305
        assert known.database.folder == tmp_path / "f" / "database"
        assert known.select_function_path.is_absolute() and known.select_function_path.exists()


@pytest.mark.skipif(not RECORDED.exists(), reason="no recorded data here")
def test_recorded_alerts_are_served_whole(tmp_path: Path, start: Start) -> None:
    _, said = start("--alerts", RECORDED, "--settings-out", tmp_path / "s.yaml", "--folder", tmp_path / "f")
    assert "573 messages" in said.read_text()


def test_the_newest_packet_of_each_object_counts(tmp_path: Path) -> None:
    issued = packets()
    file = write(tmp_path / "alerts.jsonl.gz", *reversed(issued))
    read = {alert.message["objectId"]: alert for alert in read_alerts(file, pytest.fail)}
    for packet in issued:
        assert read[packet["objectId"]].message["jdmax"] >= packet["candidate"]["jd"]
    assert len(read) < len(issued)


def test_a_line_that_is_no_packet_is_named_and_left_out(tmp_path: Path) -> None:
    first, second = packets()[:2]
    no_candidate = {key: value for key, value in first.items() if key != "candidate"}
    file = write(
        tmp_path / "alerts.jsonl", first, "{broken", "", "[]", no_candidate, {"objectId": "x", "candidate": {}}, second
    )
    warnings: list[str] = []
    assert len(read_alerts(file, warnings.append)) == 2
    assert [warning.split(": ")[:2] for warning in warnings] == [[str(file), f"line {n}"] for n in (2, 4, 5, 6)]


@pytest.mark.parametrize(("content", "problem"), [
    (None, "No such file"),
    (b"", "holds no ZTF alert packet"),
    (b"not compressed", "after line|cannot be read"),
    (gzip.compress(b"x\n" * 5000, mtime=0)[:30], "ended before"),
])  # fmt: skip
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, content: bytes | None, problem: str) -> None:
    file = tmp_path / "alerts.jsonl.gz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=problem):
        read_alerts(file, lambda _: None)


def test_a_missing_file_ends_the_command_with_2(tmp_path: Path) -> None:
    process = command(
        "--alerts", tmp_path / "none.jsonl", "--settings-out", tmp_path / "s.yaml", "--folder", tmp_path / "f"
    )
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 2
    assert said.count("\n") == 1 and "none.jsonl" in said
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(SettingsError, match="no stand-in made"), claimed(tmp_path):
        pass
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_a_folder_of_ours_is_emptied_and_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    with claimed(tmp_path / "ours") as folder:
        (folder / "deep" / "er").mkdir(parents=True)
        (folder / "link").symlink_to(outside)
    with claimed(folder):
        assert [path.name for path in folder.iterdir()] == [MARKER]
    assert (outside / "kept").exists()


def test_a_settings_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "flowSetting.yaml"
    file.write_text("devConfig: {}")
    with pytest.raises(SettingsError, match="no stand-in wrote it"):
        write_settings(file, {})
    assert file.read_text() == "devConfig: {}"
    file.write_text(HEADER)
    write_settings(file, {"topic": "t"})
    assert configuration(file) == {"topic": "t"}
    with pytest.raises(SettingsError, match="cannot be written"):
        write_settings(tmp_path / "none" / "s.yaml", {})


def test_an_ended_4most_is_noticed(tmp_path: Path) -> None:
    with Standins(tmp_path / "f") as standins:
        standins.check_alive()
        os.kill(standins.fourmost.pid, signal.SIGKILL)
        limit = time.monotonic() + 10
        with pytest.raises(FourmostUnavailable, match="ended by itself"):
            while time.monotonic() < limit:
                standins.check_alive()
                time.sleep(0.02)


def test_what_did_start_is_stopped_when_another_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = psutil.Process().children()
    monkeypatch.setattr(FourmostStandin, "rows", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError), Standins(tmp_path / "f"):
        pass
    assert psutil.Process().children() == before
    with claimed(tmp_path / "f"):
        pass


def test_a_database_left_running_is_stopped_and_one_in_use_is_not() -> None:
    with reachable_folder() as place:
        check_databases(place / "f")


def check_databases(place: Path) -> None:
    with claimed(place) as folder:
        script = "import os, pathlib, sys; from tides_bridge.database.embedded import acquire_server;"
        script += "server = acquire_server(pathlib.Path(sys.argv[1])); os.abort()"
        subprocess.run([sys.executable, "-c", script, str(folder / "database")], cwd=ROOT, check=False, timeout=60)
    left = EmbeddedServer(folder / "database").pid()
    assert left
    with acquire_server(folder / "database"):
        with pytest.raises(SettingsError, match="used by a run"), claimed(folder):
            pass
        assert EmbeddedServer(folder / "database").pid() == left
    with claimed(folder):
        assert EmbeddedServer(folder / "database").pid() is None
