"""The page of objects that were not selected: each once, with what it lacks; and where a function loses objects."""

import re
from typing import Any

import pytest

from tests.sql.test_together import ALONE, seen, take
from tests.support.visitor import Visitor
from tides_bridge.database import Database
from tides_bridge.portal import rejected
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings

KEYS = {"rules": "strict", "filters": [*"griz"], "significance": 5, "minBands": 2, "minNights": 2, "magLimit": 20.0}
DEMANDING = SelectionFunction.parse("demanding", KEYS)
ROW = re.compile(r'<a href="\./objects/ztf/(\w+)">.*?</td>\s*<td>(.*?)</td>', re.DOTALL)


@pytest.fixture
def visitor(database: Database, settings: Settings) -> Visitor:
    """The portal of a bridge whose functions have judged five objects, one of them twice, some of them alone."""
    take(
        database,
        settings,
        [seen("twice", (61000.0, "g", 19.0))],
        [
            seen("band", (61000.0, "g", 18.2), (61001.0, "g", 18.3), east=100),
            seen("faint", (61000.0, "g", 20.5), (61001.0, "r", 20.7), east=200),
            seen("both", (61003.0, "g", 19.1), east=300),
        ],
        functions=[DEMANDING, ALONE],
    )
    again = [
        seen("twice", (61000.0, "g", 19.0), (61001.0, "g", 19.1)),
        seen("target", (61000.0, "g", 19.0), (61001.0, "r", 19.1), east=400),
    ]
    take(database, settings, again, functions=[DEMANDING, ALONE])
    return Visitor(settings)


def rows(text: str) -> dict[str, str]:
    """Give the objects that a page lists, and what they lack."""
    return {name: re.sub(r"<.*?>", "", words) for name, words in ROW.findall(text)}


def test_what_nearly_passed_is_listed_with_by_how_much(visitor: Visitor) -> None:
    listed = rows(visitor.get("rejected", function="demanding").text)
    assert listed == {
        "twice": "minBands misses by 1",
        "band": "minBands misses by 1",
        "faint": "magLimit misses by 0.5 mag",
    }
    several = rows(visitor.get("rejected", function="demanding", lacks="2").text)
    assert several == listed | {"both": "minBands misses by 1 and minNights misses by 1"}
    assert set(rows(visitor.get("rejected", function="demanding", lacks="any", criterion="minNights").text)) == {"both"}
    assert set(rows(visitor.get("rejected", function="demanding", criterion="magLimit").text)) == {"faint"}
    assert set(rows(visitor.get("rejected", function="alone").text)) == {"twice", "band", "both"}


def test_pages_by_key_have_each_object_once(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    for looked_at, shown in ((2, 50), (3, 1), (100, 2)):
        monkeypatch.setattr(rejected, "LOOKED_AT", looked_at)
        monkeypatch.setattr(rejected, "PAGE", shown)
        names: list[str] = []
        path, parameters = "rejected?function=demanding&lacks=any", 0
        while path:
            text = visitor.get(path).text
            names += rows(text)
            following = re.search(r'rel="next" href="\./(.*?)"', text)
            path = following[1].replace("&amp;", "&") if following else ""
            parameters += 1
            assert parameters < 20
        assert sorted(names) == ["band", "both", "faint", "twice"]


def test_histograms_count_each_object_once(visitor: Visitor, database: Database) -> None:
    drawn = list(rejected.histograms_of(rejected.judged_lately(database, "demanding")))
    sums = [{name: sum(columns[name]) for name in rejected.OUTCOMES} for _, _, columns in drawn]
    assert sums == [{"selected": 1, "lack one criterion": 3, "lack several": 1}] * 2
    (_, _, magnitudes), (_, _, dates) = drawn
    assert magnitudes["left"] == [18.0, 18.5, 19.0, 19.5, 20.0, 20.5]
    assert magnitudes["lack one criterion"] == [1, 0, 1, 0, 0, 1]
    assert dates["left"][0] <= 61001 and dates["left"][-1] <= 61003
    plot: dict[str, Any] = visitor.get("rejected/histograms.json", function="demanding", theme="dark").json()
    assert plot["doc"]
    assert visitor.get("rejected/histograms.json", function="none").status_code == 200


def test_what_cannot_be_shown_is_told(visitor: Visitor) -> None:
    answer = visitor.get("rejected", function="other")
    assert answer.status_code == 404 and "there are demanding, alone" in answer.text
    for before in ("yesterday", "0001-01-01T00:00:00+23:59_7"):
        assert visitor.get("rejected", before=before).status_code == 404
    for before in ("2026-01-01T00:00:00+23:59_7", "9999-12-31T00:00:00-23:59_7"):
        assert visitor.get("rejected", before=before).status_code in (200, 404)
    assert visitor.get("rejected/histograms.json", function="\x00").status_code == 200
    text = visitor.get("rejected", function="alone", before="2020-01-01T00:00:00+00:00_1").text
    assert "None of the 0 decisions" in text


def test_a_new_bridge_says_how_to_begin(database: Database, settings: Settings) -> None:
    answer = Visitor(settings).get("rejected")
    assert answer.status_code == 200 and "tides run" in answer.text
