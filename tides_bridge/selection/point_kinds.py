"""Which points of a light curve are what, and the colour of each band: for all that draws them. No input or output."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from tides_bridge.compiled import Mask
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import BANDS, LIMIT_SIGNIFICANCE, POGSON, magnitude_from_flux
from tides_bridge.selection.measures import PointFilter, points_that_count

COLOURS: Final[dict[str, str]] = dict(
    zip(BANDS, ("#0c71ff", "#49be61", "#c61c00", "#ffc200", "#f341a2", "#5d0000"), strict=True)
)
"""Rubin's (RTN-045, as of February 2026; ``lsst.utils.plotting``), chosen with the colour-blind in mind."""

FORCED_SIGNIFICANCE: Final = 3.0
"""S/N from which forced photometry is drawn as a point, not as a limit."""


class PointKinds:
    """
    The points of light curves, each in one kind, and its magnitude and error as drawn: limits at 5 sigma.

    Parameters
    ----------
    curves
        Of any number of objects.
    points
        Which tells the detections that count.
    """

    def __init__(self, curves: LightCurves, points: PointFilter) -> None:
        self.mjd, self.band = curves.mjd, curves.band
        detected = curves.is_detection & np.isfinite(curves.magnitude)
        self.counts = points_that_count(curves, points) & detected
        self.is_fading = detected & ~curves.is_positive
        self.is_usual = detected & curves.is_positive & self.counts
        self.is_hollow = detected & curves.is_positive & ~self.counts
        self.is_limit = ~curves.is_detection & np.isnan(curves.flux) & (curves.flux_error > 0)
        is_forced = ~curves.is_detection & np.isfinite(curves.flux) & (curves.flux_error > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            self.is_forced = is_forced & (np.abs(curves.flux) >= FORCED_SIGNIFICANCE * curves.flux_error)
            forced_error = POGSON * curves.flux_error / np.abs(curves.flux)
        self.is_forced_limit = is_forced & ~self.is_forced
        self.is_forced_fading = self.is_forced & (curves.flux < 0)
        shown = np.where(detected, curves.magnitude, magnitude_from_flux(LIMIT_SIGNIFICANCE * curves.flux_error))
        self.magnitude = np.where(self.is_forced, magnitude_from_flux(np.abs(curves.flux)), shown)
        error = np.where(self.is_forced, forced_error, curves.magnitude_error)
        self.error = np.where(error > 0, error, 0.0)  # an error that is none has no bar

    def of_bands(self, chosen: Mask) -> Iterator[tuple[str, Mask]]:
        """Give the bands that the chosen points have, and which points have them; "" for one that is none of ours."""
        for number, band in (*enumerate(BANDS), (-1, "")):
            mask = chosen & (self.band == number)
            if mask.any():
                yield band, mask

    @property
    def is_measured(self) -> Mask:
        """Which are detections."""
        return self.is_fading | self.is_usual | self.is_hollow
