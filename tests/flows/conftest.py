"""A simulated night for tests that run the bridge from a shell."""

import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from simulators.alerts.packets import alerts
from simulators.sky import Sky
from simulators.standins.bundle import StandinAlert, Standins, write_settings
from tests.support.folders import reachable_folder
from tests.support.terminal import READY, Terminal


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    """A simulated night: some 70 alerts, of which some pass."""
    with reachable_folder() as folder, Standins(folder / "standins") as standins:
        sky = Sky(seed=3, objects=400)
        night = next(night for night in range(61270, 61290) if sky.is_clear(night))
        standins.load(map(StandinAlert.from_packet, alerts(sky, night)))
        yield standins


@pytest.fixture
def settings_file(standins: Standins, tmp_path: Path) -> Path:
    """Settings with a group and a database of their own, so that each test sees all alerts for the first time."""
    name = f"t{uuid4().hex}"
    # Several bridges share this 4MOST: each names its targets in its own way.
    settings = standins.settings({"deactivateAfter": "7305 days", "namePrefix": f"{name[:8]}-"})
    settings |= {"groupID": name, "tidesDBdatabase": name}
    settings["broker"]["silence"] = "0.5 seconds"
    write_settings(tmp_path / "settings.yaml", settings)
    return tmp_path / "settings.yaml"


@pytest.fixture(scope="session")
def terminal() -> Iterator[Terminal]:
    """All of the demo, whose first run has ended: for what looks at it in a browser, and then for what ends it."""
    with reachable_folder() as folder:
        terminal = Terminal(folder / "demo")
        try:
            terminal.start("first")
            terminal.wait_for_line(READY)
            terminal.wait_for(terminal.completed)
            yield terminal
        finally:
            if not terminal.ended:
                terminal.signal(signal.SIGTERM)
            terminal.wait_for(terminal.is_gone)
