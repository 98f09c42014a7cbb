"""What is measured of light curves: which points count, and what they amount to so far. No input or output here."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Floats, Mask
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import BANDS, POGSON_D333
from tides_bridge.selection import running

Values = npt.NDArray[Any]


@dataclass(frozen=True)
class PointFilter:
    """
    Which detections count.

    Attributes
    ----------
    filters
        Bands, in the order of `photometry.BANDS`; None for any, also one that is none of these.
    significance
        Least S/N; None for any, also none.
    positive_only
        Only those brighter than the template image.
    min_reliability
        Least ``drb`` or ``reliability``; one without does not count. None for any.
    d333
        S/N as D3.3.3 had it: 1.09/magnitude error, infinite where the error is 0.
    """

    filters: tuple[str, ...] | None = None
    significance: float | None = None
    positive_only: bool = True
    min_reliability: float | None = None
    d333: bool = False


ANY_DETECTION: Final = PointFilter(positive_only=False)
"""What D3.3.3 compares with ``magLimit``: a detection of any band, significance and sign."""


def points_that_count(curves: LightCurves, points: PointFilter) -> Mask:
    """Tell which of the (m,) points count."""
    counts = curves.is_detection
    if points.filters is not None:
        allowed = np.zeros(len(BANDS) + 1, dtype=bool)  # its last place is that of band -1
        allowed[[BANDS.index(band) for band in points.filters]] = True
        counts = counts & allowed[curves.band]
    if points.significance is not None:
        counts = counts & (_significance(curves, points) >= points.significance)
    if points.positive_only:
        counts = counts & curves.is_positive
    if points.min_reliability is not None:
        counts = counts & (curves.reliability >= points.min_reliability)
    return counts


def _significance(curves: LightCurves, points: PointFilter) -> Floats:
    if not points.d333:
        return curves.significance
    with np.errstate(divide="ignore", over="ignore"):
        significance: Floats = POGSON_D333 / curves.magnitude_error
    return significance


class Running:
    """
    Running values of light curves over the points that count; each is made when it is first asked for.

    Parameters
    ----------
    curves
        The light curves.
    points
        Which of their points count.
    """

    def __init__(self, curves: LightCurves, points: PointFilter) -> None:
        self.curves, self._counts = curves, points_that_count(curves, points)

    @cached_property
    def detections(self) -> Values:
        """(m,) int32: number of detections."""
        return running.running_count(self.curves.offsets, self._counts)

    @cached_property
    def bands(self) -> Values:
        """(m,) int32: number of distinct bands."""
        return running.running_bands(self.curves.offsets, self._counts, self.curves.band)

    @cached_property
    def nights(self) -> Values:
        """(m,) int32: number of distinct nights."""
        return running.running_nights(self.curves.offsets, self._counts, self.curves.night)

    @cached_property
    def brightest(self) -> Values:
        """(m,) float64 [mag]: brightest magnitude."""
        return running.running_least(self.curves.offsets, self._counts, self.curves.magnitude)

    @cached_property
    def first_mjd(self) -> Values:
        """(m,) float64 [d]: epoch of the first detection."""
        return running.running_first(self.curves.offsets, self._counts, self.curves.mjd)

    @cached_property
    def last_mjd(self) -> Values:
        """(m,) float64 [d]: epoch of the last detection."""
        return running.running_last(self.curves.offsets, self._counts, self.curves.mjd)

    @cached_property
    def longest_gap(self) -> Values:
        """(m,) float64 [d]: longest time between two detections that follow each other."""
        return running.running_gap(self.curves.offsets, self._counts, self.curves.mjd)

    @cached_property
    def rise_rate(self) -> Values:
        """(m,) float64 [mag/d]: fastest rise of any band between its last two nights."""
        return self._rate(1.0)

    @cached_property
    def fade_rate(self) -> Values:
        """(m,) float64 [mag/d]: fastest fading of any band between its last two nights."""
        return self._rate(-1.0)

    def _rate(self, sign: float) -> Values:
        curves = self.curves
        return running.running_rate(
            curves.offsets, self._counts, curves.mjd, curves.night, curves.band, curves.magnitude, sign
        )


class Look:
    """
    Light curves as they are looked at: at each point so far, or at the end.

    Parameters
    ----------
    curves
        The light curves.
    at_mjd
        [d] None to look at each point, at its own epoch; else (n,) epochs at which the whole is looked at.
    """

    def __init__(self, curves: LightCurves, at_mjd: Floats | None = None) -> None:
        self.curves, self.objects, self._at_mjd = curves, curves.objects, at_mjd
        self._has_points = np.diff(curves.offsets) > 0
        self._ends = curves.offsets[1:][self._has_points] - 1

    @property
    def is_at_end(self) -> bool:
        """Whether there is one value an object, not one a point."""
        return self._at_mjd is not None

    @property
    def mjd(self) -> Floats:
        """[d] When it is looked."""
        return self.curves.mjd if self._at_mjd is None else self._at_mjd

    def at(self, running_values: Values) -> Values:
        """Give running values where it is looked; of an object without points 0, or NaN."""
        if not self.is_at_end:
            return running_values
        values = np.full(len(self.curves), np.nan if running_values.dtype.kind == "f" else 0, running_values.dtype)
        values[self._has_points] = running_values[self._ends]
        return values

    def of_object(self, values: Values) -> Values:
        """Give values of the objects where it is looked."""
        return values if self.is_at_end else np.repeat(values, np.diff(self.curves.offsets))
