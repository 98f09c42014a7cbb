"""
What brokers say of an object beyond its light curve: scores, classes, matches with catalogues, redshifts, extinction.

Each field that is understood is a row of `FIELDS`, by its place in a message. What stands for "nothing known" is left
out: a cross-match that failed or found nothing says nothing, and is no "no".
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

Value = float | str

FIELDS: Final[Mapping[str, str]] = {
    # Fink, of ZTF
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
    # Fink, of Rubin
    "clf.snnSnVsOthers_score": "fink.snn_sn_vs_all",
    "clf.earlySNIa_score": "fink.early_snia",
    "clf.cats_class": "fink.cats_class",
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
    # Lasair: columns of a filter, which come from Sherlock and its list of the TNS
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
}
"""By place in a message: what it is called here, source and name. Of two places of one name the first counts."""

ROOTS: Final = frozenset(place.partition(".")[0] for place in FIELDS) | {"tags", "probabilities", "lc_classification"}
"""The fields of a message in which annotations stand."""

VERSIONS: Final[Mapping[str, str]] = {"fink": "fink_science_version"}
"""By source: the place of the version that has said it."""

NOTHING: Final = frozenset({"", "nan", "none", "null", "unknown", "fail", "failed", "n/a", "-"})
"""Words for "nothing known", in lower case: so Fink (fink-broker #1081), Lasair, and frames of pandas write it."""

PRESENT_IF_POSITIVE: Final = frozenset(
    name
    for name in FIELDS.values()
    if name.endswith(("redshift", "error", "distance", "_separation", "host_separation"))
)
"""Numbers of which 0 and less say "none", as Lasair's 0 of a missing redshift does."""

SCORES: Final = frozenset(name for name in FIELDS.values() if name.startswith("fink.") and name != "fink.class")
"""Numbers of which less than 0 says "not worked out"."""

LONGEST: Final = 200
"""[characters] Of a word that is kept."""

MOST: Final = 100
"""Annotations that one message may bring in lists, such as tags."""


def annotations_in(message: Mapping[str, Any]) -> dict[str, Value]:
    """
    Find what a message says of its object beyond the light curve.

    Parameters
    ----------
    message
        As it came, decoded.

    Returns
    -------
    dict
        By source and name, such as ``fink.snn_snia_vs_nonia``; see `FIELDS`. Of lists: Lasair's annotations as
        ``lasair.TOPIC.class`` and ``lasair.TOPIC.KEY`` for numbers of its ``classdict``, tags of ANTARES as
        ``antares.tag.NAME`` (1), probabilities of ALeRCE as ``alerce.CLASS``.

    >>> annotations_in({"snn_snia_vs_nonia": 0.8, "cdsxmatch": "Unknown", "Plx": float("nan"), "vsx": "RRAB"})
    {'fink.snn_snia_vs_nonia': 0.8, 'vsx.type': 'RRAB'}
    """
    found: dict[str, Value] = {}
    for place, name in FIELDS.items():
        if place.partition(".")[0] in message:
            value = _value(name, _at(message, place))
            if value is not None:
                found.setdefault(name, value)
    for name, content in list(_listed(message))[:MOST]:
        value = _value(name, content)
        if value is not None:
            found.setdefault(name[:LONGEST], value)
    for source, place in VERSIONS.items():
        version = _value("", message.get(place))
        if version is not None and any(name.startswith(f"{source}.") for name in found):
            found[f"{source}.version"] = str(version)
    return found


def _at(message: Mapping[str, Any], place: str) -> Any:
    content: Any = message
    for key in place.split("."):
        content = content.get(key) if isinstance(content, Mapping) else None
    return content


def _value(name: str, content: object) -> Value | None:
    """Read a value; None where it says nothing, or is no number and no word."""
    if isinstance(content, bool):
        return float(content)
    if isinstance(content, int | float):
        number = float(content) if abs(content) < 1e300 else math.inf
        is_missing = (name in SCORES and number < 0) or (name in PRESENT_IF_POSITIVE and number <= 0)
        return number if math.isfinite(number) and not is_missing else None
    if not isinstance(content, str):
        return None
    word = "".join(letter for letter in content.strip() if letter.isprintable())[:LONGEST].strip()
    return None if word.casefold() in NOTHING else word


def _listed(message: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give what stands in lists and tables of a message, by what it is called here."""
    annotations = message.get("annotations")
    if isinstance(annotations, Mapping):  # as in a whole alert of Lasair: by annotator
        for entry in _rows(annotations.get("sherlock")):
            yield "sherlock.class", entry.get("classification")
    for entry in _rows(annotations):
        topic = _value("", entry.get("topic"))
        if topic is not None:
            yield f"lasair.{topic}.class", entry.get("classification")
            numbers = entry.get("classdict")
            for key, number in numbers.items() if isinstance(numbers, Mapping) else ():
                yield f"lasair.{topic}.{key}", number
    tags = message.get("tags")
    for tag in tags if isinstance(tags, Sequence) and not isinstance(tags, str) else ():
        if isinstance(tag, str):
            yield f"antares.tag.{tag}", 1.0
    for table in (message.get("probabilities"), _at(message, "lc_classification.probabilities")):
        for key, number in table.items() if isinstance(table, Mapping) else ():
            yield f"alerce.{key}", number


def _rows(content: object) -> list[Mapping[str, Any]]:
    return [row for row in content if isinstance(row, Mapping)] if isinstance(content, list) else []
