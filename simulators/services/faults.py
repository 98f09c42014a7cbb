"""
Fault plans: which calls to a stand-in go wrong, and how.

A plan is a list of rules, in a file as YAML or JSON::

    - {service: fourmost, method: POST, fault: status, status: 503, retryAfter: 1, skip: 1, times: 2}
    - {service: lasair, fault: html}

The first rule that is due is followed. Every rule counts the calls that match it by itself, and each stand-in counts by
itself too: a rule without service holds for both, with its full number at each.

===============  =====================================================================================
``status``       answers that HTTP status, and ``retryAfter`` [s] as the header Retry-After
``timeout``      waits ``seconds`` (30); then closes the connection or, after the work, answers
``cut``          sends half of the body with the length of the whole, and cuts the connection
``err``          answers ``{"err": ...}`` with status 200
``html``         answers an HTML page with status 200
``missing_row``  does the work; a list of two rows at least, or such a page, lacks the last in the answer
``drip``         does the work, and sends the answer a byte at a time, ``seconds`` (0.05) between two
===============  =====================================================================================

Others are lies: `simulators.services.lies` lists them.

Before the work (``when: before``) nothing is done at the stand-in; after it (``when: after``) only the answer is wrong.
"""

import re
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

from simulators.services.lies import LIES, WITHOUT_WORK, Lie
from tides_bridge.errors import SettingsError
from tides_bridge.settings.yaml_blocks import read_yaml

Service = Literal["fourmost", "lasair"]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
Fault = Literal["status", "timeout", "cut", "err", "html", "missing_row", "drip", Lie]

OWN_ADDRESSES = {"fourmost": re.compile(r"^/QFSwi/standin(/|$)"), "lasair": re.compile(r"^/$")}
"""Addresses that only the stand-ins have: nothing goes wrong there, and no rule counts them."""
HANDLE_HEADER = "X-Standin-Handle"
"""Marks the calls of a stand-in's own handle, which looks at the rows past all faults."""
WAIT_SECONDS: dict[Fault, float] = {"timeout": 30.0, "drip": 0.05}
"""``seconds`` where a rule does not say."""
KEYS_OF: dict[str, tuple[Fault, ...]] = {
    "status": ("status",), "retry_after": ("status",), "seconds": ("timeout", "drip"),
}  # fmt: skip
"""Keys that only some faults take."""
TOO_MANY = 429


class Rule(BaseModel):
    """One rule of a plan: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, alias_generator=to_camel)

    fault: Fault = Field(description="what goes wrong")
    service: Service | None = Field(None, description="at which stand-in; both")
    method: Method | None = Field(None, description="for which HTTP method; any")
    path: re.Pattern[str] | None = Field(None, description="regular expression searched in the path; any")
    status: int | None = Field(None, ge=400, le=599, strict=True, validate_default=True, description="the HTTP status")
    retry_after: int | None = Field(None, ge=0, strict=True, description="of the header Retry-After [s]")
    seconds: float | None = Field(
        None, ge=0, strict=True, allow_inf_nan=False, description="length of a timeout, or time between two bytes [s]"
    )
    when: Literal["before", "after"] = Field(
        "before", description="before the real work, which is then not done, or after it"
    )
    skip: int = Field(0, ge=0, strict=True, description="so many matching calls pass by this rule first")
    times: int = Field(1, ge=1, strict=True, description="so many calls then go wrong")

    @field_validator(*KEYS_OF)
    @classmethod
    def _belongs_to_fault(cls, value: float | None, info: ValidationInfo) -> float | None:
        """Refuse a key that the fault does not take, and a fault of kind status without one."""
        faults, fault = KEYS_OF[info.field_name or ""], info.data.get("fault")
        if value is not None and fault is not None and fault not in faults:
            raise ValueError(f"goes only with fault {' or '.join(faults)}")
        if value is None and info.field_name == fault:
            raise ValueError("is missing")
        return value

    @field_validator("when")
    @classmethod
    def _refuses_before_work(cls, value: str, info: ValidationInfo) -> str:
        """Refuse 429 after the work: a service that counts calls does so first."""
        if value == "after" and info.data.get("status") == TOO_MANY:
            raise ValueError(f"must be before with status {TOO_MANY}")
        return value

    @property
    def does_work(self) -> bool:
        """Whether the stand-in does what it is asked: a real answer is needed to drip it or take a row away."""
        is_lie = self.fault in LIES and self.fault not in WITHOUT_WORK
        return self.when == "after" or self.fault in ("missing_row", "drip") or is_lie

    @property
    def wait_seconds(self) -> float:
        """How long a timeout is, or the time between two bytes [s]."""
        return WAIT_SECONDS.get(self.fault, 0.0) if self.seconds is None else self.seconds

    def matches(self, service: Service, method: str, path: str) -> bool:
        """Tell whether a call is one that this rule counts."""
        return (
            self.service in (None, service)
            and self.method in (None, method)
            and (self.path is None or self.path.search(path) is not None)
        )


Rules = Iterable[Rule | Mapping[str, Any]]


class FaultPlan:
    """
    Rules and how far each has come; safe in threads.

    Parameters
    ----------
    rules
        Rules, or their keys and values as in a file.
    source
        What an error names: the file.

    Raises
    ------
    SettingsError
        Naming source, rule number (from 1) and key, if a key is unknown or a value wrong.
    """

    def __init__(self, rules: Rules = (), source: str = "fault plan") -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._skips: list[int] = []
        self._times: list[int] = []
        self.replace(rules, source)

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a file, or raise SettingsError."""
        return cls(read_yaml(file), str(file))

    def replace(self, rules: Rules, source: str = "fault plan") -> int:
        """
        Follow other rules from now on, counted from their beginning, and answer how many they are.

        Raises
        ------
        SettingsError
            As at the start; the rules then stay as they were.
        """
        if not isinstance(rules, Iterable) or isinstance(rules, str | bytes | Mapping):
            raise SettingsError(source, "", "must hold a list of rules")
        new = [_to_rule(rule, number, source) for number, rule in enumerate(rules, start=1)]
        with self._lock:
            self._rules = new
            self._skips, self._times = [rule.skip for rule in new], [rule.times for rule in new]
        return len(new)

    def due(self, service: Service, method: str, path: str) -> Rule | None:
        """
        Count a call, and give the rule that it falls under, or None if all is well.

        Each rule that matches counts it; one that would be due too but stands behind another keeps its ``times``.
        """
        if OWN_ADDRESSES[service].search(path):
            return None
        found = None
        with self._lock:
            for index, rule in enumerate(self._rules):
                if not rule.matches(service, method, path):
                    continue
                if self._skips[index]:
                    self._skips[index] -= 1
                elif found is None and self._times[index]:
                    self._times[index] -= 1
                    found = rule
        return found

    def left(self, service: Service | None = None) -> int:
        """Count the faults still to come, of all rules or of those that hold for one service."""
        with self._lock:
            counted = zip(self._rules, self._times, strict=True)
            return sum(times for rule, times in counted if service is None or rule.service in (None, service))


def _to_rule(content: Rule | Mapping[str, Any], number: int, source: str) -> Rule:
    """Check one rule, or raise SettingsError with the first problem."""
    if isinstance(content, Rule):
        return content
    if not isinstance(content, Mapping):
        raise SettingsError(source, f"rule {number}", "must be keys and values")
    try:
        return Rule.model_validate({str(key): value for key, value in content.items()})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        known = {"extra_forbidden": "unknown key", "missing": "is missing"}
        problem = known.get(first["type"], first["msg"].removeprefix("Value error, "))
        key = ".".join(str(part) for part in first["loc"])
        raise SettingsError(source, f"rule {number}: {key}", problem) from None
