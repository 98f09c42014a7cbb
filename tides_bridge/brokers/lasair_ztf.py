"""
Lasair for ZTF: JSON messages without light curve, and the light-curve call of its API.

Sources: lasair4 ``run_active_queries.py`` (message), ``serializers.py`` and ``lightcurves.py`` (API).
"""

import json
import logging
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tides_bridge.brokers.base import HOURLY_LIMIT, Fetched, brief, number_in, position_in
from tides_bridge.brokers.lasair_curves import NO_DETECTION, curves_of_answers
from tides_bridge.errors import BrokerUnavailable, MalformedAlert
from tides_bridge.formats import EPOCHS
from tides_bridge.formats.ztf import SOLAR_SYSTEM_RADIUS, STAR_RADIUS, STAR_SCORE
from tides_bridge.lightcurves import LightCurves
from tides_bridge.models import Alert
from tides_bridge.photometry import MJD_ZERO, mjd_from_jd
from tides_bridge.settings import Settings, shown_address
from tides_bridge.web import ask, problem_of

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

logger = logging.getLogger(__name__)

NAME = re.compile(r"[\w.+-]{1,256}", re.ASCII)
"""What a name may look like: one that a list with commas, an index of the database and 4MOST can carry."""

NESTING = 50
"""Deeper messages are refused: what is stored and sent between processes must not exhaust the stack."""

_MODIFIED_EPOCH = datetime(1858, 11, 17)


class LasairZtf:
    """
    Lasair's ZTF broker.

    Parameters
    ----------
    settings
        With the address of the API and the token.
    """

    def __init__(self, settings: Settings) -> None:
        self.calls = 0
        self._options = settings.light_curves
        self._service = f"light-curve API {shown_address(self._options.address)}"
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=RETRY))
        if settings.lasair_token:
            self._session.headers["Authorization"] = f"Token {settings.lasair_token.get_secret_value()}"

    def decode(self, body: bytes) -> Alert:
        """
        Turn one message into an alert.

        A message holds exactly the columns that the filter selects, and ``UTC``. Only ``objectId`` is needed.

        Raises
        ------
        MalformedAlert
            If it is not a JSON object with an ``objectId``, its position is not on the sky, or a date in it is none;
            a date of NaN counts as missing.
        """
        try:
            message = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise MalformedAlert("message", f"is not JSON: {error}") from None
        if not isinstance(message, dict):
            raise MalformedAlert("message", "is not a JSON object")
        object_id = message.get("objectId")
        if not isinstance(object_id, str) or not NAME.fullmatch(object_id.strip()):
            problem = f"objectId is {brief(object_id)}, not a name: does the filter select objectId?"
            raise MalformedAlert("message", problem)
        if _is_deeper(message, NESTING):
            raise MalformedAlert("message", f"is nested more than {NESTING} deep")
        sherlock = message.get("classification")
        ra, decl = position_in(message, ("ramean", "ra"), ("decmean", "dec", "decl"))
        return Alert(
            survey="ztf",
            object_id=object_id.strip(),
            newest_mjd=_newest_mjd(message),
            ra=ra,
            decl=decl,
            sherlock_class=sherlock if isinstance(sherlock, str) and sherlock.isprintable() else None,
            message=message,
            first_mjd=_mjd_in(message, "jdmin"),
            known=_known_in(message),
        )

    def fetch(self, object_ids: Sequence[str]) -> Fetched:
        """
        Get light curves through ``lightcurves/``, all in one call.

        Raises
        ------
        BrokerUnavailable
            If the API does not answer, or refuses us. Any other answer without light curves is a reason why these
            objects have none now.
        """
        answer = self._ask(object_ids)
        if isinstance(answer, str):
            return Fetched(LightCurves.from_points([], []), dict.fromkeys(object_ids, answer))
        try:
            return curves_of_answers(answer, object_ids)
        except (ValueError, RecursionError) as error:
            raise BrokerUnavailable(self._service, f"answered no light curves: {error}") from None

    def _ask(self, object_ids: Sequence[str]) -> bytes | str:
        """Give the answer, or why there is none for these objects."""
        try:
            response = ask(
                self._session,
                "POST",
                f"{self._options.address.rstrip('/')}/lightcurves/",
                self._options.timeout.total_seconds(),
                data={"objectIds": ",".join(object_ids)},
            )
        except requests.RequestException as error:
            self.calls += 2  # as RETRY has it
            remedy = "is lightCurves.address right, and the API up?"
            raise BrokerUnavailable(self._service, problem_of(error), remedy) from None
        self.calls += 1 + len(getattr(getattr(response.raw, "retries", None), "history", ()))
        if response.status_code in AWAY:
            is_refusal = response.status_code in (401, 403)
            problem = "refuses our token" if is_refusal else f"answered {response.status_code}"
            raise BrokerUnavailable(self._service, problem, "set TIDES_LASAIRTOKEN" if is_refusal else "")
        if response.status_code == 429:
            return HOURLY_LIMIT
        if response.status_code != 200:
            return f"the light-curve API answered {response.status_code}: {response.text[:200]!r}"
        return response.content

    def try_out(self) -> str:
        """Ask for the light curve of one object, and say who answered."""
        refused = self.fetch(["ZTF18aaaaaaa"]).missing.get("ZTF18aaaaaaa", NO_DETECTION)
        if refused != NO_DETECTION:
            raise BrokerUnavailable(self._service, refused)
        return shown_address(self._options.address)


def _known_in(message: dict[str, Any]) -> dict[str, float]:
    """
    Read what else the message says of the object, as far as the filter selects it: fields of `lightcurves.Objects`.

    The same cuts as for packets in files: `formats.ztf`.
    """
    known = {"ebv": number_in(message, "ebv")}
    moving = number_in(message, "ssdistnr")
    if moving is not None:
        known["solar_system"] = float(0 <= moving <= SOLAR_SYSTEM_RADIUS)
    score, distance = number_in(message, "sgscore1"), number_in(message, "distpsnr1")
    if score is not None and distance is not None:
        known["point_source"] = float(score > STAR_SCORE and 0 <= distance < STAR_RADIUS)
    return {name: value for name, value in known.items() if value is not None}


def _is_deeper(value: object, levels: int) -> bool:
    """Tell whether nested content goes deeper than a number of levels."""
    if not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(item, levels - 1) for item in items)


def _mjd_in(message: dict[str, Any], *keys: str) -> float | None:
    """Give the newest of some Julian dates in a message as MJD; None if it has none."""
    dates = [number_in(message, key) for key in keys]
    jd = max((date for date in dates if date is not None), default=None)
    if jd is not None and not EPOCHS[0] < mjd_from_jd(jd) < EPOCHS[1]:
        raise MalformedAlert("message", f"{' or '.join(keys)} is {jd}, which is no Julian date of our time")
    return None if jd is None else mjd_from_jd(jd)


def _newest_mjd(message: dict[str, Any]) -> float:
    """Find how new a message is: ``jdmax``, else the newest of the bands, else the time of its ``UTC``."""
    newest = _mjd_in(message, "jdmax")
    if newest is None:
        newest = _mjd_in(message, "jdgmax", "jdrmax")
    if newest is not None:
        return newest
    try:
        age = datetime.fromisoformat(str(message.get("UTC"))) - _MODIFIED_EPOCH
    except (ValueError, TypeError):
        return -MJD_ZERO
    return age.total_seconds() / 86400
