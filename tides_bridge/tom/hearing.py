"""
What people say of our targets in a TOM: kept as annotations, and what the settings say so, as classes and rulings.

By its REST API a TOM gives extra fields, and who is on a list; its comments and who said what it does not.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.settings import Settings
from tides_bridge.settings.tom import TomSettings
from tides_bridge.targets.rulings import Ruling, find_subjects, store_rulings
from tides_bridge.targets.spectra.classes import store_classes
from tides_bridge.tom.client import TomClient, TomRow
from tides_bridge.tom.comparing import words_of
from tides_bridge.tom.matching import Target

PEOPLE = "TOM"
"""Who it is that speaks there: by its API a TOM does not tell."""

NO = ("", "false", "no", "0", "none")
"""A tag with such a value is none, in whatever capitals."""


def hear(
    database: Database, settings: Settings, client: TomClient, pairs: Sequence[tuple[Target, TomRow | None]]
) -> int:
    """
    Take in what is other than it was when it was taken in last; gives the number of targets.

    Parameters
    ----------
    database, settings
        Where it is kept, each target in a transaction, and which fields and tags count.
    client
        Is asked who is on the lists.
    pairs
        Our targets, and what they are there.
    """
    members = {tag: {row.id for row in client.rows(targetlist__name=key)} for tag, key in settings.tom.lists.items()}
    heard = 0
    for target, row in pairs:
        if row is None:
            continue
        words = words_of(row) | {tag: "yes" for tag, keys in members.items() if row.id in keys}
        if words != target["heard"]:
            with database.transaction("tom_heard") as connection:
                _take_in(connection, settings, client.address, target, words)
            heard += 1
    return heard


def _take_in(connection: Connection, settings: Settings, tom: str, target: Target, words: Mapping[str, str]) -> None:
    before: Mapping[str, str] = target["heard"]
    changed = {key: words.get(key, "") for key in sorted({*words, *before}) if words.get(key) != before.get(key)}
    stored = {"tom": tom, "tides_id": target["tides_id"], "heard": json.dumps(dict(words))}
    stored |= {"notes": json.dumps([_note(key, value) for key, value in changed.items()])}
    run(connection, "tom/store_heard.sql", stored | {"now_mjd": settings.now_mjd()})
    if {settings.tom.type_field, settings.tom.redshift_field} & changed.keys():
        store_classes(connection, settings, class_in(settings.tom, target["tides_id"], words), "the TOM")
    if rulings := rulings_in(settings.tom, changed, before):
        # What is said of a target that was merged is meant of the one that has its objects.
        subjects = find_subjects(connection, settings, [target["name"]])
        for ruling in rulings:
            store_rulings(connection, settings, ruling, subjects)


def _note(key: str, value: str) -> dict[str, Any]:
    number = plain_number(value)
    return {"name": f"tom.{key}", "number": number, "word": value if number is None else None}


def plain_number(value: str) -> float | None:
    """
    Read a number.

    >>> plain_number("0.1"), plain_number("SN Ia"), plain_number("nan")
    (0.1, None, None)
    """
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def class_in(options: TomSettings, tides_id: int, words: Mapping[str, str]) -> list[dict[str, Any]]:
    """
    Give type and redshift that people wrote, as ``targets/store_classes.sql`` has them; none if both are empty.

    Parameters
    ----------
    options
        In which fields they write.
    tides_id, words
        The target, and all that is written of it.

    >>> words = {"classification": "SN Ia", "redshift": "0.1"}
    >>> [row] = class_in(TomSettings(), 7, words)
    >>> row["tides_id"], row["source"], row["who"], row["type"], row["redshift"]
    (7, 'human', 'TOM', 'SN Ia', 0.1)
    >>> class_in(TomSettings(), 7, {"redshift": "?"})
    []
    """
    kind = words.get(options.type_field, "").strip() or None
    redshift = plain_number(words.get(options.redshift_field, ""))
    if kind is None and redshift is None:
        return []
    return [
        {"tides_id": tides_id, "source": "human", "who": PEOPLE, "type": kind, "redshift": redshift}
        | dict.fromkeys(("named", "subtype", "redshift_error", "confidence", "spectrum", "version", "classified_at"))
    ]


def rulings_in(options: TomSettings, changed: Mapping[str, str], before: Mapping[str, str]) -> list[Ruling]:
    """
    Give the rulings that follow from what is other than before: a tag decides, and its end ends that.

    Parameters
    ----------
    options
        What each tag decides.
    changed, before
        What was changed, "" where it was taken away, and all that was written before.

    >>> options = TomSettings(rulings={"bogus": "veto", "young": "tag"})
    >>> [(ruling.kind, ruling.tag) for ruling in rulings_in(options, {"bogus": "yes", "young": "True"}, {})]
    [('veto', None), ('tag', 'young')]
    >>> [(ruling.kind, ruling.only_kind) for ruling in rulings_in(options, {"bogus": "no"}, {"bogus": "yes"})]
    [('release', 'veto')]
    >>> rulings_in(options, {"bogus": "no", "other": "yes"}, {})
    []
    """
    rulings = []
    if comment := changed.get(options.comment_field, "").strip():
        rulings.append(Ruling("comment", comment, who=PEOPLE))
    for tag, kind in options.rulings.items():
        is_on, was_on = (words.get(tag, "").strip().lower() not in NO for words in (changed, before))
        if tag not in changed or is_on == was_on:
            continue
        of_tag = tag if kind == "tag" else None
        if is_on:
            rulings.append(Ruling(kind, f"{tag} in the TOM", tag=of_tag, who=PEOPLE))
        else:
            only = None if kind == "tag" else kind
            rulings.append(Ruling("release", f"no longer {tag} in the TOM", tag=of_tag, only_kind=only, who=PEOPLE))
    return rulings
