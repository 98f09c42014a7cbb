"""A stand-in that serves the whole session, and a small client for it."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests

from simulators.fourmost.process import FourmostStandin

Row = dict[str, Any]


class Api:
    """Calls to one stand-in, as its account."""

    def __init__(self, standin: FourmostStandin) -> None:
        self.standin = standin
        self.session = requests.Session()
        self.session.auth = (standin.user, standin.password)

    def call(self, method: str, path: str = "targetCat/transients/", **options: Any) -> requests.Response:
        return self.session.request(method, f"{self.standin.address}/{path}", timeout=60, **options)

    def one(self, method: str, row: Row, **options: Any) -> requests.Response:
        return self.call(method, f"targetCat/transients/{row['id']}/", **options)

    def create(self, row: Any) -> Any:
        answer = self.call("POST", json=row)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    def refused(self, row: Any) -> str:
        """The error of a create that must fail."""
        answer = self.call("POST", json=row)
        assert answer.status_code == 400, answer.text
        assert list(answer.json()) == ["err"]
        return str(answer.json()["err"])

    def found(self, **filters: Any) -> list[str]:
        """The names that the filters choose."""
        answer = self.call("GET", params=filters)
        assert answer.status_code == 200, answer.text
        return [row["name"] for row in answer.json()]


@pytest.fixture(scope="session")
def standin() -> Iterator[FourmostStandin]:
    with FourmostStandin("--ingest-at", "off") as running:
        yield running


@pytest.fixture(scope="session")
def api(standin: FourmostStandin) -> Iterator[Api]:
    client = Api(standin)
    with client.session:
        yield client


@pytest.fixture
def connect() -> Iterator[Callable[[FourmostStandin], Api]]:
    """A client for a stand-in of the test's own."""
    clients: list[Api] = []

    def make(standin: FourmostStandin) -> Api:
        clients.append(Api(standin))
        return clients[-1]

    yield make
    for client in clients:
        client.session.close()


NUMBERS = count(1)


@pytest.fixture
def new_row() -> Callable[..., Row]:
    """What must be given, with a name of its own."""

    def make(**changes: Any) -> Row:
        row = {"uploadedfor_survey_id": 15, "name": f"TiDES26-{next(NUMBERS)}", "ra": 150.1, "dec": -20.2, "mag": 20.5}
        return row | changes

    return make


@pytest.fixture(scope="session")
def catalogues() -> Path:
    """Samples of the survey catalogue, which lie outside the project."""
    folder = Path(__file__).parents[2].parent / "shared" / "data" / "fourmost"
    if not folder.is_dir():
        pytest.skip("the survey catalogue samples are not here")
    return folder
