"""Which targets are meant, by one model for pages, programs and files: an address that says it can be shared."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from tides_bridge.console import is_storable
from tides_bridge.errors import SettingsError
from tides_bridge.lightcurves.photometry import mjd_from_time
from tides_bridge.targets.rulings import time_of

STATES: Final = (
    "active", "unseen", "faint", "unselected", "steady", "spectrum", "veto", "hold", "transient", "waiting", "merged",
    "off",
)  # fmt: skip
"""Of a target: active, or why it is off; transient and waiting are of hosts, off of what was never switched on."""

LONGEST: Final = 500
"""[letters] Of what is asked; an address of 8,000 letters is refused by servers."""

RADIUS: Final = re.compile(r"(?P<number>[0-9.eE+-]+)\s*(?P<unit>arcsec|arcmin|deg|\"|'|d)?")
ARCSECONDS: Final = {None: 1, "arcsec": 1, '"': 1, "arcmin": 60, "'": 60, "deg": 3600, "d": 3600}

SEXAGESIMAL: Final = re.compile(
    r"(?P<h>\d{1,2})[:h\s]\s*(?P<m>\d{1,2})[:m\s]\s*(?P<s>\d{1,2}(?:\.\d*)?)s?[\s,]+"
    r"(?P<sign>[+-]?)(?P<d>\d{1,2})[:d\s]\s*(?P<min>\d{1,2})[:m'\s]\s*(?P<sec>\d{1,2}(?:\.\d*)?)[s\"]?"
)
DEGREES: Final = re.compile(r"(?P<ra>[0-9.]+(?:[eE][+-]?\d+)?)(?:\s*,\s*|\s+)(?P<decl>[+-]?[0-9.]+(?:[eE][+-]?\d+)?)")


def _text(value: Any) -> Any:
    """Take what PostgreSQL can hold, without the blanks around; nothing for nothing written."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not is_storable(text):
        raise ValueError("has a letter that no text can hold")
    return text or None


def _epoch(value: Any) -> Any:
    """Read an MJD, or a time as people write it."""
    text = _text(value)
    if not isinstance(text, str):
        return text
    try:
        number = float(text)
    except ValueError:
        try:
            return mjd_from_time(time_of(text, ""))
        except SettingsError as error:
            raise ValueError(error.problem) from None
    if 1000 <= number < 10_000:
        raise ValueError(f"{text} is no time: write a year as {text}-01-01")
    return number


def _arcsec(value: Any) -> Any:
    """
    Read a radius.

    >>> _arcsec("2"), _arcsec("2 arcmin"), _arcsec("0.5deg")
    (2.0, 120.0, 1800.0)
    """
    text = _text(value)
    if not isinstance(text, str):
        return text
    found = RADIUS.fullmatch(text)
    try:
        return float(found["number"]) * ARCSECONDS[found["unit"]]  # type: ignore[index]  # None is caught below
    except (TypeError, ValueError):
        raise ValueError("is no radius: write it as 30, 2 arcmin or 1 deg; without a unit it is in arcsec") from None


def _words(value: Any) -> Any:
    """Split what stands between commas, or was given more than once."""
    parts = [part for text in value for part in str(_text(text) or "").split(",")] if _is_list(value) else _text(value)
    if isinstance(parts, str):
        parts = parts.split(",")
    return tuple(part.strip() for part in parts if part.strip()) or None if isinstance(parts, list) else parts


def _whole(words: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Refuse what would be taken for a letter, and be that of no target."""
    if any("*" in word for word in words or ()):
        raise ValueError("takes whole words, several with commas: * stands for letters in name, host and refused only")
    return words


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


Words = Annotated[
    tuple[Annotated[str, Field(max_length=100)], ...] | None, BeforeValidator(_words, json_schema_input_type=str | None)
]
WholeWords = Annotated[Words, AfterValidator(_whole)]
# The limits are of the value within: where nothing is written there is none to be compared.
Word = Annotated[Annotated[str, Field(max_length=LONGEST)] | None, BeforeValidator(_text)]
Number = Annotated[Annotated[float, Field(ge=-1e6, le=1e6)] | None, BeforeValidator(_text)]
Longitude = Annotated[Annotated[float, Field(ge=0, le=360)] | None, BeforeValidator(_text)]
Latitude = Annotated[Annotated[float, Field(ge=-90, le=90)] | None, BeforeValidator(_text)]
Radius = Annotated[
    Annotated[float, Field(gt=0, le=180 * 3600)] | None, BeforeValidator(_arcsec, json_schema_input_type=str | None)
]
Epoch = Annotated[
    Annotated[float, Field(ge=-600_000, le=2_900_000)] | None,
    BeforeValidator(_epoch, json_schema_input_type=str | None),
]
"""[MJD, UTC] As PostgreSQL can hold it as a time: from 4713 BC on."""
YesNo = Annotated[Literal["yes", "no"] | None, BeforeValidator(_text)]


class TargetFilter(BaseModel):
    """
    Conditions that must all be satisfied; one that is not given is none. Words between commas: one of them.

    Examples
    --------
    >>> chosen = TargetFilter.of_query([("state", "active"), ("state", "faint"), ("mag_to", "20.5"), ("name", "")])
    >>> chosen.state, chosen.mag_to, chosen.query()
    (('active', 'faint'), 20.5, 'state=active%2Cfaint&mag_to=20.5')
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

    name: Words = Field(None, description="name of the target or of an object of any survey; * for any letters")
    state: Words = Field(None, description=f"active, or why it is off: {', '.join(STATES)}")
    survey: WholeWords = Field(None, description="that has seen it: ztf, lsst")
    function: WholeWords = Field(None, description="selection function that chose it")
    sherlock_class: WholeWords = Field(None, alias="class", description="Sherlock's class: SN, NT, ...")
    type: WholeWords = Field(None, description="by its spectra: SN Ia, ...")
    tag: Words = Field(None, description="given by a person")
    ruling: WholeWords = Field(None, description="in force: veto, hold, force, comment")
    around: Word = Field(None, description="a place, as 150.1 -2.3 or 10:00:24 -02:18:00, or the name of a target")
    radius: Radius = Field(None, description="around that place, as 30 (arcsec), 2 arcmin or 1 deg; 60 arcsec")
    ra_from: Longitude = Field(None, description="right ascension [deg]; from 350 to 10 is across 0")
    ra_to: Longitude = Field(None, description="right ascension [deg]")
    dec_from: Latitude = Field(None, description="declination [deg]")
    dec_to: Latitude = Field(None, description="declination [deg]")
    mag_from: Number = Field(None, description="magnitude of the newest detection, not brighter")
    mag_to: Number = Field(None, description="magnitude of the newest detection, not fainter")
    tonight_from: Number = Field(None, description="magnitude expected tonight, not brighter")
    tonight_to: Number = Field(None, description="magnitude expected tonight, not fainter")
    z_from: Number = Field(None, description="redshift by its spectra")
    z_to: Number = Field(None, description="redshift by its spectra")
    seen_from: Epoch = Field(None, description="last detection: 2026-11-01, 2026-11-01T12:00 or an MJD, UTC")
    seen_before: Epoch = Field(None, description="last detection before")
    first_from: Epoch = Field(None, description="first detection")
    first_before: Epoch = Field(None, description="first detection before")
    new_from: Epoch = Field(None, description="became a target")
    new_before: Epoch = Field(None, description="became a target before")
    host: Word = Field(None, description="yes, no, or words in the name of the likeliest host; * for any letters")
    spectrum: YesNo = Field(None, description="whether it has enough spectra")
    at_4most: YesNo = Field(None, description="whether it has a row at 4MOST")
    refused: Word = Field(None, description="words in the reason why 4MOST cannot be told of it; * for any")

    @model_validator(mode="after")
    def _check(self) -> "TargetFilter":
        for state in self.state or ():
            if state not in STATES:
                raise ValueError(f"state: {state} is none: known are {', '.join(STATES)}")
        if self.radius is not None and self.around is None:
            raise ValueError("around: give the place that the radius is around")
        if (self.ra_from is None) != (self.ra_to is None):
            raise ValueError("ra_from: give both ra_from and ra_to")
        if self.around is not None and self.ra_from is not None:
            raise ValueError("around: give a place or ra_from and ra_to, not both")
        place_on_sky(self.around or "")
        return self

    @classmethod
    def of_query(cls, pairs: Iterable[tuple[str, str]]) -> "TargetFilter":
        """
        Read the parameters of an address; what is given more than once, as forms do, is one of these.

        Parameters
        ----------
        pairs
            Names and values.

        Raises
        ------
        SettingsError
            That names the parameter.
        """
        given: dict[str, str] = {}
        for name, value in pairs:
            if value.strip():
                given[name] = f"{given[name]},{value}" if name in given else value
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            name, problem = problems_of(error)[0]
            raise SettingsError("filter", name, problem) from None

    def query(self, **changes: str | None) -> str:
        """Give the address's part that says the same, with changes; None leaves a parameter out."""
        values = as_query(self) | changes
        return urlencode({name: value for name, value in values.items() if value is not None})

    def is_empty(self) -> bool:
        """Tell whether all targets are meant that were not merged into others."""
        return not as_query(self)

    def parameters(self, find: Callable[[str], tuple[float, float]]) -> dict[str, Any]:
        """
        Give what ``filter_listed`` of the database takes.

        Parameters
        ----------
        find
            Gives right ascension and declination [deg] of a target by its name.

        Raises
        ------
        SettingsError
            If there is none of this name.
        """
        chosen: dict[str, Any] = {key: list(value) for key, value in self._lists().items() if value}
        if self.name:
            patterns = [pattern_of(name) for name in self.name]
            chosen |= {"names": patterns, "names_begin": beginning_of(patterns)}
        chosen |= {key: value for key, value in self._ranges().items() if value is not None}
        if self.host in ("yes", "no"):
            chosen["has_host"] = self.host == "yes"
        elif self.host:
            chosen["host"] = f"%{pattern_of(self.host)}%"
        if self.refused:
            chosen["refused"] = f"%{pattern_of(self.refused)}%"
        for key, value in (("has_spectrum", self.spectrum), ("is_at_4most", self.at_4most)):
            if value:
                chosen[key] = value == "yes"
        if self.around:
            ra, decl = place_on_sky(self.around) or find(self.around)
            chosen |= cone_of(ra, decl, self.radius or 60.0)
        return chosen

    def _lists(self) -> dict[str, tuple[str, ...] | None]:
        return {
            "states": self.state,
            "surveys": self.survey,
            "functions": self.function,
            "classes": self.sherlock_class,
            "types": self.type,
            "tags": self.tag,
            "rulings": self.ruling,
        }

    def _ranges(self) -> dict[str, float | None]:
        same = (
            "ra_from", "ra_to", "mag_from", "mag_to", "tonight_from", "tonight_to", "seen_from", "seen_before",
            "first_from", "first_before", "new_from", "new_before",
        )  # fmt: skip
        renamed = {"decl_from": self.dec_from, "decl_to": self.dec_to}
        renamed |= {"redshift_from": self.z_from, "redshift_to": self.z_to}
        return {name: getattr(self, name) for name in same} | renamed


def as_query(chosen: BaseModel) -> dict[str, str]:
    """Write the values that are given as an address has them."""
    values = chosen.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
    return {
        name: ",".join(value)
        if isinstance(value, tuple)
        else repr(float(value)).removesuffix(".0")
        if isinstance(value, float)
        else str(value)
        for name, value in values.items()
    }


def problems_of(error: ValidationError) -> list[tuple[str, str]]:
    """Name each parameter that is wrong, and what is wrong with it."""
    found = []
    for problem in error.errors(include_url=False):
        name, text = ".".join(str(part) for part in problem["loc"][:1]), problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            text = f"is none: known are {', '.join(FIELDS)}"
        if not name:
            name, _, text = text.partition(": ")
        found.append((name, text))
    return found


FIELDS: Final = tuple(field.alias or name for name, field in TargetFilter.model_fields.items())
"""Of a filter, as an address has them."""


def pattern_of(text: str) -> str:
    r"""
    Make a pattern of SQL's LIKE of a name in which * or % stands for any letters.

    >>> pattern_of("TiDES26*"), pattern_of("a_b")
    ('TiDES26%', 'a\\_b')
    """
    return text.replace("\\", "\\\\").replace("_", "\\_").replace("*", "%")


def beginning_of(patterns: Sequence[str]) -> str:
    r"""
    Make one pattern of what all patterns of `pattern_of` begin with, by which an index can be read.

    >>> beginning_of(["TiDES26ab%", "TiDES26ac"]), beginning_of(["a\\_b", "a\\_c%"]), beginning_of(["%b", "b"])
    ('TiDES26a%', 'a\\_%', '%')
    """
    common = os.path.commonprefix([pattern.partition("%")[0] for pattern in patterns])  # noqa: RUF071 -- of letters, not of paths
    escapes = len(common) - len(common.rstrip("\\"))
    return (common[:-1] if escapes % 2 else common) + "%"


def place_on_sky(text: str) -> tuple[float, float] | None:
    """
    Read right ascension and declination [deg], None if these are none but a name.

    Raises
    ------
    ValueError
        If they are beyond the sky.

    >>> place_on_sky("150.1, -2.3"), place_on_sky("10:00:24 -02:18:00"), place_on_sky("TiDES26abc")
    ((150.1, -2.3), (150.1, -2.3), None)
    """
    if found := DEGREES.fullmatch(text.strip()):
        try:
            ra, decl = float(found["ra"]), float(found["decl"])
        except ValueError:
            return None
    elif found := SEXAGESIMAL.fullmatch(text.strip()):
        ra = 15 * (int(found["h"]) + int(found["m"]) / 60 + float(found["s"]) / 3600)
        decl = int(found["d"]) + int(found["min"]) / 60 + float(found["sec"]) / 3600
        decl = -decl if found["sign"] == "-" else decl
    else:
        return None
    if not (0 <= ra <= 360 and -90 <= decl <= 90):
        raise ValueError(f"around: {text} is no place on the sky")
    return round(ra % 360, 9), round(decl, 9)


def cone_of(ra: float, decl: float, radius_arcsec: float) -> Mapping[str, float]:
    """
    Give a cone with its ends in right ascension, by which an index can be read; without them where it has a pole.

    Parameters
    ----------
    ra, decl, radius_arcsec
        [deg, deg, arcsec].

    >>> cone_of(0.5, 60, 3600)["ra_from"], "ra_from" in cone_of(10, 89.9, 3600)
    (358.4996942200855, False)
    """
    cone = {"ra": ra, "decl": decl, "radius_arcsec": radius_arcsec}
    radius = radius_arcsec / 3600
    if abs(decl) + radius >= 89.99:
        return cone
    half = float(np.degrees(np.arcsin(np.sin(np.radians(radius)) / np.cos(np.radians(decl))))) + 1e-6
    return cone | ({} if half >= 180 else {"ra_from": (ra - half) % 360, "ra_to": (ra + half) % 360})
