"""What is kept of each light curve. No input or output here."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from tides_bridge.compiled import Floats, Integers, Mask, compiled
from tides_bridge.lightcurves.columns import LightCurves
from tides_bridge.lightcurves.photometry import AB_ZERO_POINT, BANDS, LIMIT_SIGNIFICANCE

WHOLE: Final = ("first_detection_mjd", "last_detection_mjd", "ra", "decl", "scatter_arcsec")
"""What is said of all bands together."""

OF_BAND: Final = (
    "latest_mag",
    "latest_error",
    "latest_mjd",
    "brightest_mag",
    "brightest_error",
    "brightest_mjd",
    "n_detections",
    "limit_mag",
    "limit_mjd",
    "forced_flux",
    "forced_error",
    "forced_mjd",
)
"""What is said of each band: `object_brightness` has these columns, and units."""

POSITION_FLOOR: Final = 0.05
"""[arcsec] The error of one position, however bright the source: astrometry of an exposure."""

POSITION_SCALE: Final = 1.0
"""[arcsec] Of the error of a position at S/N 1: about half the width of a star's image; only weights follow from it."""

ARCSEC: Final = np.pi / 180 / 3600
"""[rad]"""

STRAY: Final = (0.5, 4.0)
"""A position is left out of the mean if it is further from the median than both: arcsec, and median distances."""

FEW: Final = 4
"""Of so many positions and more one stray one says nothing about the scatter."""

SIGNIFICANT: Final = 5.0
"""Positions of fainter detections count only where there is no other."""


def summarise_light_curves(curves: LightCurves) -> pd.DataFrame:
    """
    Give what is known of each object: where it is, when it was seen, how bright it was in each band.

    Magnitudes are those of positive detections, as the magnitude of a fading is not the brightness of the source. First
    and last detection are the first and last positive one, or of any sign for an object that has none. Of detections at
    the same epoch the brightest is the latest; of equally bright ones the first is the brightest. A limit is a
    non-detection without a flux [mag of 5 sigma]; forced photometry has one [nJy].

    The position is the mean of those of significant positive detections, weighted by their errors, those left out that
    lie far from the others; the scatter is the largest distance from it, of four and more the second largest.

    Returns
    -------
    DataFrame
        Indexed by object id: n_detections, first_detection_mjd, last_detection_mjd [d, UTC], ra, decl [deg],
        scatter_arcsec, and for each of the bands B the columns of `OF_BAND` as B_latest_mag and so on. Objects without
        any detection are left out.
    """
    number = np.bincount(curves.object_index[curves.is_detection], minlength=len(curves))
    offsets, mjd, mag, is_detection = curves.offsets, curves.mjd, curves.magnitude, curves.is_detection
    seen = _seen(offsets, mjd, is_detection, curves.is_positive)
    places = _places(offsets, curves.significance, is_detection, curves.is_positive, curves.ra, curves.decl)
    bands = _of_bands(
        *(offsets, mjd, curves.band, mag, curves.magnitude_error, is_detection, is_detection & curves.is_positive),
        *(curves.flux, curves.flux_error, len(BANDS)),
    )
    columns = {"n_detections": number} | dict(zip(WHOLE, np.hstack([seen, places]).T, strict=True))
    for code, band in enumerate(BANDS):
        columns |= {f"{band}_{name}": bands[code, place] for place, name in enumerate(OF_BAND)}
    chosen = np.flatnonzero(number)
    names = pd.Index([curves.object_ids[i] for i in chosen.tolist()], name="object_id")
    return pd.DataFrame({name: values[chosen] for name, values in columns.items()}, index=names)


@compiled
def _seen(offsets: Integers, mjd: Floats, is_detection: Mask, is_positive: Mask) -> Floats:
    """Give (n, 2): the first and the last positive detection, or of any sign where none is positive."""
    found = np.full((len(offsets) - 1, 2), np.nan)
    for i in range(len(offsets) - 1):
        for asks_positive in (False, True):
            first, last = np.nan, np.nan
            for j in range(offsets[i], offsets[i + 1]):
                if is_detection[j] and (is_positive[j] or not asks_positive):
                    first = mjd[j] if np.isnan(first) else first
                    last = mjd[j]
            if not np.isnan(first):
                found[i, 0], found[i, 1] = first, last
    return found


@compiled
def _places(  # noqa: PLR0912, PLR0913, PLR0917
    offsets: Integers, significance: Floats, is_detection: Mask, is_positive: Mask, ra: Floats, decl: Floats
) -> Floats:
    """Give (n, 3): mean position [deg] and scatter [arcsec]; of the best kind of detections that has a position."""
    found = np.full((len(offsets) - 1, 3), np.nan)
    longest = np.max(offsets[1:] - offsets[:-1]) if len(offsets) > 1 else 0
    east, north, weight, away = np.empty(longest), np.empty(longest), np.empty(longest), np.empty(longest)
    for i in range(len(offsets) - 1):
        n, reference = 0, 0
        for kind in range(3):  # significant positive detections, positive ones, all
            for j in range(offsets[i], offsets[i + 1]):
                if not is_detection[j] or np.isnan(ra[j]) or np.isnan(decl[j]):
                    continue
                if (kind < 2 and not is_positive[j]) or (kind == 0 and not significance[j] >= SIGNIFICANT):
                    continue
                if n == 0:
                    reference = j
                turn, high, pole = np.radians(ra[j] - ra[reference]), np.radians(decl[j]), np.radians(decl[reference])
                east[n] = np.cos(high) * np.sin(turn) / ARCSEC
                north[n] = (np.sin(high) * np.cos(pole) - np.cos(high) * np.sin(pole) * np.cos(turn)) / ARCSEC
                sharp = max(significance[j], 1.0) if significance[j] > 0 else SIGNIFICANT
                weight[n] = 1.0 / (POSITION_FLOOR**2 + (POSITION_SCALE / sharp) ** 2)
                n += 1
            if n:
                break
        if not n:
            continue
        x, y = np.median(east[:n]), np.median(north[:n])
        for k in range(n):
            away[k] = np.hypot(east[k] - x, north[k] - y)
        limit = max(STRAY[0], STRAY[1] * np.median(away[:n]))
        x, y, total = 0.0, 0.0, 0.0
        for k in range(n):
            if away[k] <= limit:
                x, y, total = x + weight[k] * east[k], y + weight[k] * north[k], total + weight[k]
        x, y = x / total, y / total
        largest, second = 0.0, 0.0
        for k in range(n):
            distance = np.hypot(east[k] - x, north[k] - y)
            if distance > largest:
                largest, second = distance, largest
            elif distance > second:
                second = distance
        found[i, 0], found[i, 1] = _off(ra[reference], decl[reference], x, y)
        found[i, 2] = second if n >= FEW else largest
    return found


@compiled
def _off(ra: float, decl: float, east: float, north: float) -> tuple[float, float]:
    """Give the place [deg] that lies so far [arcsec] from another, in orthographic projection."""
    if east == 0.0 and north == 0.0:
        return ra, decl
    x, y, pole = east * ARCSEC, north * ARCSEC, np.radians(decl)
    z = np.sqrt(1.0 - x * x - y * y)
    outward = z * np.cos(pole) - y * np.sin(pole)
    turned = (ra + np.degrees(np.arctan2(x, outward))) % 360.0
    return turned, np.degrees(np.arctan2(y * np.cos(pole) + z * np.sin(pole), np.hypot(x, outward)))


@compiled
def _of_bands(  # noqa: PLR0913, PLR0917
    offsets: Integers,
    mjd: Floats,
    band: npt.NDArray[np.int8],
    mag: Floats,
    error: Floats,
    is_detection: Mask,
    is_counted: Mask,
    flux: Floats,
    flux_error: Floats,
    bands: int,
) -> Floats:
    """Give (bands, columns of `OF_BAND`, n): of each the latest and the brightest, the limit and the forced flux."""
    found = np.full((bands, 12, len(offsets) - 1), np.nan)
    found[:, 6] = 0.0
    for i in range(len(offsets) - 1):
        for j in range(offsets[i], offsets[i + 1]):
            if band[j] < 0:
                continue
            own = found[band[j]]
            if is_counted[j]:
                own[6, i] += 1.0
            if is_counted[j] and not np.isnan(mag[j]):
                if not (mjd[j] == own[2, i] and mag[j] > own[0, i]):
                    own[0, i], own[1, i], own[2, i] = mag[j], error[j], mjd[j]
                if not mag[j] >= own[3, i]:
                    own[3, i], own[4, i], own[5, i] = mag[j], error[j], mjd[j]
            elif not is_detection[j] and flux_error[j] > 0:
                if np.isnan(flux[j]):
                    depth = AB_ZERO_POINT - 2.5 * np.log10(LIMIT_SIGNIFICANCE * flux_error[j])
                    if not (mjd[j] == own[8, i] and depth < own[7, i]):
                        own[7, i], own[8, i] = depth, mjd[j]
                elif not (mjd[j] == own[11, i] and flux_error[j] > own[10, i]):
                    own[9, i], own[10, i], own[11, i] = flux[j], flux_error[j], mjd[j]
    return found
