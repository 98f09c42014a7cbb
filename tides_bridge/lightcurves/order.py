"""The order of points in light curves."""

import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Floats, Integers, Mask, compiled


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
    if longest_tie(index, mjd) > LONGEST_INSERTION:
        return np.lexsort((is_detection, source_id, band, mjd, index))
    return _inserted(index, mjd, band, source_id, is_detection)


LONGEST_INSERTION = 50
"""Of more points at one epoch insertion takes longer than another sort; no survey has so many."""


@compiled
def longest_tie(index: Integers, mjd: Floats) -> int:
    """Give the number of points in the longest run of one object and epoch."""
    longest = run = 1
    for j in range(1, len(index)):
        run = run + 1 if index[j] == index[j - 1] and mjd[j] == mjd[j - 1] else 1
        longest = max(longest, run)
    return longest


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
