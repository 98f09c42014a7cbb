"""One name, one thing: a public class or function of `tides_bridge` is told by its name alone."""

import ast
from collections import defaultdict

from tests.support.processes import ROOT

TWICE: set[str] = set()
"""Names that may stand in two modules, since a protocol asks for them."""


def test_no_public_name_stands_twice() -> None:
    places = defaultdict(list)
    for file in sorted((ROOT / "tides_bridge").rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
                places[node.name].append(str(file.relative_to(ROOT)))
    assert len(places) > 500
    assert {name: files for name, files in places.items() if len(files) > 1 and name not in TWICE} == {}


def test_no_folder_has_more_than_twenty_modules() -> None:
    folders = {
        file.parent for top in ("flows", "tasks", "tides_bridge", "simulators") for file in (ROOT / top).rglob("*.py")
    }
    modules = {folder: [file for file in folder.glob("*.py") if file.name != "__init__.py"] for folder in folders}
    assert len(modules) > 20
    assert [str(folder.relative_to(ROOT)) for folder, files in modules.items() if len(files) > 20] == []


def test_unit_tests_mirror_the_rooms() -> None:
    rooms = {folder.name for folder in (ROOT / "tides_bridge").iterdir() if (folder / "__init__.py").exists()}
    tested = {file.parent.name for file in (ROOT / "tests/unit").rglob("test_*.py")} - {"unit"}
    assert tested <= rooms | {"simulators", "tasks"}
