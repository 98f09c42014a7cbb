"""Avro schemas: where they are found, what they are called, and whether alerts of theirs have what is needed."""

import json
from pathlib import Path
from typing import Any

import pytest

from simulators.alerts.avro_schemas import elasticc_schema, fink_lsst_schema, lsst_schema
from tests.support.alert_packets import without, written
from tides_bridge.brokers.readers import make_reader, numbered_in, reader_of_text, readers_in
from tides_bridge.errors import MalformedAlert, SettingsError
from tides_bridge.formats.avro.schemas import is_schema, schema_of_text, schemas_in
from tides_bridge.formats.columnar import is_elasticc_schema, is_of_sources, missing_in

LSST = [lsst_schema(version) for version in ("9_0", "10_0", "11_0", "12_0")]
OLD = [elasticc_schema(version) for version in ("0_9", "0_9_1")]


class TestFolders:
    def test_by_the_number_in_the_name_of_the_file_or_its_own(self, tmp_path: Path) -> None:
        written(tmp_path, "v9_0/lsst.v9_0.alert.avsc", LSST[0])
        written(tmp_path, "v10/alert.avsc", {**LSST[1], "name": "lsst.v10_0.alert"})
        written(tmp_path, "other/alert.avsc", {**OLD[0], "name": "nothing.alert"})
        assert sorted(numbered_in(tmp_path)) == [900, 1000]
        assert [reader.survey for reader in readers_in(tmp_path)] == ["elasticc", "lsst", "lsst"]

    def test_parts_in_files_of_their_own_are_no_alerts(self, tmp_path: Path) -> None:
        written(tmp_path, "made.alert.avsc", LSST[0])
        written(tmp_path, "made.diaSource.avsc", {"type": "record", "name": "s", "fields": []})
        assert [Path(name).name for name in schemas_in(tmp_path)] == ["made.alert.avsc"]

    def test_a_single_file(self, tmp_path: Path) -> None:
        path = written(tmp_path, "any.avsc", LSST[1])
        assert [(reader.name, reader.problem) for reader in readers_in(path)] == [("any.avsc", "")]

    @pytest.mark.parametrize("text", ["", "{", '{"type": "nothing"}', "[]x"])
    def test_a_broken_file_is_a_wrong_setting(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(SettingsError, match="is no Avro schema"):
            readers_in(written(tmp_path, "broken.avsc", text))

    def test_nothing_there_is_a_wrong_setting(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="holds no Avro schema"):
            readers_in(tmp_path)
        with pytest.raises(SettingsError, match="there is no such schema file or folder"):
            readers_in(tmp_path / "away")


class TestTexts:
    @pytest.mark.parametrize("text", [b"", b"{", b"[1]", b'{"type": "record"}', b"[" * 100_000, b"\xff\xfe"])
    def test_what_is_no_schema_is_refused(self, text: bytes) -> None:
        with pytest.raises(MalformedAlert, match="its schema is none"):
            schema_of_text(text)

    def test_it_is_prepared_once(self) -> None:
        text = json.dumps(LSST[2]).encode()
        assert reader_of_text(text) is reader_of_text(bytes(bytearray(text)))

    def test_a_key_is_told_by_its_beginning(self) -> None:
        assert [is_schema(key) for key in (b"[]", b"\n{", b"", b"name")] == [True, True, False, False]


class TestNeeded:
    @pytest.mark.parametrize("schema", [*LSST, *OLD, fink_lsst_schema()], ids=lambda schema: schema["name"])
    def test_ours_have_all(self, schema: Any) -> None:
        assert is_of_sources(schema)
        assert missing_in(schema) == ""
        assert make_reader(schema, "any").program is not None

    def test_the_spelling_tells_the_survey(self) -> None:
        assert [is_elasticc_schema(schema) for schema in (*LSST, *OLD)] == [False] * 4 + [True] * 2

    @pytest.mark.parametrize("name", ["midpointMjdTai", "psfFlux", "psfFluxErr", "band"])
    @pytest.mark.parametrize("schema", LSST, ids=lambda schema: schema["name"])
    def test_a_missing_field_is_named(self, schema: Any, name: str) -> None:
        assert missing_in(without(schema, "diaSource", name)) == f"diaSource.{name}"

    @pytest.mark.parametrize("name", ["midPointTai", "psFlux", "psFluxErr", "filterName"])
    def test_in_the_spelling_of_the_others(self, name: str) -> None:
        assert missing_in(without(OLD[1], "diaSource", name)) == f"diaSource.{name}"

    def test_of_forced_photometry(self) -> None:
        assert missing_in(without(LSST[1], "prvDiaForcedSources", "psfFluxErr")) == "prvDiaForcedSources.psfFluxErr"

    def test_forced_photometry_may_be_missing_but_not_the_history(self) -> None:
        assert missing_in(without(LSST[1], "", "prvDiaForcedSources")) == ""
        assert missing_in(without(LSST[1], "", "prvDiaSources")) == "prvDiaSources"

    def test_one_id_of_the_object_is_enough(self) -> None:
        by_object = without(LSST[1], "diaSource", "diaObjectId")
        assert missing_in(by_object) == ""
        assert missing_in(without(by_object, "diaObject", "diaObjectId")) == "diaSource.diaObjectId"

    def test_the_reason_has_the_field_and_the_schema(self) -> None:
        reader = make_reader(without(LSST[1], "diaSource", "psfFlux"), "1200")
        assert reader.problem == "diaSource.psfFlux is missing from schema 1200"
