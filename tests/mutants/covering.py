"""A plugin of pytest that notes what each test covers: lines of Python, scripts of SQL, and how long it takes."""

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tides_bridge.database import scripts

FOLDER = "TIDES_MUTANTS"
"""Variable of the environment: where each process of pytest writes what it found."""
MEASURED = ["tides_bridge", "flows", "tasks"]


class Covering:
    """Notes what is covered while tests run."""

    def __init__(self) -> None:
        import coverage  # in an environment of `make mutants` only

        self._seconds: dict[str, float] = {}
        self._scripts: dict[str, set[str]] = defaultdict(set)
        self._test = ""
        self._coverage = coverage.Coverage(data_file=None, source=MEASURED, config_file=False)
        read = scripts.script_text

        def noted(name: str) -> str:
            self._scripts[f"sql/{name}"].add(self._test)
            return read(name)

        scripts.script_text = noted  # type: ignore[assignment]
        self._coverage.start()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Let what is covered be that of this test."""
        self._test = item.nodeid
        self._coverage.switch_context(item.nodeid)
        begun = time.perf_counter()
        yield
        self._seconds[item.nodeid] = time.perf_counter() - begun

    def pytest_sessionfinish(self) -> None:
        """Write what was found."""
        self._coverage.stop()
        data, here = self._coverage.get_data(), Path.cwd()
        lines: dict[str, dict[int, list[str]]] = {}
        for file in data.measured_files():
            contexts = data.contexts_by_lineno(file)
            lines[os.path.relpath(file, here)] = {line: [*filter(None, tests)] for line, tests in contexts.items()}
        found: dict[str, Any] = {"seconds": self._seconds, "lines": lines}
        found["scripts"] = {name: sorted(filter(None, tests)) for name, tests in self._scripts.items()}
        process = os.environ.get("PYTEST_XDIST_WORKER", "main")
        (Path(os.environ[FOLDER]) / f"covered-{process}.json").write_text(json.dumps(found))


def pytest_configure(config: pytest.Config) -> None:
    """Measure, in each process that runs tests."""
    if not hasattr(config, "workerinput") and getattr(config.option, "numprocesses", None):
        return  # the one that only hands them out
    config.pluginmanager.register(Covering())
