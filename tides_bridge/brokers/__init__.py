"""
Brokers: one module each over one small protocol, `tides_bridge.brokers.base.Broker`.

A broker turns its messages into our models, with their light curves or without, and gets those that are missing. Kafka
itself is the same for all of them: `tides_bridge.brokers.stream`.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from tides_bridge.brokers.base import Broker
from tides_bridge.brokers.kafka import Partition
from tides_bridge.brokers.models import Message
from tides_bridge.brokers.stream import AlertStream
from tides_bridge.errors import SettingsError
from tides_bridge.settings import Settings

KINDS = {
    "lasair_ztf": "tides_bridge.brokers.lasair.ztf:LasairZtf",
    "lasair_lsst": "tides_bridge.brokers.lasair.lsst:LasairLsst",
    "fink_ztf": "tides_bridge.brokers.fink:FinkZtf",
    "fink_lsst": "tides_bridge.brokers.fink:FinkLsst",
    "elasticc": "tides_bridge.brokers.elasticc:Elasticc",
    "elasticc_classes": "tides_bridge.brokers.elasticc:ElasticcClasses",
    "rubin": "tides_bridge.brokers.rubin:Rubin",
    "babamul_ztf": "tides_bridge.brokers.babamul:BabamulZtf",
    "babamul_lsst": "tides_bridge.brokers.babamul:BabamulLsst",
    "alerce": "tides_bridge.brokers.alerce:Alerce",
    "antares": "tides_bridge.brokers.antares:Antares",
    "fastdb": "tides_bridge.brokers.fastdb.broker:FastDb",
    "recorded": "tides_bridge.brokers.recorded:RecordedBroker",
}
"""The brokers that ``broker.kind`` may name: module and class. A new one is a module and a line here."""


def broker_of(settings: Settings) -> Broker:
    """
    Give the broker that the settings name.

    Raises
    ------
    SettingsError
        If there is none of that kind.
    """
    place = KINDS.get(settings.broker.kind)
    if place is None:
        problem = f"{settings.broker.kind} is no broker; there are: {', '.join(KINDS)}"
        key = f"brokers.{settings.broker_name}.kind" if settings.brokers else "broker.kind"
        raise SettingsError("settings", key, problem)
    module, _, name = place.partition(":")
    return cast(Broker, getattr(import_module(module), name)(settings))


ONLY_OF = {"rubin": "lsst", "fastdb": "lsst", "elasticc": "elasticc", "elasticc_classes": "elasticc"}
"""Kinds whose names do not end with the survey that they are of."""


def serves(settings: Settings, survey: str) -> bool:
    """
    Tell whether a broker may know objects of a survey: names alone do not say whose they are.

    Parameters
    ----------
    settings
        Of one broker.
    survey
        ``ztf``, ``lsst`` or ``elasticc``.
    """
    kind = settings.broker.kind
    only = ONLY_OF.get(kind) or kind.rpartition("_")[2]
    return survey == only or only not in ("ztf", "lsst", "elasticc")


def stream_of(
    settings: Settings, positions: Mapping[Partition, int] | None = None, digests: Mapping[Partition, str] | None = None
) -> AlertStream:
    """
    Give the stream of a broker, to be read on from some positions; files are one, too, and what FASTDB saw lately.

    Parameters
    ----------
    settings
        Of one broker; its kind ``recorded`` reads files as if they were a stream.
    positions
        Offset of the next message by topic and partition, as the database keeps them; where none is known it begins
        at the beginning.
    digests
        Of the last message before each position: another one there means that the topic was filled anew.

    Raises
    ------
    SettingsError
        If librdkafka refuses the options, or the files are not there.
    """
    if settings.broker.kind == "fastdb":
        hot = import_module("tides_bridge.brokers.fastdb.hot_transients").HotTransients
        return cast(AlertStream, hot(settings, positions, digests))
    if settings.broker.kind == "recorded":
        of_files = import_module("tides_bridge.brokers.file_stream").FileStream
        return cast(AlertStream, of_files(settings, positions, digests))
    return AlertStream(settings, positions, digests)


def problem_with(settings: Settings, broker: str, message: Message) -> str | None:
    """
    Tell why a message cannot be read by the broker of some name; None if it can.

    Parameters
    ----------
    settings
        In which the broker must still be named.
    broker
        Its name, as a refused message keeps it.
    message
        One that was refused before; a newer version of the bridge or of the schemas may read it.
    """
    brokers = settings.each_broker()
    named = [candidate for candidate in brokers if candidate.broker_name == broker]
    if not named:
        return f"no broker is called {broker} in the settings any more"
    refused = broker_of(named[0]).decode([message]).refused
    return refused[0].reason if refused else None
