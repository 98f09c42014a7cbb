"""
A simulated sky that does not end, and when each of its alerts comes.

A season is a sky of 60 nights, and every 10 nights another one begins: supernovae rise all the time, and each night is
clear for some of them. Numbers go on from season to season, so that no name comes twice.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import NamedTuple

import numpy as np

from simulators.alerts.encoders import Packet
from simulators.alerts.packets import written
from simulators.sky import Sky
from simulators.standins.demo import DAWN, KEPT

SEASON_NIGHTS = 60
STEP_NIGHTS = 10
"""Nights from the beginning of a season to that of the next."""
AT_A_TIME = SEASON_NIGHTS // STEP_NIGHTS
FIRST_NIGHT = 60676
"""The first season begins on 2025-01-01 [MJD]."""
DAWN_DAYS = DAWN / timedelta(days=1)
"""When the alerts of a night begin to come [d after its MJD]: all of it is over by then."""


class Due(NamedTuple):
    """An alert, and when it comes (MJD, UTC)."""

    mjd: float
    packet: Packet


class Season:
    """
    The sky of one season, as TiDES' filter at Lasair lets it through.

    Parameters
    ----------
    seed
        Of the whole; that of the sky is larger by the season's number.
    number
        Counts the seasons.
    objects
        How many each season has.
    """

    def __init__(self, seed: int, number: int, objects: int) -> None:
        first = FIRST_NIGHT + number * STEP_NIGHTS
        self._sky = Sky(seed + number, objects=objects, first_night=first, nights=SEASON_NIGHTS)
        self._curves = [self._sky.light_curve(thing.number) for thing in self._sky.objects]
        self._objects = [replace(thing, number=number * objects + thing.number) for thing in self._sky.objects]
        self._last: dict[int, dict[int, int]] = defaultdict(dict)  # by night and object: the last detection
        for index, (thing, curve) in enumerate(zip(self._objects, self._curves, strict=True)):
            for visit in np.flatnonzero(curve.detected) if thing.sherlock in KEPT else ():
                self._last[int(curve.night[visit])][index] = int(visit)

    def alerts(self, night: int) -> Iterator[Packet]:
        """Write the last alert of each object that was detected in a night (MJD of its evening)."""
        for index, visit in self._last.get(night, {}).items():
            yield written(self._sky, self._objects[index], self._curves[index], visit)


def due_after(begin: float, seed: int, objects: int) -> Iterator[Due]:
    """
    Give the alerts from a moment on, without end, in the order in which they come.

    Those of a night come one by one, evenly over the 24 hours after it, in the order of their epochs. The seed and the
    number of objects decide all; the moment decides where it begins, and nothing else.

    Parameters
    ----------
    begin
        The moment (MJD, UTC).
    seed
        Another one makes another sky.
    objects
        How many the sky has at a time.
    """
    seasons: dict[int, Season] = {}
    of_a_season = max(objects // AT_A_TIME, 1)
    for night in count(math.floor(begin - DAWN_DAYS)):
        newest = (night - FIRST_NIGHT) // STEP_NIGHTS
        numbers = range(max(newest - AT_A_TIME + 1, 0), newest + 1)
        seasons = {number: seasons.get(number) or Season(seed, number, of_a_season) for number in numbers}
        issued = [packet for season in seasons.values() for packet in season.alerts(night)]
        issued.sort(key=lambda packet: (packet["candidate"]["jd"], packet["objectId"]))
        for place, packet in enumerate(issued):
            mjd = night + DAWN_DAYS + (place + 0.5) / len(issued)
            if mjd > begin:
                yield Due(mjd, packet)
