"""
Tables of points that astropy reads: FITS, VOTable, ECSV, and the text that sncosmo writes.

Columns are known by the names that other tables of points may have, and by those of sncosmo. Units count: of fluxes any
that is a flux density; a column of zero points (``zp``, AB) counts more. Masked values are missing ones.
"""

import io
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Floats
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import Noted, Options, Refused, check_depth, in_one_line
from tides_bridge.formats.contents import whole_content
from tides_bridge.formats.meaning.bands import band_codes
from tides_bridge.formats.meaning.epochs import plausible_epochs
from tides_bridge.formats.meaning.identifiers import EXACT
from tides_bridge.formats.meaning.roles import NAMES, NEEDED
from tides_bridge.formats.published.forced import name_of_file
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.photometry import AB_ZERO_POINT, MJD_ZERO, ZTF_BANDS, mjd_utc_from_tai

if TYPE_CHECKING:
    from astropy.table import Table

OF_SNCOSMO: Final = {
    "mjd": ("time", "date", "mjdobs", "mjd_obs"),
    "band": ("bandpass", "flt"),
    "flux": ("f",),
    "flux_error": ("fe", "fluxerror", "fluxerr"),
    "zero_point": ("zp", "zpt", "zeropoint", "zero_point"),
    "system": ("zpsys", "zpmagsys", "magsys"),
    "ebv": ("ebv", "mwebv"),
    "is_detection": ("is_detection",),
}
"""What sncosmo, and we, call columns beside `tables.NAMES`."""

NAMED: Final = ("objectid", "object_id", "diaobjectid", "id", "name", "snid", "sn")
"""Keys of a table's metadata that name its one object, best first."""

AB: Final = ("ab", "")
"""Systems of zero points in which fluxes can be compared with ours."""

NO_TABLE: Final = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, MemoryError)
"""What astropy raises for a broken table; its own errors are of these."""

KEY_LINES: Final = re.compile(rb"(?:@\S+ [^\n]*\n)+")


def is_astropy_text(start: bytes) -> bool:
    """Tell by its first bytes whether a text is a VOTable, ECSV, or sncosmo's."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith((b"<?xml", b"<VOTABLE", b"<!DOCTYPE")):
        return b"VOTABLE" in text[:4096].upper()
    return text.startswith(b"# %ECSV") or bool(_sncosmo_header(text))


def _sncosmo_header(text: bytes) -> list[str]:
    """Find the names in a text of sncosmo: after lines of keys that begin with @, with a flux and a zero point."""
    rest = KEY_LINES.sub(b"", text, count=1).lstrip()
    names = rest.split(b"\n", 1)[0].decode("latin-1").lstrip("# ").lower().split()
    has_all = all(set(OF_SNCOSMO[role]) & set(names) for role in ("zero_point", "system"))
    return names if has_all and "," not in "".join(names) else []


def astropy_curves(path: Path, options: Options, refused: Refused, noted: Noted) -> LightCurves:
    """
    Read the light curves of a table.

    Parameters
    ----------
    path
        The file.
    options
        The zero point of fluxes that have neither a unit nor a column with one.
    refused
        Is told of rows without object id.
    noted
        Is told what was left out, and when the zero point may be wrong.

    Raises
    ------
    MalformedAlert
        If it is no table of points, or its fluxes are in a system other than AB.
    """
    table = _table(path)
    known = _roles(table)
    length = len(table)
    names = _object_names(table, known, path)
    unique, codes = np.unique(names, return_inverse=True)
    is_nameless = names == ""
    if is_nameless.any():
        refused(path, f"{np.count_nonzero(is_nameless)} rows have no object id")

    def numbers(role: str) -> Floats | None:
        return _numbers(table[known[role]], known[role], path) if role in known else None

    mjd = plausible_epochs(_epochs(known, numbers, path))
    bands = _bands(table, known, path, noted)
    others: dict[str, Any] = {role: numbers(role) for role in ("reliability", "ra", "decl")}
    if (source_id := known.get("source_id")) and table[source_id].dtype.kind in "iu":
        others["source_id"] = np.ma.filled(table[source_id], -1).astype(np.int64)
    night = numbers("night")
    if night is not None and np.isfinite(night).all():
        others["night"] = night.astype(np.int64)
    points: dict[str, Any] = {**_brightness(table, known, numbers, options, path), "mjd": mjd, "band": bands}
    marked = numbers("is_detection")
    if marked is not None:
        points["is_detection"] &= marked == 1
    left_out = np.isnan(mjd) | is_nameless
    if np.isnan(mjd).any():
        noted(path, f"{np.count_nonzero(np.isnan(mjd))} of {length} points are left out, which have no epoch")
    used = ~left_out
    points |= {name: values for name, values in others.items() if values is not None}
    points = {name: values[used] for name, values in points.items() if values is not None}
    kept, index = np.unique(codes[used], return_inverse=True)
    objects = _objects(len(kept), index, points, None if (ebv := numbers("ebv")) is None else ebv[used])
    build = LightCurves.from_fluxes if "flux" in points else LightCurves.from_magnitudes
    curves = build(unique[kept].tolist(), index, objects=objects, **points)
    if "flux" in points:
        check_depth(curves, path, noted)
    return curves


def _table(path: Path) -> "Table":
    from astropy.io.votable import parse_single_table  # a second, for each process that reads any file
    from astropy.table import Table

    content = whole_content(path)
    text = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # units that astropy does not know are told below
            if content.startswith(b"SIMPLE"):
                return Table.read(io.BytesIO(content), format="fits", character_as_bytes=False)
            if text.startswith(b"<"):
                return parse_single_table(io.BytesIO(text), verify="ignore").to_table(use_names_over_ids=True)
            if text.startswith(b"# %ECSV"):
                return Table.read(text.decode(), format="ascii.ecsv")
            return _sncosmo_table(text.decode())
    except (*NO_TABLE, UnicodeDecodeError) as problem:
        raise MalformedAlert(str(path), f"is a broken table: {in_one_line(problem)}") from None


def _sncosmo_table(text: str) -> "Table":
    """Read sncosmo's text: keys as @key value, a line of names, and rows with blanks between."""
    from astropy.io import ascii as astropy_text

    lines = text.splitlines()
    keys = dict(line[1:].split(None, 1) for line in lines if line.startswith("@") and " " in line)
    rest = [line for line in lines if line.strip() and not line.startswith("@")]
    rest[0] = rest[0].lstrip("# ")
    table = astropy_text.read("\n".join(rest), format="basic", guess=False, comment="#")
    table.meta.update({key: value.strip() for key, value in keys.items()})
    return table


def _roles(table: "Table") -> dict[str, str]:
    """Tell which column plays which role."""
    small = {name.strip().lower(): name for name in reversed(table.colnames)}
    known = {}
    for role in (*NAMES, *OF_SNCOSMO):
        names = (*NAMES.get(role, ()), *OF_SNCOSMO.get(role, ()))
        if (found := next((small[name] for name in names if name in small), None)) is not None:
            known[role] = found
    return known


def _object_names(table: "Table", known: dict[str, str], path: Path) -> npt.NDArray[np.str_]:
    has_epoch = {"mjd", "jd", "mjd_tai"} & set(known)
    has_brightness = {"magnitude", "flux", "flux_njy"} & set(known)
    if not (has_epoch and has_brightness and {"band", "fid"} & set(known)):
        columns = ", ".join(table.colnames)[:200]
        raise MalformedAlert(str(path), f"is a table with the columns {columns}; needed are {NEEDED}")
    if not len(table):
        raise MalformedAlert(str(path), "is a table without rows")
    if "object_id" not in known:
        meta = {str(key).lower(): value for key, value in table.meta.items()}
        name = next((str(meta[key]).strip() for key in NAMED if str(meta.get(key, "")).strip()), name_of_file(path))
        return np.full(len(table), name)
    column = table[known["object_id"]]
    if column.dtype.kind == "f":
        values = np.ma.filled(column, np.nan).astype(float)
        if np.nanmax(np.abs(values), initial=0) >= EXACT:
            raise MalformedAlert(str(path), "its object ids are a column of floats, which have lost digits of the ids")
        return np.array(["" if np.isnan(value) else str(int(value)) for value in values])
    missing = np.ma.getmaskarray(column)
    return np.array(["" if gone else str(value).strip() for value, gone in zip(column.tolist(), missing, strict=True)])


def _numbers(column: Any, name: str, path: Path) -> Floats:
    """Read a column as numbers; NaN where it is masked."""
    try:
        values = np.ma.asarray(column)
        return np.ma.filled(values.astype(float), np.nan)
    except (ValueError, TypeError):
        raise MalformedAlert(str(path), f"its column {name} has what is no number") from None


def _epochs(known: dict[str, str], numbers: Any, path: Path) -> Floats:
    values: dict[str, Floats] = {role: numbers(role) for role in ("mjd", "jd", "mjd_tai") if role in known}
    if "mjd" in values:
        return values["mjd"]
    return values["jd"] - MJD_ZERO if "jd" in values else mjd_utc_from_tai(values["mjd_tai"])


def _bands(table: "Table", known: dict[str, str], path: Path, noted: Noted) -> npt.NDArray[np.int8]:
    column = table[known["band" if "band" in known else "fid"]]
    names = [str(name).strip() for name in np.ma.filled(column, column.dtype.type()).tolist()]
    fids = {str(fid): band for fid, band in ZTF_BANDS.items()}
    codes = band_codes(np.array([fids.get(name, name) for name in names] + [None], dtype=object))[:-1]
    unknown = sorted({name for name, code in zip(names, codes, strict=True) if code < 0})
    if unknown:
        spelt = in_one_line(", ".join(map(repr, unknown)))
        noted(path, f"{np.count_nonzero(codes < 0)} of {len(codes)} points are in bands that are not known: {spelt}")
    return codes


def _brightness(
    table: "Table", known: dict[str, str], numbers: Any, options: Options, path: Path
) -> dict[str, npt.NDArray[Any] | None]:
    """Give the columns of fluxes [nJy], or of magnitudes."""
    role = next((role for role in ("flux_njy", "flux") if role in known), None)
    if role is None or ("magnitude" in known and "zero_point" not in known and not table[known[role]].unit):
        magnitude, error = numbers("magnitude"), numbers("magnitude_error")
        return {
            "magnitude": magnitude,
            "magnitude_error": np.full(len(magnitude), np.nan) if error is None else error,
            "is_detection": np.isfinite(magnitude),
            "is_positive": np.ones(len(magnitude), dtype=bool),
            "limiting_magnitude": numbers("limiting_magnitude"),
        }
    flux, error = numbers(role), numbers(f"{role}_error")
    error = np.full(len(flux), np.nan) if error is None else error
    scale = _scale(table, known, numbers, role, options, path)
    return {"flux": flux * scale, "flux_error": error * scale, "is_detection": np.isfinite(flux)}


def _scale(  # noqa: PLR0913, PLR0917
    table: "Table", known: dict[str, str], numbers: Any, role: str, options: Options, path: Path
) -> Floats | float:
    """Tell what turns fluxes into nJy: zero points a row, else their unit, else what the options say."""
    if "zero_point" in known:
        systems = {str(system).strip().lower() for system in table[known["system"]]} if "system" in known else {""}
        if not systems <= set(AB):
            names = ", ".join(sorted(systems - set(AB)))
            raise MalformedAlert(str(path), f"has zero points in the system {names}: only those in AB can be used")
        zero_point: Floats = numbers("zero_point")
        return np.asarray(10 ** ((AB_ZERO_POINT - zero_point) / 2.5), dtype=float)
    from astropy import units

    unit = table[known[role]].unit
    if unit is None:
        return 1.0 if role == "flux_njy" else options.scale
    try:
        return float(units.Unit(unit).to(units.nJy))
    except (units.UnitConversionError, ValueError, TypeError):
        raise MalformedAlert(str(path), f"has fluxes in {unit}, which is no unit of flux density") from None


def _objects(number: int, index: npt.NDArray[Any], points: dict[str, Any], ebv: Floats | None) -> Objects:
    """Tell what the first point of each object that has it says: a mean of positions would fail at RA 0."""
    known: dict[str, Floats] = {}
    for name, values in (("ra", points.get("ra")), ("decl", points.get("decl")), ("ebv", ebv)):
        if values is not None:
            has = np.flatnonzero(np.isfinite(values))
            owners, first = np.unique(index[has], return_index=True)
            known[name] = np.full(number, np.nan)
            known[name][owners] = values[has[first]]
    return Objects.of(number, **known)
