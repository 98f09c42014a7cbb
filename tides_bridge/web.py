"""HTTP with an end: an answer that drips in slower than our patience is no answer."""

import time
from collections.abc import Iterator
from typing import Any

import requests
import urllib3

PATIENCE = 4
"""A whole answer may take that many time-outs; each of its parts one."""

PIECE = 65536
"""[bytes] What is read at once, at most."""


def ask(session: requests.Session, method: str, url: str, timeout: float, **arguments: Any) -> requests.Response:
    """
    Make a request and read its answer.

    Parameters
    ----------
    session, method, url, arguments
        As of requests.
    timeout
        [s] Longest wait for a connection, and for the next part of the answer.

    Raises
    ------
    requests.RequestException
        If there is no whole answer: a Timeout also for one that drips.
    """
    end = time.monotonic() + PATIENCE * timeout
    response = session.request(method, url, timeout=timeout, stream=True, **arguments)
    if response.raw is None:  # an adapter that reads by itself
        return response
    try:
        response._content = b"".join(_pieces(response, end))
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.Timeout(str(error)) from error
    except urllib3.exceptions.DecodeError as error:
        raise requests.exceptions.ContentDecodingError(str(error)) from error
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError(str(error)) from error
    return response


def _pieces(response: requests.Response, end: float) -> Iterator[bytes]:
    """Read an answer until a point of the monotonic clock [s]; without its end the connection is closed."""
    try:
        while piece := response.raw.read1(PIECE, decode_content=True):
            yield piece
            if time.monotonic() > end:
                raise requests.Timeout("the answer drips in too slowly")
    except BaseException:
        response.close()
        raise


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
    if isinstance(error, requests.Timeout):
        return "did not answer in time"
    if isinstance(error, requests.ConnectionError):
        is_cut = "IncompleteRead" in str(error) or "Connection broken" in str(error)
        return "broke off its answer" if is_cut else "cannot be reached"
    return f"failed: {type(error).__name__}"
