"""Two simulated nights through the real flow, what 4MOST observes between them, and what became of all that."""

import csv
import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.table import Table

from simulators.alerts.packets import alerts, ztf_truth
from simulators.sky import SUPERNOVAE, Sky
from simulators.spectra.nights import NightPlan, observe_night
from simulators.standins.bundle import StandinAlert, Standins, write_settings
from simulators.standins.folders import standard_folder, stop_left_database
from tides_bridge.errors import BridgeError
from tides_bridge.lightcurves.photometry import time_from_mjd
from tides_bridge.processes import interruptible_once, tethered
from tides_bridge.resources import command_to_type

OBJECTS = 150
"""So many that every kind occurs, so few that a run is a matter of seconds."""
SKY_NIGHTS = 60
LOOK_BACK = 5
"""The first run finds the alerts of so many nights: ZTF needs two clear ones to see its whole sky."""
APART = 6
"""Nights between the runs, at least: longer than `TARGETS` keeps what is not seen."""
TARGETS = {"deactivateAfter": "5 days", "faintLimit": dict.fromkeys("ugrizy", 20.5), "guard": {"share": 1}}
"""
Limits of D3.3.4 for ZTF, which never sees the 22.5 mag of LSST's. By the next of our nights most targets are over: no
guard should hold that back.
"""
SPECTRA = {"snr": 20}
"""ZTF's targets are bright: so that some of them want another spectrum."""
HOSTS = {"wanted": True, "unseenFor": 0}
"""So that hosts are seen within the demo: a transient that is off has faded."""
LEADING = ("PREFECT_API_", "PREFECT_HOME", "PREFECT_PROFILE", "PREFECT_SERVER_DATABASE_", "PREFECT_SERVER_API_AUTH_")
"""Variables of Prefect that begin so lead to a server, a home or a database."""
KEPT = frozenset({"SN", "NT", "ORPHAN", "UNCLEAR"})
"""Sherlock classes that TiDES' filter at Lasair lets through."""
OBSERVED = {
    "observed": "spectra that 4MOST took the night after",
    "done": "targets that need no more of them",
    "classified": "classes that came back",
}
"""The counts of what came back, in words."""
TAKEN_IN = re.compile(r"(\d+) found their target, (\d+) targets are done")
"""In the last words of ``tides spectra``."""
CAME_BACK = re.compile(r"(\d+) with something new")
"""In those of ``tides classified``."""
DAWN = timedelta(hours=13)
"""When the night ends at Palomar [UTC]."""
RUN_SECONDS = 300
"""Longest time for a run, which takes some 15 s."""
MATCH_DEG = 1 / 3600
"""One arcsecond: two names of one object."""
ROWS = {
    "messages": "messages read from Kafka",
    "objects": "objects among them",
    "evaluated": "light curves judged",
    "passed": "passed the selection",
    "refused": "messages and targets refused",
    "deferred": "put off to the next run",
    "inserted": "new targets",
    "updated": "targets seen again",
    "deactivated": "targets switched off: faded or unseen",
    "created_in_4most": "sent to 4MOST: new, with galaxies",
    "updated_in_4most": "sent to 4MOST: changed",
    "deactivated_in_4most": "sent to 4MOST: off, with those done",
    "failed_in_4most": "refused by 4MOST",
    "otherwise_in_4most": "shown otherwise by 4MOST",
    "renamed_in_4most": "given another name, as theirs was taken",
}
"""The counts of a run's summary, in words."""
LAST_OF_SECTION = ("deferred", "deactivated", "renamed_in_4most")
EXCHANGED = ("created_in_4most", "updated_in_4most", "deactivated_in_4most")


class DemoError(BridgeError):
    """
    A run of the flow that did not work.

    Parameters
    ----------
    problem
        What happened, and where to read more.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


@dataclass(frozen=True)
class Night:
    """What one run said, what 4MOST held after it, by id, and what of it was observed the night after."""

    title: str
    summary: Mapping[str, int]
    rows: Mapping[int, Mapping[str, Any]]
    spectra: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(OBSERVED, 0))


def show_demo(folder: Path, seed: int, console: Console) -> bool:
    """
    Run the demo.

    Parameters
    ----------
    folder
        Of the demo, emptied first.
    seed
        Of the sky.
    console
        Where to tell it.

    Returns
    -------
    bool
        Whether 4MOST holds what the runs said they sent.

    Raises
    ------
    DemoError
        When a run fails.
    KeyboardInterrupt
        On SIGINT or SIGTERM.
    """
    sky = Sky(seed=seed, objects=OBJECTS, nights=SKY_NIGHTS)
    with interruptible_once(), Standins(folder) as standins:
        settings = standins.folder / "settings.yaml"
        write_settings(settings, standins.settings(TARGETS) | {"spectra": SPECTRA, "hosts": HOSTS})
        first, second = _choose_nights(sky)
        nights: list[Night] = []
        for start, end in ((first - LOOK_BACK + 1, first), (first + 1, second)):
            # Night by night, the alerts that pass the filter.
            issued = [packet for night in range(start, end + 1) for packet in alerts(sky, night)]
            kept = [packet for packet in issued if packet["labels"]["sherlock"] in KEPT]
            standins.load(StandinAlert.from_packet(packet) for packet in kept)
            period = f"{_date(start)} to {_date(end)}"
            console.print(
                f"{period}: {len(issued)} alerts, {len(kept)} pass the filter at Lasair; the flow runs ...",
                soft_wrap=True,
            )
            summary = _run(standins.folder, settings, end)
            is_first = not nights
            if is_first:
                standins.fourmost.ingest()
            else:  # an hour later: what went off is off at 4MOST, too, so the galaxies of these may go on
                again = _run(standins.folder, settings, end)
                summary = {key: summary[key] + again[key] for key in ROWS}
            rows = {int(row["id"]): row for row in standins.fourmost.rows()}
            if is_first:
                console.print(f"4MOST takes its list over, and observes; {_date(end)}: its spectra come back ...")
            spectra = dict.fromkeys(OBSERVED, 0)
            if is_first:
                spectra = _observe((standins.folder, settings, end), rows, sky)
            nights.append(Night(_date(end), summary, rows, spectra))
        _write_sky(sky, second, standins.folder)
        console.print(_table(nights, sky), _examples(nights[-1], sky))
    disagreements = _disagreements(nights)
    for line in disagreements or ["4MOST holds exactly what the two runs said they sent."]:
        console.print(line, soft_wrap=True, style="red" if disagreements else "green")
    console.print(_where_to_look(standins, settings), soft_wrap=True)
    return not disagreements


def _choose_nights(sky: Sky) -> tuple[int, int]:
    """Choose two clear nights, after a month of history, that lie far enough apart."""
    clear = [night for night in range(sky.first_night + 30, sky.first_night + sky.nights) if sky.is_clear(night)]
    first = clear[0]
    return first, next(night for night in clear if night >= first + APART)


def _run(folder: Path, settings: Path, night: int) -> dict[str, int]:
    """
    Run the real flow at the end of a night; what it says goes to files in the folder.

    Raises
    ------
    DemoError
        When it fails or says nothing.
    """
    log, answer = (folder / f"run-{_date(night)}.{suffix}" for suffix in ("log", "json"))
    command = [sys.executable, "-m", "flows.cli", "run", "--settings", str(settings), "--json"]
    with answer.open("w") as output, log.open("w") as errors:
        code = _finish(command, _environment(folder, night), folder, output, errors)
    lines = [line for line in answer.read_text().splitlines() if line.startswith("{")]
    if code != 0 or not lines:
        last = "\n".join(log.read_text().splitlines()[-15:])
        how = f"did not end within {RUN_SECONDS} s" if code is None else f"ended with code {code}"
        raise DemoError(f"the run {how}: see {log}, which ends with\n{last}")
    summary = dict(json.loads(lines[-1]))
    if missing := ROWS.keys() - summary.keys():
        raise DemoError(f"the run's summary lacks {', '.join(sorted(missing))}: see {log}")
    return summary


def _observe(place: tuple[Path, Path, int], rows: Mapping[int, Mapping[str, Any]], sky: Sky) -> dict[str, int]:
    """
    Let 4MOST observe the night after a run, and the bridge read what is delivered of it, and what people make of it.

    Raises
    ------
    DemoError
        When it cannot.
    """
    folder, _, night = place
    deliveries, classes = folder / "deliveries", folder / "classes.csv"
    observed = observe_night([*rows.values()], NightPlan(night), deliveries)
    deliveries.mkdir(exist_ok=True)  # of a night without targets
    kinds = {row["name"]: _kind(row, sky) for row in rows.values()}
    lines = [f"{name},{kinds[name]},human,demo" for name in observed.snr]
    classes.write_text("\n".join(["name,class,source,person", *lines]) + "\n")
    counts = (*_taken_in(place, "spectra", deliveries, TAKEN_IN), *_taken_in(place, "classified", classes, CAME_BACK))
    return dict(zip(OBSERVED, counts, strict=True))


def _taken_in(place: tuple[Path, Path, int], command: str, path: Path, words: re.Pattern[str]) -> list[int]:
    """Let a command read what came back, and give the numbers in its words."""
    folder, settings, night = place
    answer, log = folder / f"{command}.txt", folder / f"{command}.log"
    line = [sys.executable, "-m", "flows.cli", command, str(path), "--settings", str(settings)]
    with answer.open("w") as output, log.open("w") as errors:
        code = _finish(line, _environment(folder, night + 1), folder, output, errors)
    found = words.search(answer.read_text())
    if code != 0 or not found:
        raise DemoError(f"tides {command} ended with code {code}: see {answer} and {log}")
    return [*map(int, found.groups())]


def _environment(folder: Path, night: int) -> dict[str, str]:
    """
    Give the environment of a run: at the night's end, with a Prefect of its own.

    No variable of the bridge, and none that leads to another Prefect, is passed on: the demo never reaches real
    services. What else a user has set for Prefect holds, such as a longer time for its start.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TIDES_", *LEADING))}
    return kept | {
        "TIDES_NOW": (time_from_mjd(night) + DAWN).isoformat(),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


def _finish(
    command: list[str], environment: dict[str, str], folder: Path, output: IO[str], errors: IO[str]
) -> int | None:
    """Run a program and answer its exit code, or None if it takes too long; nothing that it started goes on."""
    try:
        with tethered(command, environment, folder, output, errors) as process:
            return process.wait(RUN_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    finally:
        stop_left_database(folder)


def _disagreements(nights: list[Night]) -> list[str]:
    """Compare what each run said it sent with how the rows at 4MOST changed; a sentence for each difference."""
    before: Mapping[int, Mapping[str, Any]] = {}
    found = []
    for night in nights:
        switched = [
            i for i, row in night.rows.items() if i in before and before[i]["is_active"] and not row["is_active"]
        ]
        changed = [i for i, row in night.rows.items() if i in before and row != before[i] and i not in switched]
        counted = dict(zip(EXCHANGED, (len(night.rows) - len(before), len(changed), len(switched)), strict=True))
        for key, number in counted.items():
            if night.summary[key] != number:
                found.append(f"{night.title}: the run said {ROWS[key]}: {night.summary[key]}, but 4MOST shows {number}")
        before = night.rows
    return found


def _table(nights: list[Night], sky: Sky) -> Table:
    """Show the counts of the runs, and what 4MOST held after each."""
    table = Table(title="What happened", title_justify="left")
    table.add_column("")
    for night in nights:
        table.add_column(f"after the night\nof {night.title}", justify="right")
    for key, words in ROWS.items():
        table.add_row(words, *(str(night.summary[key]) for night in nights), end_section=key in LAST_OF_SECTION)
    for key, words in OBSERVED.items():
        table.add_row(words, *(str(night.spectra[key]) for night in nights), end_section=key == "classified")
    active = [[row for row in night.rows.values() if row["is_active"]] for night in nights]
    table.add_row("active at 4MOST now", *(str(len(rows)) for rows in active))
    genuine = (sum(_kind(row, sky) in SUPERNOVAE for row in rows) for rows in active)
    table.add_row("... and truly supernovae", *map(str, genuine))
    hosts = (sum(row["subsurvey"] == "tides-hosts" for row in rows) for rows in active)
    table.add_row("... and hosts of those switched off", *map(str, hosts))
    table.add_row(
        "switched off at 4MOST now", *(str(len(n.rows) - len(a)) for n, a in zip(nights, active, strict=True))
    )
    return table


def _examples(night: Night, sky: Sky) -> Table:
    """Show some targets at 4MOST, active ones and others, and what they really are."""
    table = Table(title="Some targets at 4MOST", title_justify="left")
    for heading in ("name", "ra [deg]", "dec [deg]", "mag", "active", "in truth"):
        table.add_column(heading, no_wrap=True)
    rows = list(night.rows.values())
    chosen = [row for row in rows if row["is_active"]][:4] + [row for row in rows if not row["is_active"]][:2]
    for row in chosen:
        numbers = (f"{row['ra']:.4f}", f"{row['dec']:+.4f}", f"{row['mag']:.2f}")
        table.add_row(row["name"], *numbers, "yes" if row["is_active"] else "no", _kind(row, sky))
    return table


def _kind(row: Mapping[str, Any], sky: Sky) -> str:
    """Say what lies at the place of a target."""
    places = ((thing.kind, abs(thing.ra - row["ra"]), abs(thing.dec - row["dec"])) for thing in sky.objects)
    return next((kind for kind, east, north in places if max(east, north) < MATCH_DEG), "nothing")


def _write_sky(sky: Sky, night: int, folder: Path) -> None:
    """Keep the truth, and the newest alert of each object for ``tides standins``."""
    newest = {packet["objectId"]: packet for n in range(night - 30, night + 1) for packet in alerts(sky, n)}
    with gzip.open(folder / "alerts.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(packet) + "\n" for packet in newest.values())
    rows = list(ztf_truth(sky))
    with (folder / "truth.csv").open("w", newline="") as table:
        writer = csv.DictWriter(table, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _where_to_look(standins: Standins, settings: Path) -> str:
    folder, account = standins.folder, f"{standins.fourmost.user}:{standins.fourmost.password}"
    tides, query = (
        command_to_type("tides"),
        "SELECT name, ztf_r_latest_mag, active, inactive_reason "
        "FROM tides_master INNER JOIN target_magnitudes USING (tides_id, name) ORDER BY name",
    )
    return f"""
Where to look (nothing runs any more; the files stay until the next demo)
  settings   {settings}
  portal     {tides} page --settings {settings}    shows all of it in a browser: targets, light curves, why
  refused    {tides} refused targets --settings {settings}
  targets    {tides} targets --settings {settings}
  questions  {tides} questions --settings {settings}
  decisions  {tides} why TiDES26aaa --settings {settings}
  database   {tides} psql --settings {settings} -c "{query}"
  4MOST      {tides} fourmost --state {folder / "fourmost.sqlite3"}
             curl -u {account} http://127.0.0.1:8040/QFSwi/targetCat/transients/
  flow runs  PREFECT_HOME={folder / "prefect"} {command_to_type("prefect")} server start    then http://127.0.0.1:4200
  spectra    {folder / "deliveries"}: of one of their targets, {tides} why NAME --settings {settings}
  truth      {folder / "truth.csv"}, and what the runs said in run-*.log beside it
  play on    {tides} standins --alerts {folder / "alerts.jsonl.gz"} --settings-out play.yaml
             {tides} run --settings play.yaml
"""


def _date(night: int) -> str:
    return f"{time_from_mjd(night):%Y-%m-%d}"


def demo_folder() -> Path:
    """Give the demo's own folder; ``tides up`` has another, which must not be emptied."""
    return standard_folder("two-nights")
