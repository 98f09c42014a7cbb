"""Light curves as columns: in which order, what is left out or counts once, what values mean, what is equal."""

import math
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.curves import NAN, Point, curves_of, point, quick, reliable_curves, same, tied_points, told_curves
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.columns import ARROW_TYPES, POINT_COLUMNS

INF = math.inf


def of_magnitudes(mags: list[float], errors: list[float] | None = None, **others: Any) -> LightCurves:
    """Object a with detections in g a day apart, unless others say otherwise."""
    number = len(mags)
    usual: dict[str, Any] = {"is_detection": [True] * number, "is_positive": [True] * number}
    columns = {"object_index": np.zeros(number, int), "mjd": 61000.0 + np.arange(number), "band": np.ones(number, int)}
    columns |= {key: others.pop(key) for key in tuple(others) if key in columns}
    return LightCurves.from_magnitudes(["a"], *columns.values(), mags, errors or [0.1] * number, **{**usual, **others})


def of_fluxes(fluxes: list[float], errors: list[float], **others: Any) -> LightCurves:
    number = len(fluxes)
    usual: dict[str, Any] = {"is_detection": [True] * number}
    index, mjd, band = np.zeros(number, int), 61000.0 + np.arange(number), np.ones(number, int)
    return LightCurves.from_fluxes(["a"], index, mjd, band, fluxes, errors, **{**usual, **others})


# Shapes, units, types

TYPES = {
    "mjd": "float64",
    "band": "int8",
    "flux": "float64",
    "flux_error": "float64",
    "magnitude": "float64",
    "magnitude_error": "float64",
    "significance": "float64",
    "night": "int64",
    "is_detection": "bool",
    "is_positive": "bool",
    "source_id": "int64",
    "reliability": "float64",
    "ra": "float64",
    "decl": "float64",
}


@pytest.mark.parametrize(
    "curves",
    [
        LightCurves.from_points([], []),
        curves_of(point(61000.0)),
        curves_of(point(61000.0, of=1)).part(0, 1),
        of_fluxes([1, 2], [1, 1]),
        LightCurves.joined([]),
        LightCurves.from_arrow(LightCurves.from_points([], []).to_arrow()),
    ],
    ids=["none", "one", "no points", "whole numbers", "joined of none", "from arrow"],
)
def test_columns_have_their_types_for_no_objects_too(curves: LightCurves) -> None:
    assert {name: str(getattr(curves, name).dtype) for name in POINT_COLUMNS} == TYPES
    assert (curves.offsets.dtype, curves.object_index.dtype) == ("int64", "int64")
    assert len(curves.offsets) == len(curves) + 1
    assert {len(getattr(curves, name)) for name in POINT_COLUMNS} == {curves.offsets[-1]}
    kinds = {field.name: getattr(curves.objects, field.name).dtype.kind for field in fields(Objects)}
    assert kinds == {
        field.name: "O" if field.name in ("sherlock_class", "annotations") else "f" for field in fields(Objects)
    }


def test_magnitudes_become_fluxes_with_the_sign_of_the_difference() -> None:
    curves = of_magnitudes([22.5, 22.5], [0.1, 0.2], is_positive=[True, False])
    assert curves.flux == pytest.approx([3630.78, -3630.78], abs=0.01)
    assert curves.flux_error == pytest.approx([3630.78 * 0.1 / 1.0857, 3630.78 * 0.2 / 1.0857], abs=0.01)
    assert curves.significance == pytest.approx([10.857, 5.4285])
    assert curves.is_positive.tolist() == [True, False]


def test_fluxes_become_magnitudes_of_their_absolute_value() -> None:
    curves = of_fluxes([3630.78, -3630.78], [363.078, 363.078])
    assert curves.magnitude == pytest.approx([22.5, 22.5], abs=1e-6)
    assert curves.magnitude_error == pytest.approx([0.10857, 0.10857])
    assert curves.significance == pytest.approx([10.0, 10.0])
    assert curves.is_positive.tolist() == [True, False]


def test_forced_photometry_keeps_its_flux_but_is_no_detection() -> None:
    curves = of_fluxes([900.0, -10.0], [100.0, 100.0], is_detection=[False, False])
    assert curves.flux.tolist() == [900.0, -10.0]
    for name in ("magnitude", "magnitude_error", "significance"):
        assert np.isnan(getattr(curves, name)).all()


def test_a_non_detection_with_a_magpsf_has_no_magnitude() -> None:
    """Some ZTF packets have a `magpsf` in a limit: it is no measurement of the object."""
    curves = of_magnitudes([18.0, 19.0], is_detection=[False, True], limiting_magnitude=[20.5, 20.5])
    assert np.isnan(curves.magnitude[0]) and np.isnan(curves.significance[0]) and np.isnan(curves.flux[0])
    assert curves.flux_error[0] == pytest.approx(10 ** ((31.4 - 20.5) / 2.5) / 5)
    assert curves.flux_error[1] == pytest.approx(curves.flux[1] * 0.1 / 1.0857)


def test_the_night_is_that_of_the_survey_or_follows_from_the_epoch() -> None:
    assert of_magnitudes([19.0, 19.0], mjd=[61000.4, 61000.6]).night.tolist() == [60999, 61000]
    assert of_magnitudes([19.0, 19.0], night=[5, 3]).night.tolist() == [5, 3]


# Values that are none


@pytest.mark.parametrize("sentinel", [-999.0, -99999.0, -99.0, NAN, INF, -INF])
def test_a_magnitude_that_is_none(sentinel: float) -> None:
    curves = of_magnitudes([sentinel, 19.0])
    assert np.isnan(curves.magnitude).tolist() == np.isnan(curves.flux).tolist() == [True, False]
    assert curves.is_detection.tolist() == [True, True]
    assert np.isnan(of_magnitudes([19.0], [sentinel]).significance).all()
    limits = of_magnitudes([NAN], is_detection=[False], limiting_magnitude=[sentinel])
    assert np.isnan(limits.flux_error).all()


@pytest.mark.parametrize("error", [0.0, -0.0, -0.1, NAN, INF, -999.0, -99999.0])
def test_an_error_that_is_not_greater_than_zero_gives_no_significance(error: float) -> None:
    for curves in (of_magnitudes([19.0], [error]), of_fluxes([3000.0], [error])):
        assert np.isnan(curves.significance).tolist() == [True]
        assert np.isfinite(curves.magnitude).tolist() == [True]


@pytest.mark.parametrize("flux", [0.0, NAN, INF, -INF])
def test_a_flux_without_magnitude(flux: float) -> None:
    curves = of_fluxes([flux], [100.0])
    assert np.isnan(curves.magnitude).all() and np.isnan(curves.magnitude_error).all()
    assert curves.is_positive.tolist() == [False]
    assert not (curves.significance > 0).any()


@pytest.mark.parametrize("mag", [-98.9, 98.0, 1e300])
def test_an_absurd_magnitude_makes_no_infinite_flux(mag: float) -> None:
    assert np.isfinite(of_magnitudes([mag]).flux).all()


@pytest.mark.parametrize("mjd", [NAN, INF, -INF])
def test_a_point_without_epoch_is_left_out(mjd: float) -> None:
    curves = of_magnitudes([19.0, 18.0], mjd=[mjd, 61000.6], night=[3, 4], source_id=[1, 2])
    assert (curves.magnitude.tolist(), curves.night.tolist(), curves.source_id.tolist()) == ([18.0], [4], [2])
    assert len(of_magnitudes([19.0], mjd=[mjd])) == 1
    assert of_magnitudes([19.0, 18.0], mjd=[mjd, 61000.6]).night.tolist() == [61000]


def test_an_unknown_band_is_kept_as_none() -> None:
    assert of_magnitudes([19.0], band=[-1]).band.tolist() == [-1]


# Order, and what comes twice


def test_points_are_sorted_by_object_and_epoch() -> None:
    curves = curves_of(point(61002.0, of=1), point(61001.0, of=1, mag=18.0), point(61003.0), point(61000.0, of=3))
    assert curves.mjd.tolist() == [61003.0, 61001.0, 61002.0, 61000.0]
    assert curves.offsets.tolist() == [0, 1, 3, 3, 4]
    assert curves.object_index.tolist() == [0, 1, 1, 3]
    assert curves.magnitude.tolist() == [19.0, 18.0, 19.0, 19.0]


def twice(**second: Any) -> LightCurves:
    """Two detections of one epoch that differ in the second's values."""
    usual = {
        "mjd": 61000.0,
        "band": 1,
        "source_id": -1,
        "mag": 19.0,
        "error": 0.1,
        "reliability": NAN,
        "positive": True,
    }
    rows = [usual, {**usual, **second}]
    mag, error, positive = ([row[key] for row in rows] for key in ("mag", "error", "positive"))
    columns = {key: [row[key] for row in rows] for key in ("mjd", "band", "source_id", "reliability")}
    return of_magnitudes(mag, error, is_positive=positive, **columns)


def test_a_point_that_comes_twice_counts_once() -> None:
    """Histories of several packets of one object repeat their points."""
    assert len(twice().mjd) == 1
    assert len(twice(reliability=0.5).mjd) == 1
    assert len(twice(source_id=-1, mag=NAN).mjd) == 2
    # Other digits of the same exposure: what is near in time and brightness, and one that knows its source.
    assert len(twice(mjd=61000.00001).mjd) == len(twice(mag=19.0001, error=0.11).mjd) == 1
    assert twice(source_id=7).source_id.tolist() == [7]
    assert twice(source_id=7, mag=19.05).source_id.tolist() == [7]


@pytest.mark.parametrize(
    "second",
    [{"mjd": 61000.0001}, {"band": 2}, {"source_id": 7, "mag": 19.5}, {"mag": 19.5}, {"positive": False}],
)
def test_what_differs_is_no_repetition(second: dict[str, Any]) -> None:
    """Two sources at one epoch in one band are two: a spurious one may lie beside."""
    assert len(twice(**second).mjd) == 2


def test_two_sources_at_one_epoch_and_band_are_two() -> None:
    assert len(of_magnitudes([19.0, 19.0], mjd=[61000.0] * 2, source_id=[5, 6]).mjd) == 2


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_one_source_at_one_epoch_counts_once_whatever_its_values(order: tuple[int, ...]) -> None:
    """The faintest of them stays, and of those the one whose reliability is known, in any order they come."""
    mags, drb = [19.0, 19.5, 19.5], [0.9, NAN, 0.3]
    curves = of_magnitudes(
        [mags[i] for i in order], mjd=[61000.0] * 3, source_id=[5] * 3, reliability=[drb[i] for i in order]
    )
    assert (curves.magnitude.tolist(), curves.reliability.tolist()) == ([19.5], [0.3])


def test_a_detection_and_a_limit_of_one_epoch_are_two() -> None:
    rows = [point(61000.0, mag=NAN, error=NAN), point(61000.0, detection=False)]
    assert curves_of(*rows).is_detection.tolist() == [False, True]


def test_objects_do_not_share_points() -> None:
    assert len(curves_of(point(61000.0), point(61000.0, of=1)).mjd) == 2


@pytest.mark.parametrize("index", [[-1], [1]])
def test_a_point_of_no_object_is_an_error(index: list[int]) -> None:
    with pytest.raises(ValueError):
        of_magnitudes([19.0], object_index=np.array(index))


@quick
@given(tied_points(), st.lists(st.integers(0, 3), min_size=24, max_size=24), st.randoms(use_true_random=False))
def test_the_order_of_points_changes_no_column(rows: list[Point], sources: list[int], random: Any) -> None:
    """Nor do ties, with the same source and without one: hashes in the record stay."""

    def made(order: list[int]) -> LightCurves:
        index, mjd, band, mag, error, night, detection, positive, ra, decl = zip(*[rows[i] for i in order], strict=True)
        return LightCurves.from_magnitudes(
            "abc", np.array(index), mjd, np.array(band), np.array(mag), np.array(error),
            is_detection=detection, is_positive=positive, night=night, ra=ra, decl=decl,
            source_id=[sources[i] - 1 for i in order], reliability=[[NAN, 0.1, 0.5][i % 3] for i in order],
        )  # fmt: skip

    curves, shuffled = made(list(range(len(rows)))), made(random.sample(range(len(rows)), len(rows)))
    assert same(curves, shuffled)
    assert curves.digests() == shuffled.digests()
    keys = list(zip(*(getattr(curves, name).tolist() for name in ("object_index", "mjd")), strict=True))
    assert keys == sorted(keys)


# Parts, and other forms


@quick
@given(reliable_curves(), st.lists(st.integers(0, 3), max_size=4))
def test_parts_joined_are_the_whole(drawn: Any, cuts: list[int]) -> None:
    curves = told_curves(*drawn)
    ends = [0, *sorted(cuts), 3]
    parts = [curves.part(start, stop) for start, stop in pairwise(ends)]
    assert same(LightCurves.joined(parts), curves)
    assert [digest for part in parts for digest in part.digests()] == curves.digests()
    assert same(curves.part(0, 99), curves)


@quick
@given(reliable_curves(), st.permutations([0, 1, 2]))
def test_objects_merged_have_the_points_of_all_as_if_they_had_come_so(drawn: Any, order: list[int]) -> None:
    rows, reliability, about = drawn
    curves = told_curves(rows, reliability, about)
    one = Objects.of(2, ra=[1.0, 2.0])
    merged = LightCurves.joined([curves.part(at, at + 1) for at in order]).merged(
        ["d", "e"], [0 if at < 2 else 1 for at in order], one
    )
    expected = told_curves([(max(row[0] - 1, 0), *row[1:]) for row in rows], reliability, one)
    assert same(merged, replace(expected, object_ids=("d", "e")))


def test_two_sources_of_one_epoch_are_two_and_one_that_comes_twice_is_one() -> None:
    curves = LightCurves.joined([of_magnitudes([19.0, 20.0], source_id=[5, 6]), of_magnitudes([19.0], source_id=[5])])
    assert curves.merged(["b"], [0, 0], Objects.unknown(1)).source_id.tolist() == [5, 6]
    assert curves.merged(["b"], [0, 0], Objects.unknown(1)).object_ids == ("b",)


def test_a_part_shares_its_points() -> None:
    curves = curves_of(point(61000.0), point(61001.0, of=1))
    assert np.shares_memory(curves.part(1, 2).mjd, curves.mjd)
    assert curves.part(1, 2).object_index.tolist() == [0]


@quick
@given(reliable_curves(), st.integers(0, 3), st.integers(0, 3))
def test_arrow_gives_exactly_the_same_back(drawn: Any, start: int, length: int) -> None:
    curves = told_curves(*drawn)
    table = curves.to_arrow()
    assert table.num_rows == 3
    assert same(LightCurves.from_arrow(table), curves)
    assert same(LightCurves.from_arrow(table.slice(start, length)), curves.part(start, max(start, start + length)))
    several = pa.concat_tables([table.slice(i, 1) for i in range(3)])
    assert same(LightCurves.from_arrow(several), curves)


def test_arrow_keeps_nan_and_an_unknown_class() -> None:
    curves = told_curves([point(61000.0, mag=NAN)], [NAN], Objects.of(2, sherlock_class=[None, "SN"]))
    table = curves.to_arrow()
    assert (table["sherlock_class"].null_count, table["ra"].null_count) == (1, 0)
    back = LightCurves.from_arrow(table)
    assert back.objects.sherlock_class.tolist() == [None, "SN"]
    assert same(LightCurves.from_arrow(pa.ipc.open_stream(_stream(table)).read_all()), curves)


def _stream(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


# Digests


@quick
@given(reliable_curves(), reliable_curves())
def test_digests_are_equal_exactly_where_the_columns_are(one: Any, other: Any) -> None:
    both = [told_curves(*each) for each in (one, other)]
    bare = [replace(each, object_ids=("", "", "")) for each in both]
    singles = [[each.part(i, i + 1) for i in range(3)] for each in bare]
    digests = [digest for each in both for digest in each.digests()]
    parts = [part for each in singles for part in each]
    for i, part in enumerate(parts):
        assert digests[i] == part.digests()[0]
        for j, another in enumerate(parts):
            assert (digests[i] == digests[j]) == same(part, another)


@pytest.mark.parametrize("name", POINT_COLUMNS)
def test_a_digest_is_sensitive_to_each_column_of_points(name: str) -> None:
    curves = told_curves([point(61000.0), point(61001.0, of=1)], [0.5, 0.5], Objects.unknown(2))
    values = getattr(curves, name).copy()
    values[1] = not values[1] if values.dtype.kind == "b" else values[1] + 1
    before, after = curves.digests(), replace(curves, **{name: values}).digests()
    assert (before[0] == after[0], before[1] == after[1]) == (True, False)


@pytest.mark.parametrize("name", list(ARROW_TYPES))
def test_a_digest_is_sensitive_to_all_that_is_known_of_the_object(name: str) -> None:
    value = "SN" if name == "sherlock_class" else 1.0
    digests = [told_curves([point(61000.0)], [NAN], Objects.of(1, **known)).digests() for known in ({}, {name: value})]
    assert digests[0] != digests[1]


def test_a_digest_is_the_same_whatever_the_kind_of_nan_the_name_and_the_sign_of_zero() -> None:
    curves = of_fluxes([0.0], [100.0])
    odd = np.array([np.uint64(0xFFF8000000000001)]).view(float)
    assert np.isnan(odd).all()
    assert replace(curves, magnitude=odd).digests() == replace(curves, object_ids=("b",)).digests() == curves.digests()
    assert replace(curves, flux=np.array([-0.0])).digests() == curves.digests()


def test_digests_stay_as_they_were_recorded() -> None:
    """If this changes, all light curves in the record seem to be new ones. Nothing is computed here."""
    curves = told_curves([point(61000.0)], [0.5], Objects.of(2, ra=10.0, sherlock_class=["SN", None]))
    exact = {name: np.array([2.5]) for name in ("flux", "flux_error", "significance", "magnitude", "magnitude_error")}
    assert replace(curves, **exact).digests() == [
        "7381e87abaa6684722719813922a7e57",  # pragma: allowlist secret
        "7c73dc98395e13160d41f057826f3168",  # pragma: allowlist secret
    ]


# What is known of the objects


def test_what_is_not_given_is_unknown() -> None:
    known = Objects.of(2, ebv=[0.1, None], sherlock_class=["SN", None], solar_system=1)
    assert str(known.ebv.tolist()) == "[0.1, nan]"
    assert known.sherlock_class.tolist() == ["SN", None]
    assert known.solar_system.tolist() == [1.0, 1.0]
    assert np.isnan(known.ra).all()
    assert same(*(told_curves([], [], each) for each in (Objects.unknown(2), Objects.of(2))))
