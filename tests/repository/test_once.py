"""One way for each thing: what several commands or stand-ins need stands in one module, and nowhere else again."""

import re

import pytest

from tests.support.processes import ROOT

PLACES = ("flows", "tasks", "tides_bridge", "simulators", "benchmarks")

ONCE = {
    r"\byaml\.(safe_load|load|full_load|compose)\b|\byaml\.\w*Loader\b": "tides_bridge/settings/yaml_blocks.py",
    r"\bsignal\.(signal|pthread_sigmask)\(": "tides_bridge/processes.py",
    r"stdin\.(fileno|read)\(": "tides_bridge/processes.py",
    r"\bLocalCluster\(|= LocalCluster\b": "flows/local_cluster.py",
    r"Console\(": "tides_bridge/console.py",
    r"f\"tides: \{error\}": "tides_bridge/console.py",
    r"\berror\.exit_code\b": "tides_bridge/console.py",
}
"""What only the module named does."""


@pytest.mark.parametrize("pattern", ONCE)
def test_there_is_one_place_for_it(pattern: str) -> None:
    files = [file for place in PLACES for file in sorted((ROOT / place).rglob("*.py"))]
    assert len(files) > 200
    found = [str(file.relative_to(ROOT)) for file in files if re.search(pattern, file.read_text())]
    assert found == [ONCE[pattern]]


def test_the_stand_ins_have_one_web_server() -> None:
    servers = r"uvicorn\.(run|Server)\(|make_server\(|create_server\(.*app|HTTPServer\(|import waitress"
    files = sorted((ROOT / "simulators").rglob("*.py"))
    found = [str(file.relative_to(ROOT)) for file in files if re.search(servers, file.read_text())]
    assert found == ["simulators/services/web.py"]
