"""
What each broker makes of an alert packet, before it is framed: other names, other units, what it adds and leaves out.

Sources: lasair-lsst (pipeline/filter/util.py) and recorded messages of Lasair; alerts of Fink of December 2025;
LSSTDESC/elasticc; the models of the babamul client and of antares-client 2.0.2.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from simulators.alerts.avro_schemas import DIA_FORCED_SOURCE, DIA_SOURCE, dia_object_fields, fields_of_table
from simulators.alerts.ztf_schemas import DETECTION, SURROUNDINGS
from tides_bridge.lightcurves.photometry import AB_ZERO_POINT, MJD_OF_UNIX, MJD_ZERO, TAI_AHEAD

Packet = dict[str, Any]
LasairMode = Literal["PLAIN", "LITE", "FULL"]

LITE_FORCED = ("psfFlux", "psfFluxErr", "midpointMjdTai", "band")
LITE_SOURCE = (*LITE_FORCED, "reliability")
"""What a LITE message of Lasair has of a source: no id."""
FULL_SOURCE = tuple(name for name, _ in fields_of_table(DIA_SOURCE))
FULL_FORCED = tuple(name for name, _ in fields_of_table(DIA_FORCED_SOURCE))
FULL_OBJECT = tuple(name for name, _ in dia_object_fields())

IMAGES = ("cutoutScience", "cutoutTemplate", "cutoutDifference")
BAND_OF_FID = {1: "g", 2: "r", 3: "i"}
REFERENCE_DAYS = 800.0
"""Age of ZTF's reference image: recorded packets of 2026 have 2022 to 2025."""
ZTF_REQUIRED: Packet = {"nmtchps": 3, "nframesref": 30, "rfid": 0, "nmatches": 500, "rbversion": "t17_f5_c3",
                        "drbversion": "d6_m7"}  # fmt: skip
"""What the schema wants of a candidate, and simulated packets lack."""
BABAMUL_ZTF_ZERO_POINT = 23.9
"""The babamul client reads ZTF's ``psfFlux`` times 1e-9 with it."""
POGSON = 2.5 / math.log(10)

ZTF_INTEGERS = [
    name
    for name, kind in fields_of_table(DETECTION.format("") + SURROUNDINGS)
    if (kind[1] if isinstance(kind, list) else kind) in {"int", "long"}
]

HISTORY = ("prvDiaSources", "prvDiaForcedSources")

CLASSES = {"SLSN": (13, None), "AGN": (22, "QSO"), "variable star": (21, "RRLyr")}
"""Fink's class id of CATS and SIMBAD's type, by what an object truly is; supernovae are (11, None)."""


# ZTF


def to_full_ztf(packet: Mapping[str, Any]) -> Packet:
    """Complete a packet of ZTF to what its schema needs; what it has stays."""
    candidate = packet["candidate"]
    start = candidate["jd"] - REFERENCE_DAYS
    added = ZTF_REQUIRED | {"ranr": candidate["ra"], "decnr": candidate["dec"], "jdstartref": start, "jdendref": start}
    earlier = packet.get("prv_candidates")
    forced = packet.get("fp_hists")
    return {
        **packet,
        "publisher": packet.get("publisher") or "simulated",
        "candidate": added | _whole(candidate),
        "prv_candidates": earlier and [{"rbversion": ZTF_REQUIRED["rbversion"]} | _whole(point) for point in earlier],
        "fp_hists": forced and [{key: added[key] for key in ("ranr", "decnr", "rfid")} | point for point in forced],
        **{name: _stamp(name, packet.get(name)) for name in IMAGES},
    }


def to_fink_ztf(packet: Mapping[str, Any]) -> Packet:
    """Add to a packet of ZTF a part of what Fink adds."""
    labels, candidate = packet.get("labels") or {}, packet["candidate"]
    is_supernova = "SN" in str(labels.get("truth"))
    star = "RRAB" if labels.get("truth") == "variable star" else "Unknown"
    score = 0.9 if is_supernova else 0.1
    return to_full_ztf(packet) | {
        "cdsxmatch": CLASSES.get(str(labels.get("truth")), (11, None))[1] or "Unknown",
        "rf_snia_vs_nonia": score,
        "snn_snia_vs_nonia": score,
        "snn_sn_vs_all": score,
        "rf_kn_vs_nonkn": 0.0,
        "roid": 3 if 0 <= (candidate.get("ssdistnr") or -999.0) <= 5 else 0,
        "nalerthist": candidate.get("ndethist"),
        "vsx": star,
        "gcvs": "Unknown",
        "jd_first_real_det": candidate.get("jdstarthist"),
        "fink_broker_version": "simulated",
    }


def to_babamul_ztf(packet: Mapping[str, Any]) -> Packet:
    """Make Babamul's alert of a packet of ZTF: the history, with this detection in it, is fluxes."""
    full = to_full_ztf(packet)
    points = [*(full["prv_candidates"] or []), full["candidate"]]
    candidate, newest = full["candidate"], _flux_of_ztf(full["candidate"])
    return {
        "candid": packet["candid"],
        "objectId": packet["objectId"],
        "candidate": candidate
        | {"isdiffpos": newest["psfFlux"] > 0, "snr_psf": abs(newest["psfFlux"]) / newest["psfFluxErr"]}
        | {name: newest[name] for name in ("psfFlux", "psfFluxErr", "band")},
        "prv_candidates": [_flux_of_ztf(point) for point in points if point.get("magpsf") is not None],
        "prv_nondetections": [
            _limit_of_ztf(point) for point in points if point.get("magpsf") is None and point.get("diffmaglim")
        ],
        "fp_hists": [],
        **{name: (full[name] or {}).get("stampData") for name in IMAGES},
    }


def _whole(point: Mapping[str, Any]) -> Packet:
    """Leave out nulls, and make counts and ids integers: in recorded packets that were a table some are floats."""
    known = {key: value for key, value in point.items() if value is not None}
    return known | {key: int(known[key]) for key in ZTF_INTEGERS if isinstance(known.get(key), float)}


def _stamp(name: str, image: Any) -> Packet | None:
    """Wrap an image as ZTF does, unless it is wrapped."""
    return {"fileName": f"{name}.fits.gz", "stampData": image} if isinstance(image, bytes) else image


def _flux_of_ztf(point: Mapping[str, Any]) -> Packet:
    size = 10 ** ((BABAMUL_ZTF_ZERO_POINT - point["magpsf"]) / 2.5) * 1e9
    sign = 1 if str(point["isdiffpos"]) in {"t", "1"} else -1
    measured = {"psfFlux": sign * size, "psfFluxErr": size * point["sigmapsf"] / POGSON}
    return {"jd": point["jd"], "band": BAND_OF_FID[point["fid"]], "ra": point["ra"], "dec": point["dec"]} | measured


def _limit_of_ztf(point: Mapping[str, Any]) -> Packet:
    error = 10 ** ((BABAMUL_ZTF_ZERO_POINT - point["diffmaglim"]) / 2.5) * 1e9 / 5
    return {"jd": point["jd"], "band": BAND_OF_FID[point["fid"]], "psfFluxErr": error}


# Rubin


def to_elasticc(packet: Mapping[str, Any], zero_point: float = AB_ZERO_POINT) -> Packet:
    """
    Make ELAsTiCC's alert of one of Rubin: older names, Y for y, and a zero point of fluxes [mag].

    Raises
    ------
    KeyError, TypeError
        If it is about no ``diaObject``.
    """
    scale = 10 ** ((zero_point - AB_ZERO_POINT) / 2.5)
    known = packet["diaObject"]
    redshift = (packet.get("labels") or {}).get("redshift") or None
    return {
        "alertId": packet["diaSourceId"],
        "diaSource": _old_source(packet["diaSource"], scale),
        "prvDiaSources": [_old_source(source, scale) for source in packet["prvDiaSources"] or []],
        "prvDiaForcedSources": [
            {"diaForcedSourceId": point["diaForcedSourceId"]} | _old_point(point, scale)
            for point in packet["prvDiaForcedSources"] or []
        ],
        "diaObject": {
            "diaObjectId": known["diaObjectId"], "ra": known["ra"], "decl": known["dec"],
            "mwebv": 0.0, "mwebv_err": 0.0, "z_final": redshift, "z_final_err": 0.01 if redshift else None,
        },
    }  # fmt: skip


def to_fink_lsst(packet: Mapping[str, Any], version: str = "10_0") -> Packet:
    """Add to a packet of Rubin a part of what Fink adds; what is missing is null in Fink's alerts, not NaN."""
    truth = str((packet.get("labels") or {}).get("truth"))
    category, simbad = CLASSES.get(truth, (11 if "SN" in truth else -1, None))
    is_moving = packet["diaObject"] is None
    lists = {name: packet[name] and [_nulls(point) for point in packet[name]] for name in HISTORY}
    score = 0.9 if "SN" in truth else 0.1
    return {
        **packet,
        **lists,
        "diaSource": _nulls(packet["diaSource"]),
        "diaObject": packet["diaObject"] and _nulls(packet["diaObject"]),
        "brokerIngestMjd": packet["diaSource"]["timeProcessedMjdTai"],
        "lsst_schema_version": f"lsst.v{version}",
        "fink_broker_version": "simulated",
        "publisher": "simulated",
        "clf": {"snnSnVsOthers_score": score, "cats_class": category, "cats_score": score, "earlySNIa_score": -1.0},
        "xm": {
            "simbad_otype": simbad,
            "gaiadr3_VarFlag": 0,
            "vsx_Type": "RRAB" if truth == "variable star" else None,
        },
        "pred": {
            "is_sso": is_moving,
            "is_first": not packet["prvDiaSources"],
            "is_cataloged": simbad is not None,
            "main_label_classifier": category,
            "main_label_crossmatch": simbad,
        },
    }


def to_lasair_lsst(packet: Mapping[str, Any], mode: LasairMode = "FULL", has_alert: bool = True) -> Packet:
    """
    Make the message that a filter of Lasair sends for an alert of Rubin.

    Parameters
    ----------
    packet
        About a ``diaObject``.
    mode
        PLAIN: the selected columns. LITE and FULL add the light curve, newest first, with fewer or all of its columns.
    has_alert
        False: the alert was not among those of the batch, and is silently missing.
    """
    source, known = packet["diaSource"], packet["diaObject"]
    sources = [source, *reversed(packet["prvDiaSources"] or [])]
    forced = list(reversed(packet["prvDiaForcedSources"] or []))
    observed = source["midpointMjdTai"] - TAI_AHEAD
    message = {
        "diaObjectId": known["diaObjectId"], "ra": known["ra"], "decl": known["dec"],
        "lastDiaSourceMjdTai": source["midpointMjdTai"], "firstDiaSourceMjdTai": sources[-1]["midpointMjdTai"],
        "latestR": source["reliability"], "nDiaSources": known["nDiaSources"], "ebv": 0.0, "tns_name": None,
        "absMag": None, "sherlock_classifications": (packet.get("labels") or {}).get("sherlock", "UNCLEAR"),
        "UTC": f"{datetime.fromtimestamp(round((observed - MJD_OF_UNIX) * 86400), UTC):%Y-%m-%d %H:%M:%S}",
    }  # fmt: skip
    if mode == "PLAIN" or not has_alert:
        return message
    return message | {"alert": _lite(sources, forced) if mode == "LITE" else _full(known, sources, forced)}


def to_babamul_lsst(packet: Mapping[str, Any]) -> Packet:
    """Make Babamul's alert of a packet of Rubin: with magnitudes, and a history with this detection in it [nJy]."""
    source, earlier = packet["diaSource"], packet["prvDiaSources"] or []
    size, error = abs(source["psfFlux"]), source["psfFluxErr"]
    name, first = str(packet["diaObject"]["diaObjectId"]), (earlier or [source])[0]
    return {
        "candid": packet["diaSourceId"],
        "objectId": name,
        "candidate": source
        | {
            "objectId": name,
            "jd": source["midpointMjdTai"] - TAI_AHEAD + MJD_ZERO,  # UTC, as BOOM computes it since the end of 2025
            "magpsf": _magnitude(size),
            "sigmapsf": POGSON * error / size,
            "diffmaglim": _magnitude(5 * error),
            "isdiffpos": source["psfFlux"] > 0,
            "snr": size / error,
            "magap": _magnitude(abs(source["apFlux"])),
            "sigmagap": POGSON * source["apFluxErr"] / abs(source["apFlux"]),
            "jdstarthist": first["midpointMjdTai"] - TAI_AHEAD + MJD_ZERO,
            "ndethist": packet["diaObject"]["nDiaSources"],
        },
        "prv_candidates": [_point(point) | {"ra": point["ra"], "dec": point["dec"]} for point in [*earlier, source]],
        "fp_hists": [_point(point) for point in packet["prvDiaForcedSources"] or []],
        **{image: packet.get(image) for image in IMAGES},
    }


def to_antares(packet: Mapping[str, Any]) -> Packet:
    """Make ANTARES' locus of an alert of either survey; there is no photometry in it but the newest magnitude."""
    is_lsst = "diaSource" in packet
    source, properties = _locus_of_lsst(packet) if is_lsst else _locus_of_ztf(packet)
    object_name = str(packet["diaObject"]["diaObjectId"] if is_lsst else packet["objectId"])
    number = int.from_bytes(object_name.encode(), "big") % 26**7
    return {
        "id": f"ANT2026{_letters(number)}",
        "ra": source["ra"],
        "dec": source["dec"],
        "properties": properties | {"num_mag_values": properties["num_alerts"]},
        "tags": ["simulated"],
        "catalogs": [],
    }


def _locus_of_lsst(packet: Mapping[str, Any]) -> tuple[Packet, Packet]:
    source, known = packet["diaSource"], packet["diaObject"]
    first = (packet["prvDiaSources"] or [source])[0]
    return source, {
        "survey": {"lsst": {"dia_object_id": [str(known["diaObjectId"])], "ss_object_id": []}},
        "num_alerts": known["nDiaSources"],
        "newest_alert_id": f"lsst:{packet['diaSourceId']}",
        "newest_alert_magnitude": _magnitude(abs(source["psfFlux"])),
        "newest_alert_observation_time": source["midpointMjdTai"],
        "oldest_alert_observation_time": first["midpointMjdTai"],
    }


def _locus_of_ztf(packet: Mapping[str, Any]) -> tuple[Packet, Packet]:
    candidate = packet["candidate"]
    return candidate, {
        "ztf_object_id": packet["objectId"],
        "survey": {"ztf": {"id": [packet["objectId"]], "ssnamenr": []}},
        "num_alerts": candidate.get("ndethist"),
        "newest_alert_id": f"ztf_candidate:{packet['candid']}",
        "newest_alert_magnitude": candidate["magpsf"],
        "newest_alert_observation_time": candidate["jd"] - MJD_ZERO,
        "oldest_alert_observation_time": candidate.get("jdstarthist", candidate["jd"]) - MJD_ZERO,
    }


def _old_point(point: Mapping[str, Any], scale: float) -> Packet:
    return {
        "ccdVisitId": point["visit"], "diaObjectId": point["diaObjectId"], "midPointTai": point["midpointMjdTai"],
        "filterName": "Y" if point["band"] == "y" else point["band"],
        "psFlux": point["psfFlux"] * scale, "psFluxErr": point["psfFluxErr"] * scale,
        "totFlux": -1.0, "totFluxErr": 1.0,
    }  # fmt: skip


def _old_source(source: Mapping[str, Any], scale: float) -> Packet:
    place = {key: source[name] for key, name in (("diaSourceId", "diaSourceId"), ("ra", "ra"), ("decl", "dec"))}
    return _old_point(source, scale) | place | {"snr": source["snr"]}


def _nulls(row: Mapping[str, Any]) -> Packet:
    """Replace NaN, the only value that differs from itself."""
    return {key: value if value == value else None for key, value in row.items()}  # noqa: PLR0124


def _lite(sources: Sequence[Packet], forced: Sequence[Packet]) -> Packet:
    return {
        "diaSourcesList": [{key: source[key] for key in LITE_SOURCE} for source in sources],
        "diaForcedSourcesList": [{key: point[key] for key in LITE_FORCED} for point in forced],
    }


def _full(known: Packet, sources: Sequence[Packet], forced: Sequence[Packet]) -> Packet:
    return {
        "diaObject": _declined(known, FULL_OBJECT),
        "diaSourcesList": [_declined(source, FULL_SOURCE) for source in sources],
        "diaForcedSourcesList": [_declined(point, FULL_FORCED) for point in forced],
        "diaNondetectionLimitsList": [],
        "ebv": None,
    }


def _declined(row: Mapping[str, Any], keys: Sequence[str]) -> Packet:
    """Rename ``dec`` to ``decl``, as Lasair does everywhere."""
    return {key: row[key] for key in keys if key != "dec"} | {"decl": row["dec"]}


def _magnitude(flux: float) -> float:
    """Turn a positive flux [nJy] into an AB magnitude."""
    return AB_ZERO_POINT - 2.5 * math.log10(max(flux, 1e-9))


def _point(source: Mapping[str, Any]) -> Packet:
    measured = {name: source[name] for name in ("psfFlux", "psfFluxErr", "band")}
    return {"jd": source["midpointMjdTai"] - TAI_AHEAD + MJD_ZERO} | measured


def _letters(number: int) -> str:
    """Write a number in seven letters."""
    made = ""
    for _ in range(7):
        number, letter = divmod(number, 26)
        made = chr(ord("a") + letter) + made
    return made
