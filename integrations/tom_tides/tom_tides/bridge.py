"""The bridge's API."""

from typing import Any

import requests
from django.conf import settings

PAGE = 1000
"""Targets a call."""

TIMEOUT = 60
"""[s]"""


class BridgeAway(Exception):
    """The bridge does not answer as it should."""


class BridgeApi:
    """
    A session with the portal at ``TIDES["address"]``.

    Raises
    ------
    BridgeAway
        From every method, if it does not answer as it should.
    """

    def __init__(self) -> None:
        self.address = str(settings.TIDES["address"]).rstrip("/")
        self._session = requests.Session()
        if token := settings.TIDES.get("token"):
            self._session.headers["Authorization"] = f"Bearer {token}"

    def changed_after(self, cursor: str) -> tuple[list[dict[str, Any]], str]:
        """Give the targets that changed, each as it is now, and the cursor for the next time."""
        page = self._call("GET", "targets", params={"changed_after": cursor, "limit": PAGE})
        return page["targets"], page["next"]

    def send_classes(self, classes: list[dict[str, Any]]) -> dict[str, Any]:
        """Send classes, and give what became of them."""
        return self._call("POST", "classes", json={"classes": classes})

    def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer = self._session.request(
                method, f"{self.address}/api/v1/{path}", timeout=TIMEOUT, allow_redirects=False, **arguments
            )
            content = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise BridgeAway(f"{self.address}: does not answer as a bridge does: {type(error).__name__}") from None
        if answer.status_code != 200 or not isinstance(content, dict):
            problem = content.get("detail", "") if isinstance(content, dict) else ""
            raise BridgeAway(f"{self.address}: answered {answer.status_code}: {problem}")
        return content
