"""Every reader tells what it does not use, and nothing where it uses all: what --strict makes an error."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import recorded, snana
from tests.unit.formats.test_files import written
from tests.unit.formats.test_published import ATLAS, SNCOSMO, ZTF, as_bytes, table_of_two
from tides_bridge.archives.judging import Question, Tally, judge_units
from tides_bridge.formats.files import read_light_curves, work_units
from tides_bridge.formats.meaning.left_out import Digest
from tides_bridge.selection import SelectionFunction

ANY = Question(SelectionFunction.parse("any", {"rules": "strict", "filters": ["g"], "significance": 1, "minBands": 1}))


def judged(path: Path, **options: Any) -> tuple[Tally, list[str]]:
    """Judge a file as `tides select` does; gives the sum, and what was refused."""
    refused: list[str] = []
    units = work_units([path], refused=lambda _, why: refused.append(why), survey="ztf", **options)
    tally, answer = Tally(), judge_units(ANY, units)
    tally.add(answer)
    return tally, refused + [why for _, why in answer.refused]


def check(path: Path, is_in_doubt: bool) -> None:
    tally, refused = judged(path)
    assert (refused, tally.objects > 0, tally.is_in_doubt) == ([], True, is_in_doubt)


@pytest.mark.parametrize("has_unknown", [True, False])
@pytest.mark.parametrize("name", recorded.ZTF_FILES)
def test_of_ztf(tmp_path: Path, name: str, has_unknown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last of the objects has a point in a filter that ZTF has not."""
    monkeypatch.setattr(recorded, "ZTF", dict(list(recorded.ZTF.items())[: None if has_unknown else -1]))
    check(written(tmp_path, name, recorded.ZTF_FILES[name]()), has_unknown)


@pytest.mark.parametrize("has_unknown", [True, False])
@pytest.mark.parametrize("name", recorded.LSST_FILES)
def test_of_lsst(tmp_path: Path, name: str, has_unknown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    source = recorded.source

    def spoilt(day: float, flux: float | None = 4000.0, band: str = "r", **changed: Any) -> recorded.Packet:
        return source(day, flux, "w" if has_unknown and band == "y" else band, **changed)

    monkeypatch.setattr(recorded, "source", spoilt)
    check(written(tmp_path, name, recorded.LSST_FILES[name]()), has_unknown)


def astropy(folder: Path, form: str, *, has_unknown: bool) -> Path:
    table = table_of_two()
    if has_unknown:
        table["seeing"] = [1.0, 1.1, 1.2]
    return written(folder, "t", as_bytes(table, form))


def pair(folder: Path, *, has_unknown: bool) -> Path:
    points = {"1": [(61000.1, "g", 1.0, 1.0, 4096), (61000.2, "J" if has_unknown else "r", 1.0, 1.0, 4096)]}
    return snana.write_pair(folder, points=points)


OTHERS: dict[str, Callable[[Path, bool], Path]] = {
    "fits": lambda folder, has: astropy(folder, "fits", has_unknown=has),
    "votable": lambda folder, has: astropy(folder, "votable", has_unknown=has),
    "ecsv": lambda folder, has: astropy(folder, "ascii.ecsv", has_unknown=has),
    "sncosmo": lambda folder, has: written(
        folder, "t", SNCOSMO.replace("bessellv", "bessellv" if has else "ztfi").encode()
    ),
    "snana pair": lambda folder, has: pair(folder, has_unknown=has),
}


@pytest.mark.parametrize("has_unknown", [True, False])
@pytest.mark.parametrize("name", OTHERS)
def test_of_other_tables(tmp_path: Path, name: str, has_unknown: bool) -> None:
    check(OTHERS[name](tmp_path, has_unknown), has_unknown)


@pytest.mark.parametrize(("text", "number"), [(ZTF, 4), (ATLAS, 4)])
def test_of_services(tmp_path: Path, text: str, number: int) -> None:
    tally, refused = judged(written(tmp_path, "t", text.encode()), published=True)
    assert (refused, tally.is_in_doubt, tally.left_out.points.total()) == ([], True, number)


def test_who_reads_in_parts_hears_of_all(tmp_path: Path) -> None:
    text = "objectId,mjd,band,mag,magerr,seeing\n" + "".join(
        f"A{row},61000.1,{'gw'[row % 2]},18,.1,1\n" for row in range(9)
    )
    digest, rest = Digest(), {"survey": "ztf", "refused": pytest.fail, "objects_per_part": 2}
    path = written(tmp_path, "t.csv", text.encode())
    list(read_light_curves([path], left_out=lambda _, more: digest.add(more), **rest))  # type: ignore[arg-type]
    assert digest.lines() == [
        "4 points of the band 'w', which is none of u, g, r, i, z, y",
        "columns that are not used: seeing",
    ]
