"""
Light curves so far: at each point, what the points up to it that count amount to. Loops that numba compiles.

Every ``running_...`` takes ``offsets``, (n + 1,) int64, where object i has the points offsets[i] to offsets[i + 1] in
the order of their epochs, and ``counts``, (m,) bool, which points count; and gives (m,) values, the last of an object
for the whole of it. They hold no lock of Python, so threads work side by side.
"""

import math

import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Floats, Integers, Mask, compiled


@compiled
def running_count(offsets: Integers, counts: Mask) -> npt.NDArray[np.int32]:
    """Count the points."""
    out = np.empty(len(counts), np.int32)
    for i in range(len(offsets) - 1):
        number = 0
        for j in range(offsets[i], offsets[i + 1]):
            number += counts[j]
            out[j] = number
    return out


@compiled
def running_bands(offsets: Integers, counts: Mask, band: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
    """Count the distinct bands; a band that is none of ours counts for none."""
    out = np.empty(len(counts), np.int32)
    for i in range(len(offsets) - 1):
        seen, number = 0, 0
        for j in range(offsets[i], offsets[i + 1]):
            if counts[j] and band[j] >= 0 and not (seen >> band[j]) & 1:
                seen |= 1 << band[j]
                number += 1
            out[j] = number
    return out


@compiled
def running_nights(offsets: Integers, counts: Mask, night: Integers) -> npt.NDArray[np.int32]:
    """Count the distinct nights, in whichever order they are numbered."""
    out = np.empty(len(counts), np.int32)
    for i in range(len(offsets) - 1):
        number, newest = 0, np.int64(-1) << 62
        for j in range(offsets[i], offsets[i + 1]):
            if counts[j]:
                is_new = night[j] > newest
                if not is_new and night[j] < newest:  # out of order: look back
                    is_new = True
                    for k in range(offsets[i], j):
                        if counts[k] and night[k] == night[j]:
                            is_new = False
                            break
                newest = max(newest, night[j])
                number += is_new
            out[j] = number
    return out


@compiled
def running_least(offsets: Integers, counts: Mask, values: Floats) -> Floats:
    """Give the least value; NaN before there is one."""
    out = np.empty(len(counts), np.float64)
    for i in range(len(offsets) - 1):
        least = math.nan
        for j in range(offsets[i], offsets[i + 1]):
            if counts[j] and not values[j] >= least and not math.isnan(values[j]):
                least = values[j]
            out[j] = least
    return out


@compiled
def running_first(offsets: Integers, counts: Mask, mjd: Floats) -> Floats:
    """Give the epoch of the first point; NaN before there is one."""
    out = np.empty(len(counts), np.float64)
    for i in range(len(offsets) - 1):
        first = math.nan
        for j in range(offsets[i], offsets[i + 1]):
            if counts[j] and math.isnan(first):
                first = mjd[j]
            out[j] = first
    return out


@compiled
def running_last(offsets: Integers, counts: Mask, mjd: Floats) -> Floats:
    """Give the epoch of the last point; NaN before there is one."""
    out = np.empty(len(counts), np.float64)
    for i in range(len(offsets) - 1):
        last = math.nan
        for j in range(offsets[i], offsets[i + 1]):
            if counts[j]:
                last = mjd[j]
            out[j] = last
    return out


@compiled
def running_gap(offsets: Integers, counts: Mask, mjd: Floats) -> Floats:
    """Give the longest time between two points that follow each other; 0 with one point, NaN before."""
    out = np.empty(len(counts), np.float64)
    for i in range(len(offsets) - 1):
        last, longest = math.nan, math.nan
        for j in range(offsets[i], offsets[i + 1]):
            if counts[j]:
                longest = 0.0 if math.isnan(last) else max(longest, mjd[j] - last)
                last = mjd[j]
            out[j] = longest
    return out


BANDS = 6
"""Bands of which a rate is followed: those of `photometry.BANDS`."""


@compiled
def running_rate(  # noqa: PLR0913, PLR0917
    offsets: Integers,
    counts: Mask,
    mjd: Floats,
    night: Integers,
    band: npt.NDArray[np.int8],
    magnitude: Floats,
    sign: float,
) -> Floats:
    """
    Give the fastest rise (sign 1) or fading (sign -1) of any band between its last two nights [mag/d].

    Of a night the last point counts, of points at one epoch the brightest. Negative where no band does so; NaN before
    any band has points of two nights.
    """
    out = np.empty(len(counts), np.float64)
    now, now_night = np.empty((BANDS, 2)), np.empty(BANDS, np.int64)  # [d], [mag] of the last epoch of each band
    last, last_night = np.empty((BANDS, 2)), np.empty(BANDS, np.int64)  # of the epoch before it
    then, last_then = np.empty((BANDS, 2)), np.empty((BANDS, 2))  # of the night before each of these
    for i in range(len(offsets) - 1):
        now[:], last[:], then[:], last_then[:] = math.nan, math.nan, math.nan, math.nan
        fastest = math.nan
        for j in range(offsets[i], offsets[i + 1]):
            b = band[j]
            if counts[j] and b >= 0 and not math.isnan(magnitude[j]):
                is_later = not mjd[j] <= now[b, 0]
                if is_later:
                    last[b], last_night[b], last_then[b] = now[b], now_night[b], then[b]
                if is_later or magnitude[j] < now[b, 1]:
                    now[b, 0], now[b, 1], now_night[b] = mjd[j], magnitude[j], night[j]
                    then[b] = last_then[b] if last_night[b] == night[j] else last[b]
                fastest = math.nan
                for k in range(BANDS):
                    if not math.isnan(then[k, 0]):
                        rate = sign * (then[k, 1] - now[k, 1]) / (now[k, 0] - then[k, 0])
                        if not fastest >= rate:
                            fastest = rate
            out[j] = fastest
    return out


@compiled
def first_epoch(offsets: Integers, mjd: Floats, is_detection: Mask, passes: Mask) -> Floats:
    """
    Give the epoch of the first detection at which each light curve so far passes; NaN where there is none.

    So far means: all points up to that epoch, those of the same epoch included.

    Returns
    -------
    (n,) float64
        [d].
    """
    out = np.full(len(offsets) - 1, math.nan)
    for i in range(len(offsets) - 1):
        has_detection = False
        for j in range(offsets[i], offsets[i + 1]):
            has_detection |= is_detection[j]
            if j + 1 < offsets[i + 1] and mjd[j + 1] == mjd[j]:
                continue
            if has_detection and passes[j]:
                out[i] = mjd[j]
                break
            has_detection = False
    return out
