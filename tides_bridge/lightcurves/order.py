"""The order of points in light curves."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Floats, Integers, Mask, compiled

TIE_ORDER = ("decl", "ra", "night", "reliability", "is_positive", "magnitude", "magnitude_error", "flux_error", "flux")
"""The columns by which points of one source at one epoch are sorted, the last first; what follows from these is not."""
LONGEST_INSERTION = 50
"""Of more points at one epoch insertion takes longer than another sort; no survey has so many."""


SAME_EXPOSURE = 5 / 86400
"""[d] No telescope takes two exposures within this: what is as near was written with fewer digits."""


def ordered(
    index: Integers, points: dict[str, npt.NDArray[Any]], number: int
) -> tuple[Integers, dict[str, npt.NDArray[Any]]]:
    """Sort points by object and epoch, and count those once that come twice. Gives the offsets of the objects, too."""
    order = np.argsort(index, kind="stable") if (np.diff(index) < 0).any() else np.arange(len(index))
    index = index[order]
    offsets, mjd = _offsets(index, number), points["mjd"][order]
    if not is_in_order(offsets, mjd):
        by_epoch = order_by_epoch(offsets, mjd)
        order, mjd = order[by_epoch], mjd[by_epoch]
    if longest_tie(index, mjd, SAME_EXPOSURE) > 1:
        exposures = exposures_of(index, mjd, SAME_EXPOSURE)
        index, order = _without_twins(index, points, order, exposures)
        offsets = _offsets(index, number)
        if not is_in_order(offsets, points["mjd"][order]):
            order = order[order_by_epoch(offsets, points["mjd"][order])]
    if len(order) == len(mjd) and is_increasing(order):
        return offsets, points
    return offsets, {name: values[order] for name, values in points.items()}


def _without_twins(
    index: Integers, points: dict[str, npt.NDArray[Any]], order: Integers, exposures: Floats
) -> tuple[Integers, Integers]:
    """
    Sort points of one object and epoch by all else, so that any order they came in gives the same; drop twins.

    Twins are of one exposure and band, and of one source, or where one of them does not know its source of a brightness
    that is the same within its error: the one that knows it is left. Of bands that are not known there may be two.

    Parameters
    ----------
    index
        (m,) The object of each point, increasing.
    points
        Columns, in any order.
    order
        (m,) What puts these in the order of objects and epochs.
    exposures
        (m,) [d] In that order: the epoch of the exposure of each point.

    Returns
    -------
    (index, order)
        (k,) Of the points that are left.
    """
    same = ("band", "source_id", "is_detection")
    ties = order_of_ties(index, exposures, *(points[name][order] for name in same))
    order, exposures = order[ties], exposures[ties]
    band, source, detection = (points[name][order] for name in same)
    is_one = _equal(index) & _equal(exposures) & _equal(band) & _equal(detection)
    is_same = is_one & _equal(source)
    if not is_one.any():
        return index, order
    # By what else differs: only few points get here.
    tied = np.flatnonzero(np.append(is_same, False) | np.insert(is_same, 0, False))
    group = np.cumsum(np.insert(~is_same, 0, True))[tied]
    order[tied] = order[tied][np.lexsort([*(points[name][order[tied]] for name in ("mjd", *TIE_ORDER)), group])]
    flux, error = (points[name][order] for name in ("flux", "flux_error"))
    is_twin = np.insert(is_same & ((_equal(flux) & _equal(error)) | (source[1:] >= 0)), 0, False)
    run = np.cumsum(np.insert(~is_one, 0, True))
    by_flux = np.lexsort((flux, run))
    is_near = (np.diff(run[by_flux]) == 0) & (band[by_flux][1:] >= 0) & _are_near(flux[by_flux], error[by_flux])
    for first, second in ((by_flux[:-1], by_flux[1:]), (by_flux[1:], by_flux[:-1])):
        # The second goes, unless it alone knows its source; of two that do not, the later.
        goes = is_near & (source[second] < 0) & ((source[first] >= 0) | (first < second))
        is_twin[second[goes]] = True
    return index[~is_twin], order[~is_twin]


def _are_near(flux: Floats, error: Floats) -> Mask:
    """Tell which fluxes are that before them, within the larger error, or 2 percent where there is none."""
    size = np.fmax(error[1:], error[:-1])
    size = np.where(np.isnan(size), 0.02 * np.abs(flux[1:]), size)
    near: Mask = (np.abs(np.diff(flux)) <= size) & (np.sign(flux[1:]) == np.sign(flux[:-1]))
    return near


def _offsets(index: Integers, number: int) -> Integers:
    offsets = np.zeros(number + 1, dtype=np.int64)
    np.cumsum(np.bincount(index, minlength=number), out=offsets[1:])
    return offsets


def _equal(values: npt.NDArray[Any]) -> Mask:
    """Tell which values equal the one before them; NaN equals NaN."""
    equal: Mask = values[1:] == values[:-1]
    return equal | (np.isnan(values[1:]) & np.isnan(values[:-1])) if values.dtype.kind == "f" else equal


@compiled
def is_in_order(offsets: Integers, mjd: Floats) -> bool:
    """Tell whether the points of each object are in the order of their epochs."""
    for i in range(len(offsets) - 1):
        for j in range(offsets[i] + 1, offsets[i + 1]):
            if mjd[j] < mjd[j - 1]:
                return False
    return True


@compiled
def order_by_epoch(offsets: Integers, mjd: Floats) -> Integers:
    """Give the (m,) indices that sort the points of each object by epoch; points of one epoch stay as they are."""
    order = np.empty(len(mjd), np.int64)
    for i in range(len(offsets) - 1):
        start, stop = offsets[i], offsets[i + 1]
        order[start:stop] = start + np.argsort(mjd[start:stop], kind="mergesort")
    return order


@compiled
def is_increasing(order: Integers) -> bool:
    """Tell whether indices leave everything where it is, or leave some out."""
    for j in range(1, len(order)):  # noqa: SIM110 - numba compiles no generators
        if order[j] <= order[j - 1]:
            return False
    return True


def order_of_ties(
    index: Integers, mjd: Floats, band: npt.NDArray[np.int8], source_id: Integers, is_detection: Mask
) -> Integers:
    """
    Give the (m,) indices that sort points of one object and epoch by band, source and whether they are detections.

    Parameters
    ----------
    index, mjd
        (m,) Of points in the order of objects and epochs.
    band, source_id, is_detection
        (m,) As in `LightCurves`.
    """
    if longest_tie(index, mjd, 0.0) > LONGEST_INSERTION:
        return np.lexsort((is_detection, source_id, band, mjd, index))
    return _inserted(index, mjd, band, source_id, is_detection)


@compiled
def longest_tie(index: Integers, mjd: Floats, apart: float) -> int:
    """Give the number of points in the longest run of one object, each no more apart [d] from the one before."""
    longest = run = 1
    for j in range(1, len(index)):
        run = run + 1 if index[j] == index[j - 1] and mjd[j] - mjd[j - 1] <= apart else 1
        longest = max(longest, run)
    return longest


@compiled
def exposures_of(index: Integers, mjd: Floats, apart: float) -> Floats:
    """Give the (m,) epoch of the first point of each exposure: those no more apart [d] from it are of the same."""
    first = mjd.copy()
    for j in range(1, len(index)):
        if index[j] == index[j - 1] and mjd[j] - first[j - 1] <= apart:
            first[j] = first[j - 1]
    return first


@compiled
def _inserted(
    index: Integers, mjd: Floats, band: npt.NDArray[np.int8], source_id: Integers, is_detection: Mask
) -> Integers:
    """Sort by insertion: nearly always there is one point, or a detection and the forced photometry at its place."""
    order = np.arange(len(index))
    for j in range(1, len(index)):
        place = j
        while place > 0 and index[place - 1] == index[j] and mjd[place - 1] == mjd[j]:
            before = order[place - 1]
            if band[before] != band[j]:
                is_after = band[before] > band[j]
            elif source_id[before] != source_id[j]:
                is_after = source_id[before] > source_id[j]
            else:
                is_after = is_detection[before] and not is_detection[j]
            if not is_after:
                break
            order[place] = before
            place -= 1
        order[place] = j
    return order
