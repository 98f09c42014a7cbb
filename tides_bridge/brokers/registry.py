"""
A schema registry: where the schema of a number is asked for that no file has.

Confluent's protocol: ``GET {address}/schemas/ids/{number}`` answers ``{"schema": "..."}``, 404 for a number it does not
know. Registries have been away for a week (community.lsst.org t/8867): keep the schemas of Rubin in a folder, too.
"""

import json
from contextlib import suppress
from functools import lru_cache

import requests

from tides_bridge.errors import BrokerUnavailable, MalformedAlert
from tides_bridge.settings import shown_address
from tides_bridge.web import ask, problem_of

KNOWN = 900
"""The number that a registry is tried out with: Rubin's schema 9.0. That it is unknown is an answer, too."""


@lru_cache(256)
def schema_text(address: str, number: int, timeout: float) -> str:
    """
    Ask for a schema; it is asked for once.

    Parameters
    ----------
    address
        Of the registry.
    number
        Of the schema.
    timeout
        [s] to wait for an answer.

    Raises
    ------
    BrokerUnavailable
        If the registry does not answer as it should.
    MalformedAlert
        If it does not know the number.
    """
    service = f"schema registry {shown_address(address)}"
    remedy = "is broker.schemaRegistry right? A folder with the schemas, as broker.schemas, would do without it"
    try:
        with requests.Session() as session:
            response = ask(session, "GET", f"{address.rstrip('/')}/schemas/ids/{number}", timeout)
    except requests.RequestException as error:
        raise BrokerUnavailable(service, problem_of(error), remedy) from None
    if response.status_code == 404:
        raise MalformedAlert("message", f"has the schema number {number}, which the {service} does not know")
    if response.status_code != 200:
        raise BrokerUnavailable(service, f"answered {response.status_code}", remedy)
    try:
        return str(json.loads(response.content)["schema"])
    except (ValueError, LookupError, TypeError, RecursionError):
        raise BrokerUnavailable(service, "answered no schema", remedy) from None


def try_out_registry(address: str, timeout: float) -> str:
    """Ask for a schema, and say who answered; raises BrokerUnavailable."""
    with suppress(MalformedAlert):
        schema_text(address, KNOWN, timeout)
    return shown_address(address)
