"""What pydantic finds wrong with a settings file, as one clear error: which key, where it stands, what was meant."""

import difflib
import json
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_settings import BaseSettings, EnvSettingsSource
from pydantic_settings import SettingsError as UnreadableVariable

from tides_bridge.errors import SettingsError

BY_HAND: dict[str, str] = {}
"""Keys that were given on the command line, by the variable of the environment that stands for each."""

WORDS = {
    "extra_forbidden": "unknown key",
    "missing": "is missing",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "dict_type": "must have keys of its own, each with a value",
    "model_type": "must have keys of its own, each with a value",
    "tuple_type": "must be a list",
    "string_type": "must be text: write it in quotation marks",
    "datetime_parsing": "must be a time: write it as 2026-11-01T12:00:00Z",
    "datetime_from_date_parsing": "must be a time: write it as 2026-11-01T12:00:00Z",
    "timezone_aware": "must say of which zone it is: write it as 2026-11-01T12:00:00Z",
    "time_parsing": "must be a time of day: write it as 14:00",
}
"""Our words for what pydantic calls so."""

ITS_WORDS = ("Value error, ", ""), ("Input should", "must"), ("String should", "must"), ("Value should", "must")
"""What pydantic says of the rest, and how we do."""


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
    keys = [str(part) for part in first["loc"] if part != "[key]"]
    problem = WORDS.get(first["type"]) or _in_our_words(first["msg"])
    if first["type"] == "extra_forbidden":
        known = {key.lower(): key for key in keys_beside(tree, keys)}
        meant = difflib.get_close_matches(keys[-1].lower(), known, 1, 0.7)
        problem += "".join(f": is {known[key]} meant?" for key in meant)
    given = _variables(tree)
    variable = _variable_of(keys, given)
    if variable:
        return _of_variable(variable, problem, None if first["type"] == "extra_forbidden" else given[variable])
    return SettingsError(str(file), ".".join([name, *keys]), problem)


def unreadable(error: UnreadableVariable, tree: type[BaseSettings]) -> SettingsError:
    """Make a clear error of a variable that is to hold a list, or keys with values, and is no JSON."""
    name = str(error).partition('field "')[2].partition('"')[0]
    begin, given = f"TIDES_{to_camel(name)}".upper(), _variables(tree)
    variable = max((one for one in given if one.partition("__")[0] == begin), key=BY_HAND.__contains__)
    problem = 'must be JSON, as ["a", "b"] or {"key": "value"}, or keys of its own one by one'
    return _of_variable(variable, problem, given[variable])


def _of_variable(variable: str, problem: str, value: str | None) -> SettingsError:
    """Say what is wrong with a variable of the environment, or with the setting by hand that it stands for."""
    if variable not in BY_HAND:
        return SettingsError("environment", variable, problem)
    # A secret cannot be given by hand: the value may be shown.
    return SettingsError("--set", BY_HAND[variable], problem if value is None else f"{problem}, not {value}")


def _variables(tree: type[BaseSettings]) -> dict[str, str]:
    """Give what is in the environment and not empty, by name in capitals."""
    return {name.upper(): value for name, value in EnvSettingsSource(tree).env_vars.items() if value}


def _variable_of(keys: Sequence[str], given: Mapping[str, str]) -> str | None:
    """Give the variable that a setting is from, itself or within JSON; None: it is from the file."""
    for number in range(len(keys), 0, -1):
        variable = "TIDES_" + "__".join(keys[:number]).upper()
        if variable in given and (number == len(keys) or is_given(_content(given[variable]), keys[number:])):
            return variable
    return None


def _content(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _in_our_words(message: str) -> str:
    for theirs, ours in ITS_WORDS:
        if message.startswith(theirs):
            return ours + message.removeprefix(theirs)
    return message


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
