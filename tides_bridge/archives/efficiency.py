"""Efficiency of a backtest, and how pure what it selects is: by brightness, redshift, time and place."""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import pandas as pd

from tides_bridge.archives.backtest import Backtest, share_of
from tides_bridge.compiled import Floats, Integers, Mask

Quantity = Literal["peak_magnitude", "redshift", "epoch", "ra", "decl"]


WIDTHS: Final = {
    "peak_magnitude": (0.1, 0.25, 0.5, 1.0, 2.0),
    "redshift": (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
    "epoch": (1.0, 7.0, 30.0, 91.0, 365.0),
    "ra": (45.0,),
    "decl": (15.0,),
}
"""Of bins, [mag], redshift, [d] and [deg]: the narrowest with which there are at most `MOST_BINS`."""

MOST_BINS: Final = 20

FEWEST: Final = 5
"""Objects of a bin: one with fewer is joined with its neighbours, as its efficiency says nothing."""


def edges_of(values: Floats, quantity: Quantity) -> Floats:
    """
    Choose the edges of bins that hold all values.

    >>> edges_of(np.array([18.1, 19.9]), "peak_magnitude").tolist()[:3]
    [18.1, 18.2, 18.3]
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.array([])
    for width in WIDTHS[quantity]:
        low = np.floor(finite.min() / width)
        number = int(np.floor(finite.max() / width) - low) + 1
        if number <= MOST_BINS:
            break
    edges: Floats = np.round((low + np.arange(number + 1)) * width, 6)
    return edges


def efficiency(backtest: Backtest, *quantities: Quantity, fewest: int = FEWEST) -> pd.DataFrame:
    """
    Bin the objects of wanted classes, and give the share that is selected.

    Parameters
    ----------
    backtest
        The backtest.
    quantities
        One or two. ``epoch`` [d] is that of the peak, or where none is known of the first detection.
    fewest
        Objects of a bin: of those with fewer neighbours are joined, first along the first quantity, then in each bin of
        it along the second.

    Returns
    -------
    DataFrame
        A row a bin: low_edge (part of it) and high_edge (not), of two quantities also low_edge_2 and high_edge_2,
        in_archive, and for each letter selected_A, share_A, low_A, high_A. The last row has NaN for edges: objects of
        which a quantity is not known.
    """
    objects = backtest.objects[backtest.objects.is_wanted]
    table, chosen = _binned_objects(objects, quantities, fewest)
    table["in_archive"] = [int(mask.sum()) for mask in chosen]
    for letter in backtest.letters:
        selected = objects[f"selected_{letter}"].to_numpy(bool)
        table[f"selected_{letter}"] = [int((mask & selected).sum()) for mask in chosen]
        table = table.join(share_of(table[f"selected_{letter}"], table.in_archive).add_suffix(f"_{letter}"))
    return table


def purity(backtest: Backtest, *quantities: Quantity, fewest: int = FEWEST) -> pd.DataFrame:
    """
    Bin the objects that are selected and of a known class, and give the share that is of a wanted one.

    Parameters
    ----------
    backtest
        The backtest.
    quantities
        As of `efficiency`.
    fewest
        As of `efficiency`.

    Returns
    -------
    DataFrame
        A row a bin, as of `efficiency`: its edges, and for each letter selected_A, wanted_A, share_A, low_A, high_A.
    """
    is_selected = backtest.objects[[f"selected_{letter}" for letter in backtest.letters]].any(axis=1)
    objects = backtest.objects[is_selected & backtest.objects.is_known]
    table, chosen = _binned_objects(objects, quantities, fewest)
    wanted = objects.is_wanted.to_numpy(bool)
    for letter in backtest.letters:
        selected = objects[f"selected_{letter}"].to_numpy(bool)
        table[f"selected_{letter}"] = [int((mask & selected).sum()) for mask in chosen]
        table[f"wanted_{letter}"] = [int((mask & selected & wanted).sum()) for mask in chosen]
        shares = share_of(table[f"wanted_{letter}"], table[f"selected_{letter}"])
        table = table.join(shares.add_suffix(f"_{letter}"))
    return table


def _binned_objects(
    objects: pd.DataFrame, quantities: Sequence[Quantity], fewest: int
) -> tuple[pd.DataFrame, list[Mask]]:
    """Give the edges of bins, a row each, and which objects are in it; the last has those of which one is not known."""
    binned = [_binned(objects, quantity) for quantity in quantities]
    is_known = np.all([places >= 0 for places, _ in binned], axis=0)
    rows = _cells(binned, is_known, fewest, ())
    table = pd.DataFrame([cell for cell, _ in rows], columns=EDGES[: 2 * len(quantities)], dtype=float)
    table.loc[len(table)] = np.nan
    return table, [*(mask for _, mask in rows), ~is_known]


EDGES: Final = ("low_edge", "high_edge", "low_edge_2", "high_edge_2")


def _binned(objects: pd.DataFrame, quantity: Quantity) -> tuple[Integers, Floats]:
    """Give the bin of each object, -1 where the quantity is not known, and the edges."""
    if quantity == "epoch":
        values = objects["peak_mjd"].fillna(objects["first_detection_mjd"]).to_numpy(float)
    else:
        values = objects[quantity].to_numpy(float)
    edges = edges_of(values, quantity)
    places = np.maximum(np.digitize(values, edges[:-1]) - 1, 0)
    return np.where(np.isfinite(values), places, -1), edges


def _cells(
    binned: Sequence[tuple[Integers, Floats]], chosen: Mask, fewest: int, before: tuple[float, ...]
) -> list[tuple[tuple[float, ...], Mask]]:
    """Give the edges of each bin, and which objects are in it."""
    if not binned:
        return [(before, chosen)]
    (places, edges), *others = binned
    cells = []
    for low, high in joined_bins(np.bincount(places[chosen], minlength=max(len(edges) - 1, 0)).tolist(), fewest):
        inside = chosen & (places >= low) & (places < high)
        cells += _cells(others, inside, fewest, (*before, float(edges[low]), float(edges[high])))
    return cells


def joined_bins(counts: Sequence[int], fewest: int) -> list[tuple[int, int]]:
    """
    Join neighbouring bins so that each has enough, if all together have: from where each begins to where it ends.

    >>> joined_bins([7, 0, 2, 4, 9, 1], 5)
    [(0, 1), (1, 4), (4, 6)]
    """
    joined, start, number = list[tuple[int, int]](), 0, 0
    for place, count in enumerate(counts, start=1):
        number += count
        if number >= fewest:
            joined.append((start, place))
            start, number = place, 0
    if start < len(counts):
        joined[-1:] = [(joined[-1][0] if joined else 0, len(counts))]
    return joined
