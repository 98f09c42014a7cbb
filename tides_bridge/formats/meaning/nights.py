"""
Nights: of the observatory that took the images, not of one for all.

ZTF numbers nights by UTC days, as Palomar's end before 14 h UTC: ``nid`` is floor(MJD_UTC) - 57754 in its own alerts.
Rubin's day of observation begins at 12 h UTC. What bears no number of a night gets that of its observatory.
"""

import re
from typing import Final

import numpy as np

from tides_bridge.compiled import Floats, Integers
from tides_bridge.formats.meaning.left_out import remark
from tides_bridge.lightcurves.photometry import night_of

NID_ZERO: Final = 57754
"""[d] MJD of ZTF's night 0."""

ZTF_NAME: Final = re.compile(r"\s*ZTF\d", re.IGNORECASE)

NOONS: Final = {"ztf": "UTC days, as ZTF counts them at Palomar", "lsst": "days from 12 h UTC, as Rubin in Chile"}
"""Whose nights are known, and what they are."""

SURVEY_NAMES: Final = {
    "ztf": "ztf", "palomar": "ztf", "p48": "ztf", "winter": "ztf", "sdss": "ztf", "ps1": "ztf", "panstarrs": "ztf",
    "pan-starrs": "ztf", "foundation": "ztf",
    "lsst": "lsst", "rubin": "lsst", "elasticc": "lsst", "des": "lsst", "decam": "lsst", "ls4": "lsst",
}  # fmt: skip
"""Surveys and telescopes by whose nights they count; those of California, New Mexico and Hawaii lie in a day of UTC."""


def nights_of_ztf(mjd_utc: Floats) -> Integers:
    """
    Give ZTF's number of the night.

    >>> nights_of_ztf(np.array([58432.4, 58432.9])).tolist()
    [678, 678]
    """
    return np.floor(mjd_utc).astype(np.int64) - NID_ZERO


def nights_of_several(mjd_utc: Floats, is_ztf: np.typing.NDArray[np.bool_]) -> Integers:
    """Give nights of several observatories one number: that of Palomar has that of the hours before it in Chile."""
    return np.where(is_ztf, np.floor(mjd_utc).astype(np.int64) - 1, night_of(mjd_utc))


def nights_of_survey(mjd_utc: Floats, survey: str | None) -> Integers:
    """
    Give the nights of one survey, of `NOONS`; where it is not known, Rubin's, and it is told.

    >>> nights_of_survey(np.array([61000.4, 61000.6]), "ztf").tolist()
    [60999, 60999]
    """
    if survey is None:
        remark(f"nothing says whose nights count: {NOONS['lsst']} (or say --survey)")
    return nights_of_several(mjd_utc, np.full(len(mjd_utc), survey == "ztf"))


def filled_nights(given: Integers, counted: Integers, index: Integers) -> Integers:
    """
    Give the night of every point: as it was given, or, where it was not, as counted.

    Parameters
    ----------
    given
        (m,) -1 where there is none.
    counted
        (m,) from the epochs, with any zero.
    index
        (m,) the object of each point: given and counted nights of one get the same zero.

    Examples
    --------
    >>> filled_nights(np.array([3300, -1, -1]), np.array([61000, 61001, 61001]), np.array([0, 0, 1])).tolist()
    [3300, 3301, 61001]
    """
    lacks = given < 0
    if not lacks.any():
        return given
    offsets = np.zeros(len(given), dtype=np.int64)
    both = np.intersect1d(index[lacks], index[~lacks])
    if len(both):
        rows = np.flatnonzero(~lacks & np.isin(index, both))
        order = rows[np.lexsort((given[rows] - counted[rows], index[rows]))]
        first = np.flatnonzero(np.diff(index[order], prepend=-1))
        lengths = np.diff(np.append(first, len(order)))
        middle = order[first + lengths // 2]
        place = np.searchsorted(both, index).clip(0, len(both) - 1)
        offsets = np.where(both[place] == index, (given[middle] - counted[middle])[place], 0)
    return np.where(lacks, counted + offsets, given)


def survey_of_name(text: str) -> str | None:
    """
    Tell whose nights a survey or telescope has; None if that is not known.

    >>> survey_of_name("ZTF"), survey_of_name("LSST-ComCam"), survey_of_name("ATLAS")
    ('ztf', 'lsst', None)
    """
    small = text.strip().lower()
    return next((survey for name, survey in SURVEY_NAMES.items() if small.startswith(name)), None)
