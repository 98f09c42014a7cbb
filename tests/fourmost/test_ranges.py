"""Every range of the 4FS catalogue format, by the service and in OPTIONS."""

import json
import math

import pytest

from simulators.fourmost.columns import COLUMNS

MAGNITUDES = [f"cal_mag_{part}{arm}" for part in ("", "err_") for arm in ("blue", "green", "red")]
RANGES = {  # written down again from the format, independently of the table of the stand-in
    "ra": (0, 359.99999999), "dec": (-89.99999999, 40), "pmra": (-1e6, 1e6), "pmdec": (-1e6, 1e6),
    "epoch": (1950, 2050), "resolution": (1, 2), "cadence": (0, 4194303), "redshift_estimate": (-0.01, 10),
    "redshift_error": (0, 10), "template_redshift": (-0.1, 10), "extent_flag": (0, 2), "mag": (3, 50),
    "mag_err": (0, 50), "reddening": (0, 100), "completeness": (0, 1), **dict.fromkeys(MAGNITUDES, (0, 50)),
}  # fmt: skip
SERSIC = {"extent_parameter": (0.1, 100), "extent_index": (0.1, 10)}
TEXTS = ["name", "subsurvey", "template", "ruleset", "mag_type"]
FLOATS = [column.name for column in COLUMNS if column.kind == "float"]


@pytest.mark.parametrize(("name", "ends"), RANGES.items())
def test_both_ends_are_in_and_beyond_is_out(api, new_row, name, ends):
    whole = name in {"resolution", "cadence", "extent_flag"}
    sersic = {"extent_parameter": 1, "extent_index": 1}
    api.create([new_row(**sersic, **{name: end}) for end in ends])
    for end, sign in zip(ends, (-1, 1), strict=True):
        beyond = end + sign if whole else math.nextafter(end, sign * math.inf)
        assert api.refused(new_row(**{name: beyond})) == f"{name}: {beyond} is outside {_range(name)}"


def _range(name):
    column = next(column for column in COLUMNS if column.name == name)
    return f"{column.minimum} ... {column.maximum}"


@pytest.mark.parametrize(("name", "ends"), SERSIC.items())
def test_a_sersic_profile_needs_both_extents(api, new_row, name, ends):
    other = {key: 1 for key in SERSIC if key != name}
    api.create([new_row(extent_flag=2, **other, **{name: end}) for end in ends])
    for bad in (0, 0.09, ends[1] + 0.1, -1):
        error = api.refused(new_row(extent_flag=2, **other, **{name: bad}))
        assert error.startswith(f"{name}: {float(bad)} is outside 0.1 ... {ends[1]}")


@pytest.mark.parametrize("flag", [0, 1])
def test_other_sources_need_no_extents(api, new_row, flag):
    api.create([new_row(extent_flag=flag, extent_parameter=size, extent_index=size) for size in (0, 1)])
    assert "extent_index: 11.0 is outside" in api.refused(new_row(extent_flag=flag, extent_index=11))


def test_a_declination_is_refused_never_clamped(api, new_row):
    row = new_row(dec=40.5)
    assert api.refused(row) == "dec: 40.5 is outside -89.99999999 ... 40"
    assert not api.found(name=row["name"])


@pytest.mark.parametrize("name", ["date_earliest", "date_latest", "t_exp_d", "t_exp_g", "t_exp_b", "t_exp_s"])
def test_dates_and_exposures_are_not_negative(api, new_row, name):
    api.create(new_row(**{name: 0}))
    assert api.refused(new_row(**{name: -0.5})) == f"{name}: -0.5 is outside 0 ... inf"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, "nan", "Faint", True, [1], {}, 10**400, "1e999"])
@pytest.mark.parametrize("name", ["ra", "parallax"])
def test_what_is_no_finite_number_is_refused(api, new_row, name, bad):
    body = json.dumps(new_row(**{name: bad}))
    answer = api.call("POST", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["err"].startswith(f"{name}: ")
    assert answer.json()["err"].endswith(" is not a finite number")


def test_every_float_column_refuses_nan_by_name(api, new_row):
    error = api.refused([new_row(**dict.fromkeys(FLOATS, "nan"))])
    assert [name for name in FLOATS if f"{name}: 'nan' is not a finite number" not in error] == []


def test_numbers_may_come_as_text(api, new_row):
    row = api.create(new_row(ra="12.5", cadence="1048576"))
    assert (row["ra"], row["cadence"]) == (12.5, 1048576)


@pytest.mark.parametrize("bad", [1.5, "x", True, 10**30, None])
def test_what_is_no_whole_number_in_its_range_is_refused(api, new_row, bad):
    assert api.refused(new_row(cadence=bad)).startswith("cadence: ")
    assert api.refused(new_row(uploadedfor_survey_id=bad)).startswith("uploadedfor_survey_id: ")


@pytest.mark.parametrize("name", TEXTS)
def test_texts_have_at_most_256_characters(api, new_row, name):
    assert api.create(new_row(**{name: "é" * 256}))[name] == "é" * 256
    assert "has 257 characters, at most 256" in api.refused(new_row(**{name: "é" * 257}))


@pytest.mark.parametrize("bad", [None, [], {}, False, "a\x00b", "\ud800"])
def test_what_is_no_text_is_refused(api, new_row, bad):
    assert api.refused(new_row(template=bad)).startswith("template: ")


@pytest.mark.parametrize("good", ["", "TRA", "GAL, AGN", "GAL,LEN", "TRA, GAL, LEN"])
def test_classifications_are_accepted(api, new_row, good):
    assert api.create(new_row(classification=good))["classification"] == good


@pytest.mark.parametrize("bad", ["SN", "tra", "TRA GAL", "TRA,", "TRA, GAL, AGN, LEN"])
def test_other_classifications_are_refused(api, new_row, bad):
    assert api.refused(new_row(classification=bad)) == f"classification: {bad!r} is not up to 3 of TRA, GAL, AGN, LEN"


@pytest.mark.parametrize("bad", ["", None])
def test_a_name_is_not_empty(api, new_row, bad):
    assert api.refused(new_row(name=bad)).startswith("name: ")


def test_is_active_is_true_or_false(api, new_row):
    assert api.refused(new_row(is_active="maybe")) == "is_active: 'maybe' is not true or false"


def test_options_tells_types_and_ranges(api):
    answer = api.call("OPTIONS")
    assert answer.status_code == 200
    fields = answer.json()["actions"]["POST"]
    assert list(fields) == [column.name for column in COLUMNS]
    found = {name: (fields[name]["min_value"], fields[name]["max_value"]) for name in RANGES | SERSIC}
    assert found == RANGES | SERSIC
    types = {name: fields[name]["type"] for name in ("id", "name", "ra", "is_active", "date_submitted", "cadence")}
    assert list(types.values()) == ["integer", "string", "float", "boolean", "datetime", "integer"]
    required = {name for name, field in fields.items() if field["required"]}
    assert required == {"uploadedfor_survey_id", "name", "ra", "dec", "mag"}
    read_only = {name for name, field in fields.items() if field["read_only"]}
    dates = {"date_submitted", "date_modified", "date_ingested"}
    assert read_only == {"id", "ostd_targ_id", "ostd_u_obj_id"} | dates
    assert fields["name"]["max_length"] == 256
    assert "[deg]" in fields["ra"]["help_text"]


def test_options_of_one_row(api, new_row):
    assert api.one("OPTIONS", api.create(new_row())).status_code == 200
