"""When somebody is told of a problem: once when it begins, and once when it is over."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tides_bridge.operations.incidents import Incident, News, after, message, news_of, read_incidents, write_incidents
from tides_bridge.operations.problems import Problem

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEYS = st.sampled_from(["worker", "database", "run lasair", "run fink", "disk /a", "token x"])


def problem(key: str, severity: Any = "critical") -> Problem:
    kind, _, which = key.partition(" ")
    return Problem(kind, which, f"{key} is bad", NOW - HOUR, severity)


def tell(told: dict[str, Incident], *problems: Problem) -> tuple[News, dict[str, Incident]]:
    news = news_of(told, problems, lambda _: False)
    return news, after(told, news, NOW)


@given(st.lists(st.sets(KEYS), max_size=10))
def test_each_incident_is_told_once_and_its_end_once(looks: list[set[str]]) -> None:
    told: dict[str, Incident] = {}
    before: set[str] = set()
    for look in looks:
        news, told = tell(told, *map(problem, sorted(look)))
        assert {each.key for each in news.begun} == look - before
        assert {each.key for each in news.over} == before - look
        assert set(told) == look
        before = look


def test_what_could_not_be_told_is_tried_again() -> None:
    news, _unsent = tell({}, problem("worker"))
    assert tell({}, problem("worker"))[0] == news


def test_what_gets_worse_is_told_again_and_what_gets_better_is_not() -> None:
    _, told = tell({}, problem("disk /a", "warning"))
    news, told = tell(told, problem("disk /a"))
    assert [each.severity for each in news.begun] == ["critical"]
    assert not tell(told, problem("disk /a", "warning"))[0]


def test_what_cannot_be_seen_is_not_over() -> None:
    _, told = tell({}, problem("worker"))
    assert not news_of(told, [], lambda key: key == "worker")


def test_a_worker_has_a_look_s_time_after_its_server_came_back() -> None:
    _, told = tell({}, problem("prefect"))
    news, told = tell(told, problem("worker"), problem("disk /a"))
    assert [each.key for each in (*news.begun, *news.over)] == ["disk /a", "prefect"]
    assert [each.key for each in tell(told, problem("worker"), problem("disk /a"))[0].begun] == ["worker"]


def test_a_message_says_what_since_when_and_what_to_do() -> None:
    begun = Problem("worker", "", "worker silent for 5 min", NOW, "critical")
    over = Incident("backlog", "4MOST was not told", "critical", (NOW - HOUR).isoformat())
    subject, text = message(News((begun,), (over,)), "configuration x on host", NOW)
    assert subject == "TiDES bridge: worker silent for 5 min, and 1 more"
    assert text.splitlines() == [
        "CRITICAL: worker silent for 5 min",
        "since: 2026-11-24 12:00 UTC",
        'what to do: start the worker again, and look into its log (deployments/README.md, "worker")',
        "",
        "OVER: 4MOST was not told",
        "told: 60 min ago, at 2026-11-24T11:00:00+00:00",
        "",
        "configuration x on host",
    ]
    assert message(News((), (over,)), "x", NOW)[0] == "TiDES bridge: over: 4MOST was not told"


# The file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "below" / "watchdog.json"


def test_what_was_told_is_kept(file: Path) -> None:
    _, told = tell({}, problem("worker"), problem("disk /a", "warning"))
    write_incidents(file, told)
    assert read_incidents(file) == told
    assert [path.name for path in file.parent.iterdir()] == ["watchdog.json"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o066 == 0


BROKEN = ["", "{", "null", "7", "[1]", '[{"key": "a"}]', "[[]]", '{"a": {}}', "\0"]
BROKEN.append('[{"key": "a", "what": "b", "severity": "warning", "seen_at": "yesterday"}]')
BROKEN.append('[{"key": "a", "what": "b", "severity": "warning", "seen_at": "2026-11-24"}]')
BROKEN.append('[{"key": "a", "what": "b", "severity": "warning", "seen_at": 7}]')


@pytest.mark.parametrize("content", BROKEN)
def test_a_damaged_file_is_as_none(file: Path, content: str) -> None:
    assert read_incidents(file) == {}
    file.parent.mkdir()
    file.write_text(content)
    assert read_incidents(file) == {}


def test_a_file_of_bytes_that_are_no_text_is_as_none(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"\xff\xfe")
    assert read_incidents(file) == {}
