"""
Which light curves become targets: selection functions as data, judged on whole columns. No input or output here.

Two sets of rules. A function with ``rules: strict`` counts positive detections only, takes S/N = 1.0857/error or
flux/error, and asks every criterion of the chosen bands and significance. One without the key is judged as D3.3.3 did:
S/N = 1.09/error, the sign of the difference ignored, and ``magLimit`` compared with any detection of any band.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Floats, Mask
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.selection.conditions import Annotated
from tides_bridge.selection.criteria import CRITERIA
from tides_bridge.selection.measures import ANY_DETECTION, Look, PointFilter, Running
from tides_bridge.selection.parsing import Group, Leaf, parse_block
from tides_bridge.selection.running import first_epoch

__all__ = [
    "Group",
    "Leaf",
    "SelectionFunction",
    "Verdicts",
    "judge",
    "light_curve_satisfies",
    "measure",
]


BLOCK_POINTS: Final = 200_000
"""Points judged at once: so many that their columns stay in the cache of the processor."""


@dataclass(frozen=True)
class SelectionFunction:
    """
    One selection function.

    Attributes
    ----------
    name
        Of the block in the file.
    rules
        ``strict``, or None for those of D3.3.3.
    points
        Which detections count.
    criteria
        What is asked.
    keys
        The keys of the file in their normal form: units converted, bands in order.
    surveys
        Whose light curves at one place are judged together: see `together`. None: each is judged alone.
    """

    name: str
    rules: Literal["strict"] | None
    points: PointFilter
    criteria: Group
    keys: Mapping[str, Any] = field(compare=False, repr=False)
    surveys: tuple[str, ...] = ()

    @classmethod
    def parse(cls, name: str, keys: Mapping[str, Any]) -> "SelectionFunction":
        """
        Make a function of the keys in a file.

        Raises
        ------
        ValueError
            "key: what is wrong", for a key, band, unit or value that is none, or one that is missing.

        >>> SelectionFunction.parse("example", {"rules": "strict", "filters": ["g"], "significance": 5, "minBand": 2})
        Traceback (most recent call last):
        ...
        ValueError: minBand: unknown key; did you mean minBands?
        """
        return cls(name, *parse_block(keys))

    @property
    def normalised_text(self) -> str:
        """What the function demands, in one way of writing: JSON with sorted keys."""
        return json.dumps(self.keys, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @cached_property
    def version(self) -> str:
        """The first 12 hexadecimal characters of the SHA-256 of `normalised_text`."""
        return hashlib.sha256(self.normalised_text.encode()).hexdigest()[:12]

    @cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """All criteria, those in groups too."""
        return tuple(self.criteria.leaves())

    @cached_property
    def annotations(self) -> dict[str, str]:
        """By the path of a criterion that asks for what brokers say: the name of the annotation."""
        asked = {leaf.path: leaf.criterion.measure for leaf in self.leaves}
        found = {path: measure.annotation for path, measure in asked.items() if isinstance(measure, Annotated)}
        return found | {leaf.path: "tns.type" for leaf in self.leaves if leaf.criterion.key == "tnsType"}


@dataclass(frozen=True)
class Verdicts:
    """
    What a function says of n objects.

    Attributes
    ----------
    function
        The function.
    passed
        (n,) bool.
    trigger_mjd
        (n,) float64 [d]: first detection at which the light curve so far passes; NaN where there is none.
    n_detections
        (n,) int64: detections of any kind.
    measured
        By the path of a criterion, (n,) float64, or text: what was measured; NaN where nothing could be.
    fulfilled
        By the path of a criterion, (n,) bool.
    """

    function: SelectionFunction
    passed: Mask
    trigger_mjd: Floats
    n_detections: npt.NDArray[np.int64]
    measured: dict[str, npt.NDArray[Any]]
    fulfilled: dict[str, Mask]


def light_curve_satisfies(curves: LightCurves, function: SelectionFunction) -> Mask:
    """
    Judge every object as it is now.

    Returns
    -------
    (n,) bool
        Whether each object of `curves` satisfies the function.

    >>> points = [(0, 61000.0 + i, 1 + i, 19.5, 0.1, 3300 + i, True, True, 10.0, -20.0) for i in range(2)]
    >>> keys = {"rules": "strict", "filters": ["g", "r"], "significance": 5, "minBands": 2, "minNights": 2}
    >>> light_curve_satisfies(LightCurves.from_points(["a"], points), SelectionFunction.parse("example", keys))
    array([ True])
    """
    (verdicts,) = judge(curves, [function])
    return verdicts.passed


def judge(curves: LightCurves, functions: Sequence[SelectionFunction], now_mjd: float | None = None) -> list[Verdicts]:
    """
    Judge every object by several functions, in one pass over the points.

    Parameters
    ----------
    curves
        The light curves of n objects.
    functions
        The functions.
    now_mjd
        [d, UTC] When it is: an age counts from then. None: at the last point of each light curve.

    Returns
    -------
    list of Verdicts
        One a function.

    >>> points = [(0, 61000.0 + i, 1 + i, 19.5, 0.1, 3300 + i, True, True, 10.0, -20.0) for i in range(3)]
    >>> keys = {"rules": "strict", "filters": ["g", "r"], "significance": 5, "minNights": 2}
    >>> (verdicts,) = judge(LightCurves.from_points(["a"], points), [SelectionFunction.parse("example", keys)])
    >>> verdicts.trigger_mjd, verdicts.measured["minNights"]
    (array([61001.]), array([2.]))
    """
    blocks = [_judge_block(curves.part(*ends), functions, now_mjd) for ends in _block_ends(curves)]
    return [_joined(function, [block[i] for block in blocks]) for i, function in enumerate(functions)]


def _block_ends(curves: LightCurves) -> list[tuple[int, int]]:
    """Cut objects into blocks of some BLOCK_POINTS points; at least one block, at least one object in each."""
    ends = [0]
    while ends[-1] < len(curves):
        reach = np.searchsorted(curves.offsets, curves.offsets[ends[-1]] + BLOCK_POINTS)
        ends.append(min(max(int(reach), ends[-1] + 1), len(curves)))
    return list(pairwise(ends)) or [(0, 0)]


def _judge_block(curves: LightCurves, functions: Sequence[SelectionFunction], now_mjd: float | None) -> list[Verdicts]:
    running: dict[PointFilter, Running] = {}
    for leaf in (leaf for function in functions for leaf in function.leaves):
        if leaf.points not in running:
            running[leaf.points] = Running(curves, leaf.points)
    has_points = np.diff(curves.offsets) > 0
    ends = np.full(len(curves), np.nan)
    ends[has_points] = curves.mjd[curves.offsets[1:][has_points] - 1]
    at_end = Look(curves, ends if now_mjd is None else np.full(len(curves), now_mjd))
    detections = Running(curves, ANY_DETECTION).detections
    number = at_end.at(detections).astype(np.int64)
    return [_verdicts(function, Look(curves), at_end, running, number) for function in functions]


def _verdicts(
    function: SelectionFunction,
    so_far: Look,
    at_end: Look,
    running: dict[PointFilter, Running],
    number: npt.NDArray[np.int64],
) -> Verdicts:
    measured = {
        leaf.path: leaf.criterion.measure(at_end, running[leaf.points], leaf.threshold) for leaf in function.leaves
    }
    fulfilled = {leaf.path: leaf.criterion.compare(measured[leaf.path], leaf.threshold) for leaf in function.leaves}
    passed = _joins(function.criteria, fulfilled)
    along = {leaf.path: _along(leaf, so_far, running, fulfilled[leaf.path]) for leaf in function.leaves}
    curves = so_far.curves
    trigger = first_epoch(curves.offsets, curves.mjd, curves.is_detection, _joins(function.criteria, along))
    values = {path: array.astype(float) if array.dtype.kind in "iu" else array for path, array in measured.items()}
    return Verdicts(function, passed, trigger, number, values, fulfilled)


def _along(leaf: Leaf, so_far: Look, running: dict[PointFilter, Running], fulfilled: Mask) -> Mask:
    """Tell at which points a criterion is fulfilled so far; one of the object is so at all or none."""
    if leaf.criterion.is_of_object:
        return so_far.of_object(fulfilled)
    measured = leaf.criterion.measure(so_far, running[leaf.points], leaf.threshold)
    return leaf.criterion.compare(measured, leaf.threshold)


def _joins(part: Leaf | Group, fulfilled: Mapping[str, Mask]) -> Mask:
    """Join what is fulfilled as the groups have it."""
    if isinstance(part, Leaf):
        return fulfilled[part.path]
    masks = [_joins(member, fulfilled) for member in part.parts]
    if part.kind == "not":
        return ~masks[0]
    join = np.logical_and if part.kind == "all" else np.logical_or
    joined = masks[0]
    for mask in masks[1:]:
        joined = join(joined, mask)
    return joined


def _joined(function: SelectionFunction, blocks: Sequence[Verdicts]) -> Verdicts:
    """Put the verdicts on several blocks together."""
    if len(blocks) == 1:
        return blocks[0]
    measured = {leaf.path: np.concatenate([b.measured[leaf.path] for b in blocks]) for leaf in function.leaves}
    fulfilled = {leaf.path: np.concatenate([b.fulfilled[leaf.path] for b in blocks]) for leaf in function.leaves}
    return Verdicts(
        function,
        np.concatenate([b.passed for b in blocks]),
        np.concatenate([b.trigger_mjd for b in blocks]),
        np.concatenate([b.n_detections for b in blocks]),
        measured,
        fulfilled,
    )


def measure(  # noqa: PLR0913
    key: str,
    *,
    mjd: Sequence[float] = (61000.0, 61001.0, 61002.0),
    mags: Sequence[float] = (),
    errors: Sequence[float] = (),
    bands: str = "",
    demanded: Any = None,
    **known: Any,
) -> list[Any]:
    """
    Measure one criterion on one light curve, for examples: at each detection, or once for what is known of the object.

    Parameters
    ----------
    key
        Of the criterion; detections of S/N >= 5 in any of LSST's bands count.
    mjd, mags, errors, bands
        Of the detections; where one is not given, 19 mag with an error of 0.1 mag in g.
    demanded
        The threshold, for a footprint.
    known
        Fields of `Objects`.
    """
    number = min(len(values) for values in (mjd, mags, errors, bands) if values)
    curves = LightCurves.from_magnitudes(
        ["example"],
        np.zeros(number, dtype=int),
        mjd[:number],
        [BANDS.index(band) for band in bands or "g" * number],
        mags or [19.0] * number,
        errors or [0.1] * number,
        is_detection=[True] * number,
        is_positive=[True] * number,
        objects=Objects.of(1, **known),
    )
    criterion, running = CRITERIA[key], Running(curves, PointFilter(BANDS, 5.0))
    look = Look(curves, np.array([mjd[number - 1]])) if criterion.is_of_object else Look(curves)
    return list(criterion.measure(look, running, demanded).tolist())


def every_detection() -> SelectionFunction:
    """
    Give a function that any detection satisfies: it judges light curves that are only looked at.

    Returns
    -------
    SelectionFunction
        At S/N 0.001 of either sign in any band: what is no detection still counts as none.
    """
    keys = {"rules": "strict", "filters": list(BANDS), "significance": 0.001, "positiveOnly": False, "minDetections": 1}
    return SelectionFunction.parse("every detection", keys)
