"""Who may use the service, and how errors look."""

import http.client
from base64 import b64encode
from urllib.parse import urlsplit

import pytest
import requests

PATHS = ["targetCat/transients/", "targetCat/transients/1/", "targetCat/get-candidate-visits/"]


def get(standin, path="targetCat/transients/", **options):
    return requests.get(f"{standin.address}/{path}", timeout=60, **options)


@pytest.mark.parametrize("path", PATHS)
def test_nobody_gets_in_without_credentials(standin, path):
    answer = get(standin, path)
    assert answer.status_code == 401
    assert answer.json() == {"err": "Authentication credentials were not provided."}
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
def test_other_methods_need_credentials_too(standin, method):
    assert requests.request(method, f"{standin.address}/targetCat/transients/", timeout=60).status_code == 401
    assert requests.post(f"{standin.address}/standin/ingest/", timeout=60).status_code == 401


def test_basic_and_token_get_in(standin):
    assert get(standin, auth=(standin.user, standin.password)).status_code == 200
    assert get(standin, headers={"Authorization": f"Token {standin.token}"}).status_code == 200


def test_wrong_credentials_stay_out(standin):
    assert get(standin, auth=(standin.user, "wrong")).json() == {"err": "Invalid username/password."}
    answer = get(standin, headers={"Authorization": "Token wrong"})
    assert (answer.status_code, answer.json()) == (401, {"err": "Invalid token."})


@pytest.mark.parametrize(("password", "token", "status"), [("", "wrong", 200), ("wrong", "", 401)])
@pytest.mark.parametrize("basic_first", [True, False])
def test_basic_wins_when_both_are_sent(standin, password, token, status, basic_first):
    basic = b64encode(f"{standin.user}:{password or standin.password}".encode()).decode()
    headers = [f"Basic {basic}", f"Token {token or standin.token}"]
    connection = http.client.HTTPConnection(urlsplit(standin.address).netloc, timeout=60)
    connection.putrequest("GET", "/QFSwi/targetCat/transients/?limit=1")
    for header in headers if basic_first else reversed(headers):
        connection.putheader("Authorization", header)
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == status


@pytest.mark.parametrize("path", ["transients-token-auth/", "transients-token-auth"])
def test_a_form_with_user_and_password_gets_the_token(standin, path):
    form = {"username": standin.user, "password": standin.password}
    answer = requests.post(f"{standin.address}/{path}", data=form, timeout=60)
    assert (answer.status_code, answer.json()) == (200, {"token": standin.token})


def test_a_wrong_form_gets_none(standin):
    url = f"{standin.address}/transients-token-auth/"
    wrong = requests.post(url, data={"username": standin.user, "password": "no"}, timeout=60)
    assert (wrong.status_code, list(wrong.json())) == (400, ["err"])
    short = requests.post(url, data={"username": standin.user}, timeout=60)
    assert short.status_code == 400
    assert "password" in short.json()["err"]


def test_an_address_that_does_not_exist_is_an_error_too(api):
    answer = api.call("GET", "targetCat/transits/")
    assert (answer.status_code, answer.json()) == (404, {"err": "no such address: /QFSwi/targetCat/transits/"})


def test_the_router_answers_at_its_edges_as_that_of_django_rest_framework(api, new_row):
    row = api.create(new_row())
    rows, one = "targetCat/transients", f"targetCat/transients/{row['id']}"
    for method, path in (("GET", rows), ("POST", rows), ("GET", one), ("PATCH", one), ("DELETE", one)):
        answer = api.call(method, path, json={}, allow_redirects=False)
        assert (answer.status_code, answer.headers["Location"]) == (301, f"/QFSwi/{path}/")
    # What `requests` makes of it: a PATCH that has lost its body, and a POST that is a GET.
    assert api.call("PATCH", one, json={"priority": 5}).json() == api.one("GET", row).json() == row
    assert row in api.call("POST", rows, json=new_row()).json()
    assert api.call("GET", f"{one}.json").json() == row
    assert api.call("GET", f"{rows}.json", params={"name": row["name"]}).json() == [row]
    root = api.call("GET", "targetCat/").json()
    assert list(root) == ["transients"] and root["transients"].endswith("/QFSwi/targetCat/transients/")
    assert api.call("GET", f"{rows}/abc/").status_code == 404


@pytest.mark.parametrize("limit", ["abc", "0", "-3", ""])
def test_a_limit_that_is_none_is_passed_over(api, new_row, limit):
    row = api.create(new_row())
    answer = api.call("GET", params={"limit": limit, "offset": limit, "name": row["name"]})
    assert (answer.status_code, answer.json()) == (200, [row])


def test_what_is_accepted_is_json_or_an_error(api, new_row):
    row = api.create(new_row())
    for accepted in ("application/json", "*/*", "text/html, */*;q=0.1"):
        assert api.one("GET", row, headers={"Accept": accepted}).json() == row
    refused = api.one("GET", row, headers={"Accept": "text/html"})
    assert (refused.status_code, list(refused.json())) == (406, ["err"])
    assert api.one("GET", row, params={"format": "xml"}).status_code == 404


@pytest.mark.parametrize("key", [999_999, 10**30])
def test_a_row_that_does_not_exist_is_404(api, key):
    answer = api.call("GET", f"targetCat/transients/{key}/")
    assert (answer.status_code, list(answer.json())) == (404, ["err"])


def test_a_method_that_does_not_exist_is_405(api, new_row):
    answer = api.one("PUT", api.create(new_row()), json=new_row())
    assert (answer.status_code, list(answer.json())) == (405, ["err"])


def test_candidate_visits_are_not_invented(api):
    answer = api.call("GET", "targetCat/get-candidate-visits/")
    assert (answer.status_code, list(answer.json())) == (501, ["err"])
