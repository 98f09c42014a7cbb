"""What a page shows of what is known of a target or object: its light curve, what happened, what waits."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, NamedTuple

import numpy as np

from tides_bridge.database import Database, run
from tides_bridge.decisions.history import stored_function
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.photometry import BANDS, PHOTOMETRIC_SYSTEMS, mjd_from_time, time_from_mjd
from tides_bridge.lightcurves.stored import unpack_tables
from tides_bridge.operations.questions import list_questions
from tides_bridge.portal.light_curve_plot import Event, LightCurvePlot, Predicted, times_on
from tides_bridge.selection.measures import PointFilter
from tides_bridge.settings import Settings
from tides_bridge.targets.brightness import SUPERNOVA, Requests, predict_requests
from tides_bridge.targets.life import coming_night
from tides_bridge.targets.rulings import in_words
from tides_bridge.targets.spectra.classes import class_in_words
from tides_bridge.targets.spectra.settling import spectrum_in_words

AHEAD_DAYS: Final = 10
"""[d] So far ahead the brightness is drawn."""

DONE: Final = frozenset({"confirmed", "adopted", "repaired", "otherwise"})
"""Answers of 4MOST after which a row is there as it was asked for."""

SWITCHED: Final = {"create": True, "update": True, "deactivate": False}
"""Whether a target is on after 4MOST was told this."""


DRAWN: Final = {"4MOST": "4MOST told", "ruling": "ruling", "spectrum": "spectrum"}
"""What is drawn below a light curve, and how its row is called."""


class Happening(NamedTuple):
    """What happened to a target: when, of which kind, and in words."""

    at: datetime
    kind: str
    words: str


def questions_on(database: Database, settings: Settings, name: str) -> list[Any]:
    """
    List what waits for a person's word about a target.

    Parameters
    ----------
    database, settings
        To ask, and the clock.
    name
        Of the target.
    """
    return [row for row in list_questions(database, settings) if name in row.about.split()]


def curves_of(database: Database, keys: Sequence[tuple[str, str]]) -> tuple[LightCurves, list[str]] | None:
    """
    Get the newest light curves that are kept of some objects, and their surveys; None if none is.

    Parameters
    ----------
    database
        To ask.
    keys
        Survey and name of each object.
    """
    surveys, object_ids = ([key[place] for key in keys] for place in (0, 1))
    with database.transaction() as connection:
        rows = run(
            connection, "portal/get_curves_of_objects.sql", {"surveys": surveys, "object_ids": object_ids}
        )  # fmt: skip
    if not rows:
        return None
    return LightCurves.from_arrow(unpack_tables(row["curve"] for row in rows)), [row["survey"] for row in rows]


def plot_of(database: Database, settings: Settings, found: Mapping[str, Any], keys: Sequence[tuple[str, str]]) -> Any:
    """
    Put together what a light curve shows of a target or an object; None if none is kept.

    Parameters
    ----------
    database
        With the light curves.
    settings
        The clock.
    found
        Of `all_known_of`.
    keys
        Survey and name of its objects.

    Returns
    -------
    LightCurvePlot or None
        To be drawn.
    """
    kept = curves_of(database, keys)
    if kept is None:
        return None
    curves, surveys = kept
    active = [row for row in found["decisions"] if row["role"] == "active"]
    function = stored_function(active[-1]["function"], active[-1]["normalised_text"]) if active else None
    is_target = any(row["merged_into"] is None for row in found["targets"])
    return LightCurvePlot(
        curves,
        surveys,
        function.points if function else PointFilter(),
        first_trigger(active),
        expected_brightness(curves, surveys, settings.now_mjd()) if is_target else {},
        [Event(mjd_from_time(row.at), DRAWN[row.kind], row.words) for row in happenings(found) if row.kind in DRAWN],
        times_on(switches_of(found["sent"]), settings.now_mjd()),
    )


def first_trigger(decisions: Sequence[Mapping[str, Any]]) -> float | None:
    """
    Tell when a function was first satisfied [MJD, UTC]: an alert may have the points of the last 30 days only.

    Parameters
    ----------
    decisions
        Of an object or target, the oldest first: those of the function of the last one count.

    Examples
    --------
    >>> rows = [{"function": f, "trigger_mjd": mjd} for f, mjd in (("a", 1.0), ("b", 3.0), ("b", None), ("b", 5.0))]
    >>> first_trigger(rows), first_trigger(rows[2:3])
    (3.0, None)
    """
    of_function = [row["trigger_mjd"] for row in decisions if row["function"] == decisions[-1]["function"]]
    return min((mjd for mjd in of_function if mjd is not None), default=None)


def expected_brightness(curves: LightCurves, surveys: Sequence[str], now_mjd: float) -> dict[str, Predicted]:
    """
    Predict the brightness of a target from its last point until some nights after the coming one.

    Parameters
    ----------
    curves, surveys
        Of its n objects.
    now_mjd
        [MJD, UTC]

    Returns
    -------
    dict
        By band; empty where it is not known to behave as a supernova, or was not seen for so long that nothing is said.
    """
    if not len(curves.mjd):
        return {}
    first, last = float(curves.mjd.max()), coming_night(now_mjd) + AHEAD_DAYS
    if last - first > 3 * AHEAD_DAYS:
        return {}
    systems = {PHOTOMETRIC_SYSTEMS.get(survey, survey) for survey in surveys}
    system = "LSST" if "LSST" in systems else "ZTF"  # as that of the night, which 4MOST is told
    epochs = np.arange(first, last, 1.0)
    whole = curves.merged(["all"], np.zeros(len(curves), dtype=int), Objects.unknown(1))
    letters = [BANDS[number] for number in np.unique(curves.band[curves.is_detection]) if number >= 0]
    bands = np.repeat([BANDS.index(letter) for letter in letters], len(epochs))
    size = len(bands)
    asked = Requests(np.zeros(size, dtype=int), np.full(size, now_mjd), np.tile(epochs, len(letters)), bands)
    found = predict_requests(whole, asked, system)
    parts = {letter: slice(place * len(epochs), (place + 1) * len(epochs)) for place, letter in enumerate(letters)}
    return {
        letter: Predicted(epochs, found.magnitude[part], found.error[part])
        for letter, part in parts.items()
        if all(method.startswith(SUPERNOVA) for method in found.method[part])
    }


def switches_of(sent: Sequence[Mapping[str, Any]]) -> list[tuple[float, bool]]:
    """
    Tell when 4MOST switched a target on or off: epoch [MJD, UTC], and whether it is on from then.

    Parameters
    ----------
    sent
        Of `all_known_of`, the oldest first.
    """
    rows = [row for row in sent if row["status"] in DONE]
    known = [(row, (row["payload"] or {}).get("is_active", SWITCHED.get(row["operation"]))) for row in rows]
    return [(mjd_from_time(row["logged_at"]), bool(is_on)) for row, is_on in known if is_on is not None]


def answered(sent: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """
    Put each answer of 4MOST together with what was asked: one row, also of what has no answer yet.

    Parameters
    ----------
    sent
        Of `all_known_of`, the oldest first.
    """
    rows: list[dict[str, Any]] = []
    for row in sent:
        origin = row["magnitude_origin"]
        before = (rows[-1]["operation"], rows[-1]["status"]) if rows else None
        if row["status"] != "asked" and before == (row["operation"], "asked"):
            asked = rows.pop()
            origin = origin or asked["magnitude_origin"]
        rows.append(dict(row) | {"magnitude_origin": origin})
    return rows


def happenings(found: Mapping[str, Any]) -> list[Happening]:
    """
    List what happened to a target or an object, the newest first.

    Parameters
    ----------
    found
        Of `all_known_of`.
    """
    return sorted([*_by_us(found), *_by_others(found)], key=attrgetter("at"), reverse=True)


def _by_us(found: Mapping[str, Any]) -> Iterator[Happening]:
    """Give what the bridge and its people did."""
    for row in found["targets"]:
        yield Happening(row["created_at"], "target", f"became the target {row['name']}")
    for row in found["decisions"]:
        result = "passed" if row["passed"] else "did not pass"
        words = f"{row['survey']} {row['object_id']} {result} {row['function']} ({row['role']})"
        yield Happening(row["decided_at"], "decision", f"{words}, {row['n_detections']} detections")
    for row in found["rulings"]:
        yield Happening(row["ruled_at"], "ruling", in_words(row))
    for row in found["sent"]:
        answer = f": {row['answer']}" if row["answer"] else ""
        yield Happening(row["logged_at"], "4MOST", f"{row['operation']} {row['status']}{answer}")


def _by_others(found: Mapping[str, Any]) -> Iterator[Happening]:
    """Give what brokers and spectra said."""
    for (broker, at), number in Counter((row["broker"], row["stored_at"]) for row in found["annotations"]).items():
        yield Happening(at, "annotation", f"{broker}: {number} new value{'s' if number > 1 else ''}")
    for row in found["spectra"]:
        if row["mjd"] is not None:
            yield Happening(time_from_mjd(row["mjd"]), "spectrum", spectrum_in_words(row))
    for row in found["classes"]:
        if row["classified_at"] is not None:
            yield Happening(row["classified_at"], "class", class_in_words(row))
