"""Plants one fault at a time in a copy of the project, runs the tests that cover its line, and lists what survives."""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutants.sql_faults import faults_in

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".mutants"
"""The copy, what the tools need, and what covers what: none of it is committed."""
COPY = FOLDER / "copy"
TOOLS = {"cosmic-ray": "cosmic-ray==8.7.0", "coverage": "coverage>=7.6,<8"}
ROOMS = ("tests/unit", "tests/sql", "tests/brokers", "tests/fourmost", "tests/faults/test_lies.py")
"""What finds out which test covers which line. Tests that start whole commands come after slips, not before."""
SLOWEST = 20.0
"""[s] A test that takes longer is not one that a developer runs after each change."""
START = 60.0
"""[s] More than its tests take a fault may keep them busy, before it counts as noticed: they never end."""
MARK = ".state"
"""Of what `covered-*.json` tell."""
PYTEST = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]


@dataclass(frozen=True)
class Fault:
    """One slip: where, what, and the text of the file with it."""

    path: str
    line: int
    what: str
    text: str


@dataclass(frozen=True)
class Covered:
    """Which tests cover a line or a script, and how long each takes [s]."""

    seconds: dict[str, float]
    lines: dict[str, dict[int, list[str]]]
    scripts: dict[str, list[str]]

    @classmethod
    def read(cls, files: Sequence[Path]) -> "Covered":
        """Put together what the processes of pytest found."""
        whole = cls({}, {}, {})
        for file in files:
            found = json.loads(file.read_text())
            whole.seconds.update(found["seconds"])
            for path, lines in found["lines"].items():
                mine = whole.lines.setdefault(path, {})
                for line, tests in lines.items():
                    mine.setdefault(int(line), []).extend(tests)
            for path, tests in found["scripts"].items():
                whole.scripts.setdefault(path, []).extend(tests)
        return whole

    def tests_of(self, fault: Fault, limit: float) -> list[str]:
        """
        Choose the tests to run, the quickest first, as many as take no longer than a limit [s].

        Those that cover the line; where none does (a constant, what numba compiles, the schema) those of the file.
        """
        lines = self.lines.get(fault.path, {})
        of_file = {test for tests in lines.values() for test in tests}
        tests = set(lines.get(fault.line, ())) or of_file or set(self.scripts.get(fault.path, ()))
        if fault.path.startswith("sql/schema/"):
            tests = {test for test in self.seconds if test.startswith("tests/sql/")}
        quick = sorted((self.seconds.get(test, 0.0), test) for test in tests)
        chosen, total = [], 0.0
        for seconds, test in quick:
            total += seconds
            if seconds > SLOWEST or total > limit:
                break
            chosen.append(test)
        return chosen


def main(arguments: list[str] | None = None) -> int:
    """Plant faults, and print the survivors."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("paths", nargs="*", help="files or folders; without any: what changed since a commit")
    parser.add_argument("--since", default="HEAD~10", help="commit; only lines changed since it (default: HEAD~10)")
    parser.add_argument("--number", type=int, default=50, help="of faults, drawn evenly from the files (default: 50)")
    parser.add_argument("--seed", type=int, default=1, help="of the draw (default: 1)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of tests a fault [s] (default: 60)")
    chosen = parser.parse_args(arguments)
    install()
    copy_project()
    faults = list(plan(chosen.paths, chosen.since))
    drawn = draw(faults, chosen.number, chosen.seed)
    print(f"{len(drawn)} of {len(faults)} faults, seed {chosen.seed}", flush=True)
    if not drawn:
        return 0
    covered = cover()
    survivors = [fault for number, fault in enumerate(drawn) if not is_noticed(fault, covered, number, chosen.seconds)]
    print(f"{len(drawn) - len(survivors)} of {len(drawn)} faults were noticed; these were not:")
    for fault in survivors:
        tests = covered.tests_of(fault, chosen.seconds)
        print(f"  {fault.path}:{fault.line} {fault.what} ({len(tests)} tests ran)")
    return 0


def install() -> None:
    """Get what is needed here only, each in a folder of its own."""
    for name, wanted in TOOLS.items():
        if not (FOLDER / name).exists():
            command = [sys.executable, "-m", "pip", "install", "-q", "--target", FOLDER / name, wanted]
            subprocess.run(command, check=True, capture_output=True)


def copy_project() -> None:
    """Copy what git knows, as it is now, without touching what has not changed."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    names = {name for name in listed.stdout.decode().splitlines() if (ROOT / name).is_file()}
    for old in [path for path in COPY.rglob("*") if path.is_file() and "__pycache__" not in path.parts]:
        if str(old.relative_to(COPY)) not in names:
            old.unlink()
    for name in names:
        there = COPY / name
        if not there.is_file() or there.read_bytes() != (ROOT / name).read_bytes():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, there)


def plan(paths: Sequence[str], since: str) -> Iterator[Fault]:
    """List all faults of some files, or of the lines that changed since a commit."""
    lines = None if paths else changed_lines(since)
    where = list(lines) if lines is not None else paths
    files = subprocess.run(
        ["git", "ls-files", "--", *where], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.splitlines()
    python = [file for file in files if re.match(r"(tides_bridge|flows|tasks)/.*\.py$", file)]
    for fault in [*_python_faults(python), *_sql_faults([file for file in files if re.match(r"sql/.*\.sql$", file)])]:
        if lines is None or fault.line in lines[fault.path]:
            yield fault


def changed_lines(since: str) -> dict[str, set[int]]:
    """Give the lines that were changed or added since a commit, by file."""
    diff = subprocess.run(
        ["git", "diff", "-U0", "--no-color", since], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    found: dict[str, set[int]] = {}
    path = ""
    for line in diff.splitlines():
        if line.startswith("+++ "):
            path = line.removeprefix("+++ b/")
        elif hunk := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            start, count = int(hunk[1]), int(hunk[2] or 1)
            found.setdefault(path, set()).update(range(start, start + count))
    return {path: lines for path, lines in found.items() if (ROOT / path).is_file()}


def _python_faults(files: Sequence[str]) -> Iterator[Fault]:
    if files:
        command = [sys.executable, "tests/mutants/python_faults.py", *files]
        printed = subprocess.run(command, cwd=ROOT, env=_environment("cosmic-ray"), capture_output=True, check=True)
        yield from (Fault(**json.loads(line)) for line in printed.stdout.splitlines())


def _sql_faults(files: Sequence[str]) -> Iterator[Fault]:
    for file in files:
        yield from (Fault(file, *found) for found in faults_in((ROOT / file).read_text(encoding="utf-8")))


def draw(faults: Sequence[Fault], number: int, seed: int) -> list[Fault]:
    """Draw some faults, from each line one at most."""
    shuffled = list(faults)
    random.Random(seed).shuffle(shuffled)
    one_a_line = {(fault.path, fault.line): fault for fault in shuffled}
    return list(one_a_line.values())[:number]


def cover() -> Covered:
    """Find what the tests cover, once for each state of the project."""
    state = subprocess.run(
        "git rev-parse HEAD; git diff HEAD | sha256sum", shell=True, cwd=ROOT, capture_output=True, check=True
    ).stdout
    mark = FOLDER / MARK
    if not mark.exists() or mark.read_bytes() != state:
        for old in FOLDER.glob("covered-*.json"):
            old.unlink()
        print("finding which test covers which line, some minutes", flush=True)
        environment = _environment("coverage") | {"TIDES_MUTANTS": str(FOLDER)}
        command = [*PYTEST, "-n", "2", "-p", "tests.mutants.covering", "--dist", "loadfile", *ROOMS]
        ended = subprocess.run(command, check=False, cwd=COPY, env=environment, capture_output=True, text=True)
        if ended.returncode:
            print("\n".join(ended.stdout.splitlines()[-5:]))
            print("tests fail without any fault: what covers what may be incomplete")
        mark.write_bytes(state)
    return Covered.read(sorted(FOLDER.glob("covered-*.json")))


def is_noticed(fault: Fault, covered: Covered, number: int, limit: float) -> bool:
    """Tell whether a test fails with a fault; what is planted is taken out again, whatever happens."""
    tests = covered.tests_of(fault, limit)
    file, right = COPY / fault.path, (ROOT / fault.path).read_text(encoding="utf-8")
    begun, outcome = time.monotonic(), "no test covers it"
    try:
        file.write_text(fault.text, encoding="utf-8")
        if tests:
            outcome = _outcome(tests, limit)
    finally:
        file.write_text(right, encoding="utf-8")
    seconds = time.monotonic() - begun
    print(f"{number + 1:4} {outcome:20} {seconds:5.0f} s  {fault.path}:{fault.line} {fault.what}", flush=True)
    return outcome == "noticed"


def _outcome(tests: Sequence[str], limit: float) -> str:
    chosen = FOLDER / "tests.txt"
    chosen.write_text("\n".join(tests))
    command = [*PYTEST, "-n", "0", f"@{chosen}"]
    environment = _environment("") | {"HYPOTHESIS_PROFILE": "ci"}
    with subprocess.Popen(
        command, cwd=COPY, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            return "survived" if process.wait(3 * limit + START) == 0 else "noticed"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            return "noticed"


def _environment(tool: str) -> dict[str, Any]:
    """Let the copy be what is imported, and no bytecode of a fault outlive it."""
    places = [str(COPY), *([str(FOLDER / tool)] if tool else [])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(places), "PYTHONDONTWRITEBYTECODE": "1"}


if __name__ == "__main__":
    sys.exit(main())
