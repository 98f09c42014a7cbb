"""One name, one thing: a public class or function is told by its name alone, and a variable says what it holds."""

import ast
from collections import defaultdict
from pathlib import Path

from tests.support.processes import ROOT

PACKAGES = ("flows", "tasks", "tides_bridge", "simulators")

TASKS = {
    "create_new_transients_in_4most",
    "create_transient_stage",
    "deactivate_unobserved_transients",
    "get_deferred_objects",
    "judge_messages",
    "judge_together",
    "light_curve_satisfies",
    "prepare_4most_update",
    "put_in_force",
    "read_back_from_4most",
    "settle_unanswered",
    "split_into_chunks",
    "store_outcome",
    "update_existing_transients",
    "upsert_to_master",
}
"""Names of steps that TiDES knows: the task has the name of the function that it wraps, here and on the run page."""

COMMANDS = {"predict", "reconcile", "run", "why"}
"""Functions of ``flows/commands``, which have the name that is typed after ``tides``."""

ROUTERS = {"router_of"}
"""What each module of the portal has by which `tides_bridge.portal.app` finds its addresses."""

VAGUE = {"told", "said", "it", "there", "each"}
"""Words that say nothing of what a variable holds: a reader has to look up where it is set."""


def test_no_public_name_of_the_domain_stands_twice() -> None:
    places = places_of_names("tides_bridge")
    assert len(places) > 500
    assert {name: files for name, files in places.items() if len(files) > 1 and name not in ROUTERS} == {}


def test_no_public_name_stands_twice_in_the_house() -> None:
    twice = {name: files for name, files in places_of_names(*PACKAGES).items() if len(files) > 1}
    assert {name: files for name, files in twice.items() if name not in TASKS | COMMANDS | ROUTERS | {"main"}} == {}
    for name, folder in (*dict.fromkeys(TASKS, "tasks").items(), *dict.fromkeys(COMMANDS, "flows/commands").items()):
        assert any(Path(file).is_relative_to(folder) for file in twice[name]), f"{name} is no exception any more"
        assert len(twice[name]) == 2, twice[name]


def test_variables_say_what_they_hold() -> None:
    found = []
    for file in (file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.arg | ast.Name):
                name = node.arg if isinstance(node, ast.arg) else node.id
                if name in VAGUE:
                    found.append(f"{file.relative_to(ROOT)}:{node.lineno}: {name}")
    assert found == []


def places_of_names(*packages: str) -> dict[str, list[str]]:
    """List in which files of some packages each public class and function is defined."""
    places = defaultdict(list)
    for file in (file for package in packages for file in sorted((ROOT / package).rglob("*.py"))):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
                places[node.name].append(str(file.relative_to(ROOT)))
    return places


def test_no_folder_has_more_than_twenty_modules() -> None:
    folders = {file.parent for top in PACKAGES for file in (ROOT / top).rglob("*.py")}
    modules = {folder: [file for file in folder.glob("*.py") if file.name != "__init__.py"] for folder in folders}
    assert len(modules) > 20
    assert [str(folder.relative_to(ROOT)) for folder, files in modules.items() if len(files) > 20] == []


def test_unit_tests_mirror_the_rooms() -> None:
    rooms = {folder.name for folder in (ROOT / "tides_bridge").iterdir() if (folder / "__init__.py").exists()}
    tested = {file.parent.name for file in (ROOT / "tests/unit").rglob("test_*.py")} - {"unit"}
    assert tested <= rooms | {"simulators", "tasks"}


def test_each_schema_file_has_the_next_number() -> None:
    files = sorted((ROOT / "sql" / "schema").glob("[0-9]*.sql"))
    assert [file.name[:3] for file in files] == [f"{number:03}" for number in range(1, len(files) + 1)]
