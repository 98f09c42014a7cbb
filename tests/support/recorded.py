"""Small files of every format, made from two sets of made-up light curves: magnitudes as ZTF has them, and fluxes."""

import copy
import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq

Packet = dict[str, Any]

FIRST_JD = 2461000.75

LARGE = 170587115523932323
"""As a float it would be ...320."""


def point(day: float, **changed: Any) -> Packet:
    """Make a detection of ZTF; None removes a key."""
    made: Packet = {
        "jd": FIRST_JD + day, "fid": 1, "candid": 2600000000000000000 + round(day * 1000), "magpsf": 19.5,
        "sigmapsf": 0.1, "diffmaglim": 20.5, "isdiffpos": "t", "nid": 3200 + int(day), "ra": 10.25, "dec": -20.5,
        "rb": 0.7, "drb": 0.9,
    }  # fmt: skip
    return {key: value for key, value in (made | changed).items() if value is not None}


def limit(day: float, fid: int = 1, depth: float = 20.5) -> Packet:
    """Make an upper limit of ZTF."""
    return {"jd": FIRST_JD + day, "fid": fid, "diffmaglim": depth, "nid": 3200 + int(day)}


ZTF: dict[str, list[Packet]] = {
    "ZTF26aaaaaaa": [point(9, fid=2, magpsf=18.5), limit(1), point(4, isdiffpos="1"), point(6, fid=3, magpsf=19.0)],
    "ZTF26aaaaaab": [point(3, isdiffpos="f"), point(2, isdiffpos="0", magpsf=20.0, sigmapsf=0.3), limit(0, 2, 19.5)],
    "ZTF26aaaaaac": [point(5, fid=7, drb=None)],
}
"""Points by object, the newest first: what its packet is about."""


def ztf_packets(curves: dict[str, list[Packet]] | None = None, **facts: Any) -> list[Packet]:
    """Make the newest alert packet of each object."""
    return [
        {
            "schemavsn": "4.02",
            "objectId": object_id,
            "candid": points[0]["candid"],
            "candidate": {**points[0], "ssdistnr": -999.0, "ssnamenr": "null", "sgscore1": 0.1, "distpsnr1": 3.0}
            | facts,
            "prv_candidates": points[1:] or None,
            "fp_hists": [{"jd": FIRST_JD, "fid": 1, "forcediffimflux": -99999.0}],
        }
        for object_id, points in copy.deepcopy(curves or ZTF).items()
    ]


def answers(curves: dict[str, list[Packet]] | None = None) -> list[Packet]:
    """Make Lasair's answers to ``lightcurves/``."""
    return [
        {"objectId": object_id, "candidates": points, "forcedphot": []} for object_id, points in (curves or ZTF).items()
    ]


def rows_of_ztf(curves: dict[str, list[Packet]] | None = None) -> list[Packet]:
    """Make a table with a point a row."""
    keys = point(0)
    return [
        {"objectId": object_id} | {key: point.get(key) for key in keys}
        for object_id, points in (curves or ZTF).items()
        for point in points
    ]


# In fluxes


def source(day: float, flux: float | None = 4000.0, band: str = "r", **changed: Any) -> Packet:
    """Make a source of Rubin."""
    made: Packet = {
        "diaSourceId": LARGE + round(day * 10), "diaObjectId": LARGE, "ssObjectId": 0, "midpointMjdTai": 61000.5 + day,
        "band": band, "psfFlux": flux, "psfFluxErr": 250.0, "ra": 30.5, "dec": -5.25, "reliability": 0.75,
        "timeWithdrawnMjdTai": None,
    }  # fmt: skip
    return made | changed


def forced(day: float, flux: float, band: str = "r") -> Packet:
    """Make forced photometry of Rubin."""
    return source(day, flux, band, reliability=None)


def alert(object_id: int = LARGE, sources: Sequence[Packet] = (), measured: Sequence[Packet] = ()) -> Packet:
    """Make an alert of Rubin from its sources, the newest first."""
    named = [{**source, "diaObjectId": object_id} for source in sources]
    return {
        "diaSourceId": named[0]["diaSourceId"],
        "diaSource": named[0],
        "prvDiaSources": named[1:],
        "prvDiaForcedSources": [{**point, "diaObjectId": object_id} for point in measured],
        "diaObject": {"diaObjectId": object_id, "ra": 30.5, "dec": -5.25},
    }


def alerts() -> list[Packet]:
    """Make alerts of two objects."""
    return [
        alert(
            LARGE, [source(8, 9000.0, "i"), source(2), source(5, -3000.0, "g")], [forced(3, -10.0), forced(4, 900.0)]
        ),
        alert(LARGE + 1, [source(1, 1234.5, "y")]),
    ]


def moving() -> Packet:
    """Make an alert of an object of the solar system."""
    packet = alert(0, [source(1, ssObjectId=21163615805847120)])
    return packet | {"diaObject": None}


def messages() -> list[Packet]:
    """Make the FULL messages of Lasair for the objects of `alerts`."""
    return [
        {
            "diaObjectId": packet["diaObject"]["diaObjectId"],
            "classification": "SN",
            "ebv": 0.02,
            "UTC": "2026-11-24 01:02:03",
            "alert": {
                "diaObject": packet["diaObject"],
                "diaSourcesList": [packet["diaSource"], *packet["prvDiaSources"]],
                "diaForcedSourcesList": packet["prvDiaForcedSources"],
            },
        }
        for packet in alerts()
    ]


def elasticc(packet: Packet, zero_point: float = 31.4) -> Packet:
    """Write an alert as ELAsTiCC would."""
    scale = 10 ** ((zero_point - 31.4) / 2.5)

    def old(source: Packet) -> Packet:
        return {
            "diaSourceId": source["diaSourceId"], "diaObjectId": source["diaObjectId"],
            "midPointTai": source["midpointMjdTai"], "filterName": "Y" if source["band"] == "y" else source["band"],
            "psFlux": source["psfFlux"] * scale, "psFluxErr": source["psfFluxErr"] * scale, "ra": source["ra"],
            "decl": source["dec"],
        }  # fmt: skip

    return {
        "alertId": 1,
        "diaSource": old(packet["diaSource"]),
        "prvDiaSources": [old(source) for source in packet["prvDiaSources"]],
        "prvDiaForcedSources": [old(source) for source in packet["prvDiaForcedSources"]],
        "diaObject": {"diaObjectId": packet["diaObject"]["diaObjectId"], "ra": 30.5, "decl": -5.25, "mwebv": 0.05},
    }


def rows_of_fluxes() -> list[Packet]:
    """Make a table of the detections of `alerts`, a point a row."""
    return [
        {"diaObjectId": source["diaObjectId"], **source}
        for packet in alerts()
        for source in (packet["diaSource"], *packet["prvDiaSources"])
    ]


# Containers


def json_text(content: Any) -> bytes:
    return json.dumps(content).encode()


def json_lines(content: Iterable[Any]) -> bytes:
    return b"".join(json_text(record) + b"\n" for record in content)


def csv_text(rows: Sequence[Packet], separator: str = ",") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=separator, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def parquet(rows: Sequence[Packet], **options: Any) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), stream, **options)
    return stream.getvalue()


def schema_of(packets: Sequence[Any], name: str = "made.v9_0.alert") -> Any:
    """Make an Avro schema that fits what is given; every value may be null."""
    kinds = {bool: "boolean", int: "long", float: "double", str: "string"}
    known = [packet for packet in packets if packet is not None]
    if known and isinstance(known[0], dict):
        keys = dict.fromkeys(key for packet in known for key in packet)
        fields = [
            {
                "name": key,
                "type": _or_null(schema_of([packet.get(key) for packet in known], f"{name}_{key}")),
                "default": None,
            }
            for key in keys
        ]
        return {"type": "record", "name": name, "fields": fields}
    if known and isinstance(known[0], list):
        return {
            "type": "array",
            "items": schema_of([item for inner in known for item in inner] or [0.0], f"{name}_item"),
        }
    return kinds[type(known[0])] if known else "double"


def _or_null(schema: Any) -> Any:
    return ["null", schema]


def avro(packets: Sequence[Packet], codec: str = "deflate") -> bytes:
    stream = io.BytesIO()
    fastavro.writer(stream, schema_of(packets), packets, codec=codec)
    return stream.getvalue()


def message(packet: Packet, number: int | None = None) -> bytes:
    """Write a message without schema; with a number it is framed."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema_of([packet])), packet)
    frame = b"" if number is None else b"\0" + number.to_bytes(4, "big")
    return frame + stream.getvalue()


def packed(content: bytes) -> bytes:
    return gzip.compress(content)


ZTF_FILES: dict[str, Callable[[], bytes]] = {
    "container.avro": lambda: avro(ztf_packets()),
    "plain.avro": lambda: avro(ztf_packets(), "null"),
    "container.avro.gz": lambda: packed(avro(ztf_packets())),
    "array.json": lambda: json_text(ztf_packets()),
    "pretty.json": lambda: json.dumps(ztf_packets(), indent=2).encode(),
    "array.json.gz": lambda: packed(json_text(ztf_packets())),
    "lines.jsonl": lambda: json_lines(ztf_packets()),
    "lines.jsonl.gz": lambda: packed(json_lines(ztf_packets())),
    "packets.parquet": lambda: parquet(ztf_packets()),
    "answers.json": lambda: json_text(answers()),
    "answers.jsonl": lambda: json_lines(answers()),
    "answer_a_line.jsonl": lambda: json_lines([answers()[:2], answers()[2:]]),
    "rows.csv": lambda: csv_text(rows_of_ztf()),
    "rows.tsv.gz": lambda: packed(csv_text(rows_of_ztf(), "\t")),
    "rows.parquet": lambda: parquet(rows_of_ztf()),
    "scattered.csv": lambda: csv_text(sorted(rows_of_ztf(), key=lambda row: row["jd"])),
    "scattered.parquet": lambda: parquet(sorted(rows_of_ztf(), key=lambda row: row["jd"]), row_group_size=2),
}
"""The light curves of `ZTF` in every format that can hold them, by a name that tells nothing."""

LSST_FILES: dict[str, Callable[[], bytes]] = {
    "container.avro": lambda: avro(alerts()),
    "array.json": lambda: json_text(alerts()),
    "lines.jsonl.gz": lambda: packed(json_lines(alerts())),
    "nested.parquet": lambda: parquet(alerts()),
    "groups.parquet": lambda: parquet(alerts(), row_group_size=1),
    "elasticc.avro": lambda: avro([elasticc(alert) for alert in alerts()]),
    "elasticc.parquet": lambda: parquet([elasticc(alert) for alert in alerts()]),
    "messages.json": lambda: json_text(messages()),
    "messages.jsonl": lambda: json_lines(messages()),
    "api_answers.json": lambda: json_text(
        [{**message["alert"], "diaObjectId": str(message["diaObjectId"])} for message in messages()]
    ),
}
"""The light curves of `alerts`."""
