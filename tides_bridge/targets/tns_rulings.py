"""What types of the Transient Name Server mean for targets: a person is asked, or a setting rules."""

from typing import Any, Literal

from sqlalchemy import Connection

from tides_bridge.database import run
from tides_bridge.formats.meaning.tns_types import NO_TRANSIENTS, TNS_TYPES
from tides_bridge.settings import Settings
from tides_bridge.targets.association import lock_targets
from tides_bridge.targets.rulings import Ruling, Subject, store_rulings


def rule_by_tns(connection: Connection, settings: Settings) -> int:
    """
    Ask about targets that the Transient Name Server has with a type, or rule on them, as the settings say.

    Each type of a target is asked about, or rules, once: who releases the target is not overruled. A target on which a
    person has ruled already is only asked about.

    Parameters
    ----------
    connection
        Of a transaction, in which targets are locked from now on: what people rule meanwhile is known, or waits.
    settings
        ``targets.tnsNoSupernova`` and ``targets.tnsClassified``.

    Returns
    -------
    int
        Targets that are ruled on now.
    """
    lock_targets(connection)
    limits = settings.targets
    asks: dict[str, Any] = {"no_supernova": list(NO_TRANSIENTS), "known": list(TNS_TYPES)}
    asks |= {"asks_no_supernova": limits.tns_no_supernova != "tell"}
    asks |= {"asks_classified": limits.tns_classified != "tell"}
    ruled = 0
    for row in run(connection, "targets/ask_tns.sql", asks):
        kind = _ruling_of(row, settings)
        if kind and not row["is_ruled"]:
            named = f" ({row['tns_name']})" if row["tns_name"] else ""
            ruling = Ruling(kind, f"the TNS has it as {row['tns_type']}{named}", source="tns")
            store_rulings(connection, settings, ruling, [_subject(row)])
            ruled += 1
    return ruled


def _ruling_of(row: dict[str, Any], settings: Settings) -> Literal["veto", "hold"] | None:
    """Tell what follows from a type by itself, None if a person is asked: always of one that nobody knows."""
    if row["tns_type"] not in TNS_TYPES:
        return None
    if row["is_no_supernova"]:
        return "veto" if settings.targets.tns_no_supernova == "veto" else None
    return "hold" if settings.targets.tns_classified == "hold" else None


def _subject(row: dict[str, Any]) -> Subject:
    return Subject(row["name"], row["tides_id"], row["name"], None, None)
