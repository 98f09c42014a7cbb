"""
The transients that FASTDB saw lately, as a stream: each with its light curve, in the order of its newest detection.

A topic is a processing version, ``realtime``, with one partition. The offset is the epoch of the newest detection, so
that a run asks for what was detected since. FASTDB takes alerts in hours late and out of order: what was detected in
the day before is asked for again, and is then decided again, as with any alert that comes twice.
"""

import json
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self

from tides_bridge import failpoints
from tides_bridge.brokers.fastdb.api import FastDbApi
from tides_bridge.brokers.kafka import Partition
from tides_bridge.brokers.models import Message, Pull
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.lightcurves.photometry import time_from_mjd
from tides_bridge.settings import Settings

DAY: Final = 10**9
"""Offsets a day: 100 microdays apart are ten thousand objects of one image."""

AGAIN_DAYS: Final = 1.0
"""[d] How much is asked for again."""

FIRST_DAYS: Final = 30.0
"""[d] How far the first run looks back, as FASTDB itself does where nothing is said."""

SOURCES_A_CALL: Final = 1000


class HotTransients:
    """
    The stream; parameters, attributes and methods are those of `file_stream.FileStream`.

    Raises
    ------
    BrokerUnavailable
        From every method that asks, if FASTDB does not answer.
    """

    def __init__(
        self,
        settings: Settings,
        positions: Mapping[Partition, int] | None = None,
        digests: Mapping[Partition, str] | None = None,
    ) -> None:
        self._api, self._place = FastDbApi(settings), (str(settings.topic), 0)
        self.batch_size = settings.broker.batch_size
        self.refilled: list[Partition] = []
        self._next = dict(positions or {}).get(self._place)
        self._waiting: list[Message] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close nothing."""

    def partitions(self) -> list[Partition]:
        """Give the one there is."""
        return [self._place]

    def next_pull(self) -> Pull:
        """Ask, the first time, and give as many as a batch has."""
        with failpoints.around("consume"):
            if self._waiting is None:
                self._waiting = self._messages()
        messages, self._waiting = self._waiting[: self.batch_size], self._waiting[self.batch_size :]
        if not messages:
            return Pull([], {}, is_last=True)
        self._next = max(messages[-1].offset + 1, self._next or 0)
        newest = time_from_mjd(messages[-1].offset / DAY)
        return Pull(messages, {self._place: self._next}, {}, {self._place: newest}, is_last=not self._waiting)

    def commit(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Do nothing: nobody else keeps our place."""

    def lag(self) -> dict[Partition, int]:
        """See that FASTDB answers; what is still to be read is not known before it is asked for."""
        self._api.ask("getprocvers", {})
        return {self._place: 0}

    def left(self) -> int | None:
        """Tell nothing, as `lag`."""
        return None

    def _messages(self) -> list[Message]:
        since = {"detected_in_last_days": FIRST_DAYS}
        if self._next is not None:
            since = {"detected_since_mjd": self._next / DAY - AGAIN_DAYS}
        path = f"ltcv/gethottransients/{self._place[0]}"
        found = self._api.ask(path, since | {"include_source_positions": True})
        if not isinstance(found, dict) or not isinstance(found.get("ltcvs"), list):
            raise BrokerUnavailable("FASTDB", "answered no light curves (ltcvs) to gethottransients")
        curves = [(newest_source(curve), curve) for curve in found["ltcvs"]]
        brokers = self._brokers([source for (_, source), _ in curves if source])
        return list(self._in_order(curves, found.get("objinfo"), brokers))

    def _in_order(self, curves: list[Any], info: object, brokers: dict[str, Any]) -> Iterator[Message]:
        """Make messages; each has an offset of its own, that of its newest detection or the next that is free."""
        offset = 0
        places = places_in(info)
        for (mjd, source), curve in sorted(curves, key=lambda pair: (pair[0][0], str(pair[0][1]))):
            offset = max(int(mjd * 10**5) * 10**4, offset + 1)
            root = curve.get("rootid") if isinstance(curve, dict) else None
            content = {"ltcv": curve, "place": places.get(str(root)), "brokers": brokers.get(str(source), [])}
            yield Message(*self._place, offset, json.dumps(content).encode())

    def _brokers(self, sources: list[int]) -> dict[str, Any]:
        """Ask what brokers said of some detections, by their ids."""
        found: dict[str, Any] = {}
        for start in range(0, len(sources), SOURCES_A_CALL):
            path = f"ltcv/getbrokerinfo/{self._place[0]}"
            answer = self._api.ask(path, {"diasourceids": sources[start : start + SOURCES_A_CALL]})
            found |= answer if isinstance(answer, dict) else {}
        return found


def newest_source(curve: object) -> tuple[float, int | None]:
    """Give epoch [d] and id of the newest detection of a light curve; 0 and None where it has none, or is none."""
    try:
        columns = [curve[name] for name in ("mjd", "isdet", "diasourceid")]  # type: ignore[index]
        found = [(float(mjd), int(source)) for mjd, isdet, source in zip(*columns, strict=True) if isdet and source]
    except (KeyError, TypeError, ValueError):
        return 0.0, None
    return max(found, default=(0.0, None))


def places_in(info: object) -> dict[str, tuple[Any, Any]]:
    """Give where objects are [deg], by root id, from the columns of ``objinfo``."""
    try:
        columns = [info[name] for name in ("rootid", "ra", "dec")]  # type: ignore[index]
        return {str(root): (ra, decl) for root, ra, decl in zip(*columns, strict=True)}
    except (KeyError, TypeError, ValueError):
        return {}
