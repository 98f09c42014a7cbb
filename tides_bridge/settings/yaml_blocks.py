"""
YAML files, and those of named blocks: what settings and selection functions are written in.

Whatever a file holds, to read it takes a moment: its size, its depth and what its aliases amount to have limits.
"""

import re
from pathlib import Path
from typing import Any, Final

import yaml

from tides_bridge.errors import SettingsError

LARGEST_FILE: Final = 1_000_000
"""[bytes] A hundred times the shipped files."""

DEEPEST: Final = 30
"""Levels of lists and mappings in each other: groups of criteria have some five."""

MOST_VALUES: Final = 50_000
"""Keys and values of a file, those behind an alias once for each; the shipped ones have some hundred."""

LONGEST_NUMBER: Final = 100
"""[characters] Of what is no text: Python's way with a longer one takes the square of its length."""

WHAT_A_TAG_RAISES: Final = (ValueError, LookupError, AttributeError, TypeError, OverflowError)
"""By the library, for a value that does not fit its tag, such as a date that is none, or ``!!bool maybe``."""


class _BeyondLimit(yaml.YAMLError):
    """A file that is none of ours; the text says which limit."""


class _BoundedLoader(yaml.SafeLoader):
    """Reads YAML within limits, and refuses a key that is written twice: one of them would silently win."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._values = 0
        self._sizes: dict[yaml.Node, int] = {}

    def compose_node(self, parent: Any, index: Any) -> yaml.Node | None:
        """Take one value with all that is in it; ``self._sizes`` has how many that are, once it is whole."""
        if self._depth >= DEEPEST:
            raise _BeyondLimit(f"is nested deeper than {DEEPEST} levels")
        self._depth += 1
        before = self._values
        is_alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        self._depth -= 1
        self._count(node, before, is_alias=is_alias)
        return node

    def _count(self, node: yaml.Node | None, before: int, *, is_alias: bool) -> None:
        if node is None:
            return
        if is_alias and node not in self._sizes:
            raise _BeyondLimit("has an alias that stands within what it means")
        self._values += self._sizes[node] if is_alias else 1
        if self._values > MOST_VALUES:
            raise _BeyondLimit(f"holds more than {MOST_VALUES} keys and values, with what its aliases mean")
        self._sizes[node] = self._values - before

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        node = super().compose_scalar_node(anchor)
        if len(node.value) > LONGEST_NUMBER and node.tag != "tag:yaml.org,2002:str":
            raise _BeyondLimit(f"has a number or date of more than {LONGEST_NUMBER} characters")
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    problem = f"key {key.value} is there twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        return node


def read_yaml(file: Path) -> Any:
    """
    Read a YAML file, of ours or of a user.

    Parameters
    ----------
    file
        Which; JSON is YAML, too.

    Returns
    -------
    object
        Whatever stands in it; None if nothing does.

    Raises
    ------
    SettingsError
        If it cannot be read, is no YAML, or is beyond a limit; what stands in it is not shown, as that may be secret.
    """
    try:
        return _loaded(_text(file))
    except FileNotFoundError:
        raise SettingsError(str(file), "", "no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(str(file), "", f"cannot be read: {error}") from None
    except _BeyondLimit as error:
        raise SettingsError(str(file), "", str(error)) from None
    except (yaml.YAMLError, *WHAT_A_TAG_RAISES) as error:
        mark = getattr(error, "problem_mark", None)  # its snippet may show a secret
        place = f" in line {mark.line + 1}" if mark else ""
        problem = re.sub(r"'[^']*'", "...", " ".join(str(getattr(error, "problem", None) or error).split()))
        raise SettingsError(str(file), "", f"is not YAML: {problem}{place}") from None


def read_blocks(file: Path) -> dict[str, dict[str, Any]]:
    """
    Read a file of named blocks of keys.

    Raises
    ------
    SettingsError
        If it cannot be read or is no such file; what stands in it is not shown, as that may be secret.
    """
    content = read_yaml(file)
    if not isinstance(content, dict) or not all(isinstance(block, dict) for block in content.values()):
        raise SettingsError(str(file), "", "must hold named blocks of keys")
    return {str(name): {str(key): value for key, value in block.items()} for name, block in content.items()}


def _text(file: Path) -> str:
    with file.open("rb") as stream:
        content = stream.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise _BeyondLimit(f"is larger than {LARGEST_FILE / 1e6:g} MB")
    return content.decode()


class _HeaderLoader(_BoundedLoader):
    """Passes over what only the writer of a header makes of it, by tags of its own."""


_HeaderLoader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


def read_header(text: str) -> Any:
    """
    Read YAML that is the header of another format, within the limits of our own files.

    Parameters
    ----------
    text
        Of the header, such as that of ECSV.

    Returns
    -------
    Any
        What it says; None if it is none, or beyond the limits.
    """
    if len(text) > LARGEST_FILE:
        return None
    try:
        return _loaded(text, _HeaderLoader)
    except (yaml.YAMLError, *WHAT_A_TAG_RAISES):
        return None


def _loaded(text: str, kind: type[_BoundedLoader] = _BoundedLoader) -> Any:
    loader = kind(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
