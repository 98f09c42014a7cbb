"""The programs that astronomers use ask the portal: pyvo, astroquery, and (with --whole) STILTS, which needs Java."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import copy_database, make_settings
from tests.support.observatory import HARD, TARGETS, fill, served
from tides_bridge.database import open_database

SECONDS = 240
REFUSED = "SELECT name, ra, refused_4most FROM vo.targets WHERE refused_4most IS NOT NULL ORDER BY name"

needs_stilts = pytest.mark.skipif(shutil.which("stilts") is None, reason="STILTS is not installed: apt install stilts")


@pytest.fixture(scope="module")
def address(database_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    copy_database(database_folder, "tides_template", "clients")
    settings = make_settings(database_folder, "clients")
    with open_database(settings) as database:
        fill(database, settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        with served(settings) as address:
            yield f"{address}/vo"


@pytest.mark.filterwarnings("default")
def test_pyvo(address: str) -> None:
    import pyvo

    service = pyvo.dal.TAPService(f"{address}/tap")
    assert {"vo.targets", "vo.decisions", "tap_schema.columns"} <= set(service.tables.keys())
    assert {column.name: column.unit for column in service.tables["vo.targets"].columns}["ra"] == "deg"
    found = service.search(REFUSED).to_table()
    assert (len(found), found["refused_4most"][0], str(found["ra"].unit)) == (2, HARD, "deg")
    part = service.search("SELECT name FROM targets", maxrec=3)
    assert (len(part), part.status[0]) == (3, "OVERFLOW")
    assert len(service.run_async("SELECT * FROM targets")) == TARGETS
    with pytest.raises(pyvo.dal.DALQueryError, match="no column nam: is name meant"):
        service.search("SELECT nam FROM targets")
    for example in service.examples:
        service.search(example["QUERY"])
    cone = pyvo.dal.SCSService(f"{address}/cone").search((0, 0), 1.0)
    assert len(cone) == 3
    assert abs(cone[0].pos.dec.deg) <= 1


@pytest.mark.filterwarnings("default")
def test_astroquery(address: str) -> None:
    from astroquery.utils.tap.core import TapPlus

    service = TapPlus(url=f"{address}/tap")
    assert "vo.targets" in [table.name for table in service.load_tables()]
    for launch in (service.launch_job, service.launch_job_async):
        assert launch(REFUSED).get_results()["refused_4most"][0] == HARD


def stilts(*arguments: str) -> str:
    done = subprocess.run(["stilts", *arguments], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_stilts
@pytest.mark.whole
def test_stilts_finds_nothing_wrong(address: str) -> None:
    told = stilts("taplint", f"tapurl={address}/tap", "maxrepeat=3").splitlines()
    assert [line for line in told if line.startswith(("E-", "W-"))] == []
    assert any(line.startswith("S-MDQ") for line in told)


@needs_stilts
@pytest.mark.whole
def test_stilts_asks(address: str, tmp_path: Path) -> None:
    out = ["omode=out", "ofmt=csv"]
    rows = stilts("tapquery", f"tapurl={address}/tap", f"adql={REFUSED}", *out)
    assert len(rows.splitlines()) == 3
    assert HARD in rows
    assert len(stilts("cone", f"serviceurl={address}/cone", "lon=0", "lat=0", "radius=1", *out).splitlines()) == 4
    (tmp_path / "mine.csv").write_text("ra,dec\n0,0\n10,89\n", encoding="utf-8")
    matched = stilts(
        "coneskymatch", f"serviceurl={address}/cone", f"in={tmp_path / 'mine.csv'}", "ifmt=csv", "ra=ra", "dec=dec",
        "sr=1", "find=all", *out,
    )  # fmt: skip
    assert len(matched.splitlines()) == 5
