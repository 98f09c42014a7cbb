"""
What a flux or magnitude means: its zero point, its unit, its system, and whether it can be one at all.

The zero point of a flux is that of its row (``zp``), else of its unit, which its name or the file tells, else of the
file (``zeropoint``), else ``--zero-point``, else 31.4: nJy. Two that contradict each other are refused, and one that
contradicts ``--zero-point`` is told. Only AB magnitudes are read: rows that say Vega are left out, and told.
"""

import re
from typing import Final

import numpy as np

from tides_bridge.compiled import Floats
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.meaning.left_out import is_collected, leave_out, remark
from tides_bridge.lightcurves.photometry import AB_ZERO_POINT

UNITS: Final = {
    "njy": 31.4, "nanojansky": 31.4, "ujy": 23.9, "mujy": 23.9, "µjy": 23.9, "μjy": 23.9, "microjy": 23.9,
    "microjansky": 23.9, "mjy": 16.4, "millijansky": 16.4, "jy": 8.9, "jansky": 8.9, "nmgy": 22.5, "nanomaggy": 22.5,
    "maggy": 0.0, "fluxcal": 27.5,
}  # fmt: skip
"""[mag] AB magnitude of one unit, by its name in small letters (3631 Jy is 0 mag, to 0.001 mag)."""

UNIT_IN_NAME: Final = re.compile(r".*[_ (\[](njy|ujy|mujy|µjy|mjy|jy|nmgy)[)\]]?", re.IGNORECASE)

FAINTEST, BRIGHTEST = 40.0, 5.0
"""[mag] No image gives a difference beyond: -19 is an absolute magnitude, or a mark of a negative flux."""

NONE_AT_ALL: Final = (99.0, 99.9, 99.99, 99.999, 999.0, 999.9, 9999.0, 99999.0)
"""What stands for no magnitude, beside what is below -99."""

AB: Final = frozenset({"", "ab", "abmag", "ab_mag", "abmags", "mag(ab)", "ab_b12"})
"""How the AB system is called, in small letters without blanks."""

NO_UNIT: Final = frozenset({"", "-", "--", "none", "1", "dimensionless", "ab"})
"""What stands for no unit at all, in small letters."""

LARGEST_ERROR: Final = 3.0
"""[mag] An error above this, a third of sigma, is a mark such as 99, or in percent."""

SAME: Final = 0.02
"""[mag] Zero points that differ less are one."""

ZERO_POINTS: Final = (-5.0, 60.0)
"""[mag] Between these is a zero point."""


def zero_point_of_unit(unit: str, column: str) -> float | None:
    """
    Give the zero point of a unit [mag]; None if nothing is stated.

    Raises
    ------
    MalformedAlert
        If the unit is none of `UNITS`.

    >>> zero_point_of_unit("uJy", "flux"), zero_point_of_unit("", "flux"), zero_point_of_unit("", "flux_nJy")
    (23.9, None, 31.4)
    """
    plain = unit.strip().strip("'\"").lower()
    named = UNIT_IN_NAME.fullmatch(column)
    if column.lower() in ("fluxcal", "fluxcalerr"):
        plain = plain or "fluxcal"
    if not plain and named:
        # milli- and megajansky differ by the case of a letter that names of columns do not keep: nobody has the other
        plain = named[1].lower()
    if not plain:
        return None
    for name in (plain, plain.removesuffix("s"), plain.replace(" ", "")):
        if name in UNITS:
            return UNITS[name]
    raise MalformedAlert(
        "table", f"its fluxes ({column}) are in {unit!r}, which is none of {', '.join(UNITS)}: give a column zp"
    )


def zero_points(
    rows: Floats | None, others: tuple[float | None, float | None, float | None], column: str
) -> Floats | float:
    """
    Tell the zero point of fluxes [mag]; NaN, and told, where a row has none and nothing else says it.

    Parameters
    ----------
    rows
        (n,) The column of zero points; NaN where a row has none, infinite where it is in doubt.
    others
        What the unit says, the file, and ``--zero-point`` or the column that is always in nJy.
    column
        Of the fluxes.

    Raises
    ------
    MalformedAlert
        If they contradict each other, or one is none.
    """
    of_unit, of_file, given = others
    known = rows[np.isfinite(rows)] if rows is not None else np.empty(0)
    of_rows = np.unique(known).tolist()
    stated = {value for value in (of_unit, of_file) if value is not None} | set(of_rows[:2] + of_rows[-2:])
    if stated and not all(ZERO_POINTS[0] < value < ZERO_POINTS[1] for value in stated):
        raise MalformedAlert("table", f"its zero points are {sorted(stated)}, which no fluxes ({column}) have")
    firm = of_unit if of_unit is not None else of_file if not len(known) else None
    listed = ", ".join(f"{value:g}" for value in sorted(stated))
    if firm is not None and _differ(stated, firm):
        raise MalformedAlert("table", f"the zero points of its fluxes ({column}) contradict each other: {listed}")
    if given is not None and _differ(stated, given):
        remark(f"the zero point of the fluxes ({column}) is {listed}, as the file says, not {given:g}")
    if of_file is not None and firm is None and _differ(stated, of_file):
        remark(f"the zero points of rows are used, not the {of_file:g} of the whole file")
    rest = next((value for value in (firm, of_file, given) if value is not None), None)
    if rows is None:
        return AB_ZERO_POINT if rest is None else rest
    if rest is None:
        leave_out("without a zero point (or say --zero-point)", int(np.isnan(rows).sum()))
    return np.where(np.isnan(rows), np.nan if rest is None else rest, np.where(np.isinf(rows), np.nan, rows))


def _differ(stated: set[float], value: float) -> bool:
    return any(abs(other - value) > SAME for other in stated)


def magnitude_of_unit(unit: str, column: str) -> float:
    """
    Give what one unit of a column of magnitudes or their errors is [mag].

    Raises
    ------
    MalformedAlert
        If it is no magnitude.

    >>> magnitude_of_unit("mmag", "magerr"), magnitude_of_unit("mag(AB)", "mag"), magnitude_of_unit("", "mag")
    (0.001, 1.0, 1.0)
    """
    plain = unit.strip().strip("'\"").lower()
    if plain.startswith(("mmag", "millimag")):
        return 0.001
    if plain in NO_UNIT or "mag" in plain:
        return 1.0
    raise MalformedAlert("table", f"its magnitudes or their errors ({column}) are in {unit!r}: give them in mag")


def scale_of(zero_point: Floats | float) -> Floats | float:
    """
    Tell what turns fluxes of a zero point [mag] into nJy.

    >>> round(float(scale_of(27.5)), 3), float(scale_of(31.4))
    (36.308, 1.0)
    """
    scale: Floats | float = 10 ** ((AB_ZERO_POINT - np.asarray(zero_point)) / 2.5)
    return scale


def is_ab(system: str) -> bool:
    """
    Tell whether a system of magnitudes is AB.

    >>> is_ab("AB"), is_ab(" ab_mag"), is_ab("Vega")
    (True, True, False)
    """
    return system.strip().lower().replace(" ", "") in AB


def possible_magnitudes(magnitude: Floats) -> Floats:
    """Give the magnitudes, NaN where one cannot be that of an image, which is told, or stands for none."""
    is_good = (magnitude > BRIGHTEST) & (magnitude < FAINTEST)
    if (is_good | np.isnan(magnitude)).all():
        return magnitude
    missing = np.isnan(magnitude) | (magnitude <= -99) | np.isin(magnitude, NONE_AT_ALL)
    bad = ~missing & ~is_good
    if not bad.any():
        return np.where(missing, np.nan, magnitude) if missing.any() else magnitude
    worst = float(magnitude[bad][0])
    why = "an absolute magnitude, or the mark of a negative flux?" if worst < 0 else "no image has such a source"
    leave_out(f"with a magnitude like {worst:g}: {why}", int(bad.sum()))
    return np.where(missing | bad, np.nan, magnitude)


def tell_errors(error: Floats, brightness: Floats, largest: float = np.inf) -> None:
    """Tell how many errors of known brightnesses, (n,) each, are none, or above the largest: they tell nothing."""
    if not is_collected():
        return
    is_known = np.isfinite(brightness)
    for reason, found in (
        ("without an error", ~np.isfinite(error)),
        ("whose error is 0 or less", error <= 0),
        (f"whose error is above {largest:g} mag", np.isfinite(error) & (error > largest)),
    ):
        leave_out(f"{reason}: they have no significance", int(np.count_nonzero(found & is_known)), is_fault=False)
