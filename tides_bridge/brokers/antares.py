"""
ANTARES: loci as zlib-compressed BSON, and their photometry by REST.

Source: the package antares-client 2.0.2, of which no code is used: ``_stream/schema/locus.py`` (messages, the old shape
too), ``search.py`` and ``_api/v2/utils.py`` (addresses). A message has no photometry. The table ``lightcurve`` of a
locus lacks the sign of a difference, so the alerts of the locus are asked for, whose properties are those of the
survey's packet with a prefix: ``ztf_magpsf``, ``lsst_diaSource_psfFlux``. Epochs of LSST are TAI there, too
(``ant_mjd`` equals ``midpointMjdTai``). Not verified at the service itself: that all alerts come in one answer, and
that it needs no key. A locus may have the alerts of several surveys; those of the one that names the object are used.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from tides_bridge.brokers.base import Decoded, brief, number_in, position_in
from tides_bridge.brokers.decoding import decode_each
from tides_bridge.brokers.lasair.api import OneByOneApi, refusal_in
from tides_bridge.brokers.lasair.curves import NO_DETECTION
from tides_bridge.brokers.models import Alert, Message
from tides_bridge.errors import BrokerUnavailable, MalformedAlert
from tides_bridge.formats import in_one_line
from tides_bridge.formats.bson_loci import locus_in
from tides_bridge.formats.json_text import LITERALS
from tides_bridge.formats.meaning.annotations import annotations_in
from tides_bridge.formats.meaning.epochs import EPOCHS
from tides_bridge.formats.records import Record, to_light_curves
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import MJD_ZERO, TAI_AHEAD
from tides_bridge.settings import shown_address

NAME = re.compile(r"[\w.+-]{1,256}", re.ASCII)
LOCUS = re.compile(r"ANT\w+", re.ASCII)
DIGITS = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)

UNKNOWN = "the light-curve API does not know it"


class NothingFound(Exception):
    """An answer that brings nothing of what was asked for; its text is the reason. It does not leave this module."""


class Antares(OneByOneApi):
    """
    The ANTARES broker.

    Parameters
    ----------
    settings
        With the address of the API: ``lightCurves.address``.
    """

    sends_token = False

    def decode(self, messages: Sequence[Message]) -> Decoded:
        """Read messages; their light curves are to be fetched."""
        return decode_each(messages, lambda message: (alert_in(message.value), None))

    def try_out(self) -> str:
        """Ask how many loci there are, and say who answered."""
        try:
            self._get("loci/statistics")
        except NothingFound as reason:
            raise BrokerUnavailable(self._service, str(reason)) from None
        return shown_address(self._options.address)

    def _curve_of(self, object_id: str) -> LightCurves | str:
        """Look up the locus of an object, and ask for its alerts; or give the reason why there is no light curve."""
        try:
            locus = object_id if LOCUS.fullmatch(object_id) else self._locus_of(object_id)
            alerts = self._get(f"loci/{quote(locus, safe='')}/alerts")
            curve = curve_of_alerts(alerts, object_id)
        except NothingFound as reason:
            return str(reason)
        except (msgspec.ValidationError, MalformedAlert, TypeError, ValueError, AttributeError) as problem:
            return f"its light curve cannot be read: {in_one_line(problem)}"
        return curve if len(curve) and curve.is_detection.any() else NO_DETECTION

    def _locus_of(self, object_id: str) -> str:
        """Look up the locus that has an object of a survey."""
        is_lsst = DIGITS.fullmatch(object_id) is not None
        key = "properties.survey.lsst.dia_object_id" if is_lsst else "properties.ztf_object_id"
        question = {"query": {"bool": {"filter": {"term": {key: object_id}}}}}
        found = self._get("loci", limit="1", elasticsearch_query=json.dumps(question))
        first = found[0] if isinstance(found, list) and found else None
        inner = first.get("locus") if isinstance(first, dict) else None
        name = (
            inner.get("locus_id") if isinstance(inner, dict) else first.get("id") if isinstance(first, dict) else None
        )
        if not isinstance(name, str):
            raise NothingFound(UNKNOWN)
        return name

    def _get(self, path: str, **parameters: str) -> Any:
        """Ask for something, and give what is under ``data``; raises NothingFound, or BrokerUnavailable."""
        response = self._answer("GET", path, params=parameters)
        if response.status_code != 200:
            raise NothingFound(UNKNOWN if response.status_code == 404 else refusal_in(response))
        try:
            content = msgspec.json.decode(LITERALS.sub(b"null", response.content))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            raise BrokerUnavailable(self._service, f"answered no JSON: {in_one_line(problem)}") from None
        if not isinstance(content, dict) or not isinstance(content.get("data"), dict | list):
            raise BrokerUnavailable(self._service, f"answered without data: {response.content[:200]!r}")
        return content["data"]


def alert_in(body: bytes) -> Alert:
    """
    Read a message.

    Raises
    ------
    MalformedAlert
        If it is not zlib-compressed BSON with a locus, or its position or an epoch is none.
    """
    locus = locus_in(body)
    properties = locus.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    survey, object_id = survey_and_name(locus.get("id"), properties)
    ra, decl = position_in(locus, ("ra",), ("dec",))
    newest = _mjd_in(properties, "newest")
    return Alert(
        survey=survey,
        object_id=object_id,
        newest_mjd=-MJD_ZERO if newest is None else newest,
        ra=ra,
        decl=decl,
        sherlock_class=None,
        message=_plain(
            {key: locus[key] for key in ("id", "ra", "dec", "properties", "tags", "catalogs") if key in locus}
        ),
        first_mjd=_mjd_in(properties, "oldest"),
        annotations=annotations_in(locus, "antares"),
    )


def survey_and_name(locus: object, properties: Mapping[str, Any]) -> tuple[str, str]:
    """
    Tell which object of which survey a locus is: of ZTF, else of LSST, else one of ANTARES only.

    Raises
    ------
    MalformedAlert
        If none of its names is one.

    >>> survey_and_name("ANT2026a", {"survey": {"lsst": {"dia_object_id": ["313637935709683761"]}}})
    ('lsst', '313637935709683761')
    """
    surveys = properties.get("survey")
    inner = {key: surveys.get(key) if isinstance(surveys, dict) else None for key in ("ztf", "lsst")}
    ztf, lsst = (part if isinstance(part, dict) else {} for part in (inner["ztf"], inner["lsst"]))
    candidates = [
        ("ztf", properties.get("ztf_object_id"), NAME),
        ("ztf", ztf.get("id"), NAME),
        ("lsst", lsst.get("dia_object_id"), DIGITS),
        ("antares", locus, LOCUS),
    ]
    for survey, value, pattern in candidates:
        name = _first_name(value)
        if name is not None and pattern.fullmatch(name) and (survey != "lsst" or int(name) < 2**63):
            return survey, name
    raise MalformedAlert("message", f"id is {brief(locus)}, and nothing else in it names an object")


def _first_name(value: object) -> str | None:
    """Read a name, or the first of a list of them; a float is none, as it may have lost digits."""
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, bool) or not isinstance(first, int | str):
        return None
    return str(int(first)) if isinstance(first, int) else first.strip()


def curve_of_alerts(alerts: object, object_id: str) -> LightCurves:
    """
    Build the light curve of an object from the alerts of its locus.

    Raises
    ------
    ValueError, TypeError, AttributeError, MalformedAlert
        If they are no alerts.
    """
    if not isinstance(alerts, list):
        raise ValueError(f"{brief(alerts)} is no list of alerts")
    properties = [alert.get("attributes", alert) | {"id": alert.get("id")} for alert in alerts]
    sources = [_source_in(alert) for alert in properties if _is_of(alert, "lsst")]
    points = [_point_in(alert) for alert in properties if _is_of(alert, "ztf")]
    if DIGITS.fullmatch(object_id):
        points = []
    elif not LOCUS.fullmatch(object_id) or points:
        sources = []
    listed = {"candidates": points, "objectId": object_id} if points else {"diaSourcesList": sources}
    record = msgspec.convert({**listed, "diaObjectId": "1"}, Record, strict=False)
    record.diaObjectId = object_id
    ztf, lsst = to_light_curves([record])
    return ztf if points else lsst


def _is_of(alert: Mapping[str, Any], survey: str) -> bool:
    """Tell whether an alert is of a survey, by its name: ``ztf_candidate:``, ``ztf_upper_limit:``, ``lsst:``."""
    return str(alert["id"]).startswith(survey)


def _without(prefix: str, alert: Mapping[str, Any]) -> dict[str, Any]:
    """Give the properties of an alert that have a prefix, without it."""
    properties: dict[str, Any] = alert.get("properties") or {}
    return {key.removeprefix(prefix): value for key, value in properties.items() if key.startswith(prefix)}


def _source_in(alert: Mapping[str, Any]) -> dict[str, Any]:
    source = _without("lsst_diaSource_", alert)
    return source if "midpointMjdTai" in source else {**source, "midpointMjdTai": alert.get("mjd")}


def _point_in(alert: Mapping[str, Any]) -> dict[str, Any]:
    """Make a point as ZTF has it; its ``candid`` is in the name of the alert, and an upper limit has none."""
    kind, _, candid = str(alert["id"]).partition(":")
    point = _without("ztf_", alert)
    is_detection = kind == "ztf_candidate"
    jd = point.get("jd")
    mjd = alert.get("mjd")
    return {
        **point,
        "jd": mjd + MJD_ZERO if jd is None and mjd is not None else jd,
        "candid": (int(candid) if candid.isdecimal() else point.get("candid")) if is_detection else None,
    }


def _mjd_in(properties: Mapping[str, Any], which: str) -> float | None:
    """Give the newest or oldest epoch of a locus [d, UTC], None if it has none; that of an LSST alert is TAI."""
    key = f"{which}_alert_observation_time"
    mjd = number_in(properties, key)
    if mjd is None:
        return None
    if not EPOCHS[0] < mjd < EPOCHS[1]:
        raise MalformedAlert("message", f"{key} is {mjd}, which is no MJD of our time")
    is_lsst = str(properties.get(f"{which}_alert_id")).startswith("lsst")
    return mjd - TAI_AHEAD if is_lsst else mjd


def _plain(value: Any) -> Any:
    """Give what BSON holds as JSON has it: times as text; bytes and other types are left out."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bool | str | float) or value is None:
        return value
    if isinstance(value, int):
        return int(value)  # not a subclass of BSON's
    return value.isoformat() if isinstance(value, datetime) else None
