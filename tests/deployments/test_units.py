"""
The systemd units and what lies beside them: known to systemd, hardened, and naming commands that exist.

Where systemd is not on the machine, what it would say is not asked.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.support.asked import unknown_options
from tests.support.processes import ROOT

UNITS = ROOT / "deployments" / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
HOME = "/opt/tides-bridge/.venv/bin"
MOST_EXPOSED = 15
"""[tenths] Of systemd's 0 to 100; most services of a distribution have 90. Ours have 12 with systemd 252."""


def read(name: str) -> ConfigParser:
    """Read a unit with what all share; a key that comes twice counts once."""
    parser = ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read([UNITS / "tides-.service.d" / "10-common.conf", UNITS / name])
    return parser


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units in a folder, with the commands of this environment."""
    shutil.copytree(UNITS, tmp_path / "units")
    for path in (tmp_path / "units").rglob("*.*"):
        if path.is_file():
            path.write_text(path.read_text().replace(HOME, str(Path(sys.executable).parent)))
    return tmp_path / "units"


def analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Ask systemd about units in a folder."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not on this machine")
    return subprocess.run(
        ["systemd-analyze", *arguments], env=os.environ | {"SYSTEMD_UNIT_PATH": f"{folder}:"},
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_systemd_understands_every_unit(installed: Path) -> None:
    units = [str(path) for path in installed.iterdir() if path.suffix in {".service", ".target", ".timer"}]
    done = analyze(installed, "verify", *units)
    about_ours = [line for line in done.stderr.splitlines() if "tides" in line]
    assert (done.returncode, about_ours) == (0, [])


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_do_little(service: str, installed: Path) -> None:
    done = analyze(installed, "security", "--offline=true", f"--threshold={MOST_EXPOSED}", "--no-pager", service)
    assert done.returncode == 0, done.stdout.splitlines()[-1:]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_comes_back_by_itself_and_is_not_root(service: str) -> None:
    unit = read(service)
    is_timed = service == "tides-watchdog.service"
    assert unit["Service"]["User"] == "tides"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert is_timed or unit["Service"]["Restart"] in ("always", "on-failure")
    assert is_timed or unit["Unit"]["PartOf"] == "tides.target"


def test_a_reboot_starts_everything() -> None:
    wanted = set(read("tides.target")["Unit"]["Wants"].split())
    assert wanted == set(SERVICES) - {"tides-database.service", "tides-watchdog.service"}
    assert read("tides.target")["Install"]["WantedBy"] == "multi-user.target"
    assert read("tides-watchdog.timer")["Install"]["WantedBy"] == "timers.target"  # whatever became of the target


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_what_exists(service: str) -> None:
    command = shlex.split(read(service)["Service"]["ExecStart"])
    assert command[0].startswith(f"{HOME}/")
    assert unknown_options(command) == []


@pytest.mark.parametrize(("login", "code"), [("tides:a word", 0), ("", 1), (None, 1)])
def test_the_prefect_server_does_not_start_without_a_login(login: str | None, code: int) -> None:
    """As any user of the machine could run code by it."""
    command = shlex.split(read("tides-server.service")["Service"]["ExecStartPre"].replace("$$", "$"))
    given = {} if login is None else {"PREFECT_SERVER_API_AUTH_STRING": login}
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "is missing in /etc/tides/tides.env" in done.stderr) == (code, bool(code))


def test_the_runbook_makes_one_login_for_the_server_and_all_others(tmp_path: Path) -> None:
    runbook = (UNITS.parent / "README.md").read_text()
    lines = re.findall(r"^(?:login=|printf).*$", runbook, re.MULTILINE)
    file = tmp_path / "tides.env"
    file.write_text(EXAMPLE)
    script = "\n".join(lines).replace("/etc/tides/tides.env", str(file)).replace("openssl rand -hex 24", "echo made-up")
    subprocess.run(["sh", "-euc", script], check=True, timeout=60)
    assert file.read_text().removeprefix(EXAMPLE).splitlines() == [
        "PREFECT_SERVER_API_AUTH_STRING='tides:made-up'",
        "PREFECT_API_AUTH_STRING='tides:made-up'",
    ]


# Secrets and settings

EXAMPLE = (UNITS / "tides.env.example").read_text()
LINES = re.findall(r"^(# )?(\w+)=(.*)$", EXAMPLE, re.MULTILINE)


def test_systemd_the_shell_and_compose_read_the_same_from_the_example() -> None:
    """Each takes what stands in single quotes as it is."""
    assert [name for _, name, value in LINES if not re.fullmatch(r"'[^'\\]*'", value)] == []


def test_the_example_holds_no_secret_and_names_settings_that_exist() -> None:
    settings = (ROOT / "flowSetting.yaml").read_text()
    for comment, name, value in LINES:
        key = name.removeprefix("TIDES_").split("__")[-1]
        is_ours = name.startswith("TIDES_") and name not in ("TIDES_SETTINGS", "TIDES_CONFIG")
        assert not is_ours or re.search(rf"^\s*(?:# )*\s*{key}:", settings, re.MULTILINE | re.IGNORECASE), name
        assert not is_ours or (comment and (value == "''" or "example.org" in value)), name


def test_prefect_understands_the_example(tmp_path: Path) -> None:
    """A period without its letters, or a misspelt name, would keep the server from starting, or be passed over."""
    script = """
from prefect.settings import get_current_settings as settings
server = settings().server
print(server.services.db_vacuum.retention_period.days, server.events.retention_period.days)
print(*sorted(server.services.db_vacuum.enabled_vacuum_types), server.analytics_enabled)
print(server.concurrency.lease_storage, server.ui.static_directory, settings().api.url)
"""
    given = {name: shlex.split(value)[0] for comment, name, value in LINES if not comment}
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | given | {"PREFECT_HOME": str(tmp_path)},
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "365 30",
        "events flow_runs orphans False",
        f"{given['PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE']} /var/lib/tides/prefect-ui http://127.0.0.1:4200/api",
    ]


def test_what_a_person_types_is_a_sound_script() -> None:
    shellcheck = Path(sys.executable).parent / "shellcheck"
    subprocess.run([shellcheck, "--exclude=SC1091", UNITS / "as-tides"], check=True)
