"""Deliveries of 4MOST's spectra, looked for again and again. ``tides spectra`` is the same from a shell."""

from pathlib import Path

from prefect import flow, get_run_logger

from flows.parameters import Config, SettingsFile, run_name
from tasks.behaviour import skipped, speak_plainly, without_causes
from tasks.tables import publish_table
from tides_bridge.database import ensure_schema, open_database
from tides_bridge.database.run_log import logged_run
from tides_bridge.settings import load_settings
from tides_bridge.targets.spectra.classes import take_in_classes
from tides_bridge.targets.spectra.deliveries import TakenIn, take_in_deliveries
from tides_bridge.targets.spectra.settling import settle_spectra


@flow(name="TiDES spectra", flow_run_name=run_name)
def take_in_spectra(config: Config = None, settings_file: SettingsFile = None) -> dict[str, int]:
    """
    Read what is new in the folder of deliveries, and of classes, and switch targets off that have enough of them.

    Returns
    -------
    dict
        Numbers of files looked into and refused, of new spectra, of those matched, of targets that are done, and of
        classes that are new.
    """
    speak_plainly()
    with without_causes():
        settings = load_settings(config, Path(settings_file) if settings_file else None)
        if settings.spectra.folder is None:
            return skipped("spectra.folder is not set: there is nowhere to look", dict[str, int]())
        with open_database(settings) as database:
            ensure_schema(database, is_ours=settings.database.host == "embedded")
            with logged_run(database, "spectra"):
                taken = take_in_deliveries(database, settings, [settings.spectra.folder], _tell)
                classes = take_in_classes(database, settings, []) if settings.spectra.classes_from else []
                settled = settle_spectra(database, settings)
        publish_table([_row(file) for file in taken], "tides-spectra", "Deliveries that were looked into")
        counts = {"files": len(taken), "refused": sum(file.problem is not None for file in taken)}
        counts |= {"spectra": sum(file.spectra for file in taken)} | settled._asdict()
        counts |= {"classes": sum(source.new for source in classes)}
        get_run_logger().info("spectra %s", " ".join(f"{name}={number}" for name, number in counts.items()))
        return counts


def _tell(file: TakenIn) -> None:
    if file.problem:
        get_run_logger().warning("%s is tried again later: %s", file.path, file.problem)


def _row(file: TakenIn) -> dict[str, str | int]:
    """Word a file for the run page."""
    return {"night": file.path.parent.name, "file": file.path.name, "new": file.spectra, "problem": file.problem or ""}
