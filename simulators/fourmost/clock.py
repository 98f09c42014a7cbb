"""Times of the 4MOST Transient API: Europe/Berlin, with its summer time."""

import re
from datetime import UTC, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

BERLIN = ZoneInfo("Europe/Berlin")

INGESTION = time(15)
"""When OpSys ingests every day, Europe/Berlin; the real one says "about"."""

_DATE_TIME = re.compile(
    r"(?P<local>\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?)"
    # A "+" that was not escaped in an address arrives as a space.
    r"(?P<zone>Z((?P<sign>[+ -]?)(?P<hours>\d\d))?)?"
)


def read_date_time(text: str) -> datetime:
    """
    Read the date-time of a filter.

    Parameters
    ----------
    text
        ``YYYY-MM-DD``, whose time is midnight, or ``YYYY-MM-DD[ T]HH:MM[:ss[.ffffff]]``; then nothing for
        Europe/Berlin, ``Z`` for UTC, or ``Z+02``, ``Z-02``,
        ``Z02`` for an offset in hours.

    Returns
    -------
    datetime
        In UTC.

    Raises
    ------
    ValueError
        It is not of that form, or no date of the years 1 to 9999.

    Examples
    --------
    >>> read_date_time("2026-07-01 15:00").isoformat()
    '2026-07-01T13:00:00+00:00'
    >>> read_date_time("2026-07-01").isoformat()
    '2026-06-30T22:00:00+00:00'
    >>> read_date_time("2026-07-01T15:00:00.5Z-02").isoformat()
    '2026-07-01T17:00:00.500000+00:00'
    """
    found = _DATE_TIME.fullmatch(text)
    if not found:
        raise ValueError("no date-time such as 2026-03-01[ 12:00[:00[.000000]]], Z, Z+02 or Z-02 at its end")
    hours = timedelta(hours=int(found["hours"] or 0))
    zone = timezone(-hours if found["sign"] == "-" else hours) if found["zone"] else BERLIN
    try:
        return datetime.fromisoformat(found["local"]).replace(tzinfo=zone).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from error


def to_berlin(moment: datetime | None) -> str | None:
    """
    Write a moment as the API does.

    Examples
    --------
    >>> to_berlin(datetime(2026, 7, 1, 13, tzinfo=UTC))
    '2026-07-01T15:00:00+02:00'
    """
    return moment.astimezone(BERLIN).isoformat() if moment else None


def last_ingestion(now: datetime, at: time) -> datetime:
    """
    Find the latest daily ingestion that is not after a moment.

    Parameters
    ----------
    now
        The moment, in any zone.
    at
        Time of day, Europe/Berlin.

    Examples
    --------
    >>> last_ingestion(datetime(2026, 3, 29, 12, 59, tzinfo=UTC), time(15)).isoformat()
    '2026-03-28T15:00:00+01:00'
    >>> last_ingestion(datetime(2026, 3, 29, 13, 0, tzinfo=UTC), time(15)).isoformat()
    '2026-03-29T15:00:00+02:00'
    """
    local = now.astimezone(BERLIN)
    today = datetime.combine(local.date(), at, BERLIN)
    # In UTC: a comparison inside one zone would ignore the hour that summer time moves.
    if today.astimezone(UTC) <= now.astimezone(UTC):
        return today
    return datetime.combine(local.date() - timedelta(days=1), at, BERLIN)


def read_time_of_day(text: str) -> time | None:
    """
    Read ``HH:MM`` or ``HH:MM:SS``; ``off`` is None.

    Raises
    ------
    ValueError
        It is neither.

    Examples
    --------
    >>> read_time_of_day("15:00")
    datetime.time(15, 0)
    >>> read_time_of_day("off") is None
    True
    """
    if text == "off":
        return None
    try:
        return datetime.strptime(text, "%H:%M:%S" if text.count(":") > 1 else "%H:%M").time()
    except ValueError:
        raise ValueError(f"{text!r} is neither HH:MM nor off") from None
