"""Positions in tables, in every usual spelling, and what else rows know of their object."""

import re
from typing import Any, Final

import numpy as np
import pandas as pd

from tides_bridge.compiled import Floats, Integers
from tides_bridge.formats.meaning.left_out import remark
from tides_bridge.lightcurves import Objects

SEXAGESIMAL: Final = re.compile(
    r"\s*([+-]?)(\d{1,3})\s*[:hd° ]\s*(\d{1,2}(?:\.\d*)?)(?:\s*[:m'\u2032 ]\s*(\d{1,2}(?:\.\d*)?)?\s*[s\"\u2033]?)?\s*",
    re.IGNORECASE,
)
"""Hours or degrees, minutes and seconds."""

DEGREES: Final = re.compile(r"(?<=[\d.])\s*(?:deg(?:rees)?|°|d)\s*$", re.IGNORECASE)
"""Behind a number that is in degrees."""

SOLAR_SYSTEM_RADIUS: Final = 5.0
"""[arcsec] A known asteroid this near makes it one (Fink, asteroid catcher). ZTF writes -999 where it knows none."""

ANGLES: Final = {
    "deg": 1.0, "degree": 1.0, "degrees": 1.0, "°": 1.0, "rad": 180 / np.pi, "radian": 180 / np.pi,
    "h": 15.0, "hr": 15.0, "hour": 15.0, "hours": 15.0, "hourangle": 15.0,
}  # fmt: skip
"""[deg] Units that a file says its angles are in, in small letters."""

NO_ANGLE: Final = (-99.0, -999.0, -9999.0, -99999.0, 999.0, 9999.0)
"""[deg] What stands for no position."""

SCATTER: Final = 30 / 3600
"""[deg] Points farther from the first of their object may be of another."""

SEVERAL: Final = 10
"""Of so many objects the right ascensions tell their unit."""

MOST_EBV: Final = 100.0
"""[mag] The galactic centre has 100 in the map of Schlegel, Finkbeiner and Davis (1998, ApJ 500, 525)."""

STAR_SCORE, STAR_RADIUS = 0.76, 2.0
"""A PanSTARRS source scored above this and nearer than this [arcsec] makes it a star (Bright Transient Survey)."""


def degrees_of_texts(texts: "pd.Series[Any]", is_hours: bool) -> Floats:
    """
    Read angles as text [deg]; NaN where it is none.

    Parameters
    ----------
    texts
        (n,) Numbers, or parts between colons, blanks or letters.
    is_hours
        What has parts is in hours, as right ascensions are.

    Examples
    --------
    >>> degrees_of_texts(pd.Series(["10.5", "00:42:44.3", "0h42m44.3s", "north"]), True).round(5)
    array([10.5    , 10.68458, 10.68458,      nan])
    >>> degrees_of_texts(pd.Series(["-00:30:00", "+41d16m09s"]), False).round(5)
    array([-0.5    , 41.26917])
    """
    texts = texts.astype(str).str.replace(r"[\u2212\u2013]", "-", regex=True).str.replace(DEGREES, "", regex=True)
    found = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=float, copy=True)
    for place in np.flatnonzero(np.isnan(found)).tolist():
        parts = SEXAGESIMAL.fullmatch(str(texts.iloc[place]))
        if parts and "d" not in str(texts.iloc[place]).lower().partition("m")[0]:
            scale = 15.0 if is_hours else 1.0
        else:
            scale = 1.0
        if parts and max(float(parts[3]), float(parts[4] or 0)) <= 60:
            size = float(parts[2]) + float(parts[3]) / 60 + float(parts[4] or 0) / 3600
            found[place] = (-size if parts[1] == "-" else size) * scale
    return found


def checked_positions(ra: Floats, decl: Floats) -> tuple[Floats, Floats]:
    """
    Give positions [deg], RA from 0 to 360; NaN where one is on no sky, which is told.

    Parameters
    ----------
    ra, decl
        (n,) As they were read; an RA from -180 to 0 is one west of 0 h.
    """
    known = ~np.isnan(ra) & ~np.isnan(decl) & ~np.isin(ra, NO_ANGLE) & ~np.isin(decl, NO_ANGLE)
    bad = known & ~((np.abs(decl) <= 90) & (ra >= -180) & (ra <= 360)) | (known & (ra == 0) & (decl == 0))
    if bad.any():
        remark(f"{int(bad.sum())} positions are on no sky, such as {ra[bad][0]:g} {decl[bad][0]:g}: they are not used")
    known &= ~bad
    return np.where(known, np.where(ra == 360, 0.0, np.mod(ra, 360)), np.nan), np.where(known, decl, np.nan)


def tell_scattered(index: Integers, ra: Floats, decl: Floats) -> None:
    """Tell how many objects have points in several places: they may be several that bear one name."""
    order = np.flatnonzero(~np.isnan(ra) & ~np.isnan(decl))
    order = order[np.argsort(index[order], kind="stable")]
    if not len(order):
        return
    begins = np.flatnonzero(np.diff(index[order], prepend=-1))
    first = np.repeat(order[begins], np.diff(np.append(begins, len(order))))
    turned = np.abs((ra[order] - ra[first] + 180) % 360 - 180) * np.cos(np.radians(decl[order]))
    is_far = np.hypot(turned, decl[order] - decl[first]) > SCATTER
    number = len(np.unique(index[order][is_far]))
    if number:
        remark(f"{number} objects have points more than {SCATTER * 3600:g} arcsec apart: are they several of one name?")


def tell_other_units(index: Integers, ra: Floats, decl: Floats) -> None:
    """Tell right ascensions of several objects all over the sky that are all as hours or radians are."""
    known = ~np.isnan(ra)
    if len(np.unique(index[known])) < SEVERAL:
        return
    for unit, full, highest in (("radians", 2 * np.pi, np.pi / 2), ("hours", 24.0, 90.0)):
        if ra[known].max() <= full and np.ptp(ra[known]) > full / 2 and np.abs(decl[known]).max() <= highest:
            remark(f"all right ascensions are below {full:.3g}: are they in {unit}? They are read as degrees")
            return


def objects_of_rows(number: int, index: Integers, mjd: Floats, columns: dict[str, Any]) -> Objects:
    """
    Tell what a table knows of its objects: of each value the one in its newest row that has it.

    Parameters
    ----------
    number
        How many objects there are.
    index, mjd
        (n,) Of the rows: which object, and the epoch [d].
    columns
        (n,) each: those of ra, decl, ebv, ssdistnr, ss_object, sgscore1, distpsnr1, solar_system, point_source,
        known_variable, first_seen and sherlock_class that there are.
    """
    order = np.lexsort((np.nan_to_num(mjd, nan=-np.inf), index))

    def newest(values: Any, missing: Any) -> Any:
        found = np.full(number, missing, dtype=object if missing is None else float)
        is_there = pd.notna(values[order])
        found[index[order][is_there]] = values[order][is_there]  # of several the last is written last
        return found

    known: dict[str, Any] = {name: newest(columns[name], np.nan) for name in FACTS if name in columns}
    if "ssdistnr" in columns:
        distance = newest(columns["ssdistnr"], np.nan)
        near = np.where(np.isnan(distance), np.nan, (distance >= 0) & (distance <= SOLAR_SYSTEM_RADIUS))
        known.setdefault("solar_system", near)
    if "ss_object" in columns:
        known.setdefault("solar_system", newest(columns["ss_object"], np.nan))
    if {"sgscore1", "distpsnr1"} <= set(columns):
        score, distance = newest(columns["sgscore1"], np.nan), newest(columns["distpsnr1"], np.nan)
        is_star = (score > STAR_SCORE) & (distance >= 0) & (distance < STAR_RADIUS)
        known.setdefault("point_source", np.where(np.isnan(score) | np.isnan(distance), np.nan, is_star))
    if "sherlock_class" in columns:
        known["sherlock_class"] = newest(columns["sherlock_class"], None)
    return Objects.of(number, **known)


FACTS: Final = ("ra", "decl", "ebv", "solar_system", "point_source", "known_variable", "first_seen")
"""What is a number of an object, and may be in a column."""


def without_impossible(ebv: Floats) -> Floats:
    """Give extinctions E(B-V) [mag], NaN where one is negative, as -999 for none, or more than any, which is told."""
    is_more = ebv > MOST_EBV
    if is_more.any():
        remark(
            f"{int(is_more.sum())} E(B-V) are above {MOST_EBV:g} mag, such as {ebv[is_more][0]:g}: they are not used"
        )
    return np.where((ebv >= 0) & ~is_more, ebv, np.nan)
