"""
Backups of the database: made by pg_dump, read through before they count, and restored beside what they replace.

A folder holds the newest of each database, oldest first by name, each with its checksum as ``sha256sum -c`` reads it::

    tides-20261124T044000Z.dump          both for their owner only
    tides-20261124T044000Z.dump.sha256
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

from tides_bridge.database import embedded
from tides_bridge.database.connection import Database, make_database, open_database
from tides_bridge.database.run_log import logged_run
from tides_bridge.database.schema import apply_schema, check_schema
from tides_bridge.database.scripts import run
from tides_bridge.errors import BackupFailed, RejectedError
from tides_bridge.resources import make_own_folder, own_file, write_own
from tides_bridge.settings import Settings

MAINTENANCE = "postgres"
"""A database that every server has, from which others are made, renamed and dropped."""

PATIENCE_SECONDS = 900.0
"""[s] A run that is at work is waited for before its database is replaced."""

SKIPPED_NAMES = 10_000
"""More than are given in the days since a backup."""

NEWER_SETTING = b"SET transaction_timeout = 0;\n"
"""Written by every pg_restore from version 17 on; an older server refuses it."""


@dataclass(frozen=True)
class Backup:
    """A backup that was made: its file, and its size [bytes]."""

    file: Path
    size: int


def backup_folder(settings: Settings) -> Path:
    """Give the folder of the backups: the one in the settings, or ``backups`` beside the embedded database."""
    return settings.backup.folder or (settings.database.folder or embedded.default_folder()).parent / "backups"


def make_backup(settings: Settings) -> Backup:
    """
    Make a backup, note it in `run_log` unless its tables are out of date, and remove the oldest ones.

    Raises
    ------
    BackupFailed
        If it cannot be made; the older ones are as they were.
    """
    made: dict[str, int] = {}
    with open_database(settings) as database, contextlib.ExitStack() as stack:
        if not check_schema(database):
            stack.enter_context(logged_run(database, "backup", counts=lambda: made))
        backup = copy_database(database, settings)
        made["bytes"] = backup.size
        ours = re.compile(rf"{re.escape(settings.tides_db_database)}-\d{{8}}T\d{{6}}Z\.dump")
        backups = sorted(file for file in backup.file.parent.iterdir() if ours.fullmatch(file.name))
        for file in backups[: -settings.backup.keep]:
            file.unlink(missing_ok=True)
            _checksum_file(file).unlink(missing_ok=True)
    return backup


def copy_database(database: Database, settings: Settings) -> Backup:
    """Make a backup of an open database, after any other one that is just being made; it removes none."""
    try:
        with _locked(backup_folder(settings)) as folder:
            # One of the same second is not written over.
            while (file := folder / f"{settings.tides_db_database}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.dump").exists():
                time.sleep(0.1)
            return Backup(file, _dump(database, file))
    except OSError as error:
        raise BackupFailed(f"backup of {database.name}", str(error), "see backup.folder") from error


def upgrade_database(settings: Settings) -> tuple[list[str], Backup | None]:
    """
    Bring the tables up to date, after a backup if there are any.

    Returns
    -------
    (list of str, Backup or None)
        The schema files that were applied.
    """
    with open_database(settings) as database:
        if not check_schema(database):
            return [], None
        with database.only_run(PATIENCE_SECONDS) as is_alone:
            if not is_alone:
                raise BackupFailed(database.name, "a run is at work", "stop the worker first")
            backup = None if _is_empty(database) else copy_database(database, settings)
            return apply_schema(database), backup


def restore_backup(settings: Settings, file: Path, *, replace: bool = False) -> str | None:
    """
    Restore a backup into the database of the settings, which is made if need be, and bring its tables up to date.

    Parameters
    ----------
    settings
        Whose database it is.
    file
        The backup.
    replace
        Whether a database with tables is put aside for it, after a backup of its own.

    Returns
    -------
    str or None
        What the database that was put aside is called now.

    Raises
    ------
    RejectedError
        If the file is no whole backup, or the database has tables and is not to be replaced.
    BackupFailed
        If it cannot be restored; the database is as it was.
    """
    with open_database(_other(settings, MAINTENANCE)) as server:
        _check(server, file)
        make_database(server, settings.tides_db_database)
        with open_database(settings) as database:
            if _is_empty(database):
                _load(database, file)
                return None
            if not replace:
                raise RejectedError(database.name, "has tables: --replace puts them aside for those of the backup")
            _check_unused(database)
        return _replace(server, settings, file)


def _replace(server: Database, settings: Settings, file: Path) -> str:
    """Back up a database, restore another one beside it, and let them change places."""
    name = settings.tides_db_database
    with _new_database(server, _stamped(name, "restored")) as restored:
        with open_database(settings) as database, database.only_run(PATIENCE_SECONDS) as is_alone:
            if not is_alone:
                raise BackupFailed(database.name, "a run is at work", "stop the worker first")
            copy_database(database, settings)
            with open_database(_other(settings, restored)) as empty:
                _load(empty, file)
            epoch = database.newest_epoch()
        aside = _stamped(name, "before")
        _swap(server, name, aside, restored)
        # The lock had to be given up, as no database is renamed with its session: did a run come and go meanwhile?
        with open_database(_other(settings, aside)) as former:
            is_unchanged = former.newest_epoch() == epoch
        if not is_unchanged:
            _swap(server, name, restored, aside)
            raise BackupFailed(
                name, "a run was at work before the databases had changed places", "stop the worker first"
            )
    return aside


def _swap(server: Database, name: str, aside: str, restored: str) -> None:
    """
    Rename two databases: both or none.

    One that somebody is connected to cannot be renamed: if a run is at work this fails, and all is as it was.
    """
    with server.transaction("swap") as connection:
        given = {"name": name, "aside": aside, "restored": restored}
        statements = run(connection, "database/swap_databases.sql", given)[0]
        connection.exec_driver_sql(statements["put_aside"])
        connection.exec_driver_sql(statements["take_over"])


@contextlib.contextmanager
def _new_database(server: Database, name: str) -> Iterator[str]:
    """Make a database, and drop it again if something goes wrong."""
    make_database(server, name)
    try:
        yield name
    except BaseException:
        with server.without_transaction() as connection:
            statement = run(connection, "database/drop_database.sql", {"name": name})[0]["statement"]
            connection.exec_driver_sql(statement)
        raise


def _load(database: Database, file: Path) -> None:
    """Fill an empty database from a backup, bring it up to date, and note in it that it was restored."""
    _pour(database, file)
    apply_schema(database)
    with database.transaction("restored") as connection:
        run(connection, "database/make_reader.sql")
        run(connection, "database/store_restoration.sql", {"file": file.name})
        run(connection, "database/end_open_runs.sql", {"problem": "was at work when the backup was taken"})
        run(connection, "database/skip_names.sql", {"names": SKIPPED_NAMES})


def _pour(database: Database, file: Path) -> None:
    """Let psql carry out what pg_restore reads, in one transaction, which ends well only if all was read."""
    reader = [str(_program("pg_restore", database)), "--no-owner", "--no-privileges", "--file=-", str(file)]
    psql = [str(_program("psql", database)), "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"]
    with (
        tempfile.TemporaryFile() as error_output,
        subprocess.Popen(reader, stdout=subprocess.PIPE, stderr=error_output) as reading,
        subprocess.Popen(
            psql, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=error_output, env=_environment(database)
        ) as writing,
    ):
        with contextlib.suppress(BrokenPipeError), cast(IO[bytes], writing.stdin) as script:
            with cast(IO[bytes], reading.stdout) as lines:
                script.write(b"BEGIN;\n")
                script.writelines(line for line in lines if line != NEWER_SETTING)
            # Without a COMMIT the server rolls back: of a file that cannot be read to its end nothing stays.
            if reading.wait() == 0:
                script.write(b"COMMIT;\n")
        if reading.wait() or writing.wait():
            error_output.seek(0)
            problem = " ".join(error_output.read().decode(errors="replace").split())
            raise BackupFailed(database.name, problem, "nothing of the backup was kept")


# Files


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[Path]:
    """Let one backup at a time work in a folder, which is made if missing; what a killed one left is removed."""
    make_own_folder(folder, 0o700)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for left in (*folder.glob("*.part"), *folder.glob("*.sha256.new")):
            left.unlink()
        yield folder
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _dump(database: Database, file: Path) -> int:
    """Write a backup; it gets its name when it is whole, was read through and is on the disk. Returns its bytes."""
    part = file.with_suffix(".part")
    try:
        own_file(part).close()  # pg_dump keeps the mode of what is there
        _run(_program("pg_dump", database), "--format=custom", "--no-password", f"--file={part}", database=database)
        _run(_program("pg_restore", database), "--file=/dev/null", str(part))
        checksum = _checksum(part)
        part.rename(file)
    finally:
        part.unlink(missing_ok=True)
    write_own(_checksum_file(file), f"{checksum}  {file.name}\n")
    return file.stat().st_size


def _checksum(file: Path) -> str:
    """Make sure that a file is on the disk, and give its SHA-256."""
    with file.open("rb") as content:
        os.fsync(content.fileno())
        return hashlib.file_digest(content, "sha256").hexdigest()


def _checksum_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.sha256")


def _check(server: Database, file: Path) -> None:
    """Refuse a file that is not what was written, as far as its checksum is there, or no backup."""
    if not file.is_file():
        raise RejectedError(str(file), "no such file")
    if _checksum_file(file).exists() and _checksum(file) not in _checksum_file(file).read_text():
        raise RejectedError(str(file), f"is damaged: it is not what {_checksum_file(file).name} says")
    try:
        _run(_program("pg_restore", server), "--list", str(file))
    except BackupFailed as error:
        raise RejectedError(str(file), error.problem) from None


# Databases and programs


def _other(settings: Settings, name: str) -> Settings:
    """Give settings that lead to another database of the same server."""
    return settings.model_copy(update={"tides_db_database": name})


def _is_empty(database: Database) -> bool:
    with database.transaction() as connection:
        return bool(run(connection, "database/count_tables.sql")[0]["tables"] == 0)


def _check_unused(database: Database) -> None:
    """Refuse a database that others use: it could not be renamed."""
    with database.transaction() as connection:
        sessions = run(connection, "database/count_sessions.sql")[0]["sessions"]
    if sessions:
        remedy = "stop the worker, the page and all else that uses it"
        raise BackupFailed(database.name, f"{sessions} others are connected", remedy)


def _stamped(name: str, what: str) -> str:
    """Name a database after another one, in the 63 characters that a name may have."""
    return f"{name[:36]}_{what}_{datetime.now(UTC):%Y%m%dT%H%M%S}"


def _program(name: str, database: Database) -> Path:
    """Give a program of PostgreSQL that knows this server: ours, or the machine's if the server is newer."""
    ours = embedded.postgres_program(name)
    with database.transaction() as connection:
        needed = run(connection, "database/server_version.sql")[0]["version"] // 10000
    if needed <= int(embedded.MAJOR_VERSION):
        return ours
    theirs = shutil.which(name)
    found = subprocess.run([theirs, "--version"], capture_output=True, text=True, check=True).stdout if theirs else ""
    version = re.search(r"(\d+)[.\d]*", found)
    if theirs and version and int(version[1]) >= needed:
        return Path(theirs)
    problem = f"PostgreSQL {needed} is newer than our {name}, of version {embedded.MAJOR_VERSION}"
    raise BackupFailed(database.name, problem, f"install its programs, such as postgresql-client-{needed}")


def _environment(database: Database | None) -> dict[str, str]:
    """Lead a program to a database; the password goes this way only. It speaks English."""
    return os.environ | {"LC_ALL": "C"} | (database.for_psql() if database else {})


def _run(program: Path, *arguments: str, database: Database | None = None) -> None:
    """
    Run a program to its end.

    Raises
    ------
    BackupFailed
        With what it says.
    """
    done = subprocess.run(
        [program, *arguments], env=_environment(database), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", check=False,
    )  # fmt: skip
    if done.returncode:
        error_text = " ".join(done.stderr.split())
        raise BackupFailed(database.name if database else program.name, error_text, "is there room on the disk?")
