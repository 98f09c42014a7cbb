"""Selection functions as they are in a file, such as selectionFunctions.yaml."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tides_bridge.errors import SettingsError
from tides_bridge.resources import shipped
from tides_bridge.selection.functions import SelectionFunction
from tides_bridge.settings.yaml_blocks import read_blocks

MOC_ENDINGS = (".fits", ".moc", ".json")
"""Of MOC files, which the key ``footprint`` may name, relative to the file of functions."""


def functions_file(given: Path | None = None) -> Path:
    """Give the file of selection functions: the one given, else selectionFunctions.yaml here, else the shipped one."""
    here = Path("selectionFunctions.yaml")
    return given or (here if here.exists() else shipped(here.name))


def read_functions_file(file: Path) -> dict[str, SelectionFunction]:
    """
    Read all selection functions of a file, by name.

    Raises
    ------
    SettingsError
        Naming file, function and key, if anything is missing, unknown or wrong.
    """
    return {name: _function(file, name, keys) for name, keys in read_blocks(file).items()}


def load_function(file: Path, name: str) -> SelectionFunction:
    """
    Read one selection function of a file; what is wrong with another is no matter.

    Parameters
    ----------
    file
        YAML, several functions by name.
    name
        Which.

    Raises
    ------
    SettingsError
        Naming file, function and key, if anything is missing, unknown or wrong.
    """
    functions = read_blocks(file)
    if name not in functions:
        raise SettingsError(str(file), name, f"no such selection function; there are: {', '.join(functions)}")
    return _function(file, name, functions[name])


def _function(file: Path, name: str, keys: Mapping[str, Any]) -> SelectionFunction:
    try:
        return SelectionFunction.parse(name, _with_mocs(keys, file.parent))
    except ValueError as error:
        key, _, problem = str(error).partition(": ")
        raise SettingsError(str(file), f"{name}.{key}", problem) from None


def _with_mocs(value: Any, folder: Path, path: str = "") -> Any:
    """Put the content of MOC files in the place of their names, so that a function is whole by itself."""
    if isinstance(value, list):
        return [_with_mocs(item, folder, f"{path}{number}.") for number, item in enumerate(value, start=1)]
    if not isinstance(value, Mapping):
        return value
    return {
        key: _read_moc(folder / item, path)
        if key == "footprint" and isinstance(item, str) and item.lower().endswith(MOC_ENDINGS)
        else _with_mocs(item, folder, f"{path}{key}.")
        for key, item in value.items()
    }


def _read_moc(file: Path, path: str) -> str:
    """
    Read a MOC file, FITS or JSON or ASCII, as text; the path is that of the block with its key.

    Raises
    ------
    ValueError
        As of any key that is wrong.
    """
    from mocpy import MOC

    kind = {".fits": "fits", ".json": "json"}.get(file.suffix.lower(), "ascii")
    try:
        return str(MOC.load(str(file), kind).to_string("ascii"))
    except (OSError, ValueError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise ValueError(f"{path}footprint: {file} cannot be read as a MOC: {first}") from None
