"""YAML files of named blocks: what settings and selection functions are written in."""

import re
from pathlib import Path
from typing import Any

import yaml

from tides_bridge.errors import SettingsError


class _OnceLoader(yaml.SafeLoader):
    """Reads YAML, and refuses a key that is written twice: one of them would silently win."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        keys = [key.value for key, _ in node.value]
        for number, (key, _) in enumerate(node.value):
            if key.value in keys[:number]:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value} is there twice", key.start_mark)
        return node


def read_blocks(file: Path) -> dict[str, dict[str, Any]]:
    """
    Read a file of named blocks of keys.

    Raises
    ------
    SettingsError
        If it cannot be read or is no such file; what stands in it is not shown, as that may be secret.
    """
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), _OnceLoader)  # noqa: S506 (a SafeLoader)
    except FileNotFoundError:
        raise SettingsError(str(file), "", "no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(str(file), "", f"cannot be read: {error}") from None
    except (yaml.YAMLError, ValueError) as error:  # the latter for a date that is none
        mark = getattr(error, "problem_mark", None)  # its snippet may show a secret
        place = f" in line {mark.line + 1}" if mark else ""
        problem = re.sub(r"'[^']*'", "...", str(getattr(error, "problem", None) or error))
        raise SettingsError(str(file), "", f"is not YAML: {problem}{place}") from None
    if not isinstance(content, dict) or not all(isinstance(block, dict) for block in content.values()):
        raise SettingsError(str(file), "", "must hold named blocks of keys")
    return {str(name): {str(key): value for key, value in block.items()} for name, block in content.items()}
