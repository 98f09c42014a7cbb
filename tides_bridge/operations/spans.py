"""Lengths of time in words."""

from datetime import timedelta


def span(time: timedelta) -> str:
    """
    Word a length of time as people do.

    >>> span(timedelta(seconds=45)), span(timedelta(minutes=5)), span(timedelta(minutes=190)), span(timedelta(days=9))
    ('45 s', '5 min', '3 h 10 min', '9 days')
    """
    seconds = int(abs(time).total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    if seconds < 2 * 86400:
        return f"{seconds // 3600} h {seconds % 3600 // 60} min"
    return f"{seconds // 86400} days"
