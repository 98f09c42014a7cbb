"""No secret in a file, no connection without its certificate, no value in the text of SQL, no server for everybody."""

import ast
import hashlib
import inspect
import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.fourmost.command import fourmost
from tides_bridge.database import embedded

ROOT = Path(__file__).parents[2]
PRODUCTION = ("flows", "tasks", "tides_bridge")
PACKAGES = (*PRODUCTION, "simulators")
NOT_MADE = 77
"""Status of a check that could not be made."""


def modules(*packages: str) -> list[Path]:
    """All Python files below these folders."""
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def script(path: Path, *content: str) -> Path:
    """Write a program of the shell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/usr/bin/env bash", *content, ""]))
    path.chmod(0o755)
    return path


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a check and keep what it says."""
    return subprocess.run(command, capture_output=True, check=False, text=True, timeout=120)


# Secrets

# Put together here, so that this file does not find itself.
TOKEN = hashlib.sha256(b"planted").hexdigest()[:40]
PLANTED = {
    "settings.yaml": f"lasairToken: {TOKEN}\n",
    "environment.sh": f"export TIDES_FOURMOST__TOKEN={TOKEN}\n",
    "module.py": f'HEADERS = {{"Authorization": "Token {TOKEN}"}}\n',
    "github.md": f"Use ghp_{TOKEN[:36]} to log in.\n",
    "address.py": 'URL = "postgresql://tides:' + 'Vu7kPq92xLm4@database/tides"\n',
    "key.pem": "-----BEGIN " + "RSA PRIVATE KEY-----\n",
}


def search(folder: Path, name: str, content: str) -> subprocess.CompletedProcess[str]:
    """Search a repository with this one file for secrets, with the command of CI."""
    (folder / name).write_text(content)
    for arguments in (["init", "--quiet"], ["add", name]):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return run(ROOT / ".ci/check_secrets", folder)


@pytest.mark.parametrize(("name", "content"), PLANTED.items(), ids=PLANTED)
def test_a_planted_secret_is_found(tmp_path: Path, name: str, content: str) -> None:
    found = search(tmp_path, name, content)
    assert found.returncode not in {0, NOT_MADE}
    assert name in found.stdout
    assert TOKEN not in found.stdout


@pytest.mark.parametrize("mark", ["noqa: S105 (of a stand-in)", "pragma: allowlist secret"])
def test_a_marked_line_is_none(tmp_path: Path, mark: str) -> None:
    assert search(tmp_path, "module.py", f'TOKEN = "{TOKEN}"  # {mark}\n').returncode == 0


def test_without_git_the_search_is_not_made(tmp_path: Path) -> None:
    assert run(ROOT / ".ci/check_secrets", tmp_path).returncode == NOT_MADE


# Known vulnerabilities


def package(**more: object) -> str:
    """What pip-audit says of one package."""
    return json.dumps({"dependencies": [{"name": "numpy", "version": "2.0", **more}], "fixes": []})


HOLE = {"id": "PYSEC-1", "fix_versions": ["2.1"], "aliases": [], "description": ""}
ANSWERS = {
    "clean": (package(vulns=[]), "", 0, 0, ""),
    "vulnerable": (package(vulns=[HOLE]), "", 1, 1, "numpy 2.0 has PYSEC-1, mended in 2.1"),
    "unreachable": ("", "requests.exceptions.ConnectionError: no route", 1, NOT_MADE, "its source cannot be reached"),
    "too slow": ("", "", 124, NOT_MADE, "its source cannot be reached"),
    "unknown": (package(skip_reason="not found"), "", 0, NOT_MADE, "its source knows none of 1 packages"),
    "broken": ("", "Traceback: a mistake", 1, 1, "Traceback: a mistake"),
}


@pytest.mark.parametrize(("answer", "log", "status", "expected", "says"), ANSWERS.values(), ids=ANSWERS)
def test_the_audit_tells_a_hole_from_silence(  # noqa: PLR0917
    tmp_path: Path, answer: str, log: str, status: int, expected: int, says: str
) -> None:
    (tmp_path / ".ci").mkdir()
    audit = shutil.copy(ROOT / ".ci/check_vulnerabilities", tmp_path / ".ci")
    script(tmp_path / ".venv/bin/pip-audit", f"printf %s '{answer}'", f"echo '{log}' >&2", f"exit {status}")
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    done = run(audit)
    assert (done.returncode, done.stdout.strip()) == (expected, says)


# All checks


@pytest.mark.parametrize(
    ("status", "line", "expected"), [(0, "ok    0 s", 0), (NOT_MADE, "skipped: why", 0), (1, "FAILED: ", 1)]
)
def test_make_check_shows_what_was_skipped(tmp_path: Path, status: int, line: str, expected: int) -> None:
    check = script(tmp_path / ".ci/check")
    shutil.copy(ROOT / ".ci/check", check)
    for tool in ("ruff", "mypy", "lint-imports", "sqlfluff", "shellcheck", "bandit"):
        script(tmp_path / ".venv/bin" / tool)
    for name in ("check_secrets", "check_wheel"):
        script(tmp_path / ".ci" / name)
    script(tmp_path / ".ci/check_vulnerabilities", "echo why", f"exit {status}")
    done = run(check)
    assert done.returncode == expected
    assert f"{'pip-audit':18} {line}" in done.stdout


def test_bandit_looks_at_every_package_and_leaves_to_ruff_what_ruff_judges() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert f"--recursive {' '.join(PACKAGES)}\n" in (ROOT / ".ci/check").read_text()
    assert "S" in tools["ruff"]["lint"]["select"]
    ours = {rule.replace("B", "S") for rule in tools["bandit"]["skips"]} - {"S404"}  # a preview of ruff
    ignored = {rule for rule in tools["ruff"]["lint"]["ignore"] if rule.startswith("S")}
    assert ours & ignored == ignored == {"S603", "S607"}


# The code


def calls(path: Path) -> Iterator[ast.Call]:
    """All calls in a file."""
    yield from (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    """The last name of what is called, such as format in text.format()."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def is_put_together(text: ast.expr) -> bool:
    """Whether a text is an f-string, a sum, a % or a format()."""
    return isinstance(text, ast.JoinedStr | ast.BinOp) or (isinstance(text, ast.Call) and called(text) == "format")


def skips_certificates(call: ast.Call) -> bool:
    """Whether a call has the argument verify=False."""
    values = [word.value for word in call.keywords if word.arg == "verify"]
    return any(isinstance(value, ast.Constant) and value.value is False for value in values)


def puts_sql_together(call: ast.Call) -> bool:
    """Whether a call runs SQL that was put together in place."""
    runs = called(call) in {"text", "exec_driver_sql", "execute", "executemany", "copy_expert"}
    texts = [*call.args[:1], *(word.value for word in call.keywords)]
    return runs and any(map(is_put_together, texts))


@pytest.mark.parametrize(
    "bad", ['text(f"{a}")', 'c.execute("a" + b)', 'c.exec_driver_sql("%s" % a)', 'text(text="{}".format(a))']
)
def test_sql_put_together_is_noticed(bad: str) -> None:
    call = ast.parse(bad, mode="eval").body
    assert isinstance(call, ast.Call)
    assert puts_sql_together(call)


def test_no_sql_is_put_together() -> None:
    found = [
        f"{path}:{call.lineno}" for path in modules(*PRODUCTION) for call in calls(path) if puts_sql_together(call)
    ]
    assert found == []


def test_certificates_are_always_checked() -> None:
    every = [(path, call) for path in modules(*PRODUCTION) for call in calls(path)]
    assert [f"{path}:{call.lineno}" for path, call in every if skips_certificates(call)] == []
    assert [path for path in modules(*PRODUCTION) if ".verify = False" in path.read_text()] == []


def test_no_server_listens_everywhere() -> None:
    everywhere = ("0.0.0.0", '"::"', '(("",')
    found = [path for path in modules(*PACKAGES) if any(address in path.read_text() for address in everywhere)]
    assert found == []


def test_servers_listen_to_this_machine_only_unless_told_otherwise() -> None:
    """The embedded database, which has a socket file, does not even listen to that."""
    assert inspect.signature(fourmost).parameters["host"].default == "127.0.0.1"
    assert embedded.SETTINGS["listen_addresses"] == ""
    starting = [path for path in modules(*PACKAGES) if "LocalCluster" in path.read_text()]
    assert starting == [ROOT / "flows/local_cluster.py"]
    cluster = starting[0].read_text()  # Dask listens everywhere by default
    for place in ('"dashboard_address": "127', '"worker_dashboard_address": "127', '"host": "127'):
        assert f"{place}.0.0.1" in cluster
