"""SNANA: pairs of FITS files, ELAsTiCC2's Parquet, and text: the same objects in all of them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import snana
from tests.support.snana import FACTS, IDS, POINTS
from tests.unit.formats.test_files import read, written
from tides_bridge.formats.files import kind_of
from tides_bridge.formats.meaning.left_out import Digest
from tides_bridge.lightcurves import LightCurves

SCALE = 10 ** ((31.4 - 27.5) / 2.5)
TAI = 37 / 86400


def check(curves: LightCurves) -> None:
    """Make sure that all that is known of both objects is there, and of the right one."""
    order = [curves.object_ids.index(name) for name in IDS]
    assert len(curves) == 2
    for number, name in zip(order, IDS, strict=True):
        one = curves.part(number, number + 1)
        expected = [row for row in POINTS[name] if not row[4] & 1024]
        assert one.mjd == pytest.approx([row[0] - TAI for row in expected], abs=1e-9)
        assert one.band.tolist() == ["ugrizY".index(row[1]) for row in expected]
        assert one.flux == pytest.approx([row[2] * SCALE for row in expected])
        assert one.flux_error == pytest.approx([row[3] * SCALE for row in expected])
        assert one.is_detection.tolist() == [bool(row[4] & 4096) for row in expected]
        known = one.objects
        assert (known.ra[0], known.decl[0]) == FACTS[name][:2]
        assert known.ebv[0] == pytest.approx(FACTS[name][2])


FORMS = ("pair", "packed pair", "large lists", "lists", "text", "texts")


def write_form(folder: Path, form: str) -> list[Path]:
    if "pair" in form:
        return [snana.write_pair(folder, packed="packed" in form)]
    if "lists" in form:
        return [snana.write_object_rows(folder / "SNIa-SALT3.parquet", large="large" in form)]
    parts = [snana.snana_text(name) for name in IDS]
    if form == "text":
        return [written(folder, "both.DAT", "".join(parts).encode())]
    return [written(folder, f"{name}.DAT", part.encode()) for name, part in zip(IDS, parts, strict=True)]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return snana.write_pair(tmp_path_factory.mktemp("pair"))


class TestForms:
    @pytest.mark.parametrize("form", FORMS)
    def test_one_sky_in_every_form(self, tmp_path: Path, form: str) -> None:
        curves, told = read(*write_form(tmp_path, form))
        assert told == []
        check(curves)

    def test_folders_of_pairs(self, tmp_path: Path) -> None:
        second = {"99": [(61020.1, "z", 10.0, 1.0, 4096)], "98": [(61021.1, "z", 20.0, 1.0, 4096)]}
        snana.write_pair(tmp_path, packed=True)
        snana.write_pair(tmp_path, "ELASTICC2_TRAIN_02_SNIa-SALT3-0002", points=second)
        curves, told = read(tmp_path)
        assert told == []
        assert sorted(curves.object_ids) == sorted([*IDS, "98", "99"])

    def test_a_photometry_file_alone_stands_for_its_pair(self, tmp_path: Path) -> None:
        head = snana.write_pair(tmp_path)
        phot = head.with_name(head.name.replace("HEAD", "PHOT"))
        check(read(phot)[0])
        check(read(head, phot)[0])
        head.unlink()
        assert [why for _, why in read(phot)[1]] == ["is a PHOT file of SNANA, whose HEAD file is not beside it"]

    def test_packed_and_unpacked_beside_each_other_are_one(self, tmp_path: Path) -> None:
        snana.write_pair(tmp_path, packed=True)
        snana.write_pair(tmp_path)
        curves, told = read(tmp_path)
        assert told == []
        check(curves)


class TestConventions:
    def test_zero_point_of_the_file(self, tmp_path: Path) -> None:
        head = snana.write_pair(tmp_path, head_changes={"ZP_FLUXCAL": np.full(2, 31.4, dtype=np.float32)})
        assert read(head)[0].flux[0] == pytest.approx(POINTS[IDS[0]][0][2], rel=1e-6)
        changed = {"ZP_FLUXCAL": np.array([27.5, 31.4], dtype=np.float32)}
        assert read(snana.write_pair(tmp_path, "b", head_changes=changed))[1][0][1] == (
            "has several zero points ZP_FLUXCAL: 27.5, 31.4"
        )

    def test_a_survey_that_marks_no_detections(self, tmp_path: Path) -> None:
        head = snana.write_pair(tmp_path, without=("PHOTFLAG",), keys={"SURVEY": "ZTF"})
        left_out = Digest()
        curves, told = read(head, left_out=lambda _, more: left_out.add(more))
        assert told == []
        assert left_out.lines() == ["no detections are marked (PHOTFLAG): each point with a flux counts as one"]
        assert curves.is_detection.all() and len(curves.mjd) == 7
        assert curves.mjd[0] == 61000.1  # of other surveys UTC, and Palomar's night
        assert curves.night.tolist() == (np.floor(curves.mjd) - 1).tolist()

    @pytest.mark.parametrize(("survey", "is_told"), [("SDSS", False), ("LSST", False), ("KEPLER", True)])
    def test_whose_nights_count_is_told_where_it_is_not_known(self, tmp_path: Path, survey: str, is_told: bool) -> None:
        head, left_out = snana.write_pair(tmp_path, keys={"SURVEY": survey}), Digest()
        curves, _ = read(head, left_out=lambda _, more: left_out.add(more))
        assert any("whose nights count" in line for line in left_out.lines()) == is_told
        if is_told:
            asked, _ = read(head, survey="ztf")
            assert asked.night.tolist() == (np.floor(asked.mjd) - 1).tolist()
            assert curves.night.tolist() == np.floor(curves.mjd - 0.5).tolist()

    def test_the_bit_that_the_header_names(self, tmp_path: Path) -> None:
        curves, _ = read(snana.write_pair(tmp_path, keys={"HIERARCH PHOTFLAG_DETECT": 2048}))
        assert curves.is_detection.tolist() == [False, False, True, False, False, False]

    def test_bands_that_are_none_are_told(self, tmp_path: Path) -> None:
        points = {"1": [(61000.1, "g", 1.0, 1.0, 4096), (61000.2, "J", 1.0, 1.0, 4096)], "2": []}
        left_out = Digest()
        curves, _ = read(snana.write_pair(tmp_path, points=points), left_out=lambda _, more: left_out.add(more))
        assert left_out.lines() == ["1 point of the band 'J', which is none of u, g, r, i, z, y"]
        assert curves.band.tolist() == [1, -1]
        assert np.diff(curves.offsets).tolist() == [2, 0]

    def test_a_file_of_other_bands_is_refused(self, tmp_path: Path) -> None:
        points = {"1": [(61000.1 + day, band, 1.0, 1.0, 4096) for day, band in enumerate("JHg")]}
        curves, told = read(snana.write_pair(tmp_path, points=points))
        assert (len(curves), len(told)) == (0, 1)
        assert told[0][1].startswith("most of it cannot be used: 1 point of the band")

    def test_old_names_of_columns(self, tmp_path: Path) -> None:
        flat = [row[1] for name in IDS for row in (*POINTS[name], (0, "-"))]
        head = snana.write_pair(
            tmp_path,
            phot_changes={"FLT": np.array(flat, dtype="S2")},
            head_changes={"DECL": np.array([FACTS[name][1] for name in IDS])},
            without=("BAND", "DEC"),
        )
        check(read(head)[0])

    def test_unknown_positions(self, tmp_path: Path) -> None:
        changed = {"RA": np.array([-9.0, 5.0]), "DEC": np.array([-9.0, -9.0])}
        known = read(snana.write_pair(tmp_path, head_changes=changed))[0].objects
        assert np.isnan([known.ra[0], known.decl[0]]).all()
        assert (known.ra[1], known.decl[1]) == (5.0, -9.0)


class TestFaults:
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"PTROBS_MAX": [9, 8]}, "1 of 2 objects point at rows that p_PHOT.FITS does not have for them"),
            ({"PTROBS_MIN": [1, 5], "PTROBS_MAX": [4, 7]}, f"(PTROBS_MIN, PTROBS_MAX), the first is {IDS[1]}"),
            ({"PTROBS_MIN": [2, 6], "PTROBS_MAX": [4, 8], "NOBS": [3, 3]}, f"the first is {IDS[0]}"),
            ({"PTROBS_MIN": [1, -3]}, "1 of 2 objects point at rows"),
        ],
    )
    def test_wrong_pointers(self, tmp_path: Path, changes: dict[str, list[int]], reason: str) -> None:
        wrong = {name: np.array(values, dtype=np.int32) for name, values in changes.items()}
        curves, told = read(snana.write_pair(tmp_path, "p", head_changes=wrong))
        assert reason in told[0][1]
        assert len(curves) == 1

    def test_a_pair_without_its_photometry(self, tmp_path: Path) -> None:
        head = snana.write_pair(tmp_path, "p")
        (tmp_path / "p_PHOT.FITS").unlink()
        assert read(head)[1][0][1] == "is a HEAD file of SNANA without its PHOT file: p_PHOT.FITS or p_PHOT.FITS"

    @pytest.mark.parametrize("packed", [False, True])
    @pytest.mark.parametrize("what", ["HEAD", "PHOT"])
    def test_files_that_are_cut_off(self, tmp_path: Path, what: str, packed: bool) -> None:
        head = snana.write_pair(tmp_path, "p", packed=packed)
        broken = head.with_name(head.name.replace("HEAD", what))
        content = broken.read_bytes()
        broken.write_bytes(content[: len(content) * 2 // 3])
        curves, told = read(head)
        assert len(curves) == 0
        assert len(told) == 1 and told[0][1].startswith(("is cut off: ", "is broken"))

    def test_ids_as_floats_and_objects_that_come_twice(self, tmp_path: Path) -> None:
        head = snana.write_pair(tmp_path, "f", head_changes={"SNID": np.array([1.0, 2.0])})
        assert "SNID is a column of floats" in read(head)[1][0][1]
        head = snana.write_pair(tmp_path, "t", head_changes={"SNID": np.array(["7", "7"], dtype="S2")})
        assert read(head)[1][0][1] == "1 rows have the SNID of another row: of these the newest counts"
        table = snana.write_object_rows(tmp_path / "t", SNID=pa.array([1.7e17, 2.0]))
        assert "lost digits of the ids" in read(table)[1][0][1]

    def test_lists_of_different_lengths(self, tmp_path: Path) -> None:
        lists = pa.array([[61000.0], [row[0] for row in POINTS[IDS[1]]]])
        curves, told = read(snana.write_object_rows(tmp_path / "t", MJD=lists))
        assert told[0][1] == f"1 objects have lists of different lengths, the first is {IDS[0]}"
        assert curves.object_ids == (IDS[1],)

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (("SNID: ", "NAME: "), "an object has no SNID"),
            (("FLUXCAL ", "FLUX "), f"{IDS[0]} has no column FLUXCAL"),
            (("40.0", "bright"), f"{IDS[0]} has no number in a line OBS: as FLUXCAL"),
            (("NULL 40.0", "NULL 40.0 0"), f"1 lines OBS: of {IDS[0]} have another number of fields"),
        ],
    )
    def test_texts_that_are_wrong(self, tmp_path: Path, change: tuple[str, str], reason: str) -> None:
        text = snana.snana_text(IDS[0]).replace(*change, 1) + snana.snana_text(IDS[1])
        curves, told = read(written(tmp_path, "t.DAT", text.encode()))
        assert [why for _, why in told] == [reason]
        assert IDS[1] in curves.object_ids

    def test_other_fits_files_are_named(self, tmp_path: Path) -> None:
        from astropy.io import fits

        fits.HDUList([fits.PrimaryHDU(np.zeros((4, 4)))]).writeto(tmp_path / "image.fits")
        assert read(tmp_path / "image.fits")[1][0][1] == "is broken FITS: it has no table"
        assert kind_of(snana.write_pair(tmp_path)) == "snana pair"
        (told,) = read(written(tmp_path, "x.DUMP", snana.dump_text().encode()))[1]
        assert told[1].startswith("is a DUMP file of SNANA: ")

    @settings(max_examples=25, deadline=None)
    @given(cut=st.integers(0, 11000), byte=st.integers(0, 255), which=st.sampled_from(["HEAD", "PHOT"]))
    def test_no_byte_makes_a_library_speak(self, pair: Path, cut: int, byte: int, which: str) -> None:
        spoilt = pair.with_name(pair.name.replace("HEAD", which))
        whole = spoilt.read_bytes()
        content = bytearray(whole)
        content[cut % len(content)] = byte
        spoilt.write_bytes(bytes(content))
        read(pair)  # whatever is wrong is told: nothing is raised
        spoilt.write_bytes(whole)
