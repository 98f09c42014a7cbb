"""A list of targets as a few lines for a notebook, psql or TOPCAT: the same filter, to be copied."""

import json
from collections.abc import Mapping
from typing import Any, Final

ADQL: Final[Mapping[str, str]] = {
    "classes": "sherlock_class IN ({})",
    "functions": "selection_function IN ({})",
    "seen_from": "last_detection_mjd >= {}",
    "seen_before": "last_detection_mjd < {}",
    "first_from": "first_detection_mjd >= {}",
    "first_before": "first_detection_mjd < {}",
    "decl_from": "decl >= {}",
    "decl_to": "decl <= {}",
    "refused": "refused_4most LIKE {}",
    "names": "name LIKE {}",
}
"""Conditions that TAP's view of targets has, by the keys of ``filter_listed``; the others are told."""


def as_python(address: str, query: str) -> str:
    """
    Give the lines that read a list into a table of astropy.

    Parameters
    ----------
    address
        Of the portal.
    query
        Of the list.

    >>> print(as_python("http://127.0.0.1:4280", "state=active"))
    from astropy.table import Table
    <BLANKLINE>
    targets = Table.read("http://127.0.0.1:4280/targets.vot?state=active", format="votable")
    """
    lines = ["from astropy.table import Table", ""]
    lines.append(f'targets = Table.read("{address}/targets.vot{"?" * bool(query)}{query}", format="votable")')
    return "\n".join(lines)


def as_notebook(address: str, name: str) -> str:
    """
    Give the lines that read what is known of a target or an object into a notebook.

    Parameters
    ----------
    address
        Of the portal.
    name
        Of either.

    >>> print(as_notebook("http://127.0.0.1:4280", "TiDES26aab"))
    from tides_bridge.client import Bridge
    <BLANKLINE>
    bridge = Bridge("http://127.0.0.1:4280")
    bridge.plot("TiDES26aab")
    points = bridge.light_curve("TiDES26aab")
    decisions = bridge.decisions("TiDES26aab")
    reasons = bridge.why("TiDES26aab")
    """
    called = json.dumps(name, ensure_ascii=False)
    lines = ["from tides_bridge.client import Bridge", "", f"bridge = Bridge({json.dumps(address)})"]
    lines += [f"bridge.plot({called})", f"points = bridge.light_curve({called})"]
    lines += [f"decisions = bridge.decisions({called})", f"reasons = bridge.why({called})"]
    return "\n".join(lines)


def as_sql(chosen: Mapping[str, Any]) -> str:
    """
    Give the statement for psql.

    Parameters
    ----------
    chosen
        As ``filter_listed`` of the database takes it.

    >>> print(as_sql({"states": ["o'k"]}))
    SELECT name, ra, decl, state, mag, tonight_mag
    FROM filter_listed('{"states": ["o''k"]}')
    ORDER BY tides_id;
    """
    text = json.dumps(chosen).replace("'", "''")
    return f"SELECT name, ra, decl, state, mag, tonight_mag\nFROM filter_listed('{text}')\nORDER BY tides_id;"


def as_adql(chosen: Mapping[str, Any]) -> str:
    """
    Give the question for TAP, as far as its view of targets has what is asked for; what it has not is told first.

    Parameters
    ----------
    chosen
        As ``filter_listed`` of the database takes it.

    >>> print(as_adql({"classes": ["SN"], "tags": ["odd"]}))
    -- not in this view: tags
    SELECT name, ra, decl, active, inactive_reason
    FROM vo.targets
    WHERE sherlock_class IN ('SN')
    """
    known = {key for key in ADQL if key in chosen}
    conditions = [_condition(form, chosen[key]) for key, form in ADQL.items() if key in known]
    if "states" in chosen:
        known.add("states")
        words = ", ".join(_quoted(word) for word in chosen["states"])
        is_active = "active = 'true'" if "active" in chosen["states"] else ""
        conditions.append(f"({is_active}{' OR ' * bool(is_active)}inactive_reason IN ({words}))")
    if "radius_arcsec" in chosen:
        known |= {"ra", "decl", "radius_arcsec", "ra_from", "ra_to"}
        circle = f"CIRCLE('ICRS', {chosen['ra']}, {chosen['decl']}, {chosen['radius_arcsec'] / 3600:.8g})"
        conditions.append(f"CONTAINS(POINT('ICRS', ra, decl), {circle}) = 1")
    if "has_spectrum" in chosen:
        known.add("has_spectrum")
        conditions.append(f"has_spectrum = '{str(chosen['has_spectrum']).lower()}'")
    missing = sorted(set(chosen) - known - {"names_begin"})
    lines = [f"-- not in this view: {', '.join(missing)}"] * bool(missing)
    lines += ["SELECT name, ra, decl, active, inactive_reason", "FROM vo.targets"]
    lines += ["WHERE " + "\n  AND ".join(conditions)] * bool(conditions)
    return "\n".join(lines)


def _condition(form: str, value: Any) -> str:
    """Write a condition; one that takes no list is written for each of its values."""
    words = [_quoted(word) for word in (value if isinstance(value, list) else [value])]
    if "IN" in form:
        return form.format(", ".join(words))
    conditions = " OR ".join(form.format(word) for word in words)
    return f"({conditions})" if len(words) > 1 else conditions


def _quoted(value: Any) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
