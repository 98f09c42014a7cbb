"""The client against the stand-in, and against a service that answers as it should not."""

import json
import threading
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from simulators.fourmost.process import FourmostStandin
from tides_bridge.errors import FourmostRejected, FourmostUnavailable, RunOvertaken
from tides_bridge.fourmost import client as client_module
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.settings.sections import FourmostSettings


@pytest.fixture(scope="module", params=["plain", "paginate"])
def fourmost(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FourmostStandin]:
    state = tmp_path_factory.mktemp("fourmost") / "state.sqlite3"
    with FourmostStandin(f"--{request.param}", "--ingest-at", "off", state=state) as standin:
        yield standin


def client_of(address: str, token: str = "token", timeout: str = "2 s") -> FourmostClient:
    return FourmostClient(FourmostSettings(address=address, token=token, timeout=timeout))


@pytest.fixture
def client(fourmost: FourmostStandin) -> FourmostClient:
    return client_of(fourmost.address, fourmost.token)


class Clock:
    """Stands for the time of the client: to sleep is to turn it on."""

    def __init__(self) -> None:
        self.seconds, self.started = 0.0, 1_780_000_000.0

    def monotonic(self) -> float:
        return self.seconds

    def time(self) -> float:
        return self.started + self.seconds

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.seconds += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(client_module, "time", clock)
    return clock


def target(name: str, **changes: Any) -> dict[str, Any]:
    row = {"uploadedfor_survey_id": 5, "name": name, "ra": 10.0, "dec": -20.0, "mag": 20.5, "is_active": True}
    return row | {"mag_type": "LSST_r_AB", "date_earliest": 2461000.7635764} | changes


# As the service should be


def test_created_rows_come_back_by_name(client: FourmostClient) -> None:
    names = [f"order-{number}" for number in (3, 1, 2)]
    rows = client.create([target(name) for name in names])
    assert {name: row["name"] for name, row in rows.items()} == {name: name for name in names}
    assert [row["id"] for name in names for row in client.rows(name=name)] == [rows[name]["id"] for name in names]


def test_a_julian_date_comes_back_exactly(client: FourmostClient) -> None:
    client.create([target("date")])
    assert client.rows(name="date")[0]["date_earliest"] == 2461000.7635764


def test_all_pages_of_a_list_are_read(client: FourmostClient, request: pytest.FixtureRequest) -> None:
    client.create([target(f"many-{number}") for number in range(150)])
    is_paged = "paginate" in request.node.name
    assert len(client.rows(name__startswith="many-", **({"limit": 40} if is_paged else {}))) == 150


def test_a_change_is_made(client: FourmostClient) -> None:
    key = client.create([target("change")])["change"]["id"]
    client.update(key, "change", {"mag": 21.0, "is_active": False})
    changed = client.row(key)
    assert changed is not None and (changed["mag"], changed["is_active"]) == (21.0, False)


def test_one_bad_row_refuses_the_call_with_its_reason(client: FourmostClient) -> None:
    with pytest.raises(FourmostRejected, match="dec"):
        client.create([target("good"), target("bad", dec=41.0)])
    assert client.rows(name="good") == []


def test_after_ingestion_only_the_flag_changes(client: FourmostClient, fourmost: FourmostStandin) -> None:
    key = client.create([target("ingested")])["ingested"]["id"]
    fourmost.ingest()
    with pytest.raises(FourmostRejected, match="mag"):
        client.update(key, "ingested", {"mag": 21.0})
    client.update(key, "ingested", {"is_active": False})
    (after,) = client.rows(name="ingested")
    assert (after["mag"], after["is_active"]) == (20.5, False)
    assert after["ostd_u_obj_id"] > 0


def test_a_row_that_is_not_there(client: FourmostClient) -> None:
    assert client.row(999999) is None
    with pytest.raises(FourmostRejected, match="lost"):
        client.update(999999, "lost", {"mag": 21.0})


# The token


def test_a_wrong_token(fourmost: FourmostStandin) -> None:
    with pytest.raises(FourmostUnavailable, match="TIDES_FOURMOST__TOKEN") as told:
        client_of(fourmost.address, "wrong-token").try_out()
    assert "wrong-token" not in str(told.value)


@pytest.mark.parametrize("answer", [(401, b"{}"), (400, b"no"), (500, b"oops"), (200, b"<html>"), None])
def test_the_token_is_in_the_header_alone_and_in_no_error(answer: tuple[int, bytes] | None, clock: Clock) -> None:
    with served(*[] if answer is None else [answer]) as service:
        client = client_of(service.address, "very-secret")
        for call in (client.try_out, client.rows, lambda: client.create([target("one")])):
            with pytest.raises((FourmostRejected, FourmostUnavailable)) as told:
                call()
            error: BaseException | None = told.value
            while error:
                assert "very-secret" not in f"{error} {error!r}"
                error = error.__cause__
    for call in service.calls:
        assert call.headers.pop("Authorization") == "Token very-secret"
        assert "very-secret" not in f"{call.path} {call.headers} {call.body}"


def test_the_token_goes_to_no_other_address_that_a_page_names() -> None:
    first = {"count": 2, "next": "http://elsewhere.invalid/QFSwi/x/?limit=1&offset=1", "results": [target("one", id=1)]}
    second = {"count": 2, "next": None, "results": [target("two", id=2)]}
    with served((200, json.dumps(first).encode()), (200, json.dumps(second).encode())) as service:
        rows = client_of(service.address).rows(name="one")
    assert [row["name"] for row in rows] == ["one", "two"]
    assert [call.path for call in service.calls] == [
        "/targetCat/transients/?name=one",
        "/targetCat/transients/?limit=1&offset=1",
    ]


# As the service should not be


ANSWERS = {
    "err with 200": (200, b'{"err": "dec is out of range"}', FourmostRejected, "dec is out of range"),
    "HTML": (200, b"<html>maintenance</html>", FourmostUnavailable, "without JSON"),
    "busy": (503, b"", FourmostUnavailable, "answered 503"),
    "broken": (500, b"oops", FourmostUnavailable, "answered 500"),
    "refused": (400, b'["no"]', FourmostRejected, "400 .*no"),
    "refused by somebody between": (400, b"no", FourmostUnavailable, "answered 400 without JSON"),
    "elsewhere": (404, b"<html>", FourmostUnavailable, "is fourmost.address right"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_every_answer_to_a_creation_is_understood(answer: str, clock: Clock) -> None:
    status, body, error, said = ANSWERS[answer]
    with served((status, body)) as service, pytest.raises(error, match=said):
        client_of(service.address).create([target("one"), target("two")])
    assert service.methods == ["POST"], "a creation is never repeated blindly"


CREATED = {
    "both": (b'[{"name": "one", "id": 1}, {"name": "two", "id": 2}]', {"one": 1, "two": 2}),
    "in another order": (b'[{"name": "two", "id": 2}, {"name": "one", "id": 1}]', {"one": 1, "two": 2}),
    "a row missing": (b'[{"name": "one", "id": 1}]', {"one": 1}),
    "no ids": (b'[{"name": "one"}, {"name": "two"}]', {}),
    "no rows": (b"[null, 1]", {}),
    "one alone": (b'{"name": "one", "id": 1}', {"one": 1}),
}


@pytest.mark.parametrize("answer", CREATED)
def test_only_rows_with_a_key_count_as_created(answer: str) -> None:
    body, keys = CREATED[answer]
    with served((201, body)) as service:
        rows = client_of(service.address).create([target("one"), target("two")])
    assert {name: row["id"] for name, row in rows.items()} == keys


QUESTIONS = {
    "HTML": (200, b"<html>", "without JSON"),
    "no list": (200, b'{"count": 3}', "answered no list"),
    "a number": (200, b"3", "answered no list"),
    "err with 200": (200, b'{"err": "not today"}', "does not say: not today"),
    "refused": (400, b'{"err": "no such filter"}', "does not say: no such filter"),
    "elsewhere": (404, b'{"err": "no"}', "is fourmost.address right"),
    "no content": (204, b"", "answered no list"),
}


@pytest.mark.parametrize("answer", QUESTIONS)
def test_a_question_is_answered_or_the_service_is_away(answer: str) -> None:
    status, body, said = QUESTIONS[answer]
    with served((status, body)) as service, pytest.raises(FourmostUnavailable, match=said):
        client_of(service.address).rows(name="one")


def test_another_row_than_asked_for_is_no_answer() -> None:
    with served((200, b'{"id": 8, "name": "one"}')) as service, pytest.raises(FourmostUnavailable, match="another row"):
        client_of(service.address).row(7)


def test_a_change_may_be_answered_with_nothing() -> None:
    with served((204, b"")) as service:
        client_of(service.address).update(1, "one", {"mag": 20.0})
    assert service.methods == ["PATCH"]


# Answers that lie


UNFIT = {
    "null": (b'[{"id": null, "name": "one"}]', "0.id"),
    "negative": (b'[{"id": -3, "name": "one"}]', "0.id"),
    "text": (b'[{"id": 1, "name": "two"}, {"id": "2", "name": "one"}]', "1.id"),
    "a boolean": (b'[{"id": true, "name": "one"}]', "0.id"),
    "no number": (b'{"count": 1, "next": null, "results": [{"id": 1, "name": "one", "ra": NaN}]}', "results.0.ra"),
    "no date": (b'[{"id": 1, "name": "one", "date_ingested": "soon"}]', "0.date_ingested"),
    "no flag": (b'[{"id": 1, "name": "one", "is_active": "yes"}]', "0.is_active"),
    "no address": (b'{"results": [], "next": 3}', "next"),
    "no rows": (b'{"results": 3}', "is no list"),
    "deep": (b"[" * 100_000, "nested more than"),
    "a huge number": (b'[{"id": 1' + b"0" * 5000 + b"}]", "is not JSON"),
    "no text": (b'"\xff"', "is not JSON"),
}


@pytest.mark.parametrize("answer", UNFIT)
def test_an_answer_of_another_type_is_an_error_that_names_address_and_field(answer: str) -> None:
    body, field = UNFIT[answer]
    with served((200, body)) as service, pytest.raises(FourmostUnavailable) as told:
        client_of(service.address).rows()
    assert field in str(told.value) and service.address in str(told.value)


def page(rows: list[int], following: str | None, count: int = 4) -> tuple[int, bytes]:
    results = [target(f"T{key}", id=key) for key in rows]
    return 200, json.dumps({"count": count, "next": following, "results": results}).encode()


def test_a_row_on_two_pages_is_one() -> None:
    with served(page([1, 2], "x?offset=2"), page([2, 3], "x?offset=4"), page([3, 4], None)) as service:
        assert [row["id"] for row in client_of(service.address).rows()] == [1, 2, 3, 4]


def test_a_list_that_leaves_rows_out_is_not_taken_for_the_whole_one() -> None:
    for answers in ([page([], None, 1)], [page([1, 2], "x?offset=2"), page([2, 3], None)]):
        with served(*answers) as service, pytest.raises(FourmostUnavailable, match="left 1 out"):
            client_of(service.address).all_rows()
        with served(*answers) as service:
            assert len(client_of(service.address).rows()) == (3 if len(answers) > 1 else 0)


@pytest.mark.parametrize("following", [["x?offset=2"], ["x?offset=2", "x?offset=0"], [f"x?o={n}" for n in range(99)]])
def test_a_list_without_an_end_has_one(following: list[str]) -> None:
    answers = [page([1, 2], address) for address in following * 2]
    with served(*answers) as service, pytest.raises(FourmostUnavailable, match=r"next: (leads to|the list has no end)"):
        client_of(service.address).rows()
    assert len(service.calls) < 10


def test_an_answer_is_not_read_beyond_all_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "LONGEST_PAGE", 100_000)
    with served((200, b"[" + b" " * 200_000 + b"]")) as service, pytest.raises(FourmostUnavailable, match=r"0\.1 MB"):
        client_of(service.address).rows()


STRANGE = "dec:\x00 \x1b[31m41\ud800 \x9b2Jis\u202e too far north\r\n"


@pytest.mark.parametrize("error", [STRANGE, {"dec": [STRANGE]}, [[[[STRANGE]]]]])
def test_an_error_can_be_stored_logged_and_shown(error: Any) -> None:
    body = json.dumps({"err": error}).encode()
    with served((400, body)) as service, pytest.raises(FourmostRejected, match=r"41 2?Jis too far north") as told:
        client_of(service.address).create([target("one")])
    assert told.value.problem.isprintable() and "\x1b" not in str(told.value)


def test_an_error_of_megabytes_is_cut() -> None:
    body = json.dumps({"err": "\u00e9" * 3_000_000}).encode()
    with served((400, body)) as service, pytest.raises(FourmostRejected) as told:
        client_of(service.address).create([target("one")])
    assert 4000 < len(told.value.problem.encode()) <= 4096


# Redirects

WRITES = {
    "POST": lambda client: client.create([target("one")]),
    "PATCH": lambda client: client.update(7, "one", {"mag": 20.0}),
    "OPTIONS": lambda client: client.try_out(),
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", WRITES)
def test_a_redirect_is_not_followed_and_names_the_new_address(method: str, status: int) -> None:
    with served((200, b'{"id": 7, "name": "one"}')) as there:
        location = f"{there.address}/new/targetCat/transients/?x=secret"
        with served((status, b"", {"Location": location})) as here, pytest.raises(FourmostUnavailable) as told:
            WRITES[method](client_of(here.address))
    assert f"set fourmost.address: {there.address}/new)" in str(told.value) and "secret" not in str(told.value)
    assert (here.methods, there.methods) == ([method], [])


def test_a_question_is_followed_on_the_same_host_only() -> None:
    with served((301, b"", {"Location": "/elsewhere/?name=one"}), GOOD) as here:
        assert [row["name"] for row in client_of(here.address).rows(name="one")] == ["one"]
    assert [call.path for call in here.calls] == ["/targetCat/transients/?name=one", "/elsewhere/?name=one"]
    for location in (
        "http://elsewhere.invalid/",
        "http://[",
        "http://127.0.0.1:1/",
        "//user:pw@\x07elsewhere.invalid/",
    ):
        with (
            served((302, b"", {"Location": location})) as here,
            pytest.raises(FourmostUnavailable, match="moved") as told,
        ):
            client_of(here.address).rows()
        assert "pw" not in str(told.value) and len(here.calls) == 1
    with served((302, b"", {"Location": "/round"})) as here, pytest.raises(FourmostUnavailable, match="has moved to"):
        client_of(here.address).rows()
    assert len(here.calls) <= 5


# Another try


GOOD = (200, b'[{"name": "one", "id": 1}]')


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "PATCH", "POST"])
def test_all_but_a_creation_is_tried_again_and_that_only_if_it_was_surely_not_done(
    method: str, status: int, clock: Clock
) -> None:
    answers = {"PATCH": (200, b'{"name": "one", "id": 1}')}
    with served((status, b""), (status, b""), answers.get(method, GOOD)) as service:
        client = client_of(service.address)
        calls = {
            "GET": client.rows,
            "PATCH": lambda: client.update(1, "one", {}),
            "POST": lambda: client.create([target("one")]),
        }
        if method == "POST" and status != 429:
            with pytest.raises(FourmostUnavailable, match=f"answered {status}"):
                calls[method]()
        else:
            calls[method]()
    assert service.methods == ([method] if method == "POST" and status != 429 else [method] * 3)


def test_after_some_tries_the_service_is_away(clock: Clock) -> None:
    with served((503, b"")) as service, pytest.raises(FourmostUnavailable, match="answered 503"):
        client_of(service.address).rows()
    assert (service.methods, clock.seconds) == (["GET"] * 4, sum(client_module.PAUSES))


def date_after(seconds: float) -> str:
    return formatdate(Clock().started + seconds, usegmt=True)


@pytest.mark.parametrize(
    ("said", "seconds"), [("7", 7), ("0", 0), (date_after(30), 30), (date_after(-99), 0), ("soon", 0.5), ("nan", 0)]
)
def test_a_service_says_how_long_to_wait(said: str, seconds: float, clock: Clock) -> None:
    with served((429, b"", {"Retry-After": said}), GOOD) as service:
        client_of(service.address).create([target("one")])
    assert (service.methods, clock.seconds) == (["POST"] * 2, seconds)


@pytest.mark.parametrize("said", ["61", date_after(3600), "inf"])
@pytest.mark.parametrize("status", [429, 503])
def test_nobody_waits_for_a_service_that_asks_for_more_than_a_minute(said: str, status: int, clock: Clock) -> None:
    with (
        served((status, b'{"err": "slow down"}', {"Retry-After": said})) as service,
        pytest.raises(FourmostUnavailable, match=f"answered {status}: slow down"),
    ):
        client_of(service.address).rows()
    assert (service.methods, clock.seconds) == (["GET"], 0)


@pytest.mark.parametrize(("status", "seconds"), [(429, 9), (503, 9), (500, 0)])
def test_all_calls_back_off_together(status: int, seconds: int, clock: Clock) -> None:
    with served((status, b"", {"Retry-After": "9"}), GOOD) as service:
        client, asleep, awake = client_of(service.address), threading.Event(), threading.Event()

        def sleep_long(_: float) -> None:
            asleep.set()
            awake.wait(60)

        sleep, clock.sleep = clock.sleep, sleep_long  # type: ignore[method-assign]
        busy = threading.Thread(target=client.rows)
        busy.start()
        try:
            assert asleep.wait(60)
            clock.sleep = sleep  # type: ignore[method-assign]
            client.rows()
            assert clock.seconds == seconds
        finally:
            awake.set()
            busy.join()
    assert service.methods == ["GET"] * 3


def test_a_shorter_wait_does_not_end_a_longer_one(clock: Clock) -> None:
    pace = client_module.Pace()
    pace.hold(9)
    pace.hold(2)
    pace.wait()
    pace.wait()
    assert clock.seconds == 9


# Answers that do not come whole, or not at all


@pytest.fixture
def hasty(fourmost: FourmostStandin) -> Iterator[FourmostClient]:
    """A client that waits half a second, of a stand-in that is well again afterwards."""
    yield client_of(fourmost.address, fourmost.token, "0.5 s")
    fourmost.set_faults([])


BROKEN = {
    "cut": ({"fault": "cut"}, "broke off its answer"),
    "cut after the work": ({"fault": "cut", "when": "after"}, "broke off its answer"),
    "timeout": ({"fault": "timeout", "when": "after"}, "did not answer in time"),
    "drip": ({"fault": "drip", "seconds": 0.1}, "did not answer in time"),
    "slow drip": ({"fault": "drip", "seconds": 3.0}, "did not answer in time"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_answer_to_a_question_is_asked_for_once_more(
    hasty: FourmostClient, fourmost: FourmostStandin, fault: str, clock: Clock
) -> None:
    rule, said = BROKEN[fault]
    hasty.create([target(fault)])
    fourmost.set_faults([rule])
    assert [row["name"] for row in hasty.rows(name=fault)] == [fault]
    fourmost.set_faults([{**rule, "times": 2}])
    with pytest.raises(FourmostUnavailable, match=said):
        hasty.rows(name=fault)


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_answer_to_a_creation_is_not(hasty: FourmostClient, fourmost: FourmostStandin, fault: str) -> None:
    rule, said = BROKEN[fault]
    fourmost.set_faults([{**rule, "method": "POST"}])
    with pytest.raises(FourmostUnavailable, match=said):
        hasty.create([target(f"lost by {fault}")])
    assert len(fourmost.rows(name=f"lost by {fault}")) == (fault != "cut")


def test_an_answer_that_drips_in_fast_enough_is_one(hasty: FourmostClient, fourmost: FourmostStandin) -> None:
    fourmost.set_faults([{"fault": "drip", "seconds": 0.0}])
    assert list(hasty.create([target("drop by drop")])) == ["drop by drop"]


def test_a_service_that_is_not_there() -> None:
    with served() as service:
        address = service.address
    with pytest.raises(FourmostUnavailable, match="cannot be reached") as told:
        client_of(address).create([target("one")])
    assert "is fourmost.address right, and the service up?" in str(told.value)


class Call:
    """A call that reached the service."""

    def __init__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        self.method, self.path, self.headers, self.body = method, path, headers, body


class served:
    """A service with some answers, the last of them to everything that follows; none closes the connection."""

    def __init__(self, *answers: tuple[int, bytes] | tuple[int, bytes, dict[str, str]]) -> None:
        self.calls: list[Call] = []
        calls, left = self.calls, list(answers)

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                calls.append(Call(self.command, self.path, dict(self.headers), body))
                if not left:
                    return
                status, content, *headers = left.pop(0) if len(left) > 1 else left[0]
                self.send_response(status)
                for name, value in (headers[0] if headers else {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_OPTIONS = answer

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def methods(self) -> list[str]:
        return [call.method for call in self.calls]

    def __enter__(self) -> "served":
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join(60)
        self.server.server_close()


# Proof before a change


def test_each_try_that_changes_something_is_proven_first_and_no_question_is(
    fourmost: FourmostStandin, clock: Clock
) -> None:
    proofs: list[int] = []
    settings = FourmostSettings(address=fourmost.address, token=fourmost.token, timeout="20 s")
    client = FourmostClient(settings, lambda: proofs.append(1))
    list(client.rows(name="ZTFproven"))
    client.row(10**9)
    assert len(proofs) == 0
    (row,) = client.create([target("ZTFproven")]).values()
    assert len(proofs) == 1
    client.update(row["id"], "ZTFproven", {"mag": 19.5})
    assert len(proofs) == 2
    fourmost.set_faults([{"fault": "status", "status": 503, "method": "PATCH", "times": 2}])
    client.update(row["id"], "ZTFproven", {"mag": 19.0})
    assert len(proofs) == 5


def test_what_cannot_be_proven_is_not_sent(fourmost: FourmostStandin) -> None:
    def overtaken() -> None:
        raise RunOvertaken("database")

    settings = FourmostSettings(address=fourmost.address, token=fourmost.token)
    (row,) = FourmostClient(settings).create([target("ZTFmine")]).values()
    client, before = FourmostClient(settings, overtaken), fourmost.rows()
    with pytest.raises(RunOvertaken):
        client.create([target("ZTFother")])
    with pytest.raises(RunOvertaken):
        client.update(row["id"], "ZTFmine", {"mag": 19.5})
    assert fourmost.rows() == before
    assert client.row(row["id"]) is not None
