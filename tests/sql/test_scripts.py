import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from tests.support.staging import at, staged, store
from tides_bridge.database import Database, run
from tides_bridge.database.scripts import script_text
from tides_bridge.resources import shipped
from tides_bridge.settings import Settings

SQL = shipped("sql")
SCRIPTS = sorted(file.relative_to(SQL).as_posix() for file in SQL.rglob("*.sql"))
NUMBERED = re.compile(r"schema/\d{3}_\w+\.sql")
HEADINGS = ("purpose", "needs", "makes", "units", "params", "returns")

NOW = "2026-06-09T12:00:00Z"
ENOUGH = {"least_snr": 5.0, "least_visits": 1, "least_confidence": 0.95}
SIGNED = {"reason": "x", "who": "test"}
STEADY = {"steady_days": 90.0, "steady_mag": 1.0}
LIMITS: dict[str, Any] = {
    "now_mjd": 61000.0,
    "rule": "predicted",
    "deactivate_after_days": 5.0,
    "unlooked_days": 20.0,
    "faint_limits": [22.5] * 6,
    "counting_bands": [True] * 6,
    "keeps_unselected": True,
    **STEADY,
}

PARAMETERS: dict[str, dict[str, Any]] = {
    "targets/lock.sql": {},
    "targets/settle_listed.sql": {"at": NOW, "most": 100},
    "targets/list_page.sql": {
        "chosen": '{"states": ["active"]}',
        "by": "mag",
        "is_up": True,
        "of_number": True,
        "of_word": False,
        "is_known": True,
        "after_number": 19.5,
        "after_word": None,
        "after_id": 1,
        "number": 50,
    },
    "targets/list_changed.sql": {"chosen": "{}", "after": 0, "number": 50},
    "targets/match_listed.sql": {"chosen": '{"names": ["TiDES%"], "names_begin": "TiDES%"}', "most": 50},
    "targets/newest_change.sql": {},
    "targets/get_listed.sql": {"name": "TiDES26aaa"},
    "targets/count_listed.sql": {},
    "targets/bin_sky.sql": {"chosen": "{}", "step": 7.5},
    "targets/bin_listed.sql": {"chosen": "{}", "by": "mag", "width": 0.5},
    "targets/find_new.sql": {"question_radius": 2.0},
    "targets/find_neighbours.sql": {"question_radius": 2.0},
    "targets/add_targets.sql": {"match_radius": 1.0, "year": 2026, "prefix": "TiDES"},
    "targets/settle_new.sql": {"match_radius": 1.0},
    "database/count_sessions.sql": {},
    "database/count_tables.sql": {},
    "database/drop_database.sql": {"name": "a"},
    "database/end_open_runs.sql": {"problem": "x"},
    "database/swap_databases.sql": {"name": "a", "aside": "b", "restored": "c"},
    "fourmost/count_names.sql": {"used": '{"2026": 17577}'},
    "fourmost/adopt_forgotten.sql": {
        "rows": '[{"name": "x", "pk": 99, "ra": 10.0, "dec": 20.0, "is_active": true}]',
        "radius": 1.0,
    },
    "fourmost/find_owners.sql": {"keys": [7]},
    "fourmost/forgets_edits.sql": {},
    "fourmost/respect_edits.sql": {"tides_id": 1, "edited": '{"mag": 19.0}'},
    "fourmost/forget_ingested.sql": {"tides_id": 1},
    "fourmost/list_asked.sql": {"tides_id": 1, "name": "TiDES26aaa"},
    "fourmost/last_restoration.sql": {"since": NOW},
    "fourmost/list_guests.sql": {},
    "fourmost/list_refused.sql": {},
    "fourmost/count_told.sql": {},
    "fourmost/last_comparison.sql": {},
    "fourmost/list_due.sql": {"now_mjd": 61001.0},
    "fourmost/list_targets.sql": {"tides_ids": [1, 2]},
    "fourmost/settle_due.sql": {
        "conditions": "a",
        "now_mjd": 61001.0,
        "is_whole": False,
        "as_wanted": [2],
        "open": [1],
        "expiring": '[{"tides_id": 2, "due_mjd": 61002.5}]',
    },
    "fourmost/take_changes.sql": {},
    "fourmost/list_told.sql": {},
    "fourmost/list_unanswered.sql": {},
    "fourmost/newest_ingestion.sql": {},
    "fourmost/store_ingested.sql": {"pk": 7, "ostd_targ_id": 1, "ostd_u_obj_id": 2, "date_ingested": "2026-06-09"},
    "fourmost/retry_refused.sql": {"times": 3},
    "fourmost/store_refused.sql": {"tides_id": 1, "reason": "x", "payload": "{}"},
    "fourmost/store_wanted.sql": {"wanted": '[{"tides_id": 1, "changes": {"mag": 19.5}}]'},
    "decisions/accept_refused.sql": {"refused_id": 1, "now": "2026-06-09T12:00:00Z"},
    "decisions/activate_staged.sql": LIMITS,
    "decisions/count_born_inactive.sql": {},
    "decisions/get_provenance.sql": {"run_id": 1, "as_of": None, "before": None},
    "decisions/recall_annotations.sql": {
        "surveys": ["ztf"],
        "object_ids": ["a"],
        "ras": [10.0],
        "decls": [None],
        "names": ["tns.type"],
    },
    "decisions/list_annotations.sql": {"object_id": "a", "survey": None, "as_of": None},
    "fourmost/list_unsent.sql": {"names": ["tides26aaa"]},
    "fourmost/list_namesakes.sql": {"days": 30},
    "decisions/list_decided.sql": {"run_id": 1},
    "decisions/store_decided_curves.sql": {
        "surveys": ["ztf"],
        "object_ids": ["a"],
        "digests": ["0" * 32],
        "curves": [b"x"],
        "now": NOW,
    },
    "decisions/get_decided_curves.sql": {"object_id": "a", "survey": "ztf", "digests": ["0" * 32]},
    "decisions/forget_decided_curves.sql": {"before": NOW},
    "decisions/list_brightness.sql": {"object_id": "a", "survey": None},
    "decisions/count_calls.sql": {"run_id": 1},
    "decisions/count_decided.sql": {"run_id": 1},
    "decisions/list_again.sql": {"tides_ids": [1, 2], "surveys": ["ztf", "lsst"], "object_ids": ["a", "a"]},
    "decisions/list_known.sql": {"surveys": ["ztf", "lsst"], "object_ids": ["a", "a"], "at": NOW},
    "decisions/list_staged.sql": {},
    "decisions/forget_given_up.sql": {"survey": "ztf", "object_id": "a", "newest_mjd": 61000.0},
    "decisions/forget_deferred.sql": {"survey": "ztf", "object_ids": ["a"]},
    "decisions/get_refused.sql": {"refused_ids": [1, 2**40]},
    "decisions/list_accepted.sql": {"broker": "lasair_ztf", "number": 10},
    "decisions/list_deferred.sql": {"broker": "lasair_ztf", "number": 10, "now": NOW},
    "decisions/list_positions.sql": {"group_id": "g"},
    "decisions/list_refused.sql": {"number": 10},
    "decisions/settle_accepted.sql": {"refused_ids": [1], "now": NOW},
    "decisions/settle_api_calls.sql": {
        "api_call_id": 1,
        "calls": 1,
        "now": "2026-06-09T12:00:00Z",
        "since": "2026-06-09T11:00:00Z",
    },
    "decisions/prepare_decisions.sql": {"now": "2026-06-09T12:00:00Z", "before": "2020-01-01"},
    "decisions/register_functions.sql": {
        "functions": '[{"name": "f", "version": "0123456789ab", "role": "active", "normalised_text": "{}"}]',
        "now": "2026-06-09T12:00:00Z",
    },
    "decisions/store_decisions.sql": {"run_id": None, "now": "2026-06-09T12:00:00Z"},
    "decisions/store_position.sql": {
        "group_id": "g",
        "topic": "t",
        "partition": 0,
        "next_offset": 2**40,
        "digest": "x",
        "published_at": None,
    },
    "decisions/store_lag.sql": {"group_id": "g", "topic": "t", "partition": 0, "lag": 2**40, "now": NOW},
    "decisions/store_refused.sql": {
        "topic": "t",
        "partition": 0,
        "offset": 2**40,
        "body": b"\x00",
        "reason": "x",
        "key": None,
        "broker": "lasair_ztf",
    },
    "targets/store_target_curves.sql": {
        "surveys": ["ztf"],
        "object_ids": ["a"],
        "last_mjds": [61000.0],
        "curves": [r"\x00"],
        "now_mjd": 61000.5,
        "now": NOW,
    },
    "decisions/upsert_to_master.sql": {"latest_mjd": 61001.0},
    "targets/store_questions.sql": {},
    "targets/answer_questions.sql": {"tides_id": 1, "other_id": 2, "answer": "merged"},
    "targets/merge_targets.sql": {"tides_id": 2, "kept_id": 1, **SIGNED},
    "targets/list_chain.sql": {"tides_id": 2},
    "targets/describe_targets.sql": {"tides_ids": [1, 2]},
    "targets/find_targets.sql": {"name": "a"},
    "targets/list_log.sql": {"tides_ids": [1, 2], "number": 10},
    "targets/list_objects.sql": {"tides_ids": [1, 2]},
    "targets/list_questions.sql": {"tides_ids": None},
    "targets/undo_merge.sql": {"tides_id": 2, "kept_id": 1, **SIGNED},
    "targets/lock_deliveries.sql": {},
    "targets/list_delivery_files.sql": {"read_as": ""},
    "targets/note_delivery_file.sql": {
        "path": "/a.fits",
        "bytes": 1,
        "modified_ns": 1,
        "read_as": "",
        "problem": "x",
    },
    "targets/find_delivery.sql": {"digest": "a"},
    "targets/match_spectra.sql": {"match_radius": 2.0, "doubt_radius": 10.0},
    "targets/settle_spectra.sql": ENOUGH,
    "targets/list_spectra.sql": {"tides_ids": [1], **ENOUGH},
    "decisions/list_former_functions.sql": {},
    "decisions/list_outcomes.sql": {"functions": ["f"], "bands": ["g", "r"]},
    "targets/list_said_hosts.sql": {},
    "targets/store_host_rule.sql": {"is_wanted": True, "per_target": 3, "unseen_days": 50.0, "faint_limit": 24.0},
    "targets/add_hosts.sql": {"now_mjd": 61000.0, "year": 2026, "prefix": "TiDESH"},
    "targets/list_hosts.sql": {"tides_ids": [1]},
    "targets/list_places.sql": {},
    "targets/note_host_look.sql": {"annotation_id": 1},
    "targets/store_hosts.sql": {
        "objects": '[{"survey": "ztf", "object_id": "a", "source": "sherlock"}]',
        "candidates": '[{"survey": "ztf", "object_id": "a", "source": "sherlock", "rank": 1, "catalogue": "x", '
        '"name": "7", "ra": 10.0, "decl": 20.0}]',
    },
    "targets/list_classes.sql": {"tides_ids": [1]},
    "targets/store_classes.sql": {
        "classes": '[{"number": 0, "named": "a", "source": "snid", "type": "SN Ia", "confidence": 0.9}]',
        "came_from": "x.csv",
    },
    "targets/annotate_tns.sql": {},
    "targets/annotate_classes.sql": {"surveys": ["ztf"], "object_ids": ["a"], "now_mjd": 61000.0},
    "operations/store_account.sql": {"name": "eva", "role": "ruler", "who": "test", "hash": b"a"},
    "operations/list_accounts.sql": {},
    "operations/find_account.sql": {"hash": b"a", "name": None},
    "operations/begin_visit.sql": {"token": b"a", "hash": b"b", "hours": 12},
    "operations/end_visit.sql": {"hash": b"b"},
    "operations/revoke_account.sql": {"name": "eva", "who": "test"},
    "tom/list_targets.sql": {"tom": "https://tom", "now_mjd": 61000.0},
    "tom/store_asked.sql": {"tom": "https://tom", "rows": '[{"tides_id": 1, "tom_id": 7, "asked": {"ra": 1.5}}]'},
    "tom/store_told.sql": {
        "tom": "https://tom",
        "rows": '[{"tides_id": 1, "tom_id": 7, "told": {"ra": 1.5}, "refused": {}, "theirs": {}, "is_gone": false}]',
    },
    "tom/store_heard.sql": {
        "tom": "https://tom",
        "tides_id": 1,
        "heard": '{"a": "b"}',
        "notes": '[{"name": "tom.a", "word": "b"}]',
        "now_mjd": 61000.0,
    },
    "targets/take_back_spectrum.sql": {"tides_ids": [1]},
    "targets/count_spectra.sql": {},
    "targets/return_spectrum.sql": {"tides_id": 1},
    "targets/keep_apart.sql": {"question_id": 1, **SIGNED},
    "targets/split_object.sql": {"survey": "ztf", "object_id": "b", "year": 2026, "prefix": "TiDES", **SIGNED},
    "targets/refresh_targets.sql": {"tides_ids": [1, 2]},
    "targets/list_due_tonight.sql": {"at_mjd": 61000.2, "since_mjd": 60980.0},
    "targets/get_light_curves.sql": {"tides_ids": [1, 2]},
    "targets/store_tonight.sql": {
        "tides_id": 1,
        "at_mjd": 61000.2,
        "system": "ZTF",
        "mags": [None, 20.0] + [None] * 4,
        "errors": [None, 0.1] + [None] * 4,
        "methods": ["m"] * 6,
        "is_known": True,
        "now": NOW,
    },
    "targets/judge_targets.sql": {"tides_ids": [1, 2], **LIMITS},
    "targets/carry_rulings.sql": {"survey": "ztf", "object_id": "a"},
    "targets/filter_targets.sql": {"chosen": '{"states": ["active"], "tags": ["a"], "tides_ids": ["1"]}'},
    "targets/find_subjects.sql": {"names": ["a", "ZTF26aaaaaaa"]},
    "targets/list_new_rulings.sql": {"run_id": 1, "number": 5},
    "targets/list_rulings.sql": {"tides_ids": [1], "object_ids": ["b"], "at": NOW},
    "targets/list_states.sql": {"tides_ids": [1]},
    "targets/store_rulings.sql": {
        "rulings": '[{"number": 0, "kind": "veto", "named": "a", "tides_id": 1, "reason": "x"}]',
        "who": "test",
        "source": "person",
    },
    "targets/ask_tns.sql": {
        "no_supernova": ["CV"],
        "known": ["CV"],
        "asks_no_supernova": True,
        "asks_classified": True,
    },
    "targets/find_tns_names.sql": {"names": ["2026abc"]},
    "targets/get_tns_match.sql": {"object_id": "a", "survey": None},
    "targets/get_last_load.sql": {},
    "targets/upsert_tns_objects.sql": {},
    "operations/take_events.sql": {"number": 2},
    "operations/forget_messages.sql": {"days": 90.0},
    "operations/list_subscriptions.sql": {"name": None},
    "operations/change_subscription.sql": {"name": "a", "muted_until": NOW, "is_paused": True},
    "operations/remove_subscription.sql": {"name": "b"},
    "operations/get_address.sql": {"subscription_id": 1},
    "operations/take_notices.sql": {"subscription_id": 1, "number": 2},
    "operations/store_digested.sql": {"subscription_id": 1, "digested_on": "2026-06-09"},
    "operations/settle_message.sql": {
        "message_id": 1,
        "outcome": "sent",
        "first_wait": "5 minutes",
        "longest_wait": "6 hours",
        "unheard_wait": "1 hour",
    },
    "operations/count_otherwise.sql": {"times": 3},
    "operations/count_questions.sql": {"times": 3, "at": NOW, "scatter": 2.0, "days": 30, **STEADY},
    "operations/list_questions.sql": {
        **{"times": 3, "at": NOW, "scatter": 2.0, "days": 30, "known_types": ["CV"]},
        **STEADY,
    },
    "operations/count_deferred.sql": {},
    "operations/count_states.sql": {},
    "database/end_run.sql": {"run_id": 1, "problem": None, "counts": '{"messages": 3}'},
    "database/find_database.sql": {"name": "postgres"},
    "database/has_trigrams.sql": {},
    "database/has_schema.sql": {},
    "operations/list_all_positions.sql": {},
    "operations/list_last_runs.sql": {},
    "database/list_counts.sql": {"run_id": 1, "number": 3},
    "database/list_states_of.sql": {"names": ["TiDES26aaa"]},
    "database/list_durations.sql": {"run_id": 1, "number": 10},
    "database/list_new_targets.sql": {"run_id": 1, "number": 500},
    "database/list_newly_refused.sql": {"run_id": 1, "number": 500},
    "database/server_version.sql": {},
    "database/take_run_lock.sql": {"key": 5},
    "operations/count_backlog.sql": {"now_mjd": 61001.0},
    "operations/count_objects.sql": {},
    "operations/count_targets.sql": {},
    "operations/get_schema.sql": {},
    "portal/list_objects_called.sql": {"name": "a"},
    "portal/list_documented.sql": {},
    "portal/list_documented_keys.sql": {},
    "portal/list_documented_tables.sql": {},
    "database/make_reader.sql": {},
    "operations/list_runs.sql": {},
    "operations/sum_api_calls.sql": {"now": NOW},
    "operations/sum_decisions.sql": {},
    "decisions/get_deferred.sql": {"object_id": "a", "survey": None},
    "portal/get_curves_of_objects.sql": {"surveys": ["ztf"], "object_ids": ["a"]},
    "portal/list_lately_decided.sql": {"function": "f", "before_at": None, "before_id": None, "number": 10},
    "portal/list_nights.sql": {"begin": NOW, "finish": NOW},
    "portal/list_runs_between.sql": {"begin": NOW, "finish": None, "run_id": None},
    "portal/list_happened.sql": {"begin": NOW, "finish": NOW, "number": 10},
    "portal/list_transients_of_host.sql": {"tides_id": 1},
    "portal/get_target_facts.sql": {"tides_id": 1},
    "portal/get_target_curves.sql": {"survey": "ztf", "object_id": "a"},
    "decisions/get_target.sql": {"object_id": "a", "survey": "ztf"},
    "decisions/list_decisions.sql": {"object_id": "a", "survey": None, "as_of": "2026-06-09"},
    "decisions/list_functions.sql": {"as_of": None},
    "decisions/list_last_decisions.sql": {"object_id": "a", "survey": "ztf"},
    "decisions/list_names.sql": {"object_id": "a", "survey": None},
    "decisions/list_sent.sql": {"object_id": "a", "survey": "ztf", "as_of": None},
    "decisions/judge_lives.sql": LIMITS | {"faint_limits": [None] * 6},
    "decisions/deactivate_unobserved_transients.sql": {"held": ["activation"]},
    "decisions/count_old_months.sql": {"now": NOW, "keep": timedelta(days=400)},
    "decisions/get_in_hand.sql": {"group_id": "g"},
    "decisions/store_in_hand.sql": {
        "group_id": "g",
        "messages": 1,
        "place": "alerts[0]@7",
        "most": 5,
        "deaths": 0,
        "alone": "{}",
        "ends": "{}",
    },
    "database/has_epoch.sql": {},
    "database/prove_epoch.sql": {"key": 6},
    "targets/hold_change.sql": {"kind": "position", "held": 30, "of_targets": 60, "most": 20, "example": "x"},
    "targets/list_held.sql": {},
    "targets/release_held.sql": {"kind": "position", "released": 30},
    "decisions/store_light_curves.sql": {"now": "2026-06-09T12:00:00Z"},
    "decisions/forget_light_curves.sql": {"before_mjd": 60900.0},
    "decisions/get_light_curves.sql": {"surveys": ["ztf"], "object_ids": ["a"]},
    "decisions/list_neighbours.sql": {"radius_arcsec": 1.0},
    "schema/list_versions.sql": {},
    "schema/make_database.sql": {"name": 'a "quoted" %name'},
    "schema/make_schema_version.sql": {},
}
"""Scripts that change nothing when they run a second time."""

ONCE: dict[str, dict[str, Any]] = {
    "database/skip_names.sql": {"names": 10_000},
    "database/store_restoration.sql": {"file": "tides.dump"},
    "fourmost/store_answers.sql": {
        "answers": '[{"tides_id": 1, "status": "confirmed", "pk": 7, "payload": {}, "asked": null, "answer": null}]',
        "first_wait": timedelta(hours=1),
        "longest_wait": timedelta(days=7),
    },
    "fourmost/store_namesakes.sql": {"rows": '[{"id": 1, "name": "TiDES26aaa", "is_of_survey": true}]'},
    "fourmost/forget_namesakes.sql": {},
    "fourmost/rename_target.sql": {"tides_id": 1, "prefix": "TiDES", "why": "taken"},
    "decisions/store_annotations.sql": {
        "annotations": '[{"survey": "ztf", "object_id": "a", "name": "fink.class", "word": "SN", "mjd": 61000}]',
        "broker": "fink_ztf",
        "of_targets": True,
    },
    "fourmost/release_keys.sql": {"answers": '[{"tides_id": 1, "pk": 999}]'},
    "fourmost/store_intents.sql": {"intents": '[{"tides_id": 1, "operation": "create", "pk": null, "payload": {}}]'},
    "fourmost/store_repair.sql": {"tides_id": 1, "pk": 7, "told": '{"is_active": true}', "found": "x"},
    "fourmost/log_rows.sql": {"entries": '[{"operation": "delete", "status": "asked", "pk": 99, "payload": {}}]'},
    "targets/create_match_stage.sql": {},
    "decisions/create_decision_stage.sql": {},
    "decisions/create_transient_stage.sql": {},
    "decisions/store_deferred.sql": {
        "broker": "lasair_ztf",
        "survey": "ztf",
        "object_id": "a",
        "alert": "{}",
        "reason": "x",
        "attempts": 1,
        "tried_at": "2026-06-09",
        "now": "2026-06-09",
        "wait": "30 minutes",
        "longest_wait": "1 day",
        "give_up_after": "14 days",
    },
    "decisions/take_api_calls.sql": {
        "broker": "lasair_ztf",
        "now": "2026-06-09T12:00:00Z",
        "since": "2026-06-09T11:00:00Z",
        "budget": 100,
        "wanted": 2,
    },
    "decisions/create_life_stage.sql": {},
    "decisions/store_provenance.sql": {
        "run_id": 1,
        "digest": "a",
        "settings": "{}",
        "code_version": "1",
        "now_mjd": 61000.0,
    },
    "database/begin_epoch.sql": {"key": 6},
    "database/begin_run.sql": {"kind": "pull", "broker": "lasair_ztf"},
    "decisions/create_light_curve_stage.sql": {},
    "targets/create_spectrum_stage.sql": {},
    "targets/rule_spectra.sql": {"spectrum": "1", "tides_id": 1, **SIGNED},
    "targets/create_tns_stage.sql": {},
    "targets/store_tns_load.sql": {"file": "tns.csv", "listed_for": "2026-11-23", "objects": 1, "refused": 0},
    "targets/store_delivery.sql": {
        "path": "/a.fits",
        "digest": "a",
        "night": "2026-11-29",
        "software": None,
        "made_at": None,
    },
    "operations/store_subscription.sql": {
        "name": "a",
        "who": "test",
        "kinds": ["new"],
        "conditions": ["class=SN"],
        "is_digest": True,
        "is_report": False,
        "scheme": "json",
        "digested_on": "2026-06-09",
        "address": b"json://127.0.0.1",
    },
    "operations/store_notices.sql": {
        "notices": f'[{{"number": 0, "subscription_id": 1, "kind": "new", "line": "a", "happened_at": "{NOW}"}}]',
        "most": 1,
    },
    "operations/store_message.sql": {"subscription_id": 1, "subject": "a", "body": "b"},
    "operations/begin_message.sql": {"subscription_id": 1},
    "schema/store_version.sql": {"name": "999_test.sql", "checksum": "x"},
    "database/drop_temporary.sql": {},
    "portal/begin_reading.sql": {"milliseconds": 1000, "idle": 1000},  # the last: nothing is written after it
}
"""Scripts that make, log or count something each time."""


LATER = ("targets/store_delivery.sql", "portal/begin_reading.sql")
"""Of these what no test begins with."""


def header(name: str) -> dict[str, str]:
    """The sections of a script's header, by heading."""
    sections: dict[str, str] = {}
    heading = ""
    for line in script_text(name).splitlines():
        if not line.startswith("--"):
            break
        text = line.removeprefix("--").strip()
        found = re.match(rf"({'|'.join(HEADINGS)}): (.*)", text)
        if found:
            heading, text = found.groups()
        sections[heading] = f"{sections.get(heading, '')} {text}".strip()
    return sections


def body(name: str) -> str:
    """A script without its comments."""
    return re.sub(r"--.*", "", script_text(name))


def parameters_in(name: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)s", body(name)))


@pytest.fixture
def connection(database: Database, settings: Settings) -> Iterator[Connection]:
    """A transaction on a database with one row of each kind, and a stage with the same target and another one."""
    store(database, at(settings), staged("a", g=19.5))
    with database.transaction() as connection:
        for name in ("decisions/store_refused.sql", *ONCE):
            if not name.startswith("schema/") and "/create_" not in name and name not in LATER:
                run(connection, name, (PARAMETERS | ONCE)[name])
        for name in ONCE:
            if "/create_" in name:
                run(connection, name)
        columns = (
            "survey, object_id, ra, decl, first_detection_mjd, last_detection_mjd, n_detections, "
            "selection_function, passes"
        )
        for name in "ab":
            values = f"'ztf', '{name}', 10, 20, 60990, 60999, 5, 'f', TRUE"
            connection.exec_driver_sql(f"INSERT INTO tides_stage ({columns}) VALUES ({values})")
        decided = f"'ztf', 'a', 'f', '0123456789ab', 'active', '1', '{'0' * 32}', 3, 60999, '{{}}', '{{}}', TRUE"
        decided += ", NULL, NULL, 61000, 0"
        connection.exec_driver_sql(f"INSERT INTO decision_stage VALUES ({decided})")
        curve = f"'ztf', 'a', 10, 20, 60990, 60999, '{'0' * 32}', '\\x00'"
        connection.exec_driver_sql(f"INSERT INTO light_curve_stage VALUES ({curve})")
        yield connection


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_begins_with_its_purpose(name: str) -> None:
    sections = header(name)
    assert next(iter(sections)) == "purpose"
    assert len(sections["purpose"]) > 10


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_names_its_parameters_with_their_types(name: str) -> None:
    documented = header(name).get("params", "")
    without_notes = re.sub(r"\([^)]*\)", "", documented)
    types = dict(item.strip().split(maxsplit=1) for item in without_notes.split(",") if item.strip())
    casts = dict(re.findall(r"%\((\w+)\)s::([a-z ]*[a-z](?:\[\])?)", body(name)))
    assert types == casts
    assert len(re.findall(r"%\(\w+\)s(?!::)", body(name))) == 0


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_that_gives_rows_says_so(name: str) -> None:
    gives = re.search(r"(?:^|\n\n)SELECT|\nRETURNING", body(name))
    if gives and not NUMBERED.fullmatch(name):
        assert "returns" in header(name)


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_or_beside_an_and_stands_in_parentheses(name: str) -> None:
    text, parts = body(name), []
    while found := re.findall(r"\(([^()]*)\)", text):
        parts += found
        text = re.sub(r"\([^()]*\)", "", text)
    for part in [*parts, text]:
        for clause in re.split(r"\b(?:WHERE|WHEN|HAVING|ON|THEN|ELSE|END|SET)\b|;", part):
            assert not {"AND", "OR"} <= set(re.findall(r"\b[A-Z]+\b", clause)), clause


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_run_by_the_package_that_its_folder_is_named_after(name: str) -> None:
    """Those of the schema by the database; what asks for the portal and for Prometheus alike is with operations."""
    package = SQL.parent / "tides_bridge"
    rooms = {file.relative_to(package).parts[0] for file in package.rglob("*.py") if f'"{name}"' in file.read_text()}
    room = {"schema": "database"}.get(folder := name.partition("/")[0], folder)
    assert room in rooms or NUMBERED.fullmatch(name)
    assert rooms <= {room, "portal"}


def test_every_script_is_run_here() -> None:
    loaded_by_copy = {"decisions/load_decision_stage.sql", "decisions/load_transient_stage.sql"}
    loaded_by_copy |= {"decisions/load_brightness_stage.sql", "decisions/load_light_curve_stage.sql"}
    loaded_by_copy |= {"targets/load_tns_stage.sql", "targets/load_spectrum_stage.sql"}
    numbered = {name for name in SCRIPTS if NUMBERED.fullmatch(name)}
    assert set(SCRIPTS) == PARAMETERS.keys() | ONCE.keys() | loaded_by_copy | numbered


def test_every_script_runs_with_the_parameters_it_names(connection: Connection) -> None:
    for stage in ("tides", "brightness", "decision"):
        connection.exec_driver_sql(f"ALTER TABLE {stage}_stage RENAME TO {stage}_stage_of_test")
    for stage in ("transient", "decision"):
        run(connection, f"decisions/create_{stage}_stage.sql")
    for name, parameters in {**PARAMETERS, **ONCE}.items():
        assert parameters.keys() == parameters_in(name), name
        if "/create_" not in name:
            run(connection, name, parameters)


STATE = """
SELECT
    (SELECT string_agg(tides_master::text || xmin, '|' ORDER BY tides_id) FROM tides_master) AS master,
    (SELECT string_agg(association::text || xmin, '|' ORDER BY object_id) FROM association) AS objects,
    (SELECT string_agg(association_log::text, '|' ORDER BY log_id) FROM association_log) AS persons,
    (SELECT string_agg(association_question::text, '|' ORDER BY question_id) FROM association_question) AS questions,
    (SELECT string_agg(name_counter::text || xmin, '|' ORDER BY year) FROM name_counter) AS names,
    (SELECT string_agg(refused_message::text, '|' ORDER BY refused_id) FROM refused_message) AS refused,
    (SELECT string_agg(deferred_object::text, '|' ORDER BY object_id) FROM deferred_object) AS deferred,
    (SELECT string_agg(decision::text, '|' ORDER BY decision_id) FROM decision) AS decisions,
    (SELECT string_agg(last_decision::text || xmin, '|' ORDER BY object_id) FROM last_decision) AS latest,
    (SELECT string_agg(light_curve::text || xmin, '|') FROM light_curve) AS light_curves,
    (SELECT string_agg(target_light_curve::text || xmin, '|') FROM target_light_curve) AS target_light_curves,
    (SELECT string_agg(selection_in_force::text || xmin, '|') FROM selection_in_force) AS in_force,
    (SELECT string_agg(stream_position::text, '|' ORDER BY partition_number) FROM stream_position) AS positions,
    (SELECT string_agg(exchange_log::text, '|' ORDER BY exchange_id) FROM exchange_log) AS exchanges,
    (SELECT string_agg(run_log::text, '|' ORDER BY run_id) FROM run_log) AS runs,
    (SELECT string_agg(delivery_file::text, '|' ORDER BY path) FROM delivery_file) AS files,
    (SELECT string_agg(spectrum_match::text, '|' ORDER BY match_id) FROM spectrum_match) AS matches,
    (SELECT string_agg(host::text || xmin, '|' ORDER BY host_id) FROM host) AS hosts,
    (SELECT string_agg(host_candidate::text || xmin, '|') FROM host_candidate) AS candidates,
    (SELECT string_agg(classification::text, '|' ORDER BY classification_id) FROM classification) AS classes,
    (SELECT string_agg(annotation::text, '|' ORDER BY annotation_id) FROM annotation) AS annotations,
    (SELECT string_agg(api_call::text, '|' ORDER BY called_at) FROM api_call) AS calls,
    (SELECT string_agg(schema_version::text, '|' ORDER BY name) FROM schema_version) AS versions
"""


def test_scripts_that_run_twice_change_nothing_more(connection: Connection) -> None:
    for name, parameters in PARAMETERS.items():
        run(connection, name, parameters)
        once = connection.exec_driver_sql(STATE).one()
        run(connection, name, parameters)
        assert connection.exec_driver_sql(STATE).one() == once, name


def test_a_name_is_quoted_by_the_server(connection: Connection) -> None:
    (row,) = run(connection, "schema/make_database.sql", {"name": 'a "quoted" %name; DROP'})
    assert row == {"statement": 'CREATE DATABASE "a ""quoted"" %name; DROP"'}


def test_a_list_of_no_parameters_runs_nothing(connection: Connection) -> None:
    assert run(connection, "decisions/store_deferred.sql", []) == []


def test_the_newest_of_two_values(connection: Connection) -> None:
    newest = {
        "2::float8, 'new'::text, 1::float8, 'old'::text": "new",
        "1::float8, 'new'::text, 2::float8, 'old'::text": "old",
        "1::float8, 'new'::text, 1::float8, 'old'::text": "new",
        "1::float8, 'new'::text, NULL::float8, NULL::text": "new",
        "NULL::float8, NULL::text, 1::float8, 'old'::text": "old",
        "NULL::float8, NULL::text, NULL::float8, NULL::text": None,
    }
    for arguments, value in newest.items():
        assert connection.exec_driver_sql(f"SELECT newest({arguments})").scalar() == value, arguments
