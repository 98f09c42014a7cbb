"""No secret leaves the bridge: not in its output, Prefect's server, our tables, a log, a command line or an error."""

import base64
import json
import os
import pickle
import secrets
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from simulators.alerts.packets import alerts
from simulators.sky import Sky
from simulators.standins.bundle import StandinAlert, Standins, write_settings
from tasks.behaviour import without_causes
from tests.support.databases import rows_of
from tests.support.folders import reachable_folder
from tests.support.forked import forked_tides
from tests.support.processes import prefect_server, tides
from tides_bridge.brokers.lasair.ztf import LasairZtf
from tides_bridge.brokers.stream import AlertStream
from tides_bridge.database import open_database
from tides_bridge.errors import BridgeError
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.settings import load_settings, provenance

DEAD = "127.0.0.1:1"
"""A port that nobody listens on."""
SAMPLING_SECONDS = 0.1
AT_ONCE = 5


def secret(name: str) -> str:
    """Make a secret that is found again, in whatever way it is quoted."""
    return f"{name}{secrets.token_hex(16)}"


PASSWORDS = {name: secret(name) for name in ("database", "sasl", "refused", "address")}
OPTIONS = {"sasl.password": PASSWORDS["sasl"], "sasl.username": "tides"}
SASL = {"security.protocol": "sasl_plaintext", "sasl.mechanisms": "PLAIN"}
USER = f"http://tides:{PASSWORDS['address']}@{DEAD}"
"""An address with a password in it, where nobody answers."""

CASES: dict[str, dict[str, str]] = {
    "all well": {},
    "all well in other processes": {"TIDES_DASK__PROCESSES": "true"},
    "no broker": {"TIDES_BROKER__BOOTSTRAPSERVERS": DEAD},
    "broker refuses": {"TIDES_BROKER__OPTIONS": json.dumps({**OPTIONS, **SASL})},
    "broker options refused": {"TIDES_BROKER__OPTIONS": json.dumps({**OPTIONS, **SASL, "sasl.mechanisms": "none"})},
    "broker options unreadable": {"TIDES_BROKER__OPTIONS": f"sasl.password={PASSWORDS['sasl']}"},
    "APIs down": {"TIDES_LIGHTCURVES__ADDRESS": f"{USER}/api", "TIDES_FOURMOST__ADDRESS": f"{USER}/QFSwi"},
    "APIs refuse": dict.fromkeys(("TIDES_LASAIRTOKEN", "TIDES_FOURMOST__TOKEN"), PASSWORDS["refused"]),
    "a section unreadable": {"TIDES_FOURMOST": f"token: {PASSWORDS['refused']}"},
    "no database": {"TIDES_DATABASE__HOST": "127.0.0.1", "TIDES_DATABASE__PORT": "1"},
}
"""What is wrong in each run, as variables of the environment."""
GOOD = ("all well", "all well in other processes")
SLOW = ("no broker", "broker refuses")
"""librdkafka tries for 10 s."""


@dataclass
class World:
    """Stand-ins, a Prefect server of our own, and all that runs have said."""

    folder: Path
    prefect_api: str
    standins: Standins
    said: dict[str, bytes] = field(default_factory=dict, repr=False)
    codes: dict[str, int] = field(default_factory=dict)
    command_lines: set[bytes] = field(default_factory=set, repr=False)

    @property
    def secrets(self) -> dict[str, str]:
        """All of them, by name."""
        tokens = {"Lasair token": self.standins.lasair.token, "4MOST token": self.standins.fourmost.token}
        return {**PASSWORDS, **tokens}

    def environment(self, case: str) -> dict[str, str]:
        """Give the variables of a run, the secrets among them."""
        usual = {
            "TIDES_LASAIRTOKEN": self.standins.lasair.token,
            "TIDES_FOURMOST__TOKEN": self.standins.fourmost.token,
            "TIDES_TIDESDBPASS": PASSWORDS["database"],
            "TIDES_BROKER__OPTIONS": json.dumps(OPTIONS),
            "TIDES_TIDESDBDATABASE": f"secrets_{list(CASES).index(case)}",
            "TIDES_TARGETS__NAMEPREFIX": f"case{list(CASES).index(case)}-",  # they share a 4MOST
            "TIDES_SETTINGS": str(self.folder / "settings.yaml"),
            "PREFECT_API_URL": self.prefect_api,
            "PREFECT_HOME": str(self.folder / "client"),  # with the storage of results
            "TMPDIR": str(self.folder / "tmp"),
        }
        return usual | CASES[case]

    def run(self, case: str, *command: str) -> None:
        """Run a command to its end, and keep what it says."""
        start = tides if case == "all well in other processes" else forked_tides  # as users start it; quicker
        done = start(*command, **self.environment(case))
        name = f"{case}: {' '.join(command)}"
        self.said[f"{name}: stdout"], self.said[f"{name}: stderr"] = done.stdout.encode(), done.stderr.encode()
        self.codes[name] = done.returncode

    def found_in(self, content: bytes) -> list[str]:
        """List the secrets in some content, plain or encoded; base64 may be broken into lines, in JSON as well."""
        content += content.replace(b"\\n", b"").replace(b"\n", b"")
        return [name for name, word in self.secrets.items() if any(form in content for form in forms(word))]


def forms(word: str) -> list[bytes]:
    """Give the ways in which a secret may be written; of base64 the three, by where in a text it begins."""
    raw = word.encode()
    encoded = [base64.b64encode(b"\0" * i + raw)[4 * (i > 0) : -4] for i in range(3)]
    return [raw, raw.hex().encode(), word.encode("utf-16-le"), *encoded]


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "abcd"])
@pytest.mark.parametrize("after", ["", "x", "xy"])
def test_a_secret_is_found_in_whatever_way_it_is_written(before: str, after: str) -> None:
    word = secret("word")
    texts = [f"{before}{word}{after}".encode()]
    texts += [base64.b64encode(texts[0]), texts[0].hex().encode(), pickle.dumps({"a": texts[0].decode()})]
    for content in texts:
        assert any(form in content for form in forms(word))
        assert not any(form in content for form in forms(secret("word")))


def watch(lines: set[bytes], older: set[str], is_over: threading.Event) -> None:
    """Note the command lines of all processes but those that were there before us until it is over."""
    while not is_over.wait(SAMPLING_SECONDS):
        for process in processes() - older:
            try:
                lines.add(Path("/proc", process, "cmdline").read_bytes())
            except OSError:  # it has ended
                continue


def processes() -> set[str]:
    """Give the numbers of all processes."""
    return {path.name for path in Path("/proc").iterdir() if path.name.isdigit()}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """All runs, the good ones and those with a failing service."""
    older = processes()  # hundreds, on some machines, and to look at each ten times a second costs more than the runs
    with reachable_folder() as folder, Standins(folder / "standins") as standins:
        for name in ("prefect", "client", "tmp"):
            (folder / name).mkdir()
        (folder / "tmp").chmod(0o1777)
        sky = Sky(seed=3, objects=150)
        night = next(night for night in range(61270, 61290) if sky.is_clear(night))
        standins.load(map(StandinAlert.from_packet, alerts(sky, night)))
        write_plain_settings(folder, standins)
        with prefect_server(folder / "prefect") as address:
            world = World(folder, address, standins)
            live(world, older)
            yield world


def write_plain_settings(folder: Path, standins: Standins) -> None:
    """Write the settings without any secret: those are in the environment."""
    settings = standins.settings({"deactivateAfter": "7305 days"})
    del settings["lasairToken"], settings["fourmost"]["token"]
    settings["broker"]["silence"] = "0.3 seconds"
    settings["fourmost"]["timeout"] = "5 s"
    write_settings(folder / "settings.yaml", settings)


def live(world: World, older: set[str]) -> None:
    """Make all runs, some at once, under the eyes of a watcher."""
    is_over = threading.Event()
    watcher = threading.Thread(target=watch, args=(world.command_lines, older, is_over))
    watcher.start()
    try:
        with open_with(world, "all well"), ThreadPoolExecutor(AT_ONCE) as pool:
            jobs = [pool.submit(world.run, case, "run", "--json") for case in CASES]
            jobs += [pool.submit(world.run, case, "check") for case in ("APIs down", "APIs refuse")]
            jobs += [pool.submit(world.run, "APIs down", command) for command in ("settings", "status")]
            for job in jobs:
                job.result()
    finally:
        is_over.set()
        watcher.join()


def open_with(world: World, case: str) -> Any:
    """Open the database of a case, so that its server runs on."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in world.environment(case).items():
            patch.setenv(name, value)
        return open_database(load_settings())


def test_the_runs_went_as_they_should(world: World) -> None:
    runs = {name.partition(":")[0]: code for name, code in world.codes.items() if ": run" in name}
    expected = dict.fromkeys(CASES, 1) | dict.fromkeys(GOOD, 0)
    expected |= dict.fromkeys(("broker options refused", "broker options unreadable", "a section unreadable"), 2)
    assert runs == expected, world.said
    assert b"Authorization" not in b"".join(world.said.values())
    assert world.said["APIs refuse: check: stdout"].count(b"refuses our token") == 2
    assert world.said["APIs down: check: stdout"].count(b"http://********@127.0.0.1:1/") == 2
    assert world.said["APIs down: settings: stdout"].count(b"********") >= 6


def test_no_secret_is_said(world: World) -> None:
    assert {name: found for name, said in world.said.items() if (found := world.found_in(said))} == {}


def test_no_secret_is_in_a_command_line(world: World) -> None:
    assert sum(line.endswith(b"flows.cli\0run\0--json\0") for line in world.command_lines) == 1
    assert any(b"multiprocessing" in line for line in world.command_lines)  # Dask's workers
    assert [line for line in world.command_lines if world.found_in(line)] == []


def test_no_secret_is_in_a_file(world: World) -> None:
    """Prefect's databases, storage and logs, the database's files and log, temporary files."""
    theirs = list((world.folder / "standins").glob("fourmost.sqlite3*"))
    files = [path for path in files_below(world.folder) if path not in theirs]
    names = {path.name for path in files}
    assert {"prefect.db", "server.log", "settings.yaml", "PG_VERSION"} <= names
    assert any(world.found_in(path.read_bytes()) for path in theirs)  # the search finds what is there
    assert [str(path) for path in files if world.found_in(content_of(path))] == []


def files_below(folder: Path) -> list[Path]:
    """List files, while servers at work make and remove some."""
    return [Path(place) / name for place, _, names in os.walk(folder) for name in names]


def content_of(path: Path) -> bytes:
    """Read a file; one that is gone holds nothing."""
    try:
        return path.read_bytes()
    except OSError:  # sockets, too
        return b""


def test_no_secret_is_in_our_tables(world: World) -> None:
    for case in (*GOOD, "APIs down", "APIs refuse"):
        with open_with(world, case) as database:
            tables = rows_of(database, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
            assert len(tables) > 5
            for table in tables:
                rows = rows_of(database, f"SELECT it::text FROM {table['table_name']} AS it")
                assert world.found_in(json.dumps(rows).encode()) == [], (case, table)
    with open_with(world, "APIs refuse") as database:
        assert len(rows_of(database, "SELECT 1 FROM run_log WHERE problem LIKE '%%refuses our token%%'")) == 3


def test_no_secret_is_shown_by_prefect(world: World) -> None:
    for kind in ("artifacts", "flow_runs", "task_runs", "logs", "variables", "block_documents"):
        answers = list(pages(f"{world.prefect_api}/{kind}/filter"))
        assert world.found_in(json.dumps(answers).encode()) == [], kind
        assert answers or kind in ("variables", "block_documents")


def pages(address: str) -> Iterator[Any]:
    offset = 0
    while page := requests.post(address, json={"limit": 200, "offset": offset}, timeout=120).json():
        yield from page
        offset += len(page)


# In this process

SHOWN: dict[str, Callable[[Any], str]] = {
    "repr": repr,
    "str": str,
    "format": "{}".format,
    "JSON": lambda settings: str(settings.model_dump_json()),
    "dump": lambda settings: str(settings.model_dump()),
    "provenance": lambda _: str(provenance()),
}


@pytest.fixture
def here(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Load the settings of a case in this process."""

    def load_case(case: str) -> Any:
        for name, value in world.environment(case).items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return load_case


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN)
def test_settings_show_no_secret(show: Callable[[Any], str], world: World, here: Callable[[str], Any]) -> None:
    assert world.found_in(show(here("all well")).encode()) == []


@pytest.mark.parametrize("case", sorted(CASES.keys() - {*GOOD, *SLOW}))
def test_no_error_holds_a_secret_on_its_way_between_processes(
    case: str, world: World, here: Callable[[str], Any]
) -> None:
    errors = list(errors_of(case, here))
    assert errors
    for error in errors:
        assert isinstance(error, BridgeError)
        shown = "".join(traceback.format_exception(error)) + repr(error)
        assert world.found_in(shown.encode() + as_sent(error)) == []


def as_sent(error: Exception) -> bytes:
    """Pickle an error as our steps let it out: where Dask was imported all that it came from is pickled with it."""
    with suppress(type(error)), without_causes():
        raise error
    return pickle.dumps(error)


def ask(settings: Any) -> None:
    """Ask the database something."""
    with open_database(settings) as database:
        rows_of(database, "SELECT 1")


def errors_of(case: str, here: Callable[[str], Any]) -> Iterator[Exception]:
    """Do what fails in a case."""
    attempts: tuple[Callable[[], Any], ...] = ()
    try:
        settings = here(case)
        attempts = (
            lambda: LasairZtf(settings).fetch(["ZTF26aaaaaaa"]),
            lambda: LasairZtf(settings).try_out(),
            lambda: FourmostClient(settings.fourmost).rows(),
            lambda: AlertStream(settings).__enter__(),
            lambda: ask(settings),
        )
    except BridgeError as error:
        yield error
    for attempt in attempts:
        try:
            attempt()
        except Exception as error:
            yield error
