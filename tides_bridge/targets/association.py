"""
One object, many names: which objects of which surveys are one target, by position or because a person said so.

What a batch associates is part of its transaction, and is never undone by a later batch; a person merges and splits.
All of it is in PostgreSQL: `association` has a row an object, `association_log` what persons decided, and
`association_question` what is for them to decide.
"""

import getpass
from datetime import UTC
from typing import Any, NamedTuple

from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.errors import RejectedError, SettingsError
from tides_bridge.settings import Settings
from tides_bridge.targets.life import life_rules

MATCH_RADIUS_ARCSEC = 1.0
"""[arcsec] Nearer objects are one: Rubin gives several identifiers within it, and new ones with every release."""

QUESTION_RADIUS_ARCSEC = 2.0
"""[arcsec] Of nearer objects a person says whether they are one: SN 2023ghl and SN 2024gyr are two within it."""

LISTED = 50
"""So many decisions of persons are listed at most."""


class Moved(NamedTuple):
    """What a person changed: names of the target that gave objects and of the one that has them now, and how many."""

    giver: str
    taker: str
    objects: int


def life_limits(settings: Settings) -> dict[str, Any]:
    """
    Word the rules of a target's life for the scripts.

    Parameters
    ----------
    settings
        Its section ``targets``, and the clock.

    Returns
    -------
    dict
        ``now_mjd`` [d, UTC], and `life_rules`.
    """
    _, band_sent, _ = settings.fourmost.mag_type.split("_")
    return {"now_mjd": settings.now_mjd(), **life_rules(settings.targets, band_sent)}


def associate_staged(connection: Connection, settings: Settings) -> int:
    """
    Give each staged object that has no target yet the one it belongs to, or a new one with the next name of the year.

    The objects are settled as if they came one by one, those first detected first: an object goes to the target of the
    nearest object within `MATCH_RADIUS_ARCSEC`, of equally near ones to that with the smaller ``tides_id``.

    Parameters
    ----------
    connection
        Of the batch, with its stage. Another batch waits until it is done.
    settings
        Whose clock says which year it is.

    Returns
    -------
    int
        The number of objects that had no target.
    """
    match, near = {"match_radius": MATCH_RADIUS_ARCSEC}, {"question_radius": QUESTION_RADIUS_ARCSEC}
    # To the end of the batch: two batches that meet a new object at once would make two targets of it.
    run(connection, "targets/lock.sql")
    run(connection, "targets/create_match_stage.sql")
    naming = {"year": year_of(settings), "prefix": settings.targets.name_prefix}
    number = int(run(connection, "targets/find_new.sql", near)[0]["number"])
    if number:
        run(connection, "targets/find_neighbours.sql", near)
        run(connection, "targets/add_targets.sql", match | naming)
        run(connection, "targets/settle_new.sql", match)
    return number


def store_questions(connection: Connection) -> None:
    """
    Keep what `associate_staged` asks of a person, once the targets in question are stored.

    Parameters
    ----------
    connection
        Of the batch. The questions name targets by key, so they wait in the stage until these rows are there.
    """
    run(connection, "targets/store_questions.sql")


def year_of(settings: Settings) -> int:
    """Give the year [UTC] after which a new target is named."""
    return settings.time().astimezone(UTC).year


def lock_targets(connection: Connection) -> None:
    """
    Let no other transaction change which object is which target, or judge targets, until this one ends.

    Parameters
    ----------
    connection
        Of a transaction that judges targets by what it reads now.
    """
    run(connection, "targets/lock.sql")


# What a person decides


def merge_targets(database: Database, settings: Settings, kept: str, other: str, reason: str) -> Moved:
    """
    Let all objects of one target be another one's, and switch the first off for good; `split_target` undoes it.

    Parameters
    ----------
    database, settings
        Where, and the rules of a target's life, by which the other is judged anew.
    kept, other
        The target that gets the objects, and the one that gives them: its name, or that of one of its objects.
    reason
        Why, for the log.

    Raises
    ------
    RejectedError
        If there is no such target, if one was merged already, or if they are the same.
    """
    with database.transaction("association") as connection:
        run(connection, "targets/lock.sql")
        taker, giver = _find(connection, kept), _find(connection, other)
        if taker["tides_id"] == giver["tides_id"]:
            raise RejectedError(other, f"is {taker['name']} already: there is nothing to merge")
        _answer(connection, taker["tides_id"], giver["tides_id"], "merged")
        # What people decided of the giver holds for the taker, that has its objects: the rulings go with these.
        _carry_rulings(connection, giver["tides_id"])
        ids = {"tides_id": giver["tides_id"], "kept_id": taker["tides_id"]}
        moved = run(connection, "targets/merge_targets.sql", ids | _signed(reason))[0]["objects"]
        _settle(connection, settings, taker["tides_id"])
    return Moved(giver["name"], taker["name"], moved)


def split_target(database: Database, settings: Settings, name: str, reason: str) -> Moved:
    """
    Undo the merge of a target: the objects that it brought are its own again, and it is judged anew.

    Objects that were associated later with those stay where they are, as does one that a person took elsewhere since.

    Parameters
    ----------
    database
        With both targets.
    settings
        By whose limits and clock both are judged anew.
    name
        Of the target that was merged into another.
    reason
        Why, for the record.

    Raises
    ------
    RejectedError
        If it was not merged, or if the target it was merged into has none of its objects any more.
    """
    with database.transaction("association") as connection:
        run(connection, "targets/lock.sql")
        tides_id = _find(connection, name, may_be_merged=True)["tides_id"]
        chain = run(connection, "targets/list_chain.sql", {"tides_id": tides_id})
        if not chain:
            raise RejectedError(name, "was not merged into another; to take one object out of a target: --survey")
        kept_id = chain[-1]["tides_id"]
        ids = {"tides_id": tides_id, "kept_id": kept_id}
        moved = run(connection, "targets/undo_merge.sql", ids | _signed(reason))[0]["objects"]
        if not moved:
            raise RejectedError(name, f"none of the objects that it brought is in {chain[-1]['name']} any more")
        for target in chain:
            run(connection, "targets/return_spectrum.sql", {"tides_id": target["tides_id"]})
        _answer(connection, tides_id, kept_id, "apart")
        _settle(connection, settings, tides_id, kept_id)
    return Moved(chain[-1]["name"], name, moved)


def split_object(database: Database, settings: Settings, survey: str, object_id: str, reason: str) -> Moved:
    """
    Take one object out of its target, into a new one with a name of its own.

    Parameters
    ----------
    database
        With the target.
    settings
        Whose clock says which year the new name is of.
    survey, object_id
        Which object.
    reason
        Why, for the record.

    Raises
    ------
    RejectedError
        If it is in no target, or is the only object of its target.
    """
    about = {"survey": survey, "object_id": object_id, "year": year_of(settings)}
    about |= {"prefix": settings.targets.name_prefix}
    with database.transaction("association") as connection:
        run(connection, "targets/lock.sql")
        # What people decided of the target holds for both parts, until they say otherwise of one.
        run(connection, "targets/carry_rulings.sql", {"survey": survey, "object_id": object_id})
        rows = run(connection, "targets/split_object.sql", about | _signed(reason))
        if not rows:
            raise RejectedError(f"{survey} {object_id}", "is in no target, or is the only object of one")
        split = rows[0]
        _answer(connection, split["tides_id"], split["left_id"], "apart")
        _settle(connection, settings, split["tides_id"], split["left_id"])
    return Moved(split["left_name"], split["name"], 1)


def keep_apart(database: Database, question_id: int, reason: str) -> tuple[str, str]:
    """
    Answer a question: the two are two.

    Parameters
    ----------
    database
        With the question.
    question_id
        Of `association_question`.
    reason
        Why, for the record.

    Returns
    -------
    (str, str)
        The names of the two targets.

    Raises
    ------
    RejectedError
        If no such question is open.
    """
    with database.transaction("association") as connection:
        run(connection, "targets/lock.sql")
        rows = run(connection, "targets/keep_apart.sql", {"question_id": question_id} | _signed(reason))
    if not rows:
        raise RejectedError(f"question {question_id}", "is not open, see: tides associations")
    return rows[0]["name"], rows[0]["other_name"]


def list_associations(database: Database, name: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """
    List what is known of associations: of one target, or of all.

    Parameters
    ----------
    database
        To ask.
    name
        Of a target, or of one of its objects; None for all.

    Returns
    -------
    dict
        ``targets`` (with the name of the one it was merged into) and their ``objects``, both empty without a name; the
        open ``questions``, the nearest first; and the ``log`` of what persons decided, the newest first.

    Raises
    ------
    RejectedError
        If there is no such target.
    """
    with database.transaction() as connection:
        targets = run(connection, "targets/find_targets.sql", {"name": name}) if name else []
        if name and not targets:
            raise RejectedError(name, "there is no target of this name, and none with such an object")
        about = {"tides_ids": [row["tides_id"] for row in targets] if name else None}
        return {
            "targets": targets,
            "objects": run(connection, "targets/list_objects.sql", about) if name else [],
            "questions": run(connection, "targets/list_questions.sql", about),
            "log": run(connection, "targets/list_log.sql", about | {"number": LISTED}),
        }


def _find(connection: Connection, name: str, *, may_be_merged: bool = False) -> dict[str, Any]:
    """Find one target by its name, or else by an object's, for a change."""
    rows = run(connection, "targets/find_targets.sql", {"name": name})
    if not rows:
        raise RejectedError(name, "there is no target of this name, and none with such an object")
    own = [row for row in rows if row["name"] == name] or rows
    if len(own) > 1:
        names = " and ".join(row["name"] for row in own)
        raise RejectedError(name, f"is the name of objects of {names}: name one of these")
    if own[0]["merged_into"] and not may_be_merged:
        raise RejectedError(name, f"was merged into {own[0]['merged_into']}: name that one, or split it first")
    return own[0]


def _signed(reason: str) -> dict[str, str]:
    """Give what the log says of who decided, and why."""
    if not reason.strip():
        raise SettingsError("--reason", "", "say why, for those who look at it later")
    return {"reason": reason.strip(), "who": getpass.getuser()}


def _carry_rulings(connection: Connection, tides_id: int) -> None:
    for row in run(connection, "targets/list_objects.sql", {"tides_ids": [tides_id]}):
        run(connection, "targets/carry_rulings.sql", {"survey": row["survey"], "object_id": row["object_id"]})


def _answer(connection: Connection, tides_id: int, other_id: int, answer: str) -> None:
    ids = {"tides_id": tides_id, "other_id": other_id}
    run(connection, "targets/answer_questions.sql", ids | {"answer": answer})


def _settle(connection: Connection, settings: Settings, *tides_ids: int) -> None:
    """Let targets be what their objects say now, and switch them on or off by it."""
    about = {"tides_ids": list(tides_ids)}
    run(connection, "targets/refresh_targets.sql", about)
    run(connection, "targets/judge_targets.sql", about | life_limits(settings))
