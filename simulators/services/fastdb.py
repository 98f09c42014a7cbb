"""
A FASTDB for tests and demos: login by challenge, hot transients, light curves, what brokers said, and SQL.

Sources: LSSTDESC/FASTDB, ``src/webserver/ltcvapp.py``, ``dbapp.py`` and ``client/fastdb_client.py``. Not verified at
the service itself.
"""

import os
import secrets
import sqlite3
import uuid
from base64 import b64encode
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fastapi import FastAPI, Request, Response

from simulators.services.faults import FaultPlan
from simulators.services.lasair_service import answer
from simulators.services.running import RunningStandin
from simulators.services.web import WebServer
from tides_bridge.brokers.fastdb.api import ROUNDS

HotTransient = dict[str, Any]
"""``ltcv``, ``info`` and ``brokers`` of an object."""

COOKIE = "session"


def to_hot_transient(packet: Mapping[str, Any]) -> HotTransient:
    """Make what FASTDB knows of an object from its newest packet of Rubin: forced photometry, patched with sources."""
    sources = [*(packet["prvDiaSources"] or []), packet["diaSource"]]
    taken = {source["midpointMjdTai"] for source in sources}
    forced = [point for point in packet["prvDiaForcedSources"] or [] if point["midpointMjdTai"] not in taken]
    name = packet["diaObject"]["diaObjectId"]
    root = str(uuid.UUID(int=name))
    points = sorted([*sources, *forced], key=lambda point: float(point["midpointMjdTai"]))
    columns: dict[str, list[Any]] = {
        "mjd": [point["midpointMjdTai"] for point in points],
        "diasourceid": [point.get("diaSourceId") for point in points],
        "source_diaobjectid": [name if "diaSourceId" in point else None for point in points],
        "visit": [point.get("visit") for point in points],
        "band": [point["band"] for point in points],
        "flux": [point["psfFlux"] for point in points],
        "fluxerr": [point["psfFluxErr"] for point in points],
        "isdet": [int("diaSourceId" in point) for point in points],
    }
    info = {"rootid": root, "diaobjectid": name, "ra": packet["diaObject"]["ra"], "dec": packet["diaObject"]["dec"]}
    word = {"brokername": "fink", "topic": "simulated", "info": {"snn_snia_vs_nonia": 0.5}}
    return {"ltcv": {"rootid": root} | columns, "info": info, "brokers": [word]}


def to_hot_message(packet: Mapping[str, Any]) -> HotTransient:
    """Make the message that the bridge's stream makes of an object."""
    known = to_hot_transient(packet)
    place = known["info"]["ra"], known["info"]["dec"]
    return {"ltcv": known["ltcv"], "place": place, "brokers": known["brokers"]}


class FastDbStandin(RunningStandin):
    """
    The API on a free port of 127.0.0.1, in a thread of this process.

    Attributes
    ----------
    address
        ``http://127.0.0.1:PORT/fastdb``, as in the setting ``lightCurves.address``.
    token
        ``USER:PASSWORD``.
    calls
        How many calls reached it that were logged in.
    port
        The port to start at, if it is free; 0 is any.
    """

    def __init__(self, faults: FaultPlan | None = None) -> None:
        self.calls = self.port = 0
        self.token = f"tides:{secrets.token_hex(8)}"
        self._objects: dict[str, HotTransient] = {}
        self._key = rsa.generate_private_key(65537, 2048)
        self._challenge, self._session = secrets.token_hex(16), secrets.token_hex(16)
        app = FastAPI(openapi_url=None)
        app.add_api_route("/", lambda: {"service": "stand-in for FASTDB"})
        app.add_api_route("/fastdb/auth/getchallenge", self._give_challenge, methods=["POST"])
        app.add_api_route("/fastdb/auth/respondchallenge", self._log_in, methods=["POST"])
        for path in ("getprocvers", "count/{which}", "db/runsqlquery/"):
            app.add_api_route(f"/fastdb/{path}", self._answer, methods=["POST"])
        for path in ("gethottransients", "getmanyltcvs", "getbrokerinfo"):
            app.add_api_route(f"/fastdb/ltcv/{path}", self._answer, methods=["POST"])
            app.add_api_route(f"/fastdb/ltcv/{path}/{{version}}", self._answer, methods=["POST"])
        self._server = WebServer(app, "lasair", FaultPlan() if faults is None else faults)

    @property
    def address(self) -> str:
        """Where the API is, without a slash at the end."""
        return f"{self._server.address}/fastdb"

    def load(self, objects: Iterable[HotTransient]) -> None:
        """Keep objects to answer with; one of the same name replaces the earlier one."""
        self._objects |= {str(known["info"]["diaobjectid"]): known for known in objects}

    def forget(self, names: Iterable[str]) -> None:
        """Drop some objects."""
        for name in names:
            self._objects.pop(name, None)

    def start(self) -> Self:
        """Start to answer, or raise BrokerUnavailable."""
        self._server.start(self.port)
        return self

    def stop(self) -> None:
        """Stop to answer and close the port; a second call does nothing."""
        self._server.stop()

    async def _give_challenge(self) -> Response:
        """Give the private key under the password, and a secret that only it opens."""
        salt, iv = os.urandom(16), os.urandom(12)
        key = PBKDF2HMAC(SHA256(), 32, salt, ROUNDS).derive(self.token.partition(":")[2].encode())
        written = self._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        hidden = self._key.public_key().encrypt(self._challenge.encode(), OAEP(MGF1(SHA256()), SHA256(), None))
        parts = {"challenge": hidden, "privkey": AESGCM(key).encrypt(iv, written, None), "salt": salt, "iv": iv}
        return answer({name: b64encode(part).decode() for name, part in parts.items()})

    async def _log_in(self, request: Request) -> Response:
        given = await request.json()
        user = self.token.partition(":")[0]
        if (given.get("username"), given.get("response")) != (user, self._challenge):
            return answer({"error": "Authentication failure."}, 500)
        return answer({"status": "ok", "username": user}, 200, {"set-cookie": f"{COOKIE}={self._session}; Path=/"})

    async def _answer(self, request: Request) -> Response:
        """Answer who is logged in; FASTDB says 500 to others."""
        if request.cookies.get(COOKIE) != self._session:
            return answer({"error": "Not logged in"}, 500)
        self.calls += 1
        name = next(part for part in request.url.path.split("/") if part not in {"", "fastdb", "ltcv", "db"})
        given = await request.json()
        methods = {"gethottransients": self._hot, "getmanyltcvs": self._many, "getbrokerinfo": self._brokers}
        if name in methods:
            return answer(methods[name](given))
        if name == "runsqlquery":
            return answer(self._rows(given["query"]))
        if name == "count":
            return answer({"status": "ok", "count": len(self._objects)})
        return answer({"status": "ok", "procvers": ["realtime"]})

    def _hot(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Give those with a detection since an epoch; days count back from the newest of all, as time stands here."""
        newest = {name: _newest(known) for name, known in self._objects.items()}
        since = max(newest.values(), default=0.0) - float(given.get("detected_in_last_days", 30))
        since = float(given.get("detected_since_mjd", since))
        found = [self._objects[name] for name, mjd in newest.items() if mjd >= since]
        columns = {key: [known["info"][key] for known in found] for key in ("rootid", "diaobjectid", "ra", "dec")}
        return {"ltcvs": [known["ltcv"] for known in found], "objinfo": columns}

    def _many(self, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [self._objects[str(name)]["ltcv"] for name in given["objids"] if str(name) in self._objects]

    def _brokers(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Give what brokers said of detections, by their ids."""
        wanted = set(given["diasourceids"])
        return {
            str(source): known["brokers"]
            for known in self._objects.values()
            for source in known["ltcv"]["diasourceid"]
            if source in wanted
        }

    def _rows(self, query: str) -> dict[str, Any]:
        """Run SQL over the table ``diaobject``."""
        with closing(sqlite3.connect(":memory:")) as database:
            database.row_factory = sqlite3.Row
            database.execute("CREATE TABLE diaobject (rootid, diaobjectid, ra, dec)")
            rows = [known["info"] for known in self._objects.values()]
            database.executemany("INSERT INTO diaobject VALUES (:rootid, :diaobjectid, :ra, :dec)", rows)
            try:
                return {"status": "ok", "rows": [dict(row) for row in database.execute(query)]}
            except sqlite3.Error as problem:
                return {"status": "error", "error": str(problem)}


def _newest(known: HotTransient) -> float:
    columns = known["ltcv"]
    return max(float(mjd) for mjd, isdet in zip(columns["mjd"], columns["isdet"], strict=True) if isdet)
