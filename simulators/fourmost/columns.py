"""
The columns of a transient: one table for the database, the checks, the filters and OPTIONS.

Ranges: 4FS catalogue format, FMTVERS 2.6. What the format leaves open and the stand-in decides is marked [stand-in].
"""

import math
from dataclasses import dataclass
from typing import Literal

Kind = Literal["int", "float", "text", "bool", "time"]
Value = int | float | str | bool | None

TEXT_LENGTH = 256
"""Longest text [characters], 4FS catalogue format."""

CLASSES = ("TRA", "GAL", "AGN", "LEN")
"""Codes of ``classification``: transient, galaxy, active nucleus, lensed."""

MAX_CLASSES = 3
"""Codes that one row may carry."""

MAX_CADENCE = 2**22 - 1
"""The cadence is a set of 22 bits."""

_DEFAULTS: dict[Kind, Value] = {"int": 0, "float": 0.0, "text": "", "bool": True, "time": None}


@dataclass(frozen=True)
class FourmostColumn:
    """
    One column.

    Parameters
    ----------
    name
        As in the API.
    kind
        Type of its values; int and float are 64 bits.
    help
        Meaning and [unit], shown by OPTIONS.
    minimum, maximum
        Range of a value that is given, both ends included; None is open.
    zero
        Whether 0 is also allowed, as "not given".
    required
        Whether a new row must give it. Any other column that is not given becomes 0, 0.0 or '', and that is not
        checked: live programs leave out the epoch.
    read_only
        Whether only the server sets it; a client's value is ignored.
    """

    name: str
    kind: Kind
    help: str
    minimum: int | float | None = None
    maximum: int | float | None = None
    zero: bool = False
    required: bool = False
    read_only: bool = False

    @property
    def default(self) -> Value:
        """What a value becomes that is not given; a new row is active."""
        return _DEFAULTS[self.kind]


def _magnitudes(stem: str, meaning: str) -> tuple[FourmostColumn, ...]:
    """Columns of the three spectrograph arms, 0 … 50 mag."""
    return tuple(
        FourmostColumn(f"{stem}_{arm}", "float", f"{meaning}, {arm} [mag]", 0, 50) for arm in ("blue", "green", "red")
    )


COLUMNS: tuple[FourmostColumn, ...] = (
    FourmostColumn("id", "int", "key of the row", read_only=True),
    FourmostColumn("uploadedfor_survey_id", "int", "survey: 15 S10 TiDES, 46 S16 CHANGES, 5 S_test", required=True),
    FourmostColumn("name", "text", "name of the transient; need not be unique", required=True),
    FourmostColumn("ra", "float", "right ascension [deg]", 0, 359.99999999, required=True),
    FourmostColumn("dec", "float", "declination [deg]", -89.99999999, 40, required=True),
    FourmostColumn("pmra", "float", "proper motion in right ascension [mas/yr], 0 if unknown", -1_000_000, 1_000_000),
    FourmostColumn("pmdec", "float", "proper motion in declination [mas/yr], 0 if unknown", -1_000_000, 1_000_000),
    FourmostColumn("epoch", "float", "epoch of the position [yr]", 1950, 2050),
    FourmostColumn("resolution", "int", "1 = LRS, 2 = HRS", 1, 2),
    FourmostColumn("subsurvey", "text", "subsurvey"),
    FourmostColumn("cadence", "int", "cadence, a set of 22 bits", 0, MAX_CADENCE),
    FourmostColumn("template", "text", "file name of the template spectrum"),
    FourmostColumn("ruleset", "text", "name of the ruleset"),
    FourmostColumn("redshift_estimate", "float", "redshift", -0.01, 10),
    FourmostColumn("redshift_error", "float", "error of the redshift", 0, 10),
    FourmostColumn("extent_flag", "int", "0 point, 1 flat, 2 Sersic", 0, 2),
    FourmostColumn("extent_parameter", "float", "half-light radius [arcsec], with extent_flag 2", 0.1, 100, zero=True),
    FourmostColumn("extent_index", "float", "Sersic index, with extent_flag 2", 0.1, 10, zero=True),
    # Required because 0, which it would become, is no magnitude of the format.
    FourmostColumn("mag", "float", "magnitude, reddening included [mag]", 3, 50, required=True),
    FourmostColumn("mag_err", "float", "error of the magnitude [mag]", 0, 50),
    FourmostColumn("mag_type", "text", "SURVEY_band_SYSTEM, for example LSST_r_AB"),
    FourmostColumn("reddening", "float", "E(B-V) [mag]", 0, 100),
    # float64: a float32 would step by 0.25 d. No upper end, and exposure times from 0: [stand-in].
    FourmostColumn("date_earliest", "float", "first date of observation [JD], 0 = no limit", 0),
    FourmostColumn("date_latest", "float", "last date of observation [JD], 0 = no limit", 0),
    FourmostColumn("t_exp_d", "float", "exposure in dark sky [min]", 0),
    FourmostColumn("t_exp_g", "float", "exposure in grey sky [min]", 0),
    FourmostColumn("t_exp_b", "float", "exposure in bright sky [min]", 0),
    FourmostColumn("t_exp_s", "float", "exposure in superbright sky [min]", 0),
    FourmostColumn("template_redshift", "float", "redshift of the template", -0.1, 10),
    *_magnitudes("cal_mag", "calibration magnitude"),
    *_magnitudes("cal_mag_err", "error of the calibration magnitude"),
    FourmostColumn("cal_mag_id_blue", "text", "band of cal_mag_blue"),
    FourmostColumn("cal_mag_id_green", "text", "band of cal_mag_green"),
    FourmostColumn("cal_mag_id_red", "text", "band of cal_mag_red"),
    FourmostColumn("classification", "text", "up to three of TRA, GAL, AGN, LEN, for example 'GAL, AGN'"),
    FourmostColumn("completeness", "float", "completeness wanted", 0, 1),
    FourmostColumn("parallax", "float", "parallax [mas], 0 if unknown"),
    FourmostColumn("date_submitted", "time", "creation, ISO 8601, Europe/Berlin", read_only=True),
    FourmostColumn("date_modified", "time", "last change, ISO 8601, Europe/Berlin", read_only=True),
    FourmostColumn("date_ingested", "time", "ingestion by OpSys, ISO 8601, Europe/Berlin; null before", read_only=True),
    FourmostColumn("is_active", "bool", "whether to observe it; the one column that changes after ingestion"),
    FourmostColumn("ostd_targ_id", "int", "target of OpSys; 0 before ingestion", read_only=True),
    FourmostColumn("ostd_u_obj_id", "int", "OBJ_UID of the spectra; 0 before ingestion", read_only=True),
)

BY_NAME = {column.name: column for column in COLUMNS}

SERSIC = 2
"""``extent_flag`` of a Sersic profile, which needs the two other extent columns."""


def problem(column: FourmostColumn, value: int | float | str) -> str:
    """
    Say why a value does not fit its column.

    Returns
    -------
    str
        Value and allowed range, or '' when it fits.

    Examples
    --------
    >>> problem(BY_NAME["dec"], 41.0)
    '41.0 is outside -89.99999999 ... 40'
    >>> problem(BY_NAME["classification"], "GAL, AGN")
    ''
    """
    if isinstance(value, str):
        if len(value) > TEXT_LENGTH:
            return f"{value[:20]!r}... has {len(value)} characters, at most {TEXT_LENGTH} are allowed"
        if column.name == "classification" and value:
            codes = [code.strip() for code in value.split(",")]
            if len(codes) > MAX_CLASSES or not set(codes) <= set(CLASSES):
                return f"{value!r} is not up to {MAX_CLASSES} of {', '.join(CLASSES)}"
        return ""
    if not math.isfinite(value):
        return f"{value} is not a finite number"
    if column.zero and value == 0:
        return ""
    low = -math.inf if column.minimum is None else column.minimum
    high = math.inf if column.maximum is None else column.maximum
    return "" if low <= value <= high else f"{value} is outside {low} ... {high}"


def extent_problems(flag: int, parameter: float, index: float) -> dict[str, str]:
    """
    Say which extent values a Sersic profile lacks; a point or flat source needs none.

    Returns
    -------
    dict
        What is wrong, by column.

    Examples
    --------
    >>> extent_problems(2, 1.5, 0.0)
    {'extent_index': '0.0 is outside 0.1 ... 10, which extent_flag 2 needs'}
    """
    if flag != SERSIC:
        return {}
    given = {"extent_parameter": parameter, "extent_index": index}
    return {
        name: f"{value} is outside {BY_NAME[name].minimum} ... {BY_NAME[name].maximum}, which extent_flag 2 needs"
        for name, value in given.items()
        if value == 0
    }
