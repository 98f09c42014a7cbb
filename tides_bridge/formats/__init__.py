"""
Formats of alerts and light curves, in files and in messages: one module a container or survey.

::

    ztf, lsst     what a record of a survey means: points and facts become `LightCurves`
    records       a record of any of them, as JSON or Avro has it: one typed shape, and what it is a record of
    meaning       what values mean in whatever container: bands, epochs, zero points, names, nights
    needed        the fields without which an alert is refused, by their names
    lasair        Lasair's answers of today, the fast way
    json_text, avro.records, nested, tables      the containers: where records lie in a file, and how some are read
    columnar      many Avro messages of Rubin at once, through avro.program and avro.columns
    framing, avro.schemas, bson_loci      how an alert is packed into a message, and which Avro schema it has
    contents, members      the bytes of a file, unpacked; the files in an archive
    files         all files that `tides select` and `tides backtest` read, whatever their format
    messages_of_files, recording      the records of a file as messages of a stream
    whole_alerts  a message of any framing with all its fields, for a person
    packed_structs      msgspec structures as bytes that numpy reads

Each container has two functions. ``index`` goes through a file once and notes of every record which object it is about,
how new it is, and where it lies; ``read`` gets the chosen ones of a `FilePiece`. Nothing else is kept in between.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from tides_bridge.compiled import Floats, Integers, Mask
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import AB_ZERO_POINT

Refused = Callable[[Path, str], None]
"""Is told of a file or record that cannot be used, and why."""

Hashes = npt.NDArray[np.uint64]


Noted = Callable[[Path, str], None]
"""Is told of a file that was read, but may have been misread, and why."""

DEPTHS = (18.0, 27.0)
"""[mag] Between these lies the 5-sigma depth of any survey's images; else the zero point is wrong."""


@dataclass(frozen=True)
class Options:
    """
    What a file does not say of itself.

    Attributes
    ----------
    zero_point
        [mag] of ``psFlux`` and of columns called flux; None: 31.4, nJy. ``psfFlux`` is in nJy whatever this is.
    schema
        Avro schema file, or a folder of them, for messages that bring none.
    survey
        Whose nights count where files do not say it, one of `meaning.nights.NOONS`; None: Rubin's, and it is told.
    published
        Whether answers of services are read, in which what a point is must be guessed: see `published.kinds`.
    """

    zero_point: float | None = None
    schema: Path | None = None
    survey: str | None = None
    published: bool = False

    @property
    def scale(self) -> float:
        """
        What turns a flux of this zero point into nJy.

        >>> round(Options(27.5).scale, 3), Options().scale
        (36.308, 1.0)
        """
        return 1.0 if self.zero_point is None else float(10 ** ((AB_ZERO_POINT - self.zero_point) / 2.5))


@dataclass
class Index:
    """
    What is in a file: its records in their order.

    Attributes
    ----------
    object_hash
        64 bits of each record's object id. A million objects share one of these once in 30 million times.
    epoch
        [d, MJD, UTC] the newest of the record; -inf for one that was refused.
    place
        Where the record starts, growing: a byte, a row or a number. What starts at the same place is read together.
    end
        Where the last one ends.
    passes
        How often the whole file must be gone through, each time for some of its objects, as they lie scattered over it.
    """

    object_hash: list[Hashes] = field(default_factory=list)
    epoch: list[Floats] = field(default_factory=list)
    place: list[Integers] = field(default_factory=list)
    end: int = 0
    passes: int = 0

    def add(
        self, object_ids: Sequence[str], epochs: Sequence[float] | Floats, places: Sequence[int] | Integers
    ) -> None:
        """Note some more records."""
        self.object_hash.append(hashes_of_ids(object_ids))
        self.epoch.append(np.asarray(epochs, dtype=float))
        self.place.append(np.asarray(places, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class FilePiece:
    """
    Some records of a file.

    Attributes
    ----------
    path
        The file.
    kind
        Which container it is.
    start, stop
        From which place up to which.
    first
        Number of the first record in it, from 1.
    kept
        (records from start to stop,) which of them are wanted; None: all.
    passes, turn
        Of a file that is gone through several times: the objects whose hash leaves turn when divided by passes.
    unwanted
        Sorted hashes of the objects that are not, as another file has newer points of them. Of such a file only.
    """

    path: Path
    kind: str
    start: int
    stop: int
    first: int = 1
    kept: Mask | None = None
    passes: int = 0
    turn: int = 0
    unwanted: Hashes | None = None

    def wants(self, number: int) -> bool:
        """Tell whether a record is wanted, counted from 0 at the start."""
        return self.kept is None or bool(self.kept[number])


def newest_records(indices: Sequence[Index]) -> list[Mask]:
    """Tell which records are the newest of their objects, for each of the indices."""
    if not indices:
        return []
    found = np.concatenate([part for index in indices for part in index.object_hash])
    epoch = np.concatenate([part for index in indices for part in index.epoch])
    # Of equally new records the last is left, as in a stream.
    order = np.lexsort((-np.arange(len(found)), -epoch, found))
    first = np.concatenate([[True], np.diff(found[order]) != 0])
    kept = np.zeros(len(found), dtype=bool)
    kept[order[first]] = True
    kept &= epoch > -np.inf
    ends = np.cumsum([sum(map(len, index.object_hash)) for index in indices])
    return np.split(kept, ends[:-1])


def in_one_line(problem: object) -> str:
    r"""
    Write what a library says of bad input into a reason: in one line, and not too long.

    Parameters
    ----------
    problem
        An exception, or its text; one without a text is named by its class.

    Returns
    -------
    str
        200 characters at most: a library may quote the whole input, and reasons are stored and shown in tables.

    Examples
    --------
    >>> in_one_line(ValueError("not\nthis"))
    'not this'
    """
    text = " ".join(str(problem).split()) or type(problem).__name__
    return text if len(text) <= 200 else f"{text[:197]}..."


def check_depth(curves: LightCurves, path: Path, noted: Noted, others: int = 0) -> None:
    """Note when images are impossibly deep or shallow, in a file and some others: its zero point would be wrong."""
    depth = depth_of(curves)
    if depth is not None and not DEPTHS[0] <= depth <= DEPTHS[1]:
        where = f"here and in {others} other files " if others else ""
        problem = f"{where}the 5-sigma depth is {depth:.1f} mag, not within {DEPTHS[0]:g} and {DEPTHS[1]:g}"
        noted(path, f"{problem}: is the zero point right (--zero-point)?")


def depth_of(curves: LightCurves) -> float | None:
    """
    Give the median 5-sigma depth of the images [mag]; None if no point has an error.

    Parameters
    ----------
    curves
        With fluxes [nJy] and their errors.

    Returns
    -------
    float or None
        [mag] AB magnitude of five times the median error, 31.4 - 2.5 log10(5 sigma). Deeper or shallower by
        magnitudes than any survey means a wrong zero point.
    """
    error = curves.flux_error[curves.flux_error > 0]
    return AB_ZERO_POINT - 2.5 * float(np.log10(5 * np.median(error))) if len(error) else None


def hashes_of_ids(object_ids: Sequence[str]) -> Hashes:
    """Give 64 bits of each id, the same in every process."""
    text = np.array(object_ids, dtype=object)
    return pd.util.hash_array(text, categorize=False) if len(text) else np.empty(0, dtype=np.uint64)
