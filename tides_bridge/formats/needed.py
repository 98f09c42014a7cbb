"""The fields without which a source of Rubin or ELAsTiCC cannot be judged: an alert that lacks one is refused."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tides_bridge.formats.lsst import Source

NEEDED = (
    ("midpointMjdTai", "midPointTai"),
    ("psfFlux", "psFlux"),
    ("psfFluxErr", "psFluxErr"),
    ("band", "filterName"),
)
"""What every source must have, as Rubin and as ELAsTiCC spell it."""

PLACES = ("diaSource", "prvDiaSources", "diaSourcesList")
"""Where a record has its detections."""


def are_elasticc_names(names: Collection[str]) -> bool:
    """Tell by the names of its fields whether a source is spelt as ELAsTiCC's are."""
    return sum(old in names for _, old in NEEDED) > sum(new in names for new, _ in NEEDED)


def lacking_field(names: Collection[str]) -> str:
    """
    Name the first needed field that sources lack, in the spelling of the others; "" if they have all.

    >>> lacking_field({"midPointTai", "psFlux", "filterName"})
    'psFluxErr'
    """
    return next((pair[are_elasticc_names(names)] for pair in NEEDED if not set(pair) & set(names)), "")


def is_bare(sources: Sequence[Source]) -> bool:
    """Tell whether no source has a value in one of the needed fields: it may be null, or the field is missing."""
    return bool(sources) and any(
        all(getattr(source, new) is None and getattr(source, old) is None for source in sources) for new, old in NEEDED
    )


def lacking_field_in(record: object) -> str:
    """
    Name the first needed field that the detections of a decoded record lack, whatever its values; "" if there is none.

    >>> lacking_field_in({"diaObjectId": 7, "alert": {"diaSourcesList": [{"midpointMjdTai": None, "psfFlux": 1.0}]}})
    'diaSourcesList.psfFluxErr'
    """
    parts = [record, record.get("alert")] if isinstance(record, Mapping) else []
    for part in (candidate for candidate in parts if isinstance(candidate, Mapping)):
        for place in PLACES:
            name = lacking_field(_names_in(part[place])) if part.get(place) else ""
            if name:
                return f"{place}.{name}"
    return ""


def _names_in(sources: Any) -> set[str]:
    """Gather the names of the fields of some sources."""
    rows = sources if isinstance(sources, list) else [sources]
    return {name for row in rows if isinstance(row, Mapping) for name in row}
