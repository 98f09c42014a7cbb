"""From columns to decisions with trigger: against one DataFrame an object, and by number of functions and objects."""

import argparse
import sys

from benchmarks.frames import Candidates, candidates_of, decide, frame_of, satisfies
from benchmarks.measure import FUNCTION, added_mb, agree, in_a_child, machine, make_curves, median_seconds
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.columns import POINT_COLUMNS
from tides_bridge.selection import SelectionFunction, judge

POINTS = 30

PART = 100_000
"""Light curves that are made at a time; more are these again."""


def main(arguments: list[str] | None = None) -> None:
    """Check that both agree, time both, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=300_000)
    parser.add_argument("--largest", type=int, default=1_000_000, help="of the growth with the number of objects")
    parser.add_argument("--frames", type=int, default=200, help="light curves that the baseline judges")
    chosen = parser.parse_args(arguments)
    print(machine())
    _compare(many_curves(chosen.objects), chosen.frames)
    for number in (10**power for power in range(3, 10)):
        if number > chosen.largest:
            break
        seconds, added = in_a_child(grow, number)
        print(f"{number:10,} objects {seconds:9.4f} s {number / seconds:12,.0f}/s, judging adds {added:6,.0f} MB")


def _compare(curves: LightCurves, number: int) -> None:
    """Compare with one DataFrame an object, for some of them."""
    answers = candidates_of(curves, number)
    (verdicts,) = judge(curves, [FUNCTION])
    ours = zip(verdicts.passed[:number].tolist(), verdicts.trigger_mjd[:number].tolist(), strict=True)
    agree(map(decide, answers), ours)
    print(f"{len(curves):,} light curves of {POINTS} points, {verdicts.passed.mean():.0%} pass; one core, medians")
    plain = len(answers) / median_seconds(lambda: [satisfies(frame_of(points)) for points in answers], 3)
    prefixes = len(answers) / median_seconds(lambda: [decide(points) for points in answers], 3)
    rate = len(curves) / median_seconds(lambda: judge(curves, [FUNCTION]))
    print(f"one DataFrame an object                {plain:12,.0f}/s")
    print(f"the same with trigger, by prefixes     {prefixes:12,.0f}/s")
    print(f"columns, with trigger and all values   {rate:12,.0f}/s   {rate / plain:,.0f} x, {rate / prefixes:,.0f} x")
    _compare_sizes(curves, answers)
    _compare_several(curves)


def _compare_sizes(curves: LightCurves, answers: list[Candidates]) -> None:
    """Compare what a light curve takes in memory."""
    columns = sum(getattr(curves, name).nbytes for name in POINT_COLUMNS) / len(curves) / 1000
    frames = added_mb(lambda: [frame_of(points) for points in answers]) / len(answers) * 1000
    print(f"a light curve takes {frames:.0f} kB as a DataFrame, {columns:.1f} kB in columns")


def _compare_several(curves: LightCurves) -> None:
    """Compare five functions in one pass with one pass each."""
    functions = [SelectionFunction.parse(f"{n} nights", {**FUNCTION.keys, "minNights": n}) for n in range(1, 6)]
    for ours, function in zip(judge(curves, functions), functions, strict=True):
        (alone,) = judge(curves, [function])
        agree([ours.passed, ours.trigger_mjd], [alone.passed, alone.trigger_mjd])
    together = median_seconds(lambda: judge(curves, functions), 3)
    one_by_one = median_seconds(lambda: [judge(curves, [function]) for function in functions], 3)
    print(f"five functions in one pass: {one_by_one / together:.2f} x as fast as one after the other")


def many_curves(objects: int) -> LightCurves:
    """Make many light curves; those beyond a number are the first ones again."""
    part = make_curves(min(objects, PART), POINTS)
    return LightCurves.joined([part] * (objects // len(part)) + [part.part(0, objects % len(part))])


def grow(objects: int) -> tuple[float, float]:
    """Judge so many in a process of its own: median time [s], and the memory that judging needs beside [MB]."""
    curves = many_curves(objects)
    judge(curves.part(0, 100), [FUNCTION])  # what numba compiles is loaded
    added = added_mb(lambda: judge(curves, [FUNCTION]))
    return median_seconds(lambda: judge(curves, [FUNCTION])), added


if __name__ == "__main__":
    main(sys.argv[1:])
