"""
Who may do what in the portal, and whether a form was sent by a page of ours.

A change is a POST from a page of this portal: the browser says from where it comes (``Origin``), and the form has the
secret that is in a cookie, which a page of somebody else can neither read nor guess.
"""

import hmac
import ipaddress
import secrets
from typing import Final
from urllib.parse import parse_qs, urlsplit

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from tides_bridge.console import is_storable
from tides_bridge.operations.accounts import PortalAccount, Role
from tides_bridge.portal.guard import is_number
from tides_bridge.settings import Settings, page_address

FORM_COOKIE: Final = "tides_form"
AUTHOR_COOKIE: Final = "tides_author"
"""Who last decided something in this browser, to be typed only once."""

VISIT_COOKIE: Final = "tides_visit"
"""By which a browser is known that has shown a token."""

AUTHOR_SECONDS: Final = 365 * 86400

LARGEST_FORM: Final = 20_000
"""[bytes] Of a form; a reason is a few lines."""


def who_may(settings: Settings, request: Request, role: Role) -> str | None:
    """
    Tell why whoever asks may not do what a role may; None if they may.

    Where ``page.login`` asks for no account all may read. A page that is reached on its own machine only lets whoever
    is there rule, as the commands of a shell do; one that others reach does not, as nobody knows who they are.

    Parameters
    ----------
    settings
        Where the page listens, and how people reach it.
    request
        Which was made.
    role
        That it takes.
    """
    if settings.page.login != "none":
        return _why_not(account_of(request), role, role == "reader" and settings.page.login == "rulings")
    if role == "reader" or is_local(settings):
        return None
    return (
        "Nobody may change anything here: this page is reached from other machines, and there are no accounts. Either "
        "type the command in a shell (tides veto, hold, force, comment, tag, release), or let the page listen on "
        "127.0.0.1 without page.address, and reach it through ssh -L."
    )


def account_of(request: Request) -> PortalAccount | None:
    """Give the account that asks; None: nobody is known, or no account is asked for."""
    account: PortalAccount | None = request.scope.get("account")
    return account


def _why_not(account: PortalAccount | None, role: Role, is_open: bool) -> str | None:
    if is_open or (account is not None and account.may(role)):
        return None
    if account is None:
        return "Log in first, at /login: this takes an account."
    return f"{account.name} is a {account.role}: this takes a {role} (tides access)."


def is_local(settings: Settings) -> bool:
    """
    Tell whether the page is reached on its own machine only.

    >>> common = {"topic": "t", "groupID": 1, "selectFunction": "f"}
    >>> is_local(Settings(**common)), is_local(Settings(**common, page={"host": "10.0.0.7"}))
    (True, False)
    """
    reached = urlsplit(page_address(settings)).hostname or ""
    return all(is_loopback(host) for host in (settings.page.host.lower(), reached))


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, as only itself reaches it."""
    return host == "localhost" or (is_number(host) and ipaddress.ip_address(host).is_loopback)


async def form_of(request: Request) -> dict[str, str]:
    """
    Read the fields of a form, each once.

    Parameters
    ----------
    request
        A POST with a form as HTML sends it (``application/x-www-form-urlencoded``).

    Raises
    ------
    HTTPException
        400 of a letter that no text can hold, 413 of a larger one than `LARGEST_FORM`, 415 of another kind.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise HTTPException(415, "not a form")
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > LARGEST_FORM:
            raise HTTPException(413, f"a form may have {LARGEST_FORM} bytes at most")
    fields = parse_qs(content.decode("utf-8", "replace"), keep_blank_values=True)
    if not all(is_storable(values[0]) for values in fields.values()):
        raise HTTPException(400, "a field has a letter that no text can hold")
    return {name: values[0] for name, values in fields.items()}


def token_of(request: Request) -> str:
    """Give the secret for the forms of a browser: that of its cookie, or a new one, for `keep_cookie`."""
    return request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(32)


def keep_cookie(response: Response, request: Request, name: str, value: str, seconds: int | None = None) -> None:
    """
    Let a browser keep something that only our own pages are given back.

    Parameters
    ----------
    response
        Which tells it.
    request
        Of which it is the answer: over TLS it is given back over TLS only.
    name, value
        Of the cookie; the value in ASCII.
    seconds
        How long; None: until the browser is closed.
    """
    # A proxy with TLS need not say that it is one; a browser that sends a form does.
    is_secure = request.url.scheme == "https" or request.headers.get("origin", "").startswith("https:")
    response.set_cookie(name, value, max_age=seconds, path="/", secure=is_secure, httponly=True, samesite="strict")


def forged(request: Request, form: dict[str, str]) -> str | None:
    """
    Tell why a form cannot be believed to come from a page of ours; None if it does.

    Parameters
    ----------
    request
        The POST.
    form
        Its fields: ``token`` is that of the page.
    """
    if request.headers.get("origin", "").partition("://")[2] != request.headers["host"]:
        return "This form was not sent by a page of this portal: open the page here, and send it from there."
    kept, given = request.cookies.get(FORM_COOKIE, ""), form.get("token", "")
    if not kept or not hmac.compare_digest(kept.encode(), given.encode()):
        return "This form is of an older visit, or cookies are off: load the page again, and send it once more."
    return None
