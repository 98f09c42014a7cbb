"""What a fault makes of an answer, whatever serves it."""

import json
import threading
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from simulators.services.faults import FaultPlan, Rule, Service

WORDS = "a fault of the plan"
"""What a made-up answer says."""
HTML = f"<!DOCTYPE html>\n<html><head><title>Maintenance</title></head><body><h1>{WORDS}</h1></body></html>\n"
ERROR_KEYS: dict[Service, str] = {"fourmost": "err", "lasair": "message"}
"""Where a service says what is wrong."""
STEP_SECONDS = 0.05
"""How often a wait looks whether it should go on."""

Headers = tuple[tuple[str, str], ...]
Application = TypeVar("Application")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, whole."""

    status: int
    headers: Headers
    body: bytes

    @property
    def sized_headers(self) -> list[tuple[str, str]]:
        """The headers with the length of the whole body, and no other length."""
        kept = [(name, value) for name, value in self.headers if name.lower() != "content-length"]
        return [*kept, ("Content-Length", str(len(self.body)))] if self.body else kept


class Faulty(Generic[Application]):
    """
    Answers for an application what a plan says, and else lets it answer.

    Parameters
    ----------
    app
        The application.
    plan
        What goes wrong.
    service
        Which stand-in this is.
    stopping
        Set when the server stops: no wait goes on then.
    """

    def __init__(self, app: Application, plan: FaultPlan, service: Service, stopping: threading.Event) -> None:
        self._app, self._plan, self._service, self._stopping = app, plan, service, stopping


def spoil(rule: Rule, service: Service, real: Answer | None) -> Answer | None:
    """
    Give what is to be answered under a rule.

    Parameters
    ----------
    rule
        The one that is due.
    service
        Whose answer it is.
    real
        What the stand-in answered; None if it did no work.

    Returns
    -------
    Answer or None
        None is no answer at all: the connection is closed.
    """
    if rule.fault == "status":
        wait = () if rule.retry_after is None else (("Retry-After", str(rule.retry_after)),)
        return _json({ERROR_KEYS[service]: WORDS}, rule.status or 500, wait)
    if rule.fault == "err":
        return _json({"err": WORDS})
    if rule.fault == "html":
        return Answer(200, (("Content-Type", "text/html; charset=utf-8"),), HTML.encode())
    if rule.fault == "cut":
        whole = _json([{"id": 1, "name": WORDS}]) if real is None else real
        return whole if whole.body else None
    return _without_last_row(real) if real and rule.fault == "missing_row" else real


def _json(content: object, status: int = 200, headers: Headers = ()) -> Answer:
    return Answer(status, (("Content-Type", "application/json"), *headers), json.dumps(content).encode())


def _without_last_row(answer: Answer) -> Answer:
    """Take the last row off a list, or off the ``results`` of a page, of two rows at least."""
    try:
        content = json.loads(answer.body)
    except ValueError:
        return answer
    rows = content.get("results") if isinstance(content, dict) else content
    if not isinstance(rows, list) or len(rows) < 2:
        return answer
    rows.pop()
    return replace(answer, body=json.dumps(content).encode())
