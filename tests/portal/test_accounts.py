"""Accounts: nobody may more than their role, tokens are worth nothing once revoked, and nothing of them is kept."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from tests.support.databases import rows_of
from tests.support.portal_client import PortalClient
from tests.support.spectra import add_ingested
from tests.support.typed import at_database, page_of
from tides_bridge.database import Database
from tides_bridge.errors import RejectedError, SettingsError
from tides_bridge.operations.accounts import add_account, list_accounts, revoke_account, whose_key
from tides_bridge.portal.api.answers import PROBLEM
from tides_bridge.settings import Settings

ORIGIN = {"origin": "http://127.0.0.1:4280"}
CLASS = {"classes": [{"name": "aaa", "type": "SN"}]}


def portal(settings: Settings, **page: Any) -> PortalClient:
    return PortalClient(settings.model_copy(update={"page": settings.page.model_copy(update=page)}))


@pytest.fixture(params=["all", "rulings"])
def client(request: pytest.FixtureRequest, database: Database, settings: Settings) -> Iterator[PortalClient]:
    add_ingested(database)
    client = portal(settings, login=request.param)
    yield client
    client.kept.close()


def as_header(cookies: dict[str, str]) -> dict[str, str]:
    return {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


def status(client: PortalClient, path: str, token: str | None = None, **request: Any) -> int:
    headers = request.pop("headers", {}) | ({"authorization": f"Bearer {token}"} if token else {})
    return client.get(path, headers=headers, **request).status_code


def test_each_role_may_what_it_may(client: PortalClient, database: Database) -> None:
    tokens = {role: add_account(database, f"a-{role}", role) for role in ("reader", "ruler", "operator")}
    tokens |= {"nobody": "tides_x", "": ""}
    may = {
        role: [
            status(client, "targets/aaa", token),
            status(client, "api/v1/classes", token, method="POST", json=CLASS),
            status(client, "access", token),
        ]
        for role, token in tokens.items()
    }
    is_all = status(client, "targets/aaa") == 303
    outside = [303, 401, 303] if is_all else [200, 403, 403]
    assert may == {
        "reader": [200, 403, 403], "ruler": [200, 200, 403], "operator": [200, 200, 200],
        "nobody": outside, "": outside,
    }  # fmt: skip
    sent = rows_of(database, "SELECT DISTINCT came_from FROM classification ORDER BY 1")
    assert [row["came_from"] for row in sent] == ["the API, a-ruler"]  # what an operator sent again was known
    seen = client.get("targets/aaa", headers={"authorization": f"Bearer {tokens['reader']}"})
    assert seen.headers["cache-control"] == "no-store"
    assert "cache-control" not in client.get("static/portal.css").headers
    assert status(client, "static/portal.css") == status(client, "login") == 200
    assert status(client, "api/v1/targets") == (401 if is_all else 200)


def log_in_over_tls(client: PortalClient, token: str) -> httpx.Response:
    """Log in through a proxy that does not say that it took TLS."""
    headers = {"origin": "https://127.0.0.1:4280", "cookie": "tides_form=x"}
    return client.get("login", "POST", data={"token": "x", "key": token}, headers=headers)


def test_a_database_that_is_away_is_a_problem_to_programs(settings: Settings) -> None:
    client = portal(settings.model_copy(update={"tides_db_database": "nowhere"}), login="all")
    answer = client.get("api/v1/targets", headers={"authorization": "Bearer tides_x"})
    assert (answer.status_code, answer.headers["content-type"]) == (503, PROBLEM)
    assert status(client, "targets", "tides_x") == 503
    probed = client.get("health")  # by what restarts it, which has no account
    assert (probed.status_code, probed.text) == (503, "the database cannot be asked now\n")


def test_a_browser_logs_in_rules_in_its_own_name_and_logs_out(client: PortalClient, database: Database) -> None:
    token = add_account(database, "eva", "ruler")
    page = client.get("login")
    cookies = dict(page.cookies)
    secret = re.findall(r'name="token" value="([^"]+)"', page.text)[0]

    def sent(path: str, origin: dict[str, str] = ORIGIN, **form: str) -> httpx.Response:
        return client.get(path, "POST", data={"token": secret} | form, headers=origin | as_header(cookies))

    assert sent("login", key="tides_x").status_code == 403
    assert sent("login", {"origin": "https://evil.example.org"}, key=token).status_code == 403
    done = sent("login", key=token)
    assert done.status_code == 303
    assert re.search(r"tides_visit=\S+; HttpOnly; Max-Age=43200; Path=/; SameSite=strict", done.headers["set-cookie"])
    assert "Secure" in log_in_over_tls(client, token).headers["set-cookie"]
    before = dict(cookies)
    cookies |= dict(done.cookies)
    ruling = {"kind": "comment", "reason": "so", "author": "ole"}
    assert sent("targets/aaa/rulings", **ruling).status_code == 303
    assert rows_of(database, "SELECT who, reason FROM ruling") == [{"who": "eva", "reason": "so"}]
    assert sent("logout").status_code == 303
    assert (
        client.get("targets/aaa/rulings", "POST", data=ruling, headers=ORIGIN | as_header(cookies)).status_code != 303
    )
    cookies = before
    assert sent("targets/aaa/rulings", **ruling).status_code in (401, 403)
    assert len(rows_of(database, "SELECT who FROM ruling")) == 1


def test_a_revoked_account_is_worth_nothing_and_only_hashes_are_kept(database: Database) -> None:
    token, other = add_account(database, "eva", "ruler"), add_account(database, "ole", "reader")
    assert token != other and len(token) > 40
    with pytest.raises(RejectedError, match="has an account already"):
        add_account(database, "eva", "reader")
    kept = str(rows_of(database, "SELECT encode(hash, 'escape') AS hash, * FROM account_key")) + str(
        list_accounts(database)
    )
    assert token not in kept and token.removeprefix("tides_") not in kept
    assert whose_key(database, token) == ("eva", "ruler")
    revoke_account(database, "eva")
    assert whose_key(database, token) is None and whose_key(database, other) == ("ole", "reader")
    with pytest.raises(RejectedError, match="has no account"):
        revoke_account(database, "eva")
    again = add_account(database, "eva", "reader")
    assert whose_key(database, token) is None and whose_key(database, again) == ("eva", "reader")
    assert [(row["name"], row["revoked_at"] is None) for row in list_accounts(database)] == [
        ("eva", True), ("ole", True), ("eva", False),
    ]  # fmt: skip
    for name, role in (("", "reader"), ("a b", "reader"), ("a", "king")):
        with pytest.raises(SettingsError):
            add_account(database, name, role)


def test_a_proxy_is_believed_on_this_machine_only(database: Database, settings: Settings) -> None:
    add_account(database, "eva", "operator")
    for page, expected in (
        ({"proxy_header": "X-Remote-User"}, 200),
        ({"proxy_header": "X-Remote-User", "host": "10.0.0.7"}, 303),
        ({}, 303),
    ):
        client = portal(settings, login="all", **page)
        client.app = ProxyHeadersMiddleware(client.app)  # as the server has it
        for others in ({}, {"X-Forwarded-For": "203.0.113.9"}):
            assert status(client, "access", headers={"X-Remote-User": "eva"} | others) == expected, page
        assert status(client, "access", headers={"X-Remote-User": "ole"}) == 303
        assert status(client, "access", "tides_x", headers={"X-Remote-User": "eva"}) == 303
        client.kept.close()


def test_commands(database: Database, settings: Settings, tmp_path: Path) -> None:
    typed = at_database(settings, tmp_path)
    assert page_of(typed("access", "list")) == ["no accounts"]
    done = typed("access", "add", "eva", "--role", "ruler")
    assert done.exit_code == 0 and whose_key(database, done.stdout.strip()) == ("eva", "ruler")
    assert [line.split()[:2] for line in page_of(typed("access", "list"))] == [["eva", "ruler"]]
    assert page_of(typed("access", "revoke", "eva")) == ["eva has no access any more"]
    assert "ended" in typed("access", "list").stdout
    assert typed("access", "revoke", "eva").exit_code == 1 and typed("access", "add", "b", "--role", "x").exit_code == 2


def test_one_who_asks_too_often_keeps_nobody_else_waiting(database: Database, settings: Settings) -> None:
    shared = {"requests_per_minute": 3, "login": "rulings"}
    client, tokens = portal(settings, **shared), [add_account(database, name, "reader") for name in ("eva", "ole")]
    assert [status(client, "api/v1/targets", tokens[0]) for _ in range(5)] == [200, 200, 200, 429, 429]
    refused = client.get("targets", headers={"authorization": f"Bearer {tokens[0]}"})
    assert refused.status_code == 429 and 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["content-type"] == PROBLEM and "ask again in" in refused.json()["detail"]
    assert [status(client, "targets", token) for token in (tokens[1], None)] == [200, 200]
    assert [status(client, "static/portal.css", tokens[0]) for _ in range(9)] == [200] * 9
    alone = portal(settings, requests_per_minute=3)
    assert [status(alone, "targets") for _ in range(5)] == [200] * 5
    for page in (client, alone):
        page.kept.close()
