"""Under what each run worked, and what has changed since."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.support.databases import rows_of
from tests.support.functions import USUAL
from tests.support.typed import at_database
from tides_bridge.database import Database
from tides_bridge.database.run_log import logged_run
from tides_bridge.decisions.provenance import VERSIONS, find_provenance, keep_provenance
from tides_bridge.decisions.record import code_version
from tides_bridge.errors import RejectedError
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings

FUNCTIONS = [SelectionFunction.parse("f", USUAL)]
SECOND = [SelectionFunction.parse("f", {**USUAL, "minNights": 7})]


def with_run(database: Database, settings: Settings, functions: list[SelectionFunction]) -> tuple[int, list[str]]:
    with logged_run(database, "bridge") as run_id:
        return run_id, keep_provenance(database, run_id, settings, functions)


def test_each_run_keeps_what_it_worked_under_and_tells_what_changed(database: Database, settings: Settings) -> None:
    token = SecretStr("hidden")
    secret = settings.model_copy(
        update={
            "lasair_token": token,
            "now": datetime(2026, 11, 1, tzinfo=UTC),
        }
    )
    first, changes = with_run(database, secret, FUNCTIONS)
    assert changes == []
    found = find_provenance(database, first)
    assert found["settings"][VERSIONS] == f"f {FUNCTIONS[0].version}"
    assert (found["now_mjd"], found["code_version"]) == (61345.0, code_version())
    assert "hidden" not in str(found) and found["settings"]["lasairToken"] == "********"
    fainter = secret.targets.model_copy(update={"unlooked_after": timedelta(days=9)})
    changed = secret.model_copy(update={"targets": fainter, "page": secret.page.model_copy(update={"port": 99})})
    second, changes = with_run(database, changed, SECOND)
    assert changes == [
        f"changed since run {first}: {VERSIONS} was f {FUNCTIONS[0].version}, and is f {SECOND[0].version}",
        f"changed since run {first}: targets.unlookedAfter was 20 days, and is 9 days",
    ]
    with logged_run(database, "exchange") as exchange:  # which decides nothing, and is compared with nothing
        assert keep_provenance(database, exchange, changed) == []
    third, changes = with_run(database, changed, SECOND)
    assert changes == []
    assert find_provenance(database, first)["settings"]["page.port"] == "4280"
    assert find_provenance(database, third)["digest"] == find_provenance(database, second)["digest"]
    assert len(rows_of(database, "SELECT digest FROM run_settings")) == 3  # the exchange names no functions


def test_a_run_is_found_by_time_and_a_pull_by_the_run_it_is_of(database: Database, settings: Settings) -> None:
    first, _ = with_run(database, settings, FUNCTIONS)
    between = rows_of(database, "SELECT clock_timestamp() AS now")[0]["now"]
    second, _ = with_run(database, settings, SECOND)
    with logged_run(database, "pull", "lasair_ztf") as pull, logged_run(database, "backup") as backup:
        pass
    assert find_provenance(database, as_of=between)["run_id"] == first
    assert find_provenance(database, as_of=datetime.now(UTC) + timedelta(days=1))["run_id"] == second
    assert find_provenance(database, pull)["run_id"] == second
    for unknown in ({"run_id": backup}, {"run_id": 10**9}, {"as_of": datetime(2020, 1, 1, tzinfo=UTC)}):
        with pytest.raises(RejectedError, match="its settings are not known"):
            find_provenance(database, **unknown)


def test_a_person_asks_under_what_a_run_worked(database: Database, settings: Settings, tmp_path: Path) -> None:
    typed = at_database(settings, tmp_path)
    for wrong in (("--run", "1", "--as-of", "2026-01-01"), ("--run", "0"), ("--run", str(2**63)), ("--as-of", "soon")):
        done = typed("settings", *wrong)
        assert (done.exit_code, done.stdout) == (2, "") and ("--run" in done.stderr or "--as-of" in done.stderr)
    for unknown in (("--run", "99"), ("--as-of", "2020-01-01")):
        done = typed("settings", *unknown)
        assert (done.exit_code, done.stdout) == (1, "") and "its settings are not known" in done.stderr
