"""What people are told of targets, made and managed in a page: as `tides subscribe` and `subscriptions` have it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import SecretStr

from tides_bridge.database import Database
from tides_bridge.errors import RejectedError, SettingsError
from tides_bridge.operations.notices import deliver_test
from tides_bridge.operations.subscriptions import (
    KINDS,
    Wish,
    add_subscription,
    address_named,
    change_subscription,
    is_muted,
    list_subscriptions,
    remove_subscription,
)
from tides_bridge.portal.access import FORM_COOKIE, account_of, forged, form_of, keep_cookie, token_of, who_may
from tides_bridge.portal.shown import ASKING, Portal
from tides_bridge.targets.rulings import time_of

Form = Annotated[dict[str, str], Depends(form_of)]

TIMES: Final[Mapping[str, str]] = {
    "once": "at once",
    "digest": "once a day, after the night",
    "report": "the report of each night, also if nothing has happened",
}

EMPTY: Final = {"name": "", "where": "", "when": "once"}
"""The form as nobody has filled it in."""

DEEDS: Final = ("test", "pause", "mute", "resume", "remove")
"""What can be done with a subscription."""


def router_of(portal: Portal) -> APIRouter:
    """Answer ``/subscriptions`` and its forms. Like who rules, who subscribes is a ruler: it makes the bridge send."""
    router = APIRouter()

    @router.api_route("/subscriptions", methods=ASKING)
    def subscriptions(request: Request) -> Response:
        """List who is told of what."""
        return _show(portal, request)

    @router.post("/subscriptions")
    def subscribe(request: Request, form: Form) -> Response:
        """Make a subscription, or do something with one."""
        if refusal := forged(request, form) or who_may(portal.settings, request, "ruler"):
            return _show(portal, request, form, refusal, 403)
        try:
            with portal.database.opened() as database:
                words = _done(portal, request, database, form)
        except (SettingsError, RejectedError) as error:
            return _show(portal, request, form, str(error), 422)
        return _show(portal, request, {}, words) if words else RedirectResponse("subscriptions", 303)

    return router


def _done(portal: Portal, request: Request, database: Database, form: Mapping[str, str]) -> str:
    """Do what a form asks for; gives what is to be said of it."""
    name, deed = form.get("name", "").strip(), form.get("deed", "")
    if deed == "subscribe":
        when = form.get("when", "once")
        kinds = [kind for kind in KINDS if f"on-{kind}" in form]
        conditions = [line.strip() for line in form.get("where", "").splitlines() if line.strip()]
        wish = Wish(name, kinds, conditions, when == "digest", when == "report")
        if (account := account_of(request)) is not None:
            wish = replace(wish, who=account.name)
        add_subscription(database, portal.settings, wish, SecretStr(form.get("address", "").strip()))
        return ""
    if deed not in DEEDS:
        raise SettingsError("deed", deed[:40], f"choose one of {', '.join(DEEDS)}")
    _check_owner(database, request, name)
    if deed == "test":
        deliver_test(name, address_named(database, name))
        return f"{name}: a message was sent"
    if deed == "remove":
        remove_subscription(database, name)
    else:
        until = time_of(form.get("until", ""), "until") if deed == "mute" else None
        change_subscription(database, name, muted_until=until, is_paused=deed == "pause")
    return ""


def _check_owner(database: Database, request: Request, name: str) -> None:
    """Refuse to change what somebody else subscribed, unless an operator does it."""
    account = account_of(request)
    with database.transaction() as connection:
        rows = list_subscriptions(connection, name)
    if account is not None and rows and rows[0]["who"] != account.name and not account.may("operator"):
        raise RejectedError(name, f"is a subscription of {rows[0]['who']}: they or an operator change it")


def _show(
    portal: Portal, request: Request, typed: Mapping[str, str] | None = None, words: str = "", status: int = 200
) -> Response:
    """Show the list, and the form with what was typed: never an address."""
    refusal = who_may(portal.settings, request, "ruler")
    with portal.database.opened() as database, database.transaction() as connection:
        rows = [row | {"is_muted": is_muted(row, portal.settings.time())} for row in list_subscriptions(connection)]
    about: dict[str, Any] = {
        "rows": rows,
        "typed": EMPTY | dict(typed or {}),
        "kinds": KINDS,
        "times": TIMES,
        "words": words,
    }
    secret = token_of(request)
    page = portal.show(request, "subscriptions.html", status, **about, refusal=refusal, token=secret)
    keep_cookie(page, request, FORM_COOKIE, secret)
    return page
