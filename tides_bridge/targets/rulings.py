"""
Rulings: what people decide of targets and objects, which stays decided.

Kept in `ruling`, which is only added to: who, when, why, until when. Which of all that is known of a target comes first
is said once, by the function ``state_reason`` in ``sql/schema/014_rulings.sql``::

    merged > veto > spectrum > hold > force > rules

A ruling on a target lies on all its objects, and goes with them: to the target that they are merged into, to the one
that they are split into, and to the target that an object becomes. The newest of a kind takes the place of earlier
ones on the same target; a release ends them.
"""

import getpass
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.errors import RejectedError, SettingsError
from tides_bridge.settings import Settings
from tides_bridge.targets.association import life_limits, lock_targets

RulingKind = Literal["veto", "force", "hold", "comment", "tag", "release"]

SWITCHES = ("veto", "force", "hold", "release")
"""The kinds that switch a target on or off."""

FORCED_FOR = timedelta(days=30)
"""So long a target is forced if nobody says until when: what is forced for ever is forgotten and observed for ever."""

NAME_FORMS = {"ztf": re.compile(r"ZTF\d{2}[a-z]{7}"), "lsst": re.compile(r"\d{1,19}")}
"""How surveys name objects: of one that nobody has judged yet, the name tells the survey."""

TNS_NAME = re.compile(r"(?:[A-Z]{2,4} ?)?((?:19|20)\d\d[A-Za-z]{1,8})", re.ASCII)
"""As people write names of the Transient Name Server: SN 2026abc, AT2026abc, 2026abc."""

SOURCES = {"4most": "4MOST", "tns": "TNS"}
"""Who rules where no person does."""


@dataclass(frozen=True)
class Ruling:
    """
    What a person decides.

    Attributes
    ----------
    kind
        ``veto`` and ``hold`` keep a target off, ``force`` sends it; ``comment`` and ``tag`` switch nothing; ``release``
        ends the earlier ones.
    reason
        Why, for those who look at it later.
    until
        When it ends by itself; None: never, a force after `FORCED_FOR`.
    tag
        Of a tag, or that a release takes away.
    only_kind
        The only kind that a release ends; None: veto, force and hold.
    source
        ``4most``: taken from a row there that somebody else switched off; a person is asked. ``tns``: follows from a
        type of the Transient Name Server.
    who
        The person; None: who has started this program.
    """

    kind: RulingKind
    reason: str
    until: datetime | None = None
    tag: str | None = None
    only_kind: str | None = None
    source: Literal["person", "4most", "tns"] = "person"
    who: str | None = None


class Subject(NamedTuple):
    """A target, by key and name, or an object that is none, by survey and name; and how it was ``named``."""

    named: str
    tides_id: int | None
    name: str | None
    survey: str | None
    object_id: str | None

    def __str__(self) -> str:
        """Say what it is, such as "TiDES26aaa" or "TiDES26aaa (ZTF26aaaaaaa)"."""
        called = self.name or f"{self.survey} {self.object_id}"
        return called if self.named in (called, self.object_id) else f"{called} ({self.named})"


class Ruled(NamedTuple):
    """
    What became of a target or an object by a ruling.

    ``is_new`` is False where the same was in force already; ``state`` is ``active``, why it is off, or None: it is an
    object that is no target. ``has_ended`` tells whether it ended an earlier one.
    """

    subject: Subject
    is_new: bool
    state: str | None
    has_ended: bool


def find_subjects(
    connection: Connection, settings: Settings, names: Iterable[str], survey: str | None = None
) -> list[Subject]:
    """
    Find what names stand for: a target, by its own name or that of one of its objects, or else an object.

    Parameters
    ----------
    connection
        To the database.
    settings
        How names of targets begin.
    names
        Of targets and objects, as people write them.
    survey
        Whose object is meant that nobody has judged yet; None: as the form of its name has it.

    Returns
    -------
    list of Subject
        Each once, in the order of the names. A target that was merged stands for the one that has its objects.

    Raises
    ------
    RejectedError
        If a name stands for nothing that can be, or for several.
    """
    asked = list(dict.fromkeys(name.strip() for name in names if name.strip()))
    called = our_names(connection, asked)
    meant: dict[str, list[dict[str, Any]]] = {name: [] for name in called.values()}
    for row in run(connection, "targets/find_subjects.sql", {"names": list(meant)}):
        meant[row["named"]].append(row)
    found: dict[tuple[Any, ...], Subject] = {}
    for name in asked:
        rows = meant[called[name]]
        subject = _chosen(name, rows, survey) if rows else _unknown(name, settings, survey)
        found.setdefault((subject.tides_id, subject.survey, subject.object_id), subject)
    return list(found.values())


def our_names(connection: Connection, names: Sequence[str]) -> dict[str, str]:
    """
    Give for each name the one that our tables have: that of a target for its name at the Transient Name Server.

    Parameters
    ----------
    connection
        To the database.
    names
        As people write them: SN 2026abc, AT2026abc and 2026abc are one; all others are given back as they are.
    """
    bare = {name: found[1] for name in names if (found := TNS_NAME.fullmatch(name))}
    if not bare:
        return dict(zip(names, names, strict=True))
    rows = run(connection, "targets/find_tns_names.sql", {"names": list(bare.values())})
    ours = {row["bare"]: row["name"] for row in rows}
    return {name: ours.get(bare.get(name, ""), name) for name in names}


def _chosen(named: str, rows: Sequence[Mapping[str, Any]], survey: str | None) -> Subject:
    """Choose what a name stands for: a target called so is no object's."""
    best = [row for row in rows if row["is_own"] == rows[0]["is_own"]]
    if survey is not None:
        best = [row for row in best if row["survey"] in (None, survey)]
    if len(best) != 1:
        names = " and ".join(row["name"] or f"an object of {row['survey']}" for row in best) or "no object of it"
        raise RejectedError(named, f"stands for {names}: name the target, or give --survey")
    row = best[0]
    return Subject(named, row["tides_id"], row["name"], row["survey"], row["object_id"])


def _unknown(named: str, settings: Settings, survey: str | None) -> Subject:
    """Take a name for that of an object which nobody has judged yet, if it can be one."""
    if not named.startswith(settings.targets.name_prefix):
        by_form = [name for name, form in NAME_FORMS.items() if form.fullmatch(named)]
        if survey or by_form:
            return Subject(named, None, None, survey or by_form[0], named)
    raise RejectedError(
        named,
        "there is no target of this name, and no such object; if it is still to come: --survey, where that exists",
    )


def check_ruling(ruling: Ruling, settings: Settings) -> None:
    """
    Refuse a ruling without a reason, whose date has passed, or with a tag that could not be asked for.

    Parameters
    ----------
    ruling, settings
        What is decided, and the clock.

    Raises
    ------
    SettingsError
        If it is one.
    """
    if not ruling.reason.strip():
        raise SettingsError("--reason", "", "say why, for those who look at it later")
    if ruling.tag is not None and ("," in ruling.tag or not ruling.tag.strip()):
        raise SettingsError("--tag", "", "is empty, or has a comma, by which --where tells tags apart")
    now = settings.time()
    if ruling.until is not None and ruling.until <= now:
        raise SettingsError("--until", "", f"{ruling.until:%Y-%m-%d %H:%M} has passed: it is {now:%Y-%m-%d %H:%M} UTC")


def rule(database: Database, settings: Settings, ruling: Ruling, subjects: Sequence[Subject]) -> list[Ruled]:
    """
    Store a ruling on some targets and objects, and switch the targets on or off by it.

    Parameters
    ----------
    database
        With the targets. A batch that is stored at this moment is waited for.
    settings
        The rules of a target's life, and the clock.
    ruling, subjects
        What is decided, and of which: of `find_subjects`.

    Raises
    ------
    SettingsError
        If there is no reason, or if its date has passed.
    """
    with database.transaction("ruling") as connection:
        return store_rulings(connection, settings, ruling, subjects)


def store_rulings(
    connection: Connection, settings: Settings, ruling: Ruling, subjects: Sequence[Subject]
) -> list[Ruled]:
    """
    Do what `rule` does, in a transaction of something else.

    Parameters
    ----------
    connection
        Of the transaction.
    settings
        The clock, and the rules that decide of a target together with rulings.
    ruling
        What is decided, why, and until when.
    subjects
        The targets and objects that it lies on.
    """
    check_ruling(ruling, settings)
    lock_targets(connection)  # what a run is judging at this moment must not overwrite it
    is_open_force = ruling.kind == "force" and ruling.until is None
    until = settings.time() + FORCED_FOR if is_open_force else ruling.until
    rows = [
        {"number": number, **subject._asdict()}
        | {"kind": ruling.kind, "tag": ruling.tag, "only_kind": ruling.only_kind, "reason": ruling.reason.strip()}
        | {"until": until and until.isoformat()}
        for number, subject in enumerate(subjects)
    ]
    signed = {"who": SOURCES.get(ruling.source) or ruling.who or getpass.getuser(), "source": ruling.source}
    stored = run(connection, "targets/store_rulings.sql", {"rulings": json.dumps(rows)} | signed)
    new = {(row["tides_id"], row["survey"], row["object_id"]): row["has_ended"] for row in stored}
    ids = [subject.tides_id for subject in subjects if subject.tides_id is not None]
    if ruling.kind in SWITCHES:
        run(connection, "targets/judge_targets.sql", {"tides_ids": ids} | life_limits(settings))
    states = {row["tides_id"]: row["state"] for row in run(connection, "targets/list_states.sql", {"tides_ids": ids})}
    keys = [(subject.tides_id, subject.survey, subject.object_id) for subject in subjects]
    return [
        Ruled(
            subject,
            key in new,
            None if subject.tides_id is None else states[subject.tides_id],
            new.get(key, False),
        )
        for subject, key in zip(subjects, keys, strict=True)
    ]


def list_rulings(database: Database, settings: Settings, subjects: Sequence[Subject]) -> list[dict[str, Any]]:
    """
    List the rulings on some targets and objects, the newest first: see ``targets/list_rulings.sql``.

    Parameters
    ----------
    database, settings
        To ask, and the clock by which one is in force.
    subjects
        Of `find_subjects`.
    """
    tides_ids = [subject.tides_id for subject in subjects if subject.tides_id is not None]
    object_ids = [subject.object_id for subject in subjects if subject.object_id is not None]
    with database.transaction() as connection:
        return rulings_on(connection, tides_ids, object_ids, settings.time())


def list_new_rulings(database: Database, run_id: int, number: int) -> list[dict[str, Any]]:
    """
    List what was decided since the run before began, the newest first; each row has the ``total``.

    Parameters
    ----------
    database
        To ask.
    run_id, number
        Of the run in ``run_log``, and how many rows at most.
    """
    with database.transaction() as connection:
        return run(connection, "targets/list_new_rulings.sql", {"run_id": run_id, "number": number})


def rulings_on(
    connection: Connection, tides_ids: Sequence[int], object_ids: Sequence[str], at: datetime
) -> list[dict[str, Any]]:
    """
    List the rulings on some targets and on objects of some names, the newest first.

    Parameters
    ----------
    connection
        To the database.
    tides_ids, object_ids
        Keys of targets, and names of objects.
    at
        When one is in force.
    """
    about = {"tides_ids": list(tides_ids), "object_ids": list(object_ids), "at": at}
    return run(connection, "targets/list_rulings.sql", about)


def in_words(row: Mapping[str, Any]) -> str:
    """
    Word a ruling of `list_rulings`.

    >>> row = {"kind": "hold", "tag": None, "who": "eva", "reason": "moon", "until": None, "named": "TiDES26aaa"}
    >>> in_words(row | {"ruled_at": datetime(2026, 11, 29, 20, 0, tzinfo=UTC), "is_in_force": False})
    'hold by eva, 2026-11-29 20:00: moon (ended)'
    """
    tag = f" {row['tag']}" if row["tag"] else ""
    until = f", until {row['until']:%Y-%m-%d %H:%M}" if row["until"] else ""
    is_over = not row["is_in_force"] and row["kind"] != "release"
    ended = " (ended)" if is_over else ""
    return f"{row['kind']}{tag} by {row['who']}, {row['ruled_at']:%Y-%m-%d %H:%M}{until}: {row['reason']}{ended}"


def time_of(text: str, option: str) -> datetime:
    """
    Read a time that a person wrote: a date is its midnight UTC.

    Parameters
    ----------
    text, option
        What was written, and where.

    Raises
    ------
    SettingsError
        If it is no time.

    >>> time_of("2026-12-01", "--until")
    datetime.datetime(2026, 12, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        time = datetime.fromisoformat(text.strip())
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the latter of one that is beyond all years in UTC
        raise SettingsError(option, "", f"{text} is no time: write it as 2026-12-01 or 2026-12-01T12:00") from None
