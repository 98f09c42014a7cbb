"""
The record of the selection: which functions were in force, every decision, and what became of an object.

All of it is in PostgreSQL: `selection_function` has the text of every version, `selection_in_force` when it was used,
`decision` every evaluation, a partition a month, and `last_decision` the latest of each object and function.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Final

import numpy as np
import orjson
import pandas as pd
from sqlalchemy import Connection

from tides_bridge.brokers.models import Alert
from tides_bridge.compiled import Integers
from tides_bridge.database import Database, copy_frame, listed_columns, run
from tides_bridge.decisions.models import Judged
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.resources import version_of_rooms
from tides_bridge.selection import SelectionFunction, Verdicts
from tides_bridge.selection.file import load_function
from tides_bridge.settings import Settings
from tides_bridge.targets.guard import Change, holds_back

LOAD = "decisions/load_decision_stage.sql"


DECIDING: Final = ("brokers", "decisions", "formats", "lightcurves", "selection", "targets")
"""
The rooms of the package on which a decision depends, whole: what of them only shows or loads is not told apart.

SQL is not among them: it stores decisions, and takes none.
"""


SAME_MAG: Final = 0.01
"""[mag] Limits that differ by less are the same: one may be written as a flux."""


@cache
def code_version() -> str:
    """
    Tell which code decides: the version of the package, and a digest of the sources in the `DECIDING` rooms.

    It is the same in a checkout and in an installed wheel of it; the web page or the exchange do not change it.
    """
    return version_of_rooms(DECIDING)


def load_functions(settings: Settings) -> list[SelectionFunction]:
    """
    Read the selection functions of the settings: the active one, then the shadows.

    Raises
    ------
    SettingsError
        If one is wrong or missing.
    """
    names = (settings.select_function, *settings.shadow_functions)
    return [load_function(settings.select_function_path, name) for name in names]


def contradictions(settings: Settings, function: SelectionFunction) -> list[str]:
    """
    Tell where a limit switches off what the function selects, so that new targets are off from the start.

    Parameters
    ----------
    settings
        With ``targets.faintLimit``.
    function
        The one that chooses targets.

    Returns
    -------
    list of str
        A sentence a criterion; those under ``not`` demand the opposite.
    """
    limits, found = settings.targets.faint_limit, []
    for leaf in function.leaves:
        if leaf.criterion.key != "magLimit" or "not." in leaf.path:
            continue
        bands = leaf.points.filters or BANDS
        brighter = {band: limits[band] for band in bands if band in limits and limits[band] < leaf.threshold - SAME_MAG}
        if brighter:
            of_bands = ", ".join(f"{band} {limit:g}" for band, limit in brighter.items())
            found.append(
                f"{function.name} selects to {leaf.threshold:g} mag ({leaf.path}), and targets.faintLimit switches off "
                f"what is fainter than {of_bands}: targets between both are off from the start"
            )
    return found


def put_in_force(database: Database, settings: Settings, functions: Sequence[SelectionFunction]) -> int:
    """
    Make the record ready for a run: note which functions are in force, make the months of the log, drop old ones.

    Parameters
    ----------
    database, settings
        Where, and how long the log is kept.
    functions
        The active one first.

    Returns
    -------
    int
        The number of months of the log that were dropped; more than one only if a person has released it.
    """
    now = datetime.now(UTC)
    given = [
        {"name": function.name, "version": function.version, "role": role_of(number)}
        | {"normalised_text": function.normalised_text}
        for number, function in enumerate(functions)
    ]
    kept = settings.decisions.keep_for
    with database.transaction("functions") as connection:
        run(connection, "decisions/register_functions.sql", {"functions": json.dumps(given), "now": now})
        before = None
        if kept:
            age = run(connection, "decisions/count_old_months.sql", {"now": now, "keep": kept})[0]
            change = Change(age["old"], age["months"], f"from {age['oldest'].replace('_', '-')} on")
            before = None if holds_back(connection, settings, "record", change) else age["before"]
        else:
            holds_back(connection, settings, "record", Change(0, 0, ""))  # nothing waits any more
        dropped = int(run(connection, "decisions/prepare_decisions.sql", {"now": now, "before": before})[0]["dropped"])
        if dropped:
            run(connection, "decisions/forget_decided_curves.sql", {"before": before})
        return dropped


def role_of(number: int) -> str:
    """Give the role of a function by its place: the first is active, the others are shadows."""
    return "shadow" if number else "active"


# Decisions


def decisions_of(
    verdicts: Sequence[Verdicts], object_ids: Sequence[str], digests: Sequence[str], now_mjd: float, left_out: Integers
) -> pd.DataFrame:
    """
    Make the rows of the log from verdicts, without what only the batch knows.

    Parameters
    ----------
    verdicts
        One of each function, the active one first.
    object_ids, digests
        (n,) of the light curves judged.
    now_mjd
        [d, UTC] When they were judged.
    left_out
        (n,) Points of each that were later, and did not count.

    Returns
    -------
    DataFrame
        A row for each object and function.
    """
    functions, number, n = [verdict.function for verdict in verdicts], len(verdicts), len(object_ids)
    return pd.DataFrame(
        {
            "object_id": np.tile(np.asarray(object_ids, dtype=object), number),
            "function": _each_repeated([function.name for function in functions], n),
            "version": _each_repeated([function.version for function in functions], n),
            "role": _each_repeated([role_of(place) for place in range(number)], n),
            "curve_digest": [text for verdict in verdicts for text in _digests_of(verdict, digests)],
            "n_detections": np.concatenate([verdict.n_detections for verdict in verdicts]),
            "passed": np.concatenate([verdict.passed for verdict in verdicts]),
            "trigger_mjd": np.concatenate([verdict.trigger_mjd for verdict in verdicts]),
            "measured": [text for verdict in verdicts for text in measured_text(verdict)],
            "failed": [text for verdict in verdicts for text in failed_text(verdict)],
            "code_version": _each_repeated([code_version()], n * number),
            "now_mjd": now_mjd,
            "left_out": np.tile(left_out, number),
        }
    )


def _digests_of(verdict: Verdicts, digests: Sequence[str]) -> Sequence[str]:
    """Add to digests of light curves what was judged of the annotations, if any was: another value is news."""
    values = [verdict.measured[path].tolist() for path in verdict.function.annotations]
    if not values:
        return digests
    pairs = zip(digests, zip(*values, strict=True), strict=True)
    return [hashlib.blake2b(repr(pair).encode(), digest_size=16).hexdigest() for pair in pairs]


def _each_repeated(values: Sequence[str], number: int) -> "pd.Categorical[str]":
    """Repeat each of some values so many times; each is kept once."""
    kept = list(dict.fromkeys(values))
    codes = np.array([kept.index(value) for value in values], dtype=np.int64)
    return pd.Categorical.from_codes(np.repeat(codes, number), categories=pd.Index(kept))


def measured_text(verdict: Verdicts) -> list[str]:
    """Write what was measured as JSON, one text an object; what could not be measured is null."""
    rows = zip(*(values.tolist() for values in verdict.measured.values()), strict=True)
    # orjson writes null for NaN and infinities, which jsonb has not.
    return [orjson.dumps(dict(zip(verdict.measured, row, strict=True))).decode() for row in rows]


def failed_text(verdict: Verdicts) -> list[str]:
    """Write the criteria that are not fulfilled as an array of PostgreSQL, one text an object."""
    texts: dict[tuple[bool, ...], str] = {}  # few combinations occur, in many objects: each is written once
    rows = list(zip(*(mask.tolist() for mask in verdict.fulfilled.values()), strict=True))
    for row in set(rows):
        failed = (path for path, is_fulfilled in zip(verdict.fulfilled, row, strict=True) if not is_fulfilled)
        texts[row] = "{" + ",".join(path if PLAIN.fullmatch(path) else _quoted(path) for path in failed) + "}"
    return [texts[row] for row in rows]


PLAIN: Final = re.compile(r"[A-Za-z0-9_.]+")
"""A path that PostgreSQL reads in an array as it is: those of annotations may have what their brokers make up."""


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", r"\\").replace('"', r"\"") + '"'


def store_decisions(
    connection: Connection, judged: Iterable[Judged], alerts: Mapping[str, Alert], run_id: int | None
) -> None:
    """
    Add the decisions of a batch to the log, in its transaction; an unchanged one adds nothing.

    Parameters
    ----------
    connection
        Of the batch.
    judged
        What was decided; decisions by `together` know the survey and the newest detection themselves.
    alerts
        The alerts of the batch, by object id.
    run_id
        The row of `run_log`.
    """
    frames = [chunk.decisions for chunk in judged if len(chunk.decisions)]
    if not frames:
        return
    rows = pd.concat(frames, ignore_index=True)
    for name in ("survey", "newest_mjd"):
        of_alerts = rows["object_id"].map({object_id: getattr(alert, name) for object_id, alert in alerts.items()})
        rows[name] = rows[name].fillna(of_alerts) if name in rows else of_alerts
    rows["judged_with"] = rows.get("judged_with")
    run(connection, "decisions/create_decision_stage.sql")
    copy_frame(connection, LOAD, rows[listed_columns(LOAD)])
    run(connection, "decisions/store_decisions.sql", {"run_id": run_id, "now": datetime.now(UTC)})
