"""A light-curve API without a network: an adapter of requests that gives an answer of its own."""

import json
from typing import Any

import requests
from requests.adapters import BaseAdapter

from tides_bridge.brokers.lasair.ztf import LasairZtf
from tides_bridge.settings import Settings


def ztf_settings(**values: Any) -> Settings:
    """Settings without any database."""
    needed = {"topic": "lasair_tides", "groupID": "test", "selectFunction": "tidesSNZTFSelect", "lasairToken": "secret"}
    return Settings(**{**needed, **values})


class Answer(BaseAdapter):
    """Gives one answer to every request, and remembers the requests."""

    def __init__(self, content: bytes | Exception, status: int = 200) -> None:
        super().__init__()
        self.content, self.status = content, status
        self.requests: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Answer, or raise the error that stands for an answer."""
        self.requests.append(request)
        if isinstance(self.content, Exception):
            raise self.content
        response = requests.Response()
        response.status_code, response._content = self.status, self.content
        response.request, response.url = request, request.url or ""
        return response

    def close(self) -> None:
        """Close nothing."""


def broker_that_hears(answer: object, status: int = 200) -> tuple[LasairZtf, Answer]:
    """Give a broker whose API gives this answer: JSON content, bytes, or an error to raise."""
    content = answer if isinstance(answer, bytes | Exception) else json.dumps(answer).encode()
    adapter = Answer(content, status)
    broker = LasairZtf(ztf_settings())
    broker._session.mount("https://lasair-ztf.lsst.ac.uk/", adapter)
    return broker, adapter


def detection(candid: int, jd: float = 2461000.7, **other: Any) -> dict[str, Any]:
    """Make a detection as Lasair gives it."""
    usual = {"fid": 1, "nid": 3246, "magpsf": 19.0, "sigmapsf": 0.1, "isdiffpos": "t", "ra": 10.5, "dec": -20.25}
    return {"candid": candid, "jd": jd, **usual, **other}


def limit(jd: float, **other: Any) -> dict[str, Any]:
    """Make a non-detection as Lasair gives it."""
    return {"jd": jd, "fid": 2, "diffmaglim": 20.5, **other}
