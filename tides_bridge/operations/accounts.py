"""
Accounts of the portal and its API: who may look, rule, or change what others have.

An account is known by its token, which is shown once and kept as a hash, or by a visit of a browser that showed it. A
token has 256 random bits: nobody guesses it, and its hash needs no salt.
"""

import getpass
import hashlib
import re
import secrets
from typing import Any, Final, Literal, NamedTuple, get_args

from tides_bridge.database import Database, run
from tides_bridge.errors import RejectedError, SettingsError

Role = Literal["reader", "ruler", "operator"]
"""A reader looks; a ruler decides of targets; an operator changes subscriptions and accounts, too."""

ROLES: Final[tuple[str, ...]] = get_args(Role)
"""Each may what those before it may."""

VISIT_HOURS: Final = 12
"""[h] So long a browser is known after it has shown a token: a night at the telescope."""

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
"""Of an account: a word, or an address of mail."""


class PortalAccount(NamedTuple):
    """Who asks, and what they may."""

    name: str
    role: str

    def may(self, role: Role) -> bool:
        """
        Tell whether it may do what a role may.

        >>> [PortalAccount("eva", "ruler").may(role) for role in ("reader", "ruler", "operator")]
        [True, True, False]
        """
        return ROLES.index(self.role) >= ROLES.index(role)


def add_account(database: Database, name: str, role: str) -> str:
    """
    Make an account, and give its token: it is shown now, and never again.

    Parameters
    ----------
    database
        Where it is kept, as a hash.
    name, role
        Of whom, and what they may.

    Raises
    ------
    SettingsError
        If the name or the role is none.
    RejectedError
        If there is an account of this name.
    """
    if not NAME.fullmatch(name):
        raise SettingsError("NAME", "", "must be a word of letters, digits and . _ @ + -")
    if role not in ROLES:
        raise SettingsError("--role", "", f"{role} is none: known are {', '.join(ROLES)}")
    token = f"tides_{secrets.token_urlsafe(32)}"
    made = {"name": name, "role": role, "who": getpass.getuser(), "hash": hash_of(token)}
    with database.transaction("access") as connection:
        if not run(connection, "operations/store_account.sql", made):
            raise RejectedError(name, "has an account already: tides access revoke ends it")
    return token


def revoke_account(database: Database, name: str) -> None:
    """
    End an account; what it decided stays.

    Parameters
    ----------
    database, name
        Where, and whose.

    Raises
    ------
    RejectedError
        If there is none of this name.
    """
    with database.transaction("access") as connection:
        if not run(connection, "operations/revoke_account.sql", {"name": name, "who": getpass.getuser()}):
            raise RejectedError(name, "has no account: tides access list shows all")


def list_accounts(database: Database) -> list[dict[str, Any]]:
    """
    List who has access, and who had: see ``operations/list_accounts.sql``.

    Parameters
    ----------
    database
        To ask.
    """
    with database.transaction() as connection:
        return run(connection, "operations/list_accounts.sql")


def whose_key(database: Database, key: str | None, name: str | None = None) -> PortalAccount | None:
    """
    Give whose a token or a visit is, or the account of a name; None if it is nobody's.

    Parameters
    ----------
    database
        To ask.
    key, name
        A token or what the cookie of a visit holds; or a name that a proxy of the group vouches for.
    """
    asked = {"hash": None if key is None else hash_of(key), "name": name}
    with database.transaction() as connection:
        rows = run(connection, "operations/find_account.sql", asked)
    return PortalAccount(rows[0]["name"], rows[0]["role"]) if rows else None


def begin_visit(database: Database, token: str) -> str | None:
    """
    Begin the visit of a browser that shows a token, and give what its cookie is to hold; None if it is nobody's.

    Parameters
    ----------
    database, token
        Where it is kept, and what was shown.
    """
    key = secrets.token_urlsafe(32)
    asked = {"token": hash_of(token), "hash": hash_of(key), "hours": VISIT_HOURS}
    with database.transaction("access") as connection:
        return key if run(connection, "operations/begin_visit.sql", asked) else None


def end_visit(database: Database, key: str) -> None:
    """
    End a visit: its cookie is worth nothing any more.

    Parameters
    ----------
    database, key
        Where it is kept, and what its cookie holds.
    """
    with database.transaction("access") as connection:
        run(connection, "operations/end_visit.sql", {"hash": hash_of(key)})


def hash_of(key: str) -> bytes:
    """Give what is kept of a token."""
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()
