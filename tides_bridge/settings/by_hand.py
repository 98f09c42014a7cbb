"""Settings that are given on the command line for one run: they win over environment and file."""

import os
from collections.abc import Iterable
from typing import Any

from tides_bridge.errors import SettingsError
from tides_bridge.settings.tree import Settings, secrets_in
from tides_bridge.settings.wrong import BY_HAND


def set_by_hand(pairs: Iterable[str]) -> None:
    """
    Set settings for the rest of this process, as if its environment had them.

    Parameters
    ----------
    pairs
        Each ``KEY=VALUE`` with the dotted key of the settings file: ``targets.unlookedAfter=30 days``; what is no
        single value is JSON, as in the environment.

    Raises
    ------
    SettingsError
        If one is no such pair, no known setting, or a secret: the list of processes shows it to everybody.
    """
    known = {str(field.alias).lower() for field in Settings.model_fields.values()}
    for pair in pairs:
        key, is_pair, value = pair.partition("=")
        keys = key.strip().split(".")
        if not is_pair or not value.strip():
            raise SettingsError("--set", key, "write KEY=VALUE, as targets.unlookedAfter=30 days")
        if keys[0].lower() not in known:
            raise SettingsError("--set", key, "unknown key: tides settings lists all")
        if secrets_in(_nested(keys, value)) or "password" in pair.lower():
            raise SettingsError("--set", key, "is a secret, which others could see: give it in the environment")
        variable = "TIDES_" + "__".join(keys).upper()
        os.environ[variable] = value.strip()
        BY_HAND[variable] = key.strip()


def _nested(keys: list[str], value: str) -> dict[str, Any]:
    """Give the content of a file with one setting."""
    content: dict[str, Any] = {keys[-1]: value}
    for key in reversed(keys[:-1]):
        content = {key: content}
    return content
