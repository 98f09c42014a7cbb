"""The page of a target or an object: by all its names, with all that is known, and the form that decides of it."""

from html import unescape
from typing import Any

import pytest

from tests.sql.test_together import LSST_ID, seen, take
from tests.support.databases import rows_of
from tests.support.staging import at
from tests.support.visitor import Visitor
from tides_bridge.database import Database
from tides_bridge.portal.pages.rulings import KINDS
from tides_bridge.settings import Settings

TARGET, OTHER = "targets/TiDES25aaa", "targets/TiDES25aab"
LONE = "ZTF25aaaaaab"


@pytest.fixture
def visitor(database: Database, settings: Settings) -> Visitor:
    """The portal of a bridge with a target of two surveys, one of one, and an object that lacks a band."""
    take(
        database,
        settings,
        [seen("ZTF25aaaaaaa", (61000.0, "g", 19.0), (61001.0, "r", 19.5)), seen(LONE, (61000.0, "g", 19.0), east=900)],
        [seen("ZTF25aaaaaac", (61000.0, "g", 18.0), (61002.0, "i", 18.5), east=500)],
        now_mjd=61005,
    )
    take(database, settings, [seen(LSST_ID, (61003.0, "r", 20.0), (61004.0, "z", 20.5))], now_mjd=61005)
    return Visitor(at(settings, 61005))


def rulings(database: Database) -> list[dict[str, Any]]:
    return rows_of(
        database,
        "SELECT kind, tag, reason, who, until, coalesce(name, ruling.object_id) AS of FROM ruling "
        "LEFT JOIN tides_master USING (tides_id) ORDER BY ruling_id",
    )


def states(database: Database) -> dict[str, str]:
    rows = rows_of(database, "SELECT name, active, inactive_reason FROM tides_master ORDER BY name")
    return {row["name"]: "active" if row["active"] else row["inactive_reason"] for row in rows}


# By any name


def test_each_name_leads_to_the_one_page(visitor: Visitor) -> None:
    ways = {
        "targets/ZTF25aaaaaaa": "TiDES25aaa",
        f"targets/{LSST_ID}": "TiDES25aaa",
        f"objects/lsst/{LSST_ID}": "../../targets/TiDES25aaa",
        "objects/ztf/ZTF25aaaaaac": "../../targets/TiDES25aab",
        f"targets/{LONE}": f"../objects/ztf/{LONE}",
        "light-curves/ztf/ZTF25aaaaaaa": "../../objects/ztf/ZTF25aaaaaaa",
    }
    answers = {path: visitor.get(path) for path in ways}
    assert {path: answer.headers["location"] for path, answer in answers.items()} == ways
    assert {answer.status_code for answer in answers.values()} == {303}


def test_a_target_shows_its_surveys_and_why_it_passed(visitor: Visitor) -> None:
    text = visitor.get(TARGET).text
    assert "ZTF25aaaaaaa" in text and LSST_ID in text and "ZTF25aaaaaac" not in text
    assert "✓ passed" in text and "minBands" in text and "✗ did not pass" not in text
    assert f'data-plot="../{TARGET}/light-curve.json"' in text
    assert "2025-11-21 00:00" in text  # its first detection


def test_each_page_gives_the_lines_for_a_notebook(visitor: Visitor) -> None:
    for path, name in ((TARGET, "TiDES25aaa"), (f"objects/ztf/{LONE}", LONE)):
        page = visitor.get(path).text
        lines = unescape(page.split('<pre id="code-notebook">')[1].split("</pre>")[0])
        assert lines.splitlines()[2:4] == ['bridge = Bridge("http://127.0.0.1:4280")', f'bridge.plot("{name}")']
        assert f"<pre>tides why {name}</pre>" in page


def test_an_object_shows_by_how_much_it_failed(visitor: Visitor) -> None:
    text = visitor.get(f"objects/ztf/{LONE}").text
    assert "not selected" in text and "✗ did not pass" in text and "✗ by 1" in text


def test_what_nobody_knows_is_not_found(visitor: Visitor) -> None:
    for path in ("targets/TiDES25zzz", "objects/ztf/ZTF25zzzzzzz", "objects/lsst/1"):
        answer = visitor.get(path)
        assert answer.status_code == 404 and "Nothing is known of" in answer.text
        assert visitor.get(f"{path}/light-curve.json").status_code == 404


def test_all_surveys_are_in_one_plot(visitor: Visitor) -> None:
    plot = visitor.get(f"{TARGET}/light-curve.json").text
    assert all(f'"value":"{name}"' in plot for name in ("ztf g", "ztf r", "lsst r", "lsst z"))
    assert "AB magnitude" in plot and "µJy]" not in plot
    assert "difference flux" in visitor.get(f"{TARGET}/light-curve.json", scale="flux", theme="dark", width="300").text
    other = visitor.get(f"{OTHER}/light-curve.json").text
    assert '"value":"ztf i"' in other and "lsst" not in other


def test_what_changed_since_a_date_is_told(visitor: Visitor) -> None:
    text = visitor.get(TARGET, since="2025-11-24").text  # MJD 61003
    assert "1 new in lsst r, 1 new in lsst z" in text and "new in ztf" not in text
    assert "no new detection" in visitor.get(TARGET, since="2025-12-24").text
    answer = visitor.get(TARGET, since="yesterday")
    assert answer.status_code == 400 and "yesterday is no time" in answer.text


# Rulings


def decide(visitor: Visitor, path: str, **form: str) -> Any:
    given = {"kind": "veto", "reason": "an AGN", "author": "Éva", "token": visitor.token(path)} | form
    return visitor.post(f"{path}/rulings", given)


def test_a_ruling_is_stored_as_by_the_command(visitor: Visitor, database: Database) -> None:
    answer = decide(visitor, TARGET)
    assert (answer.status_code, answer.headers["location"]) == (303, "../TiDES25aaa#rulings")
    assert states(database) == {"TiDES25aaa": "veto", "TiDES25aab": "active"}
    (row,) = rulings(database)
    assert (row["kind"], row["who"], row["reason"], row["of"]) == ("veto", "Éva", "an AGN", "TiDES25aaa")
    text = visitor.get(TARGET).text
    assert "off: veto" in text and "an AGN" in text and 'value="Éva"' in text  # who it was is typed only once
    decide(visitor, TARGET, kind="release", reason="it is none")
    assert set(states(database).values()) == {"active"}


def test_each_kind_can_be_chosen(visitor: Visitor, database: Database) -> None:
    answers = [decide(visitor, OTHER, kind=kind, tag="lens", until="2099-01-02") for kind in KINDS]
    assert {answer.status_code for answer in answers} == {303}
    found = rulings(database)
    assert [row["kind"] for row in found] == [kind.split(maxsplit=1)[0] for kind in KINDS]
    assert [row["tag"] for row in found] == ["lens" if "tag" in kind else None for kind in KINDS]
    assert {row["of"] for row in found} == {"TiDES25aab"}


def test_an_object_that_is_no_target_is_forced(visitor: Visitor, database: Database) -> None:
    answer = decide(visitor, f"objects/ztf/{LONE}", kind="force")
    assert (answer.status_code, answer.headers["location"]) == (303, f"../{LONE}#rulings")
    assert [(row["kind"], row["of"]) for row in rulings(database)] == [("force", LONE)]


WRONG: list[tuple[dict[str, str], str]] = [
    ({"reason": "  "}, "say why"),
    ({"author": ""}, "say who you are"),
    ({"kind": "tag", "tag": "two words"}, "must be one word"),
    ({"until": "2020-01-01"}, "has passed"),
    ({"until": "soon"}, "is no time"),
    ({"kind": "delete"}, "choose one of"),
]


def test_a_form_that_is_wrong_comes_back_with_what_was_typed(visitor: Visitor, database: Database) -> None:
    for wrong, words in WRONG:
        answer = decide(visitor, TARGET, **{"reason": "a <b>long</b> reason", **wrong})
        assert answer.status_code == 400 and words in answer.text
        assert ("a &lt;b&gt;long&lt;/b&gt; reason" in answer.text) == ("reason" not in wrong)
    assert rulings(database) == [] and set(states(database).values()) == {"active"}


@pytest.mark.parametrize(
    ("path", "wrong", "status"),
    [
        (TARGET, {"reason": "a\x00b"}, 400), (TARGET, {"tag": "a\x00", "kind": "tag"}, 400),
        ("targets/nobody", {"reason": ""}, 404), ("targets/%20", {}, 404),
        ("targets/ZTF25aaaaaaa", {"reason": ""}, 400),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_told(
    visitor: Visitor, database: Database, path: str, wrong: dict[str, str], status: int
) -> None:
    form = {"kind": "veto", "reason": "an AGN", "author": "eva", "token": visitor.token(TARGET)} | wrong
    assert visitor.post(f"{path}/rulings", form).status_code == status
    assert rulings(database) == []


def test_nothing_changes_but_by_a_form_of_ours(visitor: Visitor, database: Database, settings: Settings) -> None:
    token = visitor.token(TARGET)
    form = {"kind": "veto", "reason": "x", "author": "y"}
    refused = [
        visitor.post(f"{TARGET}/rulings", form),
        visitor.post(f"{TARGET}/rulings", form | {"token": "guessed"}),
        visitor.post(f"{TARGET}/rulings", form | {"token": token}, Origin="http://127.0.0.1:4200"),
        visitor.post(f"{TARGET}/rulings", form | {"token": token}, Origin="null"),
        visitor.post(f"{TARGET}/rulings", form | {"token": token}, Origin="http://["),
        Visitor(settings).post(f"{TARGET}/rulings", form | {"token": token}),
    ]
    assert [answer.status_code for answer in refused] == [403] * 6
    assert visitor.get(f"{TARGET}/rulings", **form, token=token).status_code == 404
    assert visitor.post(f"{TARGET}/rulings", form | {"token": "x" * 30_000}).status_code == 413
    assert rulings(database) == []
    assert visitor.post(f"{TARGET}/rulings", form | {"token": token}).status_code == 303


def test_where_others_look_nobody_rules_without_accounts(
    visitor: Visitor, database: Database, settings: Settings
) -> None:
    token = visitor.token(TARGET)
    for page in ({"address": "https://bridge.example.org/tides"}, {"host": "10.0.0.7"}):
        other = Visitor(settings.model_copy(update={"page": settings.page.model_validate(page)}))
        text = other.get(TARGET).text
        assert "there are no accounts" in text and "<textarea" not in text
        other.cookies = visitor.cookies
        answer = other.post(f"{TARGET}/rulings", {"kind": "veto", "reason": "x", "author": "y", "token": token})
        assert answer.status_code == 403 and "there are no accounts" in answer.text
    assert rulings(database) == []
