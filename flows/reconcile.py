"""
Reconcile tides_master with the list at 4MOST, every day before its operations system takes the list over.

``tides reconcile`` is the same from a shell.
"""

from pathlib import Path
from typing import Annotated

from prefect import flow, get_run_logger

from flows.exchange import exchange_with_4most
from flows.parameters import Config, Explained, SettingsFile, run_name, skip_this_run
from tasks.behaviour import speak_plainly, without_causes
from tasks.exchange import find_differences, read_back_from_4most, settle_unanswered
from tasks.summary import Summary, publish_differences, publish_summary
from tides_bridge.database import ensure_schema, open_database
from tides_bridge.database.run_log import logged_run
from tides_bridge.decisions.provenance import keep_provenance
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.reconcile import Difference
from tides_bridge.settings import load_settings

DryRun = Annotated[bool, Explained("Only tell what differs: nothing is changed on either side.")]

PATIENCE_SECONDS = 900.0
"""[s] A run of the bridge that is at work is waited for: this one has its deadline of the day."""


@flow(name="TiDES reconcile", flow_run_name=run_name)
def reconcile_with_4most(
    config: Config = None, settings_file: SettingsFile = None, dry_run: DryRun = False
) -> list[Difference]:
    """
    Find what differs between tides_master and 4MOST, repair it by rule, and tell 4MOST what is to be told.

    With ``dry_run`` nothing is changed on either side.
    """
    speak_plainly()
    with without_causes():
        settings = load_settings(config, Path(settings_file) if settings_file else None)
        if not settings.fourmost.address:
            get_run_logger().warning("there is nothing to reconcile: fourmost.address is not set")
            return []
        with open_database(settings) as database, database.only_run(PATIENCE_SECONDS) as is_alone:
            if not is_alone:
                return skip_this_run(list[Difference]())
            ensure_schema(database, is_ours=settings.database.host == "embedded")
            client = FourmostClient(settings.fourmost, database.prove_run)
            with logged_run(database, "reconcile") as run_id:
                keep_provenance(database, run_id, settings)
                if not dry_run:
                    settle_unanswered(database, client)
                    read_back_from_4most(database, client)
                differences = find_differences(database, client, settings, dry_run)
                publish_differences(differences)
            # Repairs are marks in tables; it is the exchange that tells 4MOST of them.
            if not dry_run:
                summary = Summary()
                try:
                    exchange_with_4most(database, settings, summary)
                finally:
                    publish_summary(summary)
        return differences
