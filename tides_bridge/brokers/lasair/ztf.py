"""
Lasair for ZTF: JSON messages without light curve, and the light-curve call of its API.

Sources: lasair4 ``run_active_queries.py`` (message), ``serializers.py`` and ``lightcurves.py`` (API).
"""

import re
from collections.abc import Sequence
from typing import Any

from tides_bridge.brokers.base import Decoded, Fetched, brief, number_in, position_in
from tides_bridge.brokers.decoding import decode_each
from tides_bridge.brokers.lasair.api import RETRY, LightCurveApi, check_nesting, mjd_of_utc, row_in
from tides_bridge.brokers.lasair.curves import NO_DETECTION, fetched_light_curves
from tides_bridge.brokers.models import Alert, Message
from tides_bridge.errors import BrokerUnavailable, MalformedAlert
from tides_bridge.formats.meaning.annotations import annotations_in
from tides_bridge.formats.meaning.epochs import EPOCHS
from tides_bridge.formats.meaning.sky import SOLAR_SYSTEM_RADIUS, STAR_RADIUS, STAR_SCORE
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import mjd_from_jd
from tides_bridge.settings import shown_address

__all__ = ["NAME", "RETRY", "LasairZtf"]

NAME = re.compile(r"[\w.+-]{1,256}", re.ASCII)
"""What a name may look like: one that a list with commas, an index of the database and 4MOST can carry."""


class LasairZtf(LightCurveApi):
    """Lasair's ZTF broker. It is made from settings: the address of the API, and the token."""

    def decode(self, messages: Sequence[Message]) -> Decoded:
        """Read messages; their light curves are to be fetched."""
        return decode_each(messages, lambda message: (self.alert_in(message.value), None))

    def alert_in(self, body: bytes) -> Alert:
        """
        Turn one message into an alert.

        A message holds exactly the columns that the filter selects, and ``UTC``. Only ``objectId`` is needed.

        Raises
        ------
        MalformedAlert
            If it is not a JSON object with an ``objectId``, its position is not on the sky, or a date in it is none;
            a date of NaN counts as missing.
        """
        message = row_in(body)
        object_id = message.get("objectId")
        if not isinstance(object_id, str) or not NAME.fullmatch(object_id.strip()):
            problem = f"objectId is {brief(object_id)}, not a name: does the filter select objectId?"
            raise MalformedAlert("message", problem)
        check_nesting(message)
        sherlock = message.get("classification")
        ra, decl = position_in(message, ("ramean", "ra"), ("decmean", "dec", "decl"))
        # The newest of the bands where there is no newest of all; else the time of the message itself.
        newest = _mjd_in(message, "jdmax")
        if newest is None:
            newest = _mjd_in(message, "jdgmax", "jdrmax")
        return Alert(
            survey="ztf",
            object_id=object_id.strip(),
            newest_mjd=mjd_of_utc(message.get("UTC")) if newest is None else newest,
            ra=ra,
            decl=decl,
            sherlock_class=sherlock if isinstance(sherlock, str) and sherlock.isprintable() else None,
            message=message,
            first_mjd=_mjd_in(message, "jdmin"),
            known=_known_in(message),
            annotations=annotations_in(message, "lasair"),
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
        answer = self._post("lightcurves", {"objectIds": ",".join(object_ids)})
        if isinstance(answer, str):
            return Fetched(LightCurves.from_points([], []), dict.fromkeys(object_ids, answer))
        try:
            return fetched_light_curves(answer, object_ids)
        except (ValueError, RecursionError) as error:
            raise BrokerUnavailable(self._service, f"answered no light curves: {error}") from None

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


def _mjd_in(message: dict[str, Any], *keys: str) -> float | None:
    """Give the newest of some Julian dates in a message as MJD; None if it has none."""
    dates = [number_in(message, key) for key in keys]
    jd = max((date for date in dates if date is not None), default=None)
    if jd is not None and not EPOCHS[0] < mjd_from_jd(jd) < EPOCHS[1]:
        raise MalformedAlert("message", f"{' or '.join(keys)} is {jd}, which is no Julian date of our time")
    return None if jd is None else mjd_from_jd(jd)
