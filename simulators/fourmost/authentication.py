"""Basic and token authentication against the accounts of the state. Basic is asked first, so it wins."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from rest_framework.authentication import BasicAuthentication, TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

from simulators.fourmost.models import Account

BAD_PASSWORD = "Invalid username/password."  # noqa: S105 (a message)


def find_account(username: str, password: str) -> Account | None:
    """Find the account that these belong to."""
    account: Account | None = Account.objects.filter(username=username, password=password).first()
    return account


class Basic(BasicAuthentication):
    """User and password."""

    www_authenticate_realm = "4MOST stand-in"

    def authenticate_credentials(self, userid: str, password: str, request: Any = None) -> tuple[Account, None]:
        """Find the account or refuse."""
        if account := find_account(userid, password):
            return account, None
        raise AuthenticationFailed(BAD_PASSWORD)


class TokenHeader(TokenAuthentication):
    """``Authorization: Token <token>``."""

    def authenticate_credentials(self, key: str) -> tuple[Account, None]:
        """Find the account or refuse."""
        if account := Account.objects.filter(token=key).first():
            return account, None
        raise AuthenticationFailed("Invalid token.")


def prefer_basic(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """
    Make Django middleware that keeps one Authorization header of several.

    The server joins them with a comma; the Basic one stays if there is one.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        headers = request.META.get("HTTP_AUTHORIZATION", "").split(",")
        if len(headers) > 1:
            request.META["HTTP_AUTHORIZATION"] = min(map(str.strip, headers), key=lambda h: h[:6].lower() != "basic ")
        return get_response(request)

    return answer
