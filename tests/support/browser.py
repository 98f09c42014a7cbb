"""A real browser for the pages that people see."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

WAIT_SECONDS = 180
PATIENCE_SECONDS = 15
"""After which what was clicked in vain is clicked again."""
PICTURES = "BRIDGE_TEST_PICTURES"
"""Folder for what the browser shows, for people who want to look; without it no picture is kept."""


class Browser:
    """Chromium without a window: finds things by the text that a person reads."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, address: str) -> None:
        self.driver.get(address)

    def text(self) -> str:
        # In one step: between two a page that is being left has no body any more.
        return str(self.driver.execute_script("return document.body ? document.body.innerText : ''"))

    def wait_for_text(self, text: str) -> None:
        self._wait(lambda: text in self.text(), f"no text {text!r} in:\n{self.text()}")

    def link(self, text: str) -> WebElement:
        """The first thing to click that shows exactly this text."""
        found: list[WebElement] = []

        def look() -> bool:
            found[:] = [
                element for element in self._clickable() if element.text.strip() == text and element.is_displayed()
            ]
            return bool(found)

        self._wait(look, f"nothing to click with {text!r} in:\n{self.text()}")
        return found[0]

    def click(self, text: str) -> None:
        self.link(text).click()

    def click_away(self, text: str) -> None:
        """Click what leads to another page, once more if the page, which was not ready, swallowed the click."""
        address = self.driver.current_url
        self.click(text)

        def look() -> bool:
            left = self.driver.current_url != address
            if not left and time.monotonic() > again[0]:
                again[0] = time.monotonic() + PATIENCE_SECONDS
                for element in self._clickable():
                    if element.text.strip() == text and element.is_displayed():
                        element.click()
            return left

        again = [time.monotonic() + PATIENCE_SECONDS]
        self._wait(look, f"{text!r} leads nowhere in:\n{self.text()}")

    def follow(self, text: str) -> None:
        """Go where the link with this text leads; pages that are drawn anew all the time swallow a click."""
        self.open(str(self.link(text).get_attribute("href")))

    def click_place(self, selector: str) -> None:
        """Click what has a style's name; only for buttons without a text."""
        self._wait(lambda: bool(self.driver.find_elements(By.CSS_SELECTOR, selector)), f"no {selector}")
        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    def wait_for_place(self, selector: str) -> None:
        """Wait for what a style finds, such as a plot that was drawn."""
        self._wait(lambda: bool(self.driver.find_elements(By.CSS_SELECTOR, selector)), f"no {selector}")

    def links(self, part: str) -> list[str]:
        """The addresses on this page with a part in them, once each."""
        every = (link.get_attribute("href") or "" for link in self.driver.find_elements(By.TAG_NAME, "a"))
        return list(dict.fromkeys(address for address in every if part in address))

    def picture(self, name: str) -> None:
        if folder := os.environ.get(PICTURES):
            self.driver.save_screenshot(str(Path(folder, f"{name}.png")))

    def _clickable(self) -> list[WebElement]:
        return list(self.driver.find_elements(By.CSS_SELECTOR, "a, button, [role=tab], .p-tab"))

    def _wait(self, look: Callable[[], bool], problem: str) -> None:
        waiting = WebDriverWait(self.driver, WAIT_SECONDS, 0.2, [StaleElementReferenceException])
        waiting.until(lambda _: look(), problem)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium; the test is skipped where it or its driver is not installed."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("chromium and chromedriver are not on this machine")
    options = ChromeOptions()
    options.binary_location = program
    for option in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,1300"):
        options.add_argument(option)
    chrome = Chrome(options=options, service=ChromeService(driver))
    try:
        yield Browser(chrome)
    finally:
        chrome.quit()
