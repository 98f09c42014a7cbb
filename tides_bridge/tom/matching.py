"""Which target of a TOM is which of ours: by the key that it was given there, else by name and place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tides_bridge.errors import TomUnavailable
from tides_bridge.targets.neighbours import great_circle_arcsec
from tides_bridge.tom.client import TomClient, TomRow

ONE_PLACE = 5.0
"""[arcsec] A target there that is called as ours is ours only within this: a name may be that of another thing."""

Target = Mapping[str, Any]
"""A row of ``tom/list_targets.sql``."""


@dataclass(frozen=True)
class TomListing:
    """The targets of a TOM by key, and the key of each name's owner: names are of one target each."""

    rows: Mapping[int, TomRow]
    owners: Mapping[str, int]

    @classmethod
    def of(cls, rows: Sequence[TomRow]) -> "TomListing":
        """Make one of what a TOM lists; a target's own name comes before another's alias."""
        owners = {alias.name: row.id for row in rows for alias in row.aliases} | {row.name: row.id for row in rows}
        return cls({row.id: row for row in rows}, owners)

    def taken(self, target: Target, row: TomRow | None) -> frozenset[str]:
        """Give the names of a target that it cannot have there, as they are of others, or already its own name."""
        own = None if row is None else row.id
        is_own = {} if row is None else {row.name}
        return frozenset(name for name in target["aliases"] if self.owners.get(name, own) != own or name in is_own)


def match_targets(client: TomClient, listing: TomListing, targets: Sequence[Target]) -> list[TomRow | None]:
    """
    Find each target in a TOM.

    Parameters
    ----------
    client, listing
        To ask for what a list without an order left out, and that list.
    targets
        Ours.

    Returns
    -------
    list of TomRow or None
        For each target; None: it is not there.

    Raises
    ------
    TomUnavailable
        If none of several is there that we made: it is another TOM, or shows us nothing.
    """
    known = [target["tom_id"] for target in targets if target["tom_id"] is not None and target["gone_since"] is None]
    if len(known) > 1 and not any(key in listing.rows for key in known):
        problem = f"lists none of the {len(known)} targets that were made there"
        raise TomUnavailable(client.service, problem, "may tom.token see them, and is tom.address right?")
    claimed = {target["tom_id"] for target in targets}
    found: list[TomRow | None] = []
    for target in targets:
        key = target["tom_id"]
        row = listing.rows.get(key) or client.row(key) if key is not None else _called(listing, target, claimed)
        claimed |= {row.id} if row else set()
        found.append(row)
    return found


def _called(listing: TomListing, target: Target, claimed: set[int | None]) -> TomRow | None:
    """Give the target there that has a name of ours, and lies at its place."""
    for name in (target["name"], *target["aliases"]):
        row = listing.rows.get(listing.owners.get(name, -1))
        was_asked = row is not None and row.name == target["asked"].get("name")  # and nobody heard the answer
        if row is not None and row.id not in claimed and (was_asked or is_at(row, target)):
            return row
    return None


def is_at(row: TomRow, target: Target) -> bool:
    """Tell whether a target there lies where ours does."""
    if row.ra is None or row.dec is None:
        return False
    place = (np.array([angle]) for angle in (row.ra, row.dec, target["ra"], target["decl"]))
    return bool(great_circle_arcsec(*place)[0] < ONE_PLACE)
