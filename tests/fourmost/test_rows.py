"""Create, read, change and delete rows."""

import json
import re

import pytest

BERLIN_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+0[12]:00")
MANUAL = {  # the example of the manual of submit_transients
    "uploadedfor_survey_id": 5, "name": "SN2021x", "ra": 10.5, "dec": -30.25, "epoch": 2021, "resolution": 1,
    "cadence": 0, "mag": 20, "t_exp_d": 20, "t_exp_g": 15, "t_exp_b": 7, "t_exp_s": 4,
}  # fmt: skip
TIDES = {
    "uploadedfor_survey_id": 15, "name": "ZTF18abcdefg", "ra": 10.5, "dec": -30.25, "epoch": 2000, "resolution": 1,
    "subsurvey": "tides-sn", "cadence": 1048576, "template": "SN_spec_specid56_snt1_phase5_redshift0.169.fits",
    "ruleset": "tides_snJuly2022", "mag": 20.1, "mag_type": "SDSS_r_AB", "t_exp_d": 60, "t_exp_g": 60, "t_exp_b": 60,
    "date_earliest": 2460001.5, "date_latest": 2460005.5, "extent_flag": 0, "redshift_estimate": 0.1,
}  # fmt: skip


@pytest.mark.parametrize("sent", [MANUAL, TIDES], ids=["manual", "D3.3.4"])
def test_known_payloads_are_accepted_and_answered_with_200(api, sent):
    answer = api.call("POST", json=sent)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in sent} == sent
    assert api.one("GET", answer.json()).json() == answer.json()


def test_what_is_not_given_becomes_zero(api, new_row):
    sent = new_row()
    row = api.create(sent)
    server = ("id", "date_submitted", "date_modified", "date_ingested", "is_active")
    rest = {name: value for name, value in row.items() if name not in {*sent, *server}}
    assert set(map(repr, rest.values())) == {"0", "0.0", "''"}
    assert repr(row["epoch"]) == "0.0"
    assert repr(row["resolution"]) == "0"
    assert row["template"] == ""
    assert row["is_active"] is True
    assert row["date_ingested"] is None


@pytest.mark.parametrize("name", ["epoch", "resolution"])
def test_a_zero_that_is_given_is_checked(api, new_row, name):
    assert api.refused(new_row(**{name: 0})).startswith(f"{name}: 0")


@pytest.mark.parametrize("name", ["uploadedfor_survey_id", "name", "ra", "dec", "mag"])
def test_a_required_column_is_named_when_it_is_missing(api, new_row, name):
    row = new_row()
    del row[name]
    assert api.refused(row) == f"{name}: required, but not given"


def test_read_only_columns_of_a_client_are_ignored(api, new_row):
    past = "2001-01-01T00:00:00+01:00"
    lies = {"id": 10**9, "date_submitted": past, "date_modified": past, "date_ingested": past, "ostd_targ_id": 7}
    row = api.create(new_row(**lies, ostd_u_obj_id="no number", no_such_column=1))
    assert row["id"] < 10**9
    assert row["date_ingested"] is None
    assert (row["ostd_targ_id"], row["ostd_u_obj_id"]) == (0, 0)
    assert BERLIN_TIME.fullmatch(row["date_submitted"])
    assert row["date_submitted"] == row["date_modified"] != past
    changed = api.one("PATCH", row, json=lies).json()
    assert changed == row


def test_names_need_not_be_unique(api, new_row):
    row = new_row()
    first, second = api.create(row), api.create(row)
    assert first["id"] < second["id"]
    assert len(api.found(name=row["name"])) == 2


def test_an_account_writes_only_for_its_surveys(api, new_row):
    assert api.refused(new_row(uploadedfor_survey_id=16)).startswith("uploadedfor_survey_id: 16 is not a survey of")
    assert [api.create(new_row(uploadedfor_survey_id=survey))["id"] > 0 for survey in (15, 46, 5)]


def test_float64_survives(api, new_row):
    exact = {"ra": 359.99999999, "date_earliest": 2461511.123456789, "mag": 20.123456789012345}
    row = api.one("GET", api.create(new_row(**exact))).json()
    assert {name: row[name] for name in exact} == exact


def test_a_bulk_call_answers_every_row_in_order(api, new_row):
    rows = [new_row() for _ in range(30)]
    answer = api.create(rows)
    assert [row["name"] for row in answer] == [row["name"] for row in rows]
    assert len({row["id"] for row in answer}) == 30
    assert api.create([]) == []


def test_one_bad_row_fails_the_whole_bulk_call(api, new_row):
    rows = [new_row(), new_row(mag=56), new_row(), {"name": "half"}, 5]
    error = api.refused(rows)
    assert error.startswith(f"row 2 ({rows[1]['name']}): mag: 56.0 is outside 3 ... 50; row 4 (half): ")
    assert "; row 5 (no dict): Invalid data" in error
    assert api.refused([new_row(name="\ud800")]).startswith(r"row 1 (\ud800): name: ")
    assert not api.found(name=rows[0]["name"])


@pytest.mark.parametrize("bulk", [False, True])
def test_json_inside_a_json_string_is_accepted(api, new_row, bulk):
    row = new_row()
    answer = api.call("POST", json=json.dumps([row] if bulk else row))
    assert answer.status_code == 200
    assert api.found(name=row["name"]) == [row["name"]]


@pytest.mark.parametrize("body", ["{", "", "[" * 100_000, b"\xff\xfe{", '"{"', "7", '"text"', "null"])
def test_other_bodies_are_refused(api, body):
    answer = api.call("POST", data=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, list(answer.json())) == (400, ["err"])


def test_a_form_is_no_row(api, new_row):
    answer = api.call("POST", data=new_row())
    assert (answer.status_code, list(answer.json())) == (415, ["err"])


def test_what_lacks_the_last_slash_is_led_to_it_which_only_reading_survives(api, new_row):
    """As Django does it: a client that follows with GET, as all do, has not written."""
    row = api.create(new_row())
    bare = f"targetCat/transients/{row['id']}"
    assert api.call("GET", "targetCat/transients", params={"id": row["id"]}).json() == [row]
    assert api.call("GET", bare).json() == row
    other = new_row()
    for method, path, body in (("POST", "targetCat/transients", other), ("PATCH", bare, {"mag": 21})):
        answer = api.call(method, path, json=body, allow_redirects=False)
        assert (answer.status_code, answer.headers["Location"].split("/QFSwi/")[1]) == (301, f"{path}/")
    assert api.call("DELETE", bare, allow_redirects=False).status_code == 301
    assert api.call("GET", "targetCat/transients/", params={"id": row["id"]}).json() == [row]
    assert api.found(name=other["name"]) == []


def test_a_patch_changes_what_it_names(api, new_row):
    row = api.create(new_row(template="old.fits"))
    answer = api.one("PATCH", row, json={"mag": 21.25, "is_active": False})
    assert answer.status_code == 200
    changed = {name for name, value in answer.json().items() if value != row[name]}
    assert changed == {"mag", "is_active", "date_modified"}
    assert api.one("GET", row).json() == answer.json()


def test_a_patch_is_checked_with_the_rest_of_the_row(api, new_row):
    row = api.create(new_row())
    answer = api.one("PATCH", row, json={"mag": 56})
    assert (answer.status_code, answer.json()) == (400, {"err": "mag: 56.0 is outside 3 ... 50"})
    answer = api.one("PATCH", row, json={"extent_flag": 2, "extent_index": 1})
    assert answer.json()["err"] == "extent_parameter: 0.0 is outside 0.1 ... 100, which extent_flag 2 needs"
    assert api.one("PATCH", row, json=[]).status_code == 400
    assert api.one("GET", row).json() == row


def test_sending_a_row_back_changes_nothing(api, new_row):
    row = api.create(new_row())
    answer = api.one("PATCH", row, json=row)
    assert (answer.status_code, answer.json()) == (200, row)


def test_a_deleted_row_is_gone_and_its_id_is_not_given_again(api, new_row):
    row = api.create(new_row())
    answer = api.one("DELETE", row)
    assert (answer.status_code, answer.content) == (204, b"")
    assert api.one("GET", row).status_code == 404
    assert api.one("DELETE", row).status_code == 404
    assert api.create(new_row())["id"] > row["id"]
