"""The order of points in light curves."""

import numpy as np

from tides_bridge.compiled import Floats, Integers, compiled


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
