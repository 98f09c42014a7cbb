"""What the record says to people: the decisions on an object with their reasons, and which functions were in force."""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tides_bridge.database import Database, run
from tides_bridge.selection import SelectionFunction
from tides_bridge.targets.rulings import our_names, rulings_on

logger = logging.getLogger(__name__)


def why(database: Database, object_id: str, survey: str | None = None, as_of: datetime | None = None) -> dict[str, Any]:
    """
    Gather the history of one object, or of all objects of a target.

    Parameters
    ----------
    database
        To ask.
    object_id
        The name that the survey gave it, that of a target, or that of either at the Transient Name Server.
    survey
        ``ztf`` or ``lsst``; None for any.
    as_of
        Only what was known then; None for now.

    Returns
    -------
    dict
        ``decisions`` and ``sent`` (lists of rows, the oldest first); ``rulings``, the newest first;
        ``annotations``, the newest of each; as of now
        ``targets``, ``names`` (all objects of those), ``brightness`` of these by band, ``deferred``, and ``last``, the
        latest decision of each function, which outlives the log.
    """
    then = {"as_of": as_of}
    with database.transaction() as connection:
        object_id = our_names(connection, [object_id])[object_id]
        about = {"object_id": object_id, "survey": survey}
        names = run(connection, "decisions/list_names.sql", about)
        found = {
            "sent": run(connection, "decisions/list_sent.sql", about | then),
            "targets": run(connection, "decisions/get_target.sql", about),
            "names": names,
        }
        at = as_of or datetime.now(UTC)
        rulings = rulings_on(connection, [row["tides_id"] for row in found["targets"]], [object_id], at)
        found["rulings"] = [row for row in rulings if row["ruled_at"] <= at]
        # The name of a target stands for all its objects; that of an object, or of nothing known, for itself.
        is_object = not names or any(row["object_id"] == object_id for row in names)
        asked = [about] if is_object else [{key: row[key] for key in about} for row in names]
        decisions = [row for key in asked for row in run(connection, "decisions/list_decisions.sql", key | then)]
        found["annotations"] = [
            row for key in asked for row in run(connection, "decisions/list_annotations.sql", key | then)
        ]
        found["deferred"] = [row for key in asked for row in run(connection, "decisions/get_deferred.sql", key)]
        found["brightness"] = [row for key in asked for row in run(connection, "decisions/list_brightness.sql", key)]
        found["last"] = [row for key in asked for row in run(connection, "decisions/list_last_decisions.sql", key)]
    found["decisions"] = sorted(decisions, key=lambda row: (row["decided_at"], row["decision_id"]))
    for row in decisions:
        row["criteria"] = explained(row)
    return found


def explained(decision: Mapping[str, Any]) -> list[dict[str, Any]]:
    """
    Say of each criterion of a decision what was measured, what is demanded, and by how much it fails.

    Parameters
    ----------
    decision
        A row of the log, with the ``normalised_text`` of the function.

    Returns
    -------
    list of dict
        criterion, measured, unit, demanded, fulfilled, and ``short``: by how much a number misses, None if it does not.
    """
    function = stored_function(decision["function"], decision["normalised_text"])
    demands = {leaf.path: leaf for leaf in function.leaves} if function else {}
    rows = []
    known = [path for path in demands if path in decision["measured"]]
    for path in [*known, *(path for path in decision["measured"] if path not in demands)]:
        measured, leaf, is_fulfilled = decision["measured"][path], demands.get(path), path not in decision["failed"]
        rows.append(
            {
                "criterion": path,
                "measured": measured,
                "unit": leaf.criterion.unit if leaf else "",
                "demanded": leaf.demand() if leaf else "",
                "fulfilled": is_fulfilled,
                "short": None if is_fulfilled or leaf is None else leaf.misses_by(measured),
            }
        )
    return rows


def stored_function(name: str, text: str | None) -> SelectionFunction | None:
    """
    Read a version of a function from its stored text; None if it is of a bridge that knew other criteria.

    Parameters
    ----------
    name
        For the function, and for the log.
    text
        JSON, as ``sql/decisions/register_functions.sql`` keeps it.
    """
    try:
        return SelectionFunction.parse(name, json.loads(text)) if text else None
    except ValueError as error:
        logger.warning("a version cannot be read by this bridge function=%s problem=%s", name, error)
        return None


def list_selections(database: Database, as_of: datetime | None = None) -> list[dict[str, Any]]:
    """
    List when which version of which function was in force; with `as_of` those in force then.

    Parameters
    ----------
    database
        With the record.
    as_of
        A time with its zone; None: all versions there were.

    Returns
    -------
    list of dict
        As ``sql/decisions/list_functions.sql`` returns them.
    """
    with database.transaction() as connection:
        return run(connection, "decisions/list_functions.sql", {"as_of": as_of})


def measurement(criterion: Mapping[str, Any], digits: int = 6) -> str:
    """
    Write what a criterion measured.

    Parameters
    ----------
    criterion
        Of `explained`.
    digits
        Of a number.

    Examples
    --------
    >>> measurement({"measured": 19.25, "demanded": "at most 22.5 mag", "unit": "mag"})
    '19.25 mag'
    >>> measurement({"measured": True, "demanded": "yes", "unit": ""})
    'yes'
    """
    value = criterion["measured"]
    if value is None:
        return "could not be measured"
    if criterion["demanded"] in ("yes", "no"):
        return "yes" if value else "no"
    return f"{value:.{digits}g} {criterion['unit']}".strip() if isinstance(value, int | float) else str(value)


def brightness_in_words(row: Mapping[str, Any]) -> str:
    """
    Say how bright an object was in a band, and how often it was detected in it.

    Parameters
    ----------
    row
        Of ``decisions/list_brightness.sql``.
    """
    number = f"{row['n_detections']} detection{'s' if row['n_detections'] > 1 else ''}"
    known = [
        f", the {name} {_magnitude(row, name)}" for name in ("latest", "brightest") if row[f"{name}_mag"] is not None
    ]
    return f"{row['survey']} {row['object_id']} in {row['band']}: {number}{''.join(known)}"


def _magnitude(row: Mapping[str, Any], name: str) -> str:
    mag, error, mjd = (row[f"{name}_{what}"] for what in ("mag", "error", "mjd"))
    words = f"{mag:.2f} mag" if error is None else f"{mag:.2f} +- {error:.2f} mag"
    return words if mjd is None else f"{words} at MJD {mjd:.2f}"
