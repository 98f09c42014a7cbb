"""Rulings from the portal: veto, hold, force, release, comment and tag, each with an author and a reason."""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from tides_bridge.decisions.known import all_known_of
from tides_bridge.errors import RejectedError, SettingsError
from tides_bridge.portal.access import AUTHOR_COOKIE, AUTHOR_SECONDS, account_of, forged, form_of, keep_cookie, who_may
from tides_bridge.portal.links import in_path
from tides_bridge.portal.pages.target import show_known
from tides_bridge.portal.shown import Portal
from tides_bridge.settings import Settings
from tides_bridge.targets.rulings import SWITCHES, Ruling, check_ruling, find_subjects, rule, time_of
from tides_bridge.web import cleaned

KINDS: Final = ("veto", "hold", "force", "comment", "tag", "release", "release tag")
"""What can be chosen; ``release tag`` takes a tag away."""

LONGEST_AUTHOR: Final = 100
"""[characters] Of a name."""


def router_of(portal: Portal) -> APIRouter:
    """Answer the forms of ``/targets/NAME`` and ``/objects/SURVEY/OBJECT``: nothing else changes a ruling."""
    router = APIRouter()

    @router.post("/targets/{name:path}/rulings")
    def of_target(request: Request, name: str, form: Annotated[dict[str, str], Depends(form_of)]) -> Response:
        """Decide something of a target."""
        return _decide(portal, request, form, (name, None))

    @router.post("/objects/{survey}/{object_id:path}/rulings")
    def of_object(
        request: Request, survey: str, object_id: str, form: Annotated[dict[str, str], Depends(form_of)]
    ) -> Response:
        """Decide something of an object that is no target."""
        return _decide(portal, request, form, (object_id, survey))

    return router


def _decide(portal: Portal, request: Request, form: Mapping[str, str], named: tuple[str, str | None]) -> Response:
    """Store what was decided, and lead back to the page; or show the page again with what is wrong."""
    refusal = forged(request, dict(form)) or who_may(portal.settings, request, "ruler")
    if refusal:
        return portal.show(request, "problem.html", 403, title="Not decided", problem=refusal)
    name, survey = named
    if (account := account_of(request)) is not None:  # whoever is known cannot sign for others
        form = {**form, "author": account.name}
    try:
        ruling = ruling_of(form, portal.settings)
    except SettingsError as error:
        return _again(portal, request, named, form, error.problem)
    with portal.database.opened() as database:
        try:
            with database.transaction() as connection:
                subjects = find_subjects(connection, portal.settings, [name], survey)
            if not subjects:
                raise RejectedError(name, "is no name")
        except RejectedError as error:
            return portal.show(request, "problem.html", 404, title="Not decided", problem=str(error))
        rule(database, portal.settings, ruling, subjects)
    answer = RedirectResponse(f"../{in_path(name)}#rulings", 303)
    keep_cookie(answer, request, AUTHOR_COOKIE, quote(ruling.who or ""), AUTHOR_SECONDS)
    return answer


def _again(
    portal: Portal, request: Request, named: tuple[str, str | None], form: Mapping[str, str], problem: str
) -> Response:
    name, survey = named
    with portal.database.opened() as database:
        found = all_known_of(database, portal.settings, name, survey)
        own = [row for row in found["targets"] if row["name"] == name]
        target = next(iter(own if own or survey else found["targets"]), None)
        if target is None and survey is None:
            return portal.show(request, "problem.html", 404, title="Not decided", problem=problem)
        key = (survey, name) if survey else None
        return show_known(portal, request, database, found, target, key, problem, form)


def ruling_of(form: Mapping[str, str], settings: Settings) -> Ruling:
    """
    Make a ruling of the fields of a form.

    Parameters
    ----------
    form
        ``kind``, ``reason``, ``author``, and as they are needed ``until``, ``tag`` and ``only``.
    settings
        The clock.

    Raises
    ------
    SettingsError
        With what is wrong, in words for whoever filled it in.
    """
    kind, tag, until = (form.get(name, "").strip() for name in ("kind", "tag", "until"))
    if kind not in KINDS:
        raise SettingsError("kind", "", f"choose one of {', '.join(KINDS)}")
    author = cleaned(form.get("author", "").strip(), LONGEST_AUTHOR)
    if not author:
        raise SettingsError("author", "", "say who you are: those who look at it later ask you")
    if not form.get("reason", "").strip():
        raise SettingsError("reason", "", "say why, for those who look at it later")
    has_tag = kind in ("tag", "release tag")
    if has_tag and (len(tag.split()) != 1 or "," in tag):
        raise SettingsError("tag", "", "must be one word: what the targets are called together")
    given: Any = {"kind": "release" if kind.startswith("release") else kind, "tag": tag if has_tag else None}
    only = form.get("only") if kind == "release" and form.get("only") in SWITCHES[:3] else None
    given |= {"until": time_of(until, "until") if until else None, "only_kind": only, "who": author}
    ruling = Ruling(reason=form["reason"].strip(), **given)
    check_ruling(ruling, settings)
    return ruling
