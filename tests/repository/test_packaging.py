"""Facts of packaging that are easily lost: pins, the lock against an upload, doors that open, names that collide."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT: dict[str, Any] = PYPROJECT["project"]
WHEEL: dict[str, Any] = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
PACKAGES: list[str] = WHEEL["packages"]
MAKEFILE = (ROOT / "Makefile").read_text()
SCRIPTS = sorted((ROOT / ".ci").iterdir())


def requirements() -> list[Requirement]:
    """All dependencies of the project and of its extras, and what builds it."""
    extras = [line for group in PROJECT["optional-dependencies"].values() for line in group]
    return [Requirement(line) for line in [*PROJECT["dependencies"], *extras, *PYPROJECT["build-system"]["requires"]]]


def pins() -> dict[str, str]:
    """What constraints.txt says, by name."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    named = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in named}


def modules(*packages: str) -> Iterator[Path]:
    """All Python files below these folders."""
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def tracked_files() -> list[Path]:
    """What git knows; under another user's checkout too."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    try:
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    except (OSError, subprocess.CalledProcessError) as problem:
        pytest.skip(f"this is no git checkout: {problem}")
    return [path for name in answer.stdout.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.parametrize("requirement", requirements(), ids=lambda requirement: requirement.name)
def test_every_dependency_is_pinned_to_a_version_it_allows(requirement: Requirement) -> None:
    version = pins().get(canonicalize_name(requirement.name))
    assert version is not None, "run `make constraints`"
    assert requirement.specifier.contains(version, prereleases=True)


def test_the_installer_is_pinned() -> None:
    assert "uv" in pins()


def test_constraints_are_pins_only() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"#.*|[a-z0-9.-]+==[^/@ ]+", line) for line in lines)
    assert {"pip", "setuptools", PROJECT["name"]}.isdisjoint(pins())


def test_the_package_cannot_be_uploaded_by_mistake() -> None:
    """A public index refuses every classifier that begins with Private."""
    assert "Private :: Do Not Upload" in PROJECT["classifiers"]


def test_one_oldest_python_everywhere() -> None:
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert f"\noldest={oldest} " in (ROOT / ".ci/venv").read_text()
    assert PYPROJECT["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    assert sys.version_info >= tuple(map(int, oldest.split(".")))


def test_what_the_wheel_takes_along_exists() -> None:
    assert [source for source in [*PACKAGES, *WHEEL["force-include"]] if not (ROOT / source).exists()] == []
    assert all(target.startswith("tides_bridge/") for target in WHEEL["force-include"].values())


def entry_points() -> dict[str, str]:
    """Commands by name, the shell's and those looked up by it."""
    return {**PROJECT["scripts"], **PROJECT["entry-points"]["tides.commands"]}


@pytest.mark.parametrize(("name", "target"), entry_points().items())
def test_every_command_leads_somewhere(name: str, target: str) -> None:
    module, _, function = target.partition(":")
    assert callable(getattr(import_module(module), function)), name


def test_the_checks_look_at_every_package() -> None:
    assert set(PYPROJECT["tool"]["mypy"]["packages"]) == set(PACKAGES)
    assert set(PYPROJECT["tool"]["importlinter"]["root_packages"]) == set(PACKAGES)


def test_make_help_explains_every_target() -> None:
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    shown = subprocess.run(["make", "help"], cwd=ROOT, env=alone, capture_output=True, check=True, text=True).stdout
    targets = re.findall(r"^([\w.-]+):(?!=)", MAKEFILE, re.MULTILINE)
    phony = re.findall(r"^\.PHONY: (.*)", MAKEFILE, re.MULTILINE)
    explained = re.findall(r"^make ([a-z]+) +\w", shown, re.MULTILINE)
    assert sorted(explained) == sorted(set(targets) - {".PHONY", ".NOTPARALLEL"})
    assert sorted(explained) == sorted(" ".join(phony).split())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_start_and_stop_at_errors(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    assert re.search(r"^set -e?uo pipefail$", script.read_text(), re.MULTILINE)
    subprocess.run(["bash", "-n", script], check=True)


def test_hooks_need_nothing_that_has_to_be_fetched() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repository["repo"] for repository in hooks["repos"]] == ["local"]
    assert {hook["language"] for hook in hooks["repos"][0]["hooks"]} == {"system"}


def test_the_changelog_opens_with_what_is_not_released() -> None:
    sections = re.findall(r"^## \[?([^]\n]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sections[0] == "Unreleased"
    assert all(re.match(r"\d+\.\d+\.\d+", section) for section in sections[1:])


# Put together here, so that this file does not find itself.
HOSTS = [".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("debian", "org"), ("npmjs", "org"))]
FOLDERS = [f"/{name}/" for name in ("root", "work", "opt/pypi", "opt/wheels")]
MACHINE = re.compile("|".join([*map(re.escape, HOSTS), *(rf"(?<![\w.$}}\])~-]){folder}" for folder in FOLDERS)]))


def test_no_registry_and_no_place_on_one_machine_is_named() -> None:
    """Where packages come from is the business of the machine: of pip.conf, uv.toml and the environment."""
    found = []
    for path in tracked_files():
        text = path.read_bytes().decode(errors="ignore")
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in MACHINE.finditer(text)]
    assert found == []


def test_no_module_of_a_flow_or_task_bears_the_name_of_a_library() -> None:
    """A folder that comes first on sys.path shadows what is installed: flows/distributed.py would be Dask itself."""
    installed = {name for name, owners in packages_distributions().items() if set(owners) != {PROJECT["name"]}}
    ours = {path.stem for path in modules("flows", "tasks")} - {"__init__", "__main__"}
    assert ours & (installed | sys.stdlib_module_names) == set()


def test_every_module_is_named_after_what_is_in_it() -> None:
    vague = {"util", "utils", "helper", "helpers", "common", "misc"}
    assert [path for path in modules(*PACKAGES, "tests", "benchmarks") if path.stem in vague] == []


def test_no_module_is_too_long_to_be_read_at_once() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in modules(*PACKAGES)}
    assert {path: length for path, length in lengths.items() if length > 450} == {}
