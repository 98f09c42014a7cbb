"""Classes that programs send: as of `tides classified`, from who may, and none is lost."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.databases import rows_of
from tests.support.portal_client import PortalClient
from tests.support.spectra import add_ingested
from tides_bridge.database import Database
from tides_bridge.settings import Settings

CLASSES = "SELECT object_id, source, who, type, redshift, came_from FROM classification ORDER BY classification_id"


@pytest.fixture
def client(database: Database, settings: Settings) -> Iterator[PortalClient]:
    add_ingested(database)
    client = PortalClient(settings)
    yield client
    client.kept.close()


def sent(client: PortalClient, *rows: dict[str, Any]) -> dict[str, Any]:
    answer = client.get("api/v1/classes", "POST", json={"classes": rows})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_classes_come_in_and_twice_is_as_once(client: PortalClient, database: Database) -> None:
    tides_id = rows_of(database, "SELECT tides_id FROM tides_master WHERE name = 'aaa'")[0]["tides_id"]
    rows = [
        {"tides_id": tides_id, "type": "SN Ia", "redshift": 0.1, "who": "eva"},
        {"name": "aab", "redshift": 0.2, "source": "snid"},
        {"name": "nobody", "type": "AGN"},
    ]
    assert sent(client, *rows) == {"read": 3, "new": 2, "strangers": ["nobody"]}
    kept = rows_of(database, CLASSES)
    assert [tuple(row.values()) for row in kept] == [
        ("aaa", "human", "eva", "SN Ia", 0.1, "the API"),
        ("aab", "snid", None, None, 0.2, "the API"),
    ]
    assert sent(client, *rows)["new"] == 0 and rows_of(database, CLASSES) == kept
    notes = rows_of(database, "SELECT object_id FROM annotation WHERE name = 'spectrum.redshift' ORDER BY 1")
    assert [row["object_id"] for row in notes] == ["aaa", "aab"]


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ({"type": "SN"}, "tides_id or name"), ({"name": "aaa", "tides_id": 1, "type": "SN"}, "tides_id or name"),
        ({"name": "aaa"}, "a type or a redshift"), ({"name": "aaa", "redshift": 99}, "less than 20"),
        ({"name": "aaa", "type": "a\x00b"}, "pattern"), ({"name": "aaa", "type": "SN", "z": 1}, "no parameter"),
        ({"tides_id": 2**63, "type": "SN"}, "less than"),
        ({"name": "aaa", "type": "SN", "confidence": 2}, "equal to 1"),
        ({"name": "aaa", "type": "SN", "classified_at": "0001-01-01T00:00:00+14:00"}, "beyond all years"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_nothing_is_kept(
    client: PortalClient, database: Database, row: dict[str, Any], word: str
) -> None:
    answer = client.get("api/v1/classes", "POST", json={"classes": [{"name": "aab", "type": "SN"}, row]})
    assert answer.status_code == 422 and word in answer.text
    assert rows_of(database, CLASSES) == []


def test_a_time_of_any_zone_is_kept_in_utc(client: PortalClient, database: Database) -> None:
    for name, time in (("aaa", "2026-01-02T00:00:00+23:59"), ("aab", "2026-01-01T00:01:00")):
        sent(client, {"name": name, "type": "SN", "classified_at": time})
    kept = rows_of(database, "SELECT DISTINCT classified_at FROM classification")
    assert kept == [{"classified_at": datetime(2026, 1, 1, 0, 1, tzinfo=UTC)}]


def test_only_who_may_sends_them(client: PortalClient, database: Database, settings: Settings) -> None:
    body = {"classes": [{"name": "aaa", "type": "SN"}]}
    page = settings.page.model_copy(update={"host": "127.0.0.1", "address": "https://bridge.example.org"})
    reached = PortalClient(settings.model_copy(update={"page": page}))
    assert reached.get("api/v1/classes", "POST", json=body).status_code == 403
    reached.kept.close()
    as_form = {"content": b'{"classes": []}', "headers": {"content-type": "text/plain"}}
    assert client.get("api/v1/classes", "POST", **as_form).status_code in (403, 422)
    assert rows_of(database, CLASSES) == []
