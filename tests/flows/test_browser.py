"""
What a person does in the web page of `tides up`, in a real browser: start a run from its form, follow it, look at it.

With BRIDGE_TEST_PICTURES=FOLDER a picture of each page is kept there.
"""

from collections.abc import Iterator

import pytest

from tests.support.browser import Browser, browser
from tests.support.terminal import Terminal

FORM = {
    "TiDES bridge/hourly": ("config", "settings_file"),
    "TiDES bridge/on-event": ("config", "settings_file"),
    "TiDES exchange/every-ten-minutes": ("config", "settings_file"),
    "TiDES reconcile/daily": ("config", "settings_file", "dry_run"),
    "TiDES backup/nightly": ("config", "settings_file"),
    "TiDES spectra/twice-an-hour": ("config", "settings_file"),
    "TiDES TOM/tom": ("config", "settings_file"),
}
"""What each form asks for."""


@pytest.fixture(scope="module")
def page() -> Iterator[Browser]:
    """A browser; the test ends here where there is none."""
    with browser() as found:
        yield found


def test_a_run_is_started_from_its_form_followed_and_looked_at(page: Browser, terminal: Terminal) -> None:
    before = terminal.completed()
    page.open(f"http://127.0.0.1:{terminal.port}/deployments")
    page.follow("hourly")
    page.click_place(".run-menu__run-button")
    page.picture("deployment")
    page.follow("Custom run")
    page.wait_for_text("A configuration in the settings file")
    page.wait_for_text("The settings file; empty:")
    page.picture("form")
    page.click_away("Submit")
    (run,) = terminal.wait_for(lambda: terminal.completed() - before)
    page.open(f"http://127.0.0.1:{terminal.port}/runs/flow-run/{run}")
    page.wait_for_text("Completed")
    page.picture("run")
    page.click("Artifacts")
    page.wait_for_text("What this run did")
    page.picture("artifacts")


def test_the_tables_of_a_run_lead_to_light_curves(page: Browser, terminal: Terminal) -> None:
    tables = terminal.ask("POST", "artifacts/filter", sort="CREATED_DESC")
    newest = next(table for table in tables if table["key"] == "tides-bridge-new-targets")
    page.open(f"http://127.0.0.1:{terminal.port}/artifacts/artifact/{newest['id']}")
    page.wait_for_text("light curve")
    page.picture("new_targets")
    curves = page.links(f":{terminal.page}/light-curves/")
    assert len(curves) > 10
    page.open(curves[0])
    page.wait_for_place("#light-curve > .bk-Column")  # drawn by Bokeh
    page.picture("light_curve")


@pytest.mark.parametrize("name", FORM)
def test_each_form_explains_every_parameter(page: Browser, terminal: Terminal, name: str) -> None:
    deployment = terminal.ask("GET", f"deployments/name/{name}")
    asked = deployment["parameter_openapi_schema"]["properties"]
    assert set(asked) == set(FORM[name])
    page.open(f"http://127.0.0.1:{terminal.port}/deployments/deployment/{deployment['id']}/run")
    for each in asked.values():
        page.wait_for_text(each["description"])
    assert deployment["description"]


def test_the_page_of_targets_leads_back(page: Browser, terminal: Terminal) -> None:
    page.open(f"http://127.0.0.1:{terminal.page}/")
    page.wait_for_text("TiDES")
    assert page.links(f":{terminal.port}") and page.links("/metrics") and page.links("/targets/TiDES")
    page.picture("page")


def test_what_marks_dead_runs_is_among_the_automations(page: Browser, terminal: Terminal) -> None:
    page.open(f"http://127.0.0.1:{terminal.port}/automations")
    for each in terminal.ask("POST", "automations/filter"):
        page.wait_for_text(each["name"])
    page.picture("automations")
