"""Bands, fluxes, magnitudes and time scales: the formulas, each once."""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Floats

Band = Literal["u", "g", "r", "i", "z", "y"]

BANDS: Final[tuple[Band, ...]] = ("u", "g", "r", "i", "z", "y")
"""The bands of LSST, blue to red; the order of every per-band array in the bridge."""

ZTF_BANDS: Final = {1: "g", 2: "r", 3: "i"}
"""Band of a ZTF filter id ``fid`` (ZTF alert schema 4.02)."""

PHOTOMETRIC_SYSTEMS: Final = {"lsst": "LSST", "elasticc": "LSST", "ztf": "ZTF"}
"""System of a survey's bands, as 4MOST's ``mag_type`` names it; ELAsTiCC simulates LSST's. All are AB magnitudes."""

MJD_ZERO: Final = 2400000.5
"""[d] JD of MJD 0."""

MJD_OF_UNIX: Final = 40587.0
"""[d] MJD of 1970-01-01."""

POGSON: Final = 1.0857
"""[mag] 2.5/ln(10): S/N = 1.0857/magnitude error, to first order."""

POGSON_D333: Final = 1.09
"""[mag] The same as D3.3.3 wrote it; kept so that its selection functions keep their answers."""


AB_ZERO_POINT: Final = 31.4
"""[mag] AB magnitude of 1 nJy (Oke & Gunn 1983; Rubin's data products use it): mag = 31.4 - 2.5 log10(flux/nJy)."""

TAI_AHEAD: Final = 37 / 86400
"""[d] TAI - UTC since 2017-01-01 (IERS Bulletin C 52)."""

LIMIT_SIGNIFICANCE: Final = 5.0
"""S/N of a limiting magnitude: ZTF's ``diffmaglim`` is a limit of 5 sigma (ZTF alert schema 4.02)."""


def flux_from_magnitude(magnitude: Floats) -> Floats:
    """
    Turn AB magnitudes into fluxes [nJy].

    >>> flux_from_magnitude(np.array([31.4, 22.5])).round(2)
    array([1.00000e+00, 3.63078e+03])
    """
    flux: Floats = np.exp((AB_ZERO_POINT - magnitude) * (np.log(10) / 2.5))
    return flux


def magnitude_from_flux(flux: Floats) -> Floats:
    """
    Turn positive fluxes [nJy] into AB magnitudes; NaN for any other.

    Parameters
    ----------
    flux
        (n,) [nJy] Any sign; a difference flux may be negative.

    Returns
    -------
    (n,) float
        [mag] 31.4 - 2.5 log10(flux/nJy) (Oke & Gunn 1983).

    Examples
    --------
    >>> magnitude_from_flux(np.array([3630.78, 0.0, -1.0])).round(2)
    array([22.5,  nan,  nan])
    """
    magnitude: Floats = AB_ZERO_POINT - 2.5 * np.log10(np.where(flux > 0, flux, np.nan))
    return magnitude


def mjd_utc_from_tai(mjd_tai: Floats) -> Floats:
    """
    Turn MJD in TAI, as Rubin gives it, into MJD in UTC [d]; for epochs since 2017.

    Parameters
    ----------
    mjd_tai
        (n,) [d]

    Returns
    -------
    (n,) float
        [d] 37 s earlier: the difference since 2017-01-01. An older epoch comes out some seconds wrong.

    Examples
    --------
    >>> float(mjd_utc_from_tai(np.array([61000.0]))[0].round(6))
    60999.999572
    """
    return mjd_tai - TAI_AHEAD


def night_of(mjd_utc: Floats) -> npt.NDArray[np.int64]:
    """
    Give the night of an epoch where the survey numbers none: Rubin's day of observation, floor(MJD_UTC - 0.5).

    Parameters
    ----------
    mjd_utc
        (n,) [d]

    Returns
    -------
    (n,) int64
        At Rubin a day begins at 12:00 UTC, so that a night in Chile has one number (SITCOMTN-032).

    Examples
    --------
    >>> night_of(np.array([61000.4, 61000.6]))
    array([60999, 61000])
    """
    return np.floor(mjd_utc - 0.5).astype(np.int64)


def mjd_from_time(time: datetime) -> float:
    """
    Turn a time that knows its zone into MJD [d, UTC].

    Parameters
    ----------
    time
        With its zone; one without is taken as local time, so all of ours have it.

    Examples
    --------
    >>> mjd_from_time(datetime.fromisoformat("2025-11-21T13:00+01:00"))
    61000.5
    """
    return time.timestamp() / 86400 + MJD_OF_UNIX


def time_from_mjd(mjd: float) -> datetime:
    """
    Turn an MJD [d, UTC] into a time, to the microsecond: the way back of `mjd_from_time`.

    Examples
    --------
    >>> time_from_mjd(61000.5).isoformat()
    '2025-11-21T12:00:00+00:00'
    """
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=mjd - MJD_OF_UNIX)


def mjd_from_jd(jd: float) -> float:
    """
    Turn a Julian date into a modified one [d].

    Parameters
    ----------
    jd
        [d] In the scale that the result has, too.

    Examples
    --------
    >>> mjd_from_jd(2460000.5)
    60000.0
    """
    return jd - MJD_ZERO


def jd_from_mjd(mjd: float) -> float:
    """
    Turn a modified Julian date into a full one [d]; float64 throughout, as float32 would step by 0.25 d.

    Parameters
    ----------
    mjd
        [d] In the scale that the result has, too.

    Examples
    --------
    >>> jd_from_mjd(60000.25)
    2460000.75
    """
    return mjd + MJD_ZERO
