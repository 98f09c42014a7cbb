"""
Blocks of keys, as a file has them, become selection functions: keys, bands, units and values are checked here.

A value may have its unit: ``maxGap: 10 d``, ``magLimit: 3630.78 nJy``; a bare number has that of the criterion.
"""

import difflib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from tides_bridge.formats.meaning.tns_types import TNS_TYPES
from tides_bridge.lightcurves.photometry import BANDS, PHOTOMETRIC_SYSTEMS, magnitude_from_flux
from tides_bridge.selection.conditions import SIGNS, Annotated, Condition
from tides_bridge.selection.criteria import CRITERIA, Criterion, Footprint
from tides_bridge.selection.measures import ANY_DETECTION, PointFilter

D333_KEYS: Final = ("filters", "significance", "minBands", "minNights", "magLimit")
"""The keys of D3.3.3, all of which a function without ``rules`` has, and no other."""

POINT_KEYS: Final = ("filters", "significance", "positiveOnly", "minReliability")
"""Keys that say which detections count."""

FUNCTION_KEYS: Final = ("rules", "surveys")
"""Keys of a function as a whole, which no block within has."""

GROUPS: Final = ("all", "any", "not")

SURVEYS: Final = tuple(PHOTOMETRIC_SYSTEMS)
"""The surveys whose light curves may be judged together."""

SHERLOCK_CLASSES: Final = ("AGN", "BS", "CV", "NT", "ORPHAN", "SN", "UNCLEAR", "UNKNOWN", "VS")
"""Sherlock's classes (Lasair, ``sherlock_classifications``); UNKNOWN is ours for an alert without one."""

OF_SHERLOCK: Final = "class of Sherlock"


@dataclass(frozen=True)
class Leaf:
    """
    One criterion of a function, with what it demands.

    Attributes
    ----------
    path
        Its key, after that of its group: ``minBands``, ``any.1.minBands``.
    criterion
        Its kind.
    threshold
        In the unit of the criterion.
    points
        Which detections count for it.
    """

    path: str
    criterion: Criterion
    threshold: Any
    points: PointFilter

    def demand(self) -> str:
        """
        Say what is demanded.

        >>> Leaf("minBands", CRITERIA["minBands"], 2, PointFilter()).demand()
        '>= 2'
        """
        threshold, kind, unit = self.threshold, self.criterion.kind, self.criterion.unit
        if isinstance(threshold, Footprint):
            return "inside " + (f"the box {list(threshold.box)} deg" if threshold.box else "the MOC")
        if kind == "is":
            return "yes" if threshold else "no"
        if kind == "one of":
            return "one of " + ", ".join(threshold)
        if kind == "between":
            return f"from {threshold[0]:g} to {threshold[1]:g} {unit}".strip()
        return f"{'>=' if kind == 'at least' else '<='} {threshold:g} {unit}".strip()

    def misses_by(self, measured: object) -> float | None:
        """
        Tell by how much a measured number misses what is demanded; None if it does not, or is no number.

        >>> Leaf("minBands", CRITERIA["minBands"], 3, PointFilter()).misses_by(2.0)
        1.0
        """
        if isinstance(measured, bool) or not isinstance(measured, int | float):
            return None
        ends = {"at least": (self.threshold, None), "at most": (None, self.threshold), "between": self.threshold}
        least, most = ends.get(self.criterion.kind, (None, None))
        if least is not None and measured < least:
            return float(least - measured)
        return float(measured - most) if most is not None and measured > most else None


@dataclass(frozen=True)
class Group:
    """
    Criteria and groups that must all pass, of which any must, or that must not.

    Attributes
    ----------
    kind
        How they are joined; ``not`` has one part.
    parts
        What is joined.
    """

    kind: Literal["all", "any", "not"]
    parts: tuple["Leaf | Group", ...]

    def leaves(self) -> Iterator[Leaf]:
        """Give all criteria within."""
        for part in self.parts:
            yield from part.leaves() if isinstance(part, Group) else (part,)


Parsed = tuple[Literal["strict"] | None, PointFilter, Group, dict[str, Any], tuple[str, ...]]


def parse_block(keys: Mapping[str, Any]) -> Parsed:
    """
    Read the block of a selection function.

    Returns
    -------
    (rules, points, criteria, keys, surveys)
        As the attributes of `SelectionFunction`.

    Raises
    ------
    ValueError
        "key: what is wrong".
    """
    if "rules" not in keys:
        return _parse_d333(keys)
    if keys["rules"] != "strict":
        raise ValueError("rules: there is only strict; without this key a function is judged as D3.3.3 judged it")
    rest = {key: value for key, value in keys.items() if key not in FUNCTION_KEYS}
    _check_keys(rest, "", needed=("filters", "significance"))
    points, criteria, normal = _parse(rest, PointFilter(), "")
    normal["rules"] = "strict"
    if "surveys" not in keys:
        return "strict", points, criteria, normal, ()
    surveys = normal["surveys"] = _told("surveys", _surveys, keys["surveys"])
    return "strict", points, criteria, normal, surveys


def _parse_d333(keys: Mapping[str, Any]) -> Parsed:
    """Read a block of D3.3.3: its five keys, and no other."""
    for key in keys:
        if key in (*FUNCTION_KEYS, *POINT_KEYS, *CRITERIA, *GROUPS) and key not in D333_KEYS:
            raise ValueError(f"{key}: needs rules: strict; a function without has the keys {', '.join(D333_KEYS)}")
    _check_keys(keys, "", needed=D333_KEYS)
    points, criteria, normal = _parse(keys, PointFilter(positive_only=False, d333=True), "")
    parts = tuple(
        replace(part, points=ANY_DETECTION) if isinstance(part, Leaf) and part.path == "magLimit" else part
        for part in criteria.parts
    )
    return None, points, Group("all", parts), normal, ()


def _parse(keys: Mapping[str, Any], above: PointFilter, path: str) -> tuple[PointFilter, Group, dict[str, Any]]:
    """Read the keys of a function or of a block within; what it does not say of points is as in the block above."""
    _check_keys(keys, path)
    normal: dict[str, Any] = {}
    points = above
    for key in (key for key in POINT_KEYS if key in keys):
        field, value = POINTS[key][0], _told(path + key, POINTS[key][1], keys[key])
        if value != getattr(above, field):  # what is so anyway is no other meaning
            normal[key], points = value, replace(points, **{field: value})
    parts: list[Leaf | Group] = []
    for key in (key for key in CRITERIA if key in keys):
        if key == "annotation":
            conditions = _told(path + key, _conditions, keys[key])
            parts += [replace(leaf, path=f"{path}{key}.{leaf.path}", points=points) for leaf in conditions.values()]
            normal[key] = sorted(conditions)
            continue
        threshold = _told(path + key, lambda value, key=key: _threshold(CRITERIA[key], value), keys[key])  # type: ignore[misc]
        parts.append(Leaf(path + key, CRITERIA[key], threshold, points))
        normal[key] = _normal(threshold)
    for kind in (kind for kind in GROUPS if kind in keys):
        group, normal[kind] = _parse_group(kind, keys[kind], points, path)
        parts.append(group)
    if not parts:
        raise ValueError(f"{path.rstrip('.') or 'criteria'}: there is none; known are {', '.join(CRITERIA)}")
    return points, Group("all", tuple(parts)), normal


def _parse_group(kind: Any, blocks: object, points: PointFilter, path: str) -> tuple[Group, Any]:
    """Read a group: a list of blocks, or one block under ``not``."""
    is_list = kind != "not"
    listed = blocks if is_list else [blocks]
    if not isinstance(listed, list) or not listed or not all(isinstance(block, dict) for block in listed):
        raise ValueError(f"{path}{kind}: must be {'a list of blocks' if is_list else 'one block'} of keys")
    parsed = [
        _parse(block, points, f"{path}{kind}.{number}." if is_list else f"{path}{kind}.")
        for number, block in enumerate(listed, start=1)
    ]
    normal = [block[2] for block in parsed]
    return Group(kind, tuple(block[1] for block in parsed)), normal if is_list else normal[0]


def _check_keys(keys: Mapping[str, Any], path: str, needed: Sequence[str] = ()) -> None:
    """Refuse a key that is none, and after it one that is missing: the first is mostly the second misspelt."""
    for key in keys:
        if key in FUNCTION_KEYS:
            raise ValueError(f"{path}{key}: belongs to the function as a whole, not to a block within")
        if key not in (*POINT_KEYS, *CRITERIA, *GROUPS):
            near = difflib.get_close_matches(str(key), [*POINT_KEYS, *CRITERIA, *GROUPS, "surveys"], 1)
            raise ValueError(f"{path}{key}: unknown key" + (f"; did you mean {near[0]}?" if near else ""))
    for key in needed:
        if key not in keys:
            raise ValueError(f"{path}{key}: is missing")


def _told(path: str, read: Callable[[Any], Any], value: object) -> Any:
    """Read a value, and name its key if it is none."""
    try:
        return read(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{path}: {error}") from None


# Values


def _threshold(criterion: Criterion, value: object) -> Any:
    """Read what a criterion demands."""
    if criterion.key == "footprint":
        return _footprint(value)
    if criterion.kind == "is":
        return _flag(value)
    if criterion.kind == "one of":
        known, whose = (TNS_TYPES, "type of the TNS") if criterion.key == "tnsType" else (SHERLOCK_CLASSES, OF_SHERLOCK)
        return _names(value, known, whose)
    if criterion.kind == "between":
        if not isinstance(value, list) or len(value) != 2:
            raise ValueError("must be two numbers: [from, to]")
        ends = tuple(_number(end, criterion.unit) for end in value)
        if ends[0] > ends[1]:
            raise ValueError(f"{ends[0]:g} is above {ends[1]:g}")
        return ends
    number = _number(value, criterion.unit)
    if not criterion.unit and (number < 0 or number != int(number)):
        raise ValueError("must be a whole number, not negative")
    return number


def _number(value: object, unit: str) -> float:
    """Read a finite number, in its own unit or with one that can be converted."""
    if isinstance(value, str):
        words = value.strip().replace("days", "d").replace("hours", "h")
        written, _, given = words.partition(" ")
        number: Any = None
        with suppress(ValueError):
            number = float(written)
        if number is not None and (given, unit) == ("nJy", "mag"):
            number = magnitude_from_flux(number)
        elif number is None or given != unit:
            number = _by_astropy(value, words, unit)  # slow to import: a run waits for it only where it has to
        # To 12 digits, so that one value in two units is one, on any machine.
        value = float(f"{number:.12g}")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"must be a number{f' [{unit}]' if unit else ''}")
    return float(value) + 0.0  # -0.0 is 0.0


def _plain(text: str) -> float | str:
    """Read a text that is a bare number, without a unit."""
    try:
        return float(text)
    except ValueError:
        return text


def _by_astropy(text: str, words: str, unit: str) -> Any:
    """Convert from any unit, or say what is wrong."""
    from astropy.units import Quantity, Unit, UnitConversionError, nJy

    try:
        quantity = Quantity(words)
        if unit == "mag" and quantity.unit.is_equivalent(nJy):
            return magnitude_from_flux(quantity.to_value(nJy))
        return quantity.to_value(Unit(unit) if unit else "")
    except UnitConversionError:
        raise ValueError(f"{text!r} has a wrong unit: {unit or 'none'} is needed") from None
    except TypeError:
        raise ValueError(f"{text!r} is no number{f' with a unit, as 5 {unit}' if unit else ''}") from None
    except ValueError:
        raise ValueError(f"{text!r} has an unknown unit: {unit or 'none'} is needed") from None


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _share(value: object) -> float:
    number = _number(value, "")
    if not 0 <= number <= 1:
        raise ValueError("must lie between 0 and 1")
    return number


def _positive(value: object) -> float:
    number = _number(value, "")
    if number <= 0:
        raise ValueError("must be greater than 0")
    return number


def _bands(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("must be a list of bands")
    for band in value:
        if band not in BANDS:
            raise ValueError(f"{band!r} is no band; there are {', '.join(BANDS)}")
    return tuple(band for band in BANDS if band in value)


def _surveys(value: object) -> tuple[str, ...]:
    """Read the surveys that are judged together; their order is no matter."""
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("must be a list of surveys")
    for survey in value:
        if survey not in SURVEYS:
            raise ValueError(f"{survey!r} is no survey; there are {', '.join(SURVEYS)}")
    return tuple(survey for survey in SURVEYS if survey in value)


def _names(value: object, known: Sequence[str], whose: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("must be a list of classes")
    for name in value:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"{name!r} is no {whose}{hint or '; there are ' + ', '.join(known)}")
    return tuple(sorted(set(value)))


def _conditions(value: object) -> dict[str, Leaf]:
    """Read conditions on annotations, one or a list: by how each is written in one way, named by its annotation."""
    conditions = [Condition.read(text) for text in (value if isinstance(value, list) else [value])]
    if not conditions:
        raise ValueError("is an empty list: write NAME >= NUMBER, NAME <= NUMBER or NAME = WORD, WORD")
    found: dict[str, Leaf] = {}
    for condition in conditions:
        threshold: Any = (
            condition.words() if condition.sign == "=" else _number(_plain(condition.value), condition.unit)
        )
        measure, kind = Annotated(condition.name), SIGNS[condition.sign]
        criterion = replace(CRITERIA["annotation"], unit=condition.unit, kind=kind, measure=measure)
        found[condition.written(threshold)] = Leaf(condition.name, criterion, threshold, PointFilter())
    names = [leaf.path for leaf in found.values()]
    if len(set(names)) < len(names):
        raise ValueError("must ask once of each annotation; for two limits of one write two blocks under all")
    return found


def _footprint(value: object) -> Footprint:
    """Read a box, or a MOC as text; `selection.file` has put the text of a MOC file in its place."""
    if isinstance(value, str):
        from mocpy import MOC

        try:
            return Footprint(moc=" ".join(MOC.from_string(value, "ascii").to_string("ascii").split()))
        except (OSError, ValueError) as error:
            raise ValueError(f"is no MOC: {(str(error).splitlines() or [''])[0]}") from None
    if not isinstance(value, list) or len(value) != 4:
        raise ValueError("must be a box [ra from, ra to, decl from, decl to] in degrees, or a MOC: a file, or its text")
    first, last, south, north = (_number(end, "deg") for end in value)
    if not (0 <= first <= 360 and 0 <= last <= 360 and -90 <= south <= north <= 90):
        raise ValueError("its corners are not on the sky, or decl from is above decl to")
    return Footprint(box=(first, last, south, north))


def _normal(threshold: object) -> Any:
    """Write a threshold in one way, whatever the file's."""
    if isinstance(threshold, Footprint):
        return list(threshold.box) if threshold.box else threshold.moc
    return threshold


POINTS: Final[dict[str, tuple[str, Callable[[Any], Any]]]] = {
    "filters": ("filters", _bands),
    "significance": ("significance", _positive),
    "positiveOnly": ("positive_only", _flag),
    "minReliability": ("min_reliability", _share),
}
"""The field of `PointFilter` that a key sets, and how its value is read."""
