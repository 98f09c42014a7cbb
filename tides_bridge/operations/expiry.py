"""When the certificates of the services end that are spoken to, and the tokens that they ask for."""

import base64
import binascii
import json
import socket
import ssl
from datetime import UTC, datetime, time
from pathlib import Path
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from tides_bridge.operations.problems import Certificate, Token
from tides_bridge.settings import Settings

ANSWER_SECONDS = 5.0
"""[s] A server that has not shown its certificate by then was not reached."""


def https_addresses(settings: Settings) -> list[str]:
    """List the servers that the settings lead to by https, each once, as https://host[:port]."""
    addresses = [settings.fourmost.address, settings.page.address]
    for broker_settings in settings.each_broker():
        addresses += [broker_settings.light_curves.address, broker_settings.broker.schema_registry]
    parts = [urlsplit(address) for address in addresses if address]
    return list(dict.fromkeys(f"https://{part.netloc.rpartition('@')[2]}" for part in parts if part.scheme == "https"))


def certificate_of(address: str) -> Certificate:
    """
    Look at the certificate of a server, with the authorities that the bridge itself believes when it asks there.

    Parameters
    ----------
    address
        As `https_addresses` gives it.

    Returns
    -------
    Certificate
        With its end, or with a problem if it is not believed; with neither if the server was not reached.
    """
    part = urlsplit(address)
    host, port = part.hostname or "", part.port or 443
    try:
        with (
            socket.create_connection((host, port), ANSWER_SECONDS) as connection,
            _context_of_requests().wrap_socket(connection, server_hostname=host) as secured,
        ):
            ends = dict(secured.getpeercert() or {}).get("notAfter")
    except ssl.SSLCertVerificationError as error:
        return Certificate(address, problem=error.verify_message)
    except OSError:
        return Certificate(address)
    return Certificate(address, datetime.fromtimestamp(ssl.cert_time_to_seconds(str(ends)), UTC))


def _context_of_requests() -> ssl.SSLContext:
    """Believe whom requests believes: what its variables name, else the authorities that came with it."""
    verify = requests.Session().merge_environment_settings("https://", {}, None, None, None)["verify"]
    believed = Path(verify if isinstance(verify, str) else DEFAULT_CA_BUNDLE_PATH)
    if believed.is_dir():
        return ssl.create_default_context(capath=believed)
    return ssl.create_default_context(cafile=believed)


def tokens_of(settings: Settings) -> tuple[Token, ...]:
    """List the tokens of which it is known when they end: the settings say so, or the token itself."""
    lasair, limits = settings.lasair_token, settings.watchdog
    known = {
        "lasairToken": (lasair, limits.lasair_token_ends),
        "fourmost.token": (settings.fourmost.token, limits.fourmost_token_ends),
    }
    known |= {f"brokers.{name}.token": (broker.token, None) for name, broker in settings.brokers.items()}
    ends = {key: datetime.combine(day, time(), UTC) if day else end_of(secret) for key, (secret, day) in known.items()}
    return tuple(Token(key, end) for key, end in ends.items() if end)


def end_of(token: SecretStr | None) -> datetime | None:
    """
    Tell when a JSON web token ends (``exp``, RFC 7519); None for a token of another kind.

    >>> end_of(SecretStr("e30.eyJleHAiOiAxODAwMDAwMDAwfQ.x")), end_of(SecretStr("opaque"))
    (datetime.datetime(2027, 1, 15, 8, 0, tzinfo=datetime.timezone.utc), None)
    """
    parts = token.get_secret_value().split(".") if token else []
    try:
        content = json.loads(base64.urlsafe_b64decode(parts[1] + "==")) if len(parts) == 3 else {}
        return datetime.fromtimestamp(content["exp"], UTC)
    except (binascii.Error, ValueError, KeyError, TypeError, OverflowError, OSError):
        return None
