"""The containers: files that Docker understands, open to this machine only, and without secrets. No image is built."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.asked import unknown_options
from tests.support.processes import ROOT

TOOLS = Path(sys.executable).parent
FOLDER = ROOT / "deployments"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "tides-bridge"}


def test_docker_understands_both_files() -> None:
    check = [TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", FOLDER / "compose.yaml"]
    subprocess.run(check, check=True, capture_output=True)
    subprocess.run([TOOLS / "hadolint", FOLDER / "Dockerfile"], check=True)


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_may_do_little_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == ("on-failure" if name == "deploy" else "unless-stopped")
    assert service["logging"]["options"] == {"max-size": "20m", "max-file": "10"}
    assert "healthcheck" in service or name in ("deploy", "watchdog")


def test_ports_are_open_to_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports == ["127.0.0.1:4200:4200", "127.0.0.1:4280:4280"]
    assert all("network_mode" not in service for service in SERVICES.values())


@pytest.mark.parametrize("name", OURS)
def test_a_container_starts_what_exists(name: str) -> None:
    assert unknown_options(OURS[name]["command"]) == []


def test_containers_run_what_the_units_run() -> None:
    """Apart from where they listen, what they are called, and the watchdog, which a timer starts there."""
    units = "".join(path.read_text() for path in (FOLDER / "systemd").glob("*.service"))
    started = {tuple(line.split()[1:2]) for line in re.findall(r"^ExecStart=\S*/bin/(.*)$", units, re.MULTILINE)}
    assert {tuple(service["command"][1:2]) for service in OURS.values()} == started - {("database",)}


def test_no_secret_is_in_the_files() -> None:
    text = "".join((FOLDER / name).read_text() for name in ("compose.yaml", "Dockerfile"))
    passwords = re.findall(r"(?:PASS(?:WORD)?|TOKEN)\S*[:=] *(\S+)", text)
    assert passwords and all(value.startswith("${") for value in passwords)


def test_the_prefect_server_has_a_login_that_all_others_show() -> None:
    """A missing one ends compose before anything starts."""
    logins = {name: service["environment"] for name, service in OURS.items()}
    server = logins["server"]["PREFECT_SERVER_API_AUTH_STRING"]
    assert server.startswith("${PREFECT_SERVER_API_AUTH_STRING:?is missing")
    others = {name: given.get("PREFECT_API_AUTH_STRING", "") for name, given in logins.items()}
    assert len(others) > 4
    assert [name for name, login in others.items() if not login.startswith("${PREFECT_API_AUTH_STRING:?is miss")] == []


def test_the_image_is_built_from_what_it_needs() -> None:
    """All else, such as settings or .git, is kept out by the first line."""
    _, everything, *let_in = (ROOT / ".dockerignore").read_text().splitlines()
    assert everything == "*"
    taken = [line.removeprefix("!") for line in let_in if line.startswith("!")]
    assert [name for name in taken if not list(ROOT.glob(name))] == []
    needed = re.findall(r'^"?(\S+?)"? = "tides_bridge/', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    packages = ["flows", "tasks", "tides_bridge", "simulators", "README.md", "LICENSE", "constraints.txt"]
    shipped = [path for name in (*needed, *packages) for path in ROOT.glob(name)]
    assert {path.name for path in shipped if not any(path in ROOT.glob(name) for name in taken)} == set()
