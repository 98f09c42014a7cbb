"""Where files lie: those that the bridge ships, and those that it makes for a user."""

import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import IO
from urllib.parse import quote

import platformdirs

ROOT_FOLDER = Path("/var/lib/tides-bridge")
"""Root's own home is closed to the account that runs PostgreSQL for root."""

OWN = 0o600
"""Mode of a file that nobody else may read."""

LONGEST_NAME = 180
"""Bytes of a file name: file systems take 255."""

_PACKAGE = Path(__file__).parent


def version_of_rooms(rooms: Sequence[str], scripts: Sequence[str] = ()) -> str:
    """
    Tell which code some rooms hold: the version of the package, and a digest of their sources.

    Parameters
    ----------
    rooms
        Folders of the package.
    scripts
        Folders of SQL, whose sources count as well.
    """
    digest, sql = hashlib.sha256(), shipped("sql")
    code = [(file, _PACKAGE) for file in sorted(file for room in rooms for file in (_PACKAGE / room).rglob("*.py"))]
    code += [(file, sql) for file in sorted(file for folder in scripts for file in (sql / folder).glob("*.sql"))]
    for file, top in code:
        digest.update(file.relative_to(top).as_posix().encode() + b"\0" + file.read_bytes())
    return f"{version('tides-bridge')}+{digest.hexdigest()[:12]}"


def data_folder() -> Path:
    """Give the folder of this user's data, which may not be there yet."""
    return ROOT_FOLDER if os.geteuid() == 0 else platformdirs.user_data_path("tides-bridge")


def make_own_folder(folder: Path, mode: int | None = None) -> None:
    """
    Make a folder of this user's data and its missing parents, closed to others whatever the umask.

    Parameters
    ----------
    folder
        Which; one that is there stays as it is.
    mode
        Of the folder itself; None is that of its parents: for root they let the account pass that runs PostgreSQL.
    """
    usual = 0o711 if os.geteuid() == 0 else 0o700
    for path in (*reversed(folder.parents), folder):
        if not path.exists():
            path.mkdir(mode=0o700, exist_ok=True)
            path.chmod(usual if path != folder or mode is None else mode)


def own_file(file: Path) -> IO[str]:
    """
    Open a text file to be written anew, for its owner alone whatever the umask.

    Parameters
    ----------
    file
        Which; one that is there is emptied, and closed to others from then on. A link is not followed.
    """
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, OWN)
    os.fchmod(descriptor, OWN)  # before it has content: it may have been there, and open to all
    os.ftruncate(descriptor, 0)
    return os.fdopen(descriptor, "w", encoding="utf-8")


def write_own(file: Path, text: str) -> None:
    """
    Write a file for its owner alone, in one step: whoever is killed on the way leaves the former file.

    Parameters
    ----------
    file
        Which.
    text
        What it holds then.
    """
    new = file.with_name(f"{file.name}.new")
    with own_file(new) as opened:
        opened.write(text)
        opened.flush()
        # On the disk before it takes the name: else a power cut leaves an empty file.
        os.fsync(opened.fileno())
    new.replace(file)


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
