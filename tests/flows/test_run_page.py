"""What the page of a run shows: numbers, tables with links, progress, how long it took; and that a run is skipped."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import reconcile, workers
from simulators.standins.bundle import TOPIC, Standins
from tasks import progress
from tasks.summary import MEANING
from tasks.tables import MOST_ROWS, publish_table
from tests.support.databases import rows_of
from tests.support.forked import forked_tides
from tides_bridge.database import apply_schema, open_database
from tides_bridge.portal.plots import draw_target
from tides_bridge.settings import Settings, load_settings

DEAD = "http://127.0.0.1:1/QFSwi"
"""Nobody listens there."""

Artifacts = dict[str, dict[str, Any]]


class Page:
    """The pages of one Prefect server."""

    def __init__(self, api: str) -> None:
        self.api = api

    def ask(self, what: str, **body: Any) -> list[dict[str, Any]]:
        answer = requests.post(f"{self.api}/{what}/filter", json=body, timeout=60)
        answer.raise_for_status()
        return list(answer.json())

    def newest_run(self, flow_name: str = "TiDES bridge") -> dict[str, Any]:
        """The newest that began: other tests have schedules at this server, whose runs lie in the future."""
        began = {"start_time": {"is_null_": False}}
        filters = {"flows": {"name": {"any_": [flow_name]}}, "sort": "START_TIME_DESC", "limit": 1}
        return self.ask("flow_runs", flow_runs=began, **filters)[0]

    def artifacts(self, run_id: str) -> Artifacts:
        """Those of a run, by key; of tables the rows as data."""
        found = {each["key"]: each for each in self.ask("artifacts", flow_runs={"id": {"any_": [run_id]}})}
        for each in found.values():
            each["data"] = json.loads(each["data"]) if each["type"] == "table" else each["data"]
        return found

    def run(self, file: Path, *command: str) -> tuple[int, str, Artifacts]:
        """Run the bridge from a shell; its exit code, what it printed, and what is on its page."""
        done = forked_tides(*(command or ("run",)), "--settings", file, PREFECT_API_URL=self.api)
        name = "TiDES reconcile" if command[:1] == ("reconcile",) else "TiDES bridge"
        return done.returncode, done.stdout + done.stderr, self.artifacts(self.newest_run(name)["id"])


@pytest.fixture
def page(prefect_api: str) -> Page:
    return Page(prefect_api)


def changed(file: Path, **sections: dict[str, Any]) -> Path:
    """The same settings, with some changes."""
    content = yaml.safe_load(file.read_text())
    for section, changes in sections.items():
        content["standins"][section] = content["standins"].get(section, {}) | changes
    other = file.with_name("changed.yaml")
    other.write_text(yaml.safe_dump(content))
    return other


def asked(file: Path, statement: str) -> list[dict[str, Any]]:
    with open_database(load_settings(None, file)) as database:
        return rows_of(database, statement)


def test_a_run_shows_its_new_targets_with_links_and_how_long_it_took(
    page: Page, settings_file: Path, standins: Standins
) -> None:
    code, said, first = page.run(settings_file)
    assert code == 0, said
    targets = asked(settings_file, "SELECT * FROM tides_master ORDER BY tides_id")
    rows = first["tides-bridge-new-targets"]["data"]
    assert [row["target"] for row in rows] == [each["name"] for each in targets]
    assert first["tides-bridge-new-targets"]["description"] == f"New targets: {len(targets)}"
    settings = load_settings(None, settings_file)
    base = settings.light_curves.address.removesuffix("/api")
    for row, target in zip(rows, targets, strict=True):
        name = target["object_id"]
        assert row["light curve"] == f"[plot](http://127.0.0.1:4280/light-curves/ztf/{name})"
        assert row["object"] == f"[{name}]({base}/objects/{name}/)"
        assert (row["ra [deg]"], row["dec [deg]"]) == (round(target["ra"], 5), round(target["decl"], 5))
        assert row["at 4MOST"] == (target["pk_4most"] or "refused")
        if told := target["told_4most"]:
            assert row["sent [mag]"] == f"{told['mag']:.2f} {told['mag_type']}"
        assert row["why it passed"].startswith(f"{settings.select_function}: ")
    summary = {row["what"]: row["number"] for row in first["tides-bridge-summary"]["data"]}
    assert summary["seconds that this run of the bridge took; it is the first of its kind"] > 0
    report = first["tides-bridge-report"]["data"]
    sent = [each["name"] for each in targets if each["pk_4most"]]
    assert f"### New at 4MOST: {len(sent)}\n" in report and all(
        f"[{name}](http://127.0.0.1:4280/targets/" in report for name in sent
    )
    assert first["tides-bridge-report"]["description"] in first["tides-bridge-summary"]["description"]
    assert (first["tides-bridge-progress"]["data"], first["tides-bridge-progress"]["description"]) == (100, "done")

    for name, kind in ((targets[0]["name"], "veto"), (targets[1]["name"], "comment")):
        assert forked_tides(kind, name, "--reason", f"of {name}", "--settings", settings_file).returncode == 0
    code, said, second = page.run(settings_file)
    assert code == 0, said
    assert "tides-bridge-new-targets" not in second and "tides-bridge-rulings" not in first
    assert [(row["target"], row["ruling"], row["reason"]) for row in second["tides-bridge-rulings"]["data"]] == [
        (targets[1]["name"], "comment", f"of {targets[1]['name']}"),
        (targets[0]["name"], "veto", f"of {targets[0]['name']}"),
    ]
    whats = [row["what"] for row in second["tides-bridge-summary"]["data"]]
    alerts = f"| {MEANING['messages']} | **0** | {summary[MEANING['messages']]} |"
    assert alerts in second["tides-bridge-report"]["data"].splitlines()
    assert any(what.startswith("seconds that this run of the bridge took; the last one took ") for what in whats)

    # The same numbers are kept, and the light curves of all that passed.
    kept = asked(settings_file, "SELECT counts, problem FROM run_log WHERE kind = 'bridge' ORDER BY run_id")
    assert kept[0]["counts"]["inserted"] == summary[MEANING["inserted"]] == len(targets)
    assert [row["problem"] for row in kept] == [None, None]
    with open_database(settings) as database:
        curves = rows_of(database, "SELECT survey, object_id FROM target_light_curve")
        assert len(curves) == kept[0]["counts"]["passed"]
        assert (draw_target(database, "ztf", targets[0]["object_id"]) or b"").startswith(b"\x89PNG")
    texts = json.dumps(first) + json.dumps(second)
    secrets = (standins.settings({})["lasairToken"], standins.settings({})["fourmost"]["token"])
    assert not any(secret in texts for secret in secrets)


def test_a_long_run_tells_4most_between_batches_and_lists_messages_that_cannot_be_read(
    page: Page, settings_file: Path, standins: Standins
) -> None:
    standins.kafka.publish(TOPIC, [b"no JSON", b"[1]"])
    file = changed(settings_file, broker={"batchSize": 20}, fourmost={"exchangeEvery": 0})
    code, said, found = page.run(file)
    assert code == 0, said
    runs = asked(file, "SELECT kind, problem FROM run_log ORDER BY run_id")
    exchanges = [row for row in runs if row["kind"] == "exchange"]
    assert len(exchanges) > 2 and {row["problem"] for row in runs} == {None}
    summary = {row["what"]: row["number"] for row in found["tides-bridge-summary"]["data"]}
    (at_4most,) = asked(file, "SELECT count(*) FROM tides_master WHERE pk_4most IS NOT NULL")
    assert summary[MEANING["created_in_4most"]] == at_4most["count"] > 0
    assert summary[MEANING["refused_targets"]] == len(found.get("tides-bridge-failures", {"data": []})["data"])
    rows = found["tides-bridge-refused"]["data"]
    kept = asked(file, "SELECT refused_id, reason FROM refused_message ORDER BY refused_id")
    assert [(row["key"], row["reason"]) for row in rows] == [(each["refused_id"], each["reason"]) for each in kept]
    assert [row["more"] for row in rows] == [f"`tides refused show {each['refused_id']}`" for each in kept]
    assert len(kept) == 2


def test_4most_that_is_away_between_batches_does_not_end_the_pull(page: Page, settings_file: Path) -> None:
    file = changed(settings_file, broker={"batchSize": 50}, fourmost={"exchangeEvery": 0, "address": DEAD})
    code, said, found = page.run(file)
    assert code == 1 and "4MOST is told later" in said and "Traceback" not in said
    runs = asked(file, "SELECT kind, problem, counts FROM run_log ORDER BY run_id")
    assert [row["problem"] for row in runs if row["kind"] == "pull"] == [None]
    assert all("cannot be reached" in row["problem"] for row in runs if row["kind"] in ("exchange", "bridge"))
    (bridge,) = (row for row in runs if row["kind"] == "bridge")
    assert bridge["counts"]["messages"] > 50 and bridge["counts"]["lag"] == 0
    rows = found["tides-bridge-new-targets"]["data"]
    assert {row["at 4MOST"] for row in rows} == {"not yet"} and {row["sent [mag]"] for row in rows} == {""}
    assert found["tides-bridge-progress"]["data"] == progress.PULLING


def test_a_run_that_leaves_the_work_to_another_is_skipped(page: Page, settings_file: Path) -> None:
    with open_database(load_settings(None, settings_file)) as database:
        apply_schema(database)
        with database.only_run():
            code, said, found = page.run(settings_file, "run", "--json")
    assert code == 0, said
    assert json.loads(said.splitlines()[0] if said.startswith("{") else said[said.index("{") : said.index("}") + 1])
    state = page.newest_run()["state"]
    assert (state["type"], state["name"]) == ("COMPLETED", "Skipped")
    assert state["message"].startswith("another run is at work on this database")
    assert found == {}
    assert asked(settings_file, "SELECT * FROM run_log") == []


def test_a_reconciliation_that_waited_in_vain_is_skipped(
    page: Page, settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "PATIENCE_SECONDS", 0.0)
    with open_database(load_settings(None, settings_file)) as database:
        apply_schema(database)
        with database.only_run(), temporary_settings({PREFECT_API_URL: page.api}):
            assert reconcile.reconcile_with_4most(settings_file=str(settings_file)) == []
    state = page.newest_run("TiDES reconcile")["state"]
    assert (state["type"], state["name"]) == ("COMPLETED", "Skipped")


def in_a_flow(page: Page, what: Any) -> Artifacts:
    """What is on the page of a flow that does this."""
    with temporary_settings({PREFECT_API_URL: page.api}):
        state: State[Any] = flow(what, name="page")(return_state=True)
    assert state.is_completed(), state
    return page.artifacts(str(state.state_details.flow_run_id))


def test_a_long_table_says_how_many_more_there_are(page: Page) -> None:
    rows = [{"target": f"SN{number}", "reason": "x"} for number in range(MOST_ROWS + 3)]
    found = in_a_flow(page, lambda: publish_table(rows, "long", "Targets"))["long"]
    assert found["description"] == f"Targets: {MOST_ROWS + 3}"
    assert found["data"][MOST_ROWS - 1 :] == [rows[MOST_ROWS - 1], {"target": "and 3 more", "reason": ""}]


def test_the_bar_never_goes_back_and_each_broker_has_its_part(page: Page) -> None:
    shown = []

    def work() -> None:
        bar = progress.Progress(2)
        for part in (0.5, 0.2):
            bar.read("a", part)
            shown.append(bar._shown)
        bar.next_broker()
        bar.read("b", 1.0)
        bar.show(0, "4MOST")

    found = in_a_flow(page, work)["tides-bridge-progress"]
    assert shown == [progress.PULLING / 4] * 2
    assert (found["data"], found["description"]) == (progress.PULLING, "4MOST")


def test_a_page_that_cannot_be_changed_ends_no_run(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: Any, **_named: Any) -> None:
        raise ConnectionError("the server is away")

    monkeypatch.setattr(progress, "create_progress_artifact", fail)
    assert in_a_flow(page, lambda: progress.Progress(1).show(10, "x")) == {}


def test_a_link_leads_to_what_the_dask_workers_do(
    page: Page, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = []

    def link_and_follow(address: str) -> None:
        progress.link_to_dask(address)
        answers.append(requests.get(address, timeout=60).status_code)

    def work() -> None:
        with workers.dask_workers(settings.dask) as start:
            start(2)

    monkeypatch.setattr(workers, "link_to_dask", link_and_follow)
    found = in_a_flow(page, work)
    assert answers == [200]
    assert "(http://127.0.0.1:" in found["tides-bridge-dask"]["data"]
