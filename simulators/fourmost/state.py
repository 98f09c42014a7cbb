"""The state file: an SQLite database that holds the rows and the account."""

import secrets
from pathlib import Path

from django.db import DatabaseError, connection

from simulators.fourmost.models import Account, Transient
from tides_bridge.errors import SettingsError


def open_state(file: Path) -> None:
    """
    Make the tables if the file is new, else check that it has them.

    Raises
    ------
    SettingsError
        The file is something else, or of another version.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)  # it holds a password
    try:
        with connection.cursor() as cursor:
            tables = connection.introspection.table_names(cursor)
        if not tables:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA journal_mode=WAL")  # stays with the file; readers and one writer do not wait
            with connection.schema_editor() as editor:
                for model in (Account, Transient):
                    editor.create_model(model)
        for model in (Account, Transient):
            wanted = {field.column for field in model._meta.fields}
            table = model._meta.db_table
            with connection.cursor() as cursor:
                found = {column.name for column in connection.introspection.get_table_description(cursor, table)}
            if wanted != found:
                raise _unfit(file, f"columns of table {table} differ: {', '.join(sorted(wanted ^ found))}")
    except DatabaseError as error:
        raise _unfit(file, str(error)) from error


def _unfit(file: Path, reason: str) -> SettingsError:
    problem = f"no state of this stand-in ({reason}): name another file with --state, or delete it"
    return SettingsError(str(file), "", problem)


def open_account(username: str, password: str | None, surveys: list[int]) -> Account:
    """
    Find or make the account.

    Parameters
    ----------
    username
        Its name.
    password
        Replaces the stored one; None keeps it, or makes one for a new account.
    surveys
        Ids of its surveys; they replace the stored ones.
    """
    given = {"surveys": surveys} | ({"password": password} if password else {})
    made = {"password": secrets.token_urlsafe(12), "token": secrets.token_hex(20)}
    account: Account
    account, _ = Account.objects.update_or_create(username=username, defaults=given, create_defaults=made | given)
    return account
