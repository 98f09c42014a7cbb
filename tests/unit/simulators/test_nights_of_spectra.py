"""The stand-in's nights: deterministic, plausible, and readable with every trap."""

from pathlib import Path
from typing import Any

import pytest

from simulators.spectra.nights import FIBRES, TRAPS, NightPlan, observe_night
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.spectra.mec import read_delivery

PLAN = NightPlan(61373, fields=3, pixels=4)


def rows(number: int = 80) -> list[dict[str, Any]]:
    """Two crowds that fit into no field together, and one target far off; some are not ingested, or off."""
    places = [(10.0 + 0.01 * (at % 10), -20.0 if at < number / 2 else -25.0) for at in range(number)] + [(200.0, 5.0)]
    return [
        {"id": at + 1, "name": f"TiDES26{at}", "ra": ra, "dec": dec, "mag": 18 + at % 5, "ostd_u_obj_id": 2**53 + at,
         "is_active": at % 7 > 0, "date_ingested": None if at % 11 == 0 else "2026-11-28"}
        for at, (ra, dec) in enumerate(places)
    ]  # fmt: skip


def test_a_night_follows_from_its_seed(tmp_path: Path) -> None:
    nights = [observe_night(rows(), PLAN, tmp_path / name) for name in ("a", "b")]
    other = observe_night(rows(), NightPlan(61373, seed=2, fields=3, pixels=4), tmp_path / "c")
    assert nights[0].snr == nights[1].snr != other.snr
    assert [file.read_bytes() for file in nights[0].files] == [file.read_bytes() for file in nights[1].files]
    assert [file.name for file in nights[0].files] == [f"20261129_LJ0{number}.fits" for number in (1, 2, 3)]


def test_the_best_fields_come_first_and_brighter_targets_get_better_spectra(tmp_path: Path) -> None:
    observed = observe_night(rows(), PLAN, tmp_path)
    of = {row["name"]: row for row in rows()}
    assert all(of[name]["is_active"] and of[name]["date_ingested"] for name in observed.snr)
    deliveries = [read_delivery(file) for file in observed.files]
    assert [len(delivery.rows) for delivery in deliveries][2] == 1
    assert all(len(delivery.rows) <= FIBRES for delivery in deliveries)
    for delivery in deliveries[:2]:
        mean = [
            sum(found) / len(found)
            for mag in (18, 20, 22)
            if (found := [row["snr"] for row in delivery.rows if of[row["object_name"]]["mag"] == mag])
        ]
        assert mean == sorted(mean, reverse=True)


@pytest.mark.parametrize("trap", [*TRAPS, "all"])
def test_each_trap_is_set(tmp_path: Path, trap: str) -> None:
    traps = frozenset(TRAPS if trap == "all" else [trap])
    observed = observe_night(rows(), NightPlan(61373, fields=2, pixels=4, traps=traps), tmp_path)
    refused, found = 0, []
    for file in observed.files:
        try:
            found += read_delivery(file).rows
        except MalformedAlert:
            refused += 1
    assert refused == len(traps & {"half-written", "broken"})
    plain = observe_night(rows(), NightPlan(61373, fields=2, pixels=4), tmp_path / "plain")
    assert {row["object_name"] for row in found} or traps & {"numbers"}
    if trap in {"stacks", "strangers", "redelivered"}:
        assert len(found) > len(plain.snr)


def test_without_targets_nothing_is_observed(tmp_path: Path) -> None:
    assert observe_night([], PLAN, tmp_path).files == []
