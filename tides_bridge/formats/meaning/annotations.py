"""
What brokers say of an object beyond its light curve: scores, classes, matches with catalogues, redshifts, extinction.

Each field that is understood is a row of `FIELDS`, by its place in a message. What stands for "nothing known" is left
out: a cross-match that failed or found nothing says nothing, and is no "no".
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

Value = float | str

FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "fink": {  # of ZTF, and then of Rubin
        "rf_snia_vs_nonia": "fink.rf_snia_vs_nonia",
        "snn_snia_vs_nonia": "fink.snn_snia_vs_nonia",
        "snn_sn_vs_all": "fink.snn_sn_vs_all",
        "rf_kn_vs_nonkn": "fink.rf_kn_vs_nonkn",
        "slsn_score": "fink.slsn_score",
        "finkclass": "fink.class",
        "cdsxmatch": "simbad.type",
        "tns": "tns.type",
        "tnsclass": "tns.type",
        "DR3Name": "gaia.name",
        "Plx": "gaia.parallax",
        "e_Plx": "gaia.parallax_error",
        "vsx": "vsx.type",
        "gcvs": "gcvs.type",
        "x3hsp": "x3hsp.type",
        "x4lac": "x4lac.type",
        "clf.snnSnVsOthers_score": "fink.snn_sn_vs_all",
        "clf.earlySNIa_score": "fink.early_snia",
        "clf.cats_class": "fink.cats_code",
        "clf.cats_score": "fink.cats_score",
        "xm.simbad_otype": "simbad.type",
        "xm.gaiadr3_DR3Name": "gaia.name",
        "xm.gaiadr3_Plx": "gaia.parallax",
        "xm.gaiadr3_e_Plx": "gaia.parallax_error",
        "xm.gaiadr3_VarFlag": "gaia.variable",
        "xm.legacydr8_zphot": "legacy.photometric_redshift",
        "xm.legacydr8_e_zphot": "legacy.photometric_redshift_error",
        "xm.legacydr8_pstar": "legacy.star",
        "xm.vsx_Type": "vsx.type",
        "xm.gcvs_type": "gcvs.type",
        "xm.x3hsp_type": "x3hsp.type",
        "xm.x4lac_type": "x4lac.type",
        "xm.spicy_class": "spicy.class",
        "xm.tns_fullname": "tns.name",
        "xm.tns_type": "tns.type",
        "xm.tns_redshift": "tns.redshift",
        "xm.mangrove_HyperLEDA_name": "mangrove.name",
        "xm.mangrove_lum_dist": "mangrove.distance",
    },
    "lasair": {  # columns that a filter selects, of Sherlock and of the TNS; then tables of whole answers
        "classification": "sherlock.class",
        "sherlock_classifications": "sherlock.class",
        "association_type": "sherlock.association",
        "catalogue_table_name": "sherlock.catalogue",
        "catalogue_object_id": "sherlock.host",
        "catalogue_object_type": "sherlock.host_type",
        "separationArcsec": "sherlock.host_separation",
        "physical_separation_kpc": "sherlock.host_separation_kpc",
        "classificationReliability": "sherlock.reliability",
        "z": "sherlock.spectroscopic_redshift",
        "photoZ": "sherlock.photometric_redshift",
        "photoZErr": "sherlock.photometric_redshift_error",
        "direct_distance": "sherlock.direct_distance",
        "raDeg": "sherlock.host_ra",
        "decDeg": "sherlock.host_dec",
        "Mag": "sherlock.host_magnitude",
        "MagFilter": "sherlock.host_band",
        "ebv": "lasair.ebv",
        "tns_name": "tns.name",
        "tns_prefix": "tns.prefix",
        "TNS.tns_name": "tns.name",
        "TNS.tns_prefix": "tns.prefix",
        "TNS.type": "tns.type",
        "TNS.z": "tns.redshift",
        "sherlock.classification": "sherlock.class",
        "sherlock.z": "sherlock.spectroscopic_redshift",
        "sherlock.photoZ": "sherlock.photometric_redshift",
        "sherlock.photoZErr": "sherlock.photometric_redshift_error",
        "sherlock.catalogue_object_id": "sherlock.host",
        "sherlock.catalogue_table_name": "sherlock.catalogue",
        "sherlock.catalogue_object_type": "sherlock.host_type",
        "sherlock.separationArcsec": "sherlock.host_separation",
        "sherlock.raDeg": "sherlock.host_ra",
        "sherlock.decDeg": "sherlock.host_dec",
        "sherlock.Mag": "sherlock.host_magnitude",
        "sherlock.MagFilter": "sherlock.host_band",
    },
    "elasticc": {  # in its packets, whoever sends them
        "diaObject.hostgal_ra": "elasticc.host_ra",
        "diaObject.hostgal_dec": "elasticc.host_dec",
        "diaObject.hostgal_mag_r": "elasticc.host_magnitude",
        "diaObject.hostgal_zspec": "elasticc.host_spectroscopic_redshift",
        "diaObject.hostgal_zphot": "elasticc.host_photometric_redshift",
        "diaObject.hostgal_zphot_err": "elasticc.host_photometric_redshift_error",
        "diaObject.hostgal2_ra": "elasticc.host2_ra",
        "diaObject.hostgal2_dec": "elasticc.host2_dec",
        "diaObject.hostgal2_mag_r": "elasticc.host2_magnitude",
        "diaObject.hostgal2_zspec": "elasticc.host2_spectroscopic_redshift",
        "diaObject.hostgal2_zphot": "elasticc.host2_photometric_redshift",
        "diaObject.hostgal2_zphot_err": "elasticc.host2_photometric_redshift_error",
    },
}
"""By broker and place in a message: what it is called here, source and name. Of two of one name the first counts."""

MARKS: Final[Mapping[str, frozenset[str]]] = {
    "fink": frozenset({"fink_broker_version", "fink_science_version", "clf", "snn_snia_vs_nonia", "cdsxmatch"})
}
"""Fields of which a message must have one to be of this broker: packets of others have some of the same names."""

WORDS: Final = frozenset({
    "fink.class", "simbad.type", "tns.type", "tns.name", "tns.prefix", "gaia.name", "vsx.type", "gcvs.type",
    "x3hsp.type", "x4lac.type", "spicy.class", "mangrove.name", "sherlock.class", "sherlock.association",
    "sherlock.catalogue", "sherlock.host", "sherlock.host_type", "sherlock.host_band", "spectrum.type",
})  # fmt: skip
"""Names of which words are kept; of the others numbers."""

UNITS: Final[Mapping[str, str]] = {
    "gaia.parallax": "mas",
    "gaia.parallax_error": "mas",
    "lasair.ebv": "mag",
    "mangrove.distance": "Mpc",
    "sherlock.direct_distance": "Mpc",
    **dict.fromkeys(("sherlock.host_ra", "sherlock.host_dec"), "deg"),
    **dict.fromkeys((f"elasticc.{which}_{axis}" for which in ("host", "host2") for axis in ("ra", "dec")), "deg"),
    "sherlock.host_separation": "arcsec",
    "sherlock.host_separation_kpc": "kpc",
}
"""Of numbers that have one, as their sources give them."""

SPECTRUM: Final = ("spectrum.type", "spectrum.confidence", "spectrum.redshift", "spectrum.redshift_error")
"""Of no broker: what people and pipelines make of spectra (`tides_bridge.targets.spectra.classes`)."""

NAMES: Final = {place: name for fields in FIELDS.values() for place, name in fields.items()} | {
    name: name for name in SPECTRUM
}

ROOTS: Final = frozenset(place.partition(".")[0] for place in FIELDS["fink"]) | MARKS["fink"]
"""The fields of Fink's packets in which annotations stand."""

TOPS: Final = frozenset(place.partition(".")[0] for fields in FIELDS.values() for place in fields) | ROOTS
"""The fields at the top of a record in which annotations stand, whoever made it."""

VERSIONS: Final[Mapping[str, str]] = {"fink": "fink_science_version"}
"""By source: the place of the version that has said it."""

NOTHING: Final = frozenset({"", "nan", "none", "null", "unknown", "fail", "failed", "n/a", "-"})
"""Words for "nothing known", in lower case: so Fink (fink-broker #1081), Lasair, and frames of pandas write it."""

PRESENT_IF_POSITIVE: Final = frozenset(
    name for name in NAMES.values() if name.endswith(("redshift", "error", "distance", "separation"))
)
"""Numbers of which 0 and less say "none", as Lasair's 0 of a missing redshift does."""

NOT_THERE: Final = frozenset((9.0, 999.0, 9999.0))
"""Of numbers of ELAsTiCC: with either sign these say "none"."""

SCORES: Final = frozenset(name for name in NAMES.values() if name.startswith("fink.") and name not in WORDS)
"""Numbers of which less than 0 says "not worked out"."""

NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""As a number may be written as text."""

LONGEST: Final = 200
"""[characters] Of a word that is kept."""

MOST: Final = 100
"""Annotations that one message may bring in lists, such as tags."""


FAMILIES: Final = re.compile(r"lasair\.[^.]+\..+|antares\.(tag|catalog)\..+|alerce\..+|classes\.[^.]+\..+")
"""Names that brokers make as they go along: of annotators, tags, catalogues and classes."""


def is_word(name: str) -> bool:
    """
    Tell whether words are kept under a name; numbers are under the others.

    Raises
    ------
    ValueError
        If there is no such name; says the nearest.

    >>> is_word("vsx.type"), is_word("fink.slsn_score"), is_word("lasair.needle.class")
    (True, False, True)
    """
    if name in WORDS or FAMILIES.fullmatch(name):
        return name in WORDS or (name.startswith("lasair.") and name.endswith(".class"))
    if name not in NAMES.values():
        near = difflib.get_close_matches(name, sorted(set(NAMES.values())), 1)
        raise ValueError(f"{name!r} is no annotation" + (f"; did you mean {near[0]}?" if near else ""))
    return False


def annotations_in(message: Mapping[str, Any], broker: str) -> dict[str, Value]:
    """
    Find what a message says of its object beyond the light curve.

    Parameters
    ----------
    message
        As it came, decoded.
    broker
        Whose names its fields have: ``fink``, ``lasair``, ``antares`` or ``alerce``.

    Returns
    -------
    dict
        By source and name, such as ``fink.snn_snia_vs_nonia``; see `FIELDS`. Of lists: Lasair's annotations as
        ``lasair.TOPIC.class`` and ``lasair.TOPIC.KEY`` for numbers of its ``classdict``, tags of ANTARES as
        ``antares.tag.NAME`` (1), catalogues with a match as ``antares.catalog.NAME`` (1), probabilities of ALeRCE as
        ``alerce.CLASS``.

    >>> annotations_in({"snn_snia_vs_nonia": 0.8, "cdsxmatch": "Unknown", "Plx": float("nan"), "vsx": "RRAB"}, "fink")
    {'fink.snn_snia_vs_nonia': 0.8, 'vsx.type': 'RRAB'}
    """
    found = _in_fields(message, "elasticc") if "diaObject" in message else {}
    if broker in MARKS and not MARKS[broker] & message.keys():
        return found
    found |= _in_fields(message, broker)
    for name, value in list(LISTS.get(broker, _nothing)(message))[:MOST]:
        called = _printable(name)
        if value is not None and not called.endswith("."):
            found.setdefault(called, value)
    version = _word(message.get(VERSIONS.get(broker, "")))
    return {**found, f"{broker}.version": version} if version is not None and found else found


def _in_fields(message: Mapping[str, Any], broker: str) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for place, name in FIELDS.get(broker, {}).items():
        if place.partition(".")[0] in message:
            value = _word(_at(message, place), name) if name in WORDS else _number(_at(message, place), name)
            if value is not None:
                found.setdefault(name, value)
    return found


def _at(message: Mapping[str, Any], place: str) -> Any:
    content: Any = message
    for key in place.split("."):
        content = content.get(key) if isinstance(content, Mapping) else None
    return content


def _number(content: object, name: str = "") -> float | None:
    """Read a number, also one that is written as text or alone in a list; None where it says nothing, or is none."""
    content = _alone(content)
    if isinstance(content, str) and NUMBER.fullmatch(content.strip()):
        content = float(content)
    if isinstance(content, bool) or not isinstance(content, int | float) or not abs(content) < 1e300:
        return None
    is_missing = (name in SCORES and content < 0) or (name in PRESENT_IF_POSITIVE and content <= 0)
    is_missing |= name.startswith("elasticc.") and abs(content) in NOT_THERE
    return None if is_missing else float(content)


def _alone(content: object) -> object:
    return content[0] if isinstance(content, list | tuple) and len(content) == 1 else content


def _word(content: object, name: str = "") -> str | None:
    """Read a word, or a name that is a number, also one alone in a list; None where it says nothing, or is none."""
    content = _alone(content)
    if name.endswith((".host", ".name")) and isinstance(content, int) and not isinstance(content, bool):
        return str(content)
    if not isinstance(content, str):
        return None
    word = _printable(content)
    word = word.removeprefix("(TNS) ") if name == "tns.type" else word  # as Fink's tnsclass has it
    return None if word.casefold() in NOTHING else word


def _printable(text: str) -> str:
    """Leave out what no database takes, as NUL and halves of letters, and what nobody can read."""
    return "".join(letter for letter in text.strip() if letter.isprintable())[:LONGEST].strip()


Named = Iterator[tuple[str, Value | None]]


def _of_lasair(message: Mapping[str, Any]) -> Named:
    annotations = message.get("annotations")
    if isinstance(annotations, Mapping):  # as in a whole alert: by annotator
        for entry in _rows(annotations.get("sherlock")):
            yield "sherlock.class", _word(entry.get("classification"))
    for entry in _rows(annotations):
        if topic := _word(entry.get("topic")):
            yield f"lasair.{topic}.class", _word(entry.get("classification"))
            numbers = entry.get("classdict")
            for key, number in numbers.items() if isinstance(numbers, Mapping) else ():
                yield f"lasair.{topic}.{key}", _number(number)


def _of_antares(message: Mapping[str, Any]) -> Named:
    for field, kind in (("tags", "tag"), ("catalogs", "catalog")):
        names = message.get(field)
        for name in names if isinstance(names, list) else ():
            if word := _word(name):
                yield f"antares.{kind}.{word}", 1.0


def _of_alerce(message: Mapping[str, Any]) -> Named:
    for table in (message.get("probabilities"), _at(message, "lc_classification.probabilities")):
        for key, number in table.items() if isinstance(table, Mapping) else ():
            yield f"alerce.{key}", _number(number)


def _nothing(_message: Mapping[str, Any]) -> Named:
    yield from ()


LISTS: Final = {"lasair": _of_lasair, "antares": _of_antares, "alerce": _of_alerce}
"""By broker: what reads the lists of its messages."""


def _rows(content: object) -> list[Mapping[str, Any]]:
    return [row for row in content if isinstance(row, Mapping)] if isinstance(content, list) else []
