"""Where files lie: those that the bridge ships, and those that it makes for a user."""

import os
import shutil
import sys
from pathlib import Path

import platformdirs

ROOT_FOLDER = Path("/var/lib/tides-bridge")
"""Root's own home is closed to the account that runs PostgreSQL for root."""

_PACKAGE = Path(__file__).parent


def data_folder() -> Path:
    """Give the folder of this user's data, which may not be there yet."""
    return ROOT_FOLDER if os.geteuid() == 0 else platformdirs.user_data_path("tides-bridge")


def shipped(name: str) -> Path:
    """
    Give the path of a shipped file or folder: in a checkout at its root, in an installed wheel inside tides_bridge.

    Parameters
    ----------
    name
        Such as ``selectionFunctions.yaml``, ``deployments/prefect.yaml`` or ``sql``.

    Raises
    ------
    FileNotFoundError
        If this installation has no such file.
    """
    in_wheel = {"sql": _PACKAGE / "sql"}.get(name, _PACKAGE / "data" / name)
    for path in (in_wheel, _PACKAGE.parent / name):
        if path.exists():
            return path
    raise FileNotFoundError(f"{name} is not part of this installation of tides-bridge")


def command_to_type(name: str) -> str:
    """Word a program of this environment as a person can type it here, whether or not the environment is activated."""
    path = Path(sys.executable).with_name(name)
    if shutil.which(name) == str(path) or not path.exists():
        return name
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
