"""From the columns of a table to light curves: what each value means is decided in `meaning`."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tides_bridge.compiled import Floats, Integers
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import Options
from tides_bridge.formats.meaning import sky
from tides_bridge.formats.meaning.brightness import (
    LARGEST_ERROR,
    is_ab,
    magnitude_of_unit,
    possible_magnitudes,
    tell_errors,
)
from tides_bridge.formats.meaning.epochs import known_epochs, plausible_epochs
from tides_bridge.formats.meaning.identifiers import exact_names
from tides_bridge.formats.meaning.left_out import is_collected, leave_out, remark
from tides_bridge.formats.meaning.nights import NOONS, ZTF_NAME, filled_nights, nights_of_several, survey_of_name
from tides_bridge.formats.meaning.rivals import rows_in_doubt
from tides_bridge.formats.meaning.roles import LIMITS, NEGATIVE, POSITIVE, Layout
from tides_bridge.formats.meaning.single_columns import (
    SURVEYS,
    bands_of_table,
    epochs_of,
    fluxes_of_table,
    magnitude_errors_of,
    one_array,
    values_of,
    whole_numbers_of,
)
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.order import SAME_EXPOSURE
from tides_bridge.lightcurves.photometry import MJD_ZERO

SPOILT: Final = 32768
"""Bit of ``catflags`` of an image that IRSA advises not to use (ZTF's Science Data System, section 9.3)."""

DETECTED: Final = 4096
"""Bit of SNANA's PHOTFLAG of a detection."""

MARKS: Final = -0.5
"""A score at or below this, as -1 or -999, stands for none."""

SHERLOCK: Final = frozenset({"VS", "CV", "BS", "AGN", "NT", "SN", "ORPHAN", "UNCLEAR", "UNKNOWN"})
"""Sherlock's classes: a column called classification may be of another."""


def objects_of(table: pa.Table, layout: Layout) -> tuple[list[str], Integers]:
    """
    Give the object ids, in the order they come, and which of them each row is of; "" for none.

    Raises
    ------
    MalformedAlert
        If the ids have lost digits.
    """
    column = one_array(table["object_id"])
    coded = pc.fill_null(pc.utf8_trim_whitespace(column), "").dictionary_encode()
    texts = coded.dictionary.to_pylist()
    codes = np.asarray(coded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)
    names = exact_names(texts, layout.roles["object_id"])
    if names == texts or len(set(names)) == len(names):
        return names, codes
    unique = list(dict.fromkeys(names))  # 7 and 7.0 are one
    place = {name: number for number, name in enumerate(unique)}
    return unique, np.array([place[name] for name in names], dtype=np.int64)[codes]


def curves_of_table(
    names: list[str], codes: Integers, table: pa.Table, layout: Layout, options: Options
) -> LightCurves:
    """
    Make light curves.

    Parameters
    ----------
    names, codes
        The objects, and which each row is of.
    table
        Columns by their roles.
    layout
        What the file says of them.
    options
        What it does not say.

    Raises
    ------
    MalformedAlert
        If something in it cannot be meant.
    """
    in_doubt = rows_in_doubt(table, layout, options)
    mjd = np.where(in_doubt, np.nan, plausible_epochs(epochs_of(table, layout)))
    band, surveys = bands_of_table(table, codes)
    others: dict[str, Any] = {}
    others["ra"], others["decl"] = _positions(codes, table, layout)
    others["reliability"] = _reliabilities(table)
    others["source_id"] = whole_numbers_of(table, "source_id")
    others["night"] = _nights(names, codes, np.nan_to_num(mjd), table, surveys, layout, options)
    others["objects"] = sky.objects_of_rows(len(names), codes, mjd, _facts(table, others))
    is_usable, is_detection = _usable(table, layout) & ~in_doubt, _detections(table)
    if "magnitude" not in table.column_names:
        flux, error = fluxes_of_table(table, layout, options)
        flux = np.where(is_usable, flux, np.nan)
        tell_errors(error, flux)
        is_detection &= np.isfinite(flux)
        _tell_twins((codes, mjd, band), flux, np.abs(flux) / 5, others["source_id"])
        return LightCurves.from_fluxes(names, codes, mjd, band, flux, error, is_detection=is_detection, **others)
    unit = magnitude_of_unit(layout.units.get(layout.roles["magnitude"], ""), layout.roles["magnitude"])
    magnitude = possible_magnitudes(np.asarray(values_of(table, "magnitude")) * unit)
    magnitude = np.where(is_usable, magnitude, np.nan)
    error = magnitude_errors_of(table, layout)
    tell_errors(error, np.where(is_detection, magnitude, np.nan), LARGEST_ERROR)
    _tell_twins((codes, mjd, band), np.where(is_detection, magnitude, np.nan), 0.2, others["source_id"])
    return LightCurves.from_magnitudes(
        names,
        codes,
        mjd,
        band,
        magnitude,
        error,
        is_detection=is_detection & np.isfinite(magnitude),
        is_positive=_signs(table),
        limiting_magnitude=_limits(table, magnitude),
        **others,
    )


def _is_ab(table: pa.Table, layout: Layout) -> npt.NDArray[np.bool_]:
    """Tell which rows are in AB magnitudes; the others are told."""
    columns = [layout.roles[role] for role in ("magnitude", "flux", "flux_njy") if role in layout.roles]
    for system in (layout.fact("system"), *(layout.units.get(column, "") for column in columns)):
        if not is_ab(system) and ("vega" in system.lower() or system == layout.fact("system")):
            raise MalformedAlert("table", f"its magnitudes are in the system {system!r}, not AB: turn them into AB")
    good = np.ones(len(table), dtype=bool)
    for role, means_ab in (("system", is_ab), ("unit", _is_no_vega)):
        if role in table.column_names:
            good &= _where_ab(table[role], means_ab)
    return good


def _is_no_vega(unit: str) -> bool:
    """Tell whether a unit is in no other system than AB, as TNS's VegaMag is."""
    small = unit.lower()
    return "vega" not in small and not small.startswith("st")


def _where_ab(column: pa.ChunkedArray, means_ab: Callable[[str], bool]) -> npt.NDArray[np.bool_]:
    coded = pc.fill_null(one_array(column), "").dictionary_encode()
    systems = coded.dictionary.to_pylist()
    good = np.array([means_ab(system) for system in systems], dtype=bool)
    places = coded.indices.to_numpy(zero_copy_only=False)
    for number, system in enumerate(systems):
        if not good[number]:
            leave_out(f"in the system {system[:20]!r}, not in AB magnitudes", int(np.count_nonzero(places == number)))
    return np.asarray(good[places])


def _usable(table: pa.Table, layout: Layout) -> npt.NDArray[np.bool_]:
    """Tell which rows can be used: in AB magnitudes, and of images that their catalogue calls good."""
    is_usable, flags = _is_ab(table, layout), whole_numbers_of(table, "catflags")
    if flags is None:
        return is_usable
    is_spoilt = (flags & SPOILT) != 0
    leave_out("of spoilt images (catflags of IRSA)", int(np.count_nonzero(is_spoilt & (flags >= 0))), is_fault=False)
    return np.asarray(is_usable & (~is_spoilt | (flags < 0)))


def _detections(table: pa.Table) -> npt.NDArray[np.bool_]:
    """Tell which rows are no forced photometry, as the table says: all, if it says nothing."""
    found = np.ones(len(table), dtype=bool)
    if "is_detection" in table.column_names:
        found &= _says_yes(table, "is_detection")
    for role in ("is_limit", "is_forced"):
        if role in table.column_names:
            found &= ~_says_yes(table, role)
    if "tag" in table.column_names:
        known = pc.equal(pc.utf8_lower(pc.utf8_trim_whitespace(table["tag"])), "valid")
        found &= np.asarray(pc.fill_null(known, False).to_numpy(), dtype=bool)
    flags = whole_numbers_of(table, "photflag")
    if flags is not None and ((flags & DETECTED) != 0).any():
        found &= (flags >= 0) & ((flags & DETECTED) != 0)
    return found


def _says_yes(table: pa.Table, role: str) -> npt.NDArray[np.bool_]:
    """Tell which rows say yes; words that are neither yes nor no are told, and are no."""
    words = pc.fill_null(pc.utf8_lower(pc.utf8_trim_whitespace(table[role])), "")
    yes, no = (LIMITS, (*NEGATIVE, "=")) if role == "is_limit" else (POSITIVE, NEGATIVE)
    is_yes = pc.is_in(words, pa.array(yes))
    others = pc.unique(words.filter(pc.invert(pc.is_in(words, pa.array([*yes, *no])))))
    for word in others.to_pylist()[:3]:
        remark(f"{role} is {word[:20]!r}, which is neither yes nor no: it counts as no")
    return np.asarray(is_yes.to_numpy(), dtype=bool)


def _limits(table: pa.Table, magnitude: Floats) -> Floats | None:
    """Give the limiting magnitudes: of their column, else the magnitudes of rows that say they are limits."""
    if "is_limit" not in table.column_names or "limiting_magnitude" in table.column_names:
        return values_of(table, "limiting_magnitude")
    return np.where(_says_yes(table, "is_limit"), magnitude, np.nan)


def _signs(table: pa.Table) -> npt.NDArray[np.bool_]:
    """Tell which differences are positive: not those that the sign, or a flux beside the magnitude, says are not."""
    positive = np.ones(len(table), dtype=bool)
    if "is_positive" in table.column_names:
        positive = _says_yes(table, "is_positive")
    for role in ("flux", "flux_njy"):
        flux = values_of(table, role)
        if flux is not None:
            positive &= ~(flux < 0)
    return positive


def _positions(index: Integers, table: pa.Table, layout: Layout) -> tuple[Floats | None, Floats | None]:
    ra, decl = (_degrees(table, layout, role) for role in ("ra", "decl"))
    if ra is None or decl is None:
        return ra, decl
    ra, decl = sky.checked_positions(ra, decl)
    if is_collected():
        sky.tell_scattered(index, ra, decl)
        sky.tell_other_units(index, ra, decl)
    return ra, decl


def _tell_twins(places: tuple[Any, Any, Any], values: Floats, apart: Floats | float, source: Any) -> None:
    """Tell the points of one object, exposure and band, none with a source of its own, whose brightness differs."""
    index, mjd, band = places
    is_point = np.isfinite(mjd) & np.isfinite(values) & (band >= 0) & (source is None or source < 0)
    if not is_collected() or not is_point.any():
        return
    rows = np.flatnonzero(is_point)
    rows = rows[np.lexsort((values[rows], mjd[rows], band[rows], index[rows]))]
    first, second = rows[:-1], rows[1:]
    is_one = (index[first] == index[second]) & (band[first] == band[second])
    is_one &= mjd[second] - mjd[first] <= SAME_EXPOSURE
    differs = np.abs(values[second] - values[first]) > np.broadcast_to(apart, len(values))[first]
    number = int(np.count_nonzero(is_one & differs))
    if number:
        remark(f"{number} points are of the exposure of another and much brighter or fainter: both count")


def _reliabilities(table: pa.Table) -> Floats | None:
    """Give scores from 0 to 1, the newer of two where it is known, and NaN for what is no such score, which is told."""
    known = [values for role in ("reliability", "older_reliability") if (values := values_of(table, role)) is not None]
    if not known:
        return None
    score = np.where(np.isnan(known[0]), known[-1], known[0])
    is_none = (score > 1) | ((score < 0) & (score > MARKS))
    if is_none.any():
        remark(
            f"{int(is_none.sum())} reliabilities are not from 0 to 1, such as {score[is_none][0]:g}: they are not used"
        )
    return np.where((score > 1) | (score < 0), np.nan, score)


def _degrees(table: pa.Table, layout: Layout, role: str) -> Floats | None:
    values = values_of(table, role)
    unit = layout.units.get(layout.roles.get(role, ""), "").strip().lower()
    if values is None or not unit:
        return values
    if unit not in sky.ANGLES:
        raise MalformedAlert(
            "table", f"its {layout.roles[role]} is in {unit!r}, which is none of {', '.join(sky.ANGLES)}"
        )
    return values * sky.ANGLES[unit]


def _nights(  # noqa: PLR0913, PLR0917
    names: list[str],
    codes: Integers,
    mjd: Floats,
    table: pa.Table,
    of_bands: npt.NDArray[np.int8] | None,
    layout: Layout,
    options: Options,
) -> Integers:
    """Give the night of each row: as the table has it, else of the survey that column, band, name or file tells."""
    given = whole_numbers_of(table, "night")
    if given is not None and (given >= 0).all():
        return given
    surveys = np.zeros(len(codes), dtype=np.int8)
    if "survey" in table.column_names:
        coded = pc.fill_null(one_array(table["survey"]), "").dictionary_encode()
        whose = np.array([SURVEYS[survey_of_name(text)] for text in coded.dictionary.to_pylist()], dtype=np.int8)
        surveys = whose[coded.indices.to_numpy(zero_copy_only=False)]
    of_file = layout.survey or survey_of_name(layout.fact("survey"))
    of_names = np.array([SURVEYS["ztf" if ZTF_NAME.match(name) else None] for name in names], dtype=np.int8)
    for way in (of_bands, np.full(len(codes), SURVEYS[of_file], dtype=np.int8), of_names[codes]):
        surveys = surveys if way is None else np.where(surveys, surveys, way)
    default = options.survey
    if default is None and not surveys.all():
        remark(f"nothing says whose nights count: {NOONS['lsst']} (or say --survey)")
    elif default is not None and (surveys[surveys > 0] != SURVEYS[default]).any():
        remark(f"the file says whose nights count: they are not all {NOONS[default]} (--survey)")
    is_ztf = (surveys == SURVEYS["ztf"]) | ((surveys == 0) & (default == "ztf"))
    counted = nights_of_several(mjd, is_ztf)
    return counted if given is None else filled_nights(given, counted, codes)


def _facts(table: pa.Table, others: dict[str, Any]) -> dict[str, Any]:
    """Gather what rows know of their object."""
    facts: dict[str, Any] = {role: others[role] for role in ("ra", "decl") if others[role] is not None}
    for role in ("ssdistnr", "sgscore1", "distpsnr1", "solar_system", "point_source", "known_variable"):
        values = values_of(table, role)
        if values is not None:
            facts[role] = np.where(values > -900, values, np.nan)
    for role, zero in (("jdstarthist", MJD_ZERO), ("first_seen", 0.0)):
        first = values_of(table, role)
        if first is not None:
            facts["first_seen"] = known_epochs(first - zero)
    ebv = values_of(table, "ebv")
    if ebv is not None:
        facts["ebv"] = sky.without_impossible(ebv)
    if "ss_object" in table.column_names:
        texts = pd.Series(table["ss_object"].to_pylist(), dtype=object).fillna("")
        facts["ss_object"] = np.where(texts.isin(["", "0", "0.0", "-1", "nan"]), 0.0, 1.0)
    if "sherlock_class" in table.column_names:
        texts = pd.Series(table["sherlock_class"].to_pylist(), dtype=object)
        is_known = texts.isin(SHERLOCK)
        if (texts.notna() & ~is_known & (texts != "")).any():
            remark("some classes are none of Sherlock's: they are not used")
        facts["sherlock_class"] = texts.where(is_known, None).to_numpy(dtype=object)
    return facts
