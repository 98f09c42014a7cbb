"""All targets: found by a filter that is the address, sorted by any column, downloaded, and copied as code."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlencode

import pyarrow as pa
from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from tides_bridge.errors import SettingsError
from tides_bridge.portal.shown import ASKING, Portal
from tides_bridge.portal.typed import ask_typed
from tides_bridge.settings import page_address
from tides_bridge.targets.listed import (
    SORTS,
    PageOfTargets,
    TargetFilter,
    count_states,
    list_page,
    parameters_of,
    settle_some,
)
from tides_bridge.targets.listed.columns import listed_table
from tides_bridge.targets.listed.filters import STATES
from tides_bridge.targets.listed.quoted import as_adql, as_python, as_sql

ROWS: Final = 100
"""Targets of a page."""

AT_A_TIME: Final = 10_000
"""Targets of a download that are read at once."""

KINDS: Final = {
    "csv": "text/csv; charset=utf-8",
    "fits": "application/fits",
    "vot": "application/x-votable+xml",
    "parquet": "application/vnd.apache.parquet",
}
"""Files in which a list can be had, by their endings."""

HEADS: Final = (
    ("name", "name", "target", ""),
    ("state", "state", "state", ""),
    ("tonight", "-tonight", "tonight", "number"),
    ("mag", "mag", "newest mag", "number"),
    ("seen", "-seen", "last seen", "number"),
    ("detections", "-detections", "det.", "number more"),
    ("ra", "ra", "RA [deg]", "number"),
    ("dec", "dec", "dec [deg]", "number"),
    ("class", "class", "class", "more"),
    ("type", "type", "type", "more"),
    ("redshift", "redshift", "z", "number more"),
    ("function", "function", "function", "more"),
    ("new", "-new", "since", "more"),
)
"""Columns: by what they are sorted, how first, what stands above them, their style."""


Found = TypeVar("Found")

FIRST: Final = ("name", "state", "around", "radius", "tonight_to", "seen_from", "class")
"""Conditions that are asked for at once; the others after a click."""


class Asked(NamedTuple):
    """What the address asks for."""

    chosen: TargetFilter
    sort: str
    cursor: str | None


EVERYTHING: Final = Asked(TargetFilter.of_query([]), "-new", None)
"""What an address without parameters asks for."""


def router_of(portal: Portal) -> APIRouter:
    """Answer ``/targets`` and the files of a list."""
    router = APIRouter()

    @router.api_route("/targets", methods=ASKING)
    def targets(request: Request) -> Response:
        """Show a page of targets."""
        problem, asked, found = look_up(request, portal, _found)
        about = _shown(request, portal, asked, found)
        return portal.show(request, "targets.html", 422 if problem else 200, problem=problem, **about)

    @router.api_route("/targets.{kind}", methods=ASKING)
    def download(request: Request, kind: str) -> Response:
        """Give all targets of a list as a file."""
        if kind not in KINDS:
            return portal.nothing(request, f"no list is written as {kind}: {', '.join(KINDS)} are")
        try:
            asked = read_address(request)
            table = ask_typed(portal.database, lambda connection: _everything(connection, portal, asked))
        except SettingsError as error:
            return portal.show(request, "problem.html", 422, title="Cannot be listed", problem=str(error.problem))
        name = {"Content-Disposition": f'attachment; filename="tides-targets.{kind}"'}
        return Response(_file(table, f".{kind}"), media_type=KINDS[kind], headers=name)

    return router


def look_up(
    request: Request, portal: Portal, find: Callable[[Connection, Portal, Asked], Found]
) -> tuple[str, Asked, Found | None]:
    """
    Find what an address asks for; if it asks wrongly, say in words what is wrong.

    Parameters
    ----------
    request
        Of a page that shows targets.
    portal
        Which answers.
    find
        In one transaction.

    Returns
    -------
    tuple
        What is wrong, empty if nothing is; what is asked for, all where that cannot be read; and what was found.
    """
    asked = EVERYTHING
    try:
        asked = read_address(request)
        return "", asked, ask_typed(portal.database, lambda connection: find(connection, portal, asked))
    except SettingsError as error:
        return f"{error.key}: {error.problem}", asked, None


def read_address(request: Request) -> Asked:
    """
    Read what an address asks for.

    Parameters
    ----------
    request
        Of a page that shows targets.

    Raises
    ------
    SettingsError
        That names the parameter that is wrong.
    """
    pairs = [(name, value) for name, value in request.query_params.multi_items() if name not in ("sort", "cursor")]
    sort = request.query_params.get("sort") or "-new"
    if sort.removeprefix("-") not in SORTS:
        raise SettingsError("filter", "sort", f"{sort} is no order: known are {', '.join(SORTS)}")
    return Asked(TargetFilter.of_query(pairs), sort, request.query_params.get("cursor") or None)


class FoundTargets(NamedTuple):
    """What is shown of a list."""

    page: PageOfTargets
    chosen: Mapping[str, Any]
    counts: Sequence[Mapping[str, Any]]


def _found(connection: Connection, portal: Portal, asked: Asked) -> FoundTargets:
    settle_some(connection, portal.settings)
    chosen = parameters_of(connection, asked.chosen)
    page = list_page(connection, chosen, asked.sort, ROWS, asked.cursor)
    counts = portal.counted.get(connection, "states", lambda: count_states(connection))
    return FoundTargets(page, chosen, counts)


def _shown(request: Request, portal: Portal, asked: Asked, found: FoundTargets | None) -> dict[str, Any]:
    """Say all that the template names."""
    query, given = asked.chosen.query(), given_of(request)
    following = found.page.following if found else None
    chosen = found.chosen if found else {}
    return {
        "given": given,
        "has_more": any(given[name] for name in given if name not in FIRST),
        "states": STATES,
        "chips": chips_of(given, asked) if found else [],
        "query": query,
        "sort": asked.sort,
        "heads": heads_of(asked),
        "rows": found.page.rows if found else [],
        "number": number_of(asked.chosen, found.page, found.counts) if found else None,
        "tiles": tiles_of(found.counts) if found else [],
        "following": asked.chosen.query(sort=asked.sort, cursor=following) if following else None,
        "is_first": asked.cursor is None,
        "kinds": tuple(KINDS),
        "codes": {
            "Python": as_python(page_address(portal.settings), query),
            "SQL": as_sql(chosen),
            "ADQL": as_adql(chosen),
        },
    }


def given_of(request: Request) -> dict[str, str]:
    """Give what was typed as it was, so that it can be mended: by parameter, empty where there is none."""
    fields = TargetFilter.model_fields
    given = {field.alias or name: "" for name, field in fields.items()}
    for name, value in request.query_params.multi_items():
        if name in given and value.strip():
            given[name] = f"{given[name]},{value.strip()}" if given[name] else value.strip()
    return given


def chips_of(given: Mapping[str, str], asked: Asked) -> list[tuple[str, str]]:
    """Give each condition as it was typed, and the query without it."""
    sort = None if asked.sort == "-new" else asked.sort
    chips = []
    for name, value in given.items():
        if value:
            without = dict.fromkeys(("around", "radius") if name == "around" else (name,))
            chips.append((f"{name.replace('_', ' ')}: {value}", asked.chosen.query(**without, sort=sort)))
    return chips


def tiles_of(counts: Sequence[Mapping[str, Any]]) -> list[tuple[str, int, str]]:
    """
    Give the tiles above a list: what is counted, how many, and the query that lists them.

    Parameters
    ----------
    counts
        Of `count_states`.
    """
    states = {row["state"]: row["targets"] for row in counts}
    tiles = [("targets", sum(states.values()) - states.get("merged", 0), "")]
    tiles.append(("active", states.pop("active", 0), "state=active"))
    tiles += [(f"off: {state}", number, urlencode({"state": state})) for state, number in states.items()]
    others = (("refused", "refused=*"), ("with_spectrum", "spectrum=yes"), ("at_4most", "at_4most=yes"))
    names = {"refused": "refused by 4MOST", "with_spectrum": "with spectrum", "at_4most": "at 4MOST"}
    for key, query in others:
        tiles.append((names[key], sum(row[key] for row in counts if row["state"] != "merged"), query))
    return tiles


def number_of(chosen: TargetFilter, page: PageOfTargets, counts: Sequence[Mapping[str, Any]]) -> str:
    """Say how many targets there are in a list."""
    number = page.number
    if chosen.is_empty():
        number = sum(row["targets"] for row in counts if row["state"] != "merged")
    return "more than 5,000 targets" if number is None else f"{number:,} target{'s' if number != 1 else ''}"


def heads_of(asked: Asked) -> list[tuple[Any, ...]]:
    """Give the columns with the query of the list sorted by each, and how it is sorted by it now."""
    return [(*head, _sorted_by(asked, head[0], head[1])) for head in HEADS]


def _sorted_by(asked: Asked, by: str, first: str) -> tuple[str, str]:
    is_now, is_down = asked.sort.removeprefix("-") == by, asked.sort.startswith("-")
    other = by if is_down else f"-{by}"
    now = ("descending" if is_down else "ascending") if is_now else ""
    return asked.chosen.query(sort=other if is_now else first), now


def _everything(connection: Connection, portal: Portal, asked: Asked) -> pa.Table:
    settle_some(connection, portal.settings)
    chosen = parameters_of(connection, asked.chosen)
    parts, cursor = [], None
    while True:
        page = list_page(connection, chosen, asked.sort, AT_A_TIME, cursor)
        parts.append(listed_table(page.rows))
        cursor = page.following
        if cursor is None:
            return pa.concat_tables(parts)


def _file(table: pa.Table, ending: str) -> bytes:
    from tides_bridge.formats.output.table_files import write_table

    with tempfile.TemporaryDirectory(prefix="tides-download-") as folder:
        path = Path(folder, f"targets{ending}")
        write_table(table, path)
        return path.read_bytes()
