"""The portal of a database in this process, asked as a program asks it."""

import asyncio
from typing import Any

import httpx

from tides_bridge.operations.problems import PrefectFacts
from tides_bridge.operations.remembered import KeptDatabase
from tides_bridge.portal.app import make_app
from tides_bridge.settings import Settings

ADDRESS = "http://127.0.0.1:4280/"


class PortalClient:
    """Asks for addresses below that of the portal."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.kept = settings, KeptDatabase(settings)
        facts = PrefectFacts("http://127.0.0.1:4200/api", "not asked in tests")
        self.app = make_app(settings, self.kept, lambda _: facts, "http://127.0.0.1:4200")

    def get(self, path: str, method: str = "GET", **request: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as client:
                return await client.request(method, path, **request)

        return asyncio.run(ask())
