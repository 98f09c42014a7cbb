"""``tides simulate``: what it writes is the sky, in every form, and the same for the same seed."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from simulators.alerts.avro_schemas import LSST_VERSIONS
from simulators.alerts.encoders import FORMATS, EncodingOptions
from simulators.alerts.lsst_packets import LsstPackets, is_known_asteroid, object_id
from simulators.alerts.packets import name
from simulators.alerts.simulate import (
    SimulationPlan,
    Written,
    alerts_in_time,
    detections_in_time,
    sky_of,
    truth_of,
    write_simulated_alerts,
)
from simulators.commands.simulate import Form
from simulators.commands.simulate import simulate as command
from simulators.sky import Sky
from tests.support.recordings import recorded_in
from tests.unit.formats.test_files import Told, read
from tides_bridge.archives.truth import TruthFile, read_truth
from tides_bridge.errors import SettingsError
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import BANDS, TAI_AHEAD

OBJECTS, NIGHTS = 36, 30
LSST = SimulationPlan("lsst-avro", OBJECTS, NIGHTS)
ZTF = SimulationPlan("ztf-json", OBJECTS, NIGHTS)

READABLE = {
    "containers": (LSST, {}),
    **{
        f"rubin {version}": (replace(LSST, format="rubin", options=EncodingOptions(lsst_version=version)), {})
        for version in LSST_VERSIONS
    },
    "elasticc": (replace(LSST, format="elasticc"), {}),
    "elasticc 27.5": (
        replace(LSST, format="elasticc", options=EncodingOptions(elasticc_version="0_9", zero_point=27.5)),
        {"zero_point": 27.5},
    ),
    "lasair FULL": (replace(LSST, format="lasair-lsst"), {}),
    "lasair LITE": (replace(LSST, format="lasair-lsst", options=EncodingOptions(lasair_mode="LITE")), {}),
}
"""LSST's formats that can be read from files, and how."""


@pytest.fixture(scope="module")
def lsst() -> Sky:
    return sky_of(LSST)


@pytest.fixture(scope="module")
def ztf() -> Sky:
    return sky_of(ZTF)


def written_and_read(plan: SimulationPlan, folder: Path, **options: Any) -> tuple[Written, LightCurves, Told]:
    written = write_simulated_alerts(plan, folder)
    schema = {"schema": written.schema.parents[1]} if written.schema else {}
    return written, *read(written.place, **schema, **options)


def points_of(curves: LightCurves, object_name: str, *, detected: bool) -> dict[str, Any]:
    """Give some points of an object, in time."""
    at = curves.object_ids.index(object_name)
    inside = np.arange(curves.offsets[at], curves.offsets[at + 1])
    chosen = inside[curves.is_detection[inside] == detected]
    keys = ("mjd", "band", "flux", "flux_error", "source_id", "magnitude")
    return {key: getattr(curves, key)[chosen] for key in keys}


def seen(sky: Sky) -> dict[int, np.ndarray]:
    """List the visits in which each object was detected, if it ever was."""
    visits = {thing.number: np.flatnonzero(sky.light_curve(thing.number).detected) for thing in sky.objects}
    return {number: found for number, found in visits.items() if found.size}


class TestLightCurves:
    @pytest.mark.parametrize("form", READABLE)
    def test_lsst_files_have_the_light_curves_of_the_sky(self, form: str, lsst: Sky, tmp_path: Path) -> None:
        plan, options = READABLE[form]
        written, curves, told = written_and_read(plan, tmp_path / "out", **options)
        named = {number: str(object_id(lsst.objects[number])) for number in seen(lsst)}
        asteroids = [number for number in named if is_known_asteroid(lsst.objects[number])]
        assert asteroids
        assert sorted(curves.object_ids) == sorted(named[number] for number in named if number not in asteroids)
        assert len(told) == (0 if FORMATS[plan.format].of_objects else len(asteroids))
        assert all("an object of the solar system" in why for _, why in told)
        assert written.left_out == (len(asteroids) if FORMATS[plan.format].of_objects else 0)
        for number, visits in seen(lsst).items():
            if number not in asteroids:
                self.compare(lsst, number, visits, curves, has_ids=form != "lasair LITE")

    def compare(self, sky: Sky, number: int, visits: np.ndarray, curves: LightCurves, *, has_ids: bool) -> None:
        true, known = sky.light_curve(number), str(object_id(sky.objects[number]))
        points = points_of(curves, known, detected=True)
        np.testing.assert_allclose(points["mjd"], true.mjd_utc[visits], rtol=0, atol=1e-9)
        assert points["band"].tolist() == true.band[visits].tolist()
        np.testing.assert_allclose(points["flux"], true.flux_njy[visits], rtol=3e-7)
        np.testing.assert_allclose(points["flux_error"], true.error_njy[visits], rtol=3e-7)
        expected = [170600000000000000 + number * 2**16 + int(visit) for visit in visits]
        assert points["source_id"].tolist() == (expected if has_ids else [-1] * visits.size)
        first, last = visits[0], visits[-1]
        earlier = (true.night < true.night[last]) & (true.mjd_utc >= true.mjd_utc[first] - 30)
        earlier &= true.night[last] > true.night[first]
        forced = points_of(curves, known, detected=False)
        np.testing.assert_allclose(forced["flux"], true.flux_njy[earlier], rtol=3e-7)

    @pytest.mark.parametrize("form", ["ztf-json", "ztf-avro"])
    def test_ztf_files_have_the_light_curves_of_the_sky(self, form: str, ztf: Sky, tmp_path: Path) -> None:
        _, curves, told = written_and_read(replace(ZTF, format=form), tmp_path / "out")
        assert told == []
        assert len(curves) == len(seen(ztf)) > 25
        for number, visits in seen(ztf).items():
            true = ztf.light_curve(number)
            recent = visits[true.mjd_utc[visits] > true.mjd_utc[visits[-1]] - 30]
            points = points_of(curves, name(ztf.objects[number], true), detected=True)
            np.testing.assert_allclose(points["mjd"], true.mjd_utc[recent], rtol=0, atol=1e-8)
            assert points["band"].tolist() == [BANDS.index(ztf.survey.bands[each]) for each in true.band[recent]]
            np.testing.assert_allclose(points["magnitude"], true.magnitude[recent], rtol=1e-7)

    def test_a_wrong_zero_point_is_noticed_by_the_reader(self, tmp_path: Path) -> None:
        written = write_simulated_alerts(
            replace(LSST, format="elasticc", options=EncodingOptions(zero_point=27.5)), tmp_path / "out"
        )
        assert written.schema is not None
        noted: list[str] = []
        _, told = read(written.place, schema=written.schema, noted=lambda _, why: noted.append(why))
        assert told == []
        assert noted and "zero point" in noted[0]


class TestPackets:
    def test_identifiers_are_large_and_unique_and_a_source_keeps_its_own(self, lsst: Sky) -> None:
        of_source: dict[int, tuple[Any, ...]] = {}
        for alert in alerts_in_time(LSST, lsst):
            for source in [alert["diaSource"], *(alert["prvDiaSources"] or [])]:
                content = tuple(source[key] for key in ("midpointMjdTai", "psfFlux", "ra", "diaObjectId"))
                assert of_source.setdefault(source["diaSourceId"], content) == content
            newest = alert["diaSource"]
            assert newest["diaSourceId"] == alert["diaSourceId"] > 2**53
            if alert["diaObject"]:
                assert newest["diaObjectId"] == alert["diaObject"]["diaObjectId"] > 2**53
        assert len(of_source) > 150
        assert {int(float(object_id(thing))) for thing in lsst.objects[:10]} == {170587115523932320}

    def test_known_asteroids_are_of_the_solar_system(self) -> None:
        sky = Sky(1, "lsst", objects=150, nights=20)
        asteroids = [thing.number for thing in sky.objects if is_known_asteroid(thing)]
        alerts = [alert for alert in map(LsstPackets(sky).newest, asteroids) if alert]
        assert all(alert["diaObject"] is None for alert in alerts)
        assert {alert["diaSource"]["diaObjectId"] for alert in alerts} == {0, None}
        for alert in alerts:
            ids = alert["diaSource"]["ssObjectId"], alert["ssSource"]["ssObjectId"]
            assert ids[0] == ids[1] > 2**53
            assert alert["prvDiaSources"] is None and alert["prvDiaForcedSources"] is None
            assert alert["labels"]["truth"] == "asteroid"

    def test_epochs_are_in_tai_and_history_ascends(self, lsst: Sky) -> None:
        number, visits = max(seen(lsst).items(), key=lambda item: item[1].size)
        packet = LsstPackets(lsst).packet(number, int(visits[-1]))
        epochs = [each["midpointMjdTai"] for each in packet["prvDiaSources"]]
        assert epochs == (lsst.light_curve(number).mjd_utc[visits[:-1]] + TAI_AHEAD).tolist()
        assert epochs == sorted(epochs) and epochs[-1] < packet["diaSource"]["midpointMjdTai"]

    def test_history_reaches_back_twelve_months(self) -> None:
        sky = Sky(3, "lsst", objects=30, nights=500)
        packets = LsstPackets(sky)
        number, visits = max(seen(sky).items(), key=lambda item: item[1].size)
        packet = packets.packet(number, int(visits[-1]))
        mjd = sky.light_curve(number).mjd_utc[visits]
        assert 0 < len(packet["prvDiaSources"]) == np.count_nonzero(mjd[:-1] > mjd[-1] - 365) < visits.size - 1
        measured = sky.light_curve(number)
        forced = (measured.mjd_utc >= mjd[-1] - 365) & (measured.night < measured.night[visits[-1]])
        assert len(packet["prvDiaForcedSources"]) == np.count_nonzero(forced) < measured.mjd_utc.size - 50
        assert packet["diaObject"]["nDiaSources"] == visits.size

    def test_the_first_alert_has_no_forced_photometry_and_means_are_of_its_sources(self, lsst: Sky) -> None:
        packets = LsstPackets(lsst)
        number, visits = max(seen(lsst).items(), key=lambda item: item[1].size)
        first, last = (packets.packet(number, int(visits[at])) for at in (0, -1))
        assert (first["prvDiaSources"], first["prvDiaForcedSources"]) == ([], [])
        sources = [*last["prvDiaSources"], last["diaSource"]]
        for band in "ugrizy":
            fluxes = [each["psfFlux"] for each in sources if each["band"] == band]
            assert last["diaObject"][f"{band}_psfFluxNdata"] == len(fluxes)
            mean = np.mean(fluxes) if fluxes else np.nan
            assert last["diaObject"][f"{band}_psfFluxMean"] == pytest.approx(mean, rel=1e-6, nan_ok=True)

    def test_a_packet_needs_a_detection_and_the_right_survey(self, lsst: Sky, ztf: Sky) -> None:
        number = next(iter(seen(lsst)))
        hidden = int(np.flatnonzero(~lsst.light_curve(number).detected)[0])
        with pytest.raises(ValueError, match="was not detected in visit"):
            LsstPackets(lsst).packet(number, hidden)
        with pytest.raises(ValueError, match="observed by ztf"):
            LsstPackets(ztf)
        short = Sky(1, "lsst", objects=40, nights=3)
        faint = next(thing.number for thing in short.objects if thing.number not in seen(short))
        assert LsstPackets(short).newest(faint) is None

    def test_a_night_has_the_last_alert_of_each_object(self, lsst: Sky) -> None:
        night = lsst.first_night + next(n for n in range(15, NIGHTS) if lsst.is_clear(lsst.first_night + n))
        packets = LsstPackets(lsst)
        last = {
            number: int(visits[tonight[-1]])
            for number, visits in seen(lsst).items()
            if (tonight := np.flatnonzero(lsst.light_curve(number).night[visits] == night)).size
        }
        alerts = sorted(
            (packets.packet(number, visit) for number, visit in last.items()),
            key=lambda alert: float(alert["diaSource"]["midpointMjdTai"]),
        )
        in_time = [alert for alert in alerts_in_time(LSST, lsst) if alert["diaSource"]["visit"] // 10**5 == day(alerts)]
        assert [each["diaSourceId"] for each in alerts] == [each["diaSourceId"] for each in in_time] != []


def day(alerts: list[dict[str, Any]]) -> int:
    """Give the day of alerts of one night, YYYYMMDD."""
    days = {alert["diaSource"]["visit"] // 10**5 for alert in alerts}
    assert len(days) == 1
    return int(days.pop())


class TestFiles:
    @pytest.mark.parametrize("form", FORMATS)
    def test_the_same_seed_gives_the_same_bytes(self, form: str, tmp_path: Path) -> None:
        plan = SimulationPlan(form, 8, 15)
        first, again, other = (tmp_path / each for each in ("first", "again", "other"))
        assert write_simulated_alerts(plan, first).alerts > 0
        write_simulated_alerts(plan, again)
        write_simulated_alerts(replace(plan, seed=2), other)
        assert contents(first) == contents(again)
        assert contents(first) != contents(other)

    @pytest.mark.parametrize("form", ["ztf-avro", "rubin", "elasticc"])
    def test_names_of_files_sort_by_time(self, form: str, tmp_path: Path) -> None:
        written = write_simulated_alerts(SimulationPlan(form, OBJECTS, NIGHTS), tmp_path / "out")
        files = sorted(written.place.rglob("*.avro*"))
        epochs = [float(file.name.split("_")[1].removeprefix("mjd")) for file in files]
        assert len(files) == written.alerts > 60
        assert epochs == sorted(epochs)

    @pytest.mark.parametrize("form", ["fink-lsst", "fink-ztf", "antares"])
    def test_recordings_are_in_time(self, form: str, tmp_path: Path) -> None:
        written = write_simulated_alerts(SimulationPlan(form, OBJECTS, NIGHTS), tmp_path / "out")
        times = [message.timestamp_ms for message in recorded_in(written.place)]
        assert len(times) == written.alerts > 60
        assert times == sorted(times)

    def test_any_format_can_be_one_recording(self, tmp_path: Path) -> None:
        plan = SimulationPlan("rubin", 20, 20, as_recording=True)
        written = write_simulated_alerts(plan, tmp_path / "out")
        separate = write_simulated_alerts(replace(plan, as_recording=False), tmp_path / "files")
        values = [message.value for message in recorded_in(written.place)]
        assert sorted(values) == sorted(file.read_bytes() for file in separate.place.rglob("*.avro"))

    def test_an_alert_a_detection_or_one_a_night(self, ztf: Sky) -> None:
        every = list(detections_in_time(ztf, every=True))
        last = list(detections_in_time(ztf))
        assert len(every) == sum(visits.size for visits in seen(ztf).values()) > len(last)
        night = {(number, int(ztf.light_curve(number).night[visit])) for number, visit in every}
        assert len(last) == len(night)
        assert {(number, int(ztf.light_curve(number).night[visit])) for number, visit in last} == night

    @pytest.mark.parametrize("form", ["rubin", "ztf-avro"])
    def test_images_make_packets_as_large_as_real_ones(self, form: str, tmp_path: Path) -> None:
        plain = write_simulated_alerts(SimulationPlan(form, 8, 20), tmp_path / "plain")
        large = write_simulated_alerts(SimulationPlan(form, 8, 20, cutout_bytes=90_000), tmp_path / "large")
        added = (large.bytes - plain.bytes) / plain.alerts
        assert 90_000 <= added < 90_200

    def test_real_size_without_images(self, tmp_path: Path) -> None:
        """A packet has about 20 kB after some months: 40 sources and 100 forced ones."""
        sky = Sky(1, "lsst", objects=20, nights=300)
        number, visits = max(seen(sky).items(), key=lambda item: item[1].size)
        packet = LsstPackets(sky).packet(number, int(visits[-1]))
        size = len(FORMATS["rubin"].encode(packet, EncodingOptions()).value)
        assert len(packet["prvDiaSources"]) > 40 and 15_000 < size < 90_000


class TestTruth:
    @pytest.mark.parametrize("plan", [ZTF, LSST], ids=["ztf", "lsst"])
    def test_the_backtest_can_read_it(self, plan: SimulationPlan, tmp_path: Path) -> None:
        written, curves, _ = written_and_read(plan, tmp_path / "out")
        table = read_truth([TruthFile(tmp_path / "out" / "truth.csv")])
        assert sorted(table.index) == sorted(curves.object_ids)
        assert len(table) == written.objects
        given = dict(zip(table.given, table.class_name, strict=True))
        assert given["SN Ia"] == "SN Ia" and given["AGN"] == "AGN" and given["RR Lyrae"] == "RR Lyrae"
        assert "asteroid" in given and given["asteroid"] is None
        supernovae = table.class_name.astype(str).str.startswith("SN")
        assert table.redshift[supernovae].notna().all() and table.redshift[~supernovae & (given != "SLSN")].isna().all()

    def test_its_rows_are_what_the_sky_knows(self, lsst: Sky) -> None:
        rows = {row["diaObjectId"]: row for row in truth_of(lsst)}
        for thing in lsst.objects:
            row = rows.get(object_id(thing))
            if row is None:
                assert is_known_asteroid(thing) or thing.number not in seen(lsst)
                continue
            assert row["detections"] == seen(lsst)[thing.number].size
            assert (row["ra"], row["dec"], row["sherlock"]) == (thing.ra, thing.dec, thing.sherlock)
            if thing.is_supernova:
                assert row["peak_mjd"] == pytest.approx(thing.peak_mjd, abs=1e-5)
                assert row["peakmag_r"] == pytest.approx(thing.magnitude, abs=1e-3)


class TestPlan:
    @pytest.mark.parametrize(
        ("plan", "option"),
        [
            (SimulationPlan("rubin", 5, 5, survey="ztf"), "--survey"),
            (SimulationPlan("ztf-avro", 5, 5, survey="lsst"), "--survey"),
            (SimulationPlan("elasticc", 5, 5, cutout_bytes=10), "--cutouts"),
            (SimulationPlan("lasair-lsst", 5, 5, cutout_bytes=10), "--cutouts"),
            (SimulationPlan("rubin", 5, 5, options=EncodingOptions(lsst_version="8_0")), "--schema-version"),
            (SimulationPlan("lasair-lsst", 5, 5, options=EncodingOptions(lsst_version="11_0")), "--schema-version"),
            (SimulationPlan("rubin", 5, 5, options=EncodingOptions(zero_point=27.5)), "--zero-point"),
            (SimulationPlan("rubin", 5, 5, options=EncodingOptions(lasair_mode="LITE")), "--lasair-mode"),
            (SimulationPlan("elasticc", 5, 5, options=EncodingOptions(elasticc_version="1_0")), "--schema-version"),
        ],
    )
    def test_what_does_not_fit_is_told(self, plan: SimulationPlan, option: str, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match=option):
            write_simulated_alerts(plan, tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_nothing_is_overwritten(self, tmp_path: Path) -> None:
        (tmp_path / "precious").write_text("mine")
        with pytest.raises(SettingsError, match="holds files"):
            write_simulated_alerts(SimulationPlan("rubin", 5, 5), tmp_path)
        assert [each.name for each in tmp_path.iterdir()] == ["precious"]

    def test_antares_takes_either_survey(self, tmp_path: Path) -> None:
        assert SimulationPlan("antares", 5, 5).observed_by == "lsst"
        assert write_simulated_alerts(SimulationPlan("antares", 8, 20, survey="ztf"), tmp_path / "out").alerts > 0


class TestCommand:
    app = typer.Typer()
    app.command()(command)

    def run(self, *arguments: str | Path) -> Any:
        return CliRunner().invoke(self.app, [str(each) for each in arguments])

    def test_the_choices_are_those_of_the_encoders(self) -> None:
        assert [each.value for each in Form] == list(FORMATS)

    def test_it_says_what_it_wrote_and_how_to_read_it(self, tmp_path: Path) -> None:
        out = tmp_path / "out"
        wanted = ("--format", "rubin", "--objects", 20, "--nights", 20, "--schema-version", "11_0")
        result = self.run(*wanted, "--output", out)
        assert result.exit_code == 0, result.output
        assert str(out / "alerts") in result.output and "truth.csv" in result.output
        schema = out / "schema" / "v11_0" / "lsst.v11_0.alert.avsc"
        assert str(schema) in result.output
        assert json.loads(schema.read_text())["name"] == "lsst.v11_0.alert"

    def test_a_wrong_option_is_one_line(self, tmp_path: Path) -> None:
        result = self.run("--format", "elasticc", "--output", tmp_path / "out", "--schema-version", "10_0")
        assert result.exit_code == 2
        assert "--schema-version" in result.output and "0_9, 0_9_1" in result.output

    def test_lasairs_missing_alerts(self, tmp_path: Path) -> None:
        arguments = ("--format", "lasair-lsst", "--objects", 60, "--nights", 30, "--lasair-mode", "LITE")
        result = self.run(*arguments, "--output", tmp_path / "out", "--without-alert", 0.5)
        assert result.exit_code == 0 and "Left out" in result.output
        lines = (tmp_path / "out" / "alerts.jsonl").read_text().splitlines()
        share = sum("alert" not in json.loads(line) for line in lines) / len(lines)
        assert 0.35 < share < 0.65


def contents(folder: Path) -> dict[str, str]:
    """Give a hash of every file in a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
