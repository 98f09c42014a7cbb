"""
Which light curves become targets: selection functions as data, judged on whole columns. No network, no database.

Two sets of rules. A function with ``rules: strict`` counts positive detections only, takes S/N = 1.0857/error, and asks
every criterion of the chosen bands and significance. One without the key is judged as D3.3.3 judged it: S/N =
1.09/error, the sign of the difference ignored, and the magnitude limit compared with any detection of any band.
"""

from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from tides_bridge.lightcurves import LightCurves
from tides_bridge.photometry import BANDS, POGSON, POGSON_D333, Band

Mask = npt.NDArray[np.bool_]


class SelectionFunction(BaseModel):
    """One selection function, with the keys of D3.3.3."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    name: str = Field(description="of the block in the file")
    filters: Annotated[tuple[Band, ...], Field(min_length=1)] = Field(description="bands that count")
    significance: float = Field(gt=0, description="least S/N of a detection that counts")
    min_bands: int = Field(ge=0, description="least number of distinct bands")
    min_nights: int = Field(ge=0, description="least number of distinct nights")
    mag_limit: float = Field(description="[mag] at least one detection is this bright or brighter")
    rules: Literal["strict"] | None = Field(None, description="strict, or as D3.3.3 without this key")


def light_curve_satisfies(curves: LightCurves, function: SelectionFunction) -> Mask:
    """
    Judge every object.

    Returns
    -------
    (n,) bool
        Whether each object of `curves` satisfies the function.

    >>> points = [(0, 61000.0 + i, 1 + i, 19.5, 0.1, 3300 + i, True, True, 10.0, -20.0) for i in range(2)]
    >>> strict = SelectionFunction(
    ...     name="example", filters=("g", "r"), significance=5, minBands=2, minNights=2, magLimit=22.5, rules="strict"
    ... )
    >>> light_curve_satisfies(LightCurves.from_points(["a"], points), strict)
    array([ True])
    """
    counts = _counts(curves, function)
    limited = counts if function.rules else curves.is_detection
    bright = limited & (curves.magnitude <= function.mag_limit)
    bands = _distinct(curves, curves.band.astype(np.int64), counts)
    nights = _distinct(curves, curves.night, counts)
    has_bright = np.bincount(curves.object_index[bright], minlength=len(curves)) > 0
    satisfied: Mask = (bands >= function.min_bands) & (nights >= function.min_nights) & has_bright
    return satisfied


def _counts(curves: LightCurves, function: SelectionFunction) -> Mask:
    """Tell which points count: detections in the chosen bands and significant (strict: positive ones)."""
    in_bands = np.isin(curves.band, [BANDS.index(band) for band in function.filters])
    error = curves.magnitude_error
    # An error of 0 is infinitely significant to D3.3.3, and nothing to the strict rules.
    with np.errstate(divide="ignore", over="ignore"):
        significance = (POGSON if function.rules else POGSON_D333) / error
    counts: Mask = curves.is_detection & in_bands & (significance >= function.significance)
    return counts & curves.is_positive & (error > 0) if function.rules else counts


def _distinct(curves: LightCurves, values: npt.NDArray[np.int64], counts: Mask) -> npt.NDArray[np.int64]:
    """Count the distinct values of each object among the points that count."""
    pairs = np.unique(np.stack([curves.object_index[counts], values[counts]]), axis=1)
    number: npt.NDArray[np.int64] = np.bincount(pairs[0], minlength=len(curves))
    return number
