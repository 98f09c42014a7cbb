"""Classes that people and pipelines made of spectra, from a TOM or another program."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Request
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tides_bridge.portal.access import account_of, who_may
from tides_bridge.portal.api.answers import answer_json, answer_problem
from tides_bridge.portal.api.rows import ApiProblem
from tides_bridge.portal.shown import Portal
from tides_bridge.targets.spectra.classes import store_classes

MOST: Final = 10_000
"""Classes a call, at most."""

Word = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


def _in_utc(time: datetime) -> datetime:
    """Write a time as all can hold it: others cannot be read again once they are stored."""
    try:
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("is beyond all years in UTC") from None


Time = Annotated[datetime, AfterValidator(_in_utc)]

ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": ApiProblem, "description": what}
    for status, what in {403: "Not allowed", 422: "A value is wrong", 503: "The database is away"}.items()
}


class GivenClass(BaseModel):
    """What somebody makes of a target."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    tides_id: Annotated[int, Field(ge=1, lt=2**63, strict=True)] | None = Field(
        None, description="the target; or its name:"
    )
    name: Word | None = Field(None, description="of a target or of one of its objects")
    type: Word | None = None
    subtype: Word | None = None
    redshift: float | None = Field(None, gt=-1, lt=20)
    redshift_error: float | None = Field(None, ge=0)
    confidence: float | None = Field(None, ge=0, le=1)
    source: Word = Field("human", description="human, or the software")
    who: Word | None = Field(None, description="the person")
    spectrum: Word | None = None
    version: Word | None = None
    classified_at: Time | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "GivenClass":
        if (self.tides_id is None) == (self.name is None):
            raise ValueError("give either tides_id or name")
        if self.type is None and self.redshift is None:
            raise ValueError("give a type or a redshift")
        return self


class GivenClasses(BaseModel):
    """Classes of some targets."""

    model_config = ConfigDict(extra="forbid")

    classes: list[GivenClass] = Field(max_length=MOST)


class KeptClasses(BaseModel):
    """What became of them."""

    read: int
    new: int = Field(description="of targets of which something new is known")
    strangers: list[str] = Field(description="names and keys that are of no target")


def router_of(portal: Portal) -> APIRouter:
    """Answer ``/classes``."""
    router = APIRouter()

    @router.post("/classes", response_model=None, responses={200: {"model": KeptClasses}, **ANSWERS}, tags=["classes"])
    def classes(request: Request, given: Annotated[GivenClasses, Body()]) -> Response:
        """Keep classes, as `tides classified` does; the same again changes nothing. Takes the role of a ruler."""
        if (refusal := refused(portal, request)) is not None:
            return refusal
        account = account_of(request)
        return answer_json(request, keep_given(portal, given, f"the API, {account.name}" if account else "the API"))

    return router


def refused(portal: Portal, request: Request) -> Response | None:
    """Refuse whoever may not change anything, and a page of somebody else in the browser of one of us."""
    problem = who_may(portal.settings, request, "ruler")
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        problem = "The body is to be application/json."  # which no page of others can send without being asked first
    return answer_problem(403, "Not allowed", problem) if problem else None


def keep_given(portal: Portal, given: GivenClasses, came_from: str) -> dict[str, Any]:
    """Keep classes, with the account that sent them, and say what became of them."""
    rows = [row.model_dump(mode="json") for row in given.classes]
    named = [row | {"named": row.pop("name")} for row in rows]
    with portal.database.opened() as database, database.transaction("classes") as connection:
        stored = store_classes(connection, portal.settings, named, came_from)
    strangers = [named[row["number"]] for row in stored if row["object_id"] is None]
    names = dict.fromkeys(str(row["named"] or row["tides_id"]) for row in strangers)
    return {"read": len(stored), "new": sum(row["is_new"] for row in stored), "strangers": list(names)}
