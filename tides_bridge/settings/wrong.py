"""What pydantic finds wrong with a settings file, as one clear error: which key, where it stands, what was meant."""

import difflib
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource

from tides_bridge.errors import SettingsError

BY_HAND: dict[str, str] = {}
"""Keys that were given on the command line, by the variable of the environment that stands for each."""

WORDS = {"extra_forbidden": "unknown key", "missing": "is missing"}
"""Our words for what pydantic calls so."""


def settings_error(error: ValidationError, tree: type[BaseSettings], file: Path, name: str) -> SettingsError:
    """
    Make one clear error of what pydantic found.

    Parameters
    ----------
    error
        With all that is wrong. A key that nobody knows comes first: it is why another one is missing.
    tree
        The settings, whose keys may have been meant.
    file, name
        Where it was read, and the configuration there.
    """
    found = error.errors(include_url=False, include_input=False, include_context=False)
    first = min(found, key=lambda problem: problem["type"] != "extra_forbidden")
    keys = [str(part) for part in first["loc"]]
    problem = WORDS.get(first["type"], first["msg"].removeprefix("Value error, "))
    if first["type"] == "extra_forbidden":
        known = {key.lower(): key for key in keys_beside(tree, keys)}
        meant = difflib.get_close_matches(keys[-1].lower(), known, 1, 0.7)
        problem += "".join(f": is {known[key]} meant?" for key in meant)
    if is_given(EnvSettingsSource(tree)(), keys):
        variable = "TIDES_" + "__".join(keys).upper()
        if variable in BY_HAND:
            return SettingsError("--set", BY_HAND[variable], problem)
        return SettingsError("environment", variable, problem)
    return SettingsError(str(file), ".".join([name, *keys]), problem)


def keys_beside(tree: type[BaseModel], keys: Sequence[str]) -> list[str]:
    """
    List the keys that may stand where a key stands.

    Parameters
    ----------
    tree
        A section, or the settings as a whole.
    keys
        The way to the key, which need not exist itself.

    Returns
    -------
    list of str
        As a file has them; none where nothing is known of the place.
    """
    section: Any = tree
    for key in keys[:-1]:
        if isinstance(section, type) and issubclass(section, BaseModel):
            fields = {field.alias or name: field for name, field in section.model_fields.items()}
            section = _section_in(fields[key].annotation) if key in fields else None
        elif get_origin(section) is dict:
            section = _section_in(get_args(section)[1])
    if not (isinstance(section, type) and issubclass(section, BaseModel)):
        return []
    return [field.alias or name for name, field in section.model_fields.items()]


def _section_in(annotation: Any) -> Any:
    """Give the section, or the sections by name, of what may also be missing."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next((part for part in map(_section_in, get_args(annotation)) if part is not types.NoneType), None)
    return annotation


def is_given(values: object, keys: Sequence[str]) -> bool:
    """
    Tell whether nested content has a key, whatever its capitals: the environment has none.

    >>> is_given({"fourmost": {"token": "x"}}, ["fourmost", "TOKEN"]), is_given({"fourmost": None}, ["fourmost"])
    (True, False)
    """
    for key in keys:
        if not isinstance(values, dict):
            return False
        found = [value for name, value in values.items() if str(name).lower() == key.lower()]
        if not found:
            return False
        values = found[0]
    return values is not None
