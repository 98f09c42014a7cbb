"""The version of a selection function is that of its text, in whichever process it is worked out."""

import subprocess
import sys
from typing import Any

from tides_bridge.selection import SelectionFunction

KEYS: dict[str, Any] = {"rules": "strict", "filters": ["g", "r"], "significance": 5, "minBands": 2}


def test_a_version_is_the_same_in_another_process() -> None:
    code = f"from tides_bridge.selection import SelectionFunction as S; print(S.parse('x', {KEYS!r}).version)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == SelectionFunction.parse("test", KEYS).version
