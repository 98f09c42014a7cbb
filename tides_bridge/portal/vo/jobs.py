"""
Queries that run by themselves, as UWS has them: asked for now, fetched later.

Each is a folder with what was asked and how it goes, and its result. They outlive a restart: but one that was at work
then is told as failed, and has to be asked again.
"""

import contextlib
import json
import logging
import re
import secrets
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tides_bridge.errors import BridgeError
from tides_bridge.portal.vo.adql import query_error
from tides_bridge.portal.vo.asking import format_of, most_rows, query_of
from tides_bridge.portal.vo.queries import Cancel, QueryReader
from tides_bridge.resources import make_own_folder

KEPT_SECONDS: Final = 86_400.0
"""[s] A job and its result are kept for a day, where nothing else is said."""

LONGEST_KEPT: Final = 7 * 86_400.0
"""[s] Whatever is said."""

RUN_SECONDS: Final = 600.0
"""[s] A query may take so long, where nothing else is said."""

LONGEST_RUN: Final = 3_600.0
"""[s] Whatever is said."""

MOST_JOBS: Final = 100
"""That are kept; the oldest that has ended goes when another one comes."""

RUNNING: Final = 2
"""At the same time."""

LARGEST_RESULT: Final = 2_000_000_000
"""[bytes] Of one job; a million targets have 0.3 GB."""

ENDED: Final = ("COMPLETED", "ERROR", "ABORTED")
"""Phases from which no other follows."""

NAME: Final = re.compile(r"[0-9a-f]{16}")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """
    One query that runs by itself.

    Parameters
    ----------
    job_id
        Its name, which cannot be guessed.
    parameters
        As asked.
    phase
        As UWS names it.
    created_at, destroyed_at
        [s] Since 1970: when it was asked for, and until when it is kept.
    seconds
        [s] It may take so long.
    begun_at, ended_at
        [s] Since 1970; None before.
    problem
        Why it failed; empty if it did not.
    """

    job_id: str
    parameters: dict[str, str]
    phase: str = "PENDING"
    created_at: float = field(default_factory=time.time)
    destroyed_at: float = field(default_factory=lambda: time.time() + KEPT_SECONDS)
    seconds: float = RUN_SECONDS
    begun_at: float | None = None
    ended_at: float | None = None
    problem: str = ""


class Jobs:
    """
    The jobs of this portal.

    Parameters
    ----------
    reader
        Carries them out.
    folder
        Where they are kept; it may not be there yet.
    """

    def __init__(self, reader: QueryReader, folder: Path) -> None:
        self._reader, self._folder = reader, folder
        self._lock = threading.RLock()
        self._places = threading.BoundedSemaphore(RUNNING)
        self._cancels: dict[str, Cancel] = {}
        self._jobs = self._found()

    def listed(self) -> list[Job]:
        """List them, the newest first."""
        with self._lock:
            self._forget_old()
            return sorted(self._jobs.values(), key=lambda job: job.created_at, reverse=True)

    def get(self, job_id: str) -> Job | None:
        """Give one; None if there is none."""
        with self._lock:
            self._forget_old()
            return self._jobs.get(job_id)

    def add(self, parameters: Mapping[str, str]) -> Job:
        """
        Take a question, which waits until it is told to run.

        Raises
        ------
        RejectedError
            If too many are kept that have not ended.
        """
        with self._lock:
            self._forget_old()
            self._make_room()
            job = Job(secrets.token_hex(8), dict(parameters))
            make_own_folder(self._folder / job.job_id)
            return self._keep(job)

    def change(self, job_id: str, **changes: Any) -> Job:
        """Change what is kept of a job that is there."""
        with self._lock:
            return self._keep(replace(self._jobs[job_id], **changes))

    def run(self, job_id: str) -> None:
        """Let a job that waits to be told begin; for any other nothing happens."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is not None and job.phase == "PENDING":
                self._keep(replace(job, phase="QUEUED"))
                # A daemon: it keeps nobody from stopping the portal.
                threading.Thread(target=self._carry_out, args=(job_id,), daemon=True).start()

    def abort(self, job_id: str) -> None:
        """End a job, wherever it is."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is not None and job.phase not in ENDED:
                self._keep(replace(job, phase="ABORTED", ended_at=time.time()))
            if job_id in self._cancels:
                self._cancels.pop(job_id)()

    def remove(self, job_id: str) -> None:
        """End a job, and forget it and its result."""
        with self._lock:
            self.abort(job_id)
            if self._jobs.pop(job_id, None) is not None:
                shutil.rmtree(self._folder / job_id, ignore_errors=True)

    def result(self, job_id: str) -> Path:
        """Give the file of its result."""
        return self._folder / job_id / "result"

    def _carry_out(self, job_id: str) -> None:
        """Run a query, and keep how it ended."""
        with self._places:
            if not self._goes_on(job_id, "QUEUED"):
                return
            job = self.change(job_id, phase="EXECUTING", begun_at=time.time())
            problem = "the portal failed: its log tells why"
            try:
                problem = self._write(job)
            except BridgeError as error:
                problem = str(error)
            except Exception:
                logger.exception("a job failed job=%s", job_id)
            with self._lock:
                self._cancels.pop(job_id, None)
                if self._goes_on(job_id, "EXECUTING"):
                    phase = "ERROR" if problem else "COMPLETED"
                    self.change(job_id, phase=phase, ended_at=time.time(), problem=problem)

    def _goes_on(self, job_id: str, phase: str) -> bool:
        job = self._jobs.get(job_id)
        return job is not None and job.phase == phase

    def _write(self, job: Job) -> str:
        """Write the result of a query; give why it is not whole, empty if it is."""
        kind, most = format_of(job.parameters), most_rows(job.parameters)
        sql = self._reader.translated(query_of(job.parameters))

        def begun(cancel: Cancel) -> None:
            with self._lock:
                self._cancels[job.job_id] = cancel

        size = 0
        with self._reader.answer(sql, most, job.seconds, begun) as answer, self.result(job.job_id).open("wb") as file:
            for part in kind.write(answer):
                size += file.write(part)
                if size > LARGEST_RESULT:
                    return f"the result is larger than {LARGEST_RESULT / 1e9:.0f} GB: ask for less"
            return answer.problem

    def _keep(self, job: Job) -> Job:
        file = self._folder / job.job_id / "job.json"
        part = file.with_suffix(".part")
        part.write_text(json.dumps(asdict(job)), encoding="utf-8")
        part.replace(file)
        self._jobs[job.job_id] = job
        return job

    def _found(self) -> dict[str, Job]:
        """Read what an earlier portal left; what was at work then has failed."""
        found = {}
        for file in self._folder.glob("*/job.json"):
            with contextlib.suppress(ValueError, TypeError, OSError):
                job = Job(**json.loads(file.read_text(encoding="utf-8")))
                if job.phase in ("QUEUED", "EXECUTING"):
                    job = replace(job, phase="ERROR", problem="the portal was restarted: ask again")
                found[job.job_id] = job
        return found

    def _forget_old(self) -> None:
        now = time.time()
        for job_id in [job.job_id for job in self._jobs.values() if job.destroyed_at < now]:
            self.remove(job_id)

    def _make_room(self) -> None:
        ended = sorted((job.created_at, job.job_id) for job in self._jobs.values() if job.phase in ENDED)
        if len(self._jobs) >= MOST_JOBS and not ended:
            raise query_error(f"{MOST_JOBS} jobs wait or are at work: remove some, or ask again later")
        if len(self._jobs) >= MOST_JOBS:
            self.remove(ended[0][1])


def as_time(seconds: float) -> str:
    """
    Write a time as UWS has it.

    >>> as_time(0.0)
    '1970-01-01T00:00:00.000Z'
    """
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def seconds_of(written: str) -> float:
    """
    Read a time as UWS has it, within what may be asked; [s] since 1970.

    Raises
    ------
    RejectedError
        If it is none.
    """
    try:
        asked = datetime.fromisoformat(written.strip())
        seconds = (asked if asked.tzinfo else asked.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise query_error(f"a time is wanted, as 2026-12-01T00:00:00Z, and not {written[:40]}") from None
    return min(seconds, time.time() + LONGEST_KEPT)
