"""
The web API of FASTDB: a login by challenge, then JSON for JSON.

Sources: LSSTDESC/FASTDB, ``client/fastdb_client.py`` (login, ``db/runsqlquery``), ``src/webserver/ltcvapp.py`` and
``docs/usage.rst``; no code of it is used. Not verified at the service itself: it needs an account of DESC.
"""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from tides_bridge.brokers.lasair.api import LightCurveApi, refusal_in
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.formats import in_one_line
from tides_bridge.formats.json_text import LITERALS
from tides_bridge.settings import Settings

ROUNDS = 100_000
"""Of PBKDF2, which makes the key of the private key out of the password."""

NO_CHALLENGE = (KeyError, TypeError, ValueError, InvalidTag)
"""What is raised of a challenge that our password does not open, or that is none."""


class FastDbApi(LightCurveApi):
    """
    The API, logged in with the first call.

    Parameters
    ----------
    settings
        With ``lightCurves.address``, and ``USER:PASSWORD`` as the token.
    """

    sends_token = False

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        token = settings.lasair_token.get_secret_value() if settings.lasair_token else ""
        self._user, _, self._password = token.partition(":")
        self._key = f"brokers.{settings.broker_name}.token" if settings.brokers else "lasairToken"
        self._is_logged_in = False

    def ask(self, path: str, content: Mapping[str, Any]) -> Any:
        """
        Post JSON, and give the JSON that is answered.

        Raises
        ------
        BrokerUnavailable
            If there is none, we are refused, or have no user and password.
        """
        if not self._is_logged_in:
            self._log_in()
        return self._post_json(path, content)

    def query(self, text: str, **values: Any) -> list[dict[str, Any]]:
        """Run SQL there (``db/runsqlquery``), with ``%(name)s`` for values; gives the rows, and raises as `ask`."""
        found = self.ask("db/runsqlquery/", {"query": text, "subdict": values, "return_format": 0})
        if not isinstance(found, dict) or not isinstance(found.get("rows"), list):
            problem = found.get("error") if isinstance(found, dict) else found
            raise BrokerUnavailable(self._service, f"answered no rows: {in_one_line(problem)}")
        rows: list[dict[str, Any]] = found["rows"]
        return rows

    def _log_in(self) -> None:
        if not self._user or not self._password:
            raise BrokerUnavailable(self._service, "needs a login", f"set {self._key} to USER:PASSWORD of FASTDB")
        challenge = self._post_json("auth/getchallenge", {"username": self._user})
        try:
            response = answer_to(challenge, self._password)
        except NO_CHALLENGE:
            raise BrokerUnavailable(self._service, f"refuses user or password ({self._key})") from None
        found = self._post_json("auth/respondchallenge", {"username": self._user, "response": response})
        if not isinstance(found, dict) or found.get("status") != "ok":
            raise BrokerUnavailable(self._service, f"refuses user or password ({self._key})")
        self._is_logged_in = True

    def _post_json(self, path: str, content: Mapping[str, Any]) -> Any:
        response = self._answer("POST", path, json=content)
        if response.status_code != 200:
            self._is_logged_in = False  # it may have forgotten us
            raise BrokerUnavailable(self._service, refusal_in(response))
        try:
            return msgspec.json.decode(LITERALS.sub(b"null", response.content))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            raise BrokerUnavailable(self._service, f"answered no JSON: {in_one_line(problem)}") from None


def answer_to(challenge: Mapping[str, str], password: str) -> str:
    """
    Decrypt a challenge.

    Parameters
    ----------
    challenge
        ``privkey``, encrypted by a key that password and ``salt`` make, with ``iv``; and ``challenge``, encrypted by
        the public key to it. In base64.
    password
        Of the user.

    Raises
    ------
    KeyError, TypeError, ValueError, InvalidTag
        If it is none, or the password is another.
    """
    part = {name: b64decode(challenge[name]) for name in ("challenge", "privkey", "salt", "iv")}
    key = PBKDF2HMAC(SHA256(), 32, part["salt"], ROUNDS).derive(password.encode())
    written = AESGCM(key).decrypt(part["iv"], part["privkey"], None)
    load = load_pem_private_key if written.startswith(b"-----") else load_der_private_key
    private = load(written, None)
    if not isinstance(private, RSAPrivateKey):
        raise TypeError("no key of RSA")
    return private.decrypt(part["challenge"], OAEP(MGF1(SHA256()), SHA256(), None)).decode()
