"""
Redshift and reddening of a target as 4MOST may be told: of what brokers say what is preferred, and none is made up.

No input or output here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

REDSHIFTS: Final[Mapping[str, tuple[str, str]]] = {
    "sherlock.spectroscopic_redshift": ("", "spectroscopic, of the host by Sherlock"),
    "tns.redshift": ("", "of the TNS"),
    "sherlock.photometric_redshift": ("sherlock.photometric_redshift_error", "photometric, of the host by Sherlock"),
    "legacy.photometric_redshift": ("legacy.photometric_redshift_error", "photometric, of the Legacy Survey"),
}
"""Annotations that are redshifts, the preferred first: the annotation with the error, and what it is in words."""

REDDENING: Final = "lasair.ebv"
"""[mag] E(B-V) of the Milky Way."""

LIMITS: Final = {"redshift_estimate": (-0.01, 10.0), "redshift_error": (0.0, 10.0), "reddening": (0.0, 100.0)}
"""What a 4FS catalogue takes (FMTVERS 2.6); what lies outside is not sent, and never clamped."""

DIGITS: Final = 4


@dataclass(frozen=True)
class KnownOfTarget:
    """
    What can be sent of a target beside its position and magnitude.

    Attributes
    ----------
    columns
        By column of 4MOST: `LIMITS`.
    origins
        By column: kind and source, in words.
    """

    columns: dict[str, float] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def words(self, columns: Mapping[str, Any]) -> str:
        """Tell where those of some columns come from that are known; empty if none is."""
        return "; ".join(text for column, text in self.origins.items() if column in columns)


def known_of(annotations: Mapping[str, Mapping[str, Any]]) -> KnownOfTarget:
    """
    Choose what is sent.

    Parameters
    ----------
    annotations
        The newest number of each name, and which object of the target it is said of.

    >>> said = {"tns.redshift": {"number": 0.05, "of": "a"}, "lasair.ebv": {"number": 0.1, "of": "a"}}
    >>> known_of(said).columns
    {'redshift_estimate': 0.05, 'reddening': 0.1}
    """
    found = KnownOfTarget()
    for name, (error, kind) in REDSHIFTS.items():
        if _put(found, "redshift_estimate", _number(annotations.get(name)), f"redshift {kind}"):
            # An error is of that redshift only if it is of the same object.
            if error and annotations.get(error, {}).get("of") == annotations[name]["of"]:
                _put(found, "redshift_error", _number(annotations[error]), "")
            break
    _put(found, "reddening", _number(annotations.get(REDDENING)), "reddening of Lasair")
    return found


def known_of_host(redshift: float | None, error: float | None) -> KnownOfTarget:
    """
    Choose what is sent of a galaxy.

    >>> known_of_host(0.05, 11.0).columns, known_of_host(None, 0.01).columns
    ({'redshift_estimate': 0.05}, {})
    """
    found = KnownOfTarget()
    if _put(found, "redshift_estimate", redshift, ""):
        _put(found, "redshift_error", error, "")
    return found


def _number(note: Mapping[str, Any] | None) -> float | None:
    return None if note is None else note["number"]


def _put(found: KnownOfTarget, column: str, number: float | None, origin: str) -> bool:
    """Take a number if there is one that the format allows; tells whether."""
    low, high = LIMITS[column]
    if number is None or not low <= number <= high:
        return False
    found.columns[column] = round(number, DIGITS)
    if origin:
        found.origins[column] = origin
    return True
