"""
What the columns of SNANA's points mean, whichever file they are in.

``FLUXCAL`` has the zero point 27.5 unless ``ZP_FLUXCAL`` says another. Bit 4096 of ``PHOTFLAG``, or the bit that
``PHOTFLAG_DETECT`` names, marks a detection; all other points are forced photometry. Where no point of a file is
marked, its survey marks none, and each point with a flux counts as a detection, as in other tables of points. Bit 1024
is a saturated image: in ELAsTiCC, it is no measurement. Epochs of LSST are in TAI, as they are in ELAsTiCC's alerts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Floats, Integers, Mask
from tides_bridge.formats import Options
from tides_bridge.formats.meaning.bands import codes_of_coded
from tides_bridge.formats.meaning.brightness import tell_errors
from tides_bridge.formats.meaning.epochs import plausible_epochs
from tides_bridge.formats.meaning.left_out import leave_out, remark
from tides_bridge.formats.meaning.nights import nights_of_survey, survey_of_name
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
    options: Options,
) -> LightCurves:
    """
    Build light curves; what is not used of them is told.

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
    options
        What the file may not say: whose nights count.
    """
    flux, mjd = points["FLUXCAL"], conventions.utc(points["MJD"])
    flag = points.get("PHOTFLAG")
    leave_out("without a flux", int(np.count_nonzero(~np.isfinite(flux))), is_fault=False)
    used = np.isfinite(flux) & np.isfinite(mjd)
    if flag is not None and conventions.is_tai:
        is_saturated = (flag & SATURATED) != 0
        leave_out("of a saturated image", int(np.count_nonzero(is_saturated & used)), is_fault=False)
        used &= ~is_saturated
    tell_errors(points["FLUXCALERR"], np.where(used, flux, np.nan))
    is_marked = flag is not None and conventions.detected > 0
    is_detection: Mask = np.ones(len(flux), dtype=bool)
    if flag is not None and is_marked:
        is_detection = (flag & conventions.detected) != 0
    if not is_marked:
        remark("no detections are marked (PHOTFLAG): each point with a flux counts as one")
    columns: dict[str, Any] = {
        "object_index": index,
        "mjd": mjd,
        "band": points["band"],
        "flux": flux * conventions.scale,
        "flux_error": points["FLUXCALERR"] * conventions.scale,
        "is_detection": is_detection,
        "night": nights_of_survey(np.nan_to_num(mjd), survey_of_name(conventions.survey) or options.survey),
    }
    if not used.all():
        columns = {name: values[used] for name, values in columns.items()}
    return LightCurves.from_fluxes(object_ids, objects=objects, **columns)


def codes_of_bands(names: Sequence[str], places: Integers) -> npt.NDArray[np.int8]:
    """
    Turn SNANA's names of bands into positions in `photometry.BANDS`: what counts is what follows the last - or /.

    Parameters
    ----------
    names
        (k,) as the file spells them, each once.
    places
        (m,) which of them each point has.

    >>> codes_of_bands(["LSST-g", "SDSS/Y", "J"], np.array([0, 0, 1, 2]))
    array([ 1,  1,  5, -1], dtype=int8)
    """
    return codes_of_coded([name.strip().replace("/", "-").rpartition("-")[2] for name in names], places)


def known_or_nan(values: Any, length: int, lowest: float) -> Floats:
    """Read a column of what is known of objects: NaN where there is none, or it is not above the lowest."""
    if values is None:
        return np.full(length, np.nan)
    numbers = np.asarray(values, dtype=float)
    return np.where(numbers > lowest, numbers, np.nan)
