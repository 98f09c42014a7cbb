"""The report on top of the run page, as Markdown."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from tasks import report
from tasks.report import COMPARED, NAMED, PICTURES, publish_report
from tasks.summary import Summary
from tides_bridge.fourmost.exchange import Sent
from tides_bridge.settings import Settings

SETTINGS = Settings(topic="t", groupID=1, selectFunction="f", page={"address": "https://bridge.example.org/tides"})
Row = dict[str, Any]
ReportOf = Callable[[Summary, list[Row], dict[str, str]], str]
PORTAL = "https://bridge.example.org/tides"


@pytest.fixture
def report_of(monkeypatch: pytest.MonkeyPatch):
    """Give the text of a report, with what the database would say."""

    def made(summary: Summary, before: list[Row], states: dict[str, str]) -> str:
        texts: list[str] = []
        rows = [
            {"name": name, "state": state, "survey": "ztf", "object_id": f"Z{name}"} for name, state in states.items()
        ]
        monkeypatch.setattr(report.runs, "list_counts", lambda _database, _run, number: before[:number])
        monkeypatch.setattr(
            report.runs, "list_states_of", lambda _database, names: [row for row in rows if row["name"] in names]
        )
        monkeypatch.setattr(report, "create_markdown_artifact", lambda text, **_: texts.append(text))
        publish_report.fn(cast(Any, None), SETTINGS, 7, summary)
        return texts[0]

    return made


def summary_of(created: list[str], changed: list[str], off: list[str], failed: dict[str, str]) -> Summary:
    summary = Summary(messages=1234, passed=2)
    summary.add_sent(Sent(done=created, failed=failed), Sent(done=changed), Sent(done=off))
    return summary


def test_numbers_stand_beside_those_of_the_runs_before(report_of) -> None:
    before = [
        {"started_at": datetime(2026, 11, day, 12, 5, tzinfo=UTC), "counts": {"messages": day, "refused": 0, "lag": 3}}
        for day in (23, 22, 21, 20)
    ]
    lines = report_of(summary_of([], [], [], {}), before, {}).splitlines()
    assert lines[0] == "| | this run | 23 Nov 12:05 | 22 Nov 12:05 | 21 Nov 12:05 |" and COMPARED == 3
    assert "| messages read from the stream | **1,234** | 23 | 22 | 21 |" in lines
    assert "| objects that satisfy the selection function | **2** |  |  |  |" in lines
    assert "| messages still to be read | **0** | 3 | 3 | 3 |" in lines
    assert not any("cannot be read" in line for line in lines), "what no run had is left out"


def test_targets_are_named_by_group_and_reason_with_links(report_of) -> None:
    summary = summary_of(["A", "B"], ["C"], ["D", "E", "F"], {"G": "mag *too* | faint", "H": "no [ra](x)"})
    summary.add_sent(Sent(done=["A"]), Sent(done=["C", "I"]), Sent())  # a second exchange of the same run
    text = report_of(summary, [], {"A": "active", "B": "active", "D": "faint", "E": "unseen", "F": "faint"})
    link = {name: f"[{name}]({PORTAL}/targets/{name})" for name in "ABCDEFGHI"}
    assert f"### New at 4MOST: 2\n\n{link['A']}, {link['B']}\n" in text
    assert f"[![A]({PORTAL}/light-curves/ztf/ZA.png)]({PORTAL}/targets/A) [![B]" in text
    assert f"### Changed at 4MOST: 2\n\n{link['C']}, {link['I']}\n" in text
    off = f"- faint (2): {link['D']}, {link['F']}\n- unseen (1): {link['E']}\n"
    assert f"### Switched off at 4MOST: 3\n\n{off}" in text
    assert f"- mag \\*too\\* \\| faint (1): {link['G']}\n- no \\[ra\\](x) (1): {link['H']}\n" in text


def test_many_targets_are_counted_and_the_first_named(report_of) -> None:
    names = [f"T{number:03}" for number in range(NAMED + 3)]
    text = report_of(summary_of(names, [], [], {}), [], dict.fromkeys(names, "active"))
    assert f"### New at 4MOST: {NAMED + 3}\n" in text
    assert f"[T{NAMED - 1:03}]" in text and f"[T{NAMED:03}]" not in text and " and 3 more" in text
    assert text.count("[![") == PICTURES


def test_a_run_without_work_says_so(report_of) -> None:
    text = report_of(Summary(), [], {})
    assert text.startswith("Nothing was to be done.") and "###" not in text
