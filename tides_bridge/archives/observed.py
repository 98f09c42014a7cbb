"""
How good selection functions really were: what they decided in their time, beside what spectra showed.

It is a backtest whose judgements are those of the record, and whose truth are the classes that came back
(`tides_bridge.targets.spectra.classes`). Only what became a target can have a class.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tides_bridge.archives.backtest import LETTERS, Backtest, check_wanted, join_truth
from tides_bridge.archives.truth import COLUMNS
from tides_bridge.errors import RejectedError
from tides_bridge.formats.meaning.taxonomy import class_of
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.selection import SelectionFunction

ABOUT = ("ra", "decl", "first_detection_mjd", "n_detections")
"""What is known of a target, whoever judged it."""


def backtest_by_spectra(
    rows: Sequence[dict[str, Any]],
    functions: Sequence[SelectionFunction],
    wanted: Sequence[str] = (),
    bands: Sequence[str] = BANDS,
) -> Backtest:
    """
    Put what functions decided of targets beside the classes of these.

    Parameters
    ----------
    rows
        Of ``decisions/list_outcomes.sql``: one a target and function.
    functions
        One, or two.
    wanted
        Names of the wanted classes; none: all supernovae.
    bands
        Whose brightest magnitude was taken.

    Returns
    -------
    Backtest
        An object is a target that any of the functions judged; selected where it had a trigger.

    Raises
    ------
    RejectedError
        If they judged no target.
    SettingsError
        If there is no such class.
    """
    names, kinds = [function.name for function in functions], check_wanted(wanted)
    if not rows:
        raise RejectedError(", ".join(names), "no target was judged by it")
    found = join_truth(_judged(rows, names), _truth(rows), functions, kinds, bands)
    return replace(found, is_of_spectra=True)


def _judged(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> pd.DataFrame:
    """Give one row a target, with the columns of each function."""
    frame = pd.DataFrame(rows).astype({"trigger_mjd": float})
    targets = frame.drop_duplicates("name").set_index("name")[[*ABOUT]]
    for letter, name in zip(LETTERS, names, strict=False):
        own = frame[frame.function == name].set_index("name")
        targets[f"trigger_mjd_{letter}"] = own.trigger_mjd.reindex(targets.index)
        targets[f"passed_{letter}"] = own.passed.reindex(targets.index, fill_value=False).astype(bool)
        targets[f"selected_{letter}"] = np.isfinite(targets[f"trigger_mjd_{letter}"])
    return targets.rename_axis("object_id").reset_index().sort_values("object_id", ignore_index=True)


def _truth(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Give what spectra showed, a row a target that has a class, as `read_truth` does."""
    known = {row["name"]: _known(row) for row in rows if row["type"] is not None}
    frame = pd.DataFrame.from_dict(known, orient="index", columns=[*COLUMNS])
    numbers = dict.fromkeys(COLUMNS[3:], float)
    return frame.astype(object).where(frame.notna(), None).astype(numbers).rename_axis("object_id")


def _known(row: dict[str, Any]) -> tuple[Any, ...]:
    given, numbers = row["type"], (row["peak_mjd"], row["peak_magnitude"], row["redshift"])
    try:
        return (class_of(given, "text").name, given, None, *numbers)
    except ValueError as problem:
        return (None, given, str(problem), *numbers)
