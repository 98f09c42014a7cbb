"""Backups of a real database, made, damaged and restored; other versions of the server where they are installed."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from simulators.fourmost.process import FourmostStandin
from tests.support.databases import rows_of
from tests.support.exchanges import Exchanged, add, joined, keys, log_of
from tides_bridge.database import Database, apply_schema, backup, check_schema, embedded, open_database
from tides_bridge.database.backup import backup_folder, make_backup, restore_backup, upgrade_database
from tides_bridge.database.schema import schema_files
from tides_bridge.errors import BackupFailed, RejectedError
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.reconcile import reconcile
from tides_bridge.settings import Settings
from tides_bridge.targets.rulings import Ruling, find_subjects, rule


@pytest.fixture
def kept(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with a folder for backups, in which two of them are kept."""
    changes = {"folder": tmp_path / "backups", "keep": 2}
    return settings.model_copy(update={"backup": settings.backup.model_copy(update=changes)})


def named(settings: Settings, name: str) -> Settings:
    return settings.model_copy(update={"tides_db_database": f"{settings.tides_db_database}_{name}"})


def content(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables, but what a backup and a restoration note of themselves."""
    with open_database(settings) as database:
        tables = rows_of(database, "SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public' ORDER BY 1")
        names = {row["relname"] for row in tables} - {"run_log", "restoration", "name_counter"}
        return {name: rows_of(database, f"SELECT * FROM {name} ORDER BY 1, 2") for name in sorted(names)}


def test_a_backup_is_whole_private_and_checked_by_anybody(database: Database, kept: Settings) -> None:
    add(database, "ZTF1", "ZTF2")
    before = os.umask(0)
    try:
        made = make_backup(kept)
    finally:
        os.umask(before)
    files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in made.file.parent.iterdir()}
    assert files == {made.file.name: 0o600, f"{made.file.name}.sha256": 0o600}
    assert stat.S_IMODE(made.file.parent.stat().st_mode) == 0o700
    assert made.size == made.file.stat().st_size > 10_000
    assert os.system(f"cd {made.file.parent} && sha256sum --quiet -c {made.file.name}.sha256") == 0
    (logged,) = rows_of(database, "SELECT kind, problem, counts FROM run_log")
    assert logged == {"kind": "backup", "problem": None, "counts": {"bytes": made.size}}


def test_what_is_restored_is_what_was_there(database: Database, kept: Settings) -> None:
    add(database, "ZTF1", "ZTF2")
    rows_of(database, "INSERT INTO name_counter VALUES (2026, 7) RETURNING used")
    rows_of(database, "INSERT INTO run_log (kind) VALUES ('exchange') RETURNING run_id")
    with database.transaction() as connection:
        ruled = find_subjects(connection, kept, ["ZTF1", "ZTF26aaaaaaa"])
    rule(database, kept, Ruling("veto", "a star"), ruled)
    file = make_backup(kept).file
    assert restore_backup(named(kept, "new"), file) is None
    assert content(named(kept, "new")) == content(kept)
    with open_database(named(kept, "new")) as restored:
        assert check_schema(restored) == []
        assert {row.subject.name: row.state for row in rule(restored, kept, Ruling("force", "x"), ruled)} == {
            "ZTF1": "veto",
            None: None,
        }
        assert rows_of(restored, "SELECT used FROM name_counter") == [{"used": 7 + backup.SKIPPED_NAMES}]
        assert rows_of(restored, "SELECT kind, problem FROM run_log WHERE ended_at IS NOT NULL ORDER BY run_id") == [
            {"kind": "exchange", "problem": "was at work when the backup was taken"},
            {"kind": "backup", "problem": None},
        ]
        assert rows_of(restored, "SELECT file FROM restoration") == [{"file": file.name}]


def test_a_database_with_tables_is_not_touched_unless_told_so(database: Database, kept: Settings) -> None:
    add(database, "ZTF1")
    file = make_backup(kept).file
    add(database, "ZTF2")
    before = content(kept)
    with pytest.raises(RejectedError, match="has tables: --replace"):
        restore_backup(kept, file)
    assert content(kept) == before


def test_what_is_replaced_is_backed_up_and_put_aside(kept: Settings) -> None:
    with open_database(kept) as database:
        add(database, "ZTF1")
    first = make_backup(kept).file
    then = content(kept)
    with open_database(kept) as database:
        add(database, "ZTF2")
    before = content(kept)
    aside = restore_backup(kept, first, replace=True)
    assert aside and content(kept) == then
    put_aside = content(kept.model_copy(update={"tides_db_database": aside}))
    assert put_aside.pop("run_epoch") != before.pop("run_epoch")  # to be copied it took the place of a run
    assert put_aside == before
    newest = max(backup_folder(kept).glob("*.dump"))
    restore_backup(named(kept, "undone"), newest)
    assert {**content(named(kept, "undone")), "run_epoch": None} == {**before, "run_epoch": None}


def test_a_database_that_others_use_is_not_replaced(database: Database, kept: Settings) -> None:
    file = make_backup(kept).file
    with database.transaction(), pytest.raises(BackupFailed, match=r"connected .*stop the worker"):
        restore_backup(kept, file, replace=True)
    assert databases_of(kept) == [kept.tides_db_database]


def test_a_run_at_work_is_not_cut_off(kept: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make_backup(kept).file
    monkeypatch.setattr(backup, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(backup, "_check_unused", lambda database: None)
    with open_database(kept) as database, database.only_run(), pytest.raises(BackupFailed, match="a run is at work"):
        restore_backup(kept, file, replace=True)
    assert databases_of(kept) == [kept.tides_db_database]


def test_a_run_that_came_and_went_before_the_exchange_is_kept(kept: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_database(kept) as database:
        add(database, "ZTF1")
    file = make_backup(kept).file
    swap, swapped = backup._swap, list[tuple[str, str]]()

    def run_then_swap(server: Database, name: str, aside: str, restored: str) -> None:
        if not swapped:
            with open_database(kept) as database, database.only_run() as is_alone:
                assert is_alone
                add(database, "ZTF2")
        swapped.append((aside, restored))
        swap(server, name, aside, restored)

    monkeypatch.setattr(backup, "_swap", run_then_swap)
    with pytest.raises(BackupFailed, match="a run was at work before the databases had changed places"):
        restore_backup(kept, file, replace=True)
    assert len(swapped) == 2 and swapped[0] == swapped[1][::-1]
    with open_database(kept) as database:
        assert [row["name"] for row in rows_of(database, "SELECT name FROM tides_master ORDER BY 1")] == [
            "ZTF1",
            "ZTF2",
        ]
    assert databases_of(kept) == [kept.tides_db_database]


def databases_of(settings: Settings) -> list[str]:
    """The databases whose name begins like that of a test."""
    with open_database(settings) as database:
        rows = rows_of(database, "SELECT datname FROM pg_database ORDER BY 1")
    return [row["datname"] for row in rows if row["datname"].startswith(settings.tides_db_database[:36])]


def test_rows_of_4most_that_were_forgotten_go_back_to_their_targets(kept: Settings, tmp_path: Path) -> None:
    with FourmostStandin("--ingest-at", "off", state=tmp_path / "state.sqlite3") as fourmost:
        bridge = joined(kept, fourmost)

        def targets(**places: float) -> tuple[int, int, int, int]:
            """Select targets, as a run does, tell 4MOST, and count what was created, changed, switched off, refused."""
            with open_database(bridge) as database:
                for name, ra in places.items():
                    add(database, name, ra=ra, decl=-20.0)
                return Exchanged(database, bridge).counts()

        assert targets(Old=10.0) == (1, 0, 0, 0)
        with open_database(bridge) as database:
            add(database, "Late", ra=11.0)  # 4MOST is told of it after the backup
        file = make_backup(bridge).file
        assert targets(Seen=20.0, Gone=30.0, Twin=40.0) == (4, 0, 0, 0)
        created = {row["name"]: row["id"] for row in fourmost.rows()}
        fourmost.ingest()
        restore_backup(bridge, file, replace=True)
        assert targets(New1=20.0002, New2=40.0, New3=50.0) == (1, 0, 0, 0)
        with open_database(bridge) as database:
            new = fourmost.rows(name="New3")[0]["id"]
            assert keys(database) == {name: created[name] for name in ("Old", "Late", "Seen", "Twin")} | {"New3": new}
            assert log_of(database, "Seen")[0] == ("reconcile", "repaired", 1)
            ingested = rows_of(database, "SELECT name FROM tides_master WHERE date_ingested IS NOT NULL ORDER BY name")
            assert [row["name"] for row in ingested] == ["Late", "Old", "Seen", "Twin"]
            assert reconcile(database, FourmostClient(bridge.fourmost), bridge, is_dry=True)[0].what == "stranger"
        assert targets() == (0, 0, 0, 0)


@pytest.mark.parametrize("damage", ["cut", "changed", "other", "missing"])
def test_a_damaged_backup_changes_nothing(kept: Settings, damage: str) -> None:
    with open_database(kept) as database:
        add(database, "ZTF1")
    file = make_backup(kept).file
    before = content(kept)
    whole = file.read_bytes()
    damaged = {"cut": whole[: len(whole) // 2], "changed": whole[:-9] + bytes(9), "other": b"no backup at all\n" * 99}
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(damaged[damage])
    for checksum in (True, False):
        if not checksum:
            file.with_name(f"{file.name}.sha256").unlink()
        if checksum or damage != "changed":  # the end of a dump is its list of contents, which is not read
            with pytest.raises((RejectedError, BackupFailed)):
                restore_backup(kept, file, replace=True)
    assert content(kept) == before
    assert databases_of(kept) == [kept.tides_db_database]


def test_a_backup_that_breaks_off_leaves_an_empty_database_empty(
    database: Database, kept: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(database, *(f"ZTF{number}" for number in range(300)))
    file = make_backup(kept).file
    file.write_bytes(file.read_bytes()[:-20_000])
    monkeypatch.setattr(backup, "_check", lambda server, file: None)
    with pytest.raises(BackupFailed, match="pg_restore"):
        restore_backup(named(kept, "new"), file)
    with open_database(named(kept, "new")) as left:
        assert rows_of(left, "SELECT relname FROM pg_stat_user_tables") == []


def test_only_the_newest_are_kept_and_only_of_this_database(kept: Settings) -> None:
    folder, name = backup_folder(kept), kept.tides_db_database
    folder.mkdir()
    for hour in range(4):
        for file in (folder / f"{name}-20260101T0{hour}0000Z.dump", folder / f"{name}-x-20260101T0{hour}0000Z.dump"):
            file.write_text("old")
            file.with_name(f"{file.name}.sha256").write_text("old")
    (folder / f"{name}-20260102T000000Z.part").write_text("of a backup that was killed")
    made = make_backup(kept)
    left = sorted(file.name for file in folder.iterdir() if "-x-" not in file.name)
    files = [f"{name}-20260101T030000Z.dump", made.file.name]
    assert left == sorted([*files, *(f"{file}.sha256" for file in files)])
    assert len(list(folder.glob("*-x-*"))) == 8


def test_the_backup_that_is_restored_is_not_removed_for_a_newer_one(kept: Settings) -> None:
    one = kept.model_copy(update={"backup": kept.backup.model_copy(update={"keep": 1})})
    file = make_backup(one).file
    restore_backup(one, file, replace=True)
    assert file.exists() and len(list(file.parent.glob("*.dump"))) == 2
    make_backup(one)
    assert not file.exists() and len(list(file.parent.glob("*.dump"))) == 1


def test_a_full_disk_is_told_and_the_old_ones_stay(
    database: Database, kept: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    good = make_backup(kept).file
    full = tmp_path / "pg_dump"
    full.write_text("#!/bin/sh\necho 'pg_dump: error: could not write: No space left on device' >&2; exit 1\n")
    full.chmod(0o755)
    monkeypatch.setattr(embedded, "postgres_program", lambda name: full if name == "pg_dump" else Path("/nowhere"))
    with pytest.raises(BackupFailed, match=r"No space left on device .is there room"):
        make_backup(kept)
    assert [file.name for file in good.parent.iterdir() if file.suffix != ".sha256"] == [good.name]
    (row,) = rows_of(database, "SELECT problem FROM run_log ORDER BY run_id DESC LIMIT 1")
    assert "No space left" in row["problem"]


def test_a_folder_that_cannot_be_written_is_told(kept: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = kept.backup.model_copy(update={"folder": tmp_path / "file" / "backups"})
    with pytest.raises(BackupFailed, match="Not a directory"):
        make_backup(kept.model_copy(update={"backup": folder}))


def test_a_server_newer_than_our_programs_needs_those_of_the_machine(
    kept: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours = {name: embedded.postgres_program(name) for name in ("pg_dump", "pg_restore", "psql")}
    monkeypatch.setattr(embedded, "MAJOR_VERSION", "17")
    monkeypatch.setattr(embedded, "postgres_program", lambda name: Path("/nowhere") / name)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BackupFailed, match=r"PostgreSQL 18 is newer than our pg_dump.*install .*postgresql-client-18"):
        make_backup(kept)
    for name, program in ours.items():
        (tmp_path / name).symlink_to(program)
    monkeypatch.setenv("PATH", str(tmp_path))
    restore_backup(named(kept, "new"), make_backup(kept).file)


def test_the_password_is_in_no_argument(
    database: Database, kept: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >> {seen}; env | grep ^PGPASSWORD >> {seen}; exit 1\n')
    program.chmod(0o755)
    monkeypatch.setattr(embedded, "postgres_program", lambda name: program)
    given = database.for_psql() | {"PGPASSWORD": "made-up-word"}
    monkeypatch.setattr(Database, "for_psql", lambda self: given)
    with pytest.raises(BackupFailed):
        make_backup(kept)
    said = seen.read_text().splitlines()
    assert [line for line in said if "made-up-word" in line] == ["PGPASSWORD=made-up-word"]


@pytest.fixture
def outdated(kept: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a database whose tables lack the newest schema file."""
    *older, newest = schema_files()
    old = named(kept, "old")
    with monkeypatch.context() as patch, open_database(old) as database:
        patch.setattr("tides_bridge.database.schema.schema_files", lambda: older)
        apply_schema(database)
    with open_database(old) as database:
        assert check_schema(database) == [newest.name]
    return old


def test_an_upgrade_makes_a_backup_of_what_there_is(kept: Settings, outdated: Settings) -> None:
    assert upgrade_database(kept) == ([], None)
    applied, made = upgrade_database(outdated)
    assert applied == [schema_files()[-1].name] and made and made.file.exists()
    applied, made = upgrade_database(named(kept, "fresh"))
    assert applied == [file.name for file in schema_files()] and made is None


def test_a_backup_of_an_older_bridge_is_brought_up_to_date(kept: Settings, outdated: Settings) -> None:
    old = make_backup(outdated).file
    restore_backup(named(kept, "new"), old)
    with open_database(named(kept, "new")) as database:
        assert check_schema(database) == []


def test_an_older_server_is_told_nothing_that_it_does_not_know(
    kept: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Since version 17 pg_restore sets transaction_timeout, which 15 and 16 refuse."""
    file, ours = make_backup(kept).file, embedded.postgres_program
    psql = tmp_path / "psql"
    psql.write_text(f"#!/bin/sh\ncat > {tmp_path}/told; exit 1\n")
    psql.chmod(0o755)
    monkeypatch.setattr(embedded, "postgres_program", lambda name: psql if name == "psql" else ours(name))
    with pytest.raises(BackupFailed):
        restore_backup(named(kept, "new"), file)
    told = (tmp_path / "told").read_text()
    assert "\nSET lock_timeout = 0;\n" in told and "\nSET transaction_timeout" not in told
