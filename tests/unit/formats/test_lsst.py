"""What Rubin's and ELAsTiCC's alerts and Lasair's messages say of an object and its sources."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import recorded
from tests.unit.formats.test_files import read, written
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.meaning.identifiers import identifier_text

NAN = float("nan")


@pytest.fixture(params=["json", "avro", "parquet"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Write alerts in each container."""
    makers: dict[str, Any] = {"json": recorded.json_text, "avro": recorded.avro, "parquet": recorded.parquet}
    return lambda packets: written(tmp_path, "data", makers[request.param](packets))


def test_withdrawn_sources_and_those_without_flux_are_left_out(write: Any) -> None:
    sources = [
        recorded.source(8), recorded.source(1, None), recorded.source(2, timeWithdrawnMjdTai=61001.0),
        recorded.source(3, NAN),
    ]  # fmt: skip
    curves, told = read(write([recorded.alert(5, sources, [recorded.forced(4, NAN)])]))
    assert told == []
    assert curves.mjd == pytest.approx([61008.5 - 37 / 86400])


def test_a_source_that_comes_twice_counts_once(write: Any) -> None:
    curves, _ = read(write([recorded.alert(5, [recorded.source(8), recorded.source(8), recorded.source(2)])]))
    assert len(curves.mjd) == 2


def test_missing_lists_are_empty_ones(write: Any) -> None:
    packet = recorded.alert(5, [recorded.source(8)]) | {"prvDiaSources": None, "prvDiaForcedSources": None}
    curves, told = read(write([packet]))
    assert (len(curves.mjd), told) == (1, [])


@pytest.mark.parametrize(("number", "flag"), [(0, 0.0), (None, 0.0), (21163615805847120, 1.0)])
def test_solar_system_objects_are_marked(write: Any, number: int | None, flag: float) -> None:
    packets = [recorded.alert(5, [recorded.source(8, ssObjectId=number)]), recorded.alert(6, [recorded.source(1)])]
    curves, _ = read(write(packets))
    assert curves.objects.solar_system.tolist() == [flag, 0.0]


def test_elasticc_knows_the_extinction_but_no_solar_system(write: Any) -> None:
    curves, _ = read(write([recorded.elasticc(each) for each in recorded.alerts()]))
    assert curves.objects.ebv.tolist() == [0.05, 0.05]
    assert np.isnan(curves.objects.solar_system).all()
    assert curves.objects.decl.tolist() == [-5.25, -5.25]


def test_finks_cross_matches(write: Any) -> None:
    packets = recorded.alerts()
    packets[0]["xm"] = {"vsx_Type": "RRAB", "gcvs_type": None}
    packets[1]["xm"] = {"vsx_Type": None, "gcvs_type": "Unknown"}
    curves, _ = read(write(packets))
    assert curves.objects.known_variable.tolist() == [1.0, 0.0]


def test_unknown_bands_are_kept(write: Any) -> None:
    curves, _ = read(write([recorded.alert(5, [recorded.source(8, band="w"), recorded.source(2, band=None)])]))
    assert curves.band.tolist() == [-1, -1]


class TestLasair:
    def test_a_message_knows_sherlock_and_extinction(self, tmp_path: Path) -> None:
        curves, _ = read(written(tmp_path, "m", recorded.json_lines(recorded.messages())))
        assert curves.objects.sherlock_class.tolist() == ["SN", "SN"]
        assert curves.objects.ebv.tolist() == [0.02, 0.02]

    def test_lite_messages_have_no_source_ids(self, tmp_path: Path) -> None:
        message = recorded.messages()[0]
        del message["alert"]["diaObject"]
        for each in message["alert"]["diaSourcesList"]:
            del each["diaSourceId"], each["diaObjectId"], each["ra"]
        curves, told = read(written(tmp_path, "m", recorded.json_text([message])))
        assert told == []
        assert curves.source_id[curves.is_detection].tolist() == [-1, -1, -1]

    def test_literal_nan_and_infinity(self, tmp_path: Path) -> None:
        message = recorded.messages()[0]
        message["alert"]["diaSourcesList"][1]["psfFlux"] = NAN
        message["alert"]["diaSourcesList"][2]["reliability"] = -math.inf
        for content in (
            recorded.json_text([message]),
            recorded.json_lines([message, message]),
            recorded.json_text(message),
        ):
            curves, told = read(written(tmp_path, "m", content))
            assert told == []
            assert np.count_nonzero(curves.is_detection) == 2

    def test_a_plain_message_is_refused_with_the_reason(self, tmp_path: Path) -> None:
        plain = {key: value for key, value in recorded.messages()[0].items() if key != "alert"}
        curves, told = read(written(tmp_path, "m", recorded.json_text([plain, recorded.messages()[1]])))
        assert len(curves) == 1
        assert told == [("m", told[0][1])]
        assert told[0][1].startswith("record 1: has no light curve: does the Lasair filter add the alert")

    def test_the_answer_with_lasairs_own_data(self, tmp_path: Path) -> None:
        message = recorded.messages()[0]
        answer = {
            "diaObjectId": 5,
            "lasairData": {"ebv": 0.3, "sherlock": {"classification": "NT"}},
            **message["alert"],
        }
        curves, _ = read(written(tmp_path, "m", recorded.json_text(answer | {"diaObject": {"ra": 1.0, "decl": 2.0}})))
        assert curves.object_ids == ("5",)
        assert (curves.objects.ebv[0], curves.objects.sherlock_class[0], curves.objects.decl[0]) == (0.3, "NT", 2.0)


@pytest.mark.parametrize(
    ("value", "text"), [("12", "12"), (12.0, "12"), (0, None), ("", None), (NAN, None), (None, None)]
)
def test_identifiers(value: Any, text: str | None) -> None:
    assert identifier_text(value, "key") == text


@pytest.mark.parametrize("value", [1.5, 1e17, math.inf])
def test_identifiers_that_lost_digits(value: float) -> None:
    with pytest.raises(MalformedAlert, match="lost digits"):
        identifier_text(value, "key")
