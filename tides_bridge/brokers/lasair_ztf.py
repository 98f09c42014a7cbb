"""
Lasair for ZTF: JSON messages without light curve, and the light-curve call of its API.

Sources: lasair4 ``run_active_queries.py`` (message), ``serializers.py`` and ``lightcurves.py`` (API).
"""

import json
import logging
import math
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tides_bridge.brokers.base import HOURLY_LIMIT, Fetched, brief, number_in, position_in
from tides_bridge.errors import BrokerUnavailable, MalformedAlert
from tides_bridge.lightcurves import LightCurves
from tides_bridge.models import Alert
from tides_bridge.photometry import BANDS, MJD_ZERO, ZTF_BANDS, mjd_from_jd
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

EPOCHS = (30000.0, 100000.0)
"""[d] MJD of the years 1941 to 2132: an epoch outside is none."""

LAST_NIGHT = 10**6
"""Nights are numbered by ZTF since 2017, or by MJD: a number beyond is none."""

_MODIFIED_EPOCH = datetime(1858, 11, 17)
_POSITIVE = ("t", "1", 1, True)
_NONE = float("nan")


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
        answers = self._ask(object_ids)
        if isinstance(answers, str):
            return Fetched(LightCurves.from_points([], []), dict.fromkeys(object_ids, answers))
        rows: list[tuple[object, ...]] = []
        found: list[str] = []
        missing: dict[str, str] = {}
        for object_id in object_ids:
            try:
                points = points_of(answers.get(object_id), len(found))
            except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
                missing[object_id] = f"its light curve cannot be read: {brief(error)}"
                continue
            if points:
                found.append(object_id)
                rows += points
            else:
                missing[object_id] = "the light-curve API has no detection of it"
        return Fetched(LightCurves.from_points(found, rows), missing)

    def _ask(self, object_ids: Sequence[str]) -> dict[str, Any] | str:
        """Give the answers by object id, or why there are none for these objects."""
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
        try:
            # Not response.json(): literal NaN is usual here.
            return _by_object(json.loads(response.content), object_ids)
        except (ValueError, RecursionError) as error:
            raise BrokerUnavailable(self._service, f"answered no light curves: {error}") from None

    def try_out(self) -> str:
        """Ask for the light curve of one object, and say who answered."""
        answer = self._ask(["ZTF18aaaaaaa"])
        if isinstance(answer, str):
            raise BrokerUnavailable(self._service, answer)
        return shown_address(self._options.address)


def _by_object(answer: object, object_ids: Sequence[str]) -> dict[str, Any]:
    """
    Sort both shapes of an answer by object id.

    Today: a list of ``{objectId, candidates, forcedphot}``. Older servers: a list of lists of candidates in the order
    asked for. Where one entry has a name, one without is nobody's: by its place it might be another object's.
    """
    if not isinstance(answer, list):
        raise ValueError(f"{str(answer)[:200]!r} is not a list")
    named = [entry for entry in answer if isinstance(entry, dict) and "objectId" in entry]
    if named:
        return {str(entry["objectId"]): entry.get("candidates") for entry in named}
    if len(answer) != len(object_ids):
        raise ValueError(f"{len(answer)} answers to {len(object_ids)} objects")
    return {
        object_id: entry.get("candidates") if isinstance(entry, dict) else entry
        for object_id, entry in zip(object_ids, answer, strict=True)
    }


def points_of(candidates: list[dict[str, Any]] | None, index: int) -> list[tuple[object, ...]]:
    """
    Make the rows of one object for `LightCurves.from_points`; none if it has no detection.

    A detection is what has a ``candid``: with ``lasair_added`` a limit has a ``magpsf`` too. One that comes twice is
    counted once. A point that cannot be read is left out, and logged.

    Raises
    ------
    TypeError, ValueError, KeyError, AttributeError, OverflowError
        If the answer is no list of points, or no detection can be read.
    """
    candidates = candidates or []
    detections = {point["candid"]: point for point in candidates if point.get("candid") is not None}
    limits = [point for point in candidates if point.get("candid") is None]
    has_nights = all(point.get("nid") is not None for point in detections.values())
    rows, problems = [], []
    for point in (*detections.values(), *(limits if detections else ())):
        try:
            rows.append(_row(point, index, has_nights))
        except (TypeError, ValueError, KeyError, OverflowError) as problem:
            problems.append(problem)
    if problems and not any(row[6] for row in rows):
        raise problems[0]
    if problems:
        logger.warning("points left out number=%d of=%d first=%r", len(problems), len(candidates), problems[0])
    return rows


def _row(point: dict[str, Any], index: int, has_nights: bool) -> tuple[object, ...]:
    """Make one row; where detections have no ``nid``, a night is the Rubin day of observation, floor(MJD_UTC - 0.5)."""
    mjd = mjd_from_jd(float(point["jd"]))
    night = int(point["nid"]) if has_nights and point.get("nid") is not None else math.floor(mjd - 0.5)
    if not EPOCHS[0] < mjd < EPOCHS[1] or not 0 <= night < LAST_NIGHT:
        raise ValueError(f"jd {point['jd']}, nid {point.get('nid')}")
    is_detection = point.get("candid") is not None
    band = ZTF_BANDS.get(int(point["fid"]))
    return (
        index,
        mjd,
        BANDS.index(band) if band else -1,
        _value(point, "magpsf") if is_detection else _NONE,
        _value(point, "sigmapsf") if is_detection else _NONE,
        night,
        is_detection,
        point.get("isdiffpos") in _POSITIVE,
        _value(point, "ra"),
        _value(point, "dec"),
    )


def _value(point: dict[str, Any], key: str) -> float:
    """Give a number of a point; NaN where it is missing, infinite, or a sentinel: -999, -99999."""
    value = _NONE if point.get(key) is None else float(point[key])
    return value if math.isfinite(value) and value not in (-999.0, -99999.0) else _NONE


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
