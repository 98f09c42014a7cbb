"""
Selection functions in plain Python, one object after the other, written from the documentation and not from the code.

It takes the keys of a function as they stand in a file, with the few units that the shipped functions use, and the
points of one object as rows. Nothing of the engine is used: what `tides_bridge.selection` says must be what this says.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from tides_bridge.lightcurves import LightCurves

NAN = math.nan
OBJECT_KEYS = (
    "ra",
    "decl",
    "ebv",
    "solar_system",
    "point_source",
    "known_variable",
    "sherlock_class",
    "first_seen",
    "annotations",
)


class Row(NamedTuple):
    """One point; NaN where a value is unknown, band "" where it is none of LSST's."""

    mjd: float
    band: str
    magnitude: float
    error: float
    significance: float
    night: int
    is_detection: bool
    is_positive: bool
    reliability: float = NAN


Measured = dict[str, tuple[Any, bool]]


def row(mjd: float, band: str, magnitude: float, error: float, night: int, **others: Any) -> Row:
    """Make a point of a magnitude: S/N = 1.0857/error."""
    usual = {"is_detection": True, "is_positive": True}
    return Row(mjd, band, magnitude, error, 1.0857 / error if error > 0 else NAN, night, **{**usual, **others})


def rows_of(curves: LightCurves) -> list[list[Row]]:
    """Give the points of all objects as rows."""
    names = ("mjd", "band", "magnitude", "magnitude_error", "significance", "night", "is_detection", "is_positive")
    columns = [getattr(curves, name).tolist() for name in (*names, "reliability")]
    columns[1] = ["ugrizy"[band] if band >= 0 else "" for band in columns[1]]
    rows = [Row(*values) for values in zip(*columns, strict=True)]
    ends = curves.offsets.tolist()
    return [rows[start:stop] for start, stop in pairwise(ends)]


def known_of(curves: LightCurves) -> list[dict[str, Any]]:
    """Give what is known of each object."""
    columns = [getattr(curves.objects, key).tolist() for key in OBJECT_KEYS]
    return [dict(zip(OBJECT_KEYS, values, strict=True)) for values in zip(*columns, strict=True)]


# Which points count


def counting(rows: Iterable[Row], points: Mapping[str, Any]) -> list[Row]:
    """Choose the detections that count, oldest first."""
    chosen = [point for point in rows if point.is_detection and _counts(point, points)]
    return sorted(chosen, key=lambda point: point.mjd)


def _counts(point: Row, points: Mapping[str, Any]) -> bool:
    if "filters" in points and point.band not in points["filters"]:
        return False
    if "significance" in points and not _significance(point, points) >= points["significance"]:
        return False
    if points["positiveOnly"] and not point.is_positive:
        return False
    return "minReliability" not in points or point.reliability >= points["minReliability"]


def _significance(point: Row, points: Mapping[str, Any]) -> float:
    if not points.get("d333"):
        return point.significance
    return math.inf if point.error == 0 else 1.09 / point.error


# What is measured


def _rate(rows: Sequence[Row], sign: float) -> float:
    """Give the fastest change between the last two nights of any band: of each night the last epoch, there the best."""
    rates = []
    for band in "ugrizy":
        epochs: dict[float, Row] = {}
        for point in rows:
            if point.band == band and not math.isnan(point.magnitude):
                best = epochs.get(point.mjd)
                epochs[point.mjd] = point if best is None or point.magnitude < best.magnitude else best
        last = [epochs[mjd] for mjd in sorted(epochs)]
        before = [point for point in last if point.night != last[-1].night]
        if before:
            rates.append(sign * (before[-1].magnitude - last[-1].magnitude) / (last[-1].mjd - before[-1].mjd))
    return max(rates, default=NAN)


def _galactic_latitude(ra: float, decl: float) -> float:
    """Turn a position; the pole of the Galaxy lies at 192.85948, +27.12825 deg (Hipparcos catalogue, 1.5.3)."""
    pole_ra, pole_decl = math.radians(192.85948), math.radians(27.12825)
    a, d = math.radians(ra), math.radians(decl)
    sine = math.sin(d) * math.sin(pole_decl) + math.cos(d) * math.cos(pole_decl) * math.cos(a - pole_ra)
    return abs(math.degrees(math.asin(sine)))


def _is_in_box(ra: float, decl: float, box: Sequence[float]) -> float:
    if math.isnan(ra) or math.isnan(decl):
        return NAN
    is_in_ra = box[0] <= ra <= box[1] if box[0] <= box[1] else ra >= box[0] or ra <= box[1]
    return float(is_in_ra and box[2] <= decl <= box[3])


class Seen(NamedTuple):
    """What a criterion looks at: the points that count, oldest first, what is known beside, and the moment [MJD]."""

    rows: Sequence[Row]
    about: Mapping[str, Any]
    now: float
    demanded: Any


def _brightest(seen: Seen) -> float:
    return min((point.magnitude for point in seen.rows if not math.isnan(point.magnitude)), default=NAN)


def _gap(seen: Seen) -> float:
    gaps = [after.mjd - before.mjd for before, after in pairwise(seen.rows)]
    return max(gaps, default=0.0) if seen.rows else NAN


def _first_known(seen: Seen) -> float:
    epochs = (seen.about["first_seen"], *(point.mjd for point in seen.rows))
    return min((mjd for mjd in epochs if not math.isnan(mjd)), default=NAN)


MEASURES: dict[str, Callable[[Seen], Any]] = {
    "minDetections": lambda seen: len(seen.rows),
    "minBands": lambda seen: len({point.band for point in seen.rows if point.band}),
    "minNights": lambda seen: len({point.night for point in seen.rows}),
    "magLimit": _brightest,
    "brightLimit": _brightest,
    "maxGap": _gap,
    "maxAgeLast": lambda seen: seen.now - seen.rows[-1].mjd if seen.rows else NAN,
    "maxAgeFirst": lambda seen: seen.now - seen.rows[0].mjd if seen.rows else NAN,
    "maxAgeKnown": lambda seen: seen.now - _first_known(seen),
    "minRiseRate": lambda seen: _rate(seen.rows, 1.0),
    "minFadeRate": lambda seen: _rate(seen.rows, -1.0),
    "declination": lambda seen: seen.about["decl"],
    "footprint": lambda seen: _is_in_box(seen.about["ra"], seen.about["decl"], seen.demanded),
    "minGalacticLatitude": lambda seen: _galactic_latitude(seen.about["ra"], seen.about["decl"]),
    "maxEbv": lambda seen: seen.about["ebv"],
    "solarSystem": lambda seen: seen.about["solar_system"],
    "pointSource": lambda seen: seen.about["point_source"],
    "knownVariable": lambda seen: seen.about["known_variable"],
    "sherlockClasses": lambda seen: seen.about["sherlock_class"] or "UNKNOWN",
    "tnsType": lambda seen: (seen.about.get("annotations") or {}).get("tns.type"),
}


def _fulfils(key: str, measured: Any, demanded: Any) -> bool:
    if key.startswith("min") or key == "brightLimit":
        return bool(measured >= demanded)
    if key.startswith("max") or key == "magLimit":
        return bool(measured <= demanded)
    if key == "declination":
        return bool(demanded[0] <= measured <= demanded[1])
    if key in ("sherlockClasses", "tnsType"):
        return measured in demanded
    return bool(measured == (1.0 if key == "footprint" else float(demanded)))


# Functions

POINT_KEYS = ("filters", "significance", "positiveOnly", "minReliability")


def _plain(value: Any) -> Any:
    """Turn "10 d" and "3630.78 nJy" into numbers."""
    if isinstance(value, str) and value.split()[-1] in ("d", "mag", "mag/d"):
        return float(value.split()[0])
    if isinstance(value, str) and value.endswith("nJy"):
        return round(31.4 - 2.5 * math.log10(float(value.split()[0])), 10)
    return value


def judge_one(
    keys: Mapping[str, Any], rows: Sequence[Row], about: Mapping[str, Any], now: float | None = None
) -> tuple[bool, Measured]:
    """
    Judge one object.

    Parameters
    ----------
    keys
        Those of the function, as in a file.
    rows
        All points of the object, each once.
    about
        What is known of it beside.
    now
        [d] None: at its last point.
    """
    moment = max((point.mjd for point in rows), default=NAN) if now is None else now
    points: dict[str, Any] = {"positiveOnly": True} if "rules" in keys else {"positiveOnly": False, "d333": True}
    measured: Measured = {}
    passed = _judge_block(keys, points, "", (rows, about, moment), measured)
    return passed, measured


def _judge_block(
    keys: Mapping[str, Any], above: Mapping[str, Any], path: str, what: tuple[Any, Any, float], measured: Measured
) -> bool:
    rows, about, now = what
    points = {**above, **{key: keys[key] for key in POINT_KEYS if key in keys}}
    counted = counting(rows, points)
    answers = []
    for key, given in keys.items():
        demanded = _plain(given)
        if key in (*POINT_KEYS, "rules"):
            continue
        if key in ("all", "any"):
            inner = [_judge_block(block, points, f"{path}{key}.{i}.", what, measured) for i, block in _listed(given)]
            answers.append(all(inner) if key == "all" else any(inner))
        elif key == "annotation":
            for condition in given if isinstance(given, list) else [given]:
                name, found = _said(condition, about.get("annotations") or {})
                measured[f"{path}annotation.{name}"] = found
                answers.append(found[1])
        elif key == "not":
            answers.append(not _judge_block(given, points, f"{path}not.", what, measured))
        else:
            is_any = key == "magLimit" and points.get("d333")
            chosen = counting(rows, {"positiveOnly": False}) if is_any else counted
            value = MEASURES[key](Seen(chosen, about, now, demanded))
            measured[path + key] = (value, _fulfils(key, value, demanded))
            answers.append(measured[path + key][1])
    return all(answers)


def _said(condition: str, notes: Mapping[str, Any]) -> tuple[str, tuple[Any, bool]]:
    """Judge "name >= number", "name <= number" or "name = word, word": what nobody said fulfils none."""
    name, sign, wanted = condition.split(" ", 2)
    if sign == "=":
        return name, (notes.get(name), notes.get(name) in wanted.split(", "))
    value, number = notes.get(name, NAN), float(wanted.split()[0])
    return name, (value, value >= number if sign == ">=" else value <= number)


def _listed(blocks: Sequence[Any]) -> list[tuple[int, Any]]:
    return list(enumerate(blocks, start=1))


def trigger_of(keys: Mapping[str, Any], rows: Sequence[Row], about: Mapping[str, Any]) -> float:
    """Give the first epoch [d] of a detection at which the light curve up to it passes; NaN where there is none."""
    detections = [point for point in rows if point.is_detection]
    for mjd in sorted({point.mjd for point in detections}):
        if judge_one(keys, [point for point in detections if point.mjd <= mjd], about, mjd)[0]:
            return mjd
    return NAN
