"""
Homes of Prefect whose tables are made already: a new server makes them itself in a quarter of a minute.

They are made once, by Prefect, and kept in pytest's cache for each version of it. What is tested of a first start, as
of a temporary server of a run, begins in a home without them.
"""

import fcntl
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".pytest_cache"
MAKE_SECONDS = 300.0


def furnish(home: Path) -> Path:
    """Make a home, if it is not there, and put a database with all tables and no rows of ours into it."""
    home.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(_made_once())) as made, closing(sqlite3.connect(home / "prefect.db")) as copy:
        made.backup(copy)
    return home


def _made_once() -> Path:
    """Give the file with all tables; whoever of the processes of the tests comes first makes it."""
    CACHE.mkdir(exist_ok=True)
    made = CACHE / f"prefect-{version('prefect')}.db"
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as home:
                command = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"]
                environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
                environment["PREFECT_HOME"] = home
                subprocess.run(command, env=environment, timeout=MAKE_SECONDS, check=True, capture_output=True)
                Path(home, "prefect.db").replace(made)
    return made
