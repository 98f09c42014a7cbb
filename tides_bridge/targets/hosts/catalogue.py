"""
Hosts from a catalogue of galaxies, by directional light radius.

The separation of an object from a galaxy is counted in the radius of the galaxy's ellipse in the direction of the
object (Sullivan et al. 2006, ApJ 648, 868; Gupta et al. 2016, AJ 152, 154): so a large galaxy far away stands before a
small one nearby that it outshines.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from tides_bridge.compiled import Floats
from tides_bridge.targets.hosts.candidates import MOST, HostCandidate, ObjectPlace
from tides_bridge.targets.neighbours import great_circle_arcsec

SEARCHED: Final = 60.0
"""[arcsec] So far away a galaxy is looked for."""

MOST_RADII: Final = 7.0
"""In directional light radii: beyond it a galaxy is no candidate (Gupta et al. 2016 have 4; outskirts are kept)."""

SMALLEST: Final = 0.5
"""[arcsec] Semi-major axis of a galaxy of which none is known, or a smaller one: that of a point, blurred."""


def directional_light_radius(major: Floats, ratio: Floats, angle: Floats, direction: Floats) -> Floats:
    """
    Give the radius of an ellipse in a direction.

    Parameters
    ----------
    major, ratio
        (n,) [arcsec] semi-major axis, and axis ratio.
    angle, direction
        (n,) [deg] from north to east: of the major axis, and of the direction; NaN: of a circle of equal area.

    Returns
    -------
    (n,) float
        [arcsec]

    >>> one = np.ones(3)
    >>> directional_light_radius(2 * one, 0.5 * one, 0 * one, np.array([0.0, 90.0, np.nan])).round(3).tolist()
    [2.0, 1.0, 1.414]
    """
    apart = np.radians(direction - angle)
    minor = major * ratio
    radius: Floats = major * minor / np.hypot(minor * np.cos(apart), major * np.sin(apart))
    return np.where(np.isfinite(radius), radius, np.sqrt(major * minor))


@dataclass(frozen=True)
class GalaxyCatalogue:
    """
    A catalogue in which hosts are looked for: it is a `HostFinder`.

    Attributes
    ----------
    galaxies
        Of `formats.published.galaxies.read_galaxies`, sorted by declination.
    name
        What to call it.
    mag_type
        Of its magnitudes, such as ``LSST_r_AB``.
    """

    galaxies: pd.DataFrame
    name: str
    mag_type: str

    @classmethod
    def of(cls, galaxies: pd.DataFrame, name: str, mag_type: str) -> "GalaxyCatalogue":
        """Sort galaxies for the search."""
        return cls(galaxies.sort_values("decl", ignore_index=True), name, mag_type)

    def __call__(self, places: Sequence[ObjectPlace]) -> Iterable[tuple[ObjectPlace, Sequence[HostCandidate]]]:
        """Give the candidates of each object, the likeliest first."""
        decls = self.galaxies.decl.to_numpy(float)
        for place in places:
            low, high = np.searchsorted(decls, [place.decl - SEARCHED / 3600, place.decl + SEARCHED / 3600])
            yield place, list(self._near(place, self.galaxies.iloc[low:high]))

    def _near(self, place: ObjectPlace, galaxies: pd.DataFrame) -> Iterator[HostCandidate]:
        ra, decl = galaxies.ra.to_numpy(float), galaxies.decl.to_numpy(float)
        separation = great_circle_arcsec(np.array([place.ra]), np.array([place.decl]), ra, decl)
        east = (place.ra - ra + 180) % 360 - 180
        direction = np.degrees(np.arctan2(east * np.cos(np.radians(decl)), place.decl - decl))
        major = np.fmax(galaxies.major.to_numpy(float), SMALLEST)
        radius = directional_light_radius(
            major, galaxies.ratio.to_numpy(float), galaxies.angle.to_numpy(float), direction
        )
        radii = separation / radius
        for number in np.lexsort((separation, radii))[: 10 * MOST]:
            if separation[number] <= SEARCHED and radii[number] <= MOST_RADII:
                yield self._candidate(galaxies.iloc[number], float(separation[number]), float(radii[number]))

    def _candidate(self, row: "pd.Series[Any]", separation: float, radii: float) -> HostCandidate:
        is_spectroscopic = bool(np.isfinite(row["spectroscopic"]))
        redshift = _known(row["spectroscopic" if is_spectroscopic else "photometric"])
        kind = None if redshift is None else "spectroscopic" if is_spectroscopic else "photometric"
        mag = _known(row["mag"])
        return HostCandidate(
            catalogue=self.name,
            name=row["name"],
            ra=float(row["ra"]),
            decl=float(row["decl"]),
            separation=round(separation, 3),
            radii=round(radii, 3),
            redshift=redshift,
            redshift_error=_known(row["photometric_error"]) if kind == "photometric" else None,
            redshift_kind=kind,  # type: ignore[arg-type]
            mag=mag if mag is not None and 3 < mag < 50 else None,
            mag_type=self.mag_type if mag is not None and 3 < mag < 50 else None,
        )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
