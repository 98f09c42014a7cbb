"""
A gate before the Kafka stand-in, for what librdkafka's mock cluster cannot do: logins, TLS, newer clients.

It passes requests on one by one, and puts its own address where answers name the broker's. Itself it answers three:
which versions there are (the mock cluster answers newer clients in a form that only librdkafka reads), and the two of
SASL, with PLAIN or SCRAM-SHA-512. Who is not logged in is cut off, as Kafka does.

Source: the protocol guide of Kafka (kafka.apache.org/protocol) and RFC 5802.
"""

import hmac
import re
import secrets
import socket
import socketserver
import ssl
import struct
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Generator, Mapping
from hashlib import pbkdf2_hmac, sha512
from typing import Any, Final, Self

from simulators.services.running import RunningStandin

VERSIONS, HANDSHAKE, AUTHENTICATE = 18, 17, 36
"""Numbers of the requests that are answered here."""

UNSUPPORTED_MECHANISM, UNSUPPORTED_VERSION, NO_LOGIN = 33, 35, 58
"""Numbers of errors."""

NEWEST_VERSIONS: Final = 2
"""Of the request for versions: up to this it has no compact fields, as the mock cluster's answer."""

READ_RIGHTLY: Final = {8: 7, 9: 5, 11: 5, 12: 3, 13: 3, 14: 3}
"""Newest versions of the requests of groups that the mock cluster reads: it cuts off kafka-python with newer ones."""

ROUNDS: Final = 4096
"""Of SCRAM, the fewest that RFC 7677 allows."""

HOST: Final = "127.0.0.1"


class KafkaGate(RunningStandin):
    """
    A broker's address before a running `KafkaStandin`.

    Parameters
    ----------
    broker
        Where the Kafka stand-in is, ``127.0.0.1:PORT``.
    users
        Passwords by user; without any nobody logs in.
    context
        Of TLS; None is none.

    Attributes
    ----------
    address
        ``127.0.0.1:PORT``, for ``bootstrap.servers``.
    logins
        Who logged in, by which mechanism, in their order.
    """

    def __init__(
        self, broker: str, users: Mapping[str, str] | None = None, context: ssl.SSLContext | None = None
    ) -> None:
        self.users, self.context, self.logins = dict(users or {}), context, list[tuple[str, str]]()
        self.broker_port = int(broker.rpartition(":")[2])
        self._server: socketserver.ThreadingTCPServer | None = None
        self.address = ""

    def start(self) -> Self:
        """Begin to listen, on a free port."""
        gate = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                gate.serve(self.request)

        self._server = socketserver.ThreadingTCPServer((HOST, 0), Handler)
        self._server.daemon_threads, self._server.block_on_close = True, False
        self.address = f"{HOST}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def stop(self) -> None:
        """Close the port; a second call does nothing."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._server = None

    def serve(self, client: socket.socket) -> None:
        """Answer one connection until either side ends it."""
        try:
            with socket.create_connection((HOST, self.broker_port)) as broker:
                if self.context is not None:
                    client = self.context.wrap_socket(client, server_side=True)
                _Visit(self, client, broker).answer_all()
        except (OSError, struct.error):
            pass  # one side went
        finally:
            client.close()


class _Visit:
    """One connection: who logged in on it, and how far."""

    def __init__(self, gate: KafkaGate, client: socket.socket, broker: socket.socket) -> None:
        self.gate, self.client, self.broker = gate, client, broker
        self.is_in = not gate.users
        self.mechanism = ""
        self.login: Generator[bytes, bytes, str] | None = None

    def answer_all(self) -> None:
        own: dict[int, Callable[[int, bytes], bytes]] = {
            VERSIONS: self.versions, HANDSHAKE: self.handshake, AUTHENTICATE: self.authenticate
        }  # fmt: skip
        while True:
            request = _read(self.client)
            number, version = struct.unpack(">hh", request[:4])
            if number in own:
                body = request[8:]
                name = struct.unpack(">h", body[:2])[0]
                _send(self.client, request[4:8] + own[number](version, body[2 + max(name, 0) :]))
            elif self.is_in:
                _send(self.broker, request)
                _send(self.client, self.with_own_address(_read(self.broker)))
            else:
                return

    def with_own_address(self, answer: bytes) -> bytes:
        """Put the gate's port where the broker's is: it stands behind its host."""
        port = struct.pack(">i", int(self.gate.address.rpartition(":")[2]))
        named = re.escape(HOST.encode()) + re.escape(struct.pack(">i", self.gate.broker_port))
        return re.sub(named, lambda _: HOST.encode() + port, answer)

    def versions(self, version: int, _body: bytes) -> bytes:
        """Give the broker's versions and those of SASL; newer requests hear that they are, in the oldest form."""
        _send(self.broker, struct.pack(">hhih", VERSIONS, 0, 0, -1))
        answer = _read(self.broker)
        listed = [struct.unpack(">hhh", answer[start : start + 6]) for start in range(10, len(answer) - 5, 6)]
        newest = {number: min(last, READ_RIGHTLY.get(number, last)) for number, _, last in listed}
        oldest = {number: first for number, first, _ in listed}
        newest |= {HANDSHAKE: 1, AUTHENTICATE: 1}
        known = [struct.pack(">hhh", number, oldest.get(number, 0), last) for number, last in sorted(newest.items())]
        is_newer = version > NEWEST_VERSIONS
        entries = struct.pack(">i", len(known)) + b"".join(known)
        throttle = struct.pack(">i", 0) if 0 < version <= NEWEST_VERSIONS else b""
        return struct.pack(">h", UNSUPPORTED_VERSION if is_newer else 0) + entries + throttle

    def handshake(self, _version: int, body: bytes) -> bytes:
        """Agree on a mechanism."""
        self.mechanism = body[2:].decode()
        error = 0 if self.mechanism in MECHANISMS else UNSUPPORTED_MECHANISM
        return struct.pack(">hi", error, len(MECHANISMS)) + b"".join(map(_text, MECHANISMS))

    def authenticate(self, version: int, body: bytes) -> bytes:
        """Take a step of the login; who fails is told so, and is not in."""
        lifetime = struct.pack(">q", 0) if version else b""
        try:
            step = self.step(body[4:])
        except (LookupError, ValueError):
            return struct.pack(">h", NO_LOGIN) + _text("wrong user or password") + struct.pack(">i", 0) + lifetime
        return struct.pack(">hhi", 0, -1, len(step)) + step + lifetime

    def step(self, content: bytes) -> bytes:
        try:
            if self.login is None:
                self.login = MECHANISMS[self.mechanism](self.gate.users, content)
                return next(self.login)
            return self.login.send(content)
        except StopIteration as end:
            user, last = end.value
            self.is_in = True
            self.gate.logins.append((user, self.mechanism))
            return bytes(last)


def _plain(users: Mapping[str, str], content: bytes) -> Generator[bytes, bytes, Any]:
    """Log in by user and password as they are; gives the user, and the last word. Raises LookupError for another."""
    _, user, password = content.decode().split("\0")
    if not hmac.compare_digest(users[user], password):
        raise LookupError(user)
    return user, b""
    yield b""


def _scram(users: Mapping[str, str], content: bytes) -> Generator[bytes, bytes, Any]:
    """Log in by SCRAM-SHA-512; as `_plain`."""
    bare = content.decode().split(",", 2)[2]
    given = dict(part.split("=", 1) for part in bare.split(","))
    salt, nonce = secrets.token_bytes(16), given["r"] + secrets.token_hex(12)
    first = f"r={nonce},s={b64encode(salt).decode()},i={ROUNDS}"
    last = (yield first.encode()).decode()
    without_proof, _, proof = last.rpartition(",p=")
    salted = pbkdf2_hmac("sha512", users[given["n"]].encode(), salt, ROUNDS)
    signed = f"{bare},{first},{without_proof}".encode()
    stored = sha512(_hmac(salted, b"Client Key")).digest()
    key = bytes(a ^ b for a, b in zip(b64decode(proof), _hmac(stored, signed), strict=True))
    if sha512(key).digest() != stored or f"r={nonce}" not in without_proof.split(","):
        raise LookupError(given["n"])
    return given["n"], b"v=" + b64encode(_hmac(_hmac(salted, b"Server Key"), signed))


MECHANISMS: Final = {"PLAIN": _plain, "SCRAM-SHA-512": _scram}
"""How somebody logs in: ANTARES has the first, Fink, ALeRCE and Lasair's kind of server the second."""


def _hmac(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha512")


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def _read(stream: socket.socket) -> bytes:
    """Read one request or answer; raises OSError at the end."""
    return _exactly(stream, struct.unpack(">i", _exactly(stream, 4))[0])


def _exactly(stream: socket.socket, number: int) -> bytes:
    parts = bytearray()
    while len(parts) < number:
        part = stream.recv(number - len(parts))
        if not part:
            raise ConnectionError("the other side has gone")
        parts += part
    return bytes(parts)


def _send(stream: socket.socket, content: bytes) -> None:
    stream.sendall(struct.pack(">i", len(content)) + content)
