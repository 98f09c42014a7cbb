"""
Whose a row at 4MOST is, and whether it shows what was asked. No input or output here.

A row is ours by its key. Without a key it is by name and place together, in our survey and subsurvey: names at 4MOST
are not unique, and by name alone two installations moved each other's targets across the sky.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from tides_bridge.web import cleaned

Row = Mapping[str, Any]
Found = dict[str, Any]

SAME_PLACE_ARCSEC = 2.0
"""[arcsec] As far as objects of one target may be from each other: `association.QUESTION_RADIUS_ARCSEC`."""

SHOWN_TO = {
    **dict.fromkeys(("ra", "dec"), 5e-6),
    **dict.fromkeys(("pmra", "pmdec", "epoch", "mag", "mag_err"), 5e-3),
    **dict.fromkeys(("redshift_estimate", "redshift_error", "reddening"), 5e-4),
    **dict.fromkeys(("date_earliest", "date_latest"), 5e-5),
    **dict.fromkeys(("t_exp_d", "t_exp_g", "t_exp_b", "t_exp_s"), 5e-2),
}
"""
A number that is shown rounded is no other one: positions to five decimals of a degree (18 mas), magnitudes to two,
redshifts to three, days to four (4 s), minutes to one. Six decimals of a degree were seen.
"""


def is_same_name(name: str | None, other: str | None) -> bool:
    """Tell whether two names are one: databases there are that know no upper and lower case."""
    return name is not None and other is not None and name.casefold() == other.casefold()


def is_same_place(row: Row, other: Row) -> bool:
    """Tell whether two rows with ``ra`` and ``dec`` lie within `SAME_PLACE_ARCSEC`; one without a place does not."""
    ra, dec, other_ra, other_dec = row.get("ra"), row.get("dec"), other.get("ra"), other.get("dec")
    if ra is None or dec is None or other_ra is None or other_dec is None:
        return False
    return separation_arcsec(ra, dec, other_ra, other_dec) <= SAME_PLACE_ARCSEC


def separation_arcsec(ra: float, dec: float, other_ra: float, other_dec: float) -> float:
    """Give the angle between two places [deg], by haversines as `great_circle_arcsec` in SQL does [arcsec]."""
    dec, other_dec = math.radians(dec), math.radians(other_dec)
    across = math.sin(math.radians(ra - other_ra) / 2) ** 2
    square = math.sin((dec - other_dec) / 2) ** 2 + math.cos(dec) * math.cos(other_dec) * across
    return 3600 * 2 * math.degrees(math.asin(min(1, math.sqrt(square))))


def is_of_same_program(row: Row, wanted: Row) -> bool:
    """Tell whether a row is of a survey and subsurvey."""
    return all(row.get(column) == wanted.get(column) for column in ("uploadedfor_survey_id", "subsurvey"))


def is_answer_on(answered: Row | None, payload: Row) -> bool:
    """Tell whether what came back is the row that was asked for: of its name and program, whatever its place there."""
    return (
        answered is not None
        and is_same_name(answered["name"], payload["name"])
        and is_of_same_program(answered, payload)
    )


def is_ours(row: Row, wanted: Row) -> bool:
    """Tell whether a row without a known key is that of a target, described as it would be sent."""
    return is_same_name(row["name"], wanted["name"]) and is_same_place(row, wanted) and is_of_same_program(row, wanted)


def rows_of_target(
    target: Row, program: Row, rows: Iterable[Found], own: Found | None, names: Collection[str]
) -> list[Found]:
    """
    Choose the rows of a target, its own first.

    Parameters
    ----------
    target
        With ``name``, ``ra``, ``dec`` [deg], and what 4MOST was told (``told_4most``) or asked (``payload``) of it.
    program
        Our survey and subsurvey.
    rows
        Among which there may be some of its name.
    own
        What is under its key; None if it has none, or nothing is there.
    names
        Of all targets, in lower case: a row that has the name of another one is not ours, even under our key.

    Returns
    -------
    list of dict
        The row under its key, as long as that is still called so or lies there; then those of its name, place, survey
        and subsurvey, the oldest first. A namesake elsewhere on the sky is none of them.
    """
    described = {**program, **{key: target[key] for key in ("name", "ra", "dec")}}
    asked = described | (target.get("payload") or {}) | {"name": target["name"]}  # with the survey of that time
    others = [row for row in rows if is_ours(row, described) or is_ours(row, asked)]
    others = sorted(others, key=lambda row: int(row["id"]))
    if own is None or not is_under_key(own, described, target.get("told_4most")):
        return others
    if own["name"].casefold() in names and not is_same_name(own["name"], target["name"]):
        return others
    return [own, *(row for row in others if row["id"] != own["id"])]


def is_under_key(row: Row, *known: Row | None) -> bool:
    """
    Tell whether the row that has a target's key is still the target's: by its name, or, if that was edited, its place.

    4MOST gives a key anew after it was restored: then it is a stranger's.

    Parameters
    ----------
    row
        At 4MOST.
    known
        What the target is called and where it is, as we know it and as 4MOST was told; any of them counts.
    """
    return any(one and (is_same_name(row["name"], one.get("name")) or is_same_place(row, one)) for one in known)


def matched(payloads: Sequence[Row], rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """
    Find which of the rows that a creation was answered with is whose.

    Returns
    -------
    dict
        The rows by the name that was asked for. By name first; one that came back with another name by its place, if
        only one that is left lies there.
    """
    found: dict[str, dict[str, Any]] = {}
    left = list(rows)
    for is_match in (_has_name, _has_name_in_other_case, is_same_place):
        for payload in payloads:
            candidates = [row for row in left if is_match(row, payload)] if payload["name"] not in found else []
            if len(candidates) == 1:
                found[payload["name"]] = candidates[0]
                left.remove(candidates[0])
    return found


def _has_name(row: Row, payload: Row) -> bool:
    return bool(row["name"] == payload["name"])


def _has_name_in_other_case(row: Row, payload: Row) -> bool:
    return is_same_name(row["name"], payload["name"])


def shows(column: str, asked: object, answered: object) -> bool:
    """
    Tell whether a value that came back is the one that was asked for, rounded as the service shows it.

    >>> shows("ra", 359.99999996, 0.0), shows("mag", 20.457, 20.46), shows("mag", 20.5, 20.6), shows("mag", 20.5, None)
    (True, True, False, False)
    """
    if isinstance(asked, bool) or isinstance(answered, bool):
        return asked is answered
    if isinstance(asked, int | float) and isinstance(answered, int | float):
        apart = abs(asked - answered)
        apart = min(apart, 360 - apart) if column == "ra" else apart
        return apart <= SHOWN_TO.get(column, 0) * (1 + 1e-6) or math.isclose(asked, answered, rel_tol=1e-15)
    if isinstance(asked, str) and isinstance(answered, str):
        return cleaned(asked) == answered
    return asked == answered


def shown_otherwise(asked: Row, answered: Row) -> dict[str, Any]:
    """Give what was asked for and is not shown: by column, what is shown instead."""
    return {
        column: answered.get(column)
        for column, value in asked.items()
        if not shows(column, value, answered.get(column))
    }


def with_shown(known: Row, otherwise: Row) -> dict[str, Any]:
    """
    Give what is known of a row with what is shown instead: see `shown_otherwise`; what shows nothing is left out.

    A row that does not show whether it is active counts as active: else nobody would switch it off any more.
    """
    shown = {**known, **otherwise}
    if "is_active" in shown and shown["is_active"] is None:
        shown["is_active"] = True
    return {column: value for column, value in shown.items() if value is not None}


def as_shown(asked: Row, answered: Row) -> dict[str, Any]:
    """Give what of the columns asked for a row shows: that is what is there, and nothing else."""
    return {column: answered[column] for column in asked if answered.get(column) is not None}
