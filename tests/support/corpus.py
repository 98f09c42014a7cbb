"""
Broken messages and light curves: by hand, each with what must come of it, and real ones with something spoilt.

A hand-made message has the words of the reason why it is refused, or None where it is an alert all the same. A
hand-made light curve has the words of the reason why its object is deferred, or whether the object passes.
"""

import gzip
import json
import math
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from simulators.services.lasair import to_message
from tides_bridge.lightcurves.photometry import jd_from_mjd

NAN, INFINITY = math.nan, math.inf
LONG = 10_000_000
"""[bytes] A message that nobody wants."""
DEEP = 10_000
"""[levels] More than any stack has."""


# Messages


def message(name: str = "ZTF26aaaaaaa", **changes: Any) -> dict[str, Any]:
    """Make a good message, with some changes."""
    jd = jd_from_mjd(61270.25)
    usual = {"ramean": 10.5, "decmean": -20.25, "jdmin": jd - 3, "jdmax": jd, "ncand": 4, "gmag": 19.0, "rmag": 19.2}
    return {"objectId": name, **usual, "classification": "SN", "UTC": "2026-08-18 06:00:00", **changes}


def text(name: str = "ZTF26aaaaaaa", **changes: Any) -> bytes:
    """Write a good message as it comes, with some changes."""
    return json.dumps(message(name, **changes)).encode()


def without(*keys: str) -> bytes:
    """Write a good message that lacks some keys."""
    return json.dumps({key: value for key, value in message().items() if key not in keys}).encode()


def in_place(raw: bytes) -> bytes:
    """Write a good message with bytes of our choice as a value."""
    return text(x="HERE").replace(b'"HERE"', raw)


def nested(levels: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * levels + closing * levels


AVRO = b"Obj\x01\x04\x14avro.codec\x08null\x16avro.schema\x00" + bytes(range(256))
NO_JSON = {
    "no JSON": b"no JSON",
    "empty": b"",
    "blank": b" \n",
    "NUL": b"\0",
    "HTML": b"<html><body><h1>502 Bad Gateway</h1></body></html>",
    "XML": b'<?xml version="1.0"?><voe:VOEvent/>',
    "YAML": b"objectId: ZTF26aaaaaaa\nramean: 10.5\n",
    "CSV": b"objectId,ramean,decmean\nZTF26aaaaaaa,10.5,-20.25\n",
    "Python's own spelling": str(message()).encode(),
    "cut in half": text()[:60],
    "cut in a character": text(note="é").decode().encode()[:-3] + "é".encode()[:1],
    "Latin-1": '{"objectId": "ZTF26aaaaaaa", "note": "\xe9"}'.encode("latin-1"),
    "two in one": text() + text("ZTF26aaaaaab"),
    "something after it": text() + b"\0\0",
    "a comma too many": text()[:-1] + b",}",
    "single quotes": text().replace(b'"', b"'"),
    "a line break in a text": in_place(b'"a\nb"'),
    "10,000 lists": nested(DEEP),
    "10,000 objects": nested(DEEP, b'{"a":', b"}"),
    "10,000 levels in a good one": in_place(nested(DEEP)),
    "a number of 5000 digits": in_place(b"9" * 5000),
    "Avro": AVRO,
    "gzip": gzip.compress(text(), mtime=0),
    "framed as Confluent does": struct.pack(">bI", 0, 900) + text(),
    "framed Avro": struct.pack(">bI", 0, 900) + AVRO,
    "UTF-16 of half": "{".encode("utf-16") + b"\0",
    "random": random.Random(26).randbytes(500),
}
NO_OBJECT = {
    "a list": b"[]",
    "a list of messages": b"[" + text() + b"]",
    "a number": b"42",
    "a text": b'"ZTF26aaaaaaa"',
    "null": b"null",
    "true": b"true",
    "NaN": b"NaN",
}
NO_NAME = {
    "an object without anything": b"{}",
    "no objectId": without("objectId"),
    "null": text(objectId=None),
    "an integer": text(objectId=123),
    "an integer beyond 2**63": text(objectId=2**63 + 1),
    "a fraction": text(objectId=1.5),
    "true": text(objectId=True),
    "a list": text(objectId=["ZTF26aaaaaaa"]),
    "an object": text(objectId={"objectId": "ZTF26aaaaaaa"}),
    "NaN": text(objectId=NAN),
    "empty": text(""),
    "blank": text("   "),
    "a comma in it": text("ZTF26a,ZTF26b"),
    "a space in it": text("ZTF 26aaaaaaa"),
    "a line break in it": text("ZTF26a\nZTF26b"),
    "300 characters": text("Z" * 300),
    "a megabyte": text("Z" * 1_000_000),
    "900 levels": text(objectId="HERE").replace(b'"HERE"', nested(900)),
    "NUL in it": text("ZTF26a\0"),
    "half a surrogate in it": text("ZTF26a\ud800"),
    "letters of another script": text("ZTF26\u0430\u0430"),
    "a quote and a semicolon": text("'; DROP TABLE tides_master; --"),
    "another case": json.dumps({"objectid": "ZTF26aaaaaaa"}).encode(),
    "Rubin's diaObjectId": json.dumps({"diaObjectId": 169720647261880363, "ra": 59.7, "decl": -49.7}).encode(),
    "the second of two": b'{"objectId": "ZTF26aaaaaaa", "objectId": null}',
}
NO_POSITION = {
    "NaN": text(ramean=NAN),
    "both NaN": text(ramean=NAN, decmean=NAN),
    "infinite": text(ramean=INFINITY),
    "negative infinite": text(decmean=-INFINITY),
    "beyond a float": in_place(b"0").replace(b"10.5", b"1" + b"0" * 400),
    "as a text": text(ramean="10.5"),
    "in hours": text(decmean="-20:15:00"),
    "a list": text(ramean=[10.5]),
    "true": text(decmean=True),
}
MESSAGES: dict[str, tuple[bytes, str | None]] = {
    **{f"not JSON: {name}": (body, "is not JSON: ") for name, body in NO_JSON.items()},
    **{f"no object: {name}": (body, "is not a JSON object") for name, body in NO_OBJECT.items()},
    **{f"no name: {name}": (body, "not a name: does the filter select objectId?") for name, body in NO_NAME.items()},
    **{f"no position: {name}": (body, "mean is ") for name, body in NO_POSITION.items()},
    "a position without ra": (without("ramean"), "its position is half: ramean None"),
    "a position without dec": (text(decmean=None), "its position is half: ramean 10.5"),
    "ra of 361": (text(ramean=361.0), "its position 361.0, -20.25 is not on the sky"),
    "negative ra": (text(ramean=-0.001), "is not on the sky"),
    "dec of -91": (text(decmean=-91), "is not on the sky"),
    "the sentinel as position": (text(ramean=-999.0, decmean=-999.0), "is not on the sky"),
    "51 levels": (in_place(nested(51)), "is nested more than 50 deep"),
    "900 levels": (in_place(nested(900)), "is nested more than 50 deep"),
    "jdmax in MJD": (text(jdmax=61270.25), "jdmax is 61270.25, which is no Julian date of our time"),
    "jdmax in seconds": (text(jdmax=1787000000.0), "which is no Julian date of our time"),
    "a negative jdmax": (text(jdmax=-2461270.75), "which is no Julian date of our time"),
    "jdmax of zero": (text(jdmax=0), "which is no Julian date of our time"),
    "jdmin in MJD": (text(jdmin=61267.25), "jdmin is 61267.25, which is no Julian date of our time"),
    "an infinite jdmax": (text(jdmax=INFINITY), "jdmax is inf, not a finite number"),
    "jdmax as a text": (text(jdmax="yesterday"), "jdmax is 'yesterday', not a finite number"),
    "jdmin as a list": (text(jdmin=[2461267.75]), "jdmin is [2461267.75], not a finite number"),
    "jdmax is true": (text(jdmax=True), "jdmax is True, not a finite number"),
    "jdmax of a megabyte": (text(jdmax="9" * 1_000_000), "not a finite number"),
    "only a bad jdgmax": (json.dumps({"objectId": "ZTF26bad", "jdgmax": {}}).encode(), "jdgmax is {}, not a finite"),
    "10 MB of nothing": (b" " * LONG, f"has {LONG} bytes, more than"),
    "10 MB in a name": (text("Z" * LONG), "bytes, more than 5000000"),
    "10 MB beside a name": (text("ZTF26huge", note="a" * LONG), "bytes, more than 5000000"),
    # Alerts all the same: what is broken does not matter, or is left out.
    "only a name": (b'{"objectId": "ZTF26only"}', None),
    "jdmax NaN": (text("ZTF26jdnan", jdmax=NAN, jdmin=NAN), None),
    "no dates": (text("ZTF26nodate", jdmax=None, jdmin=None, UTC="soon"), None),
    "a date that is none": (text("ZTF26nodat", jdmax=None, jdmin=None, UTC="2026-13-45"), None),
    "a date with a zone": (text("ZTF26zone", jdmax=None, jdmin=None, UTC="2026-08-18T06:00:00+02:00"), None),
    "a date as a number": (text("ZTF26date", jdmax=None, jdmin=None, UTC=-5), None),
    "a date before our time": (text("ZTF26old", jdmax=None, jdmin=None, UTC="0001-01-01 00:00:00"), None),
    "positions null": (text("ZTF26nopos", ramean=None, decmean=None), None),
    "spaces around its name": (text(" ZTF26space\n"), None),
    "a name that is a number": (text("123456789"), None),
    "a byte order mark": (b"\xef\xbb\xbf" + text("ZTF26bom"), None),
    "UTF-16": (text("ZTF26utf").decode().encode("utf-16"), None),
    "duplicate keys": (b'{"objectId": "ZTF26aaaaaaa", "ramean": "x", "objectId": "ZTF26twice", "ramean": null}', None),
    "NUL in texts and keys": (text("ZTF26nul", note="a\0b", **{"k\0": "\0"}), None),
    "NUL in its class": (text("ZTF26nulclass", classification="S\0N"), None),
    "half a surrogate": (text("ZTF26half", note="\ud800", **{"\udfff": 1}), None),
    "wrong types everywhere": (text("ZTF26types", classification=7, ncand="4", gmag=[], rmag={}, UTC=None), None),
    "its class a list": (text("ZTF26class", classification=["SN"]), None),
    "infinities elsewhere": (text("ZTF26inf", gmag=INFINITY, rmag=-INFINITY, ncand=NAN), None),
    "large numbers elsewhere": (text("ZTF26large", gmag=1e308, rmag=-1e308, ncand=2**64, x=10**400), None),
    "small numbers elsewhere": (text("ZTF26small", gmag=5e-324, ramean=1e-320, decmean=-0.0), None),
    "50 levels": (text("ZTF26deep", x="HERE").replace(b'"HERE"', nested(49)), None),
    "100,000 keys": (text("ZTF26keys", **{f"k{i}": i for i in range(100_000)}), None),
    "a class of 100,000 characters": (text("ZTF26longclass", classification="S" * 100_000), None),
    "a key that is empty": (text("ZTF26empty", **{"": ""}), None),
    "a quote in its class": (text("ZTF26quote", classification="'; DROP TABLE tides_master; --\\"), None),
    "ra of 360": (text("ZTF26ra", ramean=360.0), None),
}  # fmt: skip
"""By name: the message, and the words of the reason why it is refused; None if it is an alert."""


# Light curves


def point(number: int, **changes: Any) -> dict[str, Any]:
    """Make a good detection; of two in a row each has its own band and night."""
    jd, band = jd_from_mjd(61270.25 + number), 1 + number % 2
    usual = {"fid": band, "nid": 3516 + number, "magpsf": 19.0, "sigmapsf": 0.1, "isdiffpos": "t", "drb": 0.9}
    return {"candid": 2_000_000_000_000 + number, "jd": jd, **usual, "ra": 10.5, "dec": -20.25, **changes}


def points(number: int = 4, **changes: Any) -> list[dict[str, Any]]:
    """Make good detections that pass, each with the same changes."""
    return [point(i, **changes) for i in range(number)]


def lacking(key: str) -> list[dict[str, Any]]:
    """Make detections that lack a key."""
    return [{name: value for name, value in point.items() if name != key} for point in points()]


def limits() -> list[dict[str, Any]]:
    return [{"jd": point["jd"], "fid": point["fid"], "diffmaglim": 20.5} for point in points()]


UNREADABLE, NOTHING = "its light curve cannot be read: ", "the light-curve API has no detection of it"
CANDIDATES: dict[str, tuple[Any, str | bool]] = {
    "null": (None, NOTHING),
    "empty": ([], NOTHING),
    "an empty object": ({}, NOTHING),
    "an object instead of a list": ({"0": point(0)}, UNREADABLE),
    "a text": ("none", UNREADABLE),
    "a number": (7, UNREADABLE),
    "true": (True, UNREADABLE),
    "lists instead of points": ([list(point.values()) for point in points()], UNREADABLE),
    "nulls": ([None, None], UNREADABLE),
    "a null among good points": ([*points(), None], UNREADABLE),
    "candid a list": ([point(0, candid=[1]), *points()], UNREADABLE),
    "nothing in a point": ([{}], NOTHING),
    "only limits": (limits(), NOTHING),
    "candid missing": (lacking("candid"), NOTHING),
    "candid null": (points(candid=None), NOTHING),
    "jd missing": (lacking("jd"), "KeyError('jd')"),
    "jd null": (points(jd=None), UNREADABLE),
    "jd in MJD": (points(jd=61270.25), "jd 61270.25, nid"),
    "jd NaN": (points(jd=NAN), "jd nan, nid"),
    "jd infinite": (points(jd=INFINITY, nid=None), UNREADABLE),
    "jd negative": (points(jd=-2461270.75), "jd -2461270.75, nid"),
    "jd a text": (points(jd="2026-08-18"), "could not convert string to float: '2026-08-18'"),
    "jd a list": (points(jd=[2461270.75]), UNREADABLE),
    "jd of 1e308": (points(jd=1e308), "jd 1e+308, nid"),
    "jd of 400 digits": (points(jd=10**400), "OverflowError"),
    "fid missing": (lacking("fid"), "KeyError('fid')"),
    "fid null": (points(fid=None), UNREADABLE),
    "fid a text": (points(fid="g"), "invalid literal for int"),
    "fid NaN": (points(fid=NAN), UNREADABLE),
    "nid negative": (points(nid=-1), "nid -1"),
    "nid of 30 digits": (points(nid=10**30), "nid 1" + "0" * 30),
    "nid a text": (points(nid="tonight"), "invalid literal for int"),
    "magnitudes as words": (points(magpsf="bright"), "could not convert string to float: 'bright'"),
    "magnitudes of a megabyte": (points(magpsf="9x" * 500_000), "could not convert string to float"),
    "NUL in a magnitude": (points(magpsf="19\0"), UNREADABLE),
    "half a surrogate in a magnitude": (points(magpsf="19\ud800"), UNREADABLE),
    "magnitudes as lists": (points(magpsf=[19.0]), UNREADABLE),
    "positions as words": (points(ra="10h30m"), "could not convert string to float: '10h30m'"),
    "NaN everywhere": (points(**dict.fromkeys(point(0), NAN)), UNREADABLE),
    "null everywhere but candid": (points(**dict.fromkeys(set(point(0)) - {"candid"})), UNREADABLE),
    # Judged, on what is good of it.
    "strings for numbers": ([{k: str(v) for k, v in p.items() if k != "candid"} | {"candid": p["jd"]} for p in points()], True),  # noqa: E501
    "one broken point": ([point(0, jd="x"), *points()[1:]], True),
    "one good point": ([point(0), *points(jd=NAN)[1:]], False),
    "broken limits": ([*points(), {"jd": "x", "fid": 1}, {}], True),
    "magpsf missing": (lacking("magpsf"), False),
    "sigmapsf missing": (lacking("sigmapsf"), False),
    "isdiffpos missing": (lacking("isdiffpos"), False),
    "nid missing": (lacking("nid"), True),
    "ra missing": (lacking("ra"), True),
    "the sentinel as magnitude": (points(magpsf=-999.0), False),
    "the sentinel as error": (points(sigmapsf=-999), False),
    "the other sentinel": (points(magpsf=-99999), False),
    "magnitudes NaN": (points(magpsf=NAN), False),
    "errors NaN": (points(sigmapsf=NAN), False),
    "errors infinite": (points(sigmapsf=INFINITY), False),
    "errors of zero": (points(sigmapsf=0), False),
    "errors negative": (points(sigmapsf=-0.1), False),
    "errors next to nothing": (points(sigmapsf=5e-324), True),
    "magnitudes of 1e308": (points(magpsf=1e308), False),
    "one magnitude of 1e308": ([point(0, magpsf=1e308), *points()[1:]], True),
    "errors of 1e308": (points(sigmapsf=1e308), False),
    "positions of 1e308": (points(ra=1e308, dec=-1e308), True),
    "all negative": (points(isdiffpos="f"), False),
    "signs of another kind": (points(isdiffpos=["t"]), False),
    "unknown bands": (points(fid=9), False),
    "bands of 400 digits": (points(fid=10**400), False),
    "one band": (points(fid=1), False),
    "one night": (points(nid=3516), False),
    "duplicate candid": ([point(0, candid=1), point(1, candid=1)], False),
    "every point twice": (points() * 2, True),
    "out of order": (points()[::-1], True),
    "10,000 points": (points(10_000, jd=jd_from_mjd(61270.25), nid=3516), False),
    "10,000 points that pass": ([point(i % 300, candid=i + 1) for i in range(10_000)], True),
    "all at once": ([point(i, jd=jd_from_mjd(61270.25)) for i in range(4)], True),
}  # fmt: skip
"""By name: the candidates, and the words of the reason why the object is deferred, or whether it passes."""

ENTRIES: dict[str, tuple[Any, str | bool]] = {
    "null instead of an object": (None, NOTHING),
    "a text instead of an object": ("not found", NOTHING),
    "a number instead of an object": (404, NOTHING),
    "a list instead of an object": (points(), NOTHING),
    "an error of the API": ({"error": "Object does not exist"}, NOTHING),
    "no candidates": ({"objectId": "HERE", "forcedphot": []}, NOTHING),
    "no name": ({"candidates": points()}, NOTHING),
    "a name that is null": ({"objectId": None, "candidates": points()}, NOTHING),
    "another object": ({"objectId": "ZTF99zzzzzzz", "candidates": points()}, NOTHING),
    "another type of name": ({"objectId": ["HERE"], "candidates": points()}, NOTHING),
}
"""As `CANDIDATES`, of an entry of the answer as a whole; HERE is the object's name."""

ANSWERS: dict[str, bytes] = {
    "an error": b'{"error": "internal error"}',
    "a detail": b'{"detail": "Not found."}',
    "null": b"null",
    "a number": b"3",
    "a text": b'"try later"',
    "empty": b"",
    "HTML": b"<html><body>Django debug page</body></html>",
    "half": b'[{"objectId": "ZTF26good0", "candid',
    "no UTF-8": b'[{"objectId": "\xff\xfe"}]',
    "gzip": gzip.compress(b"[]", mtime=0),
    "no entry": b"[]",
    "too few of the old shape": b"[[]]",
    "10,000 levels": nested(DEEP),
    "a number of 5000 digits": b"[" + b"9" * 5000 + b"]",
    "nothing but null": b"[null, null, null]",
    "nothing but errors": b'[{"error": "a"}, {"error": "b"}, {"error": "c"}]',
}
"""What an API may answer to three objects with status 200, none of which can be judged then."""


def light_curves() -> dict[str, tuple[str, Any, str | bool]]:
    """Give all hand-made light curves by name: an object, its entry of the answer, and what must come of it."""
    wrapped = {
        name: ({"objectId": "HERE", "candidates": points, "forcedphot": []}, due)
        for name, (points, due) in CANDIDATES.items()
    }
    named = {}
    for number, (name, (entry, due)) in enumerate((wrapped | ENTRIES).items()):
        object_id = f"ZTF26curve{number}"
        is_its_own = isinstance(entry, dict) and entry.get("objectId") == "HERE"
        named[name] = object_id, entry | {"objectId": object_id} if is_its_own else entry, due
    return named


# Real ones, spoilt


def real_messages(folder: Path) -> list[bytes]:
    """Give real messages: of Lasair for Rubin, as they are and with a name, and made from packets of ZTF."""
    rubin = json.loads((folder / "lasair_lsst" / "kafka_messages.json").read_text())
    named = [{"objectId": str(packet["diaObjectId"]), **packet} for packet in rubin]
    packets = [json.loads(file.read_text()) for file in sorted((folder / "lasair_ztf" / "alerts").glob("*.json"))]
    with gzip.open(folder / "ztf" / "alerts.jsonl.gz", "rt") as lines:
        packets += [json.loads(line) for _, line in zip(range(100), lines, strict=False)]
    ztf = [to_message(packet) for packet in packets if (packet.get("candidate") or {}).get("candid")]
    return [json.dumps(packet).encode() for packet in [*rubin, *named, *packets[:20], *ztf]]


STRANGE: tuple[Any, ...] = (None, True, -1, 0, 10**30, 1e308, NAN, INFINITY, "", "NaN", "\0", "\ud800", [], {}, [[1]])


def drop_key(body: bytes, dice: random.Random) -> bytes:
    content = json.loads(body)
    del content[dice.choice(list(content))]
    return json.dumps(content).encode()


def change_type(body: bytes, dice: random.Random) -> bytes:
    content = json.loads(body)
    content[dice.choice(list(content))] = dice.choice(STRANGE)
    return json.dumps(content).encode()


def swap_values(body: bytes, dice: random.Random) -> bytes:
    content = json.loads(body)
    one, other = dice.sample(list(content), 2)
    content[one], content[other] = content[other], content[one]
    return json.dumps(content).encode()


def truncate(body: bytes, dice: random.Random) -> bytes:
    return body[: dice.randrange(len(body))]


def flip_bytes(body: bytes, dice: random.Random) -> bytes:
    spoilt = bytearray(body)
    for _ in range(dice.randint(1, 5)):
        spoilt[dice.randrange(len(spoilt))] ^= dice.randint(1, 255)
    return bytes(spoilt)


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    drop_key, change_type, swap_values, truncate, flip_bytes
)  # fmt: skip


def spoilt(bodies: list[bytes], number: int, seed: int = 26) -> Iterator[bytes]:
    """Spoil some of the messages, every way as often; the same for the same seed."""
    dice = random.Random(seed)
    for i in range(number):
        yield MUTATIONS[i % len(MUTATIONS)](dice.choice(bodies), dice)
