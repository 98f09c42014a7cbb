"""Commands that files in deployments/ start, asked what they understand."""

import os
import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path


def options_of(command: list[str]) -> set[str]:
    """Ask a command of this environment which options it has; an unknown one fails."""
    program, *words = takewhile(lambda word: not word.startswith("-"), command)
    done = subprocess.run(
        [Path(sys.executable).parent / Path(program).name, *words, "--help"], env=os.environ | {"COLUMNS": "200"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return set(re.findall(r"(?<!\w)--[a-z][a-z-]*", done.stdout))


def unknown_options(command: list[str]) -> list[str]:
    """List the options of a command that it does not have."""
    return sorted({word for word in command if word.startswith("--")} - options_of(command))
