"""When certificates and tokens end; the certificates are real ones, of servers on this machine."""

import base64
import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from tests.support.processes import free_port
from tides_bridge.operations import expiry
from tides_bridge.operations.expiry import certificate_of, end_of, https_addresses, tokens_of
from tides_bridge.settings import Settings

NEEDED: dict[str, Any] = {"groupID": "g", "selectFunction": "f"}
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


def certificate(folder: Path, ends: datetime, host: str = "localhost") -> Path:
    """Make a certificate that vouches for itself; its key is in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), NOW - 9 * DAY, ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "both.pem").write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    (folder / "believed.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return folder / "both.pem"


@contextlib.contextmanager
def https_server(file: Path) -> Iterator[str]:
    """Show a certificate to one client; give the address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    def greet() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):  # the client does not believe us
            context.wrap_socket(connection, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=greet)
        thread.start()
        yield f"https://localhost:{listener.getsockname()[1]}"
        thread.join()


@pytest.fixture
def believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of which requests, too, would believe the certificate."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "believed.pem"))
    return tmp_path


def test_the_end_of_a_certificate_is_read(believed: Path) -> None:
    with https_server(certificate(believed, NOW + 20 * DAY)) as address:
        found = certificate_of(address)
    assert (found.address, found.ends, found.problem) == (address, NOW + 20 * DAY, None)


@pytest.mark.parametrize(("days", "host", "words"), [(-1, "localhost", "expired"), (9, "example.org", "localhost")])
def test_one_that_ended_or_is_of_another_host_is_not_believed(believed: Path, days: int, host: str, words: str) -> None:
    with https_server(certificate(believed, NOW + days * DAY, host)) as address:
        found = certificate_of(address)
    assert found.ends is None and words in str(found.problem)


def test_one_that_vouches_for_itself_is_not_believed(tmp_path: Path) -> None:
    with https_server(certificate(tmp_path, NOW + DAY)) as address:
        assert "self-signed" in str(certificate_of(address).problem)


def test_a_server_that_is_not_reached_or_says_nothing_is_not_this_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = f"https://127.0.0.1:{free_port()}"
    assert (certificate_of(nobody).ends, certificate_of(nobody).problem) == (None, None)
    with socket.create_server(("127.0.0.1", 0)) as listener:  # it takes the call, and says nothing
        monkeypatch.setattr(expiry, "ANSWER_SECONDS", 0.2)
        found = certificate_of(f"https://127.0.0.1:{listener.getsockname()[1]}")
    assert (found.ends, found.problem) == (None, None)


def test_each_https_server_of_the_settings_is_looked_at_once_and_no_secret_of_its_address_is_kept() -> None:
    brokers = {
        "a": {"topic": "a", "lightCurves": {"address": "https://api.a/x"}, "schemaRegistry": "https://u:p@schemas/y"},
        "b": {"topic": "b", "lightCurves": {"address": "https://api.a/z"}},
        "c": {"topic": "c", "lightCurves": {"address": "http://plain"}},
    }
    settings = Settings(**NEEDED, brokers=brokers, fourmost={"address": "https://4most:8443/QFSwi"})
    assert https_addresses(settings) == ["https://4most:8443", "https://api.a", "https://schemas"]


# Tokens


def web_token(content: object) -> SecretStr:
    part = base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
    return SecretStr(f"e30.{part}.signature")


def test_a_token_may_say_itself_when_it_ends() -> None:
    end = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert end_of(web_token({"exp": end.timestamp()})) == end


@pytest.mark.parametrize("content", [{}, [], 7, None, {"exp": None}, {"exp": "x"}, {"exp": 1e30}, {"exp": [1]}])
def test_a_token_that_does_not_say_when_it_ends_is_left_alone(content: object) -> None:
    assert end_of(web_token(content)) is None


@pytest.mark.parametrize("token", ["", "abc", "a.b.c", "..", "ä.ö.ü", "a.b", "a.____.c"])
def test_a_token_of_another_kind_is_left_alone(token: str) -> None:
    assert end_of(SecretStr(token)) is None
    assert end_of(None) is None


def test_the_settings_may_say_when_a_token_ends() -> None:
    ends = {"lasairTokenEnds": date(2027, 1, 31), "fourmostTokenEnds": "2027-02-28"}
    brokers = {"a": {"topic": "a", "token": web_token({"exp": 0})}}
    settings = Settings(**NEEDED, brokers=brokers, watchdog=ends)
    assert {each.key: f"{each.ends:%Y-%m-%d %H:%M}" for each in tokens_of(settings)} == {
        "lasairToken": "2027-01-31 00:00",
        "fourmost.token": "2027-02-28 00:00",
        "brokers.a.token": "1970-01-01 00:00",
    }
    assert tokens_of(Settings(**NEEDED, topic="t", lasairToken="opaque")) == ()
