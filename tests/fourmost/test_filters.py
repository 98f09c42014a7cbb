"""``?field__lookup=value`` on every field."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from simulators.fourmost.columns import COLUMNS

LOOKUPS = [
    "gt", "lt", "gte", "lte", "exact", "iexact", "contains", "icontains", "startswith", "istartswith", "endswith",
    "iendswith", "isnull",
]  # fmt: skip
VALUES = {"int": "1", "float": "1.5", "text": "x", "bool": "true", "time": "2026-03-01 12:00"}


@pytest.fixture(scope="module")
def rows(api):
    """Three rows that only these tests know."""
    common = {"uploadedfor_survey_id": 5, "ruleset": "filters", "ra": 1, "mag": 20}
    names = ["SN_a%1", "sn_A%2", "xSNa.3"]
    return api.create([common | {"name": name, "dec": dec} for name, dec in zip(names, (-10, 0, 12.5), strict=True)])


@pytest.fixture
def found(api, rows):
    def find(**filters):
        return [name[-1] for name in api.found(ruleset="filters", **filters)]

    return find


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_every_field_has_every_lookup(api, column):
    value = VALUES[column.kind]
    filters = {f"{column.name}__{lookup}": "false" if lookup == "isnull" else value for lookup in LOOKUPS}
    assert api.found(**{column.name: value}, **filters) == []


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"name": "SN_a%1"}, "1"),
        ({"name__exact": "sn_a%1"}, ""),
        ({"name__iexact": "sn_a%1"}, "1"),
        ({"name__contains": "SN"}, "13"),
        ({"name__icontains": "SN"}, "123"),
        ({"name__contains": "a%"}, "1"),
        ({"name__contains": "N.a"}, ""),
        ({"name__startswith": "SN"}, "1"),
        ({"name__istartswith": "SN"}, "12"),
        ({"name__endswith": "a.3"}, "3"),
        ({"name__iendswith": "A.3"}, "3"),
        ({"name__gt": "SN_b"}, "23"),
        ({"name": ""}, ""),
        ({"dec__gt": "-10"}, "23"),
        ({"dec__gte": "-10"}, "123"),
        ({"dec__lt": "12.5"}, "12"),
        ({"dec__lte": "12.5"}, "123"),
        ({"dec": "12.50"}, "3"),
        ({"dec__iexact": "0"}, "2"),
        ({"dec__contains": "2.5"}, "3"),
        ({"dec__gt": "-11", "dec__lt": "10"}, "12"),
        ({"dec__gt": ["-11", "0"]}, "3"),
        ({"is_active": "TRUE"}, "123"),
        ({"is_active__exact": "0"}, ""),
        ({"date_ingested__isnull": "true"}, "123"),
        ({"date_ingested__isnull": "false"}, ""),
        ({"date_ingested__gt": "2020-01-01 00:00"}, ""),
        ({"date_submitted__gt": "2020-01-01"}, "123"),
        ({"date_submitted__lt": "2020-01-01"}, ""),
        ({"ostd_u_obj_id__exact": "0"}, "123"),
        ({"uploadedfor_survey_id": "15"}, ""),
        ({"id__gt": "99999999999999999999999"}, ""),
        ({"limit": "2"}, "12"),
        ({"limit": "2", "offset": "1"}, "23"),
        ({"offset": "2"}, "3"),
        ({"limit": "no", "offset": "-1"}, "123"),
        ({"limit": "9" * 25, "offset": "9" * 25}, ""),
        ({"format": "json"}, "123"),
    ],
)
def test_filters_choose_rows(found, filters, expected):
    assert "".join(found(**filters)) == expected


def test_users_follow_new_rows_by_id(found, rows):
    assert found(id__gt=rows[0]["id"]) == ["2", "3"]
    assert found(id=rows[1]["id"]) == ["2"]


def test_a_date_time_means_berlin_unless_it_says_otherwise(found, rows):
    submitted = datetime.fromisoformat(rows[0]["date_submitted"])
    minute = timedelta(minutes=1)
    for zone, suffix in ((ZoneInfo("Europe/Berlin"), ""), (UTC, "Z"), (UTC, "Z+00")):
        for moment, names in ((submitted - minute, ["1", "2", "3"]), (submitted + minute, [])):
            text = moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
            assert found(date_submitted__gt=text + suffix) == names
    east = (submitted + timedelta(hours=2)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    for suffix in ("Z+02", "Z02"):
        assert found(date_submitted__exact=east + suffix) == ["1", "2", "3"]
    west = (submitted - timedelta(hours=2)).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    assert found(date_submitted__exact=west + "Z-02") == ["1", "2", "3"]
    assert found(date_submitted__exact=west + "Z+02") == []


def test_a_plus_that_was_not_escaped_still_works(api, rows):
    address = "targetCat/transients/?ruleset=filters&date_submitted__gt=2026-01-01T00:00Z+02"
    assert len(api.call("GET", address).json()) == 3


def test_a_thousand_filters_are_refused_too(api):
    answer = api.call("GET", params={f"f{number}": 1 for number in range(1001)})
    assert (answer.status_code, list(answer.json())) == (400, ["err"])


@pytest.mark.parametrize(
    ("parameter", "value", "error"),
    [
        ("colour", "1", "colour: no such field to filter by: colour"),
        ("dec__near", "1", "dec__near: no such lookup: near; there are exact, iexact,"),
        ("name__regex", "x", "name__regex: no such lookup: regex;"),
        ("dec__gte__lt", "1", "dec__gte__lt: no such lookup: gte__lt;"),
        ("dec__gte", "north", "dec__gte: 'north' is not a number"),
        ("dec__gte", "nan", "dec__gte: 'nan' is not a number"),
        ("id__gt", "", "id__gt: '' is not a whole number"),
        ("id__gt", "1.5", "id__gt: '1.5' is not a whole number"),
        ("is_active", "yes", "is_active: 'yes' is neither true nor false"),
        ("date_ingested__isnull", "None", "date_ingested__isnull: 'None' is neither true nor false"),
        ("date_submitted__gt", "2026-03-01 12", "date_submitted__gt: no date-time such as"),
        ("page", "2", "page: no such field to filter by: page"),
    ],
)
def test_a_wrong_filter_is_refused_by_name(api, parameter, value, error):
    answer = api.call("GET", params={parameter: value})
    assert (answer.status_code, list(answer.json())) == (400, ["err"])
    assert answer.json()["err"].startswith(error)
