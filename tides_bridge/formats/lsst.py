"""
Rubin and its forerunner ELAsTiCC: difference fluxes as columns.

Sources: lsst/alert_packet v9 to v11, LSSTDESC/elasticc v0_9 and v0_9_1. ``diaSource`` and ``prvDiaSources`` are
detections, ``prvDiaForcedSources`` is forced photometry. Times are TAI. A source that was withdrawn, or has no flux, is
no measurement. ``psfFlux`` is in nJy; ``psFlux`` has a zero point that the file does not tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Floats
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.meaning.bands import band_codes
from tides_bridge.formats.meaning.brightness import tell_errors
from tides_bridge.formats.meaning.epochs import plausible_epochs
from tides_bridge.formats.meaning.identifiers import Identifier
from tides_bridge.formats.ztf import Long, columns_of_facts
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.photometry import mjd_utc_from_tai


class Source(msgspec.Struct, gc=False):
    """A ``diaSource`` or ``diaForcedSource``, in either spelling."""

    diaSourceId: Long | None = None  # noqa: N815
    diaObjectId: Identifier = None  # noqa: N815
    ssObjectId: Identifier = None  # noqa: N815
    midpointMjdTai: float | None = None  # noqa: N815
    midPointTai: float | None = None  # noqa: N815
    band: str | None = None
    filterName: str | None = None  # noqa: N815
    psfFlux: float | None = None  # noqa: N815
    psfFluxErr: float | None = None  # noqa: N815
    psFlux: float | None = None  # noqa: N815
    psFluxErr: float | None = None  # noqa: N815
    ra: float | None = None
    dec: float | None = None
    decl: float | None = None
    reliability: float | None = None
    timeWithdrawnMjdTai: float | None = None  # noqa: N815

    @property
    def mjd_tai(self) -> float | None:
        """[d] In either spelling."""
        return self.midPointTai if self.midpointMjdTai is None else self.midpointMjdTai


class DiaObject(msgspec.Struct, gc=False):
    """What is used of a ``diaObject``."""

    diaObjectId: Identifier = None  # noqa: N815
    ra: float | None = None
    dec: float | None = None
    decl: float | None = None
    mwebv: float | None = None
    firstDiaSourceMjdTai: float | None = None  # noqa: N815


@dataclass
class LsstObject:
    """One object of a file: detections, forced photometry, and what is known beside."""

    object_id: str
    sources: list[Source]
    forced: list[Source]
    known: dict[str, Any] = field(default_factory=dict)


def lsst_curves(objects: Sequence[LsstObject], scale: float = 1.0) -> LightCurves:
    """
    Build light curves.

    Parameters
    ----------
    objects
        Of any of these surveys.
    scale
        What turns ``psFlux`` into nJy.
    """
    groups = [group for lsst_object in objects for group in (lsst_object.sources, lsst_object.forced)]
    points = list(chain.from_iterable(groups))
    lengths = np.array([len(group) for group in groups], dtype=np.int64)
    columns = {name: np.array([getattr(point, name) for point in points], dtype=float) for name in NUMBERS}
    columns["diaSourceId"] = np.array(
        [-1 if point.diaSourceId is None else point.diaSourceId for point in points], dtype=np.int64
    )
    bands = np.array([point.filterName if point.band is None else point.band for point in points], dtype=object)
    return lsst_curves_of_columns(
        [lsst_object.object_id for lsst_object in objects],
        np.repeat(np.arange(len(groups)) // 2, lengths),
        np.repeat(np.arange(len(groups)) % 2 == 0, lengths),
        {**columns, "band": band_codes(bands)},
        scale,
        columns_of_facts([lsst_object.known for lsst_object in objects]),
    )


NUMBERS = (
    "midpointMjdTai", "midPointTai", "psfFlux", "psfFluxErr", "psFlux", "psFluxErr", "ra", "dec", "decl", "reliability",
    "timeWithdrawnMjdTai",
)  # fmt: skip
"""The columns of float64 of a source."""


def lsst_curves_of_columns(  # noqa: PLR0913, PLR0917
    object_ids: Sequence[str],
    index: npt.NDArray[np.int64],
    is_detection: npt.NDArray[np.bool_],
    columns: dict[str, npt.NDArray[Any]],
    scale: float,
    objects: Objects,
) -> LightCurves:
    """Build light curves from the columns of sources: of `NUMBERS` those there are, band and diaSourceId."""
    flux, error = (
        _first(columns, len(index), rubin, old, scale)
        for rubin, old in (("psfFlux", "psFlux"), ("psfFluxErr", "psFluxErr"))
    )
    withdrawn = columns.get("timeWithdrawnMjdTai")
    used = np.isfinite(flux) if withdrawn is None else np.isfinite(flux) & np.isnan(withdrawn)
    tell_errors(error, np.where(used, flux, np.nan))
    points: dict[str, Any] = {
        "object_index": index,
        "mjd": plausible_epochs(mjd_utc_from_tai(_first(columns, len(index), "midpointMjdTai", "midPointTai"))),
        "band": columns["band"],
        "flux": flux,
        "flux_error": error,
        "is_detection": is_detection,
        "source_id": columns["diaSourceId"],
        "ra": _first(columns, len(index), "ra"),
        "decl": _first(columns, len(index), "dec", "decl"),
        "reliability": _first(columns, len(index), "reliability"),
    }
    if not used.all():
        points = {name: values[used] for name, values in points.items()}
    return LightCurves.from_fluxes(object_ids, objects=objects, **points)


def error_without_object(ss_object: str | None) -> MalformedAlert:
    """Say why an alert without object is refused."""
    what = f"it is about {ss_object}, an object of the solar system" if ss_object else "nothing says what it is about"
    return MalformedAlert("record", f"has no diaObjectId: {what}")


def _first(columns: dict[str, npt.NDArray[Any]], length: int, name: str, other: str = "", scale: float = 1.0) -> Floats:
    """Give a column; where it has nothing that of the other name, times a scale."""
    values, others = columns.get(name), columns.get(other)
    if others is None:
        return np.full(length, np.nan) if values is None else values
    others = others * scale
    return others if values is None else np.where(np.isnan(values), others, values)
