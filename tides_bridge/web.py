"""HTTP with an end: an answer that drips in slower than our patience, or is longer than all reason, is no answer."""

import re
import time
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

PATIENCE = 4
"""A whole answer may take that many time-outs; each of its parts one."""

PIECE = 65536
"""[bytes] What is read at once, at most."""

LONGEST_ANSWER = 200_000_000
"""[bytes] Of a service that says nothing else: more than light curves of a night's largest call."""

LONGEST_TEXT = 4096
"""[bytes, UTF-8] What is kept of a text that a service says, such as an error: longer ones are cut."""

MOST_REDIRECTS = 5
"""A question is asked at so many addresses of the same host, one after another."""

SET_ASIDE = "X-Location-Set-Aside"

REDIRECTS = (301, 302, 303, 307, 308)

ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
"""What moves a terminal's cursor, colours its text or names its window (ECMA-48: CSI, OSC and the like)."""


class Redirected(requests.RequestException):
    """The service wants to be asked elsewhere; ``address`` is where, without its query."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


class TooLong(requests.RequestException):
    """The answer is longer than it may be [bytes]."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


def ask(
    session: requests.Session,
    method: str,
    url: str,
    timeout: float,
    *,
    longest: int = LONGEST_ANSWER,
    **arguments: Any,
) -> requests.Response:
    """
    Make a request and read its answer.

    A redirect is followed by a question (GET) alone, and on the same host only: the library would send a POST again as
    GET and a PATCH without its body, and what comes back then looks like a success.

    Parameters
    ----------
    session, method, url, arguments
        As of requests.
    timeout
        [s] Longest wait for a connection, and for the next part of the answer.
    longest
        [bytes] The longest answer that is read, once it is unpacked.

    Raises
    ------
    requests.RequestException
        If there is no whole answer: a Timeout also for one that drips, `TooLong` and `Redirected`.
    """
    end = time.monotonic() + PATIENCE * timeout
    for _ in range(MOST_REDIRECTS):
        response = _request(session, method, url, timeout, arguments)
        if response.status_code not in REDIRECTS or SET_ASIDE not in response.headers:
            return _read(response, end, longest)
        address = _address_in(response, url)
        response.close()
        if method != "GET" or not _is_same_host(url, address):
            raise Redirected(_shown(address))
        url, arguments = address, {key: value for key, value in arguments.items() if key != "params"}
    raise Redirected(_shown(url))


def problem_of(error: requests.RequestException) -> str:
    """
    Say in a few words what went wrong on the way; nothing of the request, which holds our token.

    Parameters
    ----------
    error
        From `ask`, or from requests itself.

    Returns
    -------
    str
        To stand after the name of the service. The text of the error is left out: it quotes address and headers.
    """
    if isinstance(error, Redirected):
        return f"has moved to {error.address}, and is not followed there"
    if isinstance(error, TooLong):
        return f"answered more than {error.limit / 1e6:g} MB"
    if isinstance(error, requests.Timeout):
        return "did not answer in time"
    if isinstance(error, requests.ConnectionError):
        is_cut = "IncompleteRead" in str(error) or "Connection broken" in str(error)
        return "broke off its answer" if is_cut else "cannot be reached"
    return f"failed: {type(error).__name__}"


def cleaned(text: str, longest: int = LONGEST_TEXT) -> str:
    r"""
    Make a stranger's text fit to be stored, logged and shown: printable, in one line, and not too long.

    NUL and halves of characters are what PostgreSQL cannot store; control and escape characters change a terminal.

    Parameters
    ----------
    text
        Anything.
    longest
        [bytes, UTF-8] Of what is kept.

    >>> cleaned("dec:\x00 \x1b[31m41.0\ud800 is\r\ntoo far north\u202e")
    'dec: 41.0 is too far north'
    """
    plain = ESCAPE_SEQUENCE.sub("", text[: 4 * longest])  # one letter of a sequence may stand for none
    words = "".join(letter if letter.isprintable() else " " for letter in plain).split()
    encoded = " ".join(words).encode()
    if len(encoded) <= longest and len(text) <= 4 * longest:
        return encoded.decode()
    return encoded[: longest - 3].decode(errors="ignore") + "..."


def _request(
    session: requests.Session, method: str, url: str, timeout: float, arguments: dict[str, Any]
) -> requests.Response:
    """Make one request; what the libraries below requests say of a broken answer is said as requests does."""
    options: dict[str, Any] = {"stream": True, "allow_redirects": False, "hooks": {"response": _set_aside}}
    try:
        return session.request(method, url, timeout=timeout, **options, **arguments)
    except (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError) as error:
        if isinstance(error, requests.RequestException):
            raise
        raise requests.ConnectionError(type(error).__name__) from error


def _set_aside(response: requests.Response, **_: object) -> None:
    """Keep a redirect from the library, which would read its body to the end even where it is not to follow it."""
    if location := response.headers.pop("Location", None):
        response.headers[SET_ASIDE] = location


def _read(response: requests.Response, end: float, longest: int) -> requests.Response:
    """Read an answer until a point of the monotonic clock [s], and keep it."""
    if response.raw is None:  # an adapter that reads by itself
        return response
    try:
        response._content = b"".join(_pieces(response, end, longest))
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.Timeout(str(error)) from error
    except urllib3.exceptions.DecodeError as error:
        raise requests.exceptions.ContentDecodingError(str(error)) from error
    except (urllib3.exceptions.HTTPError, HTTPException) as error:
        raise requests.ConnectionError(str(error)) from error
    return response


def _pieces(response: requests.Response, end: float, longest: int) -> Iterator[bytes]:
    """Give an answer piece by piece; without its end the connection is closed."""
    size = 0
    try:
        while piece := response.raw.read1(PIECE, decode_content=True):
            yield piece
            size += len(piece)
            if size > longest:
                raise TooLong(longest)
            if time.monotonic() > end:
                raise requests.Timeout("the answer drips in too slowly")
    except BaseException:
        response.close()
        raise


def _address_in(response: requests.Response, url: str) -> str:
    """Give the address that a redirect names, as it is meant from the one that was asked."""
    location = response.headers[SET_ASIDE]
    try:
        return urljoin(url, location)
    except ValueError:
        return location


def _is_same_host(url: str, address: str) -> bool:
    """Tell whether our token may go to an address: the same host, and encrypted if it was."""
    try:
        asked, wanted = urlsplit(url), urlsplit(address)
        is_as_safe = wanted.scheme == "https" or (wanted.scheme == asked.scheme and wanted.port == asked.port)
        return wanted.hostname == asked.hostname and is_as_safe
    except ValueError:
        return False


def _shown(address: str) -> str:
    """Give an address for a message: without its query and what may be a password."""
    return cleaned(re.sub(r"//[^/\s]*@", "//", address.partition("?")[0]), 300)
