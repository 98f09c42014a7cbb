"""What came out of a backtest, in words: tables for a terminal, Markdown, JSON, and a CSV of the objects."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
from pandas.api.types import is_numeric_dtype

from tides_bridge.archives.backtest import (
    CONFIDENCE,
    Backtest,
    agreement,
    contamination,
    count_classes,
    delays,
)
from tides_bridge.archives.efficiency import FEWEST, Quantity, efficiency, purity
from tides_bridge.archives.lives import AHEAD, CLEARLY, LIMIT
from tides_bridge.console import visible
from tides_bridge.errors import SettingsError
from tides_bridge.formats.cells import safe_cell

QUANTITIES: Final[dict[tuple[Quantity, ...], str]] = {
    ("peak_magnitude",): "peak magnitude",
    ("redshift",): "redshift",
    ("peak_magnitude", "redshift"): "peak magnitude and redshift",
    ("epoch",): "MJD of the peak, or of the first detection",
    ("decl", "ra"): "declination and right ascension [deg]",
}
"""Of which the efficiency is told."""

IA: Final = ("SN Ia",)


@dataclass(frozen=True)
class ReportTable:
    """
    One table of a report.

    Attributes
    ----------
    title, note
        What it shows, and what to keep in mind.
    header
        Names of the columns; the first is text, the others are numbers.
    rows
        As many cells each.
    """

    title: str
    note: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def report_tables(backtest: Backtest) -> list[ReportTable]:
    """
    Give all tables of a report.

    Parameters
    ----------
    backtest
        With one selection function or several.

    Returns
    -------
    list of ReportTable
        Functions, classes, contamination, delays, with several functions their agreement, efficiency along each of
        `QUANTITIES`, with spectra also purity, and the life of targets if they were followed.
    """
    found = [_functions(backtest), _classes(backtest), _contamination(backtest), _delays(backtest)]
    if len(backtest.functions) > 1:
        found.append(_agreement(backtest))
    found += [_efficiency(backtest, quantities) for quantities in QUANTITIES]
    if backtest.is_of_spectra:
        found += [_purity(backtest, quantities) for quantities in QUANTITIES]
    return found if backtest.lives is None else [*found, _lives(backtest, backtest.lives)]


def report_notes(backtest: Backtest) -> list[str]:
    """
    Say what the numbers mean, and what this archive cannot tell.

    Parameters
    ----------
    backtest
        Whose objects and wanted classes the sentences count.

    Returns
    -------
    list of str
        Whole sentences. One says so where all known classes are wanted ones, or none is: of such an archive
        contamination or efficiency is no measurement.
    """
    objects = backtest.objects
    untold = int((~objects.is_known).sum())
    sentences = [
        "Selected is an object that has a trigger: a first detection at which its light curve so far passes. Each "
        "object is judged once, on the newest light curve that the archive has of it.",
        f"Wanted: {', '.join(backtest.wanted)}, with all within them. Intervals are Wilson's, {CONFIDENCE:.0%}.",
        f"{len(objects)} objects in the archive, {untold} of them of no known class (last rows of the table by class); "
        f"the truth knows {backtest.truth_without_object} objects that are not in the archive.",
    ]
    if backtest.is_of_spectra:
        sentences[0] = (
            "Selected is a target that had a trigger by the record, whichever version of the function was in force. "
            "Classes are those that came back; only what became a target can have one, so efficiency is that among "
            "targets with a spectrum: of a function that chose them all it says nothing, of a shadow it does."
        )
    known = objects[objects.is_known]
    if not len(known):
        sentences.append("No object of the archive has a known class: are the ids those of the truth?")
    elif known.is_wanted.all():
        sentences.append("All known classes here are wanted ones: this archive says nothing of contamination.")
    elif not known.is_wanted.any():
        sentences.append("No object here is of a wanted class: this archive says nothing of efficiency.")
    return sentences


def report_as_markdown(backtest: Backtest) -> str:
    """
    Write the report as Markdown.

    Parameters
    ----------
    backtest
        What is reported.

    Returns
    -------
    str
        The notes as a list, then a table a section, as GitHub and pandoc read them; a bar in a cell becomes a slash.
    """
    parts = ["\n".join(f"- {note}" for note in report_notes(backtest))]
    for section in report_tables(backtest):
        rule = ["---", *["---:"] * (len(section.header) - 1)]
        rows = [section.header, rule, *section.rows]
        table = "\n".join(f"| {' | '.join(visible(cell).replace('|', '/') for cell in row)} |" for row in rows)
        parts += [f"## {section.title}", *([section.note] if section.note else []), table]
    return "\n\n".join(parts) + "\n"


def report_as_json(backtest: Backtest) -> str:
    """Write the numbers of the report, unrounded, as JSON; what is unknown is null."""
    functions = [
        {"letter": letter, "name": function.name, "version": function.version, "keys": dict(function.keys)}
        for letter, function in zip(backtest.letters, backtest.functions, strict=True)
    ]
    content: dict[str, Any] = {
        "functions": functions,
        "wanted": list(backtest.wanted),
        "peak_bands": list(backtest.bands),
        "objects": len(backtest.objects),
        "truth_without_object": backtest.truth_without_object,
        "notes": report_notes(backtest),
        "classes": _records(count_classes(backtest).reset_index()),
        "contamination": _records(contamination(backtest)),
        "contamination_of_sn_ia": _records(contamination(backtest, IA)),
        "delays": _records(delays(backtest)),
        **{f"efficiency_by_{'_'.join(names)}": _records(efficiency(backtest, *names)) for names in QUANTITIES},
    }
    if backtest.is_of_spectra:
        content |= {f"purity_by_{'_'.join(names)}": _records(purity(backtest, *names)) for names in QUANTITIES}
    if backtest.lives is not None:
        content["lives"] = _records(_summed_lives(backtest, backtest.lives).reset_index())
    if len(functions) > 1:
        content["agreement"] = _records(agreement(backtest).reset_index())
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def report_as_csv(backtest: Backtest) -> str:
    """Write the objects, a row each, with what is known of them and when each function triggered."""
    objects = backtest.objects
    texts = {str(name): column.map(_safe) for name, column in objects.items() if not is_numeric_dtype(column)}
    return str(objects.assign(**texts).to_csv(index=False))


def _safe(value: Any) -> Any:
    return safe_cell(value) if isinstance(value, str) else value


WRITERS: Final[dict[str, Callable[[Backtest], str]]] = {
    ".md": report_as_markdown,
    ".json": report_as_json,
    ".csv": report_as_csv,
}
PICTURES: Final = (".png", ".pdf", ".svg")


def check_places(output: Path | None, plot: Path | None) -> None:
    """
    See that what comes out can be written, before hours of work.

    Parameters
    ----------
    output
        Where the report goes, by its ending; None for nowhere.
    plot
        Where the picture goes; None for nowhere.

    Raises
    ------
    SettingsError
        If an ending says nothing, or a folder is missing.
    """
    for option, path, endings in (("--output", output, tuple(WRITERS)), ("--plot", plot, PICTURES)):
        if path is None:
            continue
        if path.suffix.lower() not in endings:
            raise SettingsError(option, "", f"{path} must end with one of {', '.join(endings)}")
        if not path.parent.is_dir():
            raise SettingsError(option, "", f"there is no folder {path.parent}")


def write_output(backtest: Backtest, path: Path) -> None:
    """
    Write the report; the ending of the name says as what.

    Raises
    ------
    SettingsError
        If the file cannot be written.
    """
    try:
        path.write_text(WRITERS[path.suffix.lower()](backtest), encoding="utf-8")
    except OSError as error:
        raise SettingsError("--output", "", f"{path} cannot be written: {error.strerror}") from None


def write_files(backtest: Backtest, output: Path | None, plot: Path | None) -> None:
    """
    Write what is asked for: the report, the picture.

    Parameters
    ----------
    backtest
        What is reported.
    output
        File of the report, whose ending says the format; None: none.
    plot
        File of the picture; None: none, and matplotlib is not imported.
    """
    if output:
        write_output(backtest, output)
    if plot:
        from tides_bridge.archives.backtest_plots import write_backtest_plot as draw

        draw(backtest, plot)


def _functions(backtest: Backtest) -> ReportTable:
    rows = []
    for letter, function in zip(backtest.letters, backtest.functions, strict=True):
        objects = backtest.objects
        selected, passed = objects[f"selected_{letter}"], objects[f"passed_{letter}"]
        counts = (int(selected.sum()), int(passed.sum()))
        rows.append((letter, function.name, function.version, str(len(objects)), *map(str, counts)))
    note = "The last column counts those that pass as their whole light curve is: young objects grow old."
    return ReportTable(
        "Functions", note, ("", "function", "version", "objects", "selected", "passes in the end"), (*rows,)
    )


def _classes(backtest: Backtest) -> ReportTable:
    counts = count_classes(backtest)
    header = ["class", "wanted", "in archive"]
    for letter in backtest.letters:
        header += [f"{letter} selects", f"{letter} share"]
    rows = []
    for name, row in zip(counts.index, _records(counts), strict=True):
        cells = [str(name), "yes" if row["is_wanted"] else "", str(row["in_archive"])]
        rows.append((*cells, *_shares(backtest, row)))
    return ReportTable("By true class", "", tuple(header), tuple(rows))


def _shares(backtest: Backtest, row: dict[str, Any]) -> Iterable[str]:
    for letter in backtest.letters:
        yield str(row[f"selected_{letter}"])
        yield percent(row[f"share_{letter}"], row[f"low_{letter}"], row[f"high_{letter}"])


def _contamination(backtest: Backtest) -> ReportTable:
    rows = []
    for what, wanted in (("not of a wanted class", backtest.wanted), ("no SN Ia", IA)):
        for row in _records(contamination(backtest, wanted)):
            cells = (row["selected"], row["unknown"], row["others"])
            rows.append(
                (f"{row['function']}: {what}", *map(str, cells), percent(row["share"], row["low"], row["high"]))
            )
    note = "It is that of the mixture in this archive, not of the sky. Objects of no known class are left out of it."
    return ReportTable("Contamination", note, ("", "selected", "no class", "others", "share"), tuple(rows))


def _delays(backtest: Backtest) -> ReportTable:
    rows = [
        (
            f"{row['function']}: since {row['since']}",
            str(row["number"]),
            *map(days, (row["median"], row["p16"], row["p84"])),
        )
        for row in _records(delays(backtest))
    ]
    note = "Of selected objects of wanted classes. Since peak, negative is before it."
    return ReportTable("Days at the trigger", note, ("", "objects", "median", "16 %", "84 %"), tuple(rows))


def _agreement(backtest: Backtest) -> ReportTable:
    table = agreement(backtest)
    rows = [
        (str(name), *(str(value) for value in row)) for name, row in zip(table.index, table.to_numpy(), strict=True)
    ]
    total = ("all", *(str(value) for value in table.sum()))
    return ReportTable("A against B", "", ("class", "both", "only A", "only B", "neither"), (*rows, total))


def _efficiency(backtest: Backtest, quantities: tuple[Quantity, ...]) -> ReportTable:
    header = [*QUANTITIES[quantities].split(" and "), "in archive"]
    for letter in backtest.letters:
        header += [f"{letter} selects", f"{letter} share"]
    rows = []
    for row in _records(efficiency(backtest, *quantities)):
        edges = [_edges(row, end) for end in ("", "_2")[: len(quantities)]]
        rows.append((*edges, str(row["in_archive"]), *_shares(backtest, row)))
    note = f"Where there is one a band, the brightest in {' '.join(backtest.bands)}. " * (
        "peak_magnitude" in quantities
    )
    note += f"Objects of wanted classes; neighbouring bins of fewer than {FEWEST} are joined."
    return ReportTable(f"Efficiency by {QUANTITIES[quantities]}", note, tuple(header), tuple(rows))


def _purity(backtest: Backtest, quantities: tuple[Quantity, ...]) -> ReportTable:
    header = [*QUANTITIES[quantities].split(" and ")]
    for letter in backtest.letters:
        header += [f"{letter} selects", f"{letter} wanted"]
    rows = []
    for row in _records(purity(backtest, *quantities)):
        edges = [_edges(row, end) for end in ("", "_2")[: len(quantities)]]
        rows.append((*edges, *_shares(backtest, row)))
    note = "Of those selected that have a class, the share of wanted ones."
    return ReportTable(f"Purity by {QUANTITIES[quantities]}", note, tuple(header), tuple(rows))


def _edges(row: dict[str, Any], end: str) -> str:
    low, high = row[f"low_edge{end}"], row[f"high_edge{end}"]
    return "unknown" if low is None else f"{low:.12g} to {high:.12g}"


def _summed_lives(backtest: Backtest, lives: pd.DataFrame) -> pd.DataFrame:
    """Add up the lives of wanted and of other targets, by rule; with the number of targets."""
    wanted = backtest.objects.set_index("object_id").is_wanted.reindex(lives.object_id).to_numpy(bool)
    kind = pd.Series(wanted, index=lives.index, name="kind").map({True: "wanted", False: "others"})
    grouped = lives.groupby([kind, lives["rule"]], sort=False)
    return grouped.sum(numeric_only=True).assign(targets=grouped.size())


def _lives(backtest: Backtest, lives: pd.DataFrame) -> ReportTable:
    sums = _summed_lives(backtest, lives)
    columns = [(f"{kind}: {rule}", row) for (kind, rule), row in zip(sums.index, _records(sums), strict=True)]
    rows = [(what, *(say(row) for _, row in columns)) for what, say in LIFE.items()]
    note = (
        f"Of the targets of A, from the trigger to the last point; nights on of {LIMIT:g} mag in r, by lines between "
        f"measured magnitudes. A later point is one of S/N 5 in r; what is known {AHEAD:g} d before it decides."
    )
    return ReportTable("Life of targets by rule", note, ("", *(name for name, _ in columns)), tuple(rows))


def _ratio(part: str, whole: str, unit: str = "") -> Callable[[dict[str, Any]], str]:
    """Make what says how large a part is; in percent, or as so many a target."""

    def say(row: dict[str, Any]) -> str:
        if not row[whole]:
            return ""
        return f"{row[part] / row[whole]:.1f}{unit}" if whole == "targets" else f"{100 * row[part] / row[whole]:.1f} %"

    return say


def _error(row: dict[str, Any]) -> str:
    if not row["compared"]:
        return ""
    return f"{math.sqrt(row['off2'] / row['compared']):.2f} ({row['off'] / row['compared']:+.2f})"


LIFE: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "targets": lambda row: str(row["targets"]),
    "nights a target": _ratio("nights", "targets"),
    "nights on a target": _ratio("on", "targets"),
    "nights on though fainter, of the fainter": _ratio("on_faint", "faint"),
    "nights off though alive and brighter, of the brighter": _ratio("off_bright", "bright"),
    "switches a target": _ratio("switches", "targets"),
    "updates a target": _ratio("updates", "targets"),
    "rms (bias) of what 4MOST has [mag]": _error,
    "later points brighter that find it on": _ratio("found", "later"),
    "later points fainter that find it on": _ratio("found_faint", "later_faint"),
    f"those fainter than {LIMIT + CLEARLY:g}": _ratio("found_clear", "later_clear"),
}
"""What is told of lives."""


def percent(share: float | None, low: float | None, high: float | None) -> str:
    """
    Write a share with its interval.

    >>> percent(0.8, 0.579, 0.921), percent(None, None, None)
    ('80.0 % (57.9 to 92.1)', '')
    """
    if share is None or low is None or high is None:
        return ""
    return f"{100 * share:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def days(value: float | None) -> str:
    """
    Write a number of days.

    >>> days(-10.04), days(-0.01), days(None)
    ('-10.0', '0.0', '')
    """
    return "" if value is None else f"{value:z.1f}"


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Give rows as Python has them, None for NaN."""
    columns: Sequence[str] = list(table.columns)
    return [dict(zip(columns, map(_plain, row), strict=True)) for row in table.itertuples(index=False, name=None)]


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and math.isnan(value) else value
