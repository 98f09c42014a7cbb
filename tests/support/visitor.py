"""Somebody who looks at the portal, in this process: keeps cookies as a browser does, and follows no redirect."""

import asyncio
import re
from typing import Any

import httpx

from tides_bridge.operations.problems import PrefectFacts
from tides_bridge.operations.remembered import KeptDatabase
from tides_bridge.portal.app import make_app
from tides_bridge.settings import Settings

ADDRESS = "http://127.0.0.1:4280"
TOKEN = re.compile(r'name="token" value="([^"]+)"')


class Visitor:
    """The portal of some settings, and who looks at it."""

    def __init__(self, settings: Settings, address: str = ADDRESS) -> None:
        def ask_prefect(_: Settings) -> PrefectFacts:
            return PrefectFacts("http://127.0.0.1:4200/api", "not asked in tests")

        self._app = make_app(settings, KeptDatabase(settings), ask_prefect, "http://127.0.0.1:4200")
        self._address, self.cookies = address, httpx.Cookies()

    def get(self, path: str, **parameters: str) -> httpx.Response:
        return self._ask("GET", path, params=parameters or None)

    def post(self, path: str, form: dict[str, str], **headers: str) -> httpx.Response:
        return self._ask("POST", path, data=form, headers={"Origin": self._address} | headers)

    def token(self, path: str) -> str:
        """The secret of the form of a page."""
        found = TOKEN.search(self.get(path).text)
        assert found, f"no form on {path}"
        return found[1]

    def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url=self._address, cookies=self.cookies) as client:
                answer = await client.request(method, path, **request)
                self.cookies = client.cookies
                return answer

        return asyncio.run(ask())
