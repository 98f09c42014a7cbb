"""
What an epoch means, and whether a column can hold it: by its name, its range, its type and its time scale.

A value says itself whether it is MJD or JD: the years 1941 to 2132 are 30000 to 100000 of the one and 2430000 to
2500000 of the other, so that one in the other's column is read rightly, and told. The scale is said by the name, else
by what the file says of itself (``TIMESYS``), else it is UTC. Rubin's leap seconds are those since 2017.
"""

import re
from typing import Any, Final

import numpy as np
import pandas as pd

from tides_bridge.compiled import Floats
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.meaning.left_out import is_collected, leave_out, remark
from tides_bridge.lightcurves.photometry import MJD_OF_UNIX, MJD_ZERO, TAI_AHEAD

EPOCHS: Final = (30000.0, 100000.0)
"""[d] MJD of the years 1941 to 2132: a point with an epoch outside has none, and is left out."""

NO_EPOCH: Final = -1e9
"""[d] Stands for a record in which no point has an epoch: older than any, yet not refused."""

TT_AHEAD: Final = TAI_AHEAD + 32.184 / 86400
"""[d] TT - UTC; TDB differs from TT by 2 ms at most."""

AHEAD: Final = {"utc": 0.0, "tai": TAI_AHEAD, "tt": TT_AHEAD, "tdb": TT_AHEAD}
"""[d] By time scale: how much its clocks are ahead of UTC."""

NAMES: Final = {
    "mjd": ("mjd", "mjd_utc", "mjdutc", "mjd_obs", "mjd-obs", "mjdobs", "obsmjd", "obs_mjd", "expmjd"),
    "jd": ("jd", "jd_utc", "jdutc", "jd_obs", "obsjd", "obs_jd"),
    "mjd_tai": ("midpointmjdtai", "midpointtai", "mjd_tai", "mjdtai", "expmidptmjd"),
    "jd_tai": ("jd_tai", "jdtai"),
    "mjd_tt": ("mjd_tt", "mjd_tdb"),
    "jd_tt": ("jd_tt", "jd_tdb"),
    "hjd": ("hjd", "bjd", "bjd_tdb", "hmjd", "bmjd"),
    "date": (
        "date", "date_obs", "date-obs", "dateobs", "obs_date", "obsdate", "isot", "iso", "datetime", "utc", "timestamp",
        "time",
    ),
}  # fmt: skip
"""What a column of epochs may be called, in small letters: by what it should be, best first."""

COARSEST: Final = 0.1
"""[d] A type whose steps are longer cannot tell two nights from one."""

UNIX: Final = (5e8, 4.2e9)
"""[s] Unix time of the years 1985 to 2103."""

OF_SHEETS: Final = (40000.0, 51179.0)
"""[d] Days since 1900, as spreadsheets keep the dates of 2009 to 2040; as MJD they are of 1968 to 1998."""

DECIMAL_DAY: Final = re.compile(r"\s*(\d{4})[-/](\d{1,2})[-/](\d{1,2})(\.\d+)?\s*", re.ASCII)
"""A date with a fraction of the day, as circulars have it."""


def plausible_epochs(mjd: Floats) -> Floats:
    """Give the epochs, NaN where one is out of `EPOCHS`; those are told."""
    is_epoch = (mjd > EPOCHS[0]) & (mjd < EPOCHS[1])
    if is_epoch.all():
        return mjd
    if is_collected():
        missing = int(np.isnan(mjd).sum())
        leave_out("without an epoch", missing, is_fault=False)
        others = int(np.count_nonzero(~is_epoch)) - missing
        leave_out("with an epoch that is not of the years 1941 to 2132", others, is_fault=False)
    return np.where(is_epoch, mjd, np.nan)


def known_epochs(mjd: Any) -> Floats:
    """
    Give what is said of an object's epochs [d], NaN where it is none; a point is not lost for that, and nobody is told.

    >>> known_epochs([61000.0, -2400000.5, None])
    array([61000.,    nan,    nan])
    """
    epochs = np.asarray(mjd, dtype=float)
    return np.where((epochs > EPOCHS[0]) & (epochs < EPOCHS[1]), epochs, np.nan)


def mjd_of_values(values: Floats, role: str, name: str, timesys: str = "") -> Floats:
    """
    Read a column of epochs as MJD in UTC [d]; what is neither MJD nor JD stays as it is, and is no epoch.

    Parameters
    ----------
    values
        (n,) As they are in the file.
    role
        Which of `NAMES` the column is called by.
    name
        The column.
    timesys
        What the file says its time scale is; "" where it does not.

    Examples
    --------
    >>> mjd_of_values(np.array([61000.5, 2461001.0]), "mjd", "mjd")
    array([61000.5, 61000.5])
    """
    _check_days(values, role, name)
    is_jd = (values > EPOCHS[0] + MJD_ZERO) & (values < EPOCHS[1] + MJD_ZERO)
    is_mjd = (values > EPOCHS[0]) & (values < EPOCHS[1])
    mjd = np.where(is_jd, values - MJD_ZERO, values)
    if role == "date":
        for unit in (1.0, 1e3, 1e6, 1e9):
            is_unix = (values > UNIX[0] * unit) & (values < UNIX[1] * unit)
            if is_unix.any():
                mjd = np.where(is_unix, values / (unit * 86400) + MJD_OF_UNIX, mjd)
                remark(f"the column {name} is read as Unix time")
    elif role == "hjd":
        remark(f"the column {name} is of the Sun or barycentre, up to 8 minutes off UTC at Earth")
    elif is_jd.any() and role.startswith("mjd"):
        remark(f"the column {name} has Julian dates: they are read as such")
    elif is_mjd.any() and role.startswith("jd"):
        remark(f"the column {name} has modified Julian dates: they are read as such")
    return mjd - _ahead(role, timesys)


def _check_days(values: Floats, role: str, name: str) -> None:
    """Tell numbers that spreadsheets have for dates, and days without a time; raises MalformedAlert for the former."""
    if not is_collected() or not len(values):
        return
    is_of_sheet = (values > OF_SHEETS[0]) & (values < OF_SHEETS[1])
    if is_of_sheet.any():
        problem = f"{name} has {values[is_of_sheet][0]:g}: a spreadsheet's number of a date, or an MJD before 1999"
        if role == "date":
            raise MalformedAlert("table", f"{problem}: call it mjd, or write the dates as text")
        remark(problem)
    known = values[np.isfinite(values)]
    if len(known) > 2 and (known == np.round(known)).all():
        remark(f"the epochs ({name}) are whole days: which night a point is of is not certain")


def _ahead(role: str, timesys: str) -> float:
    """Give how far ahead of UTC a column is [d]: by its name, else by what the file says."""
    named = role.rpartition("_")[2]
    if named in AHEAD:
        if timesys and AHEAD.get(timesys.lower()) != AHEAD[named]:
            remark(f"the epochs are in {named.upper()}, as their column says, not in {timesys}, as the file says")
        return AHEAD[named]
    if timesys and timesys.lower() not in AHEAD:
        raise MalformedAlert("table", f"its time scale is {timesys!r}, none of {', '.join(AHEAD)}")
    return AHEAD[timesys.lower()] if timesys else 0.0


def check_steps(dtype: Any, largest: float, name: str) -> None:
    """
    See that a type can hold epochs.

    Parameters
    ----------
    dtype
        Of numpy, of the column.
    largest
        [d] The largest of its values.
    name
        The column.

    Raises
    ------
    MalformedAlert
        If its steps are longer than `COARSEST`; shorter ones of 32 bits are told.
    """
    kind = np.dtype(dtype)
    if kind.kind != "f" or kind.itemsize >= 8 or not np.isfinite(largest):
        return
    with np.errstate(over="ignore"):
        step = float(np.spacing(kind.type(largest)))
    if not step <= COARSEST:
        problem = f"its epochs ({name}) are a column of {kind.name}, whose steps of {step:g} d make nights of others"
        raise MalformedAlert("table", f"{problem}: keep them as float64")
    remark(f"the epochs ({name}) are a column of {kind.name}, whose steps are {step * 1440:.2g} min")


def mjd_of_texts(texts: "pd.Series[Any]") -> Floats:
    """
    Read dates as text as MJD [d]: ISO 8601, with or without zone, or with a fraction of the day; NaN where it is none.

    >>> mjd_of_texts(pd.Series(["2025-11-21T12:00:00Z", "2025-11-21 13:00+01:00", "2025-11-21.5", "soon", None]))
    array([61000.5, 61000.5, 61000.5,     nan,     nan])
    """
    parsed = pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce")
    mjd = mjd_of_times(parsed)
    for place in np.flatnonzero(np.isnan(mjd)).tolist():
        found = DECIMAL_DAY.fullmatch(str(texts.iloc[place]))
        day = pd.to_datetime("-".join(found.groups()[:3]), errors="coerce", utc=True) if found else pd.NaT
        if found and isinstance(day, pd.Timestamp):
            mjd[place] = day.timestamp() / 86400 + MJD_OF_UNIX + float(found[4] or 0)
    return mjd


def mjd_of_times(times: "pd.Series[Any]") -> Floats:
    """Turn times into MJD [d]; one without zone is in UTC."""
    stamps = np.asarray(pd.to_datetime(times, utc=True).dt.tz_convert(None), dtype="datetime64[us]")
    mjd = stamps.astype(np.int64) / 86400e6 + MJD_OF_UNIX
    return np.where(np.isnat(stamps), np.nan, mjd)
