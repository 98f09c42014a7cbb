"""
A delivery of 4MOST's spectra: what it says of each spectrum. The spectra themselves stay in the file.

As tides_pipe reads it: ``FIBMETATAB`` has a row a spectrum, ``OBMETATAB`` what was observed when and for how long, and
the primary header the version of the software. HDUs are found by name, columns by every spelling that public code
shows. ``OBMETATAB`` may be missing, and with it all but the night. Public single spectra (WAVE, FLUX, ERR_FLUX) are
read, too: their place is in radians.
"""

import hashlib
import json
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.spectra.significance import Wavelengths, significance_of
from tides_bridge.formats.spectra.values import Cells, finite_in, first_of, identifier_in, plain, spelled, text_in
from tides_bridge.lightcurves.photometry import MJD_ZERO, mjd_from_time, time_from_mjd

if TYPE_CHECKING:
    from astropy.io.fits import HDUList

TROUBLE: Final = (OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, MemoryError)
"""What astropy raises for bytes that are no FITS."""

FIBRES, BLOCKS, SPECTRA = "FIBMETATAB", "OBMETATAB", "SPECTAB"

NAMED_BY: Final = ("OBJ_UID", "PK_4MOST", "OSTD_TARG_ID", "OBJ_NME", "OBJECT")
"""Columns of which a row must have one, or nobody knows whose spectrum it is."""

NIGHT: Final = re.compile(r"(?<!\d)(20\d{6})(?!\d)")

IN_SECONDS: Final = {"S": 1.0, "SEC": 1.0, "SECOND": 1.0, "SECONDS": 1.0, "MIN": 60.0, "MINUTES": 60.0, "H": 3600.0}
"""[s] Units of exposure times."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Delivery:
    """
    What was read of a file.

    Attributes
    ----------
    path
        The file.
    night
        It begins at noon UTC of this day.
    software
        ``PROCSOFT``: a newer one replaces what an older one said of the same visit.
    made
        ``DATE`` of the file.
    rows
        A row a spectrum, with the columns of ``targets/load_spectrum_stage.sql``.
    """

    path: Path
    night: date
    software: str | None
    made: str | None
    rows: list[Row]

    @property
    def digest(self) -> str:
        """Of all that was read, but for the name of the file: another one with the same content brings nothing."""
        content = (self.night.isoformat(), self.software, self.rows)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_delivery(path: Path, wavelengths: Wavelengths | None = None) -> Delivery:
    """
    Read what a delivery says of its spectra.

    Parameters
    ----------
    path
        A FITS file.
    wavelengths
        [Angstrom] Range in which the S/N is worked out from the spectra; None: that of the file counts.

    Raises
    ------
    MalformedAlert
        If it is none, is half-written, or does not say whose spectra these are or of which night.
    """
    from astropy.io import fits  # half a second

    try:
        # Opened here: astropy leaves a file open that it cannot read.
        with path.open("rb") as stream, warnings.catch_warnings():
            if stream.read(6) != b"SIMPLE":
                raise MalformedAlert(str(path), "is no FITS file, or is packed")
            stream.seek(0)
            warnings.simplefilter("ignore")  # what is cut off is found below
            with fits.open(stream, memmap=True, lazy_load_hdus=False, uint=True) as file:
                _refuse_half(path, file)
                return _read(path, file, wavelengths)
    except (*TROUBLE, fits.VerifyError) as problem:
        reason = " ".join(str(problem).split()) or type(problem).__name__
        raise MalformedAlert(str(path), f"cannot be read: {reason}") from None


def _refuse_half(path: Path, file: "HDUList") -> None:
    """Refuse a file of which a part is missing, or after whose last table something else stands."""
    size = path.stat().st_size
    last = file[-1].fileinfo()
    end = last["datLoc"] + last["datSpan"]
    if end > size:
        raise MalformedAlert(str(path), f"ends after {size} of {end} bytes: it is half-written, or was cut off")
    with path.open("rb") as rest:
        rest.seek(end)
        if rest.read().strip(b"\0 "):
            raise MalformedAlert(
                str(path), f"has something after its last table, at byte {end}: it is half-written, or broken"
            )


def _read(path: Path, file: "HDUList", wavelengths: Wavelengths | None) -> Delivery:
    tables = {spelled(hdu.name): hdu for hdu in file if hdu.name}
    header = {spelled(key): plain(value) for key, value in file[0].header.items() if key}
    fibres = _rows_of(tables.get(FIBRES))
    if fibres is None:
        fibres = [_single(path, file)]
    elif fibres and not any(name in fibres[0] for name in NAMED_BY):
        raise MalformedAlert(str(path), f"{FIBRES} has none of the columns {', '.join(NAMED_BY)}")
    blocks = _rows_of(tables.get(BLOCKS)) or []
    measured: list[float | None] = [None] * len(fibres)
    if wavelengths and fibres:
        table = tables.get(SPECTRA) or next((hdu for hdu in file[1:] if _has_flux(hdu)), None)
        measured = significance_of(str(path), table, fibres, wavelengths)
    rows = [
        _spectrum(number, fibre, _block_of(number, fibre, fibres, blocks), header, snr)
        for number, (fibre, snr) in enumerate(zip(fibres, measured, strict=True))
    ]
    night = _night(path, header, rows)
    return Delivery(path, night, text_in(header, "PROCSOFT"), text_in(header, "DATE"), rows)


def _has_flux(hdu: Any) -> bool:
    return hasattr(hdu, "columns") and any(spelled(name) == "FLUX" for name in hdu.columns.names)


def _rows_of(hdu: Any) -> list[Row] | None:
    """Give the rows of a table by spelled names, in seconds and degrees; None if there is no such table."""
    if hdu is None:
        return None
    units = {spelled(column.name): str(column.unit or "").strip().upper() for column in hdu.columns}
    cells = {spelled(name): [plain(value) for value in hdu.data.field(name)] for name in hdu.columns.names}
    rows = [dict(zip(cells, values, strict=True)) for values in zip(*cells.values(), strict=True)]
    return [{name: _in_usual_unit(name, value, units[name]) for name, value in row.items()} for row in rows]


def _in_usual_unit(name: str, value: Any, unit: str) -> Any:
    if not isinstance(value, int | float) or not unit:
        return value
    if name in ("EXPTIME", "TEXPTIME"):
        return value * IN_SECONDS.get(unit, 1.0)
    return math.degrees(value) if unit.startswith("RAD") else value


def _single(path: Path, file: "HDUList") -> Row:
    """Give the row of a single spectrum: what its headers say. Raises MalformedAlert if the file is something else."""
    table = next((hdu for hdu in file[1:] if _has_flux(hdu)), None)
    if table is None or "WAVE" not in {spelled(name) for name in table.columns.names}:
        raise MalformedAlert(str(path), f"has no table {FIBRES}: it is no delivery of spectra")
    cells = {spelled(key): plain(value) for hdu in (table, file[0]) for key, value in hdu.header.items() if key}
    if not any(name in cells for name in NAMED_BY):
        raise MalformedAlert(str(path), f"its header has none of {', '.join(NAMED_BY)}")
    ra, decl = finite_in(cells, "OBJ_RA", "RA"), finite_in(cells, "OBJ_DEC", "DEC")
    if ra is not None and decl is not None and abs(ra) <= 2 * math.pi and abs(decl) <= math.pi / 2:
        ra, decl = math.degrees(ra), math.degrees(decl)
    return cells | {"OBJ_RA": ra, "OBJ_DEC": decl, "SPECUID": first_of(cells, ("SPECUID",)) or path.stem}


def _block_of(number: int, fibre: Cells, fibres: Sequence[Cells], blocks: Sequence[Cells]) -> Cells:
    """Find what was observed when a spectrum was taken: the only block, that of its OB, of its row, or of its name."""
    if len(blocks) == 1:
        return blocks[0]
    if ob_id := text_in(fibre, "OBID", "OB_ID"):
        return next((block for block in blocks if text_in(block, "OBID", "OB_ID") == ob_id), {})
    if len(blocks) == len(fibres):
        return blocks[number]
    name = text_in(fibre, "OBJ_NME", "OBJECT")
    named = [block for block in blocks if name is not None and text_in(block, "OBJECT", "OBJ_NME") == name]
    return named[0] if len(named) == 1 else {}


def _spectrum(number: int, fibre: Cells, block: Cells, header: Cells, measured: float | None) -> Row:
    mjd = next(filter(None, map(_epoch, (fibre, block, header))), None)
    ra, decl = finite_in(fibre, "OBJ_RA", "RA"), finite_in(fibre, "OBJ_DEC", "DEC")
    is_place = ra is not None and decl is not None and -360 <= ra <= 720 and abs(decl) <= 90
    of_file = finite_in(fibre, "SNR", "S_N")
    combined = finite_in(fibre, "NCOMBINE") or finite_in(block, "NCOMBINE")
    return {
        "row_number": number,
        "u_obj_id": identifier_in(fibre, "OBJ_UID"),
        "targ_id": identifier_in(fibre, "OSTD_TARG_ID", "TARG_ID"),
        "pk_4most": identifier_in(fibre, "PK_4MOST"),
        "object_name": text_in(fibre, "OBJ_NME", "OBJECT"),
        "ra": ra % 360 if is_place and ra is not None else None,
        "decl": decl if is_place else None,
        "spec_uid": text_in(fibre, "SPECUID"),
        "ob_id": text_in(fibre, "OBID", "OB_ID") or text_in(block, "OBID", "OB_ID") or text_in(header, "OBID"),
        "mjd": mjd,
        "exposure_s": next(filter(None, (finite_in(at, "TEXPTIME", "EXPTIME") for at in (fibre, block, header))), None),
        "snr": measured if measured is not None else of_file if of_file is not None else finite_in(block, "MEDSNR"),
        "seeing_arcsec": finite_in(fibre, "SEEING"),
        "sky_mag": finite_in(fibre, "SKYBRITE", "SKY_BRIGHT"),
        "combined": int(combined) if combined else None,
        "redshift": finite_in(fibre, "QZC_Z"),
        "redshift_error": finite_in(fibre, "QZC_ZERR"),
        "redshift_warning": text_in(fibre, "QZC_ZWRN"),
        "redshift_template": text_in(fibre, "QZC_ZTPL"),
        "redshift_probability": finite_in(fibre, "QZC_ZPRB"),
        "flag": text_in(fibre, "OBJ_FLAG"),
        "fibre_use": text_in(fibre, "FIB_USE"),
    }


def _epoch(cells: Cells) -> float | None:
    """Find the middle of an exposure [MJD, UTC], else its start; None if nothing tells."""
    begun, ended = (_mjd(first_of(cells, names)) for names in (("MJD_OBS", "OBSTART", "DATE_OBS"), ("MJD_END",)))
    middle = _mjd(first_of(cells, ("TMID",)))
    if middle is None and begun is not None and ended is not None and ended >= begun:
        return (begun + ended) / 2
    return middle if middle is not None else begun


def _mjd(value: Any) -> float | None:
    """Read an epoch: an MJD, a JD (which is larger than any MJD, whatever its column is called), or a time in words."""
    if isinstance(value, str):
        try:
            time = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        return mjd_from_time(time)
    if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        return None
    return value - MJD_ZERO if value > MJD_ZERO else float(value)


def _night(path: Path, header: Cells, rows: Sequence[Row]) -> date:
    """Find the night of a file: its folder, its name, or when it was exposed."""
    for text in (path.absolute().parent.name, path.name):
        if night := night_in(text):
            return night
    for mjd in (*(row["mjd"] for row in rows), _epoch(header)):
        if mjd is not None:
            return time_from_mjd(math.floor(mjd - 0.5)).date()
    raise MalformedAlert(str(path), "tells its night nowhere: put it into a folder named as 20261129")


def night_in(text: str) -> date | None:
    """
    Find a night in the name of a file or folder; None if there is none.

    >>> night_in("20261129_LJ01.fits"), night_in("20261399"), night_in("x")
    (datetime.date(2026, 11, 29), None, None)
    """
    return next(_dates(text), None)


def _dates(text: str) -> Iterator[date]:
    for digits in NIGHT.findall(text):
        try:
            yield datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC).date()
        except ValueError:
            continue
