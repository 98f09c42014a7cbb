"""What the options of ``tides fourmost`` change."""

import requests

from simulators.fourmost.process import FourmostStandin


def test_created_may_be_201(connect, new_row):
    with FourmostStandin("--create-status", "201") as standin:
        api = connect(standin)
        assert api.call("POST", json=new_row()).status_code == 201
        assert api.call("POST", json=[new_row()]).status_code == 201
        assert api.call("POST", json={}).status_code == 400


def test_an_older_server_answers_errors_with_200(connect, new_row):
    with FourmostStandin("--errors-as-200") as standin:
        api = connect(standin)
        answer = api.call("POST", json=new_row(dec=41))
        assert (answer.status_code, answer.json()) == (200, {"err": "dec: 41.0 is outside -89.99999999 ... 40"})
        answer = requests.get(f"{standin.address}/targetCat/transients/", timeout=60)
        assert (answer.status_code, list(answer.json())) == (200, ["err"])
        assert api.call("GET").json() == []


def test_a_list_may_come_in_pages(connect, new_row):
    with FourmostStandin("--paginate") as standin:
        api = connect(standin)
        names = [row["name"] for row in api.create([new_row() for _ in range(105)])]
        page = api.call("GET", params={"limit": 2, "offset": 2, "ra__gt": 1}).json()
        assert list(page) == ["count", "next", "previous", "results"]
        assert page["count"] == 105
        assert [row["name"] for row in page["results"]] == names[2:4]
        following = api.session.get(page["next"], timeout=60).json()
        assert [row["name"] for row in following["results"]] == names[4:6]
        assert api.session.get(page["previous"], timeout=60).json()["previous"] is None
        assert len(api.call("GET").json()["results"]) == 100
        assert [row["name"] for row in standin.rows()] == names
        assert api.call("GET", params={"offset": 100}).json()["next"] is None


def test_an_account_sees_only_its_surveys(connect, new_row, tmp_path):
    state = tmp_path / "state.sqlite3"
    with FourmostStandin(state=state) as standin:
        rows = connect(standin).create([new_row(uploadedfor_survey_id=survey) for survey in (15, 46, 5)])
        assert standin.rows() == rows
    with FourmostStandin("--survey", "15", "--survey", "5", state=state) as standin:
        api = connect(standin)
        assert standin.rows() == [rows[0], rows[2]]
        for method in ("GET", "PATCH", "DELETE"):
            assert api.one(method, rows[1], json={"mag": 21}).status_code == 404
        assert api.refused(new_row(uploadedfor_survey_id=46)).startswith("uploadedfor_survey_id: 46 is not")
        assert standin.ingest() == 3


def test_the_state_survives_a_restart(connect, new_row, tmp_path):
    state = tmp_path / "a folder" / "state.sqlite3"
    with FourmostStandin(state=state) as standin:
        rows = connect(standin).create([new_row(), new_row()])
        standin.ingest()
        rows = standin.rows()
        known = (standin.user, standin.password, standin.token)
    assert state.stat().st_mode & 0o077 == 0
    with FourmostStandin(state=state) as standin:
        assert (standin.user, standin.password, standin.token) == known
        assert standin.rows() == rows
    with FourmostStandin(state=state, password="chosen") as standin:  # pragma: allowlist secret
        assert (standin.password, standin.token) == ("chosen", known[2])
        assert standin.rows() == rows
    with FourmostStandin("--user", "another", state=state) as standin:
        assert standin.user == "another"
        assert standin.token != known[2]


def test_two_new_states_have_different_secrets(standin):
    with FourmostStandin() as other:
        assert other.password != standin.password
        assert other.token != standin.token
        answer = requests.get(f"{other.address}/targetCat/transients/", auth=("tides", standin.password), timeout=60)
        assert answer.status_code == 401
