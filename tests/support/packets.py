"""The real ZTF packets beside the repository: as they are, as rows of the reference, and as light curves."""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.answers import broker_that_hears
from tests.support.reference import NAN, Row, row
from tides_bridge.lightcurves import LightCurves

Packet = list[dict[str, Any]]

FILTERS = {1: "g", 2: "r", 3: "i"}


@cache
def newest_packets(shared_data: Path) -> dict[str, Packet]:
    """Read the newest packet of each object, as Lasair would give its light curve; skips where there is none."""
    file = shared_data / "ztf" / "alerts.jsonl.gz"
    if not file.exists():
        pytest.skip("the real alerts are not on this machine")
    packets: dict[str, Packet] = {}
    with gzip.open(file, "rt") as lines:
        for packet in map(json.loads, lines):  # sorted by jd
            packets[packet["objectId"]] = [packet["candidate"], *(packet["prv_candidates"] or [])]
    return packets


@cache
def are_supernovae(shared_data: Path) -> dict[str, bool]:
    """Tell of each labelled object whether its best label is one of supernovae: BTS, then TNS, then cross-matches."""
    newest_packets(shared_data)  # which skips where they are not
    labels: dict[str, dict[str, str]] = {}
    with gzip.open(shared_data / "ztf" / "alerts.jsonl.gz", "rt") as lines:
        for packet in map(json.loads, lines):
            given = {key: str(label) for key, label in (packet.get("labels") or {}).items()}
            labels.setdefault(packet["objectId"], {}).update(given)
    best = {name: _best(given) for name, given in labels.items()}
    return {name: "SN" in label or label == "(SIMBAD) Supernova" for name, label in best.items() if label}


def _best(labels: dict[str, str]) -> str:
    known = {key: label for key, label in labels.items() if label not in {"nan", "Unknown", "Fail", "None", ""}}
    if known.get("finkclass") in {"SN candidate", "Supernova"}:
        known["cdsxmatch"] = "SN"
    order = ("bts", "tns", "tnsclass", "cdsxmatch", "vsx", "finkclass")
    return next((known[key] for key in order if key in known), "")


@cache
def newest_curves(shared_data: Path) -> LightCurves:
    """Give their light curves as the light-curve API would."""
    packets = newest_packets(shared_data)
    answer = [{"objectId": name, "candidates": packet} for name, packet in packets.items()]
    return broker_that_hears(answer)[0].fetch(list(packets)).curves


def rows_of_packet(candidates: Packet) -> list[Row]:
    """Give the points of a packet as the reference takes them, each detection once."""
    points = {point["candid"] if point.get("candid") else -at: point for at, point in enumerate(candidates)}
    return [_row_of(point, candid > 0) for candid, point in points.items()]


def _row_of(candidate: dict[str, Any], is_detection: bool) -> Row:
    return row(
        candidate["jd"] - 2400000.5,
        FILTERS[candidate["fid"]],
        candidate["magpsf"] if is_detection else NAN,
        candidate["sigmapsf"] if is_detection else NAN,
        candidate.get("nid", 0),
        is_detection=is_detection,
        is_positive=candidate.get("isdiffpos") in ("t", "1"),
    )
