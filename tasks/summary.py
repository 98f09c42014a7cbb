"""The summary of a run: logged, and a table on the run page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact

from tasks.behaviour import STEP
from tasks.tables import publish_table
from tides_bridge.decisions.batch import Switched
from tides_bridge.decisions.models import Batch, Judged
from tides_bridge.fourmost.exchange import Sent
from tides_bridge.fourmost.reconcile import Difference

MEANING = {
    "messages": "messages read from the stream",
    "objects": "objects in them, with those deferred earlier",
    "evaluated": "objects whose light curve was judged",
    "passed": "objects that satisfy the selection function",
    "deferred": "objects without a light curve, to be tried again",
    "skipped": "messages that are rightly not for us",
    "refused_messages": "messages that cannot be read",
    "refused_targets": "targets that the 4MOST format forbids",
    "inserted": "rows new in tides_master",
    "born_inactive": "of the new ones, targets that are off from the start: too faint, or unseen",
    "updated": "rows changed in tides_master",
    "deactivated": "targets switched off: unseen for too long, or too faint",
    "reactivated": "targets switched on again: neither is so any more",
    "created_in_4most": "targets created at 4MOST",
    "updated_in_4most": "targets updated at 4MOST",
    "deactivated_in_4most": "targets switched off at 4MOST",
    "failed_in_4most": "targets that 4MOST refused",
    "otherwise_in_4most": "targets that 4MOST shows otherwise than it was asked",
    "renamed_in_4most": "targets given another name, as somebody else has a row of theirs at 4MOST",
    "lag": "messages still to be read",
}


GROUPS = ("new", "changed", "switched off")
"""Of targets that were sent."""


@dataclass
class Summary:
    """
    Counts of one run; their meaning is in `MEANING`.

    ``failures`` gives the reason by target name, ``forbidden`` those of them that the 4MOST format forbids, ``reasons``
    how many objects were deferred or skipped for which, ``notes`` what else a person should know, ``sent`` the targets
    by `GROUPS` that 4MOST confirmed, in order, ``took`` how long it took [s], compared with others. ``outage`` is the
    first error of a service that was away: the run does all else, and then fails with it.
    """

    messages: int = 0
    objects: int = 0
    evaluated: int = 0
    passed: int = 0
    deferred: int = 0
    skipped: int = 0
    refused_messages: int = 0
    refused_targets: int = 0
    inserted: int = 0
    born_inactive: int = 0
    updated: int = 0
    deactivated: int = 0
    reactivated: int = 0
    created_in_4most: int = 0
    updated_in_4most: int = 0
    deactivated_in_4most: int = 0
    failed_in_4most: int = 0
    otherwise_in_4most: int = 0
    renamed_in_4most: int = 0
    lag: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    reasons: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    sent: dict[str, dict[str, None]] = field(default_factory=lambda: {name: {} for name in GROUPS})
    took: tuple[float, str] | None = None
    outage: Exception | None = None

    def add(self, batch: Batch, judged: Sequence[Judged], inserted: int, updated: int) -> None:
        """Count what came of a batch."""
        self.messages += len(batch.pull.messages)
        self.objects += len(batch.alerts)
        self.refused_messages += len(batch.refused)
        self.inserted += inserted
        self.updated += updated
        for chunk in judged:
            self.evaluated += len(chunk.passed)
            self.passed += sum(chunk.passed.values())
            self.deferred += len(chunk.deferred)
            self.skipped += sum(chunk.skipped.values())
            self.reasons.update(f"deferred: {reason}" for reason in chunk.deferred.values())
            self.reasons.update({f"skipped: {reason}": number for reason, number in chunk.skipped.items()})
            for note in chunk.notes:
                self.note(note)

    def add_switched(self, switched: Switched) -> None:
        """Count targets that were switched off, and on again."""
        self.deactivated, self.reactivated = switched.deactivated, switched.activated

    def add_forbidden(self, refused: Sequence[Mapping[str, Any]]) -> None:
        """Count targets that the 4MOST format forbids, and keep the reasons."""
        self.refused_targets += len(refused)
        self.failures |= {row["name"]: row["reason"] for row in refused}
        self.forbidden |= {row["name"] for row in refused}

    def add_sent(self, created: Sent, changed: Sent, deactivated: Sent) -> None:
        """Count what 4MOST confirmed and refused, and keep the reasons."""
        self.created_in_4most += len(created.done)
        self.updated_in_4most += len(changed.done)
        self.deactivated_in_4most += len(deactivated.done)
        for what, group in zip(GROUPS, (created, changed, deactivated), strict=True):
            self.sent[what] |= dict.fromkeys(group.done)
        failed = created.failed | changed.failed | deactivated.failed
        self.failed_in_4most += len(failed)
        self.otherwise_in_4most += len({*created.otherwise, *changed.otherwise, *deactivated.otherwise})
        self.renamed_in_4most += len(created.renamed)
        self.failures |= failed

    def note(self, note: str) -> None:
        """Note what a person should know, once."""
        if note not in self.notes:
            self.notes.append(note)

    def counts(self) -> dict[str, int]:
        """Give the counts for programs: what was refused, messages and targets, is one of them."""
        counts: dict[str, int] = {}
        for name in MEANING:
            key = "refused" if name.startswith("refused") else name
            counts[key] = counts.get(key, 0) + getattr(self, name)
        return counts


@task(**STEP, task_run_name="publish_summary")
def publish_summary(summary: Summary) -> None:
    """Log the summary, and show it and the failures as tables on the run page."""
    get_run_logger().info("summary %s", " ".join(f"{name}={count}" for name, count in summary.counts().items()))
    rows: list[dict[str, Any]] = [{"number": getattr(summary, name), "what": what} for name, what in MEANING.items()]
    rows += [{"number": number, "what": reason} for reason, number in summary.reasons.most_common()]
    if summary.took:
        rows.append({"number": round(summary.took[0], 1), "what": summary.took[1]})
    rows += [{"number": "", "what": note} for note in summary.notes]
    create_table_artifact(rows, key="tides-bridge-summary", description=f"What this run did: {headline_of(summary)}")
    publish_table(_failures(summary), "tides-bridge-failures", "Targets that could not be sent")


def _failures(summary: Summary) -> list[dict[str, Any]]:
    return [
        {
            "target": name,
            "refused by": "the 4MOST format" if name in summary.forbidden else "4MOST",
            "reason": reason,
            "more": f"`tides why {name}`",
        }
        for name, reason in sorted(summary.failures.items())
    ]


@task(**STEP, task_run_name="publish_differences")
def publish_differences(differences: list[Difference]) -> None:
    """Log what differed between tides_master and 4MOST, and show it as a table on the run page."""
    get_run_logger().info("differences=%d", len(differences))
    rows = [asdict(difference) for difference in differences]
    if rows:
        publish_table(rows, "tides-bridge-differences", "Differences between tides_master and 4MOST")
    else:
        create_table_artifact(rows, key="tides-bridge-differences", description="tides_master and 4MOST agree")


def headline_of(summary: Summary) -> str:
    """Say the most important of a run in one line."""
    return (
        f"{summary.messages} alerts, {summary.created_in_4most} new targets at 4MOST, "
        f"{summary.updated_in_4most} updated, {summary.deactivated_in_4most} switched off, "
        f"{len(summary.failures)} that could not be sent"
    )
