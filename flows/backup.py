"""The backup of every night. ``tides backup`` is the same from a shell, without Prefect."""

from pathlib import Path

from prefect import flow, get_run_logger

from flows.parameters import Config, SettingsFile, run_name
from tasks.behaviour import speak_plainly, without_causes
from tides_bridge.database.backup import make_backup
from tides_bridge.settings import load_settings


@flow(name="TiDES backup", flow_run_name=run_name)
def back_up(config: Config = None, settings_file: SettingsFile = None) -> str:
    """
    Make a backup of the database.

    Returns
    -------
    str
        Its file.
    """
    speak_plainly()
    with without_causes():
        made = make_backup(load_settings(config, Path(settings_file) if settings_file else None))
    get_run_logger().info("%s: %.1f MB", made.file, made.size / 1e6)
    return str(made.file)
