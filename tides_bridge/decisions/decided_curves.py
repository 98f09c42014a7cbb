"""The light curves that were decided on: kept, so that a decision can be taken again."""

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Any, Literal

import pandas as pd
from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.decisions.models import Judged
from tides_bridge.errors import RejectedError
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.stored import unpack_table
from tides_bridge.targets.neighbours import Key

Kept = Literal["all", "near", "targets"]
"""Whose light curves are kept: of all objects, of near misses and targets, or of targets only."""


def curves_to_keep(chunk: Judged, of_targets: Set[Key], kept: Kept) -> Set[Key]:
    """
    Choose the objects whose light curves are kept.

    Parameters
    ----------
    chunk
        What was decided.
    of_targets
        Survey and name of the objects of targets.
    kept
        Of the settings. A near miss lacks one criterion of the active function.
    """
    if kept == "targets" or not len(chunk.facts):
        return of_targets
    keys = set(zip(chunk.facts["survey"], chunk.facts["object_id"], strict=True))
    if kept == "all":
        return keys | of_targets
    active = chunk.decisions[chunk.decisions["role"] == "active"]
    is_near = ~active["passed"].astype(bool) & ~active["failed"].str.contains(",") & (active["failed"] != "{}")
    near = set(active.loc[is_near, "object_id"])
    return of_targets | {key for key in keys if key[1] in near}


def store_decided_curves(connection: Connection, judged: Sequence[Judged], packed: Iterable[pd.DataFrame]) -> None:
    """
    Keep light curves under the digests of the decisions, in the transaction of the batch.

    What was judged together with other surveys is left out: that light curve is no object's own.

    Parameters
    ----------
    connection
        Of the batch.
    judged
        What was decided, a chunk each.
    packed
        Of each chunk the rows with survey, object_id and ``curve``, of `with_curves`.
    """
    frames = []
    for chunk, rows in zip(judged, packed, strict=True):
        if not len(rows) or not len(chunk.decisions):
            continue
        own = chunk.decisions[chunk.decisions["role"] == "active"]
        own = own[own["judged_with"].isna()] if "judged_with" in own else own
        digests = rows["object_id"].map(dict(zip(own["object_id"], own["curve_digest"], strict=True)))
        frames.append(rows[["survey", "object_id", "curve"]].assign(digest=digests).dropna())
    if frames:
        rows = pd.concat(frames, ignore_index=True)
        names = {"survey": "surveys", "object_id": "object_ids", "digest": "digests", "curve": "curves"}
        given = {name: rows[column].tolist() for column, name in names.items()}
        run(connection, "decisions/store_decided_curves.sql", given | {"now": datetime.now(UTC)})


def find_decided_curve(
    database: Database, object_id: str, decisions: Sequence[Mapping[str, Any]]
) -> tuple[Mapping[str, Any], LightCurves]:
    """
    Find the newest decision whose light curve is kept, and that light curve.

    Parameters
    ----------
    database
        With the record.
    object_id
        As a person called it, for the error.
    decisions
        Of `history.why`, the oldest first.

    Raises
    ------
    RejectedError
        If none is kept.
    """
    for row in reversed(decisions):
        asked = {"object_id": row["object_id"], "survey": row["survey"], "digests": [row["curve_digest"]]}
        with database.transaction() as connection:
            found = run(connection, "decisions/get_decided_curves.sql", asked)
        if found:
            return row, LightCurves.from_arrow(unpack_table(bytes(found[0]["curve"])))
    raise RejectedError(object_id, "no light curve of its decisions is kept: decisions.lightCurves says whose are")
