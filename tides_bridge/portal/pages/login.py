"""Log in with a token, log out, and who has access."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from tides_bridge.operations.accounts import VISIT_HOURS, begin_visit, end_visit, list_accounts
from tides_bridge.portal.access import (
    FORM_COOKIE,
    VISIT_COOKIE,
    account_of,
    forged,
    form_of,
    keep_cookie,
    token_of,
    who_may,
)
from tides_bridge.portal.shown import ASKING, Portal

Form = Annotated[dict[str, str], Depends(form_of)]

NOBODY: Final = "This token is nobody's: it was mistyped, or its account has ended."


def router_of(portal: Portal) -> APIRouter:
    """Answer ``/login``, ``/logout`` and ``/access``."""
    router = APIRouter()

    @router.api_route("/login", methods=ASKING)
    def login(request: Request) -> Response:
        """Ask for a token."""
        return _show_login(portal, request)

    @router.post("/login")
    def log_in(request: Request, form: Form) -> Response:
        """Begin a visit."""
        if problem := forged(request, form):
            return _show_login(portal, request, problem, 403)
        with portal.database.opened() as database:
            key = begin_visit(database, form.get("key", "").strip())
        if key is None:
            return _show_login(portal, request, NOBODY, 403)
        answer = RedirectResponse("./", 303)
        keep_cookie(answer, request, VISIT_COOKIE, key, VISIT_HOURS * 3600)
        return answer

    @router.post("/logout")
    def log_out(request: Request, form: Form) -> Response:
        """End a visit."""
        if problem := forged(request, form):
            return _show_login(portal, request, problem, 403)
        with portal.database.opened() as database:
            end_visit(database, request.cookies.get(VISIT_COOKIE, ""))
        answer = RedirectResponse("login", 303)
        answer.delete_cookie(VISIT_COOKIE, path="/")
        return answer

    @router.api_route("/access", methods=ASKING)
    def access(request: Request) -> Response:
        """Show who has access, to whoever may change that."""
        if problem := who_may(portal.settings, request, "operator"):
            return portal.show(request, "problem.html", 403, title="Not shown", problem=problem)
        with portal.database.opened() as database:
            accounts = list_accounts(database)
        return portal.show(request, "access.html", accounts=accounts, login=portal.settings.page.login)

    return router


def _show_login(portal: Portal, request: Request, problem: str = "", status: int = 200) -> Response:
    secret, account = token_of(request), account_of(request)
    page = portal.show(request, "login.html", status, token=secret, problem=problem, account=account)
    keep_cookie(page, request, FORM_COOKIE, secret)
    return page
