"""Positions just west of right ascension 0, which ELAsTiCC writes as negative, whichever way they come."""

import copy
import json
from pathlib import Path

import pytest

from simulators.alerts.avro_schemas import elasticc_schema
from simulators.alerts.encoders import encode
from tests.support.alert_packets import of_objects
from tests.support.answers import ztf_settings
from tests.support.functions import strict
from tides_bridge.brokers.models import Message
from tides_bridge.decisions.judging import judge_messages
from tides_bridge.lightcurves.sky import is_on_sky, right_ascension
from tides_bridge.selection import SelectionFunction
from tides_bridge.selection.functions import measure

ANY = SelectionFunction.parse("any", {"rules": "strict", "filters": [*"ugrizy"], "significance": 1, "minDetections": 1})


@pytest.fixture
def packet() -> dict[str, object]:
    """An alert whose object, and each of its sources, lie at -0.25 deg."""
    made = copy.deepcopy(of_objects()[0])
    for each in (made["diaObject"], made["diaSource"], *made["prvDiaSources"]):
        each["ra"] = -0.25
    return made


@pytest.mark.parametrize("kind", ["elasticc", "recorded"])
def test_a_target_west_of_zero_is_placed(kind: str, packet: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "elasticc.v0_9_1.alert.avsc").write_text(json.dumps(elasticc_schema()))
    settings = ztf_settings(broker={"kind": kind, "schemas": str(tmp_path)})
    (judged,) = judge_messages([Message("alerts", 0, 0, encode(packet, "elasticc").value)], settings, [ANY])
    assert judged.deferred == {}
    assert judged.targets["ra"].tolist() == [359.75]
    assert [alert.ra for alert in judged.alerts] == [359.75]


def test_criteria_of_places_see_it_where_it_is() -> None:
    box = strict(footprint=[350, 10, -30, 30]).leaves[-1].threshold
    assert measure("footprint", ra=-0.25, decl=0.0, demanded=box) == [1.0]
    assert measure("minGalacticLatitude", ra=-0.25, decl=-40.0) == measure("minGalacticLatitude", ra=359.75, decl=-40.0)


@pytest.mark.parametrize("name", ["footprint", "minGalacticLatitude"])
def test_what_stands_for_no_place_is_not_measured(name: str) -> None:
    box = strict(footprint=[0, 360, -90, 90]).leaves[-1].threshold
    (value,) = measure(name, ra=-999.0, decl=-999.0, demanded=box)
    assert value != value  # noqa: PLR0124 - NaN


def test_the_edges() -> None:
    assert is_on_sky([-180.0, -180.1, 360.0, 360.1], 0.0).tolist() == [True, False, True, False]
    assert right_ascension([360.0, -180.0, 10.5]).tolist() == [0.0, 180.0, 10.5]
