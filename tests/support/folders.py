"""Folders for tests: in memory where there is room, and open to a server under another account."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM_BYTES = 4e9


def _is_roomy() -> bool:
    return MEMORY.is_mount() and shutil.disk_usage(MEMORY).free > ROOM_BYTES


IS_IN_MEMORY = _is_roomy()
TEMPORARY = str(MEMORY) if IS_IN_MEMORY else "/tmp"
"""A database has 400 files: on a disk they take ten times as long to make and to remove, and SQLite waits for it."""


@contextlib.contextmanager
def reachable_folder() -> Iterator[Path]:
    """
    Make a temporary folder that every account may pass through, and remove it afterwards.

    pytest's ``tmp_path`` is closed to others, so that the account that runs PostgreSQL for root cannot get there.
    """
    folder = Path(tempfile.mkdtemp(prefix="tides-test-", dir=TEMPORARY))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
