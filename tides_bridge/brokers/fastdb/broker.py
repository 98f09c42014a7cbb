"""
FASTDB as a broker: its light curves are Rubin's, of detections and forced photometry, in nJy.

``mjd`` is Rubin's ``midpointMjdTai``. An object of theirs (``rootid``) may have several ids of Rubin's: that of its
newest detection names it here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tides_bridge.brokers.base import Decoded, Fetched, brief, position_in
from tides_bridge.brokers.decoding import decode_each
from tides_bridge.brokers.fastdb.api import FastDbApi
from tides_bridge.brokers.lasair.api import row_in
from tides_bridge.brokers.lasair.curves import NO_DETECTION
from tides_bridge.brokers.models import Alert, Message
from tides_bridge.errors import BrokerUnavailable, MalformedAlert
from tides_bridge.formats import in_one_line
from tides_bridge.formats.meaning.annotations import annotations_in
from tides_bridge.formats.meaning.epochs import EPOCHS
from tides_bridge.formats.records import Record, to_light_curves
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import TAI_AHEAD

COLUMNS = ("mjd", "band", "flux", "fluxerr", "isdet", "diasourceid", "source_diaobjectid")

UNKNOWN = "FASTDB does not know it"


class FastDb(FastDbApi):
    """The broker; see `base.Broker`."""

    def decode(self, messages: Sequence[Message]) -> Decoded:
        """Read messages of `HotTransients`, each with its light curve."""
        return decode_each(messages, lambda message: hot_alert_in(row_in(message.value)))

    def fetch(self, object_ids: Sequence[str]) -> Fetched:
        """Get light curves, all in one call; raises BrokerUnavailable if none can be had now."""
        wanted = [int(name) for name in object_ids if name.isdecimal()]
        found = self.ask("ltcv/getmanyltcvs/realtime", {"objids": wanted}) if wanted else []
        if not isinstance(found, list):
            raise BrokerUnavailable(self._service, f"answered {brief(found)} for light curves")
        parts, missing = [], dict.fromkeys(object_ids, UNKNOWN)
        for columns in found:
            try:
                name, curve = _curve_of(columns, missing)
            except MalformedAlert as problem:
                name, curve = problem.what, None
                missing |= {name: problem.problem} if name in missing else {}
            if curve is not None and name in missing:
                parts.append(curve)
                del missing[name]
        return Fetched(LightCurves.joined(parts), missing)

    def try_out(self) -> str:
        """Run a small query, and say who answered; raises BrokerUnavailable."""
        self.query("SELECT 1 AS one")
        return self._service


def _curve_of(columns: Any, wanted: Mapping[str, str]) -> tuple[str, LightCurves]:
    """Make the light curve of one of the objects that are wanted; raises MalformedAlert."""
    points = points_in(columns)
    names = {str(point["source_diaobjectid"]) for point in points if point["source_diaobjectid"]}
    name = next(iter(sorted(names & set(wanted))), "")
    try:
        curve = LightCurves.joined(to_light_curves([record_of(points, name)]))
    except (msgspec.ValidationError, TypeError, ValueError) as problem:
        raise MalformedAlert(name, f"its light curve cannot be read: {in_one_line(problem)}") from None
    if not curve.is_detection.any():
        raise MalformedAlert(name, NO_DETECTION)
    return name, curve


def hot_alert_in(content: Mapping[str, Any]) -> tuple[Alert, Record]:
    """
    Read an object as `HotTransients` has it.

    Raises
    ------
    MalformedAlert
        If it names no object, has no detection, or its position or an epoch is none.
    """
    points = points_in(content.get("ltcv"))
    found = sorted((point for point in points if point["isdet"]), key=lambda point: point["mjd"])
    if not found or not found[-1]["source_diaobjectid"]:
        raise MalformedAlert("message", "has no detection of an object that Rubin names")
    newest, first = found[-1], found[0]
    name = str(newest["source_diaobjectid"])
    place = content.get("place") or (newest.get("det_ra"), newest.get("det_dec"))
    ra, decl = position_in({"ra": place[0], "dec": place[1]}, ("ra",), ("dec",))
    alert = Alert(
        survey="lsst",
        object_id=name,
        newest_mjd=newest["mjd"] - TAI_AHEAD,
        ra=ra,
        decl=decl,
        sherlock_class=None,
        message={"rootid": content["ltcv"].get("rootid"), "brokers": content.get("brokers")},
        first_mjd=first["mjd"] - TAI_AHEAD,
        annotations=_annotations(content.get("brokers")),
    )
    return alert, record_of(points, name)


def points_in(columns: object) -> list[dict[str, Any]]:
    """
    Give the points of a light curve, whose columns FASTDB answers.

    Raises
    ------
    MalformedAlert
        If a column lacks, is shorter than others, or an epoch is none.
    """
    if not isinstance(columns, dict):
        raise MalformedAlert("message", f"its light curve is {brief(columns)}, no columns")
    names = [name for name, values in columns.items() if isinstance(values, list)]
    lacking = [name for name in COLUMNS if name not in names]
    if lacking:
        raise MalformedAlert("message", f"its light curve has no column {lacking[0]}")
    try:
        rows = [dict(zip(names, row, strict=True)) for row in zip(*(columns[name] for name in names), strict=True)]
    except ValueError:
        raise MalformedAlert("message", "the columns of its light curve have different lengths") from None
    for row in rows:
        if not isinstance(row["mjd"], int | float) or not EPOCHS[0] < row["mjd"] < EPOCHS[1]:
            raise MalformedAlert("message", f"mjd is {brief(row['mjd'])}, which is no epoch of our time")
    return rows


def record_of(points: Sequence[Mapping[str, Any]], name: str) -> Record:
    """Make the record that has the light curve of an object; raises ValidationError of msgspec if a value is none."""
    sources, forced = (
        [
            {
                "diaSourceId": point["diasourceid"],
                "midpointMjdTai": point["mjd"],
                "band": point["band"],
                "psfFlux": point["flux"],
                "psfFluxErr": point["fluxerr"],
            }
            for point in points
            if bool(point["isdet"]) is is_detection
        ]
        for is_detection in (True, False)
    )
    content = {"diaObjectId": "1", "diaSourcesList": sources, "diaForcedSourcesList": forced}
    record = msgspec.convert(content, Record, strict=False)
    record.diaObjectId = name
    return record


def _annotations(brokers: object) -> dict[str, float | str]:
    """Gather what brokers said of the newest detection, as FASTDB keeps it: name, topic and ``info``."""
    found: dict[str, float | str] = {}
    for word in brokers if isinstance(brokers, list) else []:
        if isinstance(word, dict) and isinstance(word.get("info"), dict):
            found |= annotations_in(word["info"], str(word.get("brokername", "fastdb")).lower())
    return found
