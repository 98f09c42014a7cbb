"""Judging the light curves of an archive: what is asked of them, and the answer, part by part. No Dask here."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tides_bridge.archives.decision_files import decision_table
from tides_bridge.compiled import Integers
from tides_bridge.errors import SettingsError
from tides_bridge.formats.files import Unit
from tides_bridge.formats.meaning.left_out import Digest
from tides_bridge.formats.output.table_files import encode_rows
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import MJD_ZERO, mjd_from_time
from tides_bridge.selection import SelectionFunction, judge

LAST_MJD = 100_000.0
"""[d] The year 2132: what is later is a Julian date, or a slip."""


@dataclass(frozen=True)
class Question:
    """
    What is asked of light curves.

    Attributes
    ----------
    function
        By which they are judged.
    now_mjd
        [d, UTC] When it is, for ages; None: at the last point of each light curve.
    ending
        Of the file that the decisions go to; empty for none.
    plotted
        Of which objects it must be said where they are: ``none``, ``passed`` or ``all``.
    """

    function: SelectionFunction
    now_mjd: float | None = None
    ending: str = ""
    plotted: str = "none"


@dataclass(frozen=True, eq=False)
class JudgedUnits:
    """
    What was found of the light curves of some units. It is small: one row an object, no points.

    Attributes
    ----------
    objects, passed
        How many were judged, and how many passed.
    failed
        By the path of a criterion, how many objects do not fulfil it.
    rows
        The decisions, as `tides_bridge.archives.decision_files.DecisionFile.append` takes them.
    plotted
        (n,) the places of the objects to plot, among those of the units.
    refused, notes, left_out
        As those of `tides_bridge.formats.files.Part`.
    """

    objects: int
    passed: int
    failed: dict[str, int]
    rows: bytes
    plotted: Integers
    refused: tuple[tuple[Path, str], ...]
    notes: tuple[tuple[Path, str], ...]
    left_out: tuple[tuple[Path, Digest], ...] = ()


def judge_units(question: Question, units: Sequence[Unit]) -> JudgedUnits:
    """
    Read the light curves of some units, and judge them. This is what is done in other processes.

    Parameters
    ----------
    question
        The function, and the time to judge at.
    units
        Whose light curves become one batch of columns, in their order.

    Returns
    -------
    JudgedUnits
        One row an object and no points, so that little goes back between processes. What could not be read is in
        it, never raised.
    """
    parts = [unit.read() for unit in units]
    curves = parts[0].curves if len(parts) == 1 else LightCurves.joined([part.curves for part in parts])
    (verdicts,) = judge(curves, [question.function], question.now_mjd)
    rows = encode_rows(decision_table(curves.object_ids, verdicts), question.ending) if question.ending else b""
    chosen = {"none": np.zeros_like(verdicts.passed), "passed": verdicts.passed, "all": verdicts.passed | True}
    return JudgedUnits(
        len(curves),
        int(verdicts.passed.sum()),
        {path: int((~fulfilled).sum()) for path, fulfilled in verdicts.fulfilled.items()},
        rows,
        np.flatnonzero(chosen[question.plotted]),
        tuple(refusal for part in parts for refusal in part.refused),
        tuple(note for part in parts for note in part.notes),
        tuple(digest for part in parts for digest in part.left_out),
    )


@dataclass
class Tally:
    """
    The sum of all answers.

    Attributes
    ----------
    objects, passed, failed
        As those of `JudgedUnits`.
    refused
        By file: how many of its records could not be used, or 1 for all of it.
    left_out
        What is not used of what was read.
    doubted
        How often a file may have been misread.
    """

    objects: int = 0
    passed: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    refused: Counter[Path] = field(default_factory=Counter)
    left_out: Digest = field(default_factory=Digest)
    doubted: int = 0

    @property
    def is_in_doubt(self) -> bool:
        """Whether anything was left out, assumed or may be misread: what ``--strict`` makes an error."""
        return bool(self.left_out or self.doubted)

    def add(self, answer: JudgedUnits) -> None:
        """Add an answer; its refused records are told one by one elsewhere."""
        self.objects += answer.objects
        self.passed += answer.passed
        self.failed.update(answer.failed)
        self.doubted += len(answer.notes)
        for _, digest in answer.left_out:
            self.left_out.add(digest)


def chunks_of(units: Sequence[Unit], objects: int) -> list[tuple[Unit, ...]]:
    """
    Put units together, in their order, until there are so many objects.

    Parameters
    ----------
    units
        As `work_units` made them; none is divided.
    objects
        How many a chunk has at least; the last one may have fewer.
    """
    chunks: list[tuple[Unit, ...]] = []
    waiting: list[Unit] = []
    for unit in units:
        waiting.append(unit)
        if sum(held.objects for held in waiting) >= objects:
            chunks.append(tuple(waiting))
            waiting = []
    return [*chunks, tuple(waiting)] if waiting else chunks


def chosen_curves(units: Sequence[Unit], places: Integers, size: int) -> Iterator[LightCurves]:
    """
    Read again the light curves at some places among those of the units, some at a time.

    Parameters
    ----------
    units
        Those that were judged together: places count through all of them.
    places
        (n,) Which objects, from 0.
    size
        How many come at a time: so many are drawn in one process.
    """
    parts = [unit.read().curves for unit in units]
    curves = parts[0] if len(parts) == 1 else LightCurves.joined(parts)
    for start in range(0, len(places), size):
        chosen = places[start : start + size]
        yield LightCurves.joined([curves.part(int(place), int(place) + 1) for place in chosen])


def mjd_of_text(text: str) -> float:
    """
    Read an epoch [MJD, UTC]: a number is one, else it is a date, with a time perhaps; without a zone it is UTC.

    Raises
    ------
    SettingsError
        If it is neither.

    >>> mjd_of_text("61000.5"), mjd_of_text("2025-11-21T12:00")
    (61000.5, 61000.5)
    """
    try:
        mjd = float(text)
    except ValueError:
        try:
            date = datetime.fromisoformat(text)
        except ValueError:
            raise SettingsError(f"--now {text}", "", "is neither an MJD nor a date such as 2026-03-01T12:00") from None
        return mjd_from_time(date if date.tzinfo else date.replace(tzinfo=UTC))
    if not 0 < mjd < LAST_MJD:
        hint = f"; as MJD that is {mjd - MJD_ZERO:g}" if mjd > MJD_ZERO else ""
        raise SettingsError(f"--now {text}", "", f"is no MJD{hint}")
    return mjd
