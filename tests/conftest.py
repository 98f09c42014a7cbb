"""What all tests share. A test that needs a database gets a real one of its own, copied from a template in 0.1 s."""

import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.support.folders import IS_IN_MEMORY, TEMPORARY, reachable_folder

# Before Prefect is imported: a user's own Prefect profile, which may point to a server, is neither used nor changed.
_PREFECT_HOME = tempfile.TemporaryDirectory(prefix="tides-test-prefect-", dir=TEMPORARY)
os.environ["PREFECT_HOME"] = _PREFECT_HOME.name
os.environ.pop("PREFECT_API_URL", None)
os.environ["DO_NOT_TRACK"] = "1"
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] = "180"  # a busy machine is normal
for name in [name for name in os.environ if name.startswith("TIDES_")]:
    del os.environ[name]

# Cron, nohup and background jobs of a shell start us with Ctrl-C ignored, and all that we start would ignore it too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

import hypothesis  # noqa: E402
import pytest  # noqa: E402
from xdist.scheduler import LoadFileScheduling  # noqa: E402

from tests.support.databases import copy_database, drop_database, make_settings  # noqa: E402
from tests.support.processes import prefect_server  # noqa: E402
from tides_bridge.database import (  # noqa: E402
    Database,
    apply_schema,
    embedded,
    open_database,
)
from tides_bridge.settings import Settings  # noqa: E402

TEMPLATE = "tides_template"
collect_ignore = ["support/tom_site"]  # runs in an environment of its own, where Django and a TOM are
SLOW = (
    "faults/test_crashes.py",
    "flows/test_browser.py",
    "flows/test_up.py",
    "benchmarks/test_benchmarks.py",
    "flows/test_outages.py",
    "flows/test_deploying.py",
    "faults/test_secrets.py",
    "brokers/test_live.py",
    "flows/test_deployment.py",
    "flows/test_same_decisions.py",
    "faults/test_bad_input.py",
    "flows/test_watchdog.py",
    "flows/test_run_page.py",
    "sql/test_embedded.py",
    "flows/test_select.py",
    "sql/test_together.py",
    "brokers/test_standins.py",
)
"""Files that take longest, which begin first: processes that share the files then end together."""
TOGETHER = {"tests/flows/test_browser.py": "tests/flows/test_up.py"}
"""Files that go to one process with another, as they look at the same programs."""


# Without a time limit, as a busy machine is normal; an example that fails is printed with what repeats it. CI tries
# fewer, always the same ones; `make soak` many more.
hypothesis.settings.register_profile("developer", deadline=None, print_blob=True)
hypothesis.settings.register_profile(
    "ci", deadline=None, print_blob=True, derandomize=True, database=None, max_examples=25
)
hypothesis.settings.register_profile("night", deadline=None, print_blob=True, max_examples=1000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "developer"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Know the option for the points of the crash matrix that are of a kind with others."""
    parser.addoption("--whole", action="store_true", help="all points of the crash matrix, not one of each kind")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the slowest files first, and leave the order otherwise; leave out what only the whole matrix has."""
    if not config.getoption("--whole"):
        left_out = [item for item in items if item.get_closest_marker("whole")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    places = {Path(__file__).parent / name: place for place, name in enumerate(SLOW)}
    items.sort(key=lambda item: places.get(item.path, len(SLOW)))


class FilesByProcess(LoadFileScheduling):
    """Each file goes to one process, with those that it belongs to."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return TOGETHER.get(file, file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesByProcess:
    """Say how xdist shares the tests."""
    return FilesByProcess(config, log)


@pytest.fixture(scope="module", autouse=True)
def no_prefect_left() -> Iterator[None]:
    """End what a flow in this process has left running: its threads throw the dice that Hypothesis throws."""
    yield
    for module, service in (("prefect.events.worker", "EventsWorker"), ("prefect.logging.handlers", "APILogWorker")):
        if module in sys.modules:
            getattr(sys.modules[module], service).drain_all(timeout=60, at_exit=False)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the repository; tests that need it are skipped where it is absent."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.exists():
        pytest.skip("the real data is not on this machine")
    return folder


@pytest.fixture(scope="session")
def database_folder() -> Iterator[Path]:
    """The folder of an embedded server that runs for the whole session."""
    with reachable_folder() as folder, embedded.acquire_server(folder / "postgresql", durable=False):
        with open_database(make_settings(folder / "postgresql", TEMPLATE)) as template:
            apply_schema(template)
        yield folder / "postgresql"


@pytest.fixture
def settings(database_folder: Path) -> Iterator[Settings]:
    """Settings with a database of their own, its tables made."""
    name = f"tides_{uuid4().hex}"
    copy_database(database_folder, TEMPLATE, name)
    yield make_settings(database_folder, name)
    if IS_IN_MEMORY:  # of which there is not enough for a thousand
        drop_database(database_folder, name)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """An empty database with all tables."""
    with open_database(settings) as database:
        yield database


@pytest.fixture(scope="session")
def prefect_api() -> Iterator[str]:
    """
    A Prefect server for the whole session: with it a run starts in 2 s instead of 9.

    It has flow runs, logs and artifacts; what looks at task runs or events takes a server of its own.
    """
    home = Path(tempfile.mkdtemp(prefix="tides-test-prefect-", dir=TEMPORARY))
    try:
        with prefect_server(home, "--no-services") as address:
            yield address
    finally:
        shutil.rmtree(home)
