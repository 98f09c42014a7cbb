"""Alert rules, dashboard and documentation speak of the numbers that /metrics has."""

import json
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tides_bridge.operations.metrics import METRICS
from tides_bridge.operations.problems import REMEDIES

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deployments" / "prometheus"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((PROMETHEUS / "tides.rules.yml").read_text())["groups"] for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deployments" / "grafana" / "tides.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
PAGE = (ROOT / "docs" / "monitoring.md").read_text()

EXPRESSIONS = [rule["expr"] for rule in RULES] + [target["expr"] for panel in PANELS for target in panel["targets"]]
OURS = re.compile(r"\btides_\w+")
OTHERS = {"process_resident_memory_bytes", "node_filesystem_avail_bytes", "node_filesystem_size_bytes"}
"""Of every process, and of node_exporter."""

BEYOND_THE_WATCHDOG = {"page", "lag", "calls", "refused"}
"""Rows of the runbook for what only Prometheus looks at."""


def promtool(*arguments: str | Path) -> str:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not on this machine")
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_and_the_configuration_are_valid() -> None:
    assert f"{len(RULES)} rules found" in promtool("check", "rules", PROMETHEUS / "tides.rules.yml")
    promtool("check", "config", PROMETHEUS / "prometheus.yml")


def test_the_rules_call_when_they_should() -> None:
    assert "SUCCESS" in promtool("test", "rules", PROMETHEUS / "tides.rules.test.yml")


def test_every_rule_is_tried_out() -> None:
    tests = (PROMETHEUS / "tides.rules.test.yml").read_text()
    assert [rule["alert"] for rule in RULES if f'alertname="{rule["alert"]}"' not in tests] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"]["summary"].endswith((".", ". "))
    page, _, kind = rule["annotations"]["runbook"].partition(": ")
    assert (ROOT / page).exists()
    assert kind in REMEDIES.keys() | BEYOND_THE_WATCHDOG


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_that_is_asked_for_is_offered(expression: str) -> None:
    named = set(re.findall(r"\b[a-z]+_\w+", re.sub(r"\{.*?\}", "", expression)))
    assert named - {"min_over_time"} <= METRICS.keys() | OTHERS
    for name, labels in re.findall(r"(tides_\w+)\{(.*?)\}", expression):
        assert set(re.findall(r"(\w+)!?[=~]", labels)) <= set(METRICS[name][1])


def test_every_metric_is_shown_or_calls() -> None:
    assert METRICS.keys() - set(OURS.findall(" ".join(EXPRESSIONS))) == set()


def test_the_page_documents_every_metric_with_its_labels() -> None:
    rows = re.findall(r"^\| `(tides_\w+)` \| (.*?) ?\|", PAGE, re.MULTILINE)
    assert {name: tuple(filter(None, labels.split(", "))) for name, labels in rows} == {
        name: labels for name, (_, labels) in METRICS.items()
    }


def test_legends_use_labels_that_are_there() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            asked = set(OURS.findall(target["expr"]))
            known = {label for name in asked for label in METRICS[name][1]}
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= known, panel["title"]


def test_panels_have_a_place_and_a_source_of_their_own() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
    assert [each["name"] for each in DASHBOARD["templating"]["list"]] == ["datasource"]
    cells = [_cells(panel["gridPos"]) for panel in DASHBOARD["panels"]]
    assert all(max(x for x, _ in each) < 24 for each in cells)
    assert not any(one & other for one, other in combinations(cells, 2))


def _cells(place: dict[str, int]) -> set[tuple[int, int]]:
    return {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}


def test_grafana_is_told_where_things_lie() -> None:
    folder = ROOT / "deployments" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((folder / "dashboards" / "tides.yaml").read_text())["providers"]
    assert source["type"] == "prometheus"
    assert f"`{provider['options']['path']}/`" in PAGE.replace("\n", " ")
