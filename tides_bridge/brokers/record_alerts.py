"""Alerts of records that bring their light curve, one by one."""

from typing import Any

import msgspec

from tides_bridge.brokers.models import Alert
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import in_one_line
from tides_bridge.formats.meaning.epochs import EPOCHS
from tides_bridge.formats.records import Record, identify
from tides_bridge.lightcurves.photometry import MJD_ZERO, TAI_AHEAD
from tides_bridge.lightcurves.sky import is_on_sky, right_ascension


def alert_of_record(content: dict[str, Any]) -> tuple[Alert, Record | None]:
    """
    Make an alert of a record that has its light curve.

    Raises
    ------
    MalformedAlert
        If it cannot be read, or is about no object.
    """
    try:
        record = msgspec.convert(content, Record, strict=False)
    except msgspec.ValidationError as problem:
        raise MalformedAlert("message", f"cannot be read: {in_one_line(problem)}") from None
    return alert_of(record, *identify(record)), record


def alert_of(record: Record, name: str, epoch: float) -> Alert:
    """
    Make the alert of a packet; what else it says of the object will lie with its light curve.

    Parameters
    ----------
    record
        The packet.
    name, epoch
        What `identify` tells of it: the object, and the newest epoch [d, MJD, UTC].
    """
    place = record.candidate or record.diaObject or record.diaSource
    if record.candidate is None and record.diaSource is not None and (place is None or place.ra is None):
        place = record.diaSource
    ra, decl = (None, None) if place is None else (place.ra, getattr(place, "dec", None))
    decl = getattr(place, "decl", None) if decl is None else decl
    is_placed = ra is not None and decl is not None and bool(is_on_sky(ra, decl))
    survey = "ztf" if record.diaSource is None else "lsst" if record.diaSource.midPointTai is None else "elasticc"
    return Alert(
        survey=survey,
        object_id=name,
        newest_mjd=epoch,
        ra=float(right_ascension(ra)) if is_placed and ra is not None else None,
        decl=decl if is_placed else None,
        sherlock_class=None,
        message={},
        first_mjd=_first_mjd(record),
    )


def _first_mjd(record: Record) -> float | None:
    """Give the epoch of the first detection in a record [d, MJD, UTC]; None if it has none."""
    if record.candidate is not None:
        points = [record.candidate, *(record.prv_candidates or [])]
        epochs = [point.jd - MJD_ZERO for point in points if point.jd is not None and point.candid is not None]
    else:
        sources = [record.diaSource, *(record.prvDiaSources or [])]
        taken = [source.mjd_tai for source in sources if source is not None]
        epochs = [epoch - TAI_AHEAD for epoch in taken if epoch is not None]
    return min((epoch for epoch in epochs if EPOCHS[0] < epoch < EPOCHS[1]), default=None)
