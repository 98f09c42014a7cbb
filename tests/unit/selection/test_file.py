"""Files of selection functions: those shipped, that of D3.3.3, and how a wrong one is named."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.support.curves import curves_of, point
from tests.support.functions import USUAL, Keys
from tides_bridge.errors import SettingsError
from tides_bridge.resources import shipped
from tides_bridge.selection import SelectionFunction
from tides_bridge.selection.file import load_function, read_functions_file
from tides_bridge.selection.functions import light_curve_satisfies

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        file = tmp_path / "functions.yaml"
        file.write_text(text)
        return file

    return write


def problem_of(file: Path, name: str = "f") -> tuple[str, str, str]:
    with pytest.raises(SettingsError) as error:
        load_function(file, name)
    return error.value.file, error.value.key, error.value.problem


def demands_of(function: SelectionFunction) -> Keys:
    demands: Keys = {leaf.path: leaf.threshold for leaf in function.leaves}
    return {"filters": "".join(function.points.filters or ()), "significance": function.points.significance, **demands}


# Files that are right


def usual(bands: int, limit: float, nights: int = 2) -> Keys:
    return {"filters": "griz", "significance": 5, "minBands": bands, "minNights": nights, "magLimit": limit}


TIDES: dict[str, Keys] = {
    "tidesSNLSSTSelect": usual(3, 22.5),
    "tidesSNZTFSelect": usual(2, 22.5),
    "tidesHostLSSTSelect": usual(3, 23),
}
CLEAN: Keys = {
    "sherlockClasses": ("NT", "ORPHAN", "SN", "UNCLEAR", "UNKNOWN"),
    "any.1.maxAgeKnown": 365,
    "any.2.minRiseRate": 0.07,
    "any.3.minFadeRate": 0.07,
    "not.any.1.pointSource": True,
    "not.any.2.knownVariable": True,
    "not.any.3.solarSystem": True,
}
MORE: dict[str, Keys] = {
    "tidesSNZTFClean": {**usual(2, 22.5), **CLEAN},
    "tidesSNLSSTClean": {**usual(3, 22.5), **CLEAN},
    "tidesLasairLSST2026": {
        **{**usual(3, 22.5000001638), "significance": 3},
        "sherlockClasses": ("NT", "ORPHAN", "SN", "UNCLEAR", "UNKNOWN"),
    },
    "youngSupernovaExample": {
        "filters": "griz",
        "significance": 5,
        "minDetections": 2,
        "minNights": 2,
        "magLimit": 22.5,
        "maxGap": 7,
        "maxAgeFirst": 10,
        "minRiseRate": 0.02,
    },
}


def test_the_shipped_functions_are_those_of_tides() -> None:
    functions = read_functions_file(shipped("selectionFunctions.yaml"))
    assert {name: demands_of(function) for name, function in functions.items()} == {**TIDES, **MORE}
    assert {function.rules for function in functions.values()} == {"strict"}
    assert [function.name for function in functions.values()] == list(functions)
    assert {function.points.positive_only for function in functions.values()} == {True}


def test_the_functions_of_d333_load_unchanged(shared_data: Path) -> None:
    file = shared_data / "tides_selection_functions_d333.yml"
    if not file.exists():
        pytest.skip("the file of D3.3.3 is not on this machine")
    functions = read_functions_file(file)
    assert {name: demands_of(function) for name, function in functions.items()} == {
        **TIDES,
        "tidesSNZTFSelectDEMO1": usual(2, 22.5, nights=10),
    }
    assert {function.rules for function in functions.values()} == {None}


def test_one_function_is_read_whatever_is_wrong_with_another(write: Write) -> None:
    file = write(yaml.safe_dump({"f": USUAL, "broken": {"filters": 5}}))
    assert load_function(file, "f").name == "f"
    with pytest.raises(SettingsError, match=r"functions\.yaml: broken\.significance: is missing"):
        read_functions_file(file)


def test_a_file_may_be_empty_of_functions(write: Write) -> None:
    assert read_functions_file(write("{}")) == {}


@pytest.mark.parametrize("band", "ugrizy")
def test_every_band_is_text_in_yaml(write: Write, band: str) -> None:
    """Some readers of YAML take y for yes."""
    function = load_function(
        write(f"f:\n  rules: strict\n  filters: [{band}]\n  significance: 5\n  minBands: 1\n"), "f"
    )
    assert function.points.filters == (band,)


def test_blocks_may_share_keys_by_anchors(write: Write) -> None:
    file = write("a: &a {rules: strict, filters: [g], significance: 5, minBands: 1}\nf:\n  <<: *a\n  minBands: 2\n")
    assert demands_of(load_function(file, "f")) == {"filters": "g", "significance": 5, "minBands": 2}
    inner = "  any:\n  - &inner\n    <<: *a\n    minBands: 3\n"
    keys = "rules: strict, filters: [g], significance: 5"
    file = write(
        f"a: &a {{minBands: 2}}\nf:\n  {keys.replace(', ', chr(10) + '  ')}\n{inner}g: {{{keys}, <<: *inner}}\n"
    )
    assert demands_of(load_function(file, "f"))["any.1.minBands"] == 3
    assert demands_of(load_function(file, "g"))["minBands"] == 3


# Coverage maps


@pytest.mark.parametrize(
    ("name", "kind"), [("a.fits", "fits"), ("A.FITS", "fits"), ("a.json", "json"), ("a.moc", "ascii")]
)
def test_a_footprint_is_read_from_a_file_beside(write: Write, tmp_path: Path, name: str, kind: str) -> None:
    """It is part of the function, and of its version: the file may be away later."""
    from mocpy import MOC

    (tmp_path / "maps").mkdir()
    MOC.from_string("0/4 2/3", "ascii").save(str(tmp_path / "maps" / name), kind)
    block = "  rules: strict\n  filters: [g]\n  significance: 5\n"
    file = write(f"f:\n{block}  footprint: maps/{name}\ng:\n{block}  any: [{{footprint: maps/{name}}}]\n")
    function = load_function(file, "f")
    assert '"footprint":"0/4 2/3"' in function.normalised_text
    inline = {"rules": "strict", "filters": ["g"], "significance": 5, "footprint": "2/3 0/4"}
    assert function.version == SelectionFunction.parse("inline", inline).version
    assert '"any":[{"footprint":"0/4 2/3"}]' in load_function(file, "g").normalised_text


@pytest.mark.parametrize(
    "name", ["missing.fits", "missing.moc", "broken.fits", "broken.json", "broken.moc", "folder.fits"]
)
@pytest.mark.parametrize(
    ("block", "key"), [("{footprint: NAME}", "footprint"), ("{any: [{not: {footprint: NAME}}]}", "any.1.not.footprint")]
)
def test_a_map_that_cannot_be_read_is_named(write: Write, tmp_path: Path, name: str, block: str, key: str) -> None:
    (tmp_path / "folder.fits").mkdir()
    if name.startswith("broken"):
        (tmp_path / name).write_bytes(b"no map")
    keys = {"rules": "strict", "filters": ["g"], "significance": 5, **yaml.safe_load(block.replace("NAME", name))}
    file = write(yaml.safe_dump({"f": keys}))
    where, which, problem = problem_of(file)
    assert (where, which) == (str(file), f"f.{key}")
    assert problem.startswith(f"{tmp_path / name} cannot be read as a MOC: ")


# Files that are wrong

GOOD = "f:\n  filters: [g, r]\n  significance: 5\n  minBands: 2\n  minNights: 2\n  magLimit: 22.5\n"
STRICT = GOOD + "  rules: strict\n"


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        (GOOD + "  minband: 2", "f.minband", "unknown key; did you mean minBands?"),
        (GOOD + "  name: other", "f.name", "unknown key"),
        (GOOD + "  5: 5", "f.5", "unknown key"),
        (GOOD + "  on: 5", "f.True", "unknown key"),
        (GOOD.replace("  minBands: 2\n", ""), "f.minBands", "is missing"),
        (GOOD + "  maxGap: 5", "f.maxGap", "needs rules: strict"),
        (GOOD.replace("[g, r]", "[g, V]"), "f.filters", "'V' is no band; there are u, g, r, i, z, y"),
        (GOOD.replace("[g, r]", "[]"), "f.filters", "must be a list of bands"),
        (GOOD.replace("[g, r]", "g"), "f.filters", "must be a list of bands"),
        (GOOD.replace("significance: 5", "significance: high"), "f.significance", "'high' is no number"),
        (GOOD.replace("significance: 5", "significance: 0"), "f.significance", "must be greater than 0"),
        (GOOD.replace("significance: 5", "significance: .nan"), "f.significance", "must be a number"),
        (GOOD.replace("minNights: 2", "minNights: -1"), "f.minNights", "must be a whole number, not negative"),
        (GOOD.replace("minNights: 2", "minNights: 1.5"), "f.minNights", "must be a whole number, not negative"),
        (GOOD.replace("minNights: 2", "minNights: true"), "f.minNights", "must be a number"),
        (GOOD.replace("minNights: 2", "minNights: 2026-01-01"), "f.minNights", "must be a number"),
        (GOOD.replace("22.5", "22.5 d"), "f.magLimit", "'22.5 d' has a wrong unit: mag is needed"),
        (GOOD + "  rules: lax", "f.rules", "there is only strict"),
        (STRICT + "  any: [{minBands: 2}, {maxGap: 5 pc}]", "f.any.2.maxGap", "'5 pc' has a wrong unit: d is needed"),
        (STRICT + "  any: [{5: 5}]", "f.any.1.5", "unknown key"),
        (STRICT + "  footprint: nowhere", "f.footprint", "is no MOC: "),
        (STRICT + "  minBands: 3\n", "", "is not YAML: key minBands is there twice in line 8"),
        (STRICT + "  any: [{minBands: 2, minBands: 3}]", "", "is not YAML: key minBands is there twice in line 8"),
        (GOOD + GOOD, "", "is not YAML: key f is there twice in line 7"),
        (GOOD.replace("f:", "other:"), "f", "no such selection function; there are: other"),
        ("f: 5", "", "must hold named blocks of keys"),
        ("", "", "must hold named blocks of keys"),
        ("f: {a: [", "", "is not YAML: "),
    ],
)
def test_a_wrong_function_is_named_by_file_function_and_key(write: Write, text: str, key: str, problem: str) -> None:
    file = write(text)
    where, which, what = problem_of(file)
    assert (where, which) == (str(file), key)
    assert what.startswith(problem)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for load in (read_functions_file, lambda file: load_function(file, "f")):
        with pytest.raises(SettingsError, match=r"no\.yaml: no such file"):
            load(tmp_path / "no.yaml")


@pytest.mark.parametrize("name", TIDES)
def test_the_shipped_functions_ask_for_positive_detections(name: str, shared_data: Path) -> None:
    """The same keys, by the rules of D3.3.3 and by the strict ones of the file that is shipped."""
    d333 = load_function(shared_data / "tides_selection_functions_d333.yml", name)
    bands = "gri"[: int(d333.leaves[0].threshold)]
    curves = curves_of(*[point(61000.0 + i, band, positive=i > 0) for i, band in enumerate(bands)])
    shipped_one = load_function(shipped("selectionFunctions.yaml"), name)
    answers = [light_curve_satisfies(curves, each) for each in (d333, shipped_one)]
    assert [each.tolist() for each in answers] == [[True], [False]]
