"""The samples of the TiDES survey catalogue: 4FS catalogue format, FMTVERS 2.6."""

import csv
from collections import Counter


def read(folder, name):
    with (folder / f"catalogue_{name}.csv").open(newline="") as file:
        return [{key.lower(): value for key, value in row.items()} for row in csv.DictReader(file)]


def for_tides(rows):
    return [row | {"uploadedfor_survey_id": 15} for row in rows]


def test_the_complete_catalogue_is_accepted(api, catalogues):
    rows = for_tides(read(catalogues, "complete"))
    made = api.create(rows)
    assert Counter(row["subsurvey"] for row in made) == {"tides-sn": 153, "tides-hosts": 46, "source": 1}
    for sent, row in zip(rows, made, strict=True):
        assert {name: type(row[name])(value) for name, value in sent.items()} == {name: row[name] for name in sent}


def test_missing_columns_are_named_with_their_rows(api, catalogues):
    rows = for_tides(read(catalogues, "missing_columns"))
    error = api.refused(rows)
    assert error.startswith(f"row 1 ({rows[0]['name']}): mag: required, but not given; row 2 (")
    assert error.endswith("and 190 more rows")
    assert not api.found(mag_type__exact="", name=rows[0]["name"])


def test_wrong_types_are_named_with_their_rows(api, catalogues):
    rows = for_tides(read(catalogues, "wrong_datatypes"))
    error = api.refused(rows)
    words = {"template_redshift": "Far away", "date_latest": "Date", "mag": "Faint"}
    for column, word in (*words.items(), ("mag", "Bright")):
        number = next(number for number, row in enumerate(rows, 1) if row[column] == word)
        assert f"row {number} ({rows[number - 1]['name']}): {column}: {word!r} is not a finite number" in error
    assert error.count("row ") == 4
