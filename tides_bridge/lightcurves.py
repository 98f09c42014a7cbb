"""Light curves of many objects as flat columns. No input or output here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from tides_bridge.photometry import BANDS


@dataclass(frozen=True)
class LightCurves:
    """
    Light curves of n objects with m points in all, flat: one row a point, points of one object together.

    Attributes
    ----------
    object_ids
        (n,) text.
    object_index
        (m,) int64: which of the objects a point belongs to.
    mjd
        (m,) float64 [d, UTC].
    band
        (m,) int8: position in `photometry.BANDS`; -1 for a band that is none of these.
    magnitude, magnitude_error
        (m,) float64 [mag]; NaN for a non-detection. Of the absolute value of the difference flux.
    night
        (m,) int64: number of the night.
    is_detection
        (m,) bool: False for a limit.
    is_positive
        (m,) bool: brighter than the template image. A negative difference is a fading, yet has a magnitude.
    ra, decl
        (m,) float64 [deg]; NaN for a non-detection.
    """

    object_ids: tuple[str, ...]
    object_index: npt.NDArray[np.int64]
    mjd: npt.NDArray[np.float64]
    band: npt.NDArray[np.int8]
    magnitude: npt.NDArray[np.float64]
    magnitude_error: npt.NDArray[np.float64]
    night: npt.NDArray[np.int64]
    is_detection: npt.NDArray[np.bool_]
    is_positive: npt.NDArray[np.bool_]
    ra: npt.NDArray[np.float64]
    decl: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """Give the number of objects."""
        return len(self.object_ids)

    @classmethod
    def from_points(cls, object_ids: Sequence[str], points: Iterable[tuple[object, ...]]) -> Self:
        """
        Build from rows of (object index, mjd, band, magnitude, error, night, is_detection, is_positive, ra, decl).

        Units as in the attributes; None where a value is missing.

        >>> curves = LightCurves.from_points(["ZTF26a"], [(0, 61000.0, 1, 19.5, 0.1, 3300, True, True, 10.0, -20.0)])
        >>> len(curves), curves.magnitude
        (1, array([19.5]))
        """
        names = ("object_index", "mjd", "band", "magnitude", "magnitude_error", "night", "is_detection", "is_positive")
        types = (np.int64, float, np.int8, float, float, np.int64, np.bool_, np.bool_, float, float)
        columns = list(zip(*points, strict=True)) or [()] * len(types)
        arrays: dict[str, npt.NDArray[Any]] = {
            name: np.array(column, dtype=dtype)
            for name, column, dtype in zip((*names, "ra", "decl"), columns, types, strict=True)
        }
        return cls(tuple(object_ids), **arrays)


def summarise(curves: LightCurves) -> pd.DataFrame:
    """
    Give what `tides_master` keeps of each object.

    Magnitudes are those of positive detections, as the magnitude of a fading is not the brightness of the source. First
    and last detection are the first and last positive one, or of any sign for an object that has none. Of detections at
    the same epoch the brightest is the latest; of equally bright ones the first is the brightest.

    Returns
    -------
    DataFrame
        Indexed by object id: n_detections, first_detection_mjd, last_detection_mjd [d, UTC], ra, decl [deg] of the last
        detection, and for each of the bands B: B_latest_mag, B_latest_mjd, B_brightest_mag, B_brightest_mjd. Objects
        without any detection are left out.
    """
    points = pd.DataFrame(
        {
            "object_index": curves.object_index,
            "mjd": curves.mjd,
            "band": curves.band,
            "mag": curves.magnitude,
            "is_positive": curves.is_positive,
            "ra": curves.ra,
            "decl": curves.decl,
        }
    )[curves.is_detection].sort_values(["mjd", "mag"], ascending=[True, False])
    positive = points[points["is_positive"]]
    whole = _whole(points).join(_whole(positive).add_suffix("_positive"))
    summary = pd.DataFrame({"n_detections": whole["n"]})
    for column in ("first_detection_mjd", "last_detection_mjd", "ra", "decl"):
        summary[column] = whole[f"{column}_positive"].fillna(whole[column])
    for code, band in enumerate(BANDS):
        in_band = positive[(positive["band"] == code) & positive["mag"].notna()]
        latest = in_band.groupby("object_index").last()
        brightest = in_band.loc[in_band.groupby("object_index")["mag"].idxmin()].set_index("object_index")
        for which, rows in (("latest", latest), ("brightest", brightest)):
            summary[f"{band}_{which}_mag"], summary[f"{band}_{which}_mjd"] = rows["mag"], rows["mjd"]
    summary.index = pd.Index([curves.object_ids[i] for i in summary.index], name="object_id")
    return summary


def _whole(points: pd.DataFrame) -> pd.DataFrame:
    """Count the points of each object, with its first and last epoch and last position."""
    return points.groupby("object_index").agg(
        n=("mjd", "size"),
        first_detection_mjd=("mjd", "first"),
        last_detection_mjd=("mjd", "last"),
        ra=("ra", "last"),
        decl=("decl", "last"),
    )
