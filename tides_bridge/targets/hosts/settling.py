"""Candidates for hosts are kept: what brokers said since the last look, and what somebody looked for."""

import importlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.errors import SettingsError
from tides_bridge.settings import Settings
from tides_bridge.targets.association import lock_targets
from tides_bridge.targets.hosts.candidates import MOST, HostCandidate, HostFinder, ObjectPlace, candidates_said

Found = Iterable[tuple[ObjectPlace, str, Sequence[HostCandidate]]]
"""Objects, sources, and what these take for their hosts."""


HOSTS: Final = "H"
"""Follows the prefix in names of hosts."""


def settle_hosts(connection: Connection, settings: Settings) -> None:
    """
    Keep the hosts that brokers have named since the last look, and make targets of those that are wanted now.

    A host that is a target is a row of ``tides_master`` like others, of the survey ``host``; what switches targets on
    and off judges it, by ``judge_galaxies``.

    Parameters
    ----------
    connection
        Of a transaction that has locked the targets, so that no annotation of an earlier one comes after.
    settings
        Its section ``hosts``, the clock, and how names begin.
    """
    rows = run(connection, "targets/list_said_hosts.sql")
    found = []
    for row in rows:
        place = ObjectPlace(row["survey"], row["object_id"], row["ra"], row["decl"])
        found += [(place, source, hosts) for source, hosts in candidates_said(row["notes"], place).items()]
    if rows:
        _store(connection, found)
        run(connection, "targets/note_host_look.sql", {"annotation_id": max(row["annotation_id"] for row in rows)})
    rule, now_mjd = settings.hosts, settings.now_mjd()
    days = rule.unseen_for / timedelta(days=1)
    about = {"is_wanted": rule.wanted, "per_target": rule.per_target, "unseen_days": days}
    run(connection, "targets/store_host_rule.sql", about | {"faint_limit": rule.faint_limit})
    if rule.wanted:
        named = {"year": settings.time().year, "prefix": settings.targets.name_prefix + HOSTS}
        run(connection, "targets/add_hosts.sql", named | {"now_mjd": now_mjd})


def look_for_hosts(database: Database, find: HostFinder, source: str) -> tuple[int, int]:
    """
    Look for the hosts of all objects of targets, and keep them in the place of what the same source found before.

    Parameters
    ----------
    database
        With the targets.
    find
        Gets the objects, and gives for each the galaxies, the likeliest first.
    source
        What to call it.

    Returns
    -------
    (int, int)
        Objects that were looked at, and of these those that have a host.
    """
    with database.transaction("hosts") as connection:
        lock_targets(connection)
        places = [ObjectPlace(**row) for row in run(connection, "targets/list_places.sql")]
        found = {place: [*hosts][:MOST] for place, hosts in find(places)}
        _store(connection, [(place, source, found.get(place, [])) for place in places])
    return len(places), sum(bool(hosts) for hosts in found.values())


def finder_named(name: str) -> HostFinder:
    """
    Import what finds hosts.

    Raises
    ------
    SettingsError
        If there is none of this name.
    """
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as problem:
        raise SettingsError("--finder", "", f"{name} is no module:function that can be imported: {problem}") from None
    if not callable(found):
        raise SettingsError("--finder", "", f"{name} is no function")
    return found  # type: ignore[no-any-return]


def _store(connection: Connection, found: Found) -> None:
    objects, candidates = [], []
    for place, source, hosts in found:
        named = {"survey": place.survey, "object_id": place.object_id, "source": source}
        objects.append(named)
        candidates += [named | {"rank": rank} | asdict(host) for rank, host in enumerate(hosts, start=1)]
    about = {"objects": json.dumps(objects), "candidates": json.dumps(candidates)}
    run(connection, "targets/store_hosts.sql", about)


def hosts_of(connection: Connection, tides_ids: Sequence[int]) -> list[dict[str, Any]]:
    """
    List the galaxies that some targets may lie in, the likeliest first: see ``targets/list_hosts.sql``.

    Parameters
    ----------
    connection
        To the database.
    tides_ids
        The targets.
    """
    return run(connection, "targets/list_hosts.sql", {"tides_ids": list(tides_ids)})


def host_in_words(row: Mapping[str, Any]) -> str:
    """
    Word a galaxy of `hosts_of`.

    >>> row = {"place": 1, "catalogue": "SDSS", "catalogue_name": "7", "separation_arcsec": 2.5, "radii": None}
    >>> row |= {"probability": None, "redshift": 0.03, "redshift_kind": "photometric", "mag": None, "mag_type": None}
    >>> host_in_words(row | {"sources": "sherlock", "ra": None, "decl": None})
    '1. SDSS 7, 2.50 arcsec away, photometric z = 0.03, by sherlock'
    """
    name = f"{row['catalogue'] or ''} {row['catalogue_name'] or ''}".strip()
    if row["catalogue_name"] is None:
        name += f" galaxy at {row['ra']:.5f} {row['decl']:+.5f}"
    parts = (
        name,
        "" if row["separation_arcsec"] is None else f"{row['separation_arcsec']:.2f} arcsec away",
        "" if row["radii"] is None else f"{row['radii']:.2f} light radii",
        "" if row["probability"] is None else f"probability {row['probability']:.2f}",
        "" if row["redshift"] is None else f"{row['redshift_kind']} z = {row['redshift']:g}",
        "" if row["mag"] is None else f"{row['mag_type']} {row['mag']:.2f}",
        f"by {row['sources']}",
    )
    return f"{row['place']}. {', '.join(part.strip() for part in parts if part)}"
