"""What the API gives, for its description: each row as it is in JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from tides_bridge.portal.links import in_path
from tides_bridge.targets.listed import SORTS, TargetFilter

HIDDEN: Final = (
    "decl",
    "looked_at",
    "change",
    "surveys",
    "objects",
    "sorted_number",
    "sorted_word",
    "survey",
    "object_id",
)
"""Columns of the list that a program gets in another way, or not."""

EXAMPLE: Final[dict[str, Any]] = {
    "tides_id": 17, "name": "TiDES26abc", "aliases": [{"survey": "ztf", "object_id": "ZTF26aaaaaaa"}],
    "ra": 150.1, "dec": -2.3, "is_active": True, "state": "active", "merged_into": None,
    "selection_function": "tidesSNZTFClean", "sherlock_class": "SN", "type": None, "redshift": None,
    "first_detection_mjd": 61000.2, "last_detection_mjd": 61008.3, "n_detections": 7,
    "mag": 19.7, "mag_band": "ztf r", "mag_mjd": 61008.3,
    "tonight_mag": 19.5, "tonight_band": "g", "tonight_mjd": 61009.2, "rulings": [], "tags": ["rising"],
    "host_name": "NED NGC 4993", "host_redshift": 0.0098, "host_separation": 10.3, "has_spectrum": False,
    "pk_4most": 4711, "ostd_targ_id": None, "ostd_u_obj_id": None, "date_ingested": None, "refused_4most": None,
    "created_at": "2025-11-29T12:00:00+00:00",
    "links": {"page": "../../targets/TiDES26abc", "self": "targets/TiDES26abc"},
}  # fmt: skip


class Alias(BaseModel):
    """An object of a survey."""

    survey: str
    object_id: str


class TargetRow(BaseModel):
    """A target as it is now."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    tides_id: int
    name: str
    aliases: list[Alias] = Field(description="each object that it is; the first that was reported is the first")
    ra: float = Field(description="[deg] ICRS")
    dec: float = Field(description="[deg] ICRS")
    is_active: bool
    state: str = Field(description="active, or why it is off: the reason")
    merged_into: str | None = Field(description="target that has its objects now")
    selection_function: str
    sherlock_class: str | None
    type: str | None = Field(description="by its spectra")
    redshift: float | None = Field(description="by its spectra")
    first_detection_mjd: float = Field(description="[MJD, UTC]")
    last_detection_mjd: float = Field(description="[MJD, UTC]")
    n_detections: int
    mag: float | None = Field(description="[mag, AB] of the newest detection")
    mag_band: str | None
    mag_mjd: float | None = Field(description="[MJD, UTC]")
    tonight_mag: float | None = Field(description="[mag, AB] the brightest that is expected in a band")
    tonight_band: str | None
    tonight_mjd: float | None = Field(description="[MJD, UTC] the middle of that night")
    rulings: list[str]
    tags: list[str]
    host_name: str | None
    host_redshift: float | None
    host_separation: float | None = Field(description="[arcsec]")
    has_spectrum: bool
    pk_4most: int | None
    ostd_targ_id: int | None
    ostd_u_obj_id: int | None
    date_ingested: datetime | None
    refused_4most: str | None
    created_at: datetime
    links: dict[str, str] = Field(description="relative to the address of the API")


class TargetRows(BaseModel):
    """A page of targets."""

    targets: list[TargetRow]
    number: int | None = Field(description="how many satisfy the filter; null for more than 5000, or without a filter")
    next: str | None = Field(description="the cursor of what follows: of a list null at its end")


class TargetQuery(TargetFilter):
    """A filter, and how its targets are listed."""

    sort: str = Field("-new", description=f"one of {', '.join(SORTS)}; with a minus before it downwards")
    limit: int = Field(100, ge=1, le=1000, description="targets at most")
    cursor: str | None = Field(None, max_length=1000, description="of the page before: its next")
    changed_after: str | None = Field(
        None,
        max_length=200,
        description="targets in the order in which they changed, each once as it is now, merged ones too, after this "
        "cursor: the next of the last time, which is never null; empty for all. Ask until fewer than the limit come.",
    )


class LightCurvePoint(BaseModel):
    """A point of a light curve."""

    survey: str
    object_id: str
    mjd: float = Field(description="[MJD, UTC]")
    band: str | None
    flux: float | None = Field(description="[nJy] of the difference image; null for a limit")
    flux_error: float | None = Field(description="[nJy] of a limit a fifth of it")
    mag: float | None = Field(description="[mag, AB] of the absolute value of the flux")
    mag_error: float | None
    kind: Literal["detection", "negative", "forced", "limit"]


class ApiProblem(BaseModel):
    """An error (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    parameter: str | None = Field(None, description="which is wrong")


def target_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a row of the list as JSON has it."""
    aliases = [dict(zip(("survey", "object_id"), text.split(" ", 1), strict=True)) for text in row["objects"]]
    aliases.sort(key=lambda alias: alias["object_id"] != row["object_id"])
    name = in_path(row["name"])
    kept = {key: value for key, value in row.items() if key not in HIDDEN}
    return kept | {
        "dec": row["decl"],
        "aliases": aliases,
        "is_active": row["state"] == "active",
        "links": {
            "self": f"targets/{name}",
            "light_curve": f"targets/{name}/light-curve",
            "why": f"targets/{name}/why",
            "page": f"../../targets/{name}",
        },
    }
