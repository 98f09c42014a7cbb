"""Subscriptions in the portal: as by the commands, each by whom it belongs to, and no address is ever shown."""

from typing import Any

import httpx
import pytest

from tests.support.databases import rows_of
from tests.support.visitor import Visitor
from tides_bridge.database import Database
from tides_bridge.operations.accounts import add_account
from tides_bridge.settings import Settings

ADDRESS = "jsons://eva:hidden@example.org/told"  # pragma: allowlist secret
KEPT = "SELECT name, who, kinds, conditions, is_digest, is_report, is_paused, scheme FROM subscription ORDER BY name"


class Person(Visitor):
    """Somebody with a browser, who logs in where there is a token."""

    def __init__(self, settings: Settings, token: str = "") -> None:
        super().__init__(settings)
        if token:
            self.post("login", {"token": self.token("login"), "key": token})
        self.page = self.get("subscriptions")

    def sends(self, **form: str) -> httpx.Response:
        return self.post("subscriptions", {"token": self.cookies["tides_form"]} | form)

    def subscribes(self, name: str, **form: str) -> httpx.Response:
        return self.sends(deed="subscribe", name=name, address=ADDRESS, **form)


@pytest.fixture
def people(database: Database, settings: Settings) -> dict[str, Person]:
    strict = settings.model_copy(update={"page": settings.page.model_copy(update={"login": "all"})})
    roles = {"eva": "ruler", "ole": "ruler", "ida": "operator", "tom": "reader"}
    return {name: Person(strict, add_account(database, name, role)) for name, role in roles.items()}


@pytest.fixture
def somebody(database: Database, settings: Settings) -> Person:
    return Person(settings)


def paused(database: Database) -> dict[str, Any]:
    return {row["name"]: row["is_paused"] for row in rows_of(database, KEPT)}


def test_somebody_subscribes_twice_and_manages_one(somebody: Person, database: Database) -> None:
    assert "Nobody is told of anything yet" in somebody.page.text
    where = {"where": "class=SN\r\n\r\nsky=150,2,3600\r\n", "on-new": "on", "on-off": "on"}
    assert somebody.subscribes("young", **where).status_code == 303
    assert somebody.subscribes("operators", when="report").status_code == 303
    young, operators = rows_of(database, KEPT)[::-1]
    assert (young["kinds"], young["conditions"]) == (["new", "off"], ["class=SN", "sky=150,2,3600"])
    assert (young["is_digest"], young["is_report"], young["scheme"]) == (False, False, "jsons")
    assert (operators["is_digest"], operators["is_report"], operators["conditions"]) == (True, True, [])
    assert operators["kinds"] == ["new", "changed", "off", "refused"]
    assert somebody.sends(deed="pause", name="young").status_code == 303
    assert paused(database) == {"young": True, "operators": False}
    assert somebody.sends(deed="resume", name="young").status_code == 303
    assert somebody.sends(deed="mute", name="operators", until="2199-01-01").status_code == 303
    page = somebody.get("subscriptions").text
    assert page.count("muted until 2199-01-01") == 1 and "switched off" in page and "class=SN" in page
    assert somebody.sends(deed="remove", name="young").status_code == 303
    assert paused(database) == {"operators": False}
    assert rows_of(database, "SELECT count(*) AS n FROM subscription_address") == [{"n": 1}]


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ({"deed": "subscribe", "name": "two words", "on-new": "on", "address": ADDRESS}, "one word"),
        ({"deed": "subscribe", "name": "a", "address": ADDRESS}, "say what is to be told"),
        ({"deed": "subscribe", "name": "a", "on-new": "on", "address": "hidden"}, "no address of Apprise"),
        ({"deed": "subscribe", "name": "a", "on-new": "on", "address": ADDRESS, "where": "colour=red"}, "colour"),
        ({"deed": "pause", "name": "nobody"}, "is no subscription"), ({"deed": "burn", "name": "a"}, "choose one of"),
        ({"deed": "mute", "name": "nobody", "until": "soon"}, "until"), ({"deed": "test", "name": "no"}, "is no sub"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_changes_nothing(
    somebody: Person, database: Database, form: dict[str, str], word: str
) -> None:
    answer = somebody.sends(**form)
    assert answer.status_code == 422 and word in answer.text
    assert f'value="{form["name"]}"' in answer.text  # what was typed stands there, but for the address
    assert "hidden" not in answer.text.replace('type="hidden"', "")
    assert rows_of(database, KEPT) == []


def test_a_name_is_taken_once(somebody: Person, database: Database) -> None:
    assert somebody.subscribes("young", **{"on-new": "on"}).status_code == 303
    answer = somebody.subscribes("young", **{"on-off": "on"})
    assert answer.status_code == 422 and "is a subscription already" in answer.text
    assert rows_of(database, KEPT)[0]["kinds"] == ["new"]
    assert "hidden@" not in answer.text and "hidden@" not in somebody.get("subscriptions").text


def test_only_its_owner_and_operators_change_one(people: dict[str, Person], database: Database) -> None:
    assert people["tom"].page.status_code == 200 and "this takes a ruler" in people["tom"].page.text
    assert people["tom"].subscribes("mine", **{"on-new": "on"}).status_code == 403
    assert people["eva"].subscribes("evas", **{"on-new": "on"}).status_code == 303
    assert people["ole"].subscribes("oles", **{"on-tag": "on"}).status_code == 303
    assert [(row["name"], row["who"]) for row in rows_of(database, KEPT)] == [("evas", "eva"), ("oles", "ole")]
    for deed in ("pause", "remove", "test"):
        refused = people["ole"].sends(deed=deed, name="evas")
        assert refused.status_code == 422 and "is a subscription of eva" in refused.text
    assert people["tom"].sends(deed="pause", name="evas").status_code == 403
    assert paused(database) == {"evas": False, "oles": False}
    assert people["ida"].sends(deed="pause", name="evas").status_code == 303
    assert people["ole"].sends(deed="pause", name="oles").status_code == 303
    assert paused(database) == {"evas": True, "oles": True}


def test_a_page_of_somebody_else_cannot_subscribe(somebody: Person, database: Database) -> None:
    data = {"deed": "subscribe", "name": "a", "on-new": "on", "address": ADDRESS, "token": "guessed"}
    own = data | {"token": somebody.cookies["tides_form"]}
    assert somebody.post("subscriptions", own, Origin="https://evil.example.org").status_code == 403
    assert somebody.post("subscriptions", data).status_code == 403
    assert rows_of(database, KEPT) == []


def test_a_test_tells_whether_it_arrived(somebody: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    assert somebody.subscribes("young", **{"on-new": "on"}).status_code == 303
    outcomes = iter(["sent", "failed"])
    monkeypatch.setattr("tides_bridge.operations.notices.deliver", lambda *_: next(outcomes))
    arrived, failed = somebody.sends(deed="test", name="young"), somebody.sends(deed="test", name="young")
    assert arrived.status_code == 200 and "young: a message was sent" in arrived.text
    assert failed.status_code == 422 and "could not be told" in failed.text
