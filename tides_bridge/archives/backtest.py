"""
What selection functions would have selected from an archive with known classes.

An object is **selected** when it has a trigger: a first detection at which its light curve so far passes. That is when
it would have become a target, whatever became of it later. Each object is judged once, on the newest light curve that
the archive has of it (see `tides_bridge.formats.files`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from tides_bridge.archives.lives import lives_of
from tides_bridge.archives.truth import COLUMNS, TruthFile, read_truth
from tides_bridge.compiled import Floats
from tides_bridge.errors import RejectedError, SettingsError
from tides_bridge.formats import Noted, Refused
from tides_bridge.formats.files import LeftOut, read_light_curves
from tides_bridge.formats.meaning.taxonomy import SUPERNOVAE, class_named
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.selection import SelectionFunction, judge

LETTERS: Final = ("A", "B")
"""The functions of a backtest: one, or two that are compared."""

CONFIDENCE: Final = 0.6827
"""Of every interval: that of one standard deviation of a normal distribution."""

NO_TRUTH: Final = "no truth"
"""Stands in the place of a class for objects that the truth does not know."""


@dataclass(frozen=True)
class Backtest:
    """
    The objects of an archive, and what was made of them.

    Attributes
    ----------
    functions
        One or two: A, and B.
    wanted
        Names of the classes that are to be selected, with all within them.
    bands
        The brightest peak in these counts, where the truth has one a band.
    objects
        Sorted by ``object_id``, one row each: the columns of `truth.read_truth`; ``first_detection_mjd`` [d],
        ``n_detections``, ``ra`` and ``decl`` [deg], ``is_known`` and ``is_wanted``; for each letter ``trigger_mjd_A``
        [d], ``selected_A`` and ``passed_A``, as its whole light curve is.
    truth_without_object
        How many objects the truth knows that are not in the archive.
    lives
        As `lives.lives_of` gives them for A; None if nobody followed the targets.
    is_of_spectra
        Whether the classes are those of targets that have a spectrum, and the verdicts those of the record.
    """

    functions: tuple[SelectionFunction, ...]
    wanted: tuple[str, ...]
    bands: tuple[str, ...]
    objects: pd.DataFrame
    truth_without_object: int
    lives: pd.DataFrame | None = None
    is_of_spectra: bool = False

    @property
    def letters(self) -> tuple[str, ...]:
        """A, and B where there are two functions."""
        return LETTERS[: len(self.functions)]


def run_backtest(  # noqa: PLR0913
    paths: Sequence[Path],
    functions: Sequence[SelectionFunction],
    truth: Sequence[TruthFile],
    *,
    wanted: Sequence[str] = SUPERNOVAE,
    bands: Sequence[str] = (),
    zero_point: float | None = None,
    schema: Path | None = None,
    survey: str | None = None,
    refused: Refused,
    noted: Noted | None = None,
    left_out: LeftOut | None = None,
    done: Callable[[int], object] = lambda number: None,
    life: bool = False,
) -> Backtest:
    """
    Judge the objects in some files, and put what is known of them beside.

    Parameters
    ----------
    paths, zero_point, schema, survey, refused, noted, left_out
        As of `files.read_light_curves`.
    functions
        One, or two.
    truth
        Where the classes are.
    wanted
        Names of the wanted classes.
    bands
        Of the peak magnitude; none given: those in which the functions count detections.
    done
        Is told how many objects were judged since last time.
    life
        Whether the targets of A are followed: 1.5 ms a night with new points.

    Raises
    ------
    SettingsError
        If a wanted class, a band or the truth is wrong.
    RejectedError
        If there is no light curve at all.
    """
    names, known_bands = check_wanted(wanted), _peak_bands(bands, functions)
    known = read_truth(truth, known_bands)
    parts = read_light_curves(
        paths, zero_point=zero_point, schema=schema, survey=survey, refused=refused, noted=noted, left_out=left_out
    )
    lives = list[pd.DataFrame]()
    judged = judge_parts(parts, functions, done, lives if life else None)
    if not len(judged):
        raise RejectedError(", ".join(map(str, paths)), "there is no light curve that could be read")
    found = join_truth(judged, known, functions, names, known_bands)
    return replace(found, lives=pd.concat(lives, ignore_index=True)) if life else found


def check_wanted(wanted: Sequence[str]) -> tuple[str, ...]:
    """
    Give the names that the taxonomy has for some classes.

    Raises
    ------
    SettingsError
        If there is no such class.
    """
    try:
        return tuple(class_named(name).name for name in wanted or SUPERNOVAE)
    except ValueError as error:
        raise SettingsError("--wanted", "", str(error)) from None


def _peak_bands(bands: Sequence[str], functions: Sequence[SelectionFunction]) -> tuple[str, ...]:
    unknown = [band for band in bands if band not in BANDS]
    if unknown:
        raise SettingsError("--peak-band", "", f"{unknown[0]} is not one of {', '.join(BANDS)}")
    counted = bands or {band for function in functions for band in function.points.filters or BANDS}
    return tuple(band for band in BANDS if band in counted)


def judge_parts(
    parts: Iterable[LightCurves],
    functions: Sequence[SelectionFunction],
    done: Callable[[int], object] = lambda number: None,
    lives: list[pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Judge the light curves of an archive, and add lives; gives one row an object, sorted by id."""
    tables = []
    for curves in parts:
        verdicts = judge(curves, functions)
        detected = np.flatnonzero(curves.is_detection)
        at = np.searchsorted(detected, curves.offsets[:-1])
        first = np.append(detected, len(curves.mjd))[at]
        is_seen = first < curves.offsets[1:]  # of either sign
        columns: dict[str, object] = {
            "object_id": list(curves.object_ids),
            "first_detection_mjd": np.where(is_seen, np.append(curves.mjd, np.nan)[first], np.nan),
            "n_detections": verdicts[0].n_detections,
        }
        for name in ("ra", "decl"):
            known, of_point = getattr(curves.objects, name), np.append(getattr(curves, name), np.nan)[first]
            columns[name] = np.where(np.isnan(known) & is_seen, of_point, known)
        for letter, verdict in zip(LETTERS, verdicts, strict=False):
            columns |= {f"trigger_mjd_{letter}": verdict.trigger_mjd, f"passed_{letter}": verdict.passed}
            columns[f"selected_{letter}"] = np.isfinite(verdict.trigger_mjd)
        tables.append(pd.DataFrame(columns))
        if lives is not None:
            lives.append(lives_of(curves, verdicts[0].trigger_mjd))
        done(len(curves))
    if not tables:
        return pd.DataFrame({"object_id": []})
    return pd.concat(tables, ignore_index=True).sort_values("object_id", ignore_index=True)


def join_truth(
    judged: pd.DataFrame,
    known: pd.DataFrame,
    functions: Sequence[SelectionFunction],
    wanted: Sequence[str] = SUPERNOVAE,
    bands: Sequence[str] = BANDS,
) -> Backtest:
    """Put what is known beside what was judged; an object of which nothing is known keeps its row."""
    objects = judged.join(known, on="object_id")
    is_told = objects.object_id.isin(known.index)
    objects["reason"] = objects.reason.where(is_told, NO_TRUTH)
    objects["is_known"] = objects.class_name.notna()
    objects["is_wanted"] = _is_within(objects.class_name, wanted)
    front = ["object_id", *COLUMNS]
    objects = objects[[*front, *(name for name in objects.columns if name not in front)]]
    others = int((~known.index.isin(judged.object_id)).sum())
    return Backtest(tuple(functions), tuple(wanted), tuple(bands), objects, others)


def _is_within(names: "pd.Series[str]", wanted: Sequence[str]) -> "pd.Series[bool]":
    """Tell which classes are, or are part of, one of those wanted; no class is not."""
    classes = [class_named(name) for name in wanted]
    present = names.dropna().unique()
    return names.isin(
        [name for name in present if any(class_named(name).is_within(wanted_class) for wanted_class in classes)]
    )


def share_of(part: npt.ArrayLike, whole: npt.ArrayLike) -> pd.DataFrame:
    """
    Give shares with their binomial intervals: Wilson's (1927, JASA 22, 209), at `CONFIDENCE`.

    Returns
    -------
    DataFrame
        share, low and high; NaN where the whole is 0.

    >>> share_of([4, 0], [5, 3]).round(3).values.tolist()
    [[0.8, 0.579, 0.921], [0.0, 0.0, 0.25]]
    """
    found, of = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    z2 = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        share = found / of
        middle = (found + z2 / 2) / (of + z2)
        half = np.sqrt(z2 * of) / (of + z2) * np.sqrt(share * (1 - share) + z2 / (4 * of))
    low, high = (np.clip(edge, 0.0, 1.0) for edge in (middle - half, middle + half))
    low, high = np.where(found == 0, 0.0, low), np.where(found == of, 1.0, high)
    is_none = of == 0
    return pd.DataFrame(
        {"share": share, "low": np.where(is_none, np.nan, low), "high": np.where(is_none, np.nan, high)}
    )


def class_labels(objects: pd.DataFrame) -> "pd.Series[str]":
    """Name the class of every object, or say why it has none."""
    return objects.class_name.where(objects.is_known, objects.reason)


def count_classes(backtest: Backtest) -> pd.DataFrame:
    """
    Count by true class.

    Returns
    -------
    DataFrame
        Indexed by class, the most frequent first, those without one last: in_archive, is_wanted, and for each letter
        selected_A, share_A, low_A, high_A, passed_A.
    """
    objects = backtest.objects
    grouped = objects.groupby(class_labels(objects).rename("class"))
    counts = pd.DataFrame({"in_archive": grouped.size(), "is_known": grouped.is_known.all()})
    counts["is_wanted"] = grouped.is_wanted.all()
    for letter in backtest.letters:
        counts[f"selected_{letter}"] = grouped[f"selected_{letter}"].sum()
        intervals = share_of(counts[f"selected_{letter}"], counts.in_archive).set_axis(counts.index)
        counts = counts.join(intervals.add_suffix(f"_{letter}"))
        counts[f"passed_{letter}"] = grouped[f"passed_{letter}"].sum()
    order = counts.reset_index().sort_values(
        ["is_known", "in_archive", "class"], ascending=[False, False, True], kind="stable"
    )
    return order.set_index("class").drop(columns="is_known")


def contamination(backtest: Backtest, wanted: Sequence[str] = ()) -> pd.DataFrame:
    """
    Give the share of the selected that are of other classes than the wanted.

    Parameters
    ----------
    backtest
        The backtest.
    wanted
        Names of classes; none: those of the backtest.

    Returns
    -------
    DataFrame
        A row a letter: selected, of these unknown (of no known class: left out of what follows), others, share, low and
        high.
    """
    objects = backtest.objects
    is_good = _is_within(objects.class_name, wanted or backtest.wanted)
    rows = []
    for letter in backtest.letters:
        is_selected = objects[f"selected_{letter}"]
        is_other = is_selected & objects.is_known & ~is_good
        unknown = is_selected & ~objects.is_known
        rows.append((letter, int(is_selected.sum()), int(unknown.sum()), int(is_other.sum())))
    table = pd.DataFrame(rows, columns=["function", "selected", "unknown", "others"])
    return table.join(share_of(table.others, table.selected - table.unknown))


def delays(backtest: Backtest) -> pd.DataFrame:
    """
    Give when the selected objects of wanted classes triggered.

    Returns
    -------
    DataFrame
        A row a letter and start (first detection, peak): number, and median, p16, p84 [d]; negative is before.
    """
    rows = []
    for letter in backtest.letters:
        for start in ("first_detection", "peak"):
            days = days_at_trigger(backtest, letter, start)
            p16, median, p84 = np.percentile(days, [16, 50, 84]) if len(days) else [np.nan] * 3
            rows.append((letter, start.replace("_", " "), len(days), median, p16, p84))
    return pd.DataFrame(rows, columns=["function", "since", "number", "median", "p16", "p84"])


def days_at_trigger(backtest: Backtest, letter: str, start: str) -> Floats:
    """Give the days from a start (first_detection, peak) to the trigger, of wanted objects of which it is known."""
    objects = backtest.objects[backtest.objects.is_wanted]
    days: Floats = (objects[f"trigger_mjd_{letter}"] - objects[f"{start}_mjd"]).to_numpy(float)
    finite: Floats = days[np.isfinite(days)]
    return finite


def agreement(backtest: Backtest) -> pd.DataFrame:
    """Count by class which objects both functions select, only A, only B, neither; indexed by class."""
    objects = backtest.objects
    by_a, by_b = objects.selected_A, objects.selected_B
    kinds = {"both": by_a & by_b, "only_A": by_a & ~by_b, "only_B": ~by_a & by_b, "neither": ~(by_a | by_b)}
    counts = pd.DataFrame(kinds).groupby(class_labels(objects).rename("class")).sum()
    return counts.loc[count_classes(backtest).index]
