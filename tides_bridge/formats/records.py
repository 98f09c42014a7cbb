"""
A record of any survey, as JSON or Avro has it: one typed shape.

msgspec skips what is not named here, which is most of a packet. What a record is of is told by the keys it has.
"""

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.lsst import DiaObject, LsstObject, Source, error_without_object, lsst_curves
from tides_bridge.formats.meaning.annotations import TOPS, annotations_in
from tides_bridge.formats.meaning.epochs import NO_EPOCH, known_epochs
from tides_bridge.formats.meaning.identifiers import Identifier, identifier_text
from tides_bridge.formats.ztf import NewestPoint, Point, ZtfObject, facts_of_alert, is_known_variable, ztf_curves
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import MJD_ZERO, TAI_AHEAD

UNDERSTOOD = (
    "ZTF alert packets (objectId, candidate), Rubin and ELAsTiCC alerts (diaSource), Lasair's answers (objectId, "
    "candidates; diaObjectId, diaSourcesList) and its messages with an alert"
)


class ZtfEpoch(msgspec.Struct, gc=False):
    """The epoch of a point of ZTF."""

    jd: float | None


class LsstEpoch(msgspec.Struct, gc=False):
    """The ids and epoch of a source."""

    diaObjectId: Identifier = None  # noqa: N815
    ssObjectId: Identifier = None  # noqa: N815
    midpointMjdTai: float | None = None  # noqa: N815
    midPointTai: float | None = None  # noqa: N815

    @property
    def mjd_tai(self) -> float | None:
        """[d] In either spelling."""
        return self.midPointTai if self.midpointMjdTai is None else self.midpointMjdTai


class LsstHead(msgspec.Struct, gc=False):
    """The ids and epochs of a nested ``alert``."""

    diaObjectId: Identifier = None  # noqa: N815
    diaObject: DiaObject | None = None  # noqa: N815
    diaSourcesList: list[LsstEpoch] | None = None  # noqa: N815


class Head(LsstHead, gc=False):
    """As much of a record as tells which object it is about, and how new it is."""

    objectId: str | int | None = None  # noqa: N815
    candidate: ZtfEpoch | None = None
    candidates: list[ZtfEpoch] | None = None
    diaSource: LsstEpoch | None = None  # noqa: N815
    alert: LsstHead | None = None
    error: Any = None


class LsstAlert(msgspec.Struct, gc=False):
    """The ``alert`` that Lasair adds to a message, LITE or FULL, and its API's answer."""

    diaObjectId: Identifier = None  # noqa: N815
    diaObject: DiaObject | None = None  # noqa: N815
    diaSourcesList: list[Source] | None = None  # noqa: N815
    diaForcedSourcesList: list[Source] | None = None  # noqa: N815
    ebv: float | None = None
    annotations: Any = None


if TYPE_CHECKING:

    class Said(LsstAlert):
        """What brokers say beyond the light curve: the fields `NOTED`, of any content."""

else:
    Said = msgspec.defstruct(
        "Said",
        [(name, Any, None) for name in sorted(TOPS - set(LsstAlert.__struct_fields__))],
        bases=(LsstAlert,),
        gc=False,
    )


class Record(Said, gc=False):
    """Every key that is used of a record."""

    objectId: str | int | None = None  # noqa: N815
    candidate: NewestPoint | None = None
    prv_candidates: list[Point] | None = None
    candidates: list[NewestPoint] | None = None
    objectData: Any = None  # noqa: N815
    sherlock: Any = None
    labels: Any = None
    vsx: Any = msgspec.UNSET
    gcvs: Any = msgspec.UNSET
    diaSource: Source | None = None  # noqa: N815
    prvDiaSources: list[Source] | None = None  # noqa: N815
    prvDiaForcedSources: list[Source] | None = None  # noqa: N815
    alert: LsstAlert | None = None
    ra: float | None = None
    decl: float | None = None
    classification: Any = None
    sherlock_classifications: Any = None
    lasairData: Any = None  # noqa: N815
    xm: Any = None
    error: Any = None


NOTED = tuple(sorted(TOPS | {"annotations"}))


def annotations_of(record: Record) -> dict[str, Any]:
    """Tell what the broker of a record says of its object beyond the light curve, as a fact of `Objects`."""
    fields = {name: value for name in NOTED if (value := getattr(record, name)) not in (None, msgspec.UNSET)}
    if record.candidate is not None or record.diaSource is not None:
        return {"annotations": annotations_in(fields, "fink") or None}
    inner = record.lasairData if isinstance(record.lasairData, dict) else {}
    if record.alert is not None and record.alert.annotations is not None:
        inner = {**inner, "annotations": record.alert.annotations}
    return {"annotations": annotations_in({**fields, **inner}, "lasair") or None}


def identify(record: Head | Record) -> tuple[str, float]:
    """
    Tell which object a record is about, and the newest epoch in it [d, MJD, UTC].

    Raises
    ------
    MalformedAlert
        If it has no light curve, or is about no object.
    """
    if record.candidate is not None:
        return _ztf_name(record), _newest([record.candidate.jd], MJD_ZERO)
    if record.candidates is not None:
        return _ztf_name(record), _newest([point.jd for point in record.candidates], MJD_ZERO)
    if record.diaSource is not None:
        return _alert_name(record), _newest([record.diaSource.mjd_tai], TAI_AHEAD)
    return _lasair_name(record)


def sources_of(record: Record | LsstAlert) -> list[Source]:
    """Give the detections of Rubin or ELAsTiCC that a record has."""
    if isinstance(record, Record) and record.diaSource is not None:
        return [record.diaSource, *(record.prvDiaSources or [])]
    alert = record.alert if isinstance(record, Record) and record.alert is not None else record
    return alert.diaSourcesList or []


def to_light_curves(records: Sequence[Record], scale: float = 1.0) -> tuple[LightCurves, LightCurves]:
    """
    Build the light curves of records that `identify` knows: those of ZTF, and those in fluxes.

    Parameters
    ----------
    records
        Decoded from JSON or Avro, of any survey.
    scale
        What turns ``psFlux`` of ELAsTiCC into nJy.

    Returns
    -------
    (LightCurves, LightCurves)
        Apart, since only those of ZTF are measured in magnitudes; the order of the records stays in each.
    """
    ztf = [_of_ztf(record) for record in records if record.candidate is not None or record.candidates is not None]
    lsst = [_of_lsst(record) for record in records if record.candidate is None and record.candidates is None]
    return ztf_curves(ztf), lsst_curves(lsst, scale)


def _ztf_name(record: Head | Record) -> str:
    if record.objectId is None:
        raise MalformedAlert("record", "has no objectId")
    name = str(record.objectId).strip()
    if not name:
        raise MalformedAlert("record", "has an empty objectId")
    if problem := not_of_ztf(name):
        raise MalformedAlert("record", problem)
    return name


def not_of_ztf(name: str) -> str:
    """
    Say why a packet with ``candidate`` is not one of ZTF, by the name of its object; "" if it may be.

    >>> not_of_ztf("ZTF18aabbccd"), not_of_ztf("WNTR24abcde").partition(":")[0]
    ('', 'is a packet of WNTR, not of ZTF')
    """
    found = OTHER_NAME.fullmatch(name)
    return f"is a packet of {found[1]}, not of ZTF: its filters have other numbers" if found else ""


OTHER_NAME = re.compile(r"(?!ZTF)([A-Z][A-Z0-9]{2,7}?)\d{2}[a-z]{3,}", re.ASCII)
"""A name as surveys give them in their own pipelines: WNTR24abcde of WINTER, PGIR20abc of Gattini."""


def _alert_name(record: Head | Record) -> str:
    """Give the object of an alert: as its source has it, since some files keep the object's own id as a float."""
    source, dia_object = record.diaSource, record.diaObject
    name = identifier_text(source.diaObjectId, "diaSource.diaObjectId") if source else None
    if name is None and dia_object:
        name = identifier_text(dia_object.diaObjectId, "diaObject.diaObjectId")
    if name is None:
        raise error_without_object(identifier_text(source.ssObjectId, "ssObjectId") if source else None)
    return name


def _lasair_name(record: Head | Record) -> tuple[str, float]:
    alert = record if record.alert is None else record.alert
    if alert.diaSourcesList is None:
        raise MalformedAlert("record", _why_not(record))
    of_object = alert.diaObject.diaObjectId if alert.diaObject else None
    for value in (record.diaObjectId, of_object, alert.diaObjectId, record.objectId):
        name = identifier_text(value, "diaObjectId")
        if name is not None:
            return name, _newest([source.mjd_tai for source in alert.diaSourcesList], TAI_AHEAD)
    raise MalformedAlert("record", "has sources, but no diaObjectId")


def _why_not(record: Head | Record) -> str:
    if record.error is not None:
        return f"Lasair's answer is an error: {str(record.error)[:200]}"
    if record.diaObjectId is not None:
        return "has no light curve: does the Lasair filter add the alert (LITE or FULL) to its messages?"
    if record.objectId is not None:
        return "has an objectId, but no light curve"
    return f"is none of these: {UNDERSTOOD}"


def _newest(epochs: Sequence[float | None], zero: float = 0.0) -> float:
    """Give the newest epoch, counted from a zero."""
    known = [epoch for epoch in epochs if epoch is not None and math.isfinite(epoch)]
    return max(known) - zero if known else NO_EPOCH


def _of_ztf(record: Record) -> ZtfObject:
    name = _ztf_name(record)
    if record.candidate is not None:
        catalogues = [catalogue for catalogue in (record.vsx, record.gcvs) if catalogue is not msgspec.UNSET]
        if isinstance(record.labels, dict) and "vsx" in record.labels:
            catalogues.append(record.labels["vsx"])
        known = facts_of_alert(record.candidate) | {"known_variable": is_known_variable(*catalogues)}
        points: list[Point] = [record.candidate, *(record.prv_candidates or [])]
        return ZtfObject(name, points, known | annotations_of(record))
    newest = record.candidates or []
    detections = [point for point in newest if point.candid is not None]
    known = facts_of_alert(max(detections, key=lambda point: point.jd or 0.0)) if detections else {}
    if _part(record.objectData, "ramean") is not None:
        known |= {"ra": record.objectData["ramean"], "decl": record.objectData.get("decmean")}
    return ZtfObject(name, list(newest), known | _sherlock(record) | annotations_of(record))


def _of_lsst(record: Record) -> LsstObject:
    if record.diaSource is not None:
        known = _known(record.diaObject, record.diaSource) | _variable(record)
        if record.diaSource.midpointMjdTai is not None:  # ELAsTiCC simulated nothing of the solar system
            known["solar_system"] = float(identifier_text(record.diaSource.ssObjectId, "ssObjectId") is not None)
        sources = [record.diaSource, *(record.prvDiaSources or [])]
        known |= annotations_of(record)
        return LsstObject(_alert_name(record), sources, record.prvDiaForcedSources or [], known)
    alert = record if record.alert is None else record.alert
    sources = alert.diaSourcesList or []
    known = _known(alert.diaObject, record) | _sherlock(record) | annotations_of(record)
    extinction = [alert.ebv, record.ebv, _part(record.lasairData, "ebv")]
    known["ebv"] = next((value for value in extinction if value is not None), None)
    return LsstObject(_lasair_name(record)[0], sources, alert.diaForcedSourcesList or [], known)


def _known(*sources: DiaObject | Source | Record | None) -> dict[str, Any]:
    """Take position, extinction and the first epoch from the first that has a position."""
    for source in sources:
        if source is not None and source.ra is not None:
            decl, first = getattr(source, "dec", None), getattr(source, "firstDiaSourceMjdTai", None)
            return {
                "ra": source.ra,
                "decl": source.decl if decl is None else decl,
                "ebv": getattr(source, "mwebv", None),
                "first_seen": None if first is None else float(known_epochs(first - TAI_AHEAD)),
            }
    return {}


def _variable(record: Record) -> dict[str, Any]:
    """Read Fink's cross-matches."""
    if not isinstance(record.xm, dict):
        return {}
    return {"known_variable": is_known_variable(*(record.xm[key] for key in XM if key in record.xm))}


XM = ("vsx_Type", "gcvs_type")
"""Fink's columns of catalogues of variables."""


def _sherlock(record: Record) -> dict[str, Any]:
    """Find Sherlock's class, which Lasair puts in different places."""
    inner = _part(record.lasairData, "sherlock")
    places = [record.classification, record.sherlock_classifications, _part(record.sherlock, "classification")]
    places.append(_part(inner, "classification"))
    return {"sherlock_class": next((text for text in places if isinstance(text, str)), None)}


def _part(value: Any, key: str) -> Any:
    """Give a part of what may be no mapping."""
    return value.get(key) if isinstance(value, dict) else None
