"""
What selection functions would have selected from an archive with known classes.

An object is **selected** when it has a trigger: a first detection at which its light curve so far passes. That is when
it would have become a target, whatever became of it later. Each object is judged once, on the newest light curve that
the archive has of it (see `tides_bridge.formats.files`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from tides_bridge.archives.taxonomy import SUPERNOVAE, class_named
from tides_bridge.archives.truth import COLUMNS, TruthFile, read_truth
from tides_bridge.compiled import Floats
from tides_bridge.errors import RejectedError, SettingsError
from tides_bridge.formats import Noted, Refused
from tides_bridge.formats.files import LeftOut, read_light_curves
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.selection import SelectionFunction, judge

LETTERS: Final = ("A", "B")
"""The functions of a backtest: one, or two that are compared."""

CONFIDENCE: Final = 0.6827
"""Of every interval: that of one standard deviation of a normal distribution."""

WIDTHS: Final = {
    "peak_magnitude": (0.1, 0.25, 0.5, 1.0, 2.0),
    "redshift": (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
}
"""Of bins, [mag] and redshift: the narrowest with which there are at most `MOST_BINS`."""

MOST_BINS: Final = 20

NO_TRUTH: Final = "no truth"
"""Stands in the place of a class for objects that the truth does not know."""

Quantity = Literal["peak_magnitude", "redshift"]


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
        ``n_detections``, ``is_known`` and ``is_wanted``; for each letter ``trigger_mjd_A`` [d], ``selected_A`` and
        ``passed_A``, as its whole light curve is.
    truth_without_object
        How many objects the truth knows that are not in the archive.
    """

    functions: tuple[SelectionFunction, ...]
    wanted: tuple[str, ...]
    bands: tuple[str, ...]
    objects: pd.DataFrame
    truth_without_object: int

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
    judged = judge_parts(parts, functions, done)
    if not len(judged):
        raise RejectedError(", ".join(map(str, paths)), "there is no light curve that could be read")
    return join_truth(judged, known, functions, names, known_bands)


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
) -> pd.DataFrame:
    """Judge the light curves of an archive; gives one row an object, sorted by id."""
    tables = []
    for curves in parts:
        verdicts = judge(curves, functions)
        detected = np.flatnonzero(curves.is_detection)
        at = np.searchsorted(detected, curves.offsets[:-1])
        first = np.append(detected, len(curves.mjd))[at]
        # Of either sign; NaN where there is none.
        first_detection: Floats = np.where(first < curves.offsets[1:], np.append(curves.mjd, np.nan)[first], np.nan)
        columns: dict[str, object] = {
            "object_id": list(curves.object_ids),
            "first_detection_mjd": first_detection,
            "n_detections": verdicts[0].n_detections,
        }
        for letter, verdict in zip(LETTERS, verdicts, strict=False):
            columns |= {f"trigger_mjd_{letter}": verdict.trigger_mjd, f"passed_{letter}": verdict.passed}
            columns[f"selected_{letter}"] = np.isfinite(verdict.trigger_mjd)
        tables.append(pd.DataFrame(columns))
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


def edges_of(values: Floats, quantity: Quantity) -> Floats:
    """
    Choose the edges of bins that hold all values.

    >>> edges_of(np.array([18.1, 19.9]), "peak_magnitude").tolist()[:3]
    [18.1, 18.2, 18.3]
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.array([])
    for width in WIDTHS[quantity]:
        low = np.floor(finite.min() / width)
        number = int(np.floor(finite.max() / width) - low) + 1
        if number <= MOST_BINS:
            break
    edges: Floats = np.round((low + np.arange(number + 1)) * width, 6)
    return edges


def efficiency(backtest: Backtest, quantity: Quantity) -> pd.DataFrame:
    """
    Bin the objects of wanted classes, and give the share that is selected.

    Returns
    -------
    DataFrame
        A row a bin: low_edge (part of it) and high_edge (not), in_archive, and for each letter selected_A, share_A,
        low_A, high_A. The last row has NaN for edges: objects of which the quantity is not known.
    """
    objects = backtest.objects[backtest.objects.is_wanted]
    values = objects[quantity].to_numpy(float)
    edges = edges_of(values, quantity)
    number = max(len(edges), 1)
    inside = np.maximum(np.digitize(values, edges[:-1]) - 1, 0)
    place = np.where(np.isfinite(values), inside, number - 1)
    bins = pd.DataFrame({"low_edge": [*edges[:-1], np.nan], "high_edge": [*edges[1:], np.nan]})
    bins["in_archive"] = np.bincount(place, minlength=number)
    for letter in backtest.letters:
        selected = np.bincount(place[objects[f"selected_{letter}"]], minlength=number)
        bins[f"selected_{letter}"] = selected
        bins = bins.join(share_of(selected, bins.in_archive).add_suffix(f"_{letter}"))
    return bins


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
