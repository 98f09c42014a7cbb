"""
Files of spectra in the shape of 4MOST's deliveries ("MEC"), with all the ways in which they differ.

No real one is public: the shape is that which tides_pipe reads.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy.io import fits

WAY: Final = {
    "no-obmetatab": "without OBMETATAB",
    "text-uids": "SPECUID is a text, and stands in SPECTAB, too",
    "spelling": "SKY_BRIGHT, OBJECT, ERR_FLUX and CRVAL1 instead of SKYBRITE, OBJ_NME, FLUX_IVAR and 1CRVL1",
    "radians": "places in radians, as TUNIT says, exposure times in minutes",
    "order": "tables in another order",
    "numbers": "OBJ_NME is a number, as in old deliveries",
    "redshifts": "with the columns QZC_*, which are written in place after the delivery",
}
"""How a file may differ."""

ZEROES: Final = {"QZC_Z": 0.1, "QZC_ZERR": 0.001, "QZC_ZPRB": 0.9}

FIRST_ANGSTROM, LAST_ANGSTROM = 3700.0, 9500.0


@dataclass(frozen=True)
class Fibre:
    """
    One spectrum.

    Attributes
    ----------
    u_obj_id, name, ra, dec
        Of whom; places in degrees.
    snr
        Of its pixels, in the median.
    spec_uid
        -1 where no spectrum was made.
    seeing, sky
        [arcsec, mag/arcsec2]
    """

    u_obj_id: int
    name: str
    ra: float
    dec: float
    snr: float
    spec_uid: int
    seeing: float = 0.8
    sky: float = 20.9


@dataclass(frozen=True)
class MecFile:
    """
    A file of an observation.

    Attributes
    ----------
    mjd
        [d, UTC] When it begins.
    exposure
        [s]
    ob_id
        The observing block.
    software
        PROCSOFT.
    fibres
        A row each.
    ways
        Names of `WAY`.
    pixels
        Of each spectrum; 23,200 in a real one.
    """

    mjd: float
    exposure: float
    ob_id: int
    fibres: tuple[Fibre, ...]
    software: str = "QMOST L1 1.2.0"
    ways: frozenset[str] = field(default=frozenset())
    pixels: int = 200

    def otherwise(self, *ways: str, **changes: Any) -> "MecFile":
        """Give the same observation in other ways too, or with other contents."""
        return replace(self, ways=self.ways | set(ways), **changes)


def write_mec(file: MecFile, path: Path) -> None:
    """
    Write a file in one step.

    Parameters
    ----------
    file
        What is in it.
    path
        Where; its folder is made.
    """
    tables = [_blocks(file), _spectra(file), _fibres(file)]
    tables = [table for table in tables if table.name != "OBMETATAB" or "no-obmetatab" not in file.ways]
    header = fits.Header([("PROCSOFT", file.software), ("DATE", "2026-11-30T15:00:00"), ("ORIGIN", "stand-in")])
    hdus = [fits.PrimaryHDU(header=header), *(tables[::-1] if "order" in file.ways else tables)]
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.part")
    fits.HDUList(hdus).writeto(half, overwrite=True)
    half.replace(path)


def _column(name: str, kind: str, values: Any, unit: str | None = None) -> fits.Column:
    return fits.Column(name, kind, unit=unit, array=np.array(values))


def _blocks(file: MecFile) -> fits.BinTableHDU:
    in_minutes = "radians" in file.ways
    columns = [
        _column("OBID", "K", [file.ob_id]),
        _column("MJD-OBS", "D", [file.mjd], "d"),
        _column("MJD-END", "D", [file.mjd + file.exposure / 86400], "d"),
        _column("EXPTIME", "D", [file.exposure / (60 if in_minutes else 1)], "min" if in_minutes else "s"),
        _column("NCOMBINE", "J", [1]),
        _column("OBSTYPE", "8A", ["SCIENCE"]),
    ]
    return fits.BinTableHDU.from_columns(columns, name="OBMETATAB")


def _spectra(file: MecFile) -> fits.BinTableHDU:
    made = _with_spectrum(file)
    rng = np.random.default_rng([file.ob_id, len(file.fibres)])
    wave = np.linspace(FIRST_ANGSTROM, LAST_ANGSTROM, file.pixels)
    shape = 1 + 0.3 * np.sin(wave / 300)
    snr = np.array([fibre.snr for fibre in made]).reshape(-1, 1)
    sigma = shape / np.maximum(snr, 1e-3)
    flux = shape + sigma * rng.normal(size=(len(made), file.pixels))
    size, is_other = f"{file.pixels}E", "spelling" in file.ways
    columns = [
        _column("FLUX", size, flux),
        _column("ERR_FLUX", size, sigma * np.ones_like(flux)) if is_other else _column("FLUX_IVAR", size, sigma**-2.0),
        _column("QUAL", f"{file.pixels}J", np.zeros_like(flux, dtype=np.int32)),
    ]
    if "text-uids" in file.ways:
        columns.append(_column("SPECUID", "24A", [_uid(file, fibre) for fibre in made]))
    table = fits.BinTableHDU.from_columns(columns, name="SPECTAB")
    step = (LAST_ANGSTROM - FIRST_ANGSTROM) / max(file.pixels - 1, 1)
    keys = ("CRVAL1", "CDELT1", "CRPIX1") if is_other else ("1CRVL1", "1CDLT1", "1CRPX1")
    table.header.update(dict(zip(keys, (FIRST_ANGSTROM, step, 1.0), strict=True)))
    return table


def _fibres(file: MecFile) -> fits.BinTableHDU:
    is_radian, is_other = "radians" in file.ways, "spelling" in file.ways
    unit, scale = ("rad", np.pi / 180) if is_radian else ("deg", 1.0)
    fibres = file.fibres if "text-uids" not in file.ways else _with_spectrum(file)
    uids = [_uid(file, fibre) for fibre in fibres]
    names = [str(fibre.spec_uid % 1000) if "numbers" in file.ways else fibre.name for fibre in fibres]
    columns = [
        _column("OBJ_UID", "K", [fibre.u_obj_id for fibre in fibres]),
        _column("OBJECT" if is_other else "OBJ_NME", "40A", names),
        _column("OBJ_RA", "D", [fibre.ra * scale for fibre in fibres], unit),
        _column("OBJ_DEC", "D", [fibre.dec * scale for fibre in fibres], unit),
        _column("SPECUID", "24A", uids)
        if "text-uids" in file.ways
        else _column("SPECUID", "K", [fibre.spec_uid for fibre in fibres]),
        _column("SNR", "E", [fibre.snr for fibre in fibres]),
        _column("SEEING", "E", [fibre.seeing for fibre in fibres], "arcsec"),
        _column("SKY_BRIGHT" if is_other else "SKYBRITE", "E", [fibre.sky for fibre in fibres]),
    ]
    if "redshifts" in file.ways:
        columns += [_column(name, "D", [value] * len(fibres)) for name, value in ZEROES.items()]
    return fits.BinTableHDU.from_columns(columns, name="FIBMETATAB")


def _with_spectrum(file: MecFile) -> tuple[Fibre, ...]:
    """Of the texts, those that have a spectrum; else all have a row."""
    if "text-uids" not in file.ways:
        return file.fibres
    return tuple(fibre for fibre in file.fibres if fibre.spec_uid != -1)


def _uid(file: MecFile, fibre: Fibre) -> str:
    return f"{file.ob_id}-{fibre.spec_uid}"
