"""The client for notebooks, through the portal and straight from the database; and the notebooks themselves."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
import requests
from astropy.coordinates import SkyCoord
from astropy.table import Table

from tests.support.databases import copy_database, make_settings
from tests.support.observatory import HARD, TARGETS, fill, judge_all, places, served_alone
from tides_bridge.client import Bridge
from tides_bridge.database import open_database
from tides_bridge.errors import RejectedError, TransientError
from tides_bridge.settings import Settings

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs/notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def sky(database_folder: Path) -> Settings:
    copy_database(database_folder, "tides_template", "client")
    settings = make_settings(database_folder, "client")
    with open_database(settings) as database:
        fill(database, settings)
        judge_all(database)
    return settings


@pytest.fixture(scope="module")
def address(sky: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_alone(sky, tmp_path_factory.mktemp("state")) as address:
        yield address


@pytest.fixture(params=["portal", "database"])
def bridge(request: pytest.FixtureRequest, sky: Settings, address: str) -> Bridge:
    return Bridge(address) if request.param == "portal" else Bridge(database=sky)


def name_of(bridge: Bridge, object_id: str) -> str:
    return str(bridge.target(object_id)["name"])


def test_targets_have_units_and_become_pandas(bridge: Bridge) -> None:
    targets = bridge.targets("refused_4most IS NOT NULL")
    assert (len(targets), len(bridge.targets()), targets["ra"].unit) == (2, TARGETS, u.deg)
    assert targets.to_pandas()["refused_4most"].tolist() == [HARD, HARD]


def test_a_target_is_found_by_any_of_its_names(bridge: Bridge) -> None:
    name = name_of(bridge, "O1")
    assert bridge.target(name)["object_id"] == "O1"
    for other in ("it's", "", "R1"):
        with pytest.raises(RejectedError, match="no target is called so"):
            bridge.target(other)


def test_a_cone_and_a_crossmatch_find_what_is_near(bridge: Bridge) -> None:
    ra, decl = places()
    assert len(bridge.cone(SkyCoord(0 * u.deg, 0 * u.deg), 1 * u.deg)) == 3
    mine = Table({"ra": [ra[7], 100.0, ra[4]], "dec": [decl[7] + 0.0002, 1.0, decl[4]], "mine": ["a", "b", "c"]})
    pairs = bridge.crossmatch(mine, 1 * u.arcsec)
    assert pairs["mine"].tolist() == ["a", "c"]
    assert [name_of(bridge, object_id) for object_id in ("O7", "O4")] == pairs["name"].tolist()
    assert pairs["separation"][0] == pytest.approx(0.72, abs=0.01)


def test_decisions_are_those_that_were_known(bridge: Bridge) -> None:
    (decision,) = bridge.decisions(name_of(bridge, "O12"))
    assert (decision["object_id"], bool(decision["passed"])) == ("O12", True)
    assert len(bridge.decisions("O12", as_of="2025-10-21")) == 0
    assert len(bridge.decisions("O12", as_of="2025-10-22T00:00:00Z")) == 1
    assert len(bridge.decisions("nothing")) == 0


def test_why_tells_each_criterion(bridge: Bridge) -> None:
    reasons = {str(row["path"]): (float(row["measured"]), bool(row["is_fulfilled"])) for row in bridge.why("R3")}
    assert reasons == {"nights": (1.0, False), "faintness": (17.65, True)}
    assert len(bridge.why("nothing")) == 0


def test_a_light_curve_has_its_points(bridge: Bridge) -> None:
    points = bridge.light_curve(name_of(bridge, "O1"))
    assert (points["flux"].unit, points["band"].tolist()) == (u.nJy, ["g", "r", "g"])
    assert points["is_detection"].tolist() == [True, True, False]
    assert points["magnitude"][:2].tolist() == pytest.approx([19.0, 18.5])
    assert np.ma.is_masked(points["magnitude"][2])
    assert len(bridge.light_curve("nothing")) == 0
    assert bridge.plot("O1").get_xlabel() == "MJD"


def test_each_way_gives_the_newest_light_curve(bridge: Bridge, address: str) -> None:
    name = name_of(bridge, "O2")
    points = bridge.light_curve(name)
    assert (points["mjd"].tolist(), points["band"].tolist()) == ([60990.0, 60998.0], ["g", "i"])
    shown = requests.get(f"{address}/api/v1/targets/{name}/light-curve", timeout=60).json()
    assert [(row["mjd"], row["band"]) for row in shown] == [(60990.0, "g"), (60998.0, "i")]


def test_what_else_is_known_of_a_target(bridge: Bridge) -> None:
    assert bridge.magnitudes("O5")["band"].tolist() == ["r"]
    for ask in (bridge.tonight, bridge.hosts, bridge.spectra):
        assert len(ask("O5")) == 0


def test_a_veto_is_a_ruling(bridge: Bridge, request: pytest.FixtureRequest) -> None:
    object_id = f"O{20 + len(request.node.name)}"
    bridge.veto(object_id, "a 'star'", "Ada")
    (ruling,) = bridge.rulings(object_id)
    assert (ruling["kind"], ruling["reason"], ruling["who"]) == ("veto", "a 'star'", "Ada")
    assert len(bridge.rulings()) >= 1
    bridge.rule(object_id, "release", "it was none", "Ada")
    assert [bool(row["is_in_force"]) for row in bridge.rulings(object_id) if row["kind"] == "veto"] == [False]


def test_more_rows_are_warned_of(bridge: Bridge) -> None:
    with pytest.warns(UserWarning, match="there are more rows"):
        assert len(bridge.targets(most=3)) == 3


def test_an_error_says_what_to_do(bridge: Bridge) -> None:
    with pytest.raises(RejectedError, match="no column nam: is name meant"):
        bridge.targets("nam = 1")
    with pytest.raises(TransientError, match="is the portal up"):
        Bridge("http://127.0.0.1:1").targets()


def cells(notebook: Path) -> Iterator[str]:
    for cell in json.loads(notebook.read_text())["cells"]:
        assert not cell.get("outputs")
        if cell["cell_type"] == "code":
            yield "".join(cell["source"])


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs(notebook: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDES_PORTAL", address)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    known: dict[str, Any] = {}
    for cell in cells(notebook):
        exec(cell, known)
    from matplotlib import pyplot as plt

    assert plt.get_fignums()
    plt.close("all")


@pytest.mark.whole
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs_in_jupyter(notebook: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("TIDES_PORTAL", address)
    NotebookClient(nbformat.read(notebook, as_version=4), timeout=120).execute()


def test_there_are_three_notebooks() -> None:
    assert len(NOTEBOOKS) == 3
