"""What 4MOST should know of a target, worked out from its row in `tides_master`. No input or output here."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tides_bridge.errors import FourmostRejected
from tides_bridge.fourmost.identity import separation_arcsec
from tides_bridge.fourmost.known import known_of, known_of_host
from tides_bridge.fourmost.magnitudes import magnitude_for
from tides_bridge.lightcurves.photometry import jd_from_mjd
from tides_bridge.settings import Settings
from tides_bridge.targets.guard import Kind

Row = Mapping[str, Any]

RANGES = {"ra": (0.0, 359.99999999), "dec": (-89.99999999, 40.0), "mag": (3.0, 50.0)}
"""What a 4FS catalogue takes (FMTVERS 2.6): degrees and magnitudes. Never clamped: that would move the target."""

LONGEST_NAME = 256

LEAST_MOVE = 0.1
"""[arcsec] A position that moved by less stays as it is at 4MOST."""

LEAST_CHANGE = 0.1
"""[mag] A magnitude that changed by less stays as it is at 4MOST."""

MOST_ASKED = 3
"""So often the same is asked of 4MOST, where its answers show something else: then a person is to look."""


@dataclass(frozen=True)
class FourmostStage:
    """
    The "4MOST Stage" of D3.3.4: what is to be said to 4MOST.

    Attributes
    ----------
    new
        Targets to create: rows with their ``payload``, and the ``origin`` of what is measured in it, in words.
    changed
        Targets to update: rows with the ``payload`` wanted, the ``changes`` to send, and the ``origin`` where these
        have something measured.
    deactivated
        The same, for targets to be switched off.
    refused
        Targets that the format forbids: rows with the ``reason``.
    otherwise
        Targets of which 4MOST showed something else so often that it is not asked again: rows with the ``payload``.
    agreed
        Targets of which 4MOST knows all that is wanted.
    wanted
        "Wanted, not allowed": the changes of ingested targets, of which only the active flag may still change, by
        ``tides_id``.
    """

    new: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    deactivated: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    otherwise: list[dict[str, Any]] = field(default_factory=list)
    agreed: list[Row] = field(default_factory=list)
    wanted: dict[int, dict[str, Any]] = field(default_factory=dict)


def to_4most(row: Row, settings: Settings) -> dict[str, Any]:
    """
    Make the payload of one active target.

    The magnitude is that of `magnitude_for`, redshift and reddening are those of `known_of`. The dates are those of the
    last detection and of the day on which the target would be switched off, or on which a force of it ends [JD]. A host
    neither fades nor moves: magnitude and redshift are those of the galaxy, and it is wanted since it was first.

    Raises
    ------
    FourmostRejected
        If the format forbids it, naming the column and its range, or if it has no magnitude to send.
    """
    options = settings.fourmost
    own, columns = (
        (settings.hosts, _of_host(row["host"], settings))
        if row.get("host")
        else (options, _of_transient(row, settings))
    )
    payload = {
        "uploadedfor_survey_id": options.survey_id,
        "name": row["name"],
        "ra": row["ra"],
        "dec": row["decl"],
        "pmra": 0.0,
        "pmdec": 0.0,
        "epoch": options.epoch,
        "resolution": options.resolution,
        "subsurvey": own.subsurvey,
        "cadence": own.cadence,
        "template": own.template,
        "ruleset": own.ruleset,
        "classification": own.classification,
        "date_earliest": jd_from_mjd(row["last_detection_mjd"]),
        "t_exp_d": own.exposure_times.d,
        "t_exp_g": own.exposure_times.g,
        "t_exp_b": own.exposure_times.b,
        "t_exp_s": own.exposure_times.s,
        "is_active": True,
    } | columns
    _check(payload)
    return payload


def _of_transient(row: Row, settings: Settings) -> dict[str, Any]:
    """Give what 4MOST should know of a transient alone."""
    magnitude, forced_until = magnitude_for(row, settings), row.get("forced_until_mjd")
    off_jd = jd_from_mjd(row["last_detection_mjd"]) + settings.targets.longest_unseen / timedelta(days=1)
    columns = {
        "extent_flag": 0,
        "mag": magnitude.value,
        "mag_type": settings.fourmost.mag_type,
        "date_latest": off_jd if forced_until is None else max(off_jd, jd_from_mjd(forced_until)),
    }
    if magnitude.error is not None:
        columns["mag_err"] = round(magnitude.error, 3)
    return columns | known_of(row.get("annotations") or {}).columns


def _of_host(host: Row, settings: Settings) -> dict[str, Any]:
    """Give what 4MOST should know of a galaxy alone."""
    columns = {
        "extent_flag": settings.hosts.extent_flag,
        "mag": host["mag"],
        "mag_type": host["mag_type"],
        "date_latest": settings.hosts.date_latest,
    }
    return columns | known_of_host(host["redshift"], host["redshift_error"]).columns


def _check(payload: Row) -> None:
    """Refuse what the format forbids."""
    name = payload["name"]
    if not name or len(name) > LONGEST_NAME:
        raise FourmostRejected(name, f"name: must have 1 to {LONGEST_NAME} characters")
    for column, (low, high) in RANGES.items():
        value = payload[column]
        if not math.isfinite(value) or not low <= value <= high:
            raise FourmostRejected(name, f"{column}: {value} is outside {low} ... {high}")


def stage_for_4most(rows: Iterable[Row], settings: Settings) -> FourmostStage:
    """
    Compare what 4MOST should know with what it was told.

    Parameters
    ----------
    rows
        Of ``fourmost/list_targets.sql``: the targets that are active here, or that 4MOST takes for active.
    settings
        How targets are described.

    Returns
    -------
    FourmostStage
        Only what is new to 4MOST. A payload that was refused is sent again when its wait is over or it changes; the
        active flag alone is at once, as 4MOST takes it always. After ingestion only this flag may change: nothing else
        is sent, but kept as wanted.
    """
    stage = FourmostStage()
    for row in rows:
        known_there = row["told_4most"] or {}
        if not row["active"]:
            wanted = {**known_there, "is_active": False}
            changed = {**row, "payload": wanted, "changes": {"is_active": False}}
            (stage.otherwise if _was_answered_otherwise(row, wanted) else stage.deactivated).append(changed)
            continue
        try:
            wanted = _steady(to_4most(row, settings), known_there) | (row.get("respected_4most") or {})
        except FourmostRejected as error:
            if row["refused_4most"] != error.problem:
                stage.refused.append({**row, "reason": error.problem, "payload": None})
            continue
        if row["pk_4most"] is None:
            if not _is_refused(row, wanted):
                stage.new.append({**row, "payload": wanted, "origin": _origin_of(row, wanted, settings)})
            continue
        changes = {column: value for column, value in wanted.items() if known_there.get(column) != value}
        if not changes:
            stage.agreed.append(row)
        if row["date_ingested"] is not None:
            if kept := {column: value for column, value in changes.items() if column != "is_active"}:
                stage.wanted[row["tides_id"]] = kept
            changes = {column: value for column, value in changes.items() if column == "is_active"}
        wanted = {**known_there, **changes}
        is_flag = changes.keys() == {"is_active"}
        if is_flag or (changes and not _is_refused(row, wanted)):
            changed = {**row, "payload": wanted, "changes": changes, "origin": _origin_of(row, changes, settings)}
            (stage.otherwise if _was_answered_otherwise(row, wanted) else stage.changed).append(changed)
    return stage


def _origin_of(row: Row, columns: Row, settings: Settings) -> str | None:
    """Tell where magnitude, redshift and reddening come from, as far as they are sent; None if none is."""
    if row.get("host"):
        return f"the galaxy {row['host']['catalogue'] or ''} {row['host']['catalogue_name'] or row['host']['host_id']}"
    magnitude = magnitude_for(row, settings).origin if "mag" in columns else ""
    return "; ".join(filter(None, (magnitude, known_of(row.get("annotations") or {}).words(columns)))) or None


def jumps(stage: FourmostStage, settings: Settings) -> dict[Kind, list[dict[str, Any]]]:
    """
    Find the changes that are larger than a target's own: of one they are an outlier, of many a wrong setting.

    Parameters
    ----------
    stage
        What is to be said to 4MOST.
    settings
        How far a target may move and change, ``targets.guard``.

    Returns
    -------
    dict
        The rows of ``changed`` that move, and those whose magnitude changes, by so much.
    """
    found: dict[Kind, list[dict[str, Any]]] = {"position": [], "magnitude": []}
    guard = settings.targets.guard
    for row in stage.changed:
        before, after = row["told_4most"] or {}, row["payload"]
        ra, dec = before.get("ra"), before.get("dec")
        if ra is not None and dec is not None and separation_arcsec(ra, dec, after["ra"], after["dec"]) > guard.move:
            found["position"].append(row)
        if before.get("mag") is not None and abs(after["mag"] - before["mag"]) > guard.magnitude:
            found["magnitude"].append(row)
    return found


def _steady(wanted: dict[str, Any], known_there: Row) -> dict[str, Any]:
    """Leave a place and a magnitude that are hardly other than what 4MOST has as they are there."""
    steady, ra, dec = dict(wanted), known_there.get("ra"), known_there.get("dec")
    if ra is not None and dec is not None and separation_arcsec(ra, dec, wanted["ra"], wanted["dec"]) <= LEAST_MOVE:
        steady["ra"], steady["dec"] = ra, dec
    before = known_there.get("mag") if known_there.get("mag_type") == wanted["mag_type"] else None
    if before is not None and abs(before - wanted["mag"]) <= LEAST_CHANGE:
        steady["mag"] = before
        if "mag_err" in wanted:
            steady["mag_err"] = known_there.get("mag_err", wanted["mag_err"])
    # An error that 4MOST was told is not that of a redshift which has none: 0 is "unknown" there.
    if known_there.get("redshift_error") and "redshift_estimate" in wanted and "redshift_error" not in wanted:
        steady["redshift_error"] = 0.0
    return steady


def _is_refused(row: Row, wanted: Row) -> bool:
    """Tell whether 4MOST refused this, and is not to be asked again yet."""
    return bool(row["is_refused_still"] and row["refused_4most_payload"] == wanted)


def _was_answered_otherwise(row: Row, wanted: Row) -> bool:
    """Tell whether 4MOST was asked for this `MOST_ASKED` times, and showed something else each time."""
    answered = row["otherwise_4most"] or {}
    return bool(answered.get("asked") == wanted and answered["times"] >= MOST_ASKED)
