"""Whatever an address holds, the pages and the API answer it or say what is wrong: nothing fails within."""

from collections.abc import Iterator
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from tests.support.exchanges import add
from tests.support.portal_client import PortalClient
from tides_bridge.database import Database
from tides_bridge.portal.api.rows import TargetQuery
from tides_bridge.settings import Settings

PARAMETERS = [field.alias or name for name, field in TargetQuery.model_fields.items()]
VALUES = ("", "0", "-1", "1e5", "nan", "9" * 30, "2026-11-01", "0001-01-01", "9999-12-31", "a", "*", "yes", "active")
VALUES += (
    "10 -20",
    "359.99 90",
    "180 deg",
    "-mag",
    "name",
    "\x00",
    "a\\",
    "%",
    "'",
    "W10",
    "\u00e9\u2028",
    "a,,b",
    "1e400",
)
PATHS = ("targets", "targets.csv", "sky", "api/v1/targets", "api/v1/targets/{}", "api/v1/targets/{}/why")


@pytest.fixture
def client(database: Database, settings: Settings) -> Iterator[PortalClient]:
    add(database, "a", "SN 2026/a", "a/b/c", r_latest_mag=20.0)
    client = PortalClient(settings)
    yield client
    client.kept.close()


@how(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.sampled_from(PATHS),
    st.lists(st.tuples(st.sampled_from(PARAMETERS), st.sampled_from(VALUES) | st.text(max_size=12)), max_size=4),
)
def test_nothing_fails_within(client: PortalClient, path: str, query: list[tuple[str, str]]) -> None:
    name = urlencode({"": (query[0][1] if query else "") or "a"}).removeprefix("=")
    answer = client.get(f"{path.format(name)}?{urlencode(query, errors='surrogatepass')}")
    assert answer.status_code in (200, 404, 422), answer.text
    assert answer.text


@pytest.mark.parametrize("name", ["a", "SN 2026/a", "a/b/c"])
def test_a_name_may_have_what_an_address_has(client: PortalClient, name: str) -> None:
    path = f"targets/{quote(name, safe='')}"
    page = client.get(path)
    assert page.status_code == 200 and f"<title>{name} - TiDES bridge" in page.text
    assert f'data-plot="../{path}/light-curve.json"' in page.text or "No light curve is kept" in page.text
    assert 'href="../static/portal.css"' in page.text
    assert client.get(f"api/v1/{path}").json()["name"] == name
    why = client.get(f"api/v1/{path}/why").json()
    assert [row["name"] for row in why["targets"]] == [name]
    assert client.get(f"objects/ztf/{quote(name, safe='')}").headers["location"] == f"../../{path}"
