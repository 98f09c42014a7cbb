"""A target by any of its names, or an object that is none: its light curve, and all that is known of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from tides_bridge.database import Database, run
from tides_bridge.decisions.history import measurement
from tides_bridge.decisions.known import all_known_of
from tides_bridge.errors import SettingsError
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import BANDS, mjd_from_time
from tides_bridge.portal.access import AUTHOR_COOKIE, FORM_COOKIE, keep_cookie, token_of, who_may
from tides_bridge.portal.known import answered, curves_of, first_trigger, happenings, plot_of, questions_on
from tides_bridge.portal.light_curve_plot import light_curve_item
from tides_bridge.portal.links import in_path, object_page
from tides_bridge.portal.shown import ASKING, Portal
from tides_bridge.portal.sky_links import sexagesimal, sky_links
from tides_bridge.selection.words import date_of
from tides_bridge.settings import page_address
from tides_bridge.targets.brightness import NONE
from tides_bridge.targets.hosts.settling import host_in_words
from tides_bridge.targets.listed.quoted import as_notebook
from tides_bridge.targets.rulings import time_of
from tides_bridge.targets.spectra.classes import class_in_words
from tides_bridge.targets.spectra.settling import spectra_in_words, spectrum_in_words

SHOWN: Final = 30
"""Decisions and happenings that are shown, the newest; all of them since a date."""

WIDEST: Final = 4000
"""[px] Of a page."""

Key = tuple[str, str]


def router_of(portal: Portal) -> APIRouter:
    """Answer ``/targets/NAME``, ``/objects/SURVEY/OBJECT``, and the old ``/light-curves/SURVEY/OBJECT``."""
    router = APIRouter()

    @router.api_route("/targets/{name:path}/light-curve.json", methods=ASKING)
    def plot_target(request: Request, name: str, scale: str = "", theme: str = "", width: int = 1100) -> Response:
        """Draw the light curve of a target, of all its surveys."""
        with portal.database.opened() as database:
            return _plot(portal, database, (name, None), (scale, theme, width))

    @router.api_route("/objects/{survey}/{object_id:path}/light-curve.json", methods=ASKING)
    def plot_object(  # noqa: PLR0913, PLR0917
        request: Request, survey: str, object_id: str, scale: str = "", theme: str = "", width: int = 1100
    ) -> Response:
        """Draw the light curve of an object that is no target."""
        with portal.database.opened() as database:
            return _plot(portal, database, (object_id, survey), (scale, theme, width))

    @router.api_route("/targets/{name:path}", methods=ASKING)
    def target(request: Request, name: str) -> Response:
        """Show a target; by another of its names lead to its own."""
        with portal.database.opened() as database:
            found = all_known_of(database, portal.settings, name)
            if not found["targets"]:
                return _instead_of_target(portal, request, name, found)
            own = next((row for row in found["targets"] if row["name"] == name), None)
            if own is None:
                return RedirectResponse(in_path(found["targets"][0]["name"]), 303)
            return show_known(portal, request, database, found, own)

    @router.api_route("/objects/{survey}/{object_id:path}", methods=ASKING)
    def lone_object(request: Request, survey: str, object_id: str) -> Response:
        """Show an object that is no target; of one that is lead to the target."""
        with portal.database.opened() as database:
            found = all_known_of(database, portal.settings, object_id, survey)
            if found["targets"]:
                return RedirectResponse(f"../../targets/{in_path(found['targets'][0]['name'])}", 303)
            if not any(found[key] for key in ("decisions", "last", "deferred", "rulings", "annotations")):
                return portal.nothing(request, f"Nothing is known of {survey} {object_id}: no broker has sent it yet.")
            return show_known(portal, request, database, found, None, (survey, object_id))

    @router.api_route("/light-curves/{survey}/{object_id:path}", methods=ASKING)
    def former_address(survey: str, object_id: str) -> Response:
        """Lead from the address of earlier versions to the target, or to the object."""
        return RedirectResponse(f"../../objects/{in_path(survey)}/{in_path(object_id)}", 303)

    return router


def _instead_of_target(portal: Portal, request: Request, name: str, found: Mapping[str, Any]) -> Response:
    """Lead to an object that is no target, or say that nothing is known."""
    known = [row for key in ("decisions", "last", "deferred") for row in found[key]]
    if known:
        return RedirectResponse(f"../objects/{in_path(known[-1]['survey'])}/{in_path(name)}", 303)
    return portal.nothing(
        request, f"Nothing is known of {name}: no target, no object that was judged, and no name of the TNS is so."
    )


def _plot(
    portal: Portal, database: Database, asked: tuple[str, str | None], look: tuple[str, str, int]
) -> JSONResponse:
    found = all_known_of(database, portal.settings, *asked)
    plot = plot_of(database, portal.settings, found, _keys(found))
    if plot is None:
        return JSONResponse({"detail": "no light curve is kept"}, 404)
    scale, theme, width = look
    item = light_curve_item(
        plot, "flux" if scale == "flux" else "magnitude", is_dark=theme == "dark", width=min(max(width, 1), WIDEST)
    )
    return JSONResponse(item)


def _keys(found: Mapping[str, Any]) -> list[Key]:
    """Name the objects of a target, or the object that is none."""
    rows = found["names"] or found["decisions"] or found["last"]
    return sorted({(row["survey"], row["object_id"]) for row in rows})


def show_known(  # noqa: PLR0913, PLR0917 - what was asked, and what was found
    portal: Portal,
    request: Request,
    database: Database,
    found: Mapping[str, Any],
    target: Mapping[str, Any] | None,
    key: Key | None = None,
    problem: str | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    """
    Answer with the page of a target or an object.

    Parameters
    ----------
    portal, request, database
        Which answer.
    found
        Of `all_known_of`.
    target
        Of ``found["targets"]`` that which is shown; None: an object that is no target.
    key
        Its survey and name.
    problem, typed
        What was wrong with the form, and what was in it.
    """
    since, since_problem = _since(request)
    values = (
        _of_target(database, portal, target)
        if target
        else {"facts": None, "tonight": [], "questions": [], "transients": []}
    )
    token, name = token_of(request), target["name"] if target else key[1] if key else ""
    keys = _keys(found) or ([key] if key else [])
    kept = curves_of(database, keys)
    answer = portal.show(
        request,
        "target.html",
        400 if problem or since_problem else 200,
        **values,
        found=found,
        target=target,
        key=key,
        title=name,
        notebook=as_notebook(page_address(portal.settings), name),
        objects=[(survey, name, object_page(portal.settings, survey, name)) for survey, name in keys],
        has_curve=kept is not None,
        exchanges=answered(found["sent"]),
        triggered=first_trigger([row for row in found["decisions"] if row["role"] == "active"] or found["decisions"]),
        new_points=_new_points(kept, since),
        happenings=_newest(happenings(found), since),
        since=request.query_params.get("since", ""),
        problem=problem or since_problem,
        typed=_typed(request) | dict(typed or {}),
        refusal=who_may(portal.settings, request, "ruler"),
        token=token,
        shown=SHOWN,
        **WORDS,
    )
    keep_cookie(answer, request, FORM_COOKIE, token)
    return answer


WORDS: Final = {
    "host_in_words": host_in_words,
    "class_in_words": class_in_words,
    "spectrum_in_words": spectrum_in_words,
    "date_of": date_of,
    "briefly": lambda row: "unknown" if row["measured"] is None else measurement(row, digits=4),
}
"""What the template words rows with."""


def _typed(request: Request) -> dict[str, str]:
    """Give what stands in the form before anybody typed: who used it last, and what the address asks for."""
    empty = dict.fromkeys(("reason", "until", "tag"), "")
    author = unquote(request.cookies.get(AUTHOR_COOKIE, ""))
    return empty | {"author": author, "kind": request.query_params.get("kind", "")}


def _of_target(database: Database, portal: Portal, target: Mapping[str, Any]) -> dict[str, Any]:
    """Gather what only a target has."""
    about = {"tides_id": target["tides_id"]}
    with database.transaction() as connection:
        (facts,) = run(connection, "portal/get_target_facts.sql", about)
        transients = run(connection, "portal/list_transients_of_host.sql", about)
    spectra = portal.settings
    return {
        "facts": facts,
        "transients": transients,
        "place": sexagesimal(facts["ra"], facts["decl"]),
        "sky_links": sky_links(facts["ra"], facts["decl"]),
        "tonight": _tonight(facts),
        "questions": questions_on(database, portal.settings, target["name"]),
        "enough": lambda row: spectra_in_words(row, spectra),
    }


def _tonight(facts: Mapping[str, Any]) -> list[tuple[str, float, float | None, str]]:
    """List what is expected on the coming night: band, magnitude, error, and how it was found."""
    rows = zip(BANDS, facts["mags"] or (), facts["errors"] or (), facts["methods"] or (), strict=False)
    return [row for row in rows if row[1] is not None and not row[3].startswith(NONE)]


def _since(request: Request) -> tuple[datetime | None, str | None]:
    """Read since when changes are asked for, or say what is wrong with it."""
    text = request.query_params.get("since", "").strip()
    try:
        return (time_of(text, "since") if text else None), None
    except SettingsError as error:
        return None, f"since: {error.problem}"


def _newest(rows: Sequence[Any], since: datetime | None) -> list[Any]:
    return list(rows[:SHOWN]) if since is None else [row for row in rows if row.at >= since]


def _new_points(kept: tuple[LightCurves, list[str]] | None, since: datetime | None) -> dict[str, int]:
    """Count the detections since a time, by survey and band."""
    if kept is None or since is None:
        return {}
    curves, surveys = kept
    counts: dict[str, int] = {}
    for index, mjd, band, is_detection in zip(
        curves.object_index.tolist(), curves.mjd, curves.band, curves.is_detection, strict=True
    ):
        if is_detection and mjd >= mjd_from_time(since):
            name = f"{surveys[index]} {BANDS[band] if band >= 0 else 'other'}"
            counts[name] = counts.get(name, 0) + 1
    return counts
