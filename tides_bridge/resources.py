"""Where files lie: those that the bridge ships, and those that it makes for a user."""

import hashlib
import os
import shutil
import sys
from pathlib import Path
from urllib.parse import quote

import platformdirs

ROOT_FOLDER = Path("/var/lib/tides-bridge")
"""Root's own home is closed to the account that runs PostgreSQL for root."""

LONGEST_NAME = 180
"""Bytes of a file name: file systems take 255."""

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


def file_name_of_object(object_id: str, ending: str) -> str:
    """
    Make a file name of an object id; two objects never get the same.

    Parameters
    ----------
    object_id
        Any text: ids of files and brokers are not ours.
    ending
        Of the file, without the point.

    Returns
    -------
    str
        Nothing in it leads out of the folder or hides the file; a long one is cut and told apart by its SHA-256.

    Examples
    --------
    >>> file_name_of_object("ZTF26aaaaaaa", "png"), file_name_of_object("../a b", "png")
    ('ZTF26aaaaaaa.png', '%2E.%2Fa%20b.png')
    """
    name = quote(object_id, safe="+@,=")
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    if len(name) > LONGEST_NAME or not name:
        name = f"{name[:LONGEST_NAME]}-{hashlib.sha256(object_id.encode()).hexdigest()[:16]}"
    return f"{name}.{ending}"
