"""Who never fades is proposed for a ruling: how many AGN are, and how many supernovae, as docs/life.md has it."""

from pathlib import Path

import numpy as np
import pytest

from tests.real.test_formats import DATA
from tests.unit.formats.test_files import read
from tides_bridge.compiled import Floats
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.summaries import summarise_light_curves
from tides_bridge.resources import shipped
from tides_bridge.selection import SelectionFunction, judge
from tides_bridge.selection.file import load_function
from tides_bridge.settings.sections import TargetSettings
from tides_bridge.targets.life import are_steady, steady_rules

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real data are not here")

PAGE = (Path(__file__).parents[2] / "docs" / "life.md").read_text()
RULES = steady_rules(TargetSettings())
EVERY = 10.0
"""[d] How often it is looked."""


def span_of(curves: LightCurves) -> tuple[Floats, Floats]:
    """Give the first and the last positive detection of each object [d]."""
    seen = curves.is_detection & curves.is_positive
    first, last = np.full(len(curves), np.inf), np.full(len(curves), -np.inf)
    np.minimum.at(first, curves.object_index[seen], curves.mjd[seen])
    np.maximum.at(last, curves.object_index[seen], curves.mjd[seen])
    return first, last


def proposed(curves: LightCurves, function: SelectionFunction) -> set[str]:
    """Tell who passes and is steady on one day at least, by what was known until then."""
    first, last = span_of(curves)
    found: set[str] = set()
    for days in np.arange(RULES["steady_days"], float((last - first).max()) + EVERY, EVERY):
        is_seen = last - first >= max(days - EVERY, RULES["steady_days"])
        known = curves.with_points((curves.mjd <= (first + days)[curves.object_index]) & is_seen[curves.object_index])
        facts = summarise_light_curves(known)
        passes = dict(zip(known.object_ids, judge(known, [function])[0].passed.tolist(), strict=True))
        steady = are_steady(facts, **RULES).tolist()
        found |= {name for name, is_so in zip(facts.index, steady, strict=True) if is_so and passes[name]}
    return found


@pytest.mark.parametrize(
    ("words", "file", "function"),
    [
        ("AGN of ELAsTiCC", "elasticc/agn_elasticc_alerts.parquet", "tidesSNLSSTSelect"),
        ("SNe Ia of ELAsTiCC", "elasticc/snia_5398alerts.parquet", "tidesSNLSSTSelect"),
        ("objects of ELAsTiCC, of any class", "elasticc/elasticc_sample_seed0.parquet", "tidesSNLSSTSelect"),
        ("real SNe Ia of the BTS", "bts/snia_lightcurves.csv.gz", "tidesSNZTFSelect"),
    ],
)
def test_the_table_is_what_is_proposed(words: str, file: str, function: str) -> None:
    curves, _ = read(DATA / file)
    chosen = load_function(shipped("selectionFunctions.yaml"), function)
    (verdicts,) = judge(curves, [chosen])
    first, last = span_of(curves)
    are_targets = np.isfinite(verdicts.trigger_mjd)
    are_long = are_targets & (last - first >= RULES["steady_days"])
    row = f"| {words} | {are_targets.sum()} | {are_long.sum()} | {len(proposed(curves, chosen))} |"
    assert row in PAGE, row
