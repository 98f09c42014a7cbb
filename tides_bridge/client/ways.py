"""The two ways to what the bridge knows: its portal, and its database."""

import io
import secrets
import warnings
from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import quote

import requests
from astropy.io.votable import parse
from astropy.table import Table

from tides_bridge.errors import RejectedError, TransientError

SECONDS: Final = 120.0
"""[s] For an answer; the portal ends a query after 60."""


class Way(Protocol):
    """What `Bridge` asks of either."""

    def ask(self, query: str, most: int) -> Table:
        """Carry out a query in ADQL."""
        ...

    def points(self, name: str) -> Table:
        """Give the points of the light curves of a target or an object."""
        ...

    def rule(self, name: str, ruling: Mapping[str, str]) -> None:
        """Decide something: kind, reason, author, and as they are needed until and tag."""
        ...


class PortalWay:
    """
    Through the portal.

    Parameters
    ----------
    url
        Its address.
    token
        Of a person, where the portal wants one.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def ask(self, query: str, most: int) -> Table:
        """Carry out a query in ADQL."""
        answer = self._sent("POST", "vo/tap/sync", data={"QUERY": query, "MAXREC": str(most)})
        return table_of(answer.content, self._url)

    def points(self, name: str) -> Table:
        """Give the points of the light curves of a target or an object."""
        return table_of(self._sent("GET", "vo/points", params={"NAME": name}).content, self._url)

    def rule(self, name: str, ruling: Mapping[str, str]) -> None:
        """Decide something, as the form on the page of the target does."""
        token = secrets.token_urlsafe(16)
        self._sent(
            "POST", f"targets/{quote(name, safe='')}/rulings", data={**ruling, "token": token}, allow_redirects=False,
            headers={"Origin": self._url}, cookies={"tides_form": token},
        )  # fmt: skip

    def _sent(self, method: str, path: str, **what: Any) -> requests.Response:
        try:
            answer = self._session.request(method, f"{self._url}/{path}", timeout=SECONDS, **what)
        except requests.RequestException as error:
            remedy = "is the portal up (tides page), and is this its address?"
            raise TransientError(self._url, f"does not answer: {type(error).__name__}", remedy) from None
        if answer.status_code in (401, 403):
            raise RejectedError(self._url, "you may not do this here: give a token, or type the command in a shell")
        if answer.status_code == 404:
            raise RejectedError(path, "the portal knows nothing of this name")
        if answer.status_code >= 500 and "QUERY_STATUS" not in answer.text:
            raise TransientError(self._url, f"answered {answer.status_code}", "tides status tells how it is doing")
        if answer.status_code >= 400 and "QUERY_STATUS" not in answer.text:
            raise RejectedError(path, f"refused ({answer.status_code}): a name that is none, or a word that is missing")
        return answer


class DatabaseWay:
    """
    Straight to the database.

    Parameters
    ----------
    settings
        Of a bridge (`tides_bridge.settings.Settings`), or the name of its configuration.
    """

    def __init__(self, settings: Any) -> None:
        from tides_bridge.operations.remembered import KeptDatabase
        from tides_bridge.portal.vo.queries import QueryReader
        from tides_bridge.settings import load_settings

        self._settings = load_settings(settings) if isinstance(settings, str) else settings
        self._database = KeptDatabase(self._settings)
        self._reader = QueryReader(self._database)

    def ask(self, query: str, most: int) -> Table:
        """Carry out a query in ADQL."""
        from tides_bridge.portal.vo.votable import votable

        with self._reader.answer(self._reader.translated(query), most) as answer:
            content = b"".join(votable(answer))
        return table_of(content, "the database")

    def points(self, name: str) -> Table:
        """Give the points of the light curves of a target or an object."""
        from tides_bridge.portal.vo.points import points_answer
        from tides_bridge.portal.vo.votable import votable

        return table_of(b"".join(votable(points_answer(self._database, name))), "the database")

    def rule(self, name: str, ruling: Mapping[str, str]) -> None:
        """Decide something, as ``tides veto`` and its like do."""
        from tides_bridge.targets.rulings import Ruling, check_ruling, find_subjects, rule, time_of

        given: Any = {"kind": ruling["kind"], "reason": ruling["reason"], "who": ruling.get("author") or None}
        until = time_of(ruling["until"], "until") if ruling.get("until") else None
        decided = Ruling(**given, until=until, tag=ruling.get("tag") or None)
        check_ruling(decided, self._settings)
        with self._database.opened() as database:
            with database.transaction() as connection:
                subjects = find_subjects(connection, self._settings, [name])
            rule(database, self._settings, decided, subjects)


def table_of(content: bytes, asked: str) -> Table:
    """
    Read an answer.

    Parameters
    ----------
    content
        A VOTable.
    asked
        Who gave it, for messages.

    Raises
    ------
    RejectedError
        With what it says is wrong.

    Warns
    -----
    UserWarning
        If there are more rows than these.
    """
    found = parse(io.BytesIO(content), verify="ignore")
    for info in (info for resource in found.resources for info in resource.infos if info.name == "QUERY_STATUS"):
        if info.value == "ERROR":
            raise RejectedError(asked, (info.content or "refused").removeprefix("query: "))
        if info.value == "OVERFLOW":
            warnings.warn("there are more rows than these: ask for more (most=), or for less", stacklevel=4)
    return found.get_first_table().to_table(use_names_over_ids=True)
