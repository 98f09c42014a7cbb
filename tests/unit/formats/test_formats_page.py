"""The page about formats says what the code does."""

import re
from pathlib import Path

from tides_bridge.formats.meaning.bands import band_named
from tides_bridge.formats.meaning.roles import NAMES

PAGE = (Path(__file__).parents[3] / "docs/formats.md").read_text()


def in_code(section: str) -> list[str]:
    """Give what a section of the page has in code."""
    return re.findall(r"`([^`]+)`", PAGE.split(f"## {section}\n")[1].split("\n## ")[0])


def test_spellings_of_bands_on_the_page_are_read() -> None:
    spellings = [text for text in in_code("Bands") if "g" in text and "/" not in text]
    assert len(spellings) >= 8
    assert {band_named(text) for text in spellings} == {"g"}


def test_columns_on_the_page_have_a_role() -> None:
    names = {name for known in NAMES.values() for name in known}
    epochs = [text.lower() for text in in_code("Epochs") if text != "timesys"]
    others = ["zp", "zeropoint", "zpsys", "magsys", "ebv", "mwebv", "ra", "dec", "survey", "telescope", "passband"]
    assert set(epochs) | set(others) <= names
