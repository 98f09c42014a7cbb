"""
Spellings of bands: the one table by which every reader knows them.

In use are the bare letter (LSST), survey and letter in either order with anything or nothing between (``ZTF_g``,
``ztfg``, ``LSST-g``, ``g_ps1``, ``sdss::g``, ``Palomar/ZTF.g``), IRSA's ``zg``, LSSTCam's filters (``g_6``), and any of
these as the text of bytes (``b'g'``), quoted or padded. A lone capital is read where no other system has it: ANTARES
writes R for ZTF's r and ELAsTiCC Y, but U and I are Johnson's and Cousins's.
"""

import re
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from tides_bridge.formats.meaning.left_out import is_collected, leave_out
from tides_bridge.lightcurves.photometry import BANDS, ZTF_BANDS

SURVEYS: Final = {
    "ztf": r"ztf|palomar|p48",
    "lsst": r"lsst(?:cam)?|lsstcomcam|comcam|rubin",
    "other": r"ps1|p1|pan-?starrs1?|sdss|sloan|des|decam|hsc",
}
"""Whose bands of these names count as LSST's: by survey, how it is written."""

_SURVEY: Final = "(?:" + "|".join(SURVEYS.values()) + ")"

SPELLING: Final = re.compile(
    rf"(?P<before>{_SURVEY}(?:[^a-z0-9]+{_SURVEY})?)?[^a-z0-9]*(?P<band>[ugrizy])(?:'|[^a-z0-9]?prime)?"
    rf"(?:[^a-z0-9]*(?:band|filter|mag))?(?:[^a-z0-9]*(?P<after>{_SURVEY}))?"
)
"""A band in small letters, with a survey before or after it."""

IRSA: Final = {"zg": "g", "zr": "r", "zi": "i"}
"""ZTF's bands as IRSA's catalogue of light curves has them."""

CAMERA: Final = {
    "u_24": "u", "g_6": "g", "r_57": "r", "i_39": "i", "z_20": "z", "y_10": "y",
    "u_02": "u", "u_05": "u", "g_01": "g", "g_07": "g", "r_03": "r", "i_06": "i", "z_03": "z", "z_04": "z", "y_04": "y",
}  # fmt: skip
"""Filters of LSSTCam and LSSTComCam, by the numbers of their glasses."""

CAPITALS: Final = "GRZY"
"""Letters that are read in either case when they stand alone."""

OF_OTHERS: Final = frozenset({"U", "B", "V", "I", "J", "H", "K", "Ks", "BP", "RP", "Bp", "Rp", "G_BP", "G_RP"})
"""Bands of Johnson, Cousins, 2MASS and Gaia: beside one of these a lone capital is of the same system."""

WRAPPED: Final = re.compile(r"b?(?P<quote>['\"])(.*)(?P=quote)", re.DOTALL)

PASSBANDS: Final = {number: BANDS[number] for number in range(6)}
"""PLAsTiCC's numbers, in a column called passband: 0 to 5 are u to y, and 1 to 3 are ZTF's, too."""


def band_named(name: object) -> str | None:
    """
    Read the spelling of a band; None if it is none of LSST's.

    >>> [band_named(name) for name in ("g", "ZTF_g", "zg", "LSST-g", "b'g'", "g_ps1", "ztfG", "R", "V", "I", "w", None)]
    ['g', 'g', 'g', 'g', 'g', 'g', 'g', 'r', None, None, None, None]
    """
    return _read(name)[0] if isinstance(name, str | bytes) else None


def survey_named(name: object) -> str | None:
    """
    Tell whose band it is, ``ztf`` or ``lsst``, if its spelling says so.

    >>> survey_named("zg"), survey_named("LSST-r"), survey_named("r"), survey_named("g_ps1")
    ('ztf', 'lsst', None, None)
    """
    return _read(name)[1] if isinstance(name, str | bytes) else None


@lru_cache(4096)
def _read(name: str | bytes) -> tuple[str | None, str | None]:
    text = (name.decode(errors="replace") if isinstance(name, bytes) else name).strip(" \t\r\n\0")
    wrapped = WRAPPED.fullmatch(text)
    text = wrapped[2].strip(" \0") if wrapped else text
    if len(text) == 1 and text not in BANDS and text not in CAPITALS:
        return None, None
    small = text.lower()
    if small in IRSA:
        return IRSA[small], "ztf"
    if small in CAMERA:
        return CAMERA[small], "lsst"
    found = SPELLING.fullmatch(small)
    if found is None:
        return None, None
    survey = found["before"] or found["after"]
    if not survey and text[:1] not in BANDS and text[:1] not in CAPITALS:
        return None, None
    words = survey or ""
    whose = next((name for name in ("ztf", "lsst") if re.search(SURVEYS[name], words)), None)
    return found["band"], whose


def band_code(name: object) -> int:
    """Give the position in `photometry.BANDS` of a band however it is spelled; -1 if it is none of these."""
    band = band_named(name)
    return -1 if band is None else BANDS.index(band)


def band_codes(names: npt.NDArray[np.object_]) -> npt.NDArray[np.int8]:
    """
    Turn names of bands into positions in `photometry.BANDS`; -1 for any other name, which is told.

    >>> band_codes(np.array(["g", "Y", "R", "w", None], dtype=object))
    array([ 1,  5,  2, -1, -1], dtype=int8)
    """
    listed = names.tolist()
    codes = {name: band_code(name) for name in set(listed)}
    found = np.fromiter(map(codes.__getitem__, listed), dtype=np.int8, count=len(names))
    if is_collected() and -1 in codes.values():
        tell_unknown({name: listed.count(name) for name, code in codes.items() if code < 0})
    return found


def codes_of_coded(names: list[str | None], places: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    """
    Turn a column that was coded by a dictionary into positions in `photometry.BANDS`; as `band_codes`.

    Parameters
    ----------
    names
        (k,) each name once.
    places
        (n,) which of these each value is; -1 for none.
    """
    codes = np.array([*map(band_code, names), -1], dtype=np.int8)
    found = codes[places]
    if is_collected() and (found < 0).any():
        numbers = np.bincount(np.where(places < 0, len(names), places), minlength=len(names) + 1).tolist()
        for name, number, code in zip([*names, None], numbers, codes, strict=True):
            tell_unknown({name: number} if code < 0 else {})  # names may come twice, as DES-J and LSST-J do in SNANA
    return found


def without_other_systems(
    names: list[str | None], places: npt.NDArray[np.int64], codes: npt.NDArray[np.int8], index: npt.NDArray[np.int64]
) -> npt.NDArray[np.int8]:
    """
    Take away the lone capitals of objects that have bands of another system, as R beside V, which is told.

    Parameters
    ----------
    names, places
        As in `codes_of_coded`.
    codes
        (n,) What that gave.
    index
        (n,) The object of each point.

    Examples
    --------
    >>> without_other_systems(["V", "R"], np.array([0, 1, 1]), np.array([-1, 2, 2]), np.array([0, 0, 1])).tolist()
    [-1, -1, 2]
    """
    plain = [(name or "").strip(" \0'\"") for name in names]
    is_other = np.array([*(name in OF_OTHERS for name in plain), False])[places]
    if not is_other.any():
        return codes
    is_capital = np.array([*(len(name) == 1 and name in CAPITALS for name in plain), False])[places]
    found = is_capital & np.isin(index, np.unique(index[is_other]))
    leave_out("of a lone capital such as R, beside bands of Johnson, Cousins or Gaia", int(found.sum()), is_fault=False)
    return np.where(found, np.int8(-1), codes)


def tell_unknown(numbers: dict[str | None, int]) -> None:
    """Say how many points have a band that is not known, each by its spelling."""
    for name, number in numbers.items():
        text = "" if name is None else str(name)[:40]
        reason = f"of the band {text!r}, which is none of {', '.join(BANDS)}" if text else "without a band"
        leave_out(reason, number, is_fault=False)


BAND_OF_FID = np.full(256, -1, dtype=np.int8)
"""Position in `photometry.BANDS` of each filter id of ZTF."""
BAND_OF_FID[list(ZTF_BANDS)] = [BANDS.index(band) for band in ZTF_BANDS.values()]


def bands_of_fids(fids: npt.NDArray[np.float64]) -> npt.NDArray[np.int8]:
    """
    Turn ZTF's filter ids into positions in `photometry.BANDS`; -1 for any other number, and for NaN, which is told.

    >>> bands_of_fids(np.array([1.0, 3.0, 7.0, np.nan]))
    array([ 1,  3, -1, -1], dtype=int8)
    """
    is_id = (fids >= 0) & (fids < len(BAND_OF_FID)) & (fids == np.floor(fids))
    codes = BAND_OF_FID[np.where(is_id, fids, 0).astype(np.int64)]
    if is_collected() and (codes < 0).any():
        for value in np.unique(fids[(codes < 0) & ~np.isnan(fids)]).tolist():
            number = int(np.count_nonzero(fids == value))
            leave_out(f"of the filter id {value:g}, which is none of ZTF's", number, is_fault=False)
        leave_out("without a filter id", int(np.isnan(fids).sum()), is_fault=False)
    return codes
