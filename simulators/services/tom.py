"""
A TOM Toolkit for tests: as much of its REST API as the bridge speaks, with its traps.

The same tests run against the real one (``make test ARGS=--whole``), which this one imitates: lists in pages without an
order, 200 and an empty list without a token, 0 taken for missing, 400 for a known name or alias, 500 for an extra field
that is sent without its id, a creation that is half made then, lists that nobody is taken off.

Source: the package tomtoolkit 3.1.0 (``tom_targets/serializers.py``, ``api_views.py``), tried out.
"""

import itertools
from typing import Any, Self
from uuid import uuid4

from fastapi import FastAPI, Request, Response

from simulators.services.faults import FaultPlan
from simulators.services.lasair_service import answer
from simulators.services.running import RunningStandin
from simulators.services.web import WebServer

Row = dict[str, Any]


class TomStandin(RunningStandin):
    """
    The API on a free port of 127.0.0.1, in a thread of this process.

    Attributes
    ----------
    address
        ``http://127.0.0.1:PORT``, as in the setting ``tom.address``.
    token
        Of an account that may do all.
    targets
        What it has, by key.
    lists
        Keys of targets on each list.
    writes
        Calls that changed something, or tried to.
    """

    def __init__(self) -> None:
        self.token, self.writes = f"token-{uuid4().hex}", 0
        self.targets: dict[int, Row] = {}
        self.lists: dict[int, set[int]] = {}
        self._keys = itertools.count(1)
        app = FastAPI()
        app.add_api_route("/api/targets/", self._targets, methods=["GET", "POST"])
        app.add_api_route("/api/targets/{key}/", self._target, methods=["GET", "PATCH"])
        app.add_api_route("/api/targetname/{key}/", self._remove_alias, methods=["DELETE"])
        self._server = WebServer(app, "fourmost", FaultPlan())

    @property
    def address(self) -> str:
        """Where it answers."""
        return self._server.address

    def start(self) -> Self:
        """Begin to answer."""
        self._server.start()
        return self

    def stop(self) -> None:
        """End."""
        self._server.stop()

    def put(self, name: str, ra: float, dec: float, *aliases: str, **extras: str) -> int:
        """Make a target as a person does there, and give its key."""
        row: Row = {"id": next(self._keys), "name": name, "ra": ra, "dec": dec, "aliases": [], "targetextra_set": []}
        self.targets[row["id"]] = row
        self._add(row, {"aliases": [{"name": alias} for alias in aliases]})
        self.change(name, **extras)
        return int(row["id"])

    def change(self, name: str, **extras: str) -> None:
        """Set extra fields as a person does there."""
        extra_of = {extra["key"]: extra for extra in self.named(name)["targetextra_set"]}
        for key, value in extras.items():
            if key in extra_of:
                extra_of[key]["value"] = value
            else:
                self._add(self.named(name), {"targetextra_set": [{"key": key, "value": value}]})

    def edit(self, name: str, /, **fields: Any) -> None:
        """Change other fields as a person does there."""
        self.named(name).update(fields)

    def delete(self, name: str) -> None:
        """Delete a target as a person does there."""
        del self.targets[self.named(name)["id"]]

    def named(self, name: str) -> Row:
        """Give the target of a name."""
        return next(row for row in self.targets.values() if row["name"] == name)

    def _targets(self, request: Request, body: Row | None = None) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        if request.method == "POST":
            return self._create(body or {})
        found = list(reversed(self.targets.values()))
        if "targetlist__name" in request.query_params:
            found = [row for row in found if row["id"] in self.lists[int(request.query_params["targetlist__name"])]]
        word = request.query_params.get("name", "").lower()
        found = [row for row in found if any(word in name.lower() for name in _names(row))]
        start, limit = (int(request.query_params.get(key, given)) for key, given in (("offset", 0), ("limit", 100)))
        end = start + limit
        following = f"{request.base_url}api/targets/?limit={limit}&offset={end}" if end < len(found) else None
        return answer({"count": len(found), "next": following, "previous": None, "results": found[start:end]})

    def _target(self, request: Request, key: int, body: Row | None = None) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        if key not in self.targets:
            return answer({"detail": "No Target matches the given query."}, 404)
        if request.method == "PATCH":
            return self._change(self.targets[key], body or {})
        return answer(self.targets[key])

    def _refusal(self, request: Request) -> Response | None:
        sent = request.headers.get("Authorization")
        if sent is None and request.method == "GET":
            return answer({"count": 0, "next": None, "previous": None, "results": []})
        return None if sent == f"Token {self.token}" else answer({"detail": "Invalid token."}, 401)

    def _create(self, body: Row) -> Response:
        self.writes += 1
        if problems := self._problems(body):
            return answer(problems, 400)
        if missing := [key for key in ("ra", "dec") if not body.get(key)]:
            problem = f"The following fields are required for SIDEREAL targets: {missing}"
            return answer({"non_field_errors": [problem]}, 400)
        row: Row = {"id": next(self._keys), "aliases": [], "targetextra_set": []}
        row |= {key: value for key, value in body.items() if key not in ("aliases", "targetextra_set", "groups")}
        self.targets[row["id"]] = row
        return answer(row, 201) if self._add(row, body) else _failed()

    def _change(self, row: Row, body: Row) -> Response:
        self.writes += 1
        if problems := self._problems(body):
            return answer(problems, 400)
        row |= {key: value for key, value in body.items() if key in ("name", "ra", "dec", "epoch")}
        return answer(row) if self._add(row, body) else _failed()

    def _problems(self, body: Row) -> Row:
        """Say what the serializers say."""
        known = {alias["name"] for row in self.targets.values() for alias in row["aliases"]}
        doubled = {
            str(place): {"name": ["target name with this Alias already exists."]}
            for place, alias in enumerate(body.get("aliases", ()))
            if alias["name"] in known
        }
        problems: Row = {"aliases": doubled} if doubled else {}
        if body.get("name") in {row["name"] for row in self.targets.values()}:
            problems["name"] = ["target with this Name already exists."]
        return problems

    def _add(self, row: Row, body: Row) -> bool:
        """Store names and extra fields one after another; tells whether it came to the end."""
        for alias in body.get("aliases", ()):
            if alias["name"] in {given["name"] for given in row["aliases"]}:
                return False
            row["aliases"].append({"id": next(self._keys), "name": alias["name"]})
        for extra in body.get("targetextra_set", ()):
            present = {given["key"]: given for given in row["targetextra_set"]}
            if "id" in extra:
                present[extra["key"]]["value"] = extra["value"]
            elif extra["key"] in present:
                return False
            else:
                row["targetextra_set"].append({"id": next(self._keys), **extra})
        return True

    def _remove_alias(self, request: Request, key: int) -> Response:
        self.writes += 1
        for row in self.targets.values():
            row["aliases"] = [alias for alias in row["aliases"] if alias["id"] != key]
        return Response(status_code=204)


def _names(row: Row) -> list[str]:
    return [row["name"], *(alias["name"] for alias in row["aliases"])]


def _failed() -> Response:
    return Response("<!doctype html><title>Server Error (500)</title>", 500, media_type="text/html")
