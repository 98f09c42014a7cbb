"""Light curves of two objects of the simulation, in every form that SNANA and ELAsTiCC2 have them in."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits

IDS = ("170587115523932323", "4003218")
"""One of them is above 2**53."""

POINTS = {
    IDS[0]: [
        (61000.1, "g", 40.0, 2.0, 4096),
        (61000.2, "r", 1.0, 2.0, 0),
        (61004.1, "g", 90.0, 3.0, 4096 | 2048),
        (61004.2, "r", 400.0, 3.0, 4096),
    ],
    IDS[1]: [(61010.1, "i", -30.0, 2.0, 4096), (61010.2, "Y", 9000.0, 2.0, 1024), (61012.1, "i", 55.0, 5.0, 4096)],
}
"""MJD, band, FLUXCAL, its error and PHOTFLAG; the second point of the second object is saturated."""

FACTS = {IDS[0]: (359.99, -30.5, 0.02), IDS[1]: (0.5, -9.0, 0.3)}
"""RA, Dec [deg], E(B-V)."""

TRUTH = {IDS[0]: (10, 61003.5, 0.31, 21.25), IDS[1]: (60, 61011.0, 1.2, 19.5)}
"""GENTYPE, PEAKMJD, redshift, peak magnitude in r."""


def write_pair(
    folder: Path,
    stem: str = "ELASTICC2_TRAIN_02_SNIa-SALT3-0001",
    *,
    packed: bool = False,
    points: Mapping[str, Any] = POINTS,
    head_changes: Mapping[str, Any] | None = None,
    phot_changes: Mapping[str, Any] | None = None,
    keys: Mapping[str, Any] | None = None,
    without: tuple[str, ...] = (),
) -> Path:
    """Write a HEAD and a PHOT file; gives the HEAD file."""
    ending = ".FITS.gz" if packed else ".FITS"
    rows = [row for name in points for row in (*points[name], (-777.0, "-", 0.0, 0.0, 0))]
    lengths = np.array([len(points[name]) for name in points])
    first = np.cumsum(lengths + 1) - lengths
    head: dict[str, Any] = {
        "SNID": np.array([name.ljust(18) for name in points], dtype="S20"),
        "RA": np.array([FACTS.get(name, (10.0, -5.0, 0.1))[0] for name in points]),
        "DEC": np.array([FACTS.get(name, (10.0, -5.0, 0.1))[1] for name in points]),
        "NOBS": lengths.astype(np.int32),
        "PTROBS_MIN": first.astype(np.int32),
        "PTROBS_MAX": (first + lengths - 1).astype(np.int32),
        "MWEBV": np.array([FACTS.get(name, (10.0, -5.0, 0.1))[2] for name in points], dtype=np.float32),
        "SIM_GENTYPE": np.array([TRUTH.get(name, (10, 61000.0, 0.1, 20.0))[0] for name in points], dtype=np.int16),
        "SIM_PEAKMJD": np.array([TRUTH.get(name, (10, 61000.0, 0.1, 20.0))[1] for name in points]),
        "SIM_REDSHIFT_HELIO": np.array([TRUTH.get(name, (10, 61000.0, 0.1, 20.0))[2] for name in points]),
        "SIM_PEAKMAG_r": np.array([TRUTH.get(name, (10, 61000.0, 0.1, 20.0))[3] for name in points]),
    }
    phot: dict[str, Any] = {
        "MJD": np.array([row[0] for row in rows]),
        "BAND": np.array([row[1] for row in rows], dtype="S2"),
        "CCDNUM": np.zeros(len(rows), dtype=np.int16),
        "PHOTFLAG": np.array([row[4] for row in rows], dtype=np.int32),
        "FLUXCAL": np.array([row[2] for row in rows], dtype=np.float32),
        "FLUXCALERR": np.array([row[3] for row in rows], dtype=np.float32),
    }
    head |= head_changes or {}
    phot |= phot_changes or {}
    primary = fits.PrimaryHDU()
    primary.header["SURVEY"] = "LSST"
    primary.header["PHOTFILE"] = f"{stem}_PHOT.FITS"
    primary.header.update(keys or {})
    for what, columns in (("HEAD", head), ("PHOT", phot)):
        table = fits.BinTableHDU(np.rec.fromarrays([*drop(columns, without).values()], names=[*drop(columns, without)]))
        place = folder / f"{stem}_{what}{ending}"
        fits.HDUList([primary, table]).writeto(folder / "made.fits", overwrite=True)
        content = (folder / "made.fits").read_bytes()
        place.write_bytes(gzip.compress(content, 1) if packed else content)
        (folder / "made.fits").unlink()
    return folder / f"{stem}_HEAD{ending}"


def drop(columns: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: values for name, values in columns.items() if name not in names}


def write_object_rows(path: Path, *, large: bool = True, **changes: Any) -> Path:
    """Write ELAsTiCC2's Parquet: an object a row, its points as lists."""
    columns: dict[str, Any] = {"SNID": pa.array([int(name) for name in IDS])}
    for position, name in enumerate(("MJD", "BAND", "FLUXCAL", "FLUXCALERR", "PHOTFLAG")):
        kind = pa.string() if name == "BAND" else pa.int32() if name == "PHOTFLAG" else pa.float64()
        kind = pa.float32() if name.startswith("FLUX") else kind
        lists = [[row[position] for row in POINTS[one]] for one in IDS]
        columns[name] = pa.array(lists, pa.large_list(kind) if large else pa.list_(kind))
    columns |= {"RA": [FACTS[name][0] for name in IDS], "DEC": [FACTS[name][1] for name in IDS]}
    columns["MWEBV"] = pa.array([FACTS[name][2] for name in IDS], pa.float32())
    columns |= {"SIM_GENTYPE": [TRUTH[name][0] for name in IDS], "SIM_PEAKMJD": [TRUTH[name][1] for name in IDS]}
    columns |= {
        "SIM_REDSHIFT_HELIO": [TRUTH[name][2] for name in IDS],
        "SIM_PEAKMAG_r": [TRUTH[name][3] for name in IDS],
    }
    pq.write_table(pa.table(columns | changes), path)
    return path


def snana_text(name: str) -> str:
    """Write the text of one object."""
    ra, decl, ebv = FACTS[name]
    lines = ["SURVEY: LSST", f"SNID: {name}", "FILTERS: ugrizY", f"RA: {ra} deg", f"DECL: {decl} deg"]
    lines += [f"MWEBV: {ebv} +- 0.001   # Milky Way", "REDSHIFT_FINAL: 0.3 +- 0.01 (CMB)", "# a comment"]
    lines += [f"NOBS: {len(POINTS[name])}", "NVAR: 6", "VARLIST: MJD FLT FIELD FLUXCAL FLUXCALERR PHOTFLAG"]
    lines += [f"OBS: {row[0]} LSST-{row[1]} NULL {row[2]} {row[3]} {row[4]}" for row in POINTS[name]]
    return "\n".join([*lines, "END:", ""])


def dump_text() -> str:
    """Write the truth of both objects as SNANA's DUMP file."""
    lines = ["# made by a test", "", "VARNAMES: CID GENTYPE ZCMB ZHELIO PEAKMJD PEAKMAG_g PEAKMAG_r"]
    for name in IDS:
        gentype, peak, redshift, magnitude = TRUTH[name]
        lines.append(f"SN:  {name}  {gentype}  {redshift + 0.001}  {redshift}  {peak}  {magnitude + 0.3}  {magnitude}")
    return "\n".join([*lines, ""])
