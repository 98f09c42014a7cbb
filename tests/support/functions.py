"""Selection functions for tests: their keys as in a file, by hand and drawn by hypothesis."""

from typing import Any

from hypothesis import strategies as st

from tides_bridge.selection import SelectionFunction

Keys = dict[str, Any]

USUAL: Keys = {"filters": [*"griz"], "significance": 5, "minBands": 2, "minNights": 2, "magLimit": 22.5}
"""The keys of tidesSNZTFSelect in D3.3.3."""


def d333(**values: Any) -> SelectionFunction:
    """Make a function that is judged as D3.3.3 judged it, and asks the usual but for some values."""
    return SelectionFunction.parse("test", {**USUAL, **values})


def strict(**values: Any) -> SelectionFunction:
    """Make the same by the strict rules."""
    return SelectionFunction.parse("test", {**USUAL, "rules": "strict", **values})


def only(**values: Any) -> SelectionFunction:
    """Make a strict function of positive detections of S/N >= 5 in g, r, i, z that asks just what is given."""
    return SelectionFunction.parse("test", {"rules": "strict", "filters": [*"griz"], "significance": 5, **values})


FILTERS = st.sampled_from(["ugrizy", "griz", "gr", "ziy", "u"]).map(list)
SIGNIFICANCES = st.sampled_from([3, 5.0, 10])
FLAGS = st.booleans()
COUNTS = st.integers(0, 3)
AGES = st.sampled_from([0, 0.5, 2, 5.5, 12])
RATES = st.sampled_from([-1.0, -0.1, 0, 0.1, 0.5])

OF_CURVES: dict[str, st.SearchStrategy[Any]] = {
    "minDetections": COUNTS,
    "minBands": COUNTS,
    "minNights": COUNTS,
    "magLimit": st.sampled_from([16, 19.0, 22.5]),
    "brightLimit": st.sampled_from([16, 19.0]),
    "maxGap": AGES,
    "minRiseRate": RATES,
    "minFadeRate": RATES,
}
OF_AGES: dict[str, st.SearchStrategy[Any]] = {"maxAgeLast": AGES, "maxAgeFirst": AGES, "maxAgeKnown": AGES}
OF_OBJECTS: dict[str, st.SearchStrategy[Any]] = {
    "declination": st.sampled_from([[-70, 5], [0, 0], [10, 90.0]]),
    "footprint": st.sampled_from([[350, 10, -30, 0], [0, 360, -90, 90], [100, 200, -25, 61]]),
    "minGalacticLatitude": st.sampled_from([0, 10, 30.0]),
    "maxEbv": st.sampled_from([0, 0.1, 1]),
    "solarSystem": FLAGS,
    "pointSource": FLAGS,
    "knownVariable": FLAGS,
    "sherlockClasses": st.sampled_from([["SN", "UNKNOWN"], ["VS"], ["AGN", "SN"]]),
    "tnsType": st.sampled_from([["SN Ia", "SN II"], ["CV"]]),
    "annotation": st.sampled_from(
        [
            "fink.snn_snia_vs_nonia >= 0.5",
            ["gaia.parallax <= 1 mas", "vsx.type = EW, RRAB"],
            ["alerce.SNIa >= 0.5", "lasair.needle.class = TDE"],
        ]
    ),
}
CRITERIA_DRAWN = OF_CURVES | OF_AGES | OF_OBJECTS
"""What may be demanded, by key."""


@st.composite
def blocks(
    draw: st.DrawFn,
    criteria: dict[str, st.SearchStrategy[Any]] | None = None,
    points: dict[str, st.SearchStrategy[Any]] | None = None,
    depth: int = 2,
    groups: tuple[str, ...] = ("all", "any", "not"),
) -> Keys:
    """Draw a block of criteria and of groups of blocks, nested so deep."""
    known = CRITERIA_DRAWN if criteria is None else criteria
    chosen = draw(st.lists(st.sampled_from(sorted(known)), min_size=1, max_size=2, unique=True))
    keys: Keys = {key: draw(known[key]) for key in chosen}
    inner = POINTS if points is None else points
    keys |= (
        {key: draw(inner[key]) for key in draw(st.sets(st.sampled_from(sorted(inner)), max_size=1))} if inner else {}
    )
    if depth and groups:
        kind = draw(st.sampled_from([None, *groups]))
        block = blocks(criteria, points, depth - 1, groups)
        if kind:
            keys[kind] = draw(block) if kind == "not" else draw(st.lists(block, min_size=1, max_size=2))
    return keys


POINTS: dict[str, st.SearchStrategy[Any]] = {
    "filters": FILTERS,
    "significance": SIGNIFICANCES,
    "positiveOnly": FLAGS,
    "minReliability": st.sampled_from([0, 0.5]),
}
"""Which detections may be asked for, by key."""

D333_KEYS = st.fixed_dictionaries(
    {"filters": FILTERS, "significance": SIGNIFICANCES}
    | {key: OF_CURVES[key] for key in ("minBands", "minNights", "magLimit")}
)
"""Keys of functions without rules."""


@st.composite
def strict_keys(draw: st.DrawFn, **options: Any) -> Keys:
    """Draw the keys of a strict function, groups included."""
    return {"rules": "strict", "filters": draw(FILTERS), "significance": draw(SIGNIFICANCES), **draw(blocks(**options))}


ANY_KEYS = st.one_of(D333_KEYS, strict_keys())
"""Keys of functions by either set of rules."""
