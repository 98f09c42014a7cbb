"""The points of light curves, a row each: for the API, the services of the observatory and the client alike."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import BANDS


class CurvePoint(NamedTuple):
    """
    A point of an object.

    Attributes
    ----------
    mjd
        [d] MJD (UTC)
    band
        One of `BANDS`; None of one that the bridge does not know.
    flux, flux_error
        [nJy] Of the difference image; None where they were not measured.
    magnitude, magnitude_error
        [mag] AB; None where they were not measured.
    """

    survey: str
    object_id: str
    mjd: float
    band: str | None
    flux: float | None
    flux_error: float | None
    magnitude: float | None
    magnitude_error: float | None
    is_detection: bool
    is_positive: bool


def named_points(curves: LightCurves, surveys: Sequence[str]) -> Iterator[CurvePoint]:
    """
    Give light curves point by point, in their order.

    Parameters
    ----------
    curves
        Of n objects.
    surveys
        (n,) Of each.
    """
    measured = (curves.flux, curves.flux_error, curves.magnitude, curves.magnitude_error)
    columns = [[value if math.isfinite(value) else None for value in values.tolist()] for values in measured]
    flags = (curves.is_detection.tolist(), curves.is_positive.tolist())
    known = (curves.object_index.tolist(), curves.mjd.tolist(), curves.band.tolist())
    for place, mjd, band, *others in zip(*known, *columns, *flags, strict=True):
        yield CurvePoint(surveys[place], curves.object_ids[place], mjd, BANDS[band] if band >= 0 else None, *others)
