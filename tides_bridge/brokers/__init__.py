"""
Brokers: one module each over one small protocol, `tides_bridge.brokers.base.Broker`.

A broker turns its messages into our models and gets the light curves of objects. Kafka itself is the same for all of
them: `tides_bridge.brokers.stream`.
"""

from tides_bridge.brokers.base import Broker
from tides_bridge.brokers.lasair_ztf import LasairZtf
from tides_bridge.settings import Settings

KINDS = {"lasair_ztf": LasairZtf}
"""The brokers that ``broker.kind`` may name. A new one is a module and a line here."""


def broker_of(settings: Settings) -> Broker:
    """Give the broker that the settings name."""
    return KINDS[settings.broker.kind](settings)
