"""The API as programs see it: pages, changes in order, Arrow, ETags, and problems that name the parameter."""

import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from tests.support.curves import curves_of, point
from tests.support.databases import rows_of
from tests.support.exchanges import add, change
from tests.support.portal_client import PortalClient
from tides_bridge.database import Database
from tides_bridge.portal.api.answers import ARROW, PROBLEM
from tides_bridge.portal.api.objects import curve_points
from tides_bridge.portal.api.rows import EXAMPLE
from tides_bridge.settings import Settings


@pytest.fixture
def client(database: Database, settings: Settings) -> Iterator[PortalClient]:
    client = PortalClient(settings)
    yield client
    client.kept.close()


def targets(client: PortalClient, **query: Any) -> dict[str, Any]:
    answer = client.get("api/v1/targets", params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def names(page: dict[str, Any]) -> list[str]:
    return [row["name"] for row in page["targets"]]


def test_targets_come_in_pages(client: PortalClient, database: Database) -> None:
    add(database, "a", "b", "c", "d", "e", r_latest_mag=20.5)
    change(database, "active = FALSE, inactive_reason = 'faint'", "c")
    first = targets(client, limit=2, sort="name")
    second = targets(client, limit=2, sort="name", cursor=first["next"])
    last = targets(client, limit=2, sort="name", cursor=second["next"])
    assert [names(page) for page in (first, second, last)] == [["a", "b"], ["c", "d"], ["e"]]
    assert last["next"] is None
    found = targets(client, state="faint")
    assert (names(found), found["number"]) == (["c"], 1)
    assert names(targets(client, state=["faint", "active"], sort="-name", limit=1)) == ["e"]
    row = found["targets"][0]
    known = {"aliases": [{"survey": "ztf", "object_id": "c"}], "is_active": False, "state": "faint", "mag": 20.5}
    known |= {"dec": -20.0, "links": {"self": "targets/c", "light_curve": "targets/c/light-curve"}}
    known["links"] |= {"why": "targets/c/why", "page": "../../targets/c"}
    assert {key: row[key] for key in known} == known


def test_a_row_is_as_it_is_described(client: PortalClient, database: Database) -> None:
    add(database, "a")
    described = client.get("api/v1/openapi.json").json()["components"]["schemas"]["TargetRow"]
    assert targets(client)["targets"][0].keys() == described["properties"].keys() == EXAMPLE.keys()
    assert described["example"]["name"] == EXAMPLE["name"]


def test_changes_are_asked_for_by_the_cursor_of_the_last_time(client: PortalClient, database: Database) -> None:
    add(database, "a", "b", "c")
    first = targets(client, changed_after="", limit=2)
    rest = targets(client, changed_after=first["next"], limit=2)
    assert sorted(names(first) + names(rest)) == ["a", "b", "c"]
    assert names(targets(client, changed_after=rest["next"])) == []
    change(database, "ra = 11", "b")
    rows_of(database, "UPDATE tides_master SET merged_into = 1, inactive_reason = 'merged', active = FALSE "
            "WHERE name = 'c' RETURNING 1")  # fmt: skip
    page = targets(client, changed_after=rest["next"])
    assert {row["name"]: (row["ra"], row["merged_into"]) for row in page["targets"]} == {
        "b": (11, None),
        "c": (10, "a"),
    }


def test_arrow_is_the_same_list_with_units(client: PortalClient, database: Database) -> None:
    add(database, "a", "b", r_latest_mag=20.5)
    answer = client.get("api/v1/targets", params={"limit": 1, "sort": "name"}, headers={"Accept": ARROW})
    table = pa.ipc.open_stream(io.BytesIO(answer.content)).read_all()
    assert (table["name"].to_pylist(), table["mag"].to_pylist()) == (["a"], [20.5])
    assert table.schema.field("ra").metadata[b"unit"] == b"deg"
    for accepted, kind in ((ARROW.upper(), ARROW), (f"*/*, {ARROW};q=0.0", "application/json")):
        assert client.get("api/v1/targets", headers={"Accept": accepted}).headers["Content-Type"] == kind
    assert names(targets(client, limit=1, sort="name", cursor=answer.headers["X-Next"])) == ["b"]


def test_what_is_known_already_is_not_sent_again(client: PortalClient, database: Database) -> None:
    add(database, "a")
    tag = client.get("api/v1/targets").headers["ETag"]
    again = client.get("api/v1/targets", headers={"If-None-Match": f'"x", W/{tag}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    change(database, "n_detections = 9", "a")
    assert client.get("api/v1/targets", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("query", "parameter", "detail"),
    [
        ({"limit": 0}, "limit", "greater than or equal to 1"), ({"sort": "colour"}, "sort", "colour is no order"),
        ({"colour": "red"}, "colour", "is no parameter"), ({"state": "dead"}, "state", "dead is none"),
        ({"mag_to": "inf"}, "mag_to", "finite"), ({"around": "nobody"}, "around", "nobody is no place"),
        ({"cursor": "x"}, "cursor", "is none that a page gave"), ({"changed_after": "x"}, "changed_after", "no cursor"),
        ({"changed_after": "", "sort": "name"}, "changed_after", "an order"), ({"name": "a\x00"}, "name", "a letter"),
        ({"type": "SN*"}, "type", "whole words"), ({"class": "NT,S*"}, "class", "whole words"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_by_the_name_of_the_parameter(
    client: PortalClient, query: dict[str, Any], parameter: str, detail: str
) -> None:
    answer = client.get("api/v1/targets", params=query)
    said = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, PROBLEM)
    assert (said["status"], said["parameter"]) == (422, parameter)
    assert detail in said["detail"]
    assert client.get("api/v1/targets").status_code == 200  # the database is still open


def test_what_is_not_there_is_a_problem_too(client: PortalClient) -> None:
    answer = client.get("api/v1/nothing")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, PROBLEM)
    assert client.get("api/v1/targets", "POST").status_code == 405


def test_a_target_is_had_by_any_of_its_names(client: PortalClient, database: Database) -> None:
    add(database, "a", "b")
    rows_of(database, "UPDATE tides_master SET name = 'TiDES26a' WHERE name = 'a' RETURNING 1")
    for name in ("a", "TiDES26a"):
        answer = client.get(f"api/v1/targets/{name}")
        assert (answer.status_code, answer.json()["name"]) == (200, "TiDES26a")
    assert client.get("api/v1/targets/a/light-curve").json() == []
    assert client.get("api/v1/targets/a/why").json()["targets"][0]["name"] == "TiDES26a"
    for end in ("decisions", "exchange", "rulings"):
        assert list(client.get(f"api/v1/targets/a/{end}").json().values()) == [[]]
    for end in ("", "/light-curve", "/why", "/rulings"):
        answer = client.get(f"api/v1/targets/nobody{end}")
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, PROBLEM)
    assert client.get("api/v1/targets/a/why?as_of=2026").status_code == 422


def test_points_say_what_they_are() -> None:
    curves = curves_of(
        point(1.0, "r", mag=20.0),
        point(2.0, "?", positive=False),
        point(3.0, mag=float("nan"), error=21.0, detection=False),
        point(2.0, "g", of=1),
    )
    points = curve_points(curves, ["ztf", "lsst"])
    assert [(row["survey"], row["object_id"], row["mjd"], row["band"]) for row in points] == [
        ("ztf", "a", 1.0, "r"), ("ztf", "a", 2.0, None), ("ztf", "a", 3.0, "g"), ("lsst", "b", 2.0, "g"),
    ]  # fmt: skip
    assert [row["kind"] for row in points] == ["detection", "negative", "limit", "detection"]
    assert (points[0]["mag"], points[2]["mag"]) == (20.0, None)
