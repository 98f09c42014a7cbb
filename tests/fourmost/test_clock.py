"""Date-times of filters, and when OpSys ingests."""

from datetime import UTC, datetime, time

import pytest

from simulators.fourmost.clock import BERLIN, last_ingestion, read_date_time, read_time_of_day, to_berlin


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-01-15 12:00", "2026-01-15T11:00:00"),
        ("2026-07-15T12:00", "2026-07-15T10:00:00"),
        ("2026-07-15 12:00:30", "2026-07-15T10:00:30"),
        ("2026-07-15 12:00:30.25Z", "2026-07-15T12:00:30.250000"),
        ("2026-07-15 12:00Z", "2026-07-15T12:00:00"),
        ("2026-07-15 12:00Z+02", "2026-07-15T10:00:00"),
        ("2026-07-15 12:00Z 02", "2026-07-15T10:00:00"),
        ("2026-07-15 12:00Z02", "2026-07-15T10:00:00"),
        ("2026-07-15 12:00Z-02", "2026-07-15T14:00:00"),
    ],
)
def test_a_date_time_without_z_is_berlin(text: str, utc: str) -> None:
    assert read_date_time(text) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-07",
        "2026-07-15T",
        "2026-07-15 12",
        "2026-07-15 12:00+02:00",
        "2026-02-30 12:00",
        "0001-01-01 00:00",
        "noon",
    ],
)
def test_other_forms_of_date_time_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_date_time(text)


@pytest.mark.parametrize(
    ("utc", "berlin"),
    [("2026-03-29T00:59:59", "2026-03-29T01:59:59+01:00"), ("2026-03-29T01:00:00", "2026-03-29T03:00:00+02:00")],
)
def test_moments_are_written_with_the_offset_of_berlin(utc: str, berlin: str) -> None:
    assert to_berlin(datetime.fromisoformat(utc).replace(tzinfo=UTC)) == berlin


def test_a_moment_that_has_not_come_is_null() -> None:
    assert to_berlin(None) is None


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-01-15T14:00:00", "2026-01-15T14:00:00"),  # winter: 15:00 is 14:00 UTC
        ("2026-01-15T13:59:59", "2026-01-14T14:00:00"),
        ("2026-07-15T13:00:00", "2026-07-15T13:00:00"),  # summer: 13:00 UTC
        ("2026-03-29T12:59:00", "2026-03-28T14:00:00"),  # the day before summer time began
        ("2026-10-25T14:00:00", "2026-10-25T14:00:00"),  # the day it ends
        ("2026-01-15T23:30:00", "2026-01-15T14:00:00"),  # already tomorrow in Berlin
    ],
)
def test_the_last_ingestion_was_at_15_in_berlin(now: str, expected: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert last_ingestion(moment, time(15)) == datetime.fromisoformat(expected).replace(tzinfo=UTC)
    assert last_ingestion(moment.astimezone(BERLIN), time(15)) == last_ingestion(moment, time(15))


@pytest.mark.parametrize("text", ["25:00", "3 pm", ""])
def test_a_wrong_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="neither HH:MM nor off"):
        read_time_of_day(text)
