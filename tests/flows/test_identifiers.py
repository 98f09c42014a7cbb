"""
Identifiers stay exact from the message to 4MOST and back, where a float would lose digits: around 2**53, up to 2**63.

::

    message ──▶ decision, light curve, association ──▶ target ──▶ row at 4MOST
                                     ▲                               │ its TiDES name
    `tides why` ◀────────────────────┴───────────────────────────────┘
"""

import copy
import json
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr
from typer.testing import Result

from simulators.alerts.avro_schemas import elasticc_schema, lsst_schema
from simulators.alerts.encoders import EncodingOptions, Packet, encode
from simulators.fourmost.process import FourmostStandin
from simulators.services.lasair_lsst import LasairLsstStandin, to_object
from tests.support.databases import rows_of
from tests.support.decisions import carried_out, stored
from tests.support.exchanges import Exchanged, clear, joined
from tests.support.typed import at_database
from tests.support.ways import NOW, night
from tides_bridge.brokers.models import Message, Pull
from tides_bridge.database import Database
from tides_bridge.decisions.batch import get_deferred_objects
from tides_bridge.decisions.history import why
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.stored import unpack_table
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings

FUNCTION = SelectionFunction.parse(
    "any",
    {
        "rules": "strict",
        "surveys": ["lsst", "elasticc"],
        "filters": [*"ugrizy"],
        "significance": 1,
        "minDetections": 1,
    },
)
"""Lets all pass, and keeps light curves."""

LARGE = st.integers(2**53 - 3, 2**53 + 3) | st.integers(2**63 - 3, 2**63 - 1) | st.integers(2**53, 2**63 - 1)
FEW = hypothesis_settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

WAYS = {
    "rubin": ("rubin", "rubin", {}),
    "fink_lsst": ("fink_lsst", "fink-lsst", {}),
    "lasair_lsst FULL": ("lasair_lsst", "lasair-lsst", {"lasair_mode": "FULL"}),
    "lasair_lsst LITE": ("lasair_lsst", "lasair-lsst", {"lasair_mode": "LITE"}),
    "lasair_lsst API": ("lasair_lsst", "lasair-lsst", {"lasair_mode": "PLAIN"}),
    "elasticc": ("elasticc", "elasticc", {}),
    "babamul_lsst": ("babamul_lsst", "babamul-lsst", {}),
    "recorded": ("recorded", "lasair-lsst", {}),
}
"""Kind of the broker, format, and its options."""


@cache
def model() -> Packet:
    """Give an alert of a bright object with a history, to make others of."""
    seen = [each for each in night("lsst") if each["diaObject"] and each["diaSource"]["band"] == "r"]
    return max(seen, key=lambda each: float(each["diaSource"]["psfFlux"]) * (len(each["prvDiaSources"]) > 2))


def alert_of(name: int, newest: int) -> Packet:
    """Make an alert of an object, with a place of its own; its sources are numbered down from the newest."""
    packet = copy.deepcopy(model())
    sources = [packet["diaSource"], *reversed(packet["prvDiaSources"])]
    place = {"ra": zlib.crc32(str(name).encode()) / 2**32 * 360, "dec": -20.0}
    for number, source in enumerate(sources):
        source |= {"diaSourceId": newest - number, "diaObjectId": name, **place}
    for forced in packet["prvDiaForcedSources"]:
        forced["diaObjectId"] = name
    packet["diaObject"] |= {"diaObjectId": name, **place}
    return packet | {"diaSourceId": newest}


def sources_of(packet: Packet) -> set[int]:
    return {each["diaSourceId"] for each in (packet["diaSource"], *packet["prvDiaSources"])}


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schemas")
    for name, schema in (("rubin", lsst_schema()), ("elasticc", elasticc_schema())):
        (folder / name).mkdir()
        (folder / name / f"{schema['name']}.avsc").write_text(json.dumps(schema))
    return folder


@pytest.fixture(scope="module")
def lasair() -> Iterator[LasairLsstStandin]:
    with LasairLsstStandin("token", 10_000) as standin:
        yield standin


@pytest.fixture(scope="module")
def fourmost_and_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FourmostStandin, Path]]:
    state = tmp_path_factory.mktemp("fourmost") / "state.sqlite3"
    with FourmostStandin("--ingest-at", "off", state=state) as standin:
        yield standin, state


@pytest.fixture
def fourmost(fourmost_and_state: tuple[FourmostStandin, Path]) -> FourmostStandin:
    clear(*fourmost_and_state)
    return fourmost_and_state[0]


@pytest.fixture
def of_kind(settings: Settings, schemas: Path, lasair: LasairLsstStandin, fourmost: FourmostStandin) -> Any:
    """Give settings for a kind of broker, with the test's database and 4MOST; targets count as seen for 20 years."""

    def make(kind: str) -> Settings:
        broker = {"kind": kind} | ({"schemas": schemas / kind} if (schemas / kind).exists() else {})
        changes = {
            "broker": settings.broker.model_validate(broker),
            "light_curves": settings.light_curves.model_validate({"address": lasair.address}),
            "now": datetime.fromisoformat(NOW),
            "lasair_token": SecretStr(lasair.token),
            "targets": settings.targets.model_validate({"deactivateAfter": "7305 days", "faintLimit": {"r": 30}}),
        }
        return joined(settings.model_copy(update=changes), fourmost)

    return make


@pytest.fixture
def typed(settings: Settings, tmp_path: Path) -> Callable[..., Result]:
    """Type commands at the test's database."""
    return at_database(settings, tmp_path)


IDS = st.lists(st.tuples(LARGE, LARGE), min_size=1, max_size=3, unique_by=lambda ids: ids[0])
"""Of some objects, and of their newest sources."""


@pytest.mark.parametrize("name", WAYS)
def test_identifiers_stay_exact(
    name: str, of_kind: Any, database: Database, lasair: LasairLsstStandin, fourmost: FourmostStandin
) -> None:
    kind, form, options = WAYS[name]
    chosen = of_kind(kind)

    @FEW
    @given(IDS)
    def stay_exact(ids: list[tuple[int, int]]) -> None:
        packets = {str(each): alert_of(each, newest) for each, newest in ids}
        lasair.load(map(to_object, packets.values()))
        made = [encode(each, form, EncodingOptions(**options)) for each in packets.values()]
        messages = [Message("alerts", 0, number, each.value, each.key) for number, each in enumerate(made)]
        judged = stored(database, chosen, [FUNCTION], Pull(messages, {}, is_last=True))
        Exchanged(database, chosen)

        assert {key for chunk in judged for key in chunk.passed} == packets.keys()
        there = {row["name"] for row in fourmost.rows()}
        for object_id, packet in packets.items():
            assert_known_everywhere(database, object_id, there)
            assert_sources(database, object_id, packet, name)

    stay_exact()


def assert_known_everywhere(database: Database, object_id: str, at_4most: set[str]) -> None:
    """One object of exactly this name is in each table, and the target of it at 4MOST leads back to it."""
    for table in ("decision", "last_decision", "association", "light_curve"):
        asked = f"SELECT object_id FROM {table} WHERE object_id = '{object_id}'"
        assert rows_of(database, asked)[:1] == [{"object_id": object_id}], table
    known = why(database, object_id)
    (target,) = known["targets"]
    assert target["name"] in at_4most
    assert {row["object_id"] for row in known["decisions"]} == {object_id}
    back = why(database, target["name"])
    assert [row["object_id"] for row in back["names"]] == [object_id]
    assert [row["status"] for row in back["sent"]] == ["asked", "confirmed"]


def assert_sources(database: Database, object_id: str, packet: Packet, name: str) -> None:
    """The light curve that is kept has the ids of all sources that came with one."""
    (row,) = rows_of(database, f"SELECT curve FROM light_curve WHERE object_id = '{object_id}'")
    curve = LightCurves.from_arrow(unpack_table(bytes(row["curve"])))
    told = set(curve.source_id[curve.is_detection].tolist())
    assert curve.object_ids == (object_id,)
    assert told - {-1} == FOUND.get(name, sources_of)(packet)


FOUND: dict[str, Callable[[Packet], set[int]]] = {
    "lasair_lsst LITE": lambda _: set(),
    "babamul_lsst": lambda packet: {packet["diaSourceId"]},
}
"""Which ids come: none in a LITE message, and in Babamul's that of the newest source; else all."""


def test_commands_tell_them_exactly(
    of_kind: Any, database: Database, typed: Callable[..., Result], tmp_path: Path
) -> None:
    known, unknown = 2**63 - 1, 313637935709683761  # the second is one of Lasair's documentation
    alerts = {"FULL": alert_of(known, known), "PLAIN": alert_of(unknown, unknown)}
    made = [encode(each, "lasair-lsst", EncodingOptions(lasair_mode=mode)) for mode, each in alerts.items()]  # type: ignore[arg-type]
    (tmp_path / "night.jsonl").write_bytes(b"\n".join(each.value for each in made))
    broker = {"kind": "recorded", "files": [str(tmp_path / "night.jsonl")]}
    chosen = of_kind("recorded")
    chosen = chosen.model_copy(update={"broker": chosen.broker.model_validate(broker)})
    content = yaml.safe_load((tmp_path / "settings.yaml").read_text())
    content["devConfig"]["broker"] = broker
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(content))
    carried_out(database, chosen, [FUNCTION])
    Exchanged(database, chosen)

    found = json.loads(typed("why", str(known), "--json").stdout)
    (target,) = found["targets"]
    assert ({row["object_id"] for row in found["decisions"]}, target["object_id"]) == ({str(known)}, str(known))
    by_name = json.loads(typed("why", target["name"], "--json").stdout)
    assert [(row["survey"], row["object_id"]) for row in by_name["names"]] == [("lsst", str(known))]
    assert f"it is lsst {known}" in typed("why", str(known)).stdout

    waiting = json.loads(typed("why", str(unknown), "--json").stdout)["deferred"]
    told = json.loads(typed("status", "--json").stdout)["deferred"]
    reason = f"No such object {unknown}"
    assert [reason in row["reason"] for row in (*waiting, *told)] == [True, True]
    rows = rows_of(database, "SELECT object_id, alert FROM deferred_object")
    assert [(row["object_id"], row["alert"]["message"]["diaObjectId"]) for row in rows] == [(str(unknown), unknown)]
    rows_of(database, "UPDATE deferred_object SET next_attempt_at = now() RETURNING 1")
    assert [alert.object_id for alert in get_deferred_objects(database, chosen)] == [str(unknown)]
