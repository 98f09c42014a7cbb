"""Bands, significances and time scales: the formulas, each once."""

from typing import Final, Literal

Band = Literal["u", "g", "r", "i", "z", "y"]

BANDS: Final[tuple[Band, ...]] = ("u", "g", "r", "i", "z", "y")
"""The bands of LSST, blue to red; the order of every per-band array in the bridge."""

ZTF_BANDS: Final = {1: "g", 2: "r", 3: "i"}
"""Band of a ZTF filter id ``fid`` (ZTF alert schema 4.02)."""

MJD_ZERO: Final = 2400000.5
"""[d] JD of MJD 0."""

POGSON: Final = 1.0857
"""[mag] 2.5/ln(10): S/N = 1.0857/magnitude error, to first order."""

POGSON_D333: Final = 1.09
"""[mag] The same as D3.3.3 wrote it; kept so that its selection functions keep their answers."""


def mjd_from_jd(jd: float) -> float:
    """
    Turn a Julian date into a modified one [d].

    >>> mjd_from_jd(2460000.5)
    60000.0
    """
    return jd - MJD_ZERO


def jd_from_mjd(mjd: float) -> float:
    """
    Turn a modified Julian date into a full one [d]; float64 throughout, as float32 would step by 0.25 d.

    >>> jd_from_mjd(60000.25)
    2460000.75
    """
    return mjd + MJD_ZERO
