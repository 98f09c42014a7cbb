"""
True classes, peaks and redshifts of the objects in an archive, from CSV, Parquet, or SNANA's DUMP and HEAD files.

Columns are told apart by their names, whatever the case: see `CLASS_COLUMNS` and the other constants. The archive
itself may be the file, where a simulation wrote the truth beside its alerts.
"""

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tides_bridge.errors import MalformedAlert, SettingsError
from tides_bridge.formats.contents import BROKEN, first_bytes, open_unpacked, seekable
from tides_bridge.formats.meaning.identifiers import exact_names
from tides_bridge.formats.meaning.taxonomy import UNKNOWN, Kind, class_named, class_of, whole_number
from tides_bridge.formats.snana.binary import open_rows
from tides_bridge.lightcurves.photometry import BANDS, MJD_ZERO

ID_COLUMNS: Final = (
    *("objectid", "diasource.diaobjectid", "diaobjectid", "ztfid", "object_id", "diaobject_id", "oid", "snid", "cid"),
)
CLASS_COLUMNS: Final[dict[str, Kind]] = {
    "gentype": "gentype",
    "true_gentype": "gentype",
    "sim_gentype": "gentype",
    "sim_type_index": "gentype",
    "classid": "class id",
    "class_id": "class id",
    "class": "text",
    "true_class": "text",
    "type": "text",
    "classification": "text",
    "true_target": "plasticc",
    "target": "plasticc",
}
MJD_COLUMNS: Final = {
    "peakmjd": 0.0,
    "peak_mjd": 0.0,
    "mjd_peak": 0.0,
    "sim_peakmjd": 0.0,
    "true_peakmjd": 0.0,
    "peakjd": -MJD_ZERO,
    "peak_jd": -MJD_ZERO,
    "peakt": 2458000.0 - MJD_ZERO,
}
"""What to add to make it MJD [d], UTC or TAI, which is no matter here. BTS counts ``peakt`` from JD 2458000."""

MAGNITUDE_COLUMNS: Final = ("peakmag", "peak_mag", "peak_magnitude", "magpeak", "sim_peakmag")
REDSHIFT_COLUMNS: Final = ("zhelio", "redshift", "z_helio", "z", "zcmb", "sim_redshift_helio", "true_z")
"""Of these the first that is there counts, as of the others."""

NUMBERS: Final = {"peak_mjd": (30000.0, 100000.0), "peak_magnitude": (-5.0, 40.0), "redshift": (-0.01, 30.0)}
"""Between what a number is one: simulations write -9 and 99 for none."""

DUMP: Final = re.compile(rb"^VARNAMES:\s", re.MULTILINE)
"""A line of SNANA's DUMP file."""

NO_TABLE: Final = (
    pa.ArrowException,
    pd.errors.ParserError,
    pd.errors.ParserWarning,
    pd.errors.EmptyDataError,
    UnicodeDecodeError,
)
"""What reading a file that is none of these may raise."""

COLUMNS: Final = ("class_name", "given", "reason", "peak_mjd", "peak_magnitude", "redshift")


@dataclass(frozen=True)
class TruthFile:
    """
    A file that tells of classes.

    Attributes
    ----------
    file
        CSV, packed with gzip or not, Parquet, or SNANA's DUMP or HEAD file.
    class_name
        Of all objects in it; None: it has a column with them.
    """

    file: Path
    class_name: str | None = None

    @classmethod
    def parse(cls, text: str) -> "TruthFile":
        """
        Read FILE, or FILE=CLASS.

        Raises
        ------
        SettingsError
            If there is no such class.

        >>> TruthFile.parse("agn.parquet=AGN").class_name
        'AGN'
        """
        name, _, class_name = text.rpartition("=")
        if not name or Path(text).exists():
            return cls(Path(text))
        try:
            return cls(Path(name), class_named(class_name).name)
        except ValueError as error:
            raise SettingsError("--truth", text, str(error)) from None


def read_truth(sources: Sequence[TruthFile], bands: Iterable[str] = BANDS) -> pd.DataFrame:
    """
    Read what is known, one row an object.

    Several rows of an object become one: its class if all that have one agree, the finest of them, else none; and of
    numbers the median.

    Parameters
    ----------
    sources
        Where from.
    bands
        Where the peak magnitude is given by band, the brightest of these counts.

    Returns
    -------
    DataFrame
        Indexed by object id, exact text: class_name, None if it has none; given, in the file's own words; reason, why
        there is no class; peak_mjd [d], peak_magnitude [mag] and redshift, NaN where unknown.

    Raises
    ------
    SettingsError
        Naming the file and what is wrong in it.
    """
    rows = pd.concat([_read(source, tuple(bands)) for source in sources], ignore_index=True)
    merged = rows.groupby("object_id")[list(NUMBERS)].median()
    given_classes = rows[["object_id", "class_name", "given", "reason"]].drop_duplicates()
    is_alone = ~given_classes.object_id.duplicated(keep=False)
    alone = given_classes[is_alone].set_index("object_id")
    joined = [(name, *_agree(object_rows)) for name, object_rows in given_classes[~is_alone].groupby("object_id")]
    several = pd.DataFrame(joined, columns=["object_id", *COLUMNS[:3]]).set_index("object_id")
    classes = pd.concat([alone, several]) if len(several) else alone
    return merged.join(classes.astype(object).where(lambda column: column.notna(), None))[list(COLUMNS)]


def _agree(rows: pd.DataFrame) -> tuple[str | None, str, str | None]:
    """Join what several rows say of the class of one object."""
    classes = [class_named(name) for name in sorted(set(rows.class_name.dropna()))]
    known = rows[rows.class_name.notna()] if classes else rows
    given = " | ".join(sorted(set(known.given)))
    if not classes:
        return None, given, " | ".join(sorted(set(rows.reason)))
    finest = max(classes, key=lambda known_class: len(known_class.ancestors))
    if all(finest.is_within(known_class) for known_class in classes):
        return finest.name, given, None
    return None, given, f"rows disagree: {given}"


def _read(source: TruthFile, bands: Sequence[str]) -> pd.DataFrame:
    try:
        start = first_bytes(source.file, 8192)
        read = _read_parquet if start.startswith(b"PAR1") else _read_head if start.startswith(b"SIMPLE") else _read_text
        rows = (_read_dump if DUMP.search(start) else read)(source, bands)
    except MalformedAlert as error:
        raise SettingsError(str(source.file), "", error.problem) from None
    except BROKEN as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise SettingsError(str(source.file), "", f"cannot be read: {problem}") from None
    except NO_TABLE as error:
        raise SettingsError(str(source.file), "", f"is no CSV or Parquet file: {error}") from None
    rows = rows.reset_index(drop=True)
    without = np.flatnonzero(rows.object_id == "")
    if len(without):
        raise SettingsError(str(source.file), "", f"row {without[0] + 1} has no object id")
    if not len(rows):
        raise SettingsError(str(source.file), "", "has no rows")
    return rows


def _read_text(source: TruthFile, bands: Sequence[str]) -> pd.DataFrame:
    with open_unpacked(source.file) as stream, warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
        text = pd.read_csv(stream, dtype=str, keep_default_na=False, skipinitialspace=True, index_col=False)
    return _rows(source, list(text.columns), lambda name: text[name].str.strip(), bands)


def _read_dump(source: TruthFile, bands: Sequence[str]) -> pd.DataFrame:
    """Read SNANA's DUMP: after ``VARNAMES:`` the names, after ``SN:`` the values of an object, with blanks between."""
    names: list[str] = []
    rows: list[list[str]] = []
    with open_unpacked(source.file) as stream:
        for line in stream:
            first, *fields = line.decode("latin-1").split() or [""]
            if first == "VARNAMES:":
                names = fields
            elif first == "SN:":
                if len(fields) != len(names):
                    problem = f"row {len(rows) + 1} has {len(fields)} values for {len(names)} names"
                    raise SettingsError(str(source.file), "", problem)
                rows.append(fields)
    text = pd.DataFrame(rows, columns=names, dtype=str)
    return _rows(source, names, lambda name: text[name], bands)


def _read_head(source: TruthFile, bands: Sequence[str]) -> pd.DataFrame:
    """Read the HEAD file of a pair of SNANA's, or another table of FITS."""
    with open_rows(source.file) as head:

        def column(name: str) -> "pd.Series[str]":
            values = head.column(name)
            if name.casefold() in ID_COLUMNS or values.dtype.kind == "S":
                return pd.Series(head.text(name), dtype=str)
            return pd.Series(values).astype(str)

        return _rows(source, list(head.names), column, bands)


def _read_parquet(source: TruthFile, bands: Sequence[str]) -> pd.DataFrame:
    with pq.ParquetFile(seekable(source.file)) as file:
        paths = [file.schema.column(number).path for number in range(len(file.schema))]
        whole = {path for path in paths if "." not in path or path.casefold() in ID_COLUMNS}

        def column(name: str) -> pd.Series:
            found = file.read(columns=[name]).column(0)
            for inner in name.split(".")[1:]:
                found = pc.struct_field(found, inner)
            if pa.types.is_floating(found.type) and name.casefold() in ID_COLUMNS:
                problem = f"is of type {found.type}, which cannot hold every object id: keep ids as integers or text"
                raise SettingsError(str(source.file), name, problem)
            return pd.Series(pc.fill_null(pc.cast(found, pa.string()), "").to_pylist(), dtype=str).str.strip()

        return _rows(source, [path for path in paths if path in whole], column, bands)


def _rows(
    source: TruthFile, names: list[str], column: Callable[[str], "pd.Series[str]"], bands: Sequence[str]
) -> pd.DataFrame:
    """Take the columns that are needed, each by whichever name it has."""
    by_name = {name.strip().casefold(): name for name in reversed(names)}
    object_id = _first(by_name, ID_COLUMNS)
    if object_id is None:
        raise SettingsError(str(source.file), "", f"has no column objectId; its columns are: {_listed(names)}")
    rows = pd.DataFrame({"object_id": _exact(source, object_id, column(object_id))})
    rows = rows.join(_classes(source, by_name, names, column, len(rows)))

    def numbers(name: str) -> "pd.Series[float]":
        # What stands for no class stands for no number, too; anything else that is none would be lost silently.
        text = column(name)
        values = pd.to_numeric(text, errors="coerce").astype(float)
        wrong = np.flatnonzero(values.isna() & ~text.str.casefold().isin(UNKNOWN))
        if len(wrong):
            raise SettingsError(str(source.file), name, f"row {wrong[0] + 1} is no number: {text.iloc[wrong[0]]!r}")
        return values

    blank = pd.Series(np.full(len(rows), np.nan))
    mjd, redshift = _first(by_name, MJD_COLUMNS), _first(by_name, REDSHIFT_COLUMNS)
    rows["peak_mjd"] = numbers(mjd) + MJD_COLUMNS[mjd.strip().casefold()] if mjd else blank
    rows["redshift"] = numbers(redshift) if redshift else blank
    one = _first(by_name, MAGNITUDE_COLUMNS)
    by_band = [_first(by_name, [f"{name}_{band}" for name in MAGNITUDE_COLUMNS]) for band in bands]
    peaks = [_within("peak_magnitude", numbers(name)) for name in ([one] if one else by_band) if name]
    rows["peak_magnitude"] = pd.concat(peaks, axis=1).min(axis=1) if peaks else blank
    for name in NUMBERS:
        rows[name] = _within(name, rows[name])
    return rows


def _exact(source: TruthFile, name: str, texts: "pd.Series[str]") -> "pd.Series[str]":
    """Give the names of objects; refuse those that have lost digits."""
    given = texts.unique().tolist()
    try:
        return texts.map(dict(zip(given, exact_names(given, name), strict=True)))
    except MalformedAlert as error:
        raise SettingsError(str(source.file), name, error.problem) from None


def _first(by_name: dict[str, str], wanted: Iterable[str]) -> str | None:
    return next((by_name[name] for name in wanted if name in by_name), None)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:30]) + (", ..." if len(names) > 30 else "")


def _within(name: str, values: "pd.Series[float]") -> "pd.Series[float]":
    """Take what is out of `NUMBERS` as unknown."""
    return values.where((values >= NUMBERS[name][0]) & (values <= NUMBERS[name][1]))


def _classes(
    source: TruthFile,
    by_name: dict[str, str],
    names: list[str],
    column: Callable[[str], "pd.Series[str]"],
    number: int,
) -> pd.DataFrame:
    """Find the class of every row, or why it has none."""
    if source.class_name is not None:
        given = pd.Series([source.class_name] * number, dtype=str)
        return pd.DataFrame({"class_name": given, "given": given, "reason": None})
    name = _first(by_name, CLASS_COLUMNS)
    if name is None:
        problem = f"has no column with classes ({', '.join(CLASS_COLUMNS)}); its columns are: {_listed(names)}. If all "
        problem += f"its objects are of one class, write {source.file}=CLASS"
        raise SettingsError(str(source.file), "", problem)
    given = column(name)
    kind = _kind(source, name, sorted(set(given)))
    found = {text: _class_or_reason(text, kind) for text in set(given)}
    return pd.DataFrame(
        {
            "class_name": given.map({text: found[text][0] for text in found}),
            "given": given if kind == "text" else f"{name} " + given,
            "reason": given.map({text: found[text][1] for text in found}),
        }
    )


def _kind(source: TruthFile, name: str, given: Sequence[str]) -> Kind:
    """Tell numbers in a column called class or type apart: from 100 on they are class ids, below they may be either."""
    kind = CLASS_COLUMNS[name.strip().casefold()]
    numbers = [whole_number(text) for text in given if text.casefold() not in UNKNOWN]
    found = [number for number in numbers if number is not None]
    if kind != "text" or not found or len(found) < len(numbers):
        return kind
    if min(found) >= 100:
        return "class id"
    problem = f"has numbers such as {min(found)}, which may be types of the simulation or class ids: call the column "
    raise SettingsError(str(source.file), name, problem + "GENTYPE or classId")


@cache
def _class_or_reason(given: str, kind: Kind) -> tuple[str | None, str | None]:
    try:
        return class_of(given, kind).name, None
    except ValueError as error:
        return None, str(error)
