"""A light curve as a figure, for a notebook."""

from typing import Any, Final

import numpy as np
from astropy.table import Table

COLOURS: Final = {"u": "#332288", "g": "#117733", "r": "#cc3311", "i": "#ee7733", "z": "#882255", "y": "#555555"}
"""That colour-blind people tell apart (P. Tol)."""

MARKERS: Final = {"ztf": "o", "lsst": "s"}


def draw_points(points: Table, title: str = "") -> Any:
    """
    Draw the points of a light curve: detections filled, what was no detection open and pale.

    Parameters
    ----------
    points
        As `Bridge.light_curve` gives them.
    title
        Of the figure.

    Returns
    -------
    Axes
        Of matplotlib.
    """
    from matplotlib import pyplot as plt

    axes = plt.figure(figsize=(8, 4.5), layout="constrained").add_subplot()
    keys = sorted({(str(row["survey"]), str(row["band"])) for row in points})
    for survey, band in keys:
        for is_detection in (True, False):
            chosen = points[
                (points["survey"] == survey) & (points["band"] == band)
                & (np.asarray(points["is_detection"], dtype=bool) == is_detection)
            ]  # fmt: skip
            axes.errorbar(
                np.asarray(chosen["mjd"]), np.ma.filled(chosen["flux"], np.nan), np.ma.filled(chosen["flux_error"], 0),
                fmt=MARKERS.get(survey, "^"), color=COLOURS.get(band, "#000000"), alpha=1 if is_detection else 0.35,
                mfc=None if is_detection else "none", ms=5, lw=1, label=f"{survey} {band}" if is_detection else None,
            )  # fmt: skip
    axes.axhline(0, color="grey", lw=0.8)
    axes.set(xlabel="MJD", ylabel="difference flux [nJy]", title=title)
    if keys:
        axes.legend(ncols=2, fontsize="small")
    return axes
