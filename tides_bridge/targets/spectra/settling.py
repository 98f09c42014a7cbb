"""
Whose spectra these are, and which targets have enough.

A spectrum belongs to the target whose ``ostd_u_obj_id`` is its OBJ_UID, else whose key at 4MOST it names, else whose
name it has and at whose place it lies. What no rule finds is for a person: `rule_spectra`. All of it is worked out from
what is stored, as often as one likes: a target that 4MOST ingests later, or that is merged, finds its spectra then.
"""

import getpass
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.errors import RejectedError, SettingsError
from tides_bridge.settings import Settings
from tides_bridge.targets.association import life_limits, lock_targets
from tides_bridge.targets.rulings import find_subjects

MATCH_ARCSEC: Final = 2.0
"""[arcsec] So near to its place a spectrum must lie that is matched by name: names need not be unique at 4MOST."""

DOUBT_ARCSEC: Final = 10.0
"""[arcsec] What lies farther from its target is not taken for it, whatever its OBJ_UID: a person is asked."""


class Settled(NamedTuple):
    """Numbers of spectra that found their target, and of targets that are done by them."""

    matched: int
    done: int


def settle_spectra(database: Database, settings: Settings) -> Settled:
    """
    Find the targets of spectra, and switch those off that have enough of them.

    Parameters
    ----------
    database
        With the deliveries. A batch that is stored at this moment is waited for.
    settings
        Its section ``spectra``, and the rules of a target's life.
    """
    with database.transaction("observed") as connection:
        lock_targets(connection)
        return _settle(connection, settings, [])


def _settle(connection: Connection, settings: Settings, taken_back: Sequence[int]) -> Settled:
    radii = {"match_radius": MATCH_ARCSEC, "doubt_radius": DOUBT_ARCSEC}
    matched = sum(row["number"] for row in run(connection, "targets/match_spectra.sql", radii))
    done = [row["tides_id"] for row in run(connection, "targets/settle_spectra.sql", enough(settings))]
    # What a person ruled has its place among the rest: see `tides_bridge.targets.rulings`.
    about = {"tides_ids": sorted({*done, *taken_back})}
    run(connection, "targets/judge_targets.sql", about | life_limits(settings))
    return Settled(matched, len(done))


def enough(settings: Settings) -> dict[str, float | int | None]:
    """Word for the scripts when a target has enough spectra."""
    wanted = settings.spectra
    return {"least_snr": wanted.snr, "least_visits": wanted.visits, "least_confidence": wanted.class_confidence}


def rule_spectra(
    database: Database, settings: Settings, spectra: Sequence[str], target: str | None, reason: str
) -> int:
    """
    Store which target some spectra are of, as a person says.

    Parameters
    ----------
    database, settings
        Where, and the rules by which the targets are judged anew.
    spectra
        Numbers of spectra; or names of files: then all in them that have no target.
    target
        Its name, or that of one of its objects; None: they are of none of ours.
    reason
        Why, for those who look at it later.

    Returns
    -------
    int
        The number of spectra.

    Raises
    ------
    RejectedError
        If there is no such target, or no such spectrum.
    SettingsError
        If there is no reason.
    """
    if not reason.strip():
        raise SettingsError("--reason", "", "say why, for those who look at it later")
    with database.transaction("observed") as connection:
        lock_targets(connection)
        about = {"tides_id": _target(connection, settings, target), "who": getpass.getuser(), "reason": reason.strip()}
        ruled = []
        for spectrum in spectra:
            rows = run(connection, "targets/rule_spectra.sql", about | {"spectrum": spectrum})
            if not rows:
                raise RejectedError(spectrum, "is no spectrum by its number, and no file with some that have no target")
            ruled += rows
        former = {"tides_ids": sorted({row["before"] for row in ruled if row["before"] is not None})}
        taken_back = run(connection, "targets/take_back_spectrum.sql", former)
        _settle(connection, settings, [row["tides_id"] for row in taken_back])
    return len(ruled)


def _target(connection: Connection, settings: Settings, name: str | None) -> int | None:
    if name is None:
        return None
    (subject,) = find_subjects(connection, settings, [name])
    if subject.tides_id is None:
        raise RejectedError(name, "there is no target of this name, and none with such an object")
    return subject.tides_id


def spectra_of(connection: Connection, settings: Settings, tides_ids: Sequence[int]) -> list[dict[str, Any]]:
    """
    List the spectra of some targets, the newest night first: see ``targets/list_spectra.sql``.

    Parameters
    ----------
    connection
        To the database.
    settings
        When a target has enough.
    tides_ids
        The targets.
    """
    return run(connection, "targets/list_spectra.sql", {"tides_ids": list(tides_ids)} | enough(settings))


def count_spectra(connection: Connection) -> dict[str, Any]:
    """Count spectra, targets that have some, and what waits: see ``targets/count_spectra.sql``."""
    return run(connection, "targets/count_spectra.sql")[0]


def spectrum_in_words(row: Mapping[str, Any]) -> str:
    """
    Word a spectrum of `spectra_of`.

    >>> row = {"night": "2026-11-29", "snr": 2.31, "exposure_s": 2280.0, "software": "1.2", "is_newest": True}
    >>> spectrum_in_words(row | {"path": "/deliveries/20261129/a.fits", "spec_uid": "7", "spectrum_id": 3})
    '2026-11-29, S/N 2.3, 38 min, in a.fits as 7 (spectrum 3)'
    """
    snr = "S/N unknown" if row["snr"] is None else f"S/N {row['snr']:.1f}"
    exposure = "" if row["exposure_s"] is None else f", {row['exposure_s'] / 60:.0f} min"
    newer = "" if row["is_newest"] else f", by older software {row['software'] or ''}".rstrip()
    file = row["path"].rpartition("/")[2]
    return f"{row['night']}, {snr}{exposure}{newer}, in {file} as {row['spec_uid']} (spectrum {row['spectrum_id']})"


def spectra_in_words(row: Mapping[str, Any], settings: Settings) -> str:
    """
    Say whether a target has enough spectra, and what it lacks.

    Parameters
    ----------
    row
        Of `spectra_of`, any of the target.
    settings
        When it has enough.
    """
    if row["is_enough"]:
        return "enough"
    lacking = []
    if row["best_snr"] is None or row["best_snr"] < settings.spectra.snr:
        best = "unknown" if row["best_snr"] is None else f"{row['best_snr']:.1f}"
        lacking.append(f"the best S/N is {best}, {settings.spectra.snr:g} demanded")
    if row["visits"] < settings.spectra.visits:
        lacking.append(f"{row['visits']} of {settings.spectra.visits} visits")
    return f"wants another: {', '.join(lacking)}"
