"""
Some objects looked at again, with the light curve that their broker gives now: ``tides run --only``.

No stream is read and nothing else is switched; 4MOST is told by the next run.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from prefect import flow, get_run_logger

from flows.batches import Deciding, store_batch
from flows.parameters import Config, SettingsFile, run_name, skip_this_run
from tasks.behaviour import speak_plainly, without_causes
from tasks.store import put_in_force
from tasks.summary import Summary, publish_summary
from tides_bridge.brokers import serves
from tides_bridge.brokers.models import Alert
from tides_bridge.database import Database, ensure_schema, open_database
from tides_bridge.database.run_log import logged_run
from tides_bridge.decisions.again import find_again, judge_again
from tides_bridge.decisions.provenance import keep_provenance
from tides_bridge.decisions.record import load_functions
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings, load_settings


@flow(name="TiDES look", flow_run_name=run_name)
def look_again(config: Config = None, settings_file: SettingsFile = None, only: Sequence[str] = ()) -> dict[str, int]:
    """
    Decide on some objects anew.

    Returns
    -------
    dict
        The counts of `tasks.summary.Summary`.
    """
    speak_plainly()
    with without_causes():
        settings, summary = load_settings(config, Path(settings_file) if settings_file else None), Summary()
        functions = load_functions(settings)
        with open_database(settings) as database, database.only_run() as is_alone:
            if not is_alone:
                return skip_this_run(summary.counts())
            ensure_schema(database, is_ours=settings.database.host == "embedded")
            look_at(database, settings, functions, summary, only)
            publish_summary(summary)
        return summary.counts()


def look_at(
    database: Database, settings: Settings, functions: list[SelectionFunction], summary: Summary, only: Sequence[str]
) -> int:
    """
    Ask the brokers for the light curves of some objects, one after the other, and decide on those that come.

    Parameters
    ----------
    database
        Whose lock of the only run is held.
    settings, functions
        Of the bridge.
    summary
        Counts, and notes of which objects nobody gave a light curve.
    only
        Names of objects or targets.

    Returns
    -------
    int
        The row of `run_log`.
    """
    wanted = find_again(database, settings, only)
    with logged_run(database, "only", counts=summary.counts) as run_id:
        for note in keep_provenance(database, run_id, settings, functions):
            summary.note(note)
        put_in_force(database, settings, functions)
        reasons: dict[str, str] = {}
        for of_broker in settings.each_broker():
            deciding = Deciding(database, of_broker, functions, summary, run_id)
            asked = [alert for alert in wanted if serves(of_broker, alert.survey)]
            decided = _looked_at(deciding, asked, reasons) if asked else []
            wanted = [alert for alert in wanted if alert not in decided]
    for alert in wanted:
        why = reasons.get(alert.object_id, f"no broker of the settings is of {alert.survey}")
        summary.note(f"not decided: {alert.survey} {alert.object_id}: {why}")
        get_run_logger().warning(summary.notes[-1])
    return run_id


def _looked_at(deciding: Deciding, wanted: Sequence[Alert], reasons: dict[str, str]) -> list[Alert]:
    """Decide on the objects whose light curve a broker has, and give these; note why the others are not decided."""
    batch, judged, budget = judge_again(deciding.database, deciding.settings, deciding.functions, wanted)
    missing = {object_id: reason for chunk in judged for object_id, reason in chunk.deferred.items()}
    reasons |= {object_id: f"{deciding.settings.broker_name}: {reason}" for object_id, reason in missing.items()}
    # A person asks, and is told: no run is to ask for them again.
    store_batch(deciding, batch, [replace(chunk, deferred={}) for chunk in judged], budget)
    return [alert for alert in wanted if alert.object_id not in missing]
