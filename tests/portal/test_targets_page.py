"""The pages of targets as a person's browser asks for them: filter, order, pages, files, and what went wrong."""

import io
import re
from collections.abc import Iterator
from html import unescape

import pandas as pd
import pytest
from astropy.table import Table

from tests.support.databases import rows_of
from tests.support.exchanges import add, change
from tests.support.portal_client import PortalClient
from tides_bridge.database import Database
from tides_bridge.settings import Settings

LINK = re.compile(r'href="\./targets/([^"]+)"')


@pytest.fixture
def client(database: Database, settings: Settings) -> Iterator[PortalClient]:
    for number, name in enumerate(("a", "b", "c/d", "<e>")):
        add(database, name, r_latest_mag=20.5 + number, ra=10.0 + number)
    change(database, "active = FALSE, inactive_reason = 'faint', refused_4most = 'no < field'", "b")
    client = PortalClient(settings)
    yield client
    client.kept.close()


def test_a_list_is_filtered_sorted_and_leads_to_each_target(client: PortalClient) -> None:
    page = client.get("targets?sort=-mag")
    assert LINK.findall(page.text) == ["%3Ce%3E", "c%2Fd", "b", "a"]
    assert "4 targets" in page.text and "<e>" not in page.text
    found = client.get("targets?state=faint&state=unseen&sort=name")
    assert LINK.findall(found.text) == ["b"]
    assert "1 target</b>" in found.text and 'title="no &lt; field"' in found.text
    assert 'href="targets?sort=name"' in unescape(found.text)  # the condition is taken away, the order stays
    assert 'aria-sort="ascending"' in found.text


def test_tiles_lead_to_what_they_count(client: PortalClient) -> None:
    for path in ("", "targets"):
        tiles = re.findall(r'class="tile" href="([^"]+)"><b>(\d+)</b><span class="soft">([^<]+)', client.get(path).text)
        assert {name: int(number) for _, number, name in tiles} == {
            "targets": 4, "active": 3, "off: faint": 1, "refused by 4MOST": 1, "with spectrum": 0, "at 4MOST": 0,
        }  # fmt: skip
        for address, number, _ in tiles:
            assert len(LINK.findall(client.get(unescape(address)).text)) == int(number)


def test_pages_follow_each_other(client: PortalClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tides_bridge.portal.pages.targets.ROWS", 3)
    first = client.get("targets?sort=mag&ra_from=0&ra_to=20")
    (following,) = re.findall(r'<a href="(targets\?[^"]+)" rel="next"', first.text)
    second = client.get(unescape(following))
    assert [LINK.findall(page.text) for page in (first, second)] == [["a", "b", "c%2Fd"], ["%3Ce%3E"]]
    assert "end of the list" in second.text and "« first" in second.text


@pytest.mark.parametrize("kind", ["csv", "vot", "fits", "parquet"])
def test_the_same_list_is_had_as_a_file(client: PortalClient, kind: str) -> None:
    answer = client.get(f"targets.{kind}?state=active&sort=-mag")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="tides-targets.{kind}"'
    stream = io.BytesIO(answer.content)
    if kind in ("vot", "fits"):
        table = Table.read(stream, format={"vot": "votable", "fits": "fits"}[kind])
        assert str(table["ra"].unit) == "deg"
        names = [str(name).strip() for name in table["name"]]
    else:
        names = list((pd.read_csv if kind == "csv" else pd.read_parquet)(stream)["name"])
    assert names == ["<e>", "c/d", "a"]


def test_letters_of_any_script_are_in_each_file(client: PortalClient, database: Database) -> None:
    change(database, "sherlock_class = 'é'", "a")
    for kind, expected in (("csv", "é"), ("vot", "é"), ("fits", r"\xe9")):
        content = client.get(f"targets.{kind}?name=a").content
        assert expected.encode() in content, kind


def test_the_same_list_is_copied_as_code(client: PortalClient, database: Database) -> None:
    texts = re.findall(r'<pre id="code-(\w+)">(.*?)</pre>', client.get("targets?name=a,b&class=").text, re.DOTALL)
    codes = {kind: unescape(text) for kind, text in texts}
    assert "/targets.vot?name=a%2Cb" in codes["Python"]
    rows = rows_of(database, codes["SQL"].replace("%", "%%"))
    assert [row["name"] for row in rows] == ["a", "b"]
    assert codes["ADQL"].endswith("WHERE (name LIKE 'a' OR name LIKE 'b')")


@pytest.mark.parametrize(
    ("query", "said"),
    [("mag_to=bright", "mag_to:"), ("sort=colour", "colour is no order"), ("cursor=x", "cursor:"),
     ("x=1", "x: is none"), ("around=nobody", "nobody is no place"), ("seen_from=%00", "seen_from:")],
)  # fmt: skip
def test_what_is_wrong_is_said_beside_what_was_typed(client: PortalClient, query: str, said: str) -> None:
    answer = client.get(f"targets?name=keep&{query}")
    assert answer.status_code == 422
    assert said in answer.text and 'value="keep"' in answer.text
    assert client.get(f"targets.csv?{query}").status_code == (200 if query == "cursor=x" else 422)  # a file is whole
    assert client.get("targets").status_code == 200


def test_empty_lists_say_what_to_do(client: PortalClient) -> None:
    assert "leave a condition out" in client.get("targets?name=nobody").text
    assert client.get("targets.txt").status_code == 404
