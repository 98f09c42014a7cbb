"""
What a broker says of an alert in ELAsTiCC and FASTDB: a probability for each class, by its id in the taxonomy.

ELAsTiCC2's ids have four digits, ELAsTiCC's three. A ``brokerClassification`` names the source, not the object: as
SNANA makes the alerts, a source's id is 2000 times that of its object and its number (the alerts in LSSTDESC's samples
have both). Messages of FASTDB are alerts with the same fields beside. Source: elasticc.v0_9_1 of LSSTDESC/elasticc.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.meaning.annotations import MOST
from tides_bridge.formats.meaning.taxonomy import class_of
from tides_bridge.lightcurves.photometry import MJD_OF_UNIX, TAI_AHEAD, mjd_from_time

SOURCES_PER_OBJECT: Final = 2000
"""Ids of sources that SNANA keeps for each object."""

TIMES: Final = ("brokerIngestTimestamp", "elasticcPublishTimestamp")
"""[ms since 1970] When the alert came to the broker, and when it was sent: the first that is known."""

WORDS: Final = ("brokerName", "brokerVersion", "classifierName", "classifierParams")
NUMBERS: Final = ("alertId", "diaSourceId")

UNFIT: Final = re.compile(r"[\s<>=!.]+")
"""Letters that no name of an annotation has, as a condition could not name it."""


def classes_in(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """
    Read the classes of a message.

    Parameters
    ----------
    record
        As it came, decoded.

    Returns
    -------
    list of dict
        One a class: `NUMBERS`, `WORDS`, ``classId``, ``class`` (None for an unknown id) and ``probability``.

    Raises
    ------
    MalformedAlert
        If it is no such message, or a number in it is none.
    """
    classes = record.get("classifications")
    if not isinstance(classes, list) or not record.get("brokerName"):
        raise MalformedAlert("message", "is no brokerClassification: it has no brokerName, or no classifications")
    head: dict[str, Any] = {name: whole_in(record.get(name), name) for name in NUMBERS}
    head |= {name: None if record.get(name) is None else str(record[name]) for name in WORDS}
    return [{**head, **_class(found)} for found in classes]


def _class(found: Any) -> dict[str, Any]:
    if not isinstance(found, Mapping) or found.get("classId") is None:
        raise MalformedAlert("message", "a classification has no classId")
    number = whole_in(found["classId"], "classId")
    try:
        name: str | None = class_of(str(number), "class id").name
    except ValueError:
        name = None
    probability = found.get("probability")
    try:
        return {"classId": number, "class": name, "probability": None if probability is None else float(probability)}
    except (TypeError, ValueError):
        raise MalformedAlert("message", f"a probability is {probability!r}, which is no number") from None


def whole_in(value: Any, name: str) -> int | None:
    """
    Read a whole number of 64 bits; a float that may have lost digits is none.

    Raises
    ------
    MalformedAlert
        If it is none; None is no number, and no error.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not str(value).strip().lstrip("-").isdigit() or abs(int(str(value))) >= 2**63:
        raise MalformedAlert("message", f"{name} is {str(value)[:40]!r}, which is no whole number of 64 bits")
    return int(str(value))


def probabilities_of(classes: list[dict[str, Any]]) -> dict[str, float | str]:
    """
    Give what a message says as annotations: ``classes.BROKER.CLASSIFIER.CLASS``, with the version of the broker.

    Parameters
    ----------
    classes
        Of `classes_in`: of one message.

    >>> probabilities_of([{"brokerName": "Fink", "classifierName": "SNN v1.0", "class": "SN Ia", "classId": 2222,
    ...                  "brokerVersion": "2", "probability": 0.75}])
    {'classes.Fink.SNN_v1_0.SN_Ia': 0.75, 'classes.version': '2'}
    """
    found: dict[str, float | str] = {}
    for row in classes[:MOST]:
        probability = row["probability"]
        if probability is not None and 0 <= probability <= 1:
            parts = (row["brokerName"], row["classifierName"], row["class"] or str(row["classId"]))
            name = ".".join(UNFIT.sub("_", _printable(part)) for part in parts if part)
            found[f"classes.{name}"] = probability
    version = _printable(classes[0]["brokerVersion"] or "") if classes else ""
    return found | ({"classes.version": version} if found and version else {})


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:60].strip()


def object_in(record: Mapping[str, Any]) -> tuple[str, str]:
    """
    Give survey and name of the object that a message is about.

    Parameters
    ----------
    record
        An alert with classes beside, as FASTDB has it, or a ``brokerClassification``.

    Raises
    ------
    MalformedAlert
        If it names neither an object nor a source.

    >>> object_in({"diaSourceId": 208089362038}), object_in({"diaObject": {"diaObjectId": 7}, "diaSourceId": 1})
    (('elasticc', '104044681'), ('lsst', '7'))
    """
    for part in (record.get("diaObject"), record.get("diaSource"), record):
        number = whole_in(part.get("diaObjectId"), "diaObjectId") if isinstance(part, Mapping) else None
        if number:
            return "lsst", str(number)
    source = whole_in(record.get("diaSourceId"), "diaSourceId")
    if source is None or source < SOURCES_PER_OBJECT:
        raise MalformedAlert("message", f"names no object: its diaSourceId is {source}")
    return "elasticc", str(source // SOURCES_PER_OBJECT)


def mjd_in(record: Mapping[str, Any]) -> float:
    """
    Give when a message was made [d, MJD, UTC]: when the alert came to the broker, was sent, or was observed.

    Raises
    ------
    MalformedAlert
        If it says nothing of that: what was said last would not be known.
    """
    for name in TIMES:
        if mjd := _mjd_of(record.get(name)):
            return mjd
    source = record.get("diaSource")
    epoch = source.get("midpointMjdTai") if isinstance(source, Mapping) else None
    if not isinstance(epoch, int | float) or not 40_000 < epoch < 100_000:
        raise MalformedAlert("message", f"has no time: neither {' nor '.join(TIMES)}")
    return epoch - TAI_AHEAD


def _mjd_of(value: Any) -> float | None:
    """Read a time of a message: in milliseconds, as text, or as fastavro gives it."""
    if isinstance(value, str):
        try:
            value = int(value) if value.strip().isdigit() else datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            return None
    if isinstance(value, datetime):
        return mjd_from_time(value if value.tzinfo else value.replace(tzinfo=UTC))
    is_time = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 5e12
    return value / 86_400_000 + MJD_OF_UNIX if is_time else None
