"""What once was read wrongly without a word: each kind, in any container, is read rightly now, or told by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import recorded
from tests.unit.formats.test_files import written
from tests.unit.formats.test_meaning import BANDS, CONTAINERS, MJD, left_out
from tides_bridge.lightcurves import LightCurves

MAGNITUDE = np.array([19.0, 19.2, 18.8, 18.9])
ERROR = np.array([0.05, 0.05, 0.04, 0.06])
FLUX = 10 ** ((31.4 - MAGNITUDE) / 2.5)
FLUX_ERROR = FLUX * ERROR / 1.0857362


def of_magnitudes(**more: Any) -> pd.DataFrame:
    columns = {"objectId": ["SN26a"] * 4, "mjd": MJD, "band": list(BANDS), "mag": MAGNITUDE, "magerr": ERROR}
    return pd.DataFrame(columns | more)


def of_fluxes(zero_point: float = 31.4, **more: Any) -> pd.DataFrame:
    scale = 10 ** ((zero_point - 31.4) / 2.5)
    columns = {"objectId": ["SN26a"] * 4, "mjd": MJD, "band": list(BANDS)}
    return pd.DataFrame(columns | {"flux": FLUX * scale, "fluxerr": FLUX_ERROR * scale} | more)


def is_right(curves: LightCurves) -> bool:
    """Tell whether it is the light curve above, all of it."""
    return (
        curves.object_ids == ("SN26a",)
        and curves.mjd == pytest.approx(MJD, abs=2e-5)
        and curves.band.tolist() == [1, 2, 1, 3]
        and curves.flux == pytest.approx(FLUX, rel=1e-3)
        and curves.flux_error == pytest.approx(FLUX_ERROR, rel=1e-3)
        and bool(curves.is_detection.all())
    )


UNDERSTOOD: dict[str, pd.DataFrame] = {
    **{
        f"zero point {name}": of_fluxes(27.5, **{name: 27.5})
        for name in ("ZEROPT", "zero_pt", "zpmag", "zp (AB)", "magzpt", "ZP_FLUX", "zpdiff")
    },
    "units of rows": of_fluxes(23.9, flux_unit="uJy"),
    "units of some rows": of_fluxes(flux_unit=["nJy", "nJy", "uJy", "nJy"]).assign(
        flux=FLUX * [1, 1, 1e-3, 1], fluxerr=FLUX_ERROR * [1, 1, 1e-3, 1]
    ),
    "AB magnitudes of TNS": of_magnitudes(unit="ABMag"),
    "an empty band beside a full filter": of_magnitudes(band=np.nan, filter=list(BANDS)),
    "a band in some rows, fid in others": of_magnitudes(band=["g", None, "g", None], fid=[1, 2, 1, 3]),
    "magnitude in the gaps of mag": of_magnitudes(mag=[19.0, np.nan, 18.8, 18.9], magnitude=MAGNITUDE),
    "names between quotes": of_magnitudes(objectId='="SN26a"'),
    "names behind an apostrophe": of_magnitudes(objectId="'SN26a"),
    "a unit of the error only": of_fluxes(23.9).rename(columns={"fluxerr": "fluxerr_uJy"}),
}
"""What is read rightly."""

TOLD: dict[str, tuple[pd.DataFrame, str]] = {
    "dates of a spreadsheet": (
        of_magnitudes(mjd=MJD - 15018).rename(columns={"mjd": "date"}), "a spreadsheet's number of a date"
    ),
    "dates of a spreadsheet as mjd": (of_magnitudes(mjd=MJD - 15018), "a spreadsheet's number of a date"),
    "whole days": (of_magnitudes(mjd=np.floor(MJD)), "are whole days"),
    "errors that are a mark": (of_magnitudes(magerr=[0.05, 999.0, 0.04, 0.06]), "1 point whose error is above 3 mag"),
    "errors in percent": (of_magnitudes(magerr=ERROR * 100), "4 points whose error is above 3 mag"),
    "errors that are missing": (of_magnitudes(magerr=[0.05, np.nan, 0.04, 0.06]), "1 point without an error"),
    "no errors": (of_fluxes().drop(columns="fluxerr"), "4 points without an error"),
    "a zero point in some rows": (
        of_fluxes(27.5, zp=[27.5, 27.5, np.nan, 27.5]), "1 point without a zero point"
    ),
    "a zero point that is a text": (of_fluxes(27.5, zp="27.5 mag"), "without a zero point"),
    "an odd zero point": (of_fluxes(27.5, zp_g=27.5), "zp_g seems to be the zero point"),
    "an unknown unit": (of_fluxes(unit="counts"), "are in 'counts', which is none of"),
    "a zero point against a unit": (
        of_fluxes(27.5, zp=[27.5, 27.5, 27.5, 23.9], unit=["", "", "", "nJy"]), "1 point whose zero point and unit"
    ),
    "Vega magnitudes of TNS": (of_magnitudes(unit="VegaMag"), "in the system 'VegaMag'"),
    "a Vega column": (of_magnitudes(system="Vega"), "in the system 'Vega'"),
    "two of one exposure": (
        pd.concat([of_magnitudes(), of_magnitudes(mag=MAGNITUDE + 1)]), "4 points are of the exposure of another"
    ),
    "Johnson's R": (of_magnitudes(band=["V", "R", "r", "i"]), "1 point of a lone capital such as R"),
    "minutes above 60": (of_magnitudes(ra="10:75:00", dec="-30:30:00"), "no number as ra"),
    "no place": (of_magnitudes(ra=0.0, dec=0.0), "4 positions are on no sky, such as 0 0"),
    "places in mas": (of_magnitudes(ra=150.25 * 3.6e6, dec=-30.5 * 3.6e6), "4 positions are on no sky"),
    "two objects of a name": (of_magnitudes(ra=[150.0, 150.0, 150.0, 151.0], dec=-30.0), "points more than 30 arcsec"),
    "a large extinction": (of_magnitudes(ebv=1000.0), "E(B-V) are above 100 mag"),
    "scores in percent": (of_magnitudes(drb=95.0), "reliabilities are not from 0 to 1"),
    "a source of no object": (
        of_magnitudes().rename(columns={"objectId": "diaObjectId"}).assign(diaObjectId=[0, 0, 7, 7]),
        "2 rows have no object id",
    ),
}  # fmt: skip
"""What nobody can know, and what is said of it: by warning, or with the refusal of the file."""


HARMLESS = (" is used in rows where ", "whose nights count")
"""What may be told beside what is read rightly."""


@pytest.mark.parametrize("form", ["packet", "answer"])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"magpsf": -19.1}, "1 point with a magnitude like -19.1"),
        ({"magpsf": 0.0}, "1 point with a magnitude like 0"),
        ({"sigmapsf": 99.0}, "1 point whose error is above 3 mag"),
        ({"ra": 700.0}, "1 positions are on no sky, such as 700"),
        ({"ra": 0.0, "dec": 0.0}, "1 positions are on no sky, such as 0 0"),
    ],
)
def test_what_packets_of_ztf_said_silently(tmp_path: Path, form: str, change: dict[str, float], reason: str) -> None:
    points = [recorded.point(night, **(change if night == 3 else {})) for night in (3, 2, 1)]
    if form == "packet":
        content = recorded.json_text(recorded.ztf_packets({"ZTF26a": points})[0])
    else:
        content = recorded.json_text({"objectId": "ZTF26a", "candidates": points})
    curves, refused, lines = left_out(written(tmp_path, "a.json", content))
    assert (refused, lines) == ([], [line for line in lines if line.startswith(reason)])
    assert len(lines) == 1
    assert curves.is_detection.tolist() == [True, True, "magpsf" not in change]
    assert np.isnan(curves.objects.ra).tolist() == ["ra" in change]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_was_silent(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*UNDERSTOOD, *TOLD]))
    container = data.draw(st.sampled_from([kind for kind in CONTAINERS if kind != "put together"]))
    frame, reason = (UNDERSTOOD[name], "") if name in UNDERSTOOD else TOLD[name]
    path = tmp_path_factory.mktemp("t") / "t"
    path.write_bytes(CONTAINERS[container](frame.reset_index(drop=True)))
    curves, refused, lines = left_out(path, survey="lsst")
    if name in UNDERSTOOD:
        assert refused == [] and is_right(curves)
        assert [line for line in lines if not any(harmless in line for harmless in HARMLESS)] == []
    else:
        assert reason in " ".join([*refused, *lines])
        assert len(curves.mjd) <= len(frame)
