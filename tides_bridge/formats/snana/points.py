"""
What the columns of SNANA's points mean, whichever file they are in.

``FLUXCAL`` has the zero point 27.5 unless ``ZP_FLUXCAL`` says another. Bit 4096 of ``PHOTFLAG``, or the bit that
``PHOTFLAG_DETECT`` names, marks a detection; all other points are forced photometry. Where no point of a file is
marked, its survey marks none, and each point with a flux counts as a detection, as in other tables of points. Bit 1024
is a saturated image: in ELAsTiCC, it is no measurement. Epochs of LSST are in TAI, as they are in ELAsTiCC's alerts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Floats, Integers, Mask
from tides_bridge.formats import Noted, in_one_line
from tides_bridge.formats.meaning.bands import band_codes
from tides_bridge.formats.meaning.epochs import plausible_epochs
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.photometry import AB_ZERO_POINT, mjd_utc_from_tai

ZERO_POINT: Final = 27.5
"""[mag] of FLUXCAL, where the file says no other (SNANA manual, 4.36)."""

DETECTED: Final = 4096
"""Bit of PHOTFLAG: the point is a detection (PHOTFLAG_DETECT of ELAsTiCC and of most simulations)."""

SATURATED: Final = 1024
"""Bit of PHOTFLAG in ELAsTiCC: the image is saturated there."""

SEPARATOR: Final = -777.0
"""[d] MJD of the row that ends a light curve in a PHOT file."""

OF_LSST: Final = ("LSST", "ELASTICC")
"""How the name of the survey begins whose epochs are TAI."""

OF_AMERICA: Final = ("ZTF", "SDSS", "PS1", "FOUNDATION")
"""Surveys whose night lies within one day of UTC: they observe from California, New Mexico or Hawaii."""


@dataclass(frozen=True)
class Conventions:
    """
    What a file says of all its points.

    Attributes
    ----------
    survey
        Name in capital letters; "" where unknown.
    zero_point
        [mag] of FLUXCAL.
    detected
        Bit of PHOTFLAG that marks detections; 0: none is marked.
    """

    survey: str = ""
    zero_point: float = ZERO_POINT
    detected: int = 0

    @property
    def scale(self) -> float:
        """What turns FLUXCAL into nJy."""
        return float(10 ** ((AB_ZERO_POINT - self.zero_point) / 2.5))

    @property
    def is_tai(self) -> bool:
        """Whether its epochs are in TAI."""
        return self.survey.startswith(OF_LSST)

    def utc(self, mjd: Floats) -> Floats:
        """Give epochs in UTC, NaN where one is none."""
        return plausible_epochs(mjd_utc_from_tai(mjd) if self.is_tai else mjd)


def snana_curves(  # noqa: PLR0913, PLR0917
    object_ids: Sequence[str],
    index: Integers,
    points: Mapping[str, npt.NDArray[Any]],
    conventions: Conventions,
    objects: Objects,
    path: Path,
    noted: Noted,
) -> LightCurves:
    """
    Build light curves.

    Parameters
    ----------
    object_ids
        (n,) text.
    index
        (m,) which of them a point is of.
    points
        MJD, band (code), FLUXCAL, FLUXCALERR and, if the file has it, PHOTFLAG: (m,) each.
    conventions
        Of the file.
    objects
        What is known beside.
    path
        The file.
    noted
        Is told how many points are left out, and why.
    """
    flux, mjd = points["FLUXCAL"], conventions.utc(points["MJD"])
    flag = points.get("PHOTFLAG")
    used = np.isfinite(flux) & np.isfinite(mjd)
    reasons = {"no flux or epoch": int(np.count_nonzero(~used))}
    if flag is not None and conventions.is_tai:
        is_saturated = (flag & SATURATED) != 0
        reasons["a saturated image"] = int(np.count_nonzero(is_saturated & used))
        used &= ~is_saturated
    left_out = ", ".join(f"{number} with {reason}" for reason, number in reasons.items() if number)
    if left_out:
        noted(path, f"of {len(flux)} points are left out: {left_out}")
    is_marked = flag is not None and conventions.detected > 0
    is_detection: Mask = np.ones(len(flux), dtype=bool)
    if flag is not None and is_marked:
        is_detection = (flag & conventions.detected) != 0
    if not is_marked:
        noted(path, "marks no detections (PHOTFLAG): each point with a flux counts as one")
    columns: dict[str, Any] = {
        "object_index": index,
        "mjd": mjd,
        "band": points["band"],
        "flux": flux * conventions.scale,
        "flux_error": points["FLUXCALERR"] * conventions.scale,
        "is_detection": is_detection,
    }
    if conventions.survey.startswith(OF_AMERICA):
        columns["night"] = np.floor(np.nan_to_num(mjd)).astype(np.int64)
    if not used.all():
        columns = {name: values[used] for name, values in columns.items()}
    return LightCurves.from_fluxes(object_ids, objects=objects, **columns)


def codes_of_bands(names: Sequence[str], counts: Integers, path: Path, noted: Noted) -> npt.NDArray[np.int8]:
    """
    Turn SNANA's names of bands into positions in `photometry.BANDS`: what counts is what follows the last - or /.

    Parameters
    ----------
    names
        (k,) as the file spells them, each once.
    counts
        (k,) how many points have it.
    path
        The file.
    noted
        Is told of names that are no band, and how many points have them.

    >>> codes_of_bands(["LSST-g", "Y", "J"], np.array([3, 1, 1]), Path("x"), lambda path, problem: print(problem))
    1 of 5 points are in bands that are none of ugrizy: 'J'
    array([ 1,  5, -1], dtype=int8)
    """
    bare = [name.strip().replace("/", "-").rpartition("-")[2] for name in names]
    codes = band_codes(np.array([*bare, None], dtype=object))[:-1]
    unknown = np.flatnonzero((codes < 0) & (counts > 0))
    if len(unknown):
        spelt = in_one_line(", ".join(repr(names[number]) for number in unknown.tolist()))
        noted(path, f"{counts[unknown].sum()} of {counts.sum()} points are in bands that are none of ugrizy: {spelt}")
    return codes


def known_or_nan(values: Any, length: int, lowest: float) -> Floats:
    """Read a column of what is known of objects: NaN where there is none, or it is not above the lowest."""
    if values is None:
        return np.full(length, np.nan)
    numbers = np.asarray(values, dtype=float)
    return np.where(numbers > lowest, numbers, np.nan)
