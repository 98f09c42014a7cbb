"""What is decided of a light curve, and when, in words that fonts and people can read. No input or output here."""

from datetime import UTC, datetime
from typing import Any

from tides_bridge.lightcurves.photometry import MJD_OF_UNIX
from tides_bridge.selection.functions import Verdicts


def printable_text(text: str) -> str:
    r"""
    Write what the fonts may not have in another way.

    >>> printable_text("SN\u2605")
    'SN\\u2605'
    """
    return (
        "".join(letter if letter.isprintable() and ord(letter) < 256 else repr(letter)[1:-1] for letter in text)
        .encode("ascii", "backslashreplace")
        .decode()
    )


def verdict_in_words(verdicts: Verdicts, place: int) -> str:
    """Say in one line whether an object passed, and what was measured: of one that did not, what is not fulfilled."""
    passed = bool(verdicts.passed[place])
    leaves = [leaf for leaf in verdicts.function.leaves if passed or not verdicts.fulfilled[leaf.path][place]]
    measurements = []
    for leaf in leaves:
        value = verdicts.measured[leaf.path][place]
        demand = leaf.demand().replace(">=", "\u2265").replace("<=", "\u2264")
        measurements.append(f"{leaf.path} {_shown(value, leaf.criterion.kind)} ({demand})")
    return f"{'passed' if passed else 'failed'}: {', '.join(measurements)}"


def _shown(value: Any, kind: str) -> str:
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return "not measured"
    if kind == "is":
        return "yes" if value else "no"
    return printable_text(value) if isinstance(value, str) else f"{value:.4g}"


def date_of(mjd: float) -> str:
    """
    Write an epoch [MJD] as a date and a time of day, to the minute.

    >>> date_of(61000.5)
    '2025-11-21 12:00'
    """
    return f"{datetime.fromtimestamp(round((mjd - MJD_OF_UNIX) * 1440) * 60, UTC):%Y-%m-%d %H:%M}"
