"""The portal in a real browser: what is drawn and decided there, without anything from elsewhere."""

import threading
from collections.abc import Iterator
from socket import create_server

import pytest
from selenium.webdriver.common.by import By

from tests.sql.test_together import LSST_ID, seen, take
from tests.support.browser import Browser, browser
from tests.support.staging import at
from tides_bridge.database import Database
from tides_bridge.operations.problems import PrefectFacts
from tides_bridge.operations.remembered import KeptDatabase
from tides_bridge.portal.app import make_app
from tides_bridge.portal.serving import server_of
from tides_bridge.settings import Settings

WIDTHS = (1400, 420)
"""[px] Of a desk and of a telephone."""


@pytest.fixture
def address(database: Database, settings: Settings) -> Iterator[str]:
    """Where the portal of a bridge with a target of two surveys, and one of one, is served."""
    both = [seen("ZTF25aaaaaaa", (61000.0, "g", 19.0), (61001.0, "r", 19.5)), seen("b", (61000.0, "g", 19.0), east=90)]
    take(database, settings, both, now_mjd=61005)
    take(database, settings, [seen(LSST_ID, (61003.0, "r", 20.0), (61004.0, "z", 20.5))], now_mjd=61005)
    facts = PrefectFacts("http://127.0.0.1:4200/api", "not asked in tests")
    app = make_app(at(settings, 61005), KeptDatabase(settings), lambda _: facts, "http://127.0.0.1:4200")
    with create_server(("127.0.0.1", 0)) as listener:
        server = server_of(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def page() -> Iterator[Browser]:
    with browser() as found:
        yield found


def complaints(page: Browser) -> list[str]:
    """Give what the browser refused to load or run, and what failed in a script."""
    return [entry["message"] for entry in page.driver.get_log("browser") if entry["level"] == "SEVERE"]  # type: ignore[no-untyped-call]


def decide(page: Browser, kind: str, reason: str) -> None:
    page.driver.find_element(By.CSS_SELECTOR, f"option[value={kind}]").click()
    page.driver.find_element(By.NAME, "reason").send_keys(reason)
    author = page.driver.find_element(By.NAME, "author")
    author.clear()
    author.send_keys("Eva")
    page.click("Decide")


def test_a_person_looks_vetoes_and_undoes(page: Browser, address: str) -> None:
    for width in WIDTHS:
        page.driver.set_window_size(width, 1300)
        page.open(f"{address}/targets/{LSST_ID}")
        page.wait_for_place("#light-curve > .bk-Column")
        page.click("flux")
        page.wait_for_place("[data-scale=flux][aria-pressed=true]")
        page.picture(f"target_{width}")
        decide(page, "veto", "an AGN")
        page.wait_for_text("off: veto")
        decide(page, "release", "it is none")
        page.wait_for_text("it is none")
        assert "off: veto" not in page.text()
        assert page.driver.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    assert complaints(page) == []


def test_what_was_rejected_leads_to_its_page(page: Browser, address: str) -> None:
    page.open(f"{address}/rejected")
    page.wait_for_place("[data-plot] > *")
    page.follow("b")
    page.wait_for_text("not selected")
    page.open(f"{address}/nights")
    page.wait_for_text("Nights and runs")
    assert complaints(page) == []


def test_a_person_subscribes_and_pauses(page: Browser, address: str) -> None:
    page.driver.set_window_size(1400, 1300)
    page.open(f"{address}/subscriptions")
    page.driver.find_element(By.NAME, "name").send_keys("young")
    page.driver.find_element(By.NAME, "address").send_keys("jsons://example.org/told")
    page.driver.find_element(By.NAME, "on-new").click()
    page.driver.find_element(By.NAME, "where").send_keys("class=SN")
    page.click("Subscribe")
    page.wait_for_text("jsons")  # in the list: the form has all other words, too
    page.click("pause")
    page.wait_for_text("paused")
    for width in WIDTHS:
        page.driver.set_window_size(width, 1300)
        page.picture(f"subscriptions_{width}")
        assert page.driver.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    assert complaints(page) == []
