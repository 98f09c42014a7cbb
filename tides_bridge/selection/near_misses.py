"""What an object lacks of what a selection function demands. No input or output here."""

from collections.abc import Collection

from tides_bridge.selection.parsing import Group, Leaf


def lacking(criteria: Group, failed: Collection[str]) -> list[tuple[Leaf, ...]]:
    """
    Tell which demands are not met: an object that lacks one nearly passed.

    Parameters
    ----------
    criteria
        Of a function.
    failed
        Paths of the criteria that are not fulfilled, as the record has them; also those of groups that are met.

    Returns
    -------
    list of tuple
        A criterion; or all those of a group of which any would do, or that must not be so.
    """
    found: list[tuple[Leaf, ...]] = []
    for part in criteria.parts:
        if isinstance(part, Group) and part.kind == "all":
            found += lacking(part, failed)
        elif not _is_met(part, failed):
            found.append((part,) if isinstance(part, Leaf) else tuple(part.leaves()))
    return found


def _is_met(part: Leaf | Group, failed: Collection[str]) -> bool:
    if isinstance(part, Leaf):
        return part.path not in failed
    met = [_is_met(inner, failed) for inner in part.parts]
    return {"all": all(met), "any": any(met), "not": not all(met)}[part.kind]
