"""Tables on the run page: new targets, rulings, what could not be sent, and what could not be read."""

from collections.abc import Mapping, Sequence
from typing import Any

from prefect import task
from prefect.artifacts import create_table_artifact

from tasks.behaviour import STEP
from tides_bridge.database import Database
from tides_bridge.database import run_log as runs
from tides_bridge.portal.links import light_curve_page, object_page
from tides_bridge.settings import Settings
from tides_bridge.targets.rulings import list_new_rulings

MOST_ROWS = 500
"""Of a table: a browser shows them at once."""

LONGEST_REASON = 300
"""Characters of a reason in a table; `tides refused show` has all of it."""

Row = dict[str, Any]


@task(**STEP, task_run_name="publish_new_targets")
def publish_new_targets(database: Database, settings: Settings, run_id: int) -> None:
    """Show the targets that are new since the run began, with links to their light curves."""
    rows = runs.list_new_targets(database, run_id, MOST_ROWS)
    total = rows[0]["total"] if rows else 0
    publish_table([_target(row, settings) for row in rows], "tides-bridge-new-targets", "New targets", total)


@task(**STEP, task_run_name="publish_refused_messages")
def publish_refused_messages(database: Database, run_id: int) -> None:
    """Show the messages that could not be read since the run began, and why."""
    rows = runs.list_newly_refused(database, run_id, MOST_ROWS)
    total = rows[0]["total"] if rows else 0
    title = "Messages that cannot be read: they are kept, and can be tried again"
    publish_table(
        [
            {
                "key": row["refused_id"],
                "reason": row["reason"][:LONGEST_REASON],
                "more": f"`tides refused show {row['refused_id']}`",
                "broker": row["broker"],
                "place": f"{row['topic']}, partition {row['partition_number']}, offset {row['stream_offset']}",
            }
            for row in rows
        ],
        "tides-bridge-refused",
        title,
        total,
    )


@task(**STEP, task_run_name="publish_rulings")
def publish_rulings(database: Database, run_id: int) -> None:
    """Show what people decided since the run before."""
    rows = list_new_rulings(database, run_id, MOST_ROWS)
    publish_table(
        [
            {
                "when": f"{row['ruled_at']:%Y-%m-%d %H:%M}",
                "who": row["who"],
                "ruling": f"{row['kind']} {row['tag'] or ''}".strip(),
                "target": row["name"] or row["named"],
                "until": f"{row['until']:%Y-%m-%d %H:%M}" if row["until"] else "",
                "reason": row["reason"][:LONGEST_REASON],
                "more": f"`tides rulings {row['name'] or row['named']}`",
            }
            for row in rows
        ],
        "tides-bridge-rulings",
        "What people decided since the run before",
        rows[0]["total"] if rows else 0,
    )


def publish_table(rows: Sequence[Row], key: str, title: str, total: int | None = None) -> None:
    """
    Show a table on the run page, the first rows of it, and nothing if it has none.

    Parameters
    ----------
    rows
        All with the same columns; text is read as Markdown.
    key, title
        Of the table.
    total
        How many rows there would be; None for those given.
    """
    number, shown = total or len(rows), list(rows[:MOST_ROWS])
    if not shown:
        return
    if number > len(shown):
        first, *others = shown[0]
        shown.append({first: f"and {number - len(shown)} more"} | dict.fromkeys(others, ""))
    create_table_artifact(shown, key=key, description=f"{title}: {number}")


def _target(row: Mapping[str, Any], settings: Settings) -> Row:
    """Word a new target."""
    name, survey, object_id = row["name"], row["survey"], row["object_id"]
    at_broker = object_page(settings, survey, object_id)
    return {
        "target": name,
        "light curve": f"[plot]({light_curve_page(settings, survey, object_id)})",
        "object": f"[{object_id}]({at_broker})" if at_broker else f"{survey} {object_id}",
        "ra [deg]": round(row["ra"], 5),
        "dec [deg]": round(row["decl"], 5),
        "sent [mag]": "" if row["mag"] is None else f"{row['mag']:.2f} {row['mag_type']}",
        "at 4MOST": row["pk_4most"] or ("refused" if row["refused_4most"] else "not yet"),
        "why it passed": _why(row),
        "more": f"`tides why {name}`",
    }


def _why(row: Mapping[str, Any]) -> str:
    """Say what its selection function measured."""
    measured = ", ".join(f"{path} {_shown(value)}" for path, value in (row["measured"] or {}).items())
    return f"{row['function']}: {measured}" if measured else ""


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
