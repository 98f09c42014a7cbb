"""The page as people and Prometheus see it: a real night, the real command, real HTTP."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from simulators.standins.bundle import Standins, write_settings
from tests.support.databases import rows_of
from tests.support.exchanges import add
from tests.support.forked import forked_tides
from tests.support.processes import ROOT, free_port
from tides_bridge.database import open_database
from tides_bridge.database.embedded import EmbeddedServer
from tides_bridge.portal.guard import HEADERS
from tides_bridge.settings import Settings, load_settings

SECONDS = 60
"""[s] For any answer."""


class Page:
    """The process `tides page`."""

    def __init__(self, settings_file: Path, prefect: str, **environment: str) -> None:
        self.address = ""
        command = [sys.executable, "-m", "flows.cli", "page", "--settings", str(settings_file)]
        variables = os.environ | {"PREFECT_API_URL": prefect, "TIDES_PAGE__PORT": str(free_port())} | environment
        self.process = subprocess.Popen(command, env=variables, cwd=ROOT, text=True, stdout=subprocess.PIPE)
        assert self.process.stdout
        self.address = self.process.stdout.readline().removeprefix("page: ").strip()

    def get(self, path: str) -> requests.Response:
        return requests.get(f"{self.address}/{path}", timeout=SECONDS)

    def numbers(self) -> dict[str, float]:
        lines = [line for line in self.get("metrics").text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    def stop(self) -> int:
        self.process.terminate()
        assert self.process.stdout
        self.process.stdout.close()
        return self.process.wait(SECONDS)


@pytest.fixture(scope="module")
def night(standins: Standins, tmp_path_factory: pytest.TempPathFactory, prefect_api: str) -> Path:
    """The settings of a bridge that has run once."""
    settings = standins.settings({"deactivateAfter": "7305 days"})
    settings["broker"]["silence"] = "0.5 seconds"
    file = tmp_path_factory.mktemp("night") / "settings.yaml"
    write_settings(file, settings)
    ended = forked_tides("run", "--settings", file, PREFECT_API_URL=prefect_api)
    assert ended.returncode == 0, ended.stderr
    return file


@pytest.fixture(scope="module")
def settings_of_night(night: Path) -> Settings:
    return load_settings(file=night)


@pytest.fixture(scope="module")
def page(night: Path, prefect_api: str) -> Iterator[Page]:
    page = Page(night, prefect_api)
    yield page
    assert page.stop() == 0


@pytest.fixture(scope="module")
def target(settings_of_night: Settings) -> str:
    """An object that passed and is at 4MOST."""
    with open_database(settings_of_night) as database:
        rows = rows_of(database, "SELECT object_id FROM tides_master WHERE pk_4most IS NOT NULL ORDER BY tides_id")
    return str(rows[0]["object_id"])


# Numbers


def test_the_numbers_are_those_of_the_run(page: Page, settings_of_night: Settings) -> None:
    found = page.numbers()
    with open_database(settings_of_night) as database:
        (own,) = rows_of(database, "SELECT counts FROM run_log WHERE kind = 'bridge'")
        (stored,) = rows_of(database, "SELECT count(*) AS all, count(pk_4most) AS known FROM tides_master")
    counts = own["counts"]
    assert found["tides_messages_total"] == counts["messages"] > 0
    assert found['tides_decisions_total{passed="true"}'] == counts["passed"] > 0
    states = [value for name, value in found.items() if name.startswith("tides_targets{")]
    assert sum(states) == stored["all"]
    assert found['tides_fourmost_targets{state="known"}'] == stored["known"] > 0
    waiting = [value for name, value in found.items() if name.startswith("tides_exchange_backlog")]
    assert len(waiting) == 5 and set(waiting) == {0}
    assert sum(value for name, value in found.items() if name.startswith("tides_lag_messages")) == 0
    assert [found[f"tides_{name}_up"] for name in ("database", "prefect")] == [1, 1]
    assert found['tides_broker_up{broker="lasair_ztf"}'] == 1


def test_prometheus_takes_them_as_they_are(page: Page) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not on this machine")
    answer = page.get("metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=answer.text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# What people see


def test_the_newest_targets_lead_to_their_pages(page: Page, prefect_api: str) -> None:
    answer = page.get("")
    assert answer.status_code == 200
    assert f'href="{prefect_api.removesuffix("/api")}"' in answer.text
    links = re.findall(r'href="./(targets/TiDES\w+)"', answer.text)
    assert links and len(links) == len(set(links))
    assert page.get(links[-1]).status_code == 200


def test_a_light_curve_is_shown_with_what_was_measured(page: Page, target: str) -> None:
    answer = page.get(f"light-curves/ztf/{target}")
    assert re.fullmatch(rf"{page.address}/targets/TiDES\w+", answer.url)
    assert re.search(r"<span class=\"badge on\">active</span>", answer.text) and re.search(
        r"Row <b>\d+</b>", answer.text
    )
    assert all(criterion in answer.text for criterion in ("minBands", "minNights", "magLimit"))
    assert re.findall(r"<td>ztf <b>([gr])</b></td>", answer.text) == ["g", "r"]
    assert page.get(f"{answer.url.removeprefix(page.address)[1:]}/light-curve.json").json()["doc"]
    plot = page.get(f"light-curves/ztf/{target}.png")
    assert plot.headers["Content-Type"] == "image/png"
    assert plot.content.startswith(b"\x89PNG")


def test_the_link_to_the_broker_is_that_of_lasair(page: Page, target: str, standins: Standins) -> None:
    lasair = standins.settings({})["lightCurves"]["address"].removesuffix("/api")
    assert f'href="{lasair}/objects/{target}/"' in page.get(f"light-curves/ztf/{target}").text


def test_a_target_is_found_by_its_own_name(page: Page, settings_of_night: Settings, target: str) -> None:
    with open_database(settings_of_night) as database:
        (row,) = rows_of(database, f"SELECT name FROM tides_master WHERE object_id = '{target}'")
    assert page.get(f"light-curves/ztf/{row['name']}").url == f"{page.address}/targets/{row['name']}"


@pytest.mark.parametrize("path", ["light-curves/ztf/none", "light-curves/ztf/none.png", "light-curves/x/%3Cb%3E.png"])
def test_what_is_not_known_is_not_found(page: Page, path: str) -> None:
    answer = page.get(path)
    assert answer.status_code == 404
    assert "<b>" not in answer.text


@pytest.mark.parametrize("path", ["light-curves/ztf/a%00b", "light-curves/ztf/%00.png", "light-curves/a%00/b", "%00"])
def test_what_no_database_can_hold_is_not_found(page: Page, path: str) -> None:
    assert page.get(path).status_code == 404
    assert page.get("light-curves/ztf/%01%FF%ED%A0%80%0A").status_code == 404
    assert page.get("").status_code == 200


def test_every_answer_has_the_headers_and_is_for_our_hosts_only(page: Page, target: str) -> None:
    def statuses(paths: list[str], method: str, **headers: str) -> set[int]:
        asked = [requests.request(method, f"{page.address}/{path}", headers=headers, timeout=SECONDS) for path in paths]
        assert all(answer.headers.items() >= HEADERS.items() for answer in asked)
        return {answer.status_code for answer in asked}

    paths = ["", "health", "metrics", f"light-curves/ztf/{target}", f"light-curves/ztf/{target}.png"]
    for method in ("GET", "HEAD"):
        assert statuses(paths, method) == statuses(paths, method, Host="localhost") == {200}
        assert statuses(["docs", "light-curves/ztf/none", "%00"], method) == {404}
        assert statuses([*paths, "docs", "%00"], method, Host="evil.example.org") == {400}
    assert statuses(paths, "POST") == {405}


def test_nothing_that_stands_in_the_tables_runs_in_a_browser(page: Page, settings_of_night: Settings) -> None:
    evil = "<script>alert(1)</script>/..?#"
    with open_database(settings_of_night) as database:
        add(database, evil)
        answer = page.get("")
        for table in ("association", "tides_master"):
            rows_of(database, f"DELETE FROM {table} WHERE object_id = '{evil}' RETURNING 1")
    assert "alert(1)" in answer.text
    assert "<script" not in answer.text
    assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_documentation_that_loads_scripts_from_elsewhere_is_off(page: Page) -> None:
    assert {page.get(path).status_code for path in ("docs", "redoc", "openapi.json")} == {404}


# What goes wrong


def test_it_says_that_the_database_is_away_and_comes_back_by_itself(page: Page, settings_of_night: Settings) -> None:
    assert page.get("health").text == "ok\n"
    folder = settings_of_night.database.folder
    assert folder
    pid = EmbeddedServer(folder).pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    answers = []
    while not answers or (answers[-1].status_code == 200 and EmbeddedServer(folder).pid() in (pid, None)):
        answers.append(page.get("health"))
    assert answers[-1].status_code == 503
    assert "embedded database" in answers[-1].text
    assert page.get("health").text == "ok\n"


def test_without_a_database_every_address_says_so(night: Path, prefect_api: str, tmp_path: Path) -> None:
    page = Page(night, prefect_api, TIDES_DATABASE__HOST="127.0.0.1", TIDES_DATABASE__PORT=str(free_port()))
    for path in ("", "light-curves/ztf/a", "light-curves/ztf/a.png"):
        answer = page.get(path)
        assert answer.status_code == 503
        assert "database cannot be asked" in answer.text and 'http-equiv="refresh"' in answer.text
    assert page.get("health").status_code == 503
    assert page.numbers()["tides_database_up"] == 0
    assert page.stop() == 0


def test_a_port_that_is_taken_is_named(page: Page, night: Path) -> None:
    port = page.address.rpartition(":")[2]
    ended = forked_tides("page", "--settings", night, TIDES_PAGE__PORT=port)
    assert ended.returncode == 2
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("tides:")]
    assert f"127.0.0.1:{port} cannot be had" in line and "page.port" in line


def test_no_secret_is_shown(page: Page, night: Path, target: str) -> None:
    settings = next(iter(yaml.safe_load(night.read_text()).values()))
    shown = "".join(page.get(path).text for path in ("", "metrics", "health", f"light-curves/ztf/{target}"))
    for secret in (settings["lasairToken"], settings["fourmost"]["token"]):
        assert secret and secret not in shown


def test_scripts_styles_and_the_icon_come_from_the_portal_itself(page: Page) -> None:
    for path, kind in {
        "static/portal.css": "text/css",
        "static/plots.js": "text/javascript",
        "static/favicon.svg": "image/svg+xml",
        "static/bokeh/bokeh.min.js": "text/javascript",
        "favicon.ico": "image/svg+xml",
    }.items():
        answer = page.get(path)
        assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, kind), path
        assert answer.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("path", "home"),
    [("static/%2e%2e/app.py", "../.."), ("static/bokeh/", "../.."), ("nowhere", "."), ("a/b/c", "../..")],
)
def test_an_address_that_is_none_leads_home(page: Page, path: str, home: str) -> None:
    answer = page.get(path)
    assert answer.status_code == 404
    assert "Not found" in answer.text
    assert f'<a class="name" href="{home}/">' in answer.text
