"""All that is known of one target or object, gathered for `tides why`, the portal and its API alike."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tides_bridge.database import Database
from tides_bridge.decisions.history import why
from tides_bridge.settings import Settings
from tides_bridge.targets.hosts.settling import hosts_of
from tides_bridge.targets.spectra.classes import classes_of
from tides_bridge.targets.spectra.settling import spectra_of
from tides_bridge.targets.tns import match_of


def all_known_of(
    database: Database, settings: Settings, name: str, survey: str | None = None, as_of: datetime | None = None
) -> dict[str, Any]:
    """
    Gather the history of one object or target, with what galaxies, spectra and the Transient Name Server say of it.

    Parameters
    ----------
    database
        To ask.
    settings
        When a target has enough spectra.
    name, survey, as_of
        As `decisions.history.why` takes them.

    Returns
    -------
    dict
        What `why` returns, and ``spectra``, ``classes``, ``hosts`` (rows), ``tns``; all but ``tns`` are empty of a name
        that nothing is known of.
    """
    found = why(database, name, survey, as_of)
    keys = [row["tides_id"] for row in found["targets"]]
    with database.transaction() as connection:
        found["spectra"] = spectra_of(connection, settings, keys)
        found["classes"] = classes_of(connection, keys)
        found["hosts"] = hosts_of(connection, keys)
    ours = found["targets"][0]["name"] if found["targets"] else name
    return found | {"tns": match_of(database, ours, survey)}


def is_known(found: Mapping[str, Any]) -> bool:
    """
    Tell whether the bridge knows anything of a name: what the Transient Name Server says of it is not ours.

    Parameters
    ----------
    found
        Of `all_known_of`.
    """
    return any(value for key, value in found.items() if key != "tns")
