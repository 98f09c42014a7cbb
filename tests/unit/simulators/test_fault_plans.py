"""Fault plans: what a file may hold, and which call falls under which rule."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from simulators.services.faults import FaultPlan
from simulators.services.faulty import Answer, spoil
from tides_bridge.errors import SettingsError

LIST = "/QFSwi/targetCat/transients/"


def kinds(plan: FaultPlan, number: int, service: Any = "fourmost", method: str = "POST") -> list[str | None]:
    """What happens to so many equal calls."""
    rules = [plan.due(service, method, LIST) for _ in range(number)]
    return [rule.fault if rule else None for rule in rules]


def test_an_empty_plan_lets_everything_pass() -> None:
    plan = FaultPlan()
    assert kinds(plan, 3) == [None] * 3
    assert plan.left() == 0


def test_so_many_pass_and_so_many_fail() -> None:
    plan = FaultPlan([{"fault": "html", "skip": 2, "times": 3}])
    assert plan.left() == 3
    assert kinds(plan, 4) == [None, None, "html", "html"]
    assert plan.left() == 1
    assert kinds(plan, 2) == ["html", None]
    assert plan.left() == 0


def test_the_first_rule_that_is_due_wins_and_the_others_keep_their_times() -> None:
    plan = FaultPlan([{"fault": "cut", "skip": 1}, {"fault": "html", "times": 2}, {"fault": "err", "skip": 3}])
    assert kinds(plan, 5) == ["html", "cut", "html", "err", None]


@pytest.mark.parametrize(("rule", "matching"), [
    ({}, {("fourmost", "POST", LIST), ("fourmost", "GET", f"{LIST}5/"), ("lasair", "POST", "/api/lightcurves/")}),
    ({"service": "lasair"}, {("lasair", "POST", "/api/lightcurves/")}),
    ({"method": "POST"}, {("fourmost", "POST", LIST), ("lasair", "POST", "/api/lightcurves/")}),
    ({"path": r"/\d+/$"}, {("fourmost", "GET", f"{LIST}5/")}),
    ({"service": "fourmost", "method": "POST", "path": "curves"}, set()),
])  # fmt: skip
def test_a_rule_chooses_calls(rule: dict[str, Any], matching: set[Any]) -> None:
    calls: list[Any] = [
        ("fourmost", "POST", LIST), ("fourmost", "GET", f"{LIST}5/"), ("lasair", "POST", "/api/lightcurves/"),
    ]  # fmt: skip
    assert {call for call in calls if FaultPlan([rule | {"fault": "html"}]).due(*call)} == matching


def test_the_own_addresses_of_the_stand_ins_never_fail_and_do_not_count() -> None:
    plan = FaultPlan([{"fault": "html"}])
    assert plan.due("fourmost", "POST", "/QFSwi/standin/ingest/") is None
    assert plan.due("lasair", "GET", "/") is None
    assert plan.left() == 1


def test_what_is_left_for_one_service() -> None:
    plan = FaultPlan([{"fault": "html", "times": 2}, {"service": "lasair", "fault": "html"}])
    assert (plan.left("fourmost"), plan.left("lasair"), plan.left()) == (2, 3, 3)


def test_other_rules_start_anew_and_wrong_ones_change_nothing() -> None:
    plan = FaultPlan([{"fault": "html"}])
    assert kinds(plan, 2) == ["html", None]
    assert plan.replace([{"fault": "cut", "times": 2}, {"fault": "err"}]) == 2
    with pytest.raises(SettingsError, match="rule 1: fault: Input should be"):
        plan.replace([{"fault": "fire"}])
    assert kinds(plan, 4) == ["cut", "cut", "err", None]


def test_many_threads_take_each_fault_once() -> None:
    plan = FaultPlan([{"fault": "html", "skip": 50, "times": 100}])
    with ThreadPoolExecutor(8) as pool:
        happened = [kind for part in pool.map(lambda _: kinds(plan, 100), range(8)) for kind in part]
    assert happened.count("html") == 100


def test_a_plan_is_read_from_yaml_and_from_json(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(
        "- {service: fourmost, method: POST, fault: status, status: 503, retryAfter: 1, when: before, skip: 1}\n"
        "- {fault: timeout, seconds: 2, when: after}\n- {fault: drip}\n"
    )
    plan = FaultPlan.read(tmp_path / "plan.yaml")
    assert plan.due("fourmost", "GET", LIST) is not None
    rule = plan.due("fourmost", "POST", LIST)
    assert rule is not None and (rule.fault, rule.wait_seconds) == ("drip", 0.05)
    rule = plan.due("fourmost", "POST", LIST)
    assert rule is not None and (rule.status, rule.retry_after, rule.does_work) == (503, 1, False)
    (tmp_path / "plan.json").write_text('[{"service": "lasair", "fault": "missing_row", "times": 3}]')
    assert FaultPlan.read(tmp_path / "plan.json").left() == 3


WRONG = {
    "{fault: html, often: 2}": "rule 2: often: unknown key",
    "{service: lasair}": "rule 2: fault: is missing",
    "{fault: fire}": "rule 2: fault: Input should be 'status', 'timeout'",
    "{fault: html, service: gaia}": "rule 2: service: Input should be 'fourmost' or 'lasair'",
    "{fault: html, method: post}": "rule 2: method: Input should be",
    "{fault: html, path: '('}": "rule 2: path: Input should be a valid regular expression",
    "{fault: html, times: 0}": "rule 2: times: Input should be greater than or equal to 1",
    "{fault: html, times: true}": "rule 2: times: Input should be a valid integer",
    "{fault: html, skip: -1}": "rule 2: skip: Input should be greater",
    "{fault: html, when: later}": "rule 2: when: Input should be 'before' or 'after'",
    "{fault: status}": "rule 2: status: is missing",
    "{fault: status, status: 200}": "rule 2: status: Input should be greater than or equal to 400",
    "{fault: status, status: 429, when: after}": "rule 2: when: must be before with status 429",
    "{fault: html, status: 503}": "rule 2: status: goes only with fault status",
    "{fault: cut, retryAfter: 5}": "rule 2: retryAfter: goes only with fault status",
    "{fault: html, seconds: 5}": "rule 2: seconds: goes only with fault timeout or drip",
    "{fault: drip, seconds: .inf}": "rule 2: seconds: Input should be a finite number",
    "html": "rule 2: must be keys and values",
}


@pytest.mark.parametrize("rule", WRONG)
def test_a_wrong_rule_is_named_with_file_number_and_key(rule: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(f"- {{fault: html}}\n- {rule}\n")
    with pytest.raises(SettingsError) as told:
        FaultPlan.read(file)
    assert str(told.value).startswith(f"{file}: {WRONG[rule]}")


@pytest.mark.parametrize(("content", "problem"), [
    (None, "no such file"),
    (b"{fault: html}", "must hold a list of rules"),
    (b"", "must hold a list of rules"),
    (b"- fault: [", "is not YAML: .* in line"),
    (b"\xff\xfe\x00", "cannot be read"),
])  # fmt: skip
def test_a_file_that_is_no_plan(content: bytes | None, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=problem):
        FaultPlan.read(file)


@pytest.mark.parametrize(("body", "seen"), [
    (b'[{"id": 1}, {"id": 2}]', b'[{"id": 1}]'),
    (b'{"count": 2, "results": [1, 2]}', b'{"count": 2, "results": [1]}'),
    (b"[NaN, 1.10]", b"[NaN]"),
    (b'[{"id":1}]', b'[{"id":1}]'),
    (b'{"id":1}', b'{"id":1}'),
    (b"<html>", b"<html>"),
    (b"", b""),
])  # fmt: skip
def test_a_list_of_two_loses_its_last_row(body: bytes, seen: bytes) -> None:
    rule = FaultPlan([{"fault": "missing_row"}]).due("fourmost", "POST", LIST)
    assert rule is not None
    answer = spoil(rule, "fourmost", Answer(200, (), body))
    assert answer is not None and answer.body == seen
