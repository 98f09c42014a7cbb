"""Light curves of many objects as flat columns. No input or output here."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Floats, Integers, Mask, compiled
from tides_bridge.lightcurves.order import ordered
from tides_bridge.lightcurves.photometry import (
    LIMIT_SIGNIFICANCE,
    POGSON,
    flux_from_magnitude,
    magnitude_from_flux,
    night_of,
)

if TYPE_CHECKING:
    import pyarrow as pa


SENTINEL = -99.0
"""[mag] No magnitude is as bright: -99, -999 and -99999 mean that there is none."""


@dataclass(frozen=True)
class Objects:
    """
    What is known of n objects beside their light curves.

    Attributes
    ----------
    ra, decl
        (n,) float64 [deg]; NaN where unknown, as in all that follow.
    ebv
        (n,) float64 [mag]: E(B-V) of the Milky Way in that direction, as the broker gives it.
    solar_system, point_source, known_variable
        (n,) float64: 1 if it matches an object of the solar system, a star, a catalogued variable; 0 if it was looked
        up and does not.
    sherlock_class
        (n,) object: Sherlock's classification, None where unknown.
    first_seen
        (n,) float64 [d, UTC]: when its survey first detected something there, as the alert says. The light curve may
        begin later: packets have 30 days or a year of it.
    annotations
        (n,) object: what brokers say by source and name, a mapping; None where nothing is said. They are judged, and
        kept by themselves: no part of a digest or of a table.
    """

    ra: Floats
    decl: Floats
    ebv: Floats
    solar_system: Floats
    point_source: Floats
    known_variable: Floats
    sherlock_class: npt.NDArray[np.object_]
    first_seen: Floats
    annotations: npt.NDArray[np.object_]

    @classmethod
    def of(cls, number: int, **known: Any) -> Self:
        """
        Make the columns of a number of objects from those that are given; the others are unknown.

        >>> Objects.of(2, ebv=[0.1, 0.2]).ra
        array([nan, nan])
        """
        columns: dict[str, Any] = {field.name: np.full(number, np.nan) for field in fields(cls)}
        columns |= {name: np.full(number, None, dtype=object) for name in ("sherlock_class", "annotations")}
        for name, values in known.items():
            columns[name][:] = values
        return cls(**columns)

    @classmethod
    def unknown(cls, number: int) -> Self:
        """Make the columns of objects of which nothing is known."""
        return cls.of(number)


@dataclass(frozen=True)
class LightCurves:
    """
    Light curves of n objects with m points in all, flat: points of one object together, in the order of their epochs.

    Attributes
    ----------
    object_ids
        (n,) text.
    offsets
        (n + 1,) int64: object i has the points offsets[i] to offsets[i + 1].
    mjd
        (m,) float64 [d, UTC].
    band
        (m,) int8: position in `photometry.BANDS`; -1 for a band that is none of these.
    flux, flux_error
        (m,) float64 [nJy]: of the difference image, negative for a fading. A limit has an error only: a fifth of it.
    magnitude, magnitude_error
        (m,) float64 [mag]; NaN for a non-detection. Of the absolute value of the difference flux.
    significance
        (m,) float64: S/N, |flux|/error or 1.0857/magnitude error; NaN for a non-detection, or if the error is not > 0.
    night
        (m,) int64: number of the night.
    is_detection
        (m,) bool: False for a limit, and for forced photometry.
    is_positive
        (m,) bool: brighter than the template image. A negative difference is a fading, yet has a magnitude.
    source_id
        (m,) int64: ``candid`` or ``diaSourceId``; -1 where unknown.
    reliability
        (m,) float64: ``drb`` or ``reliability``, from 0 to 1; NaN where unknown.
    ra, decl
        (m,) float64 [deg]; NaN for a non-detection.
    objects
        What is known of the objects beside.
    """

    object_ids: tuple[str, ...]
    offsets: Integers
    mjd: Floats
    band: npt.NDArray[np.int8]
    flux: Floats
    flux_error: Floats
    magnitude: Floats
    magnitude_error: Floats
    significance: Floats
    night: Integers
    is_detection: Mask
    is_positive: Mask
    source_id: Integers
    reliability: Floats
    ra: Floats
    decl: Floats
    objects: Objects

    def __len__(self) -> int:
        """Give the number of objects."""
        return len(self.object_ids)

    @cached_property
    def object_index(self) -> Integers:
        """(m,) int64: which of the objects a point belongs to."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    @classmethod
    def from_magnitudes(  # noqa: PLR0913, PLR0917
        cls,
        object_ids: Sequence[str],
        object_index: npt.ArrayLike,
        mjd: npt.ArrayLike,
        band: npt.ArrayLike,
        magnitude: npt.ArrayLike,
        magnitude_error: npt.ArrayLike,
        *,
        is_detection: npt.ArrayLike,
        is_positive: npt.ArrayLike,
        limiting_magnitude: npt.ArrayLike | None = None,
        **others: Any,
    ) -> Self:
        """
        Build from magnitudes and the sign of the difference, points in any order; `_build` tells what becomes of them.

        Parameters
        ----------
        object_ids
            (n,) text.
        object_index, mjd, band, magnitude, magnitude_error, is_detection, is_positive
            (m,) As the attributes; a magnitude of -999 or -99999, and an infinite one, is none.
        limiting_magnitude
            (m,) [mag] of 5 sigma, of the non-detections.
        others
            night, source_id, reliability, ra, decl: (m,); objects.
        """
        detected = np.asarray(is_detection, dtype=bool)
        mag, error = (np.where(detected, _magnitudes(values), np.nan) for values in (magnitude, magnitude_error))
        sign = np.where(is_positive, 1.0, -1.0)
        flux = sign * flux_from_magnitude(mag)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            significance = np.where(error > 0, POGSON / error, np.nan)
            flux_error = np.abs(flux) * error / POGSON
        if limiting_magnitude is not None:
            limit = flux_from_magnitude(_magnitudes(limiting_magnitude)) / LIMIT_SIGNIFICANCE
            flux_error = np.where(detected, flux_error, limit)
        columns = {"flux": flux, "flux_error": flux_error, "magnitude": mag, "magnitude_error": error}
        columns |= {"significance": significance, "is_detection": detected, "is_positive": sign > 0}
        return cls._build(object_ids, object_index, mjd, band, columns, **others)

    @classmethod
    def from_fluxes(  # noqa: PLR0913, PLR0917
        cls,
        object_ids: Sequence[str],
        object_index: npt.ArrayLike,
        mjd: npt.ArrayLike,
        band: npt.ArrayLike,
        flux: npt.ArrayLike,
        flux_error: npt.ArrayLike,
        *,
        is_detection: npt.ArrayLike,
        **others: Any,
    ) -> Self:
        """
        Build from difference fluxes [nJy], points in any order; `_build` tells what becomes of them.

        Parameters
        ----------
        object_ids
            (n,) text.
        object_index, mjd, band, flux, flux_error, is_detection
            (m,) As the attributes; forced photometry is no detection. An infinite flux is none.
        others
            night, source_id, reliability, ra, decl: (m,); objects.
        """
        detected = np.asarray(is_detection, dtype=bool)
        value, error = _finite(flux), _finite(flux_error)
        size = np.where(detected, np.abs(value), np.nan)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            significance = np.where(error > 0, size / error, np.nan)
            magnitude_error = np.where(size > 0, POGSON * error / size, np.nan)
        columns = {"flux": value, "flux_error": error, "magnitude": magnitude_from_flux(size)}
        columns |= {"magnitude_error": magnitude_error, "significance": significance}
        return cls._build(
            object_ids,
            object_index,
            mjd,
            band,
            {**columns, "is_detection": detected, "is_positive": value > 0},
            **others,
        )

    @classmethod
    def _build(  # noqa: PLR0913
        cls,
        object_ids: Sequence[str],
        object_index: npt.ArrayLike,
        mjd: npt.ArrayLike,
        band: npt.ArrayLike,
        columns: dict[str, npt.NDArray[Any]],
        *,
        night: npt.ArrayLike | None = None,
        objects: Objects | None = None,
        **others: npt.ArrayLike | None,
    ) -> Self:
        """
        Sort the points; leave out those without a finite epoch, and what comes twice.

        Twice means: of one object, with the same epoch, band and source, or where the source is unknown brightness.
        Where no night is given it is `night_of` the epoch.
        """
        index, epoch = np.asarray(object_index, dtype=np.int64), np.asarray(mjd, dtype=float)
        points: dict[str, npt.NDArray[Any]] = {"mjd": epoch, "band": np.asarray(band, dtype=np.int8), **columns}
        points |= {name: _column(others.get(name), np.nan, len(epoch)) for name in ("reliability", "ra", "decl")}
        points["source_id"] = _column(others.get("source_id"), -1, len(epoch), np.int64)
        if not np.isfinite(epoch).all():
            index, points = _taken(index, points, np.isfinite(epoch))
            night = None if night is None else np.asarray(night)[np.isfinite(epoch)]
        points["night"] = night_of(points["mjd"]) if night is None else np.asarray(night, dtype=np.int64)
        offsets, points = ordered(index, points, len(object_ids))
        return cls(tuple(object_ids), offsets, objects=objects or Objects.unknown(len(object_ids)), **points)

    @classmethod
    def from_points(cls, object_ids: Sequence[str], points: Iterable[tuple[object, ...]]) -> Self:
        """
        Build from rows of (object index, mjd, band, magnitude, error, night, is_detection, is_positive, ra, decl).

        Units as in the attributes; None where a value is missing.

        >>> curves = LightCurves.from_points(["ZTF26a"], [(0, 61000.0, 1, 19.5, 0.1, 3300, True, True, 10.0, -20.0)])
        >>> len(curves), curves.magnitude
        (1, array([19.5]))
        """
        types = (np.int64, float, np.int8, float, float, np.int64, np.bool_, np.bool_, float, float)
        columns = list(zip(*points, strict=True)) or [()] * len(types)
        arrays: list[Any] = [np.array(column, dtype=dtype) for column, dtype in zip(columns, types, strict=True)]
        index, mjd, band, mag, error, night, detection, positive, ra, decl = arrays
        signs = {"is_detection": detection, "is_positive": positive}
        return cls.from_magnitudes(object_ids, index, mjd, band, mag, error, **signs, night=night, ra=ra, decl=decl)

    def part(self, start: int, stop: int) -> Self:
        """Give the objects from start up to stop, without copying their points."""
        stop = min(stop, len(self))
        points = slice(self.offsets[start], self.offsets[stop])
        columns = {name: getattr(self, name)[points] for name in POINT_COLUMNS}
        known = {field.name: getattr(self.objects, field.name)[start:stop] for field in fields(Objects)}
        offsets = self.offsets[start : stop + 1] - self.offsets[start]
        return type(self)(self.object_ids[start:stop], offsets, objects=Objects(**known), **columns)

    def with_points(self, chosen: Mask) -> Self:
        """Give all objects with some of their points only: (m,) which."""
        columns = {name: getattr(self, name)[chosen] for name in POINT_COLUMNS}
        before = np.concatenate([[0], np.cumsum(chosen)]).astype(np.int64)
        return type(self)(self.object_ids, before[self.offsets], objects=self.objects, **columns)

    @classmethod
    def joined(cls, parts: Sequence["LightCurves"]) -> "LightCurves":
        """Put the objects of several parts one after the other."""
        if not parts:
            return cls.from_points([], [])
        ends = np.cumsum([part.offsets[-1] for part in parts])
        starts = [0, *ends[:-1]]
        offsets = [part.offsets[1:] + start for part, start in zip(parts, starts, strict=True)]
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in POINT_COLUMNS}
        known = {
            field.name: np.concatenate([getattr(part.objects, field.name) for part in parts])
            for field in fields(Objects)
        }
        ids = tuple(object_id for part in parts for object_id in part.object_ids)
        return cls(ids, np.concatenate([[0], *offsets]).astype(np.int64), objects=Objects(**known), **columns)

    def merged(self, object_ids: Sequence[str], index: npt.ArrayLike, objects: Objects) -> Self:
        """
        Make one object of several, such as those of two surveys at one place.

        Parameters
        ----------
        object_ids, objects
            The new objects, and what is known of them.
        index
            (n,) Which of them each of these becomes.
        """
        columns = {name: getattr(self, name) for name in POINT_COLUMNS}
        mjd, band = columns.pop("mjd"), columns.pop("band")
        others = {name: columns.pop(name) for name in ("night", "source_id", "reliability", "ra", "decl")}
        becomes = np.asarray(index, dtype=np.int64)[self.object_index]
        return self._build(object_ids, becomes, mjd, band, columns, objects=objects, **others)

    def digests(self) -> list[str]:
        """
        Hash what is judged of each object: its points, and what is known beside.

        Returns
        -------
        list of str
            (n,) 32 hexadecimal characters; equal where all columns are. Brightness is taken to 7 digits: the last of 16
            is that of the processor that worked it out.
        """
        known = zip(*(getattr(self.objects, name).tolist() for name in ARROW_TYPES), strict=True)
        digests: list[str] = []
        # Some objects after the other: what is copied stays in the processor's cache.
        edges = np.searchsorted(self.offsets, np.arange(0, len(self.mjd), DIGESTED_POINTS)).tolist()
        for start, stop in pairwise([0, *edges, len(self)]):
            rows = self._rows(int(self.offsets[start]), int(self.offsets[stop]))
            content = memoryview(rows.view(np.uint8).data)
            ends = ((self.offsets[start : stop + 1] - self.offsets[start]) * rows.dtype.itemsize).tolist()
            for (begin, end), about in zip(pairwise(ends), islice(known, stop - start), strict=True):
                digest = hashlib.blake2b(content[begin:end], digest_size=16)
                # Who says nothing of the first keeps the digest that it had before this was asked.
                digest.update(repr(about[:-1] if np.isnan(about[-1]) else about).encode())
                digests.append(digest.hexdigest())
        return digests

    def _rows(self, start: int, stop: int) -> npt.NDArray[np.void]:
        """Give points as rows of bytes, equal where the points are: one NaN, one zero, 7 digits of brightness."""
        types = [(name, np.float32 if name in BRIGHTNESS else getattr(self, name).dtype) for name in POINT_COLUMNS]
        rows = np.empty(stop - start, dtype=types)
        for name in POINT_COLUMNS:
            values = getattr(self, name)[start:stop]
            if values.dtype.kind == "f":
                _copy_plainly(values, rows[name])
            else:
                rows[name] = values
        return rows

    def to_arrow(self) -> "pa.Table":
        """Give an Arrow table, one row an object: its points are lists. `from_arrow` gives the same back."""
        import pyarrow as pa

        offsets = pa.array(self.offsets)
        columns: dict[str, pa.Array] = {"object_id": pa.array(self.object_ids, pa.string())}
        for name, kind in ARROW_TYPES.items():
            columns[name] = pa.array(getattr(self.objects, name).tolist(), kind)
        for name in POINT_COLUMNS:
            values = pa.array(np.ascontiguousarray(getattr(self, name)))
            columns[f"point_{name}"] = pa.LargeListArray.from_arrays(offsets, values)
        return pa.table(columns)

    @classmethod
    def from_arrow(cls, table: "pa.Table") -> Self:
        """Build from the table that `to_arrow` gives, or a part of it."""
        columns: dict[str, npt.NDArray[Any]] = {}
        lists = {name: table[f"point_{name}"].combine_chunks() for name in POINT_COLUMNS}
        for name, column in lists.items():
            columns[name] = column.flatten().to_numpy(zero_copy_only=False)
        lengths = lists["mjd"].value_lengths().to_numpy(zero_copy_only=False)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        known = {name: table[name].to_pylist() for name in ARROW_TYPES if name in table.column_names}
        ids = tuple(table["object_id"].to_pylist())
        return cls(ids, offsets, objects=Objects.of(len(ids), **known), **columns)


POINT_COLUMNS = tuple(
    field.name for field in fields(LightCurves) if field.name not in ("object_ids", "offsets", "objects")
)
"""The columns with a row a point, in the order of the attributes."""

BRIGHTNESS = ("flux", "flux_error", "magnitude", "magnitude_error", "significance")
"""The columns of which some are worked out from others."""

DIGESTED_POINTS = 8192
"""Of so many points the digests are made at a time, about."""

ARROW_TYPES = {field.name: "float64" for field in fields(Objects) if field.name != "annotations"}
ARROW_TYPES["sherlock_class"] = "string"
"""What is known of objects that belongs to digests and tables, in the order of the digest; the last came last."""


@compiled
def _copy_plainly(values: Floats, into: npt.NDArray[np.floating[Any]]) -> None:
    """Copy numbers so that equal ones are equal bytes: there are many NaN and two zeros; beyond 3e38 all are one."""
    for j in range(len(values)):
        into[j] = np.nan if np.isnan(values[j]) else values[j] + 0.0


def _finite(values: npt.ArrayLike) -> Floats:
    array = np.asarray(values, dtype=float)
    return array if np.isfinite(array).all() else np.where(np.isfinite(array), array, np.nan)


def _magnitudes(values: npt.ArrayLike) -> Floats:
    """Read magnitudes or their errors; what is a sentinel or infinite becomes NaN."""
    array = np.asarray(values, dtype=float)
    return np.where(np.isfinite(array) & (array > SENTINEL), array, np.nan)


def _column(values: npt.ArrayLike | None, missing: float, length: int, dtype: Any = float) -> npt.NDArray[Any]:
    return np.full(length, missing, dtype=dtype) if values is None else np.asarray(values, dtype=dtype)


def _taken(
    index: Integers, points: dict[str, npt.NDArray[Any]], chosen: npt.NDArray[Any]
) -> tuple[Integers, dict[str, npt.NDArray[Any]]]:
    return index[chosen], {name: values[chosen] for name, values in points.items()}
