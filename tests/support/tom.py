"""
A real TOM Toolkit from PyPI, in an environment of its own, on a database of the tests' server.

It is asked and changed as `simulators.services.tom.TomStandin` is, so that the same tests hold for both.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.support.databases import drop_database, make_settings
from tides_bridge.database import open_database

PACKAGES = ("tomtoolkit==3.1.0", "psycopg[binary]")
"""Their dependencies do not fit with ours."""

TOM_PYTHON = "BRIDGE_TEST_TOM_PYTHON"
"""Variable for the Python of an environment that has them already: to make one takes two minutes."""

SITE = Path(__file__).parents[1] / "support" / "tom_site"


@cache
def tom_python(folder: Path) -> Path:
    """Give the Python of an environment with a TOM Toolkit, made when it is asked for first."""
    if TOM_PYTHON in os.environ:
        return Path(os.environ[TOM_PYTHON])
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    installing = [folder / "bin" / "pip", "install", "--quiet", *PACKAGES]
    if subprocess.run(installing, capture_output=True, check=False, timeout=580).returncode:
        pytest.skip(f"{PACKAGES[0]} cannot be had here")
    return folder / "bin" / "python"


class RealTom:
    """
    A TOM that runs.

    Parameters
    ----------
    python, environment
        With which Django runs.
    """

    def __init__(self, python: Path, environment: dict[str, str]) -> None:
        self._python, self._environment = python, environment
        self._process = subprocess.Popen(
            [python, SITE / "serve.py"], env=environment, stdout=subprocess.PIPE, text=True, cwd=SITE
        )
        assert self._process.stdout is not None
        first = json.loads(self._process.stdout.readline())
        self.address, self.token = f"http://127.0.0.1:{first['port']}", first["token"]
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Token {self.token}"
        self._own_writes = 0

    def manage(self, *arguments: str) -> str:
        """Run a management command."""
        done = subprocess.run(
            [self._python, "-m", "django", *arguments],
            env=self._environment, cwd=SITE, check=False, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(20)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._session.close()

    def clear(self) -> None:
        """Delete all that it has."""
        for row in self.targets.values():
            self._do("delete", f"{row['id']}/", None)

    @property
    def writes(self) -> int:
        """Calls of others that changed something, or tried to."""
        return int(self._session.get(f"{self.address}/writes", timeout=20).text) - self._own_writes

    @property
    def targets(self) -> dict[int, dict[str, Any]]:
        """What it has, by key."""
        rows = self._session.get(f"{self.address}/api/targets/?limit=5000", timeout=60).json()["results"]
        return {row["id"]: row for row in rows}

    def named(self, name: str) -> dict[str, Any]:
        """Give the target of a name."""
        return next(row for row in self.targets.values() if row["name"] == name)

    def put(self, name: str, ra: float, dec: float, *aliases: str, **extras: str) -> int:
        """Make a target as a person does there, and give its key."""
        body: dict[str, Any] = {"name": name, "type": "SIDEREAL", "ra": ra, "dec": dec}
        body["aliases"] = [{"name": alias} for alias in aliases]
        body["targetextra_set"] = [{"key": key, "value": value} for key, value in extras.items()]
        return int(self._do("post", "", body)["id"])

    def change(self, name: str, **extras: str) -> None:
        """Set extra fields as a person does there."""
        row = self.named(name)
        keys = {extra["key"]: {"id": extra["id"]} for extra in row["targetextra_set"]}
        changed = [{**keys.get(key, {}), "key": key, "value": value} for key, value in extras.items()]
        self._do("patch", f"{row['id']}/", {"targetextra_set": changed})

    def edit(self, name: str, /, **fields: Any) -> None:
        """Change other fields as a person does there."""
        self._do("patch", f"{self.named(name)['id']}/", fields)

    def delete(self, name: str) -> None:
        """Delete a target as a person does there."""
        self._do("delete", f"{self.named(name)['id']}/", None)

    def _do(self, method: str, path: str, body: Any) -> Any:
        self._own_writes += 1
        answer = self._session.request(method, f"{self.address}/api/targets/{path}", json=body, timeout=60)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None


@contextmanager
def real_tom(python: Path, database_folder: Path) -> Iterator[RealTom]:
    """Run a TOM on a database of its own."""
    name = f"tom_{uuid4().hex}"
    with open_database(make_settings(database_folder, name)) as database:
        environment = os.environ | database.for_psql() | {"DJANGO_SETTINGS_MODULE": "tom_settings"}
    environment["PYTHONPATH"] = os.pathsep.join([str(SITE), os.environ.get("TOM_PATH", "")])
    migrating = [python, "-m", "django", "migrate", "-v0"]
    subprocess.run(migrating, env=environment, cwd=SITE, check=True, capture_output=True, timeout=300)
    tom = RealTom(python, environment)
    try:
        yield tom
    finally:
        tom.stop()
        drop_database(database_folder, name)
