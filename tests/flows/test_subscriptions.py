"""People are told of targets through a real receiver: once, in order, whatever is killed, and nobody sees where."""

import json
import logging
import signal
import threading
from _thread import interrupt_main
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from flows.cli import app
from tasks import notices as steps
from tests.support.databases import rows_of
from tests.support.exchanges import add
from tests.support.forked import forked_tides
from tests.support.typed import at_database
from tides_bridge.database import Database
from tides_bridge.operations import notices, telling
from tides_bridge.operations.metrics import of_subscriptions
from tides_bridge.operations.status import get_health
from tides_bridge.operations.subscriptions import list_subscriptions
from tides_bridge.operations.telling import tell_people
from tides_bridge.settings import Settings

SECRET = "open-sesame"  # pragma: allowlist secret


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent; answers with what it is set to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.heard: list[tuple[str, str]] = []
        self.answer = 200

    @property
    def address(self) -> str:
        return f"json://me:{SECRET}@127.0.0.1:{self.server_address[1]}/"

    @property
    def subjects(self) -> list[str]:
        return [subject for subject, _ in self.heard]


class Handler(BaseHTTPRequestHandler):
    """Reads a message as Apprise sends it."""

    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.heard.append((body["title"], body["message"]))
        self.send_response(self.server.answer)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Bridge:
    """A database, a receiver, and commands."""

    def __init__(self, database: Database, settings: Settings, folder: Path, receiver: Receiver) -> None:
        self.database, self.settings, self.receiver = database, settings, receiver
        at_database(settings, folder)
        self.file = folder / "settings.yaml"

    def typed(self, *words: str, address: str = "") -> Result:
        return CliRunner().invoke(app, [*words, "--settings", str(self.file)], input=f"{address}\n")

    def subscribe(self, *words: str) -> None:
        done = self.typed("subscribe", *words, address=self.receiver.address)
        assert done.exit_code == 0, done.output
        assert SECRET not in done.output

    def tell(self, **settings: Any) -> dict[str, int]:
        return dict(tell_people(self.database, self.settings.model_copy(update=settings)))

    def set(self, assignment: str, name: str) -> None:
        rows_of(self.database, f"UPDATE tides_master SET {assignment} WHERE name = '{name}' RETURNING 1")


@pytest.fixture
def bridge(database: Database, settings: Settings, tmp_path: Path) -> Iterator[Bridge]:
    with receiving() as receiver:
        yield Bridge(database, settings, tmp_path, receiver)


def test_what_is_asked_for_is_told_once_and_in_order(bridge: Bridge) -> None:
    add(bridge.database, "before")
    bridge.subscribe("eva", "--on", "new,off", "--on", "on", "--where", "class=SN")
    bridge.subscribe("max", "--on", "spectrum,refused,sent,changed,class")
    add(bridge.database, "aaa", "aab", sherlock_class="SN", ra=10.0)
    add(bridge.database, "aac", sherlock_class="VS", ra=12.0)
    assert bridge.tell() == {"sent": 1}
    bridge.set("active = FALSE, inactive_reason = 'faint'", "aab")
    bridge.set("active = TRUE, inactive_reason = NULL", "aab")
    bridge.set("has_spectrum = TRUE, active = FALSE, inactive_reason = 'spectrum'", "aac")
    bridge.set("refused_4most = 'mag: too\nbright', sherlock_class = 'SN'", "before")
    bridge.set("pk_4most = 7, told_4most = '{\"mag\": 20}', sherlock_class = 'NT'", "before")
    bridge.set("told_4most = '{\"mag\": 21}'", "before")
    assert bridge.tell() == {"sent": 2}
    assert bridge.tell() == {}
    assert bridge.receiver.subjects == [
        "TiDES: 2 new",
        "TiDES: 1 off, 1 on",
        "TiDES: 1 spectrum, 1 refused, 1 class, 1 sent, 1 changed",
    ]
    new, switched, others = (text for _, text in bridge.receiver.heard)
    assert new.startswith("new targets: 2\naaa (aaa) at 10.00000 -20.00000, SN\naab (aab) at ")
    assert "switched off: 1\naab: faint\n\non again: 1\naab (aab) at 10.00000 -20.00000, SN: was faint" in switched
    assert "refused by 4MOST: 1\nbefore: mag: too bright" in others
    assert "of another class: 1\nbefore: NT, was SN" in others
    assert "changed at 4MOST: 1\nbefore: mag" in others
    assert "aac" not in new + switched


def test_a_tag_is_told_to_those_near_a_place(bridge: Bridge) -> None:
    bridge.subscribe("eva", "--on", "tag", "--where", "sky=10,-20,60")
    add(bridge.database, "near")
    add(bridge.database, "far", ra=11.0)
    assert bridge.typed("tag", "near", "far", "--tag", "young", "--reason", "talk").exit_code == 0
    assert (bridge.tell(), bridge.receiver.subjects) == ({"sent": 1}, ["TiDES: near tag"])
    assert "near: young by " in bridge.receiver.heard[0][1]


AT_ONCE, APART = ["TiDES: 3 new"], ["TiDES: 2 new", "TiDES: aac new"]
TWICE = [APART[0], *APART]
"""What it was to tell was sent, and nobody knew: it comes once more, and says so."""


@pytest.mark.parametrize(
    ("point", "subjects", "warned"),
    [
        ("subscription.before", AT_ONCE, None),
        ("subscription.after", AT_ONCE, None),
        ("events.before", AT_ONCE, None),
        ("events.after", AT_ONCE, None),
        ("message.before", AT_ONCE, None),
        ("message.after", APART, 0),
        ("notify.before", APART, 0),
        ("notify.after", TWICE, 1),
        ("told.before", TWICE, 1),
        ("told.after", APART, None),
    ],
)
def test_whoever_tells_may_be_killed_between_any_two_lines(
    bridge: Bridge, point: str, subjects: list[str], warned: int | None
) -> None:
    bridge.subscribe("eva", "--on", "new")
    add(bridge.database, "aaa", "aab")
    words = ("pause", "eva") if point.startswith("subscription") else ("send",)
    variable = f"{point} SIGKILL {bridge.file.with_name('marker')}"
    killed = forked_tides("subscriptions", *words, "--settings", bridge.file, BRIDGE_FAIL_POINT=variable)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert SECRET not in killed.stderr + killed.stdout
    add(bridge.database, "aac")
    assert bridge.typed("subscriptions", "resume", "eva").exit_code == 0
    bridge.tell()
    assert bridge.receiver.subjects == subjects
    again = [number for number, (_, text) in enumerate(bridge.receiver.heard) if "have this message already" in text]
    assert again == ([] if warned is None else [warned])


def test_a_message_is_begun_twice_at_most(bridge: Bridge, tmp_path: Path) -> None:
    bridge.subscribe("eva", "--on", "new")
    add(bridge.database, "aaa")
    for number in range(2):
        point = f"told.before SIGKILL {tmp_path / f'marker{number}'}"
        done = forked_tides("subscriptions", "send", "--settings", bridge.file, BRIDGE_FAIL_POINT=point)
        assert done.returncode == -signal.SIGKILL
    add(bridge.database, "aab")
    assert bridge.tell() == {"unknown": 1, "sent": 1}
    assert bridge.receiver.subjects == ["TiDES: aaa new", "TiDES: aaa new", "TiDES: aab new"]
    assert "1 messages may not have arrived" in bridge.typed("subscriptions", "list").output


def test_a_service_that_says_no_is_told_later_and_others_at_once(bridge: Bridge) -> None:
    with receiving() as broken:
        broken.answer = 500
        done = bridge.typed("subscribe", "max", "--on", "new", address=broken.address)
        assert done.exit_code == 0
        bridge.subscribe("eva", "--on", "new")
        add(bridge.database, "aaa")
        assert bridge.tell() == {"failed": 1, "sent": 1}
        add(bridge.database, "aab")
        assert bridge.tell() == {"sent": 1}  # that one's time has not come
        with bridge.database.transaction() as connection:
            connection.exec_driver_sql("UPDATE message SET next_try_at = now()")
        assert bridge.tell() == {"failed": 1}
        (max_row, eva) = get_health(bridge.database, bridge.settings)["subscriptions"]
        assert (max_row["failures"], max_row["failing_since"] is None, eva["failing_since"]) == (2, False, None)
        tested = bridge.typed("subscriptions", "test", "max")
        assert (tested.exit_code, "could not be told" in tested.output) == (1, True)
        broken.answer = 200
        with bridge.database.transaction() as connection:
            connection.exec_driver_sql("UPDATE message SET next_try_at = now()")
        assert bridge.tell() == {"sent": 2}
        assert [*dict.fromkeys(broken.subjects)] == ["TiDES: aaa new", "TiDES: a test of max", "TiDES: aab new"]
    assert bridge.receiver.subjects == ["TiDES: aaa new", "TiDES: aab new"]


def clock(day: int, hour: int) -> dict[str, datetime]:
    return {"now": datetime(2026, 11, day, hour, 30, tzinfo=UTC)}


def test_a_digest_comes_once_after_each_night_and_a_report_also_without_news(bridge: Bridge) -> None:
    bridge.settings = bridge.settings.model_copy(update=clock(28, 20))
    bridge.subscribe("eva", "--on", "new", "--digest")
    bridge.subscribe("operators", "--report")
    rows_of(bridge.database, "UPDATE subscription SET digested_on = '2026-11-28' RETURNING 1")
    add(bridge.database, "aaa", "aab")
    assert bridge.tell(**clock(29, 12)) == {}  # 13:30 in Berlin
    assert bridge.tell(**clock(29, 13)) == {"sent": 2}
    assert bridge.tell(**clock(29, 14)) == {}
    bridge.set("active = FALSE, inactive_reason = 'veto'", "aab")
    assert bridge.tell(**clock(29, 23)) == {}
    assert bridge.tell(**clock(30, 13)) == {"sent": 1}
    assert bridge.tell(now=clock(30, 13)["now"] + timedelta(days=1)) == {"sent": 1}
    assert bridge.receiver.subjects == [
        "TiDES: night 2026-11-28 complete: 2 new",
        "TiDES: night 2026-11-28 complete: 2 new",
        "TiDES: night 2026-11-29 complete: aab off",
        "TiDES: night 2026-11-30 complete: nothing new",
    ]
    assert bridge.receiver.heard[2][1].startswith("1 active, 0 known at 4MOST, 0 active at 4MOST")


def test_paused_ones_are_told_later_and_muted_ones_never(bridge: Bridge) -> None:
    bridge.subscribe("paused", "--on", "new")
    bridge.subscribe("muted", "--on", "new")
    assert bridge.typed("subscriptions", "pause", "paused").exit_code == 0
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert bridge.typed("subscriptions", "mute", "muted", "--until", until).exit_code == 0
    add(bridge.database, "aaa")
    assert bridge.tell() == {}
    for name in ("paused", "muted"):
        assert bridge.typed("subscriptions", "resume", name).exit_code == 0
    assert bridge.tell() == {"sent": 1}
    assert "subscription paused:" in bridge.receiver.heard[0][1]
    assert bridge.typed("subscriptions", "remove", "paused").exit_code == 0
    assert bridge.typed("subscriptions", "remove", "paused").exit_code == 1
    add(bridge.database, "aab")
    assert bridge.tell() == {"sent": 1}
    assert rows_of(bridge.database, "SELECT count(*) AS number FROM subscription_address") == [{"number": 1}]


def test_many_targets_are_counted_where_they_are_not_named(bridge: Bridge) -> None:
    bridge.subscribe("eva", "--on", "new")
    add(bridge.database, *(f"t{number:03}" for number in range(45)))
    assert bridge.tell() == {"sent": 1}
    text = bridge.receiver.heard[0][1]
    assert "t019 (t019)" in text and "t020" not in text and "and 25 more: tides targets" in text


def test_what_waits_for_a_paused_one_is_bounded_and_counted(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "WAITING", 3)
    for name in ("eva", "max"):
        bridge.subscribe(name, "--on", "new,off")
    assert bridge.typed("subscriptions", "pause", "eva").exit_code == 0
    for number in range(4):
        add(bridge.database, f"a{number}", f"b{number}")
        assert bridge.tell() == {"sent": 1}
    bridge.set("active = FALSE, inactive_reason = 'faint'", "a0")
    assert bridge.tell() == {"sent": 1}
    assert rows_of(bridge.database, "SELECT count(*) AS number FROM notice") == [{"number": 4}]
    with bridge.database.transaction() as connection:
        samples = {
            (name, *labels): number
            for name, labels, number in of_subscriptions(list_subscriptions(connection), bridge.settings.time())
        }
    assert samples["tides_notices_waiting",] == 9
    assert {state: samples["tides_subscriptions", state] for state in ("active", "paused")} == {
        "active": 1,
        "paused": 1,
    }
    assert bridge.typed("subscriptions", "resume", "eva").exit_code == 0
    bridge.receiver.heard.clear()
    assert bridge.tell() == {"sent": 1} and bridge.tell() == {}
    subject, text = bridge.receiver.heard[0]
    assert subject == "TiDES: 8 new, 1 off" and "b0 (b0)" in text and "b1" not in text and "and 5 more" in text
    add(bridge.database, "c")
    assert bridge.tell() == {"sent": 2} and "TiDES: c new" in bridge.receiver.subjects


def test_who_is_asked_to_stop_hears_the_answer_first(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    bridge.subscribe("eva", "--on", "new")
    send = notices._deliver

    def interrupted(*about: Any) -> notices.Delivered:
        interrupt_main()
        sleep(0.3)
        return send(*about)

    add(bridge.database, "aaa")
    with monkeypatch.context() as slow, pytest.raises(KeyboardInterrupt):
        slow.setattr(notices, "_deliver", interrupted)
        bridge.tell()
    add(bridge.database, "aab")
    assert bridge.tell() == {"sent": 1}
    assert bridge.receiver.subjects == ["TiDES: aaa new", "TiDES: aab new"]


@pytest.mark.parametrize(
    ("words", "address", "complaint"),
    [
        (("eva", "--on", "new"), f"{SECRET}@example.org", "is no address of Apprise"),
        (("eva", "--on", "new"), f"nothing://me:{SECRET}@example.org", "is no address of Apprise"),
        (("eva", "--on", "born"), f"json://me:{SECRET}@127.0.0.1", "born is none of new, on, off"),
        (("eva",), f"json://me:{SECRET}@127.0.0.1", "say what is to be told"),
        (("eva", "--on", "new", "--where", "size=3"), f"json://me:{SECRET}@127.0.0.1", "size=3 is no condition"),
        (("two words", "--on", "new"), f"json://me:{SECRET}@127.0.0.1", "must be one word"),
    ],
)
def test_what_is_not_understood_is_refused_without_the_address(
    bridge: Bridge, words: tuple[str, ...], address: str, complaint: str
) -> None:
    done = bridge.typed("subscribe", *words, address=address)
    assert (done.exit_code, complaint in " ".join(done.output.split()), SECRET in done.output) == (2, True, False)
    assert bridge.typed("subscriptions", "list").output.startswith("no subscriptions")


def test_nobody_sees_an_address(bridge: Bridge, caplog: pytest.LogCaptureFixture) -> None:
    bridge.subscribe("eva", "--on", "new")
    bridge.receiver.answer = 403
    add(bridge.database, "aaa")
    caplog.set_level("DEBUG")
    assert bridge.tell() == {"failed": 1}
    shown = bridge.typed("subscriptions", "list").output + bridge.typed("status", "--json").output + caplog.text
    shown += str(rows_of(bridge.database, "SELECT * FROM subscription")) + str(
        rows_of(bridge.database, "TABLE message")
    )
    assert "eva: json, of " in shown and "could not be told since" in shown
    assert SECRET not in shown and f":{bridge.receiver.server_address[1]}" not in shown


def test_without_subscriptions_nothing_is_noted(bridge: Bridge) -> None:
    add(bridge.database, "aaa")
    bridge.set("active = FALSE, inactive_reason = 'faint'", "aaa")
    assert rows_of(bridge.database, "SELECT * FROM target_event") == []


def test_what_happened_before_somebody_subscribed_or_while_one_was_mute_is_not_told(bridge: Bridge) -> None:
    bridge.subscribe("eva", "--on", "new")
    bridge.subscribe("mute", "--on", "new")
    add(bridge.database, "aaa")
    bridge.subscribe("max", "--on", "new")
    rows_of(bridge.database, "UPDATE subscription SET muted_until = now() WHERE name = 'mute' RETURNING 1")
    add(bridge.database, "aab")
    assert bridge.tell() == {"sent": 3}
    assert bridge.receiver.subjects == ["TiDES: 2 new", "TiDES: aab new", "TiDES: aab new"]


def test_a_condition_that_nobody_understands_any_more_keeps_nobody_waiting(bridge: Bridge) -> None:
    bridge.subscribe("eva", "--on", "new", "--where", "class=SN")
    bridge.subscribe("max", "--on", "new")
    rows_of(bridge.database, "UPDATE subscription SET conditions = '{size=3}' WHERE name = 'eva' RETURNING 1")
    add(bridge.database, "aaa")
    assert bridge.tell() == {"sent": 2}
    done = bridge.typed("subscribe", "ida", "--on", "new", "--where", "new>=9999-12-31T23:00-14:00", address="json://x")
    assert (done.exit_code, "is no time" in done.output) == (2, True)


def test_services_that_never_answer_take_no_more_than_a_minute_of_a_run(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        bridge.subscribe(name, "--on", "new")
    add(bridge.database, "aaa")
    monkeypatch.setattr(telling, "TELLING_SECONDS", 0.05)
    monkeypatch.setattr(notices, "SEND_SECONDS", 0.1)
    silent = threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(notices, "_deliver", lambda *_: silent.wait(20))
        assert bridge.tell() == {"unknown": 1}
        bridge.subscribe("eva", "--on", "new")
        assert bridge.tell() == {"unknown": 1}  # the other one
        assert bridge.tell() == {}  # both are left alone for an hour
        silent.set()
    add(bridge.database, "aab")
    assert bridge.tell() == {"sent": 1}
    assert bridge.receiver.subjects == ["TiDES: aab new"]


def test_whatever_fails_while_people_are_told_fails_no_run_and_shows_nothing(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise ValueError(bridge.receiver.address)

    monkeypatch.setattr(steps, "get_run_logger", lambda: logging.getLogger("steps"))
    monkeypatch.setattr(steps, "tell_people", broken)
    assert steps.tell_subscribers.fn(bridge.database, bridge.settings) == {}
    assert "people are told later: ValueError" in caplog.text and SECRET not in caplog.text
