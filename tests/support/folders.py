"""Folders for tests that run a server under another account."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def reachable_folder() -> Iterator[Path]:
    """
    Make a temporary folder that every account may pass through, and remove it afterwards.

    pytest's ``tmp_path`` is closed to others, so that the account that runs PostgreSQL for root cannot get there.
    """
    folder = Path(tempfile.mkdtemp(prefix="tides-test-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
