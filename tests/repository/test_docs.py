"""What docs/selection.md says is what the code does."""

import re
from itertools import product
from pathlib import Path

import pytest

from tests.support.functions import USUAL
from tests.support.packets import are_supernovae, newest_curves, newest_packets, rows_of_packet
from tests.support.reference import Row
from tides_bridge.formats.files import read_light_curves
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.resources import shipped
from tides_bridge.selection import SelectionFunction, judge
from tides_bridge.selection.criteria import CRITERIA
from tides_bridge.selection.file import read_functions_file
from tides_bridge.selection.parsing import GROUPS, POINT_KEYS

PAGE = (Path(__file__).parents[2] / "docs" / "selection.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in re.findall(r"^\| `\w+` \|.*\|$", PAGE, re.MULTILINE)
]
TABLE = {cells[0].strip("`"): cells[1:] for cells in ROWS}


def test_every_key_is_explained_once() -> None:
    names = [cells[0].strip("`") for cells in ROWS]
    assert sorted(names) == sorted({*POINT_KEYS, *CRITERIA, *GROUPS})


@pytest.mark.parametrize("key", CRITERIA)
def test_a_criterion_has_its_kind_unit_meaning_and_source(key: str) -> None:
    kind, unit, meaning, source = TABLE[key]
    assert (kind, unit) == (CRITERIA[key].kind, CRITERIA[key].unit)
    assert len(meaning) > 10 and len(source) > 2


def test_the_defaults_of_point_keys_are_those_of_the_code() -> None:
    needed = {"rules": "strict", "filters": ["g"], "significance": 5, "minBands": 1}
    for key in POINT_KEYS:
        default = TABLE[key][-1]
        if default == "an error":
            with pytest.raises(ValueError, match=f"{key}: is missing"):
                SelectionFunction.parse("test", {name: value for name, value in needed.items() if name != key})
    points = SelectionFunction.parse("test", needed).points
    assert (TABLE["positiveOnly"][-1], points.positive_only) == ("`true`", True)
    assert (TABLE["minReliability"][-1], points.min_reliability) == ("any", None)
    assert ", ".join(BANDS) in TABLE["filters"][0]


def test_every_shipped_function_is_named() -> None:
    for name in read_functions_file(shipped("selectionFunctions.yaml")):
        assert f"`{name}`" in PAGE


def test_the_examples_load(tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) == 4
    (tmp_path / "f.yaml").write_text("".join(examples))
    functions = read_functions_file(tmp_path / "f.yaml")
    usual = {**USUAL, "rules": "strict"}
    assert functions["example"].version == SelectionFunction.parse("test", usual).version
    assert functions["seenByEither"].surveys == ("lsst", "ztf")
    assert [leaf.path for leaf in functions["threeBandsOrManyDetections"].leaves] == [
        "minNights",
        "any.1.minBands",
        "any.2.minDetections",
        "not.minFadeRate",
        "not.pointSource",
    ]


# Where the two sets of rules disagree, worked out in plain Python


def passes(rows: list[Row], limit: float, *, positive: bool, exact: bool, own: bool) -> bool:
    """
    Judge by a mixture of both sets of rules.

    Parameters
    ----------
    positive
        Whether only positive detections count.
    exact
        Whether S/N is 1.0857/error, not 1.09/error.
    own
        Whether magLimit is compared with the detections that count, not with any.
    """
    detections = [each for each in rows if each.is_detection]
    counting = [
        each
        for each in detections
        if each.band in "griz" and (1.0857 if exact else 1.09) / each.error >= 5 and (each.is_positive or not positive)
    ]
    is_bright = any(each.magnitude <= limit for each in (counting if own else detections))
    return is_bright and min(len({each.band for each in counting}), len({each.night for each in counting})) >= 2


def column(objects: dict[str, list[Row]], limit: float) -> list[list[str]]:
    """Give the objects of each row of the table for one limit."""
    judged = {
        rules: {
            name
            for name, rows in objects.items()
            if passes(rows, limit, positive=rules[0], exact=rules[1], own=rules[2])
        }
        for rules in product((False, True), repeat=3)
    }
    d333, strict = judged[False, False, False], judged[True, True, True]
    alone = [d333 - judged[tuple(at == one for at in range(3))] for one in range(3)]  # type: ignore[index]
    lost = d333 - strict
    faded = {name for name in lost if not any(each.is_positive for each in objects[name] if each.is_detection)}
    found = [d333, strict, strict - d333, lost, faded, (alone[0] & lost) - faded, alone[1] & lost, alone[2] & lost]
    return [[name for name in objects if name in each] for each in (*found, lost - set().union(*alone))]


HEADS = (
    "pass without `rules`",
    "pass with `rules: strict`",
    "pass with `rules: strict` only",
    "pass without `rules` only, because ...",
    "... no detection is positive",
    "... the positive ones are of too few bands or nights",
    "... S/N is 1.0857/sigmapsf, were this the only change",
    "... `magLimit` is for what counts, were this the only change",
    "... the positive ones are too faint, and `magLimit` is for them",
)


def disagreements(objects: dict[str, list[Row]]) -> str:
    """Write the table."""
    usual, bright = column(objects, 22.5), column(objects, 18.0)
    lines = ["| of 573 objects | `magLimit: 22.5` | `magLimit: 18` | such as |", "|---|---|---|---|"]
    for at, (head, one, other) in enumerate(zip(HEADS, usual, bright, strict=True)):
        examples = ", ".join((one or other)[:3]) if at > 3 else ""
        lines.append(f"| {head} | {len(one)} | {len(other)} | {examples} |".replace("|  |", "| |"))
    return "\n".join(lines)


def test_the_table_of_disagreements_is_what_plain_python_finds(shared_data: Path) -> None:
    objects = {name: rows_of_packet(packet) for name, packet in newest_packets(shared_data).items()}
    table = disagreements(objects)
    assert table in PAGE, table
    keys = [{**USUAL, "magLimit": limit, **rules} for limit in (22.5, 18.0) for rules in ({}, {"rules": "strict"})]
    curves = newest_curves(shared_data)
    judged = judge(curves, [SelectionFunction.parse("test", each) for each in keys])
    assert [int(each.passed.sum()) for each in judged] == [267, 182, 131, 79]
    for at, function in enumerate(judged):
        passed = [name for name, passes in zip(curves.object_ids, function.passed, strict=True) if passes]
        assert passed == column(objects, 22.5 if at < 2 else 18.0)[at % 2]


def test_the_numbers_of_detections_are_those_of_the_packets(shared_data: Path) -> None:
    rows = [
        each for packet in newest_packets(shared_data).values() for each in rows_of_packet(packet) if each.is_detection
    ]
    negative = sum(not each.is_positive for each in rows)
    assert f"({len(rows):,} detections, {negative:,} of them negative)" in PAGE
    between = sum(1.0857 / each.error < 5 <= 1.09 / each.error for each in rows)
    assert f"1.09 or 1.0857 matters for {between} of the detections" in PAGE


def test_the_cleaner_sample_has_fewer_of_others(shared_data: Path) -> None:
    functions, is_supernova = read_functions_file(shipped("selectionFunctions.yaml")), are_supernovae(shared_data)
    files = [shared_data / "ztf" / "alerts.jsonl.gz"]
    curves = LightCurves.joined(list(read_light_curves(files, refused=lambda *_: None)))
    for function in (functions["tidesSNZTFSelect"], functions["tidesSNZTFClean"]):
        passes = judge(curves, [function])[0].passed
        labels = [is_supernova.get(name) for name, passed in zip(curves.object_ids, passes, strict=True) if passed]
        good, bad, unknown = (labels.count(label) for label in (True, False, None))
        row = f"| {function.name} | {len(labels)} | {good} | {bad} | {unknown} | {bad / (good + bad):.0%}"
        assert row.replace("%", " %") in PAGE, row
