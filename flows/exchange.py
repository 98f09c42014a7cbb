"""Tell 4MOST what changed, and read back what it says, between the runs of the bridge."""

from pathlib import Path

from prefect import flow, get_run_logger

from flows.parameters import Config, SettingsFile, run_name, skip_this_run
from tasks.behaviour import speak_plainly, without_causes
from tasks.exchange import (
    create_new_transients_in_4most,
    prepare_4most_update,
    read_back_from_4most,
    settle_unanswered,
    update_existing_transients,
)
from tasks.handed import Handed
from tasks.notices import tell_subscribers
from tasks.summary import Summary, publish_summary
from tides_bridge.database import Database, ensure_schema, open_database
from tides_bridge.database.run_log import logged_run, run_duration
from tides_bridge.decisions.provenance import keep_provenance
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.due import keep_changes
from tides_bridge.fourmost.hosts_first import wait_for_hosts
from tides_bridge.settings import Settings, load_settings
from tides_bridge.targets.listed import settle_list


@flow(name="TiDES exchange", flow_run_name=run_name)
def exchange(config: Config = None, settings_file: SettingsFile = None) -> dict[str, int]:
    """
    Bring the list at 4MOST up to date; no alerts are read.

    Returns
    -------
    dict
        The counts of `tasks.summary.Summary`.
    """
    speak_plainly()
    with without_causes():
        settings, summary = load_settings(config, Path(settings_file) if settings_file else None), Summary()
        if not settings.fourmost.address:
            get_run_logger().warning("there is nobody to tell: fourmost.address is not set")
            return summary.counts()
        with open_database(settings) as database, database.only_run() as is_alone:
            if not is_alone:
                return skip_this_run(summary.counts())
            ensure_schema(database, is_ours=settings.database.host == "embedded")
            try:
                exchange_with_4most(database, settings, summary)
            finally:
                publish_summary(summary)
        return summary.counts()


def exchange_with_4most(database: Database, settings: Settings, summary: Summary) -> None:
    """
    Send what is new, changed or over, bring keys and state back, and tell people of it.

    Parameters
    ----------
    database
        Whose lock of the only run is held.
    settings
        Of the bridge; without an address of 4MOST nothing is done.
    summary
        Counts all exchanges of its run.

    Raises
    ------
    FourmostUnavailable
        If 4MOST is away; what it took before is kept.
    """
    try:
        keep_changes(database)  # whether there is anybody to tell or not: else they would grow while 4MOST is away
        if settings.fourmost.address:
            _exchange(database, settings, summary)
        else:
            get_run_logger().warning("nothing is sent to 4MOST: fourmost.address is not set")
    except Exception:
        # Also of what 4MOST could not be told; who is asked to stop leaves it to the next run.
        _tell(database, settings)
        raise
    _tell(database, settings)


def _tell(database: Database, settings: Settings) -> None:
    """Tell people what happened, and let the list of targets be right: who looks at it need not."""
    tell_subscribers(database, settings)
    settle_list(database, settings)


def _exchange(database: Database, settings: Settings, summary: Summary) -> None:
    """Do what `exchange_with_4most` is for, with a 4MOST that has an address."""
    client = FourmostClient(settings.fourmost, database.prove_run)
    # The order matters. What 4MOST has ingested is read first, as less of it may be changed. Then what a killed run
    # asked and never heard of is settled, so that nothing is created twice. Only then is it worked out what to send.
    with logged_run(database, "exchange") as run_id:
        keep_provenance(database, run_id, settings)
        read_back_from_4most(database, client)
        created = settle_unanswered(database, client)
        stage = prepare_4most_update(database, settings).take()
        summary.add_forbidden(stage.refused)
        # What goes off is told first: a host must be off before its transient is on again.
        deactivated = update_existing_transients(database, client, Handed(stage.deactivated), "deactivated")
        stage = wait_for_hosts(database, stage)
        created.add(create_new_transients_in_4most(database, client, Handed(stage.new), settings))
        changed = update_existing_transients(database, client, Handed(stage.changed), "changed")
        summary.add_sent(created, changed, deactivated)
        summary.took = run_duration(database, run_id)
        # An outage is kept until here, as what was sent before it must be counted.
        outage = created.outage or changed.outage or deactivated.outage
        if outage:
            raise outage
