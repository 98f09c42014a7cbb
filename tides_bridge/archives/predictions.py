"""Magnitudes that a table asks for, and the table with the answers: what `tides predict` does."""

import os
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from tides_bridge.archives.judging import LAST_MJD
from tides_bridge.archives.truth import ID_COLUMNS, NO_TABLE
from tides_bridge.errors import SettingsError
from tides_bridge.formats import Noted, Refused
from tides_bridge.formats.cells import safe_cell, text_of_cell
from tides_bridge.formats.contents import BROKEN, open_unpacked
from tides_bridge.formats.files import read_light_curves
from tides_bridge.formats.meaning.bands import band_codes
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import MJD_ZERO
from tides_bridge.targets.brightness import NONE, Requests, Supernovae, predict_requests

NEEDED: Final = ("objectid", "until_mjd", "at_mjd", "band")
"""Columns of the requests, whatever the case of their letters."""

ADDED: Final = ("mag", "mag_err", "method")
"""Columns of the answers; where the requests have them they are replaced."""

NO_OBJECT: Final = f"{NONE}: no such object in the light curves"


def predict_for_file(  # noqa: PLR0913
    paths: Sequence[Path],
    requests: Path,
    output: Path,
    *,
    models: Mapping[str, Supernovae] | None = None,
    system: str | None = None,
    zero_point: float | None = None,
    schema: Path | None = None,
    refused: Refused,
    noted: Noted | None = None,
    done: Callable[[int], None] = lambda objects: None,
) -> Counter[str]:
    """
    Answer the requests of a CSV file, and write it with the answers in three more columns.

    Parameters
    ----------
    paths
        Files with light curves, and folders of them.
    requests
        CSV with the columns ``objectId, until_mjd, at_mjd, band``; others are kept. Epochs are MJD [d, UTC].
    output
        CSV to write; its rows are those of the requests, in their order.
    models
        By system, in place of what is shipped.
    system
        LSST or ZTF; None: the light curve tells.
    zero_point, schema, refused, noted
        As those of `read_light_curves`.
    done
        Is told how many objects were gone through.

    Returns
    -------
    Counter
        How many requests were answered in which way.

    Raises
    ------
    SettingsError
        If the requests cannot be read, or the answers cannot be written.
    """
    _check_place(output)
    table = read_requests(requests)
    asked, problems = _understood(table)
    magnitude, error, method = np.full(len(table), np.nan), np.full(len(table), np.nan), list(problems)
    rows_of: dict[str, list[int]] = {}
    for row in np.flatnonzero([problem in ("", NO_OBJECT) for problem in problems]).tolist():
        rows_of.setdefault(asked["object_id"].iloc[row], []).append(row)
    options: dict[str, Any] = {"zero_point": zero_point, "schema": schema, "refused": refused, "noted": noted}
    for curves in read_light_curves(paths, **options):
        rows, wanted = _requests_of(curves, rows_of, asked)
        found = predict_requests(curves, wanted, system, models)
        magnitude[rows], error[rows] = found.magnitude, found.error
        for row, words in zip(rows, found.method, strict=True):
            method[row] = words
        done(len(curves))
    _write(table.assign(mag=_numbers(magnitude), mag_err=_numbers(error), method=method), output)
    return Counter(words.split(":")[0] for words in method)


def read_requests(file: Path) -> pd.DataFrame:
    """
    Read a CSV file of requests; every cell is text, as it stands there.

    Raises
    ------
    SettingsError
        If it is none, or lacks a column.
    """
    try:
        with open_unpacked(file) as stream, warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
            table = pd.read_csv(
                stream, dtype=str, keep_default_na=False, skipinitialspace=True, index_col=False, encoding="utf-8-sig"
            )
    except BROKEN as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise SettingsError(str(file), "", f"cannot be read: {problem}") from None
    except NO_TABLE as error:
        raise SettingsError(str(file), "", f"is no CSV file: {error}") from None
    names = [name.strip().casefold() for name in table.columns]
    if missing := [name for name in NEEDED if name not in names and not (name == NEEDED[0] and _id_of(names))]:
        listed = ", ".join(missing).replace(NEEDED[0], "objectId")
        raise SettingsError(str(file), "", f"has no column {listed}; its columns are: {', '.join(table.columns)}")
    return table.fillna("")


def _id_of(names: Sequence[str]) -> str | None:
    return next((name for name in ID_COLUMNS if name in names), None)


def _understood(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """
    Read the cells of requests.

    Returns
    -------
    tuple
        object_id, until_mjd, at_mjd, band; and for each row what is wrong with it, `NO_OBJECT` until it is found.
    """
    by_name = {name.strip().casefold(): table[name].str.strip() for name in reversed(table.columns)}
    ids = by_name[_id_of(list(by_name)) or NEEDED[0]].map(text_of_cell)
    bands = by_name["band"]
    asked = pd.DataFrame({"object_id": ids, "band": band_codes(bands.to_numpy(dtype=object)).astype(np.int64)})
    problems = [NO_OBJECT] * len(table)
    for row in np.flatnonzero(asked.band < 0).tolist():
        problems[row] = f"{NONE}: there is no band {bands.iloc[row]!r}"
    for name in ("at_mjd", "until_mjd"):
        epochs = pd.to_numeric(by_name[name], errors="coerce").astype(float)
        for row in np.flatnonzero(~((epochs > 0) & (epochs < LAST_MJD))).tolist():
            hint = f"; as MJD that is {epochs.iloc[row] - MJD_ZERO:g}" if epochs.iloc[row] > MJD_ZERO else ""
            problems[row] = f"{NONE}: {name} {by_name[name].iloc[row]!r} is no MJD{hint}"
        asked[name] = epochs
    return asked, problems


def _requests_of(
    curves: LightCurves, rows_of: Mapping[str, list[int]], asked: pd.DataFrame
) -> tuple[list[int], Requests]:
    """Find what is asked of some objects: the rows, and the requests."""
    pairs = [(place, row) for place, name in enumerate(curves.object_ids) for row in rows_of.get(name, ())]
    rows = [row for _, row in pairs]
    chosen = asked.iloc[rows]
    index = np.array([place for place, _ in pairs], dtype=np.int64)
    until, at = (chosen[name].to_numpy(dtype=float) for name in ("until_mjd", "at_mjd"))
    return rows, Requests(index, until, at, chosen.band.to_numpy())


def _numbers(values: np.ndarray[Any, Any]) -> list[str]:
    return ["" if np.isnan(value) else f"{value:.4f}" for value in values]


def _check_place(output: Path) -> None:
    what = f"--output {output}"
    if output.suffix != ".csv":
        raise SettingsError(what, "", "must end in .csv")
    if output.is_dir() or not output.parent.is_dir():
        raise SettingsError(what, "", "is a folder" if output.is_dir() else f"there is no folder {output.parent}")
    if not os.access(output.parent, os.W_OK):
        raise SettingsError(what, "", f"nothing may be written into {output.parent}")


def _write(table: pd.DataFrame, output: Path) -> None:
    """Write a CSV whose texts no spreadsheet takes for formulas; it has its name only when it is whole."""
    cells = table.map(lambda cell: safe_cell(text_of_cell(cell)))
    place = output.resolve()
    hidden = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        cells.to_csv(hidden, index=False)
        hidden.replace(place)
    except OSError as error:
        raise SettingsError(f"--output {output}", "", f"cannot be written: {error.strerror}") from None
    finally:
        hidden.unlink(missing_ok=True)
