"""Find the files that the bridge ships, in a checkout (at its root) or in an installed wheel (inside tides_bridge)."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path:
    """
    Give the path of a shipped file or folder.

    Parameters
    ----------
    name
        Such as ``selectionFunctions.yaml``, ``flowSetting.yaml`` or ``sql``.

    Raises
    ------
    FileNotFoundError
        If this installation has no such file.
    """
    in_wheel = {"sql": _PACKAGE / "sql"}.get(name, _PACKAGE / "data" / name)
    for path in (in_wheel, _PACKAGE.parent / name):
        if path.exists():
            return path
    raise FileNotFoundError(f"{name} is not part of this installation of tides-bridge")
