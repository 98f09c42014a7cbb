"""Our targets in the survey's TOM, kept right again and again. ``tides tom sync`` is the same from a shell."""

from pathlib import Path

from prefect import flow, get_run_logger

from flows.parameters import Config, SettingsFile, run_name
from tasks.behaviour import skipped, speak_plainly, without_causes
from tasks.tables import publish_table
from tides_bridge.database import ensure_schema, open_database
from tides_bridge.settings import load_settings
from tides_bridge.tom.sync import TomSynced, sync_tom


@flow(name="TiDES TOM", flow_run_name=run_name)
def keep_tom_right(config: Config = None, settings_file: SettingsFile = None) -> dict[str, int]:
    """
    Bring the TOM of the settings up to date with our targets, and take in what people say of them there.

    Returns
    -------
    dict
        Numbers of targets: made, changed and unchanged there; changed or deleted there by people; refused; heard of.
    """
    speak_plainly()
    with without_causes():
        settings = load_settings(config, Path(settings_file) if settings_file else None)
        if settings.tom.address is None:
            return skipped("tom.address is not set: there is no TOM to ask", dict[str, int]())
        with open_database(settings) as database:
            ensure_schema(database, is_ours=settings.database.host == "embedded")
            synced = sync_tom(database, settings)
        publish_table(_rows(synced), "tides-tom", "Targets that are otherwise in the TOM")
        get_run_logger().info("TOM: %s", synced.summary())
        return synced.counts()


def _rows(synced: TomSynced) -> list[dict[str, str | int]]:
    """Word what differs for the run page."""
    kinds = {"changed there by people": synced.different, "deleted there": synced.gone, "refused": synced.refused}
    return [{"what": kind, "target": line} for kind, lines in kinds.items() for line in lines]
