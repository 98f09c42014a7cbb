"""The rules of a target's life in files are those of the database."""

from itertools import count
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given
from hypothesis import settings as search
from hypothesis import strategies as st

from tests.sql.test_facts import tonight
from tests.support.databases import rows_of
from tests.support.staging import TODAY, at, staged, store
from tides_bridge.database import Database
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.lightcurves.summaries import OF_BAND
from tides_bridge.settings import Settings
from tides_bridge.targets.association import life_limits
from tides_bridge.targets.life import Expected, life_reasons, life_rules

MAG, DAYS = st.sampled_from([20.0, 22.4, 22.6, 24.0]), st.sampled_from([0.5, 3.0, 6.0, 15.0, 30.0])
LOOK = st.fixed_dictionaries(
    {},
    optional={
        "latest": st.tuples(MAG, DAYS),
        "brightest": st.tuples(st.sampled_from([19.0, 20.0, 21.5]), st.sampled_from([30.0, 100.0])),
        "limit": st.tuples(MAG, DAYS),
        "forced": st.tuples(st.sampled_from([-500.0, -50.0, 3000.0, 3600.0, 9000.0]), DAYS),
    },
)
TOLD = st.one_of(st.none(), st.tuples(MAG, st.booleans()))
TARGET = st.tuples(st.fixed_dictionaries({"g": LOOK, "r": LOOK}), DAYS, TOLD, st.booleans())
RULES = st.tuples(
    st.sampled_from(["days", "predicted"]), st.booleans(), st.sampled_from(["r", "g", "gr"]), st.booleans()
)
OTHER, ERROR = 22.0, 0.2
"""[mag] What is predicted in g, and of each prediction."""
NUMBERS = count()
JUDGED = """
SELECT judged.reason FROM unnest(%(tides_ids)s::bigint[]) WITH ORDINALITY AS asked (tides_id, place)
INNER JOIN judge_targets(
    %(tides_ids)s::bigint[], %(now_mjd)s, %(deactivate_after_days)s, %(faint_limits)s::float[], %(rule)s,
    %(unlooked_days)s, %(counting_bands)s::boolean[], %(keeps_unselected)s,
    %(steady_days)s, %(steady_mag)s
) AS judged ON asked.tides_id = judged.tides_id ORDER BY asked.place
"""


def looked(looks: dict[str, dict[str, tuple[float, float]]]) -> dict[str, float]:
    """Give the columns of the stage."""
    columns: dict[str, float] = {}
    for band, of_band in looks.items():
        for kind, (value, days) in of_band.items():
            name = "forced_flux" if kind == "forced" else f"{kind}_mag"
            columns |= {f"{band}_{name}": value, f"{band}_{kind}_mjd": TODAY - days}
            columns |= {f"{band}_forced_error": 100.0} if kind == "forced" else {}
    return columns


@given(st.lists(TARGET, min_size=1, max_size=6), RULES)
@search(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_both_say_the_same(database: Database, settings: Settings, targets: list[Any], rules: Any) -> None:
    rule, keeps, limited, drops = rules
    own = at(settings, rule=rule, keep_unselected=keeps, faint_limit=dict.fromkeys(limited, 22.5), drop_steady=drops)
    names = [f"o{next(NUMBERS)}" for _ in targets]
    passes = np.array([passing for *_, passing in targets])
    rows = [staged(name, TODAY - days) | looked(looks) for name, (looks, days, *_) in zip(names, targets, strict=True)]
    store(database, own, *rows)
    store(database, own, *(row | {"passes": passing} for row, passing in zip(rows, passes, strict=True)))
    mags = np.full((len(targets), len(BANDS)), np.nan)
    for place, (_, _, told, _) in enumerate(targets):
        if told:
            tonight(database, names[place], {"r": told[0], "g": OTHER}, ERROR, is_known=told[1])
            mags[place, 1:3] = OTHER, told[0]
    ids = {
        row["object_id"]: row["tides_id"] for row in rows_of(database, "SELECT object_id, tides_id FROM association")
    }
    with database.transaction() as connection:
        asked = life_limits(own) | {"tides_ids": [ids[name] for name in names]}
        reasons = [row.reason for row in connection.exec_driver_sql(JUDGED, asked)]
    facts = pd.DataFrame(rows).reindex(
        columns=["last_detection_mjd", *(f"{band}_{name}" for band in BANDS for name in OF_BAND)]
    )
    expected = Expected(
        mags, np.full_like(mags, ERROR), np.array([bool(told and told[1]) for _, _, told, _ in targets])
    )
    found = life_reasons(facts, passes, np.full(len(rows), TODAY), expected, life_rules(own.targets, "r"))
    assert found.tolist() == reasons
