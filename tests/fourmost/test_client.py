"""The client against the stand-in, and against a service that answers as it should not."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from simulators.fourmost.process import FourmostStandin
from tides_bridge.errors import FourmostRejected, FourmostUnavailable
from tides_bridge.fourmost import FourmostClient
from tides_bridge.settings import FourmostSettings


@pytest.fixture(scope="module", params=["plain", "paginate"])
def fourmost(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FourmostStandin]:
    state = tmp_path_factory.mktemp("fourmost") / "state.sqlite3"
    with FourmostStandin(f"--{request.param}", "--ingest-at", "off", state=state) as standin:
        yield standin


def client_of(address: str, token: str = "token") -> FourmostClient:
    return FourmostClient(FourmostSettings(address=address, token=token, timeout="2 s"))


@pytest.fixture
def client(fourmost: FourmostStandin) -> FourmostClient:
    return client_of(fourmost.address, fourmost.token)


def target(name: str, **changes: Any) -> dict[str, Any]:
    row = {"uploadedfor_survey_id": 5, "name": name, "ra": 10.0, "dec": -20.0, "mag": 20.5, "is_active": True}
    return row | {"mag_type": "LSST_r_AB", "date_earliest": 2461000.7635764} | changes


def test_rows_come_back_in_the_order_they_were_sent(client: FourmostClient) -> None:
    names = [f"order-{number}" for number in (3, 1, 2)]
    rows = client.create([target(name) for name in names])
    assert [row["name"] for row in rows] == names
    assert [row["id"] for name in names for row in client.rows(name=name)] == [row["id"] for row in rows]


def test_a_julian_date_comes_back_exactly(client: FourmostClient) -> None:
    client.create([target("date")])
    assert client.rows(name="date")[0]["date_earliest"] == 2461000.7635764


def test_all_pages_of_a_list_are_read(client: FourmostClient, request: pytest.FixtureRequest) -> None:
    client.create([target(f"many-{number}") for number in range(150)])
    is_paged = "paginate" in request.node.name
    assert len(client.rows(name__startswith="many-", **({"limit": 40} if is_paged else {}))) == 150


def test_a_change_is_made(client: FourmostClient) -> None:
    (row,) = client.create([target("change")])
    client.update(row["id"], "change", {"mag": 21.0, "is_active": False})
    (changed,) = client.rows(name="change")
    assert (changed["mag"], changed["is_active"]) == (21.0, False)


def test_one_bad_row_refuses_the_call_with_its_reason(client: FourmostClient) -> None:
    with pytest.raises(FourmostRejected, match="dec"):
        client.create([target("good"), target("bad", dec=41.0)])
    assert client.rows(name="good") == []


def test_after_ingestion_only_the_flag_changes(client: FourmostClient, fourmost: FourmostStandin) -> None:
    (row,) = client.create([target("ingested")])
    fourmost.ingest()
    with pytest.raises(FourmostRejected, match="mag"):
        client.update(row["id"], "ingested", {"mag": 21.0})
    client.update(row["id"], "ingested", {"is_active": False})
    (after,) = client.rows(name="ingested")
    assert (after["mag"], after["is_active"]) == (20.5, False)
    assert after["ostd_u_obj_id"] > 0


def test_a_row_that_is_not_there(client: FourmostClient) -> None:
    with pytest.raises(FourmostRejected, match="lost"):
        client.update(999999, "lost", {"mag": 21.0})


def test_a_wrong_token(fourmost: FourmostStandin) -> None:
    with pytest.raises(FourmostUnavailable, match="TIDES_FOURMOST__TOKEN") as told:
        client_of(fourmost.address, "wrong-token").try_out()
    assert "wrong-token" not in str(told.value)


ANSWERS = {
    "err with 200": (200, b'{"err": "dec is out of range"}', FourmostRejected, "dec is out of range"),
    "HTML": (200, b"<html>maintenance</html>", FourmostUnavailable, "without JSON"),
    "a row missing": (200, b'[{"name": "one", "id": 1}]', FourmostUnavailable, "without the rows of two"),
    "no ids": (200, b'[{"name": "one"}, {"name": "two"}]', FourmostUnavailable, "without the rows of one, two"),
    "busy": (503, b"", FourmostUnavailable, "answered 503"),
    "too many": (429, b'{"err": "slow down"}', FourmostUnavailable, "answered 429: slow down"),
    "broken": (500, b"oops", FourmostUnavailable, "answered 500"),
    "refused": (400, b"no", FourmostRejected, "400 no"),
    "elsewhere": (404, b"<html>", FourmostUnavailable, "is fourmost.address right"),
    "created": (201, b'[{"name": "one", "id": 1}, {"name": "two", "id": 2}]', None, ""),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_every_answer_to_a_creation_is_understood(answer: str) -> None:
    status, body, error, said = ANSWERS[answer]
    with served(status, body) as (address, calls):
        if error is None:
            assert [row["id"] for row in client_of(address).create([target("one"), target("two")])] == [1, 2]
        else:
            with pytest.raises(error, match=said):
                client_of(address).create([target("one"), target("two")])
    assert calls == ["POST"], "a creation is never repeated blindly"


def test_a_change_may_be_answered_with_nothing() -> None:
    with served(204, b"") as (address, calls):
        client_of(address).update(1, "one", {"mag": 20.0})
    assert calls == ["PATCH"]


def test_a_question_is_asked_again_when_the_service_is_busy() -> None:
    with served(503, b"") as (address, calls), pytest.raises(FourmostUnavailable):
        client_of(address).rows()
    assert calls == ["GET"] * 4


class served:
    """A service with one answer to everything."""

    def __init__(self, status: int, body: bytes) -> None:
        calls: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                calls.append(self.command)
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PATCH = answer

            def log_message(self, *_: object) -> None: ...

        self.calls = calls
        self.server = HTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> tuple[str, list[str]]:
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}", self.calls

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join(5)
        self.server.server_close()
