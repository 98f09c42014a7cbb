"""
What brokers say of objects beyond the light curve: kept, and remembered by the functions that ask for it.

Workers judge by what the alert itself says. Then, in the transaction of the batch, what was said before is added, by
any broker, and the type in the list of the Transient Name Server; objects of which more is known so are judged anew.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from tides_bridge.brokers.models import Alert
from tides_bridge.database import run
from tides_bridge.decisions.models import Judged
from tides_bridge.decisions.record import decisions_of
from tides_bridge.lightcurves import LightCurves
from tides_bridge.selection import SelectionFunction, judge
from tides_bridge.settings import Settings


def store_annotations(connection: Connection, alerts: Iterable[Alert], broker: str, names: Collection[str] = ()) -> int:
    """
    Keep what alerts say of targets, or some names of it of any object, with the version that its source tells.

    Parameters
    ----------
    connection
        Of a batch, after its targets were stored.
    alerts
        Several may be of one object: of each name the newest is kept.
    broker
        Who sends them.
    names
        Of annotations; none: all, of objects of targets only.

    Returns
    -------
    int
        How much was other than before.
    """
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for alert in sorted(alerts, key=lambda alert: alert.newest_mjd):
        for name, value in alert.annotations.items():
            if name in names if names else not name.endswith(".version"):
                rows[alert.survey, alert.object_id, name] = {
                    "survey": alert.survey,
                    "object_id": alert.object_id,
                    "name": name,
                    "word" if isinstance(value, str) else "number": value,
                    "version": alert.annotations.get(f"{name.partition('.')[0]}.version"),
                    "mjd": alert.newest_mjd,
                }
    if not rows:
        return 0
    about = {"annotations": json.dumps(list(rows.values())), "broker": broker, "of_targets": not names}
    return int(run(connection, "decisions/store_annotations.sql", about)[0]["stored"])


def remember(
    connection: Connection, judged: Sequence[Judged], settings: Settings, functions: Sequence[SelectionFunction]
) -> list[Judged]:
    """
    Judge the objects of a batch with what was said of them before, by functions that ask for annotations.

    What they ask for is kept of all objects of the batch, targets or not: it may come with the alert of one broker, and
    be asked for with that of another. What the alert itself says counts before what was said earlier, and the list of
    the Transient Name Server before both.

    Parameters
    ----------
    connection
        Of the batch, before anything is staged.
    judged
        What was decided by the alerts alone. A chunk has its ``alerts`` and ``curves``.
    settings
        Of one broker.
    functions
        The active one first.

    Returns
    -------
    list of Judged
        The chunks, with the decisions on objects of which more was known in the place of the others.
    """
    names = {name for function in functions for name in function.annotations.values()}
    alerts = [alert for chunk in judged if names for alert in chunk.alerts]
    words = [alert for chunk in judged if names for alert in chunk.words]
    if not alerts and not words:
        return list(judged)
    columns = {"surveys": "survey", "object_ids": "object_id", "ras": "ra", "decls": "decl"}
    asked = {name: [getattr(alert, of_alert) for alert in alerts] for name, of_alert in columns.items()}
    known: dict[tuple[str, str], dict[tuple[str, bool], Any]] = {}
    for row in run(connection, "decisions/recall_annotations.sql", {**asked, "names": sorted(names)}):
        value = row["word"] if row["number"] is None else row["number"]
        known.setdefault((row["survey"], row["object_id"]), {})[row["name"], row["is_listed"]] = value
    store_annotations(connection, [*alerts, *words], settings.broker_name, names)
    return [_judged_anew(chunk, known, functions) for chunk in judged]


def _judged_anew(chunk: Judged, known: Mapping[tuple[str, str], Any], functions: Sequence[SelectionFunction]) -> Judged:
    """Give a chunk in which those are judged anew of which more is known than their alert says."""
    if chunk.curves is None:
        return chunk
    surveys = {alert.object_id: alert.survey for alert in chunk.alerts}
    notes, changed = chunk.curves.objects.annotations.copy(), []
    is_placed = np.isfinite(chunk.curves.objects.ra)  # what is nowhere cannot become a target
    for number, name in enumerate(chunk.curves.object_ids):
        before = known.get((surveys.get(name, ""), name), {})
        listed = {key: value for (key, is_listed), value in before.items() if is_listed}
        earlier = {key: value for (key, is_listed), value in before.items() if not is_listed}
        added = {**earlier, **(notes[number] or {}), **listed}
        if name in chunk.passed and is_placed[number] and added != (notes[number] or {}):
            notes[number] = added
            changed.append(number)
    if not changed:
        return chunk
    curves = replace(chunk.curves, objects=replace(chunk.curves.objects, annotations=notes))
    return _with_verdicts(replace(chunk, curves=curves), curves, changed, functions)


def _with_verdicts(
    chunk: Judged, curves: LightCurves, changed: Sequence[int], functions: Sequence[SelectionFunction]
) -> Judged:
    """Give a chunk with the verdicts on some of its objects in the place of those before, at the same time."""
    part = LightCurves.joined([curves.part(number, number + 1) for number in changed])
    of_before = chunk.decisions.drop_duplicates("object_id").set_index("object_id").loc[list(part.object_ids)]
    now_mjd = float(of_before["now_mjd"].iloc[0])
    verdicts = judge(part, functions, now_mjd)
    left_out = of_before["left_out"].to_numpy(dtype=np.int64)
    rows = decisions_of(verdicts, part.object_ids, part.digests(), now_mjd, left_out)
    others = chunk.decisions[~chunk.decisions["object_id"].isin(part.object_ids)]
    passes = dict(zip(part.object_ids, verdicts[0].passed.tolist(), strict=True))
    facts = chunk.facts
    if len(facts):
        facts = facts.assign(passes=facts["object_id"].map(passes).fillna(facts["passes"]).astype(bool))
    decisions = pd.concat([frame for frame in (others, rows) if len(frame)], ignore_index=True)
    return replace(chunk, passed={**chunk.passed, **passes}, facts=facts, decisions=decisions)
