"""From the text that Lasair answers to decisions with trigger epoch, and the parsers alone."""

import argparse
import io
import json
import sys
from collections.abc import Callable
from functools import partial
from itertools import chain

import orjson
import pyarrow as pa
import pyarrow.json

from benchmarks import frames
from benchmarks.measure import FUNCTION, added_mb, agree, as_text, machine, make_answers, median_seconds
from tides_bridge.brokers.lasair.curves import _decoder, fetched_light_curves
from tides_bridge.selection import judge

ANSWERS = (50, 200)
"""Objects an answer: as many as Lasair gives in one call, and as many as are decoded fastest."""


def decide(texts: list[bytes]) -> list[tuple[bool, float]]:
    """Decide as the bridge does."""
    decisions: list[tuple[bool, float]] = []
    for text in texts:
        (verdicts,) = judge(fetched_light_curves(text).curves, [FUNCTION])
        decisions += zip(verdicts.passed.tolist(), verdicts.trigger_mjd.tolist(), strict=True)
    return decisions


def decide_by_frames(texts: list[bytes]) -> list[tuple[bool, float]]:
    """Decide the old way."""
    return [frames.decide(candidates) for candidates in _candidates(texts)]


def plain_by_frames(texts: list[bytes]) -> list[bool]:
    """Decide the old way without trigger."""
    return [frames.satisfies(frames.frame_of(candidates)) for candidates in _candidates(texts)]


def _candidates(texts: list[bytes]) -> chain[frames.Candidates]:
    return chain.from_iterable([answer["candidates"] for answer in json.loads(text)] for text in texts)


def main(arguments: list[str] | None = None) -> None:
    """Check that both agree, time both and the parsers alone, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=8000)
    parser.add_argument("--frames", type=int, default=200, help="light curves that the baseline judges")
    chosen = parser.parse_args(arguments)
    answers = make_answers(chosen.objects)
    few = as_text(answers[: chosen.frames], ANSWERS[-1])
    agree(decide_by_frames(few), *(decide(as_text(answers[: chosen.frames], size)) for size in ANSWERS))
    judged = len(answers[: chosen.frames])
    texts = {size: as_text(answers, size) for size in ANSWERS}
    length = sum(map(len, texts[ANSWERS[-1]])) / chosen.objects / 1000
    print(machine())
    print(f"{chosen.objects:,} light curves of 34 points, {length:.1f} kB of JSON each; one core, medians")
    plain = judged / median_seconds(lambda: plain_by_frames(few), 3)
    prefixes = judged / median_seconds(lambda: decide_by_frames(few), 3)
    print(f"one DataFrame an object              {plain:10,.0f}/s")
    print(f"the same with trigger                {prefixes:10,.0f}/s")
    for size in ANSWERS:
        rate = chosen.objects / median_seconds(partial(decide, texts[size]))
        ratios = f"{rate / plain:,.0f} x, {rate / prefixes:,.0f} x"
        print(f"with trigger, {size:3} objects an answer {rate:12,.0f}/s   {ratios}")
    print(f"memory beside the text: {added_mb(lambda: decide(texts[ANSWERS[-1]])):,.0f} MB")
    for name, parse in _parsers(texts[ANSWERS[-1]]).items():
        print(f"only parsed: {name:24}{chosen.objects / median_seconds(parse):10,.0f}/s")


def _parsers(texts: list[bytes]) -> dict[str, Callable[[], object]]:
    """Give parsers of the same text; pyarrow takes it a line an object."""
    lines = b"\n".join(json.dumps(answer).encode() for text in texts for answer in json.loads(text))
    numbers = {name: pa.float64() for name in ("jd", "magpsf", "sigmapsf", "ra", "dec", "drb", "diffmaglim")}
    fields = {**numbers, **dict.fromkeys(("fid", "candid", "nid"), pa.int64()), "isdiffpos": pa.string()}
    point = pa.struct(list(fields.items()))
    schema = pa.schema({"objectId": pa.string(), "candidates": pa.list_(point)})
    options = pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")

    def arrow(threads: bool) -> Callable[[], object]:
        how = pyarrow.json.ReadOptions(use_threads=threads)
        return lambda: pyarrow.json.read_json(io.BytesIO(lines), read_options=how, parse_options=options)

    return {
        "msgspec, typed": lambda: [len(_decoder.decode(text)) for text in texts],
        "orjson": lambda: [len(orjson.loads(text)) for text in texts],
        "json": lambda: [len(json.loads(text)) for text in texts],
        "pyarrow, one thread": arrow(False),
        "pyarrow, its threads": arrow(True),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
