"""What one room hands to the others is described there: who calls it need not open its file."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support.processes import ROOT

PARAMETERS = "Parameters\n----"

ONE_PARAMETER = 1
"""A function of one parameter, or of none, may say all in its title."""


def test_functions_that_other_rooms_call_describe_their_parameters() -> None:
    called = set(functions_called_from_other_rooms())
    assert len(called) > 100
    lacking = []
    for module, name in called:
        function = definition(module, name)
        if function is None or number_of_parameters(function) <= ONE_PARAMETER:
            continue
        if PARAMETERS not in (ast.get_docstring(function) or ""):
            lacking.append(f"{module}.{name}")
    assert sorted(lacking) == []


def functions_called_from_other_rooms() -> Iterator[tuple[str, str]]:
    """Give module and name of what a room of `tides_bridge` hands to another room, a flow, a task or a stand-in."""
    for package in ("flows", "tasks", "simulators", "tides_bridge"):
        for file in sorted((ROOT / package).rglob("*.py")):
            modules = {}
            for node in ast.walk(parsed(file)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tides_bridge"):
                    if room_of(str(node.module)) == room_of(module_of(file)):
                        continue
                    for alias in node.names:
                        yield str(node.module), alias.name
                        modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
            for node in ast.walk(parsed(file)):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
                    yield modules[node.value.id], node.attr


def definition(module: str, name: str) -> ast.FunctionDef | None:
    """Find a function where it is defined, through the doors of rooms that hand it on."""
    file = ROOT / f"{module.replace('.', '/')}.py"
    file = file if file.exists() else ROOT / module.replace(".", "/") / "__init__.py"
    for node in parsed(file).body if file.exists() else []:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node
        if isinstance(node, ast.ImportFrom) and any((alias.asname or alias.name) == name for alias in node.names):
            original = next(alias.name for alias in node.names if (alias.asname or alias.name) == name)
            return definition(str(node.module), original)
    return None


def number_of_parameters(function: ast.FunctionDef) -> int:
    return len(function.args.posonlyargs + function.args.args + function.args.kwonlyargs)


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text())
