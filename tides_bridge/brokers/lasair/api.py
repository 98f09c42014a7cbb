"""
What Lasair's two brokers share: a JSON message a row of a filter, and an API with token and hourly limit.

Sources: lasair 0.1.4 ``lasair.py``, lasair-lsst and lasair4 ``serializers.py`` and ``throttle.py``.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tides_bridge.brokers.base import HOURLY_LIMIT, Fetched
from tides_bridge.errors import BrokerUnavailable, MalformedAlert
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import MJD_ZERO
from tides_bridge.settings import Settings, shown_address
from tides_bridge.web import Redirected, ask, cleaned, problem_of

OVERLOADED = (429, 500, 502, 503, 504)
AWAY = (401, 403, 502, 503, 504)
"""Answers that speak of the whole service, not of the objects asked for."""


class BriefRetry(Retry):
    """Obeys Retry-After up to 10 s; nobody waits out an hourly limit."""

    def get_retry_after(self, response: Any) -> float | None:
        """Give the time [s] that the service asks for, if it is a short one."""
        seconds = super().get_retry_after(response)
        return seconds if seconds is not None and seconds <= 10 else None


RETRY = BriefRetry(
    total=3,
    connect=1,
    read=1,
    backoff_factor=0.5,
    status_forcelist=OVERLOADED,
    allowed_methods=None,
    raise_on_status=False,
)
"""Three more tries within some seconds, one after a lost connection or a time-out."""

NESTING = 50
"""Deeper messages are refused: what is stored and sent between processes must not exhaust the stack."""

_MODIFIED_EPOCH = datetime(1858, 11, 17)


class LightCurveApi:
    """
    A light-curve API over HTTP, asked with patience and counted.

    Parameters
    ----------
    settings
        With the address of the API and the token.

    Attributes
    ----------
    calls
        Calls so far, with every try: the limit counts these, too.
    """

    sends_token = True
    """Whether the API has tokens: nobody else gets to see one of Lasair."""

    def __init__(self, settings: Settings) -> None:
        self.calls, self.objects_per_call = 0, settings.light_curves.objects_per_call
        self._options = settings.light_curves
        self._service = f"light-curve API {shown_address(self._options.address)}"
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=RETRY))
        if settings.lasair_token and self.sends_token:
            self._session.headers["Authorization"] = f"Token {settings.lasair_token.get_secret_value()}"

    def _answer(self, verb: str, path: str, **content: Any) -> requests.Response:
        """
        Ask, and give the answer, whatever it is.

        Raises
        ------
        BrokerUnavailable
            If there is none, it speaks of a service that is away, or we are refused.
        """
        url = f"{self._options.address.rstrip('/')}/{path}"
        try:
            response = ask(self._session, verb, url, self._options.timeout.total_seconds(), **content)
        except requests.RequestException as error:
            self.calls += 2  # as RETRY has it
            remedy = "is lightCurves.address right, and the API up?"
            if isinstance(error, Redirected):
                remedy = f"if that is right, set lightCurves.address: {error.address.removesuffix(path).rstrip('/')}"
            raise BrokerUnavailable(self._service, problem_of(error), remedy) from None
        self.calls += 1 + len(getattr(getattr(response.raw, "retries", None), "history", ()))
        if response.status_code in AWAY:
            is_refusal = response.status_code in (401, 403)
            problem = "refuses our token" if is_refusal else f"answered {response.status_code}"
            raise BrokerUnavailable(self._service, problem, "set TIDES_LASAIRTOKEN" if is_refusal else "")
        return response

    def _post(self, method: str, fields: dict[str, str]) -> bytes | str:
        """Call a method of Lasair; gives its answer, or why there is none for these objects."""
        response = self._answer("POST", f"{method}/", data=fields)
        return response.content if response.status_code == 200 else refusal_in(response)


class OneByOneApi(LightCurveApi):
    """
    A light-curve API that tells of one object a call.

    Parameters
    ----------
    settings
        With the address of the API and the token.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.objects_per_call = 1

    def fetch(self, object_ids: Sequence[str]) -> Fetched:
        """
        Get light curves, one after the other.

        Raises
        ------
        BrokerUnavailable
            If the API does not answer, refuses us, or answers what it should not. An object it does not know, and an
            hour that has no call left, are reasons why there is none now.
        """
        parts, missing = [], {}
        for object_id in object_ids:
            found = self._curve_of(object_id)
            if isinstance(found, str):
                missing[object_id] = found
            else:
                parts.append(found)
        return Fetched(LightCurves.joined(parts), missing)

    def _curve_of(self, object_id: str) -> LightCurves | str:
        """Get one light curve, or the reason why there is none."""
        raise NotImplementedError


def refusal_in(response: requests.Response) -> str:
    """Say why an answer brings nothing for what was asked."""
    if response.status_code == 429:
        return HOURLY_LIMIT
    return f"the light-curve API answered {response.status_code}: {cleaned(response.text[:1000], 200)!r}"


def row_in(body: bytes) -> dict[str, Any]:
    """
    Read a message: one row of a filter.

    Raises
    ------
    MalformedAlert
        If it is not a JSON object, or nested too deep.
    """
    try:
        row = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedAlert("message", f"is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise MalformedAlert("message", "is not a JSON object")
    return row


def check_nesting(row: dict[str, Any]) -> None:
    """Refuse a message that is nested too deep."""
    if _is_deeper(row, NESTING):
        raise MalformedAlert("message", f"is nested more than {NESTING} deep")


def mjd_of_utc(text: object) -> float:
    """
    Give the time that Lasair adds to a row, as MJD [d, UTC]; long before all others if it is none.

    >>> mjd_of_utc("2026-06-09 12:00:00"), mjd_of_utc("soon")
    (61200.5, -2400000.5)
    """
    try:
        age = datetime.fromisoformat(str(text)) - _MODIFIED_EPOCH
    except (ValueError, TypeError):
        return -MJD_ZERO
    return age.total_seconds() / 86400


def _is_deeper(value: object, levels: int) -> bool:
    """Tell whether nested content goes deeper than a number of levels."""
    if not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(item, levels - 1) for item in items)
