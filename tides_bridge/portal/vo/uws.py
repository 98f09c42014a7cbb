"""The addresses of queries that run by themselves, as UWS 1.1 has them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from tides_bridge.errors import BridgeError, DatabaseUnavailable
from tides_bridge.portal.vo import documents
from tides_bridge.portal.vo.adql import query_error
from tides_bridge.portal.vo.asking import VOTABLE, Parameters, asked_parameters, format_of
from tides_bridge.portal.vo.jobs import ENDED, LONGEST_RUN, NAME, Job, Jobs, as_time, seconds_of
from tides_bridge.portal.vo.votable import error_votable

XML: Final = "text/xml; charset=utf-8"

LONGEST_WAIT: Final = 30.0
"""[s] Who waits for a change of phase is answered then."""

LOOK_SECONDS: Final = 0.1
"""[s] Between two looks at a job that somebody waits for."""

Address = Callable[[Request], str]


def add_jobs(router: APIRouter, jobs: Jobs, address: Address) -> None:
    """
    QueryAnswer all below ``/tap/async``.

    Parameters
    ----------
    router
        To which the addresses are added.
    jobs
        Which there are.
    address
        Gives the whole address of the list of jobs.
    """
    doing = Doing(jobs, address)
    for path, ask in {
        "/tap/async": doing.listed,
        "/tap/async/{job_id}": doing.job,
        "/tap/async/{job_id}/results/result": doing.result,
        "/tap/async/{job_id}/{part}": doing.part,
    }.items():
        router.add_api_route(path, _in_words(ask), methods=["GET"], response_model=None)
    for path, ask in {
        "/tap/async": doing.add,
        "/tap/async/{job_id}": doing.act,
        "/tap/async/{job_id}/{part}": doing.change,
    }.items():
        router.add_api_route(path, _in_words(ask), methods=["POST"], response_model=None)
    router.add_api_route("/tap/async/{job_id}", _in_words(doing.remove), methods=["DELETE"], response_model=None)


def _in_words(ask: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Say in a VOTable what is wrong."""

    async def answer(request: Request) -> Response:
        try:
            return await ask(request)
        except BridgeError as error:
            status = 503 if isinstance(error, DatabaseUnavailable) else 400
            return Response(error_votable(str(error)), status, media_type=VOTABLE)
        except OSError as error:
            problem = f"jobs cannot be kept: {error.strerror}; ask in sync mode"
            return Response(error_votable(problem), 503, media_type=VOTABLE)

    return answer


class Doing:
    """What is done with jobs; for the parameters see `add_jobs`."""

    def __init__(self, jobs: Jobs, address: Address) -> None:
        self._jobs, self._address = jobs, address

    async def listed(self, request: Request) -> Response:
        """List them; by PHASE, and the newest LAST."""
        asked = await asked_parameters(request)
        jobs = self._jobs.listed()
        if asked.get("PHASE"):
            jobs = [job for job in jobs if job.phase == asked["PHASE"]]
        last = asked.get("LAST", "")
        jobs = jobs[: int(last)] if last.isascii() and last.isdigit() and len(last) < 10 else jobs
        return Response(documents.job_list(jobs, self._address(request)), media_type=XML)

    async def add(self, request: Request) -> Response:
        """Take a question."""
        asked = dict(await asked_parameters(request))
        phase = asked.pop("PHASE", "")
        if asked.get("UPLOAD"):
            raise query_error("no tables are taken: UPLOAD is not possible")
        job = await run_in_threadpool(self._jobs.add, asked)
        if phase == "RUN":
            self._jobs.run(job.job_id)
        return self._to(request, job.job_id)

    async def job(self, request: Request) -> Response:
        """Describe one, at once or (WAIT) when its phase has changed."""
        job, asked = self._named(request), await asked_parameters(request)
        wait = asked.get("WAIT", "")
        if job is not None and wait:
            job = await self._changed(job, asked.get("PHASE", job.phase), _seconds(wait, LONGEST_WAIT))
        return self._described(request, job)

    async def act(self, request: Request) -> Response:
        """Change its parameters, or remove it (ACTION=DELETE)."""
        job, asked = self._named(request), dict(await asked_parameters(request))
        if job is None:
            return _nothing()
        if asked.pop("ACTION", "").upper() == "DELETE":
            return await self.remove(request)
        return await self._set_parameters(request, job, asked)

    async def remove(self, request: Request) -> Response:
        """Forget one and its result."""
        await run_in_threadpool(self._jobs.remove, request.path_params["job_id"])
        return RedirectResponse(self._address(request), 303)

    async def result(self, request: Request) -> Response:
        """Give its result."""
        job = self._named(request)
        if job is None or job.phase != "COMPLETED":
            return _nothing()
        return FileResponse(self._jobs.result(job.job_id), media_type=format_of(job.parameters).mime)

    async def part(self, request: Request) -> Response:
        """Give one thing of a job."""
        job, part = self._named(request), request.path_params["part"]
        if job is None:
            return _nothing()
        if part in ("parameters", "results"):
            return Response(documents.part_document(part, job, self._address(request)), media_type=XML)
        if part == "error":
            return Response(error_votable(job.problem), media_type=VOTABLE) if job.problem else _nothing()
        known = {
            "phase": job.phase, "executionduration": f"{job.seconds:.0f}", "destruction": as_time(job.destroyed_at),
            "quote": "", "owner": "",
        }  # fmt: skip
        return PlainTextResponse(known[part]) if part in known else _nothing()

    async def change(self, request: Request) -> Response:
        """Let one begin or end, or change how long it may take and is kept."""
        job, part, asked = self._named(request), request.path_params["part"], dict(await asked_parameters(request))
        if job is None:
            return _nothing()
        if part == "parameters":
            return await self._set_parameters(request, job, asked)
        if part == "phase" and asked.get("PHASE") == "RUN":
            self._jobs.run(job.job_id)
        elif part == "phase" and asked.get("PHASE") == "ABORT":
            self._jobs.abort(job.job_id)
        elif part == "executionduration":
            self._jobs.change(job.job_id, seconds=_seconds(asked.get("EXECUTIONDURATION", ""), LONGEST_RUN))
        elif part == "destruction":
            self._jobs.change(job.job_id, destroyed_at=seconds_of(asked.get("DESTRUCTION", "")))
        else:
            raise query_error(f"nothing is done with {part[:40]} so")
        return self._to(request, job.job_id)

    async def _set_parameters(self, request: Request, job: Job, asked: Parameters) -> Response:
        if job.phase != "PENDING":
            raise query_error("what is asked can be changed until it begins")
        self._jobs.change(job.job_id, parameters=job.parameters | dict(asked))
        return self._to(request, job.job_id)

    async def _changed(self, job: Job, phase: str, seconds: float) -> Job | None:
        """Give a job when it has another phase, has ended or is gone, or nobody waits any more."""
        end, found = time.monotonic() + seconds, self._jobs.get(job.job_id)
        while found is not None and found.phase == phase and phase not in ENDED and time.monotonic() < end:
            await asyncio.sleep(LOOK_SECONDS)
            found = self._jobs.get(job.job_id)
        return found

    def _named(self, request: Request) -> Job | None:
        name = request.path_params["job_id"]
        return self._jobs.get(name) if NAME.fullmatch(name) else None

    def _described(self, request: Request, job: Job | None) -> Response:
        if job is None:
            return _nothing()
        return Response(documents.job_document(job, self._address(request)), media_type=XML)

    def _to(self, request: Request, job_id: str) -> Response:
        return RedirectResponse(f"{self._address(request)}/{job_id}", 303)


def _seconds(written: str, most: float) -> float:
    """
    Read how long something may take [s]: -1 and 0 are as long as possible.

    >>> _seconds("10", 30.0), _seconds("-1", 30.0), _seconds("0", 30.0), _seconds("1e9", 30.0)
    (10.0, 30.0, 30.0, 30.0)
    """
    try:
        seconds = float(written)
    except ValueError:
        raise query_error(f"a number of seconds is wanted, and not {written[:40]!r}") from None
    return min(seconds, most) if seconds > 0 else most


def _nothing() -> Response:
    return Response(error_votable("no such job, or not yet"), 404, media_type=VOTABLE)
