"""
True classes: the taxonomy of ELAsTiCC, and what other catalogues call the same. No input or output here.

Class ids are those of ELAsTiCC2 and FASTDB, four digits. The lowest digit that is not zero says how specific a class
is: 2222 (SN Ia) is within 2220 (SN-like), within 2200 (Non-Recurring), within 2000 (Variable). Sources: taxonomy.ipynb
in LSSTDESC/elasticc; in LSSTDESC/tom_desc the migrations elasticc/0019 (the ids of 2022) and elasticc2/0016 (types of
the simulation).
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

Kind = Literal["gentype", "class id", "text", "plasticc"]
"""What a class is given as: a type of the simulation, an id of either taxonomy, words, or a target of PLAsTiCC."""


@dataclass(frozen=True)
class TrueClass:
    """
    A class of the taxonomy.

    Attributes
    ----------
    class_id
        Four digits, except for Meta.
    name
        As people say it: "SN Ia" where the taxonomy has "Ia".
    old_id
        In ELAsTiCC1, up to three digits; None: it had no such class.
    """

    class_id: int
    name: str
    old_id: int | None

    @property
    def ancestors(self) -> tuple["TrueClass", ...]:
        """
        The classes that it is within, the nearest first.

        >>> [each.name for each in BY_ID[2222].ancestors]
        ['SN-like', 'Non-Recurring', 'Variable']
        """
        ids = [self.class_id - self.class_id % 10**power for power in (1, 2, 3)]
        return tuple(BY_ID[class_id] for class_id in dict.fromkeys(ids) if class_id != self.class_id)

    def is_within(self, other: "TrueClass") -> bool:
        """Tell whether it is another class, or part of it."""
        return other == self or other in self.ancestors


TAXONOMY: Final = tuple(
    TrueClass(*row)
    for row in (
        (0, "Meta", None),
        (100, "Meta/Other", None),
        (200, "Residual", None),
        (300, "NotClassified", None),
        (1000, "Static", None),
        (1100, "Static/Other", 0),
        (2000, "Variable", None),
        (2100, "Variable/Other", None),
        (2200, "Non-Recurring", 1),
        (2210, "Non-Recurring/Other", 10),
        (2220, "SN-like", 11),
        (2221, "SN-like/Other", 110),
        (2222, "SN Ia", 111),
        (2223, "SN Ib/c", 112),
        (2224, "SN II", 113),
        (2225, "SN Iax", 114),
        (2226, "SN Ia-91bg", 115),
        (2230, "Fast", 12),
        (2231, "Fast/Other", 120),
        (2232, "KN", 121),
        (2233, "M-dwarf Flare", 122),
        (2234, "Dwarf Nova", 123),
        (2235, "uLens", 124),
        (2240, "Long", 13),
        (2241, "Long/Other", 130),
        (2242, "SLSN", 131),
        (2243, "TDE", 132),
        (2244, "ILOT", 133),
        (2245, "CART", 134),
        (2246, "PISN", 135),
        (2300, "Recurring", 2),
        (2310, "Recurring/Other", 20),
        (2320, "Periodic", 21),
        (2321, "Periodic/Other", 210),
        (2322, "Cepheid", 211),
        (2323, "RR Lyrae", 212),
        (2324, "Delta Scuti", 213),
        (2325, "EB", 214),
        (2326, "LPV/Mira", 215),
        (2330, "Non-Periodic", 22),
        (2331, "Non-Periodic/Other", 220),
        (2332, "AGN", 221),
    )
)

BY_ID: Final = {known_class.class_id: known_class for known_class in TAXONOMY}
BY_OLD_ID: Final = {known_class.old_id: known_class for known_class in TAXONOMY if known_class.old_id is not None}

NO_CLASS_OF_PISN: Final = "a PISN model to which ELAsTiCC's map gives no class"
NO_CLASS_OF_LENSED: Final = "a lensed supernova, to which ELAsTiCC's map gives no class"

GENTYPES: Final[dict[int, tuple[str, int | str]]] = {
    10: ("SNIa-SALT2", 2222),
    11: ("SNIa-91bg", 2226),
    12: ("SNIax", 2225),
    20: ("SNIb-Templates", 2223),
    21: ("SNIb+HostXT_V19", 2223),
    25: ("SNIc-Templates", 2223),
    26: ("SNIc+HostXT_V19", 2223),
    27: ("SNIcBL+HostXT_V19", 2223),
    30: ("SNII-NMF", 2224),
    31: ("SNII-Templates", 2224),
    32: ("SNII+HostXT_V19", 2224),
    35: ("SNIIn-MOSFIT", 2224),
    36: ("SNIIn+HostXT_V19", 2224),
    37: ("SNIIb+HostXT_V19", 2224),
    40: ("SLSN-I", 2242),
    42: ("TDE", 2243),
    45: ("ILOT", 2244),
    46: ("CART", 2245),
    50: ("KN_K17", 2232),
    51: ("KN_B19", 2232),
    57: ("PISN-STELLA-HECORE", NO_CLASS_OF_PISN),
    58: ("PISN-STELLA-HYDROGENIC", NO_CLASS_OF_PISN),
    59: ("PISN-MOSFIT", 2246),
    60: ("AGN", 2332),
    71: ("SL-SNIa", NO_CLASS_OF_LENSED),
    72: ("SL-SNII+HostXT_V19", NO_CLASS_OF_LENSED),
    73: ("SL-SNIb+HostXT_V19", NO_CLASS_OF_LENSED),
    74: ("SL-SNIc+HostXT_V19", NO_CLASS_OF_LENSED),
    80: ("RRL", 2323),
    82: ("Mdwarf-flare", 2233),
    83: ("EB", 2325),
    84: ("dwarf-nova", 2234),
    87: ("uLens-Single_PyLIMA", 2235),
    88: ("uLens-Single-GenLens", 2235),
    89: ("uLens-Binary", 2235),
    90: ("Cepheid", 2322),
    91: ("d-Sct", 2324),
    98: ("Techno-sig", "a technosignature, to which ELAsTiCC's map gives no class"),
}
"""GENTYPE of the simulation: name of its model, and class id or why there is none (elasticc_origmap.txt)."""

PLASTICC: Final = {
    6: 2235, 15: 2243, 16: 2325, 42: 2224, 52: 2225, 53: 2326, 62: 2223, 64: 2232, 65: 2233, 67: 2226, 88: 2332,
    90: 2222, 92: 2323, 95: 2242, 991: 2235, 992: 2244, 993: 2245, 994: 2246, 995: 2235,
}  # fmt: skip
"""Targets of PLAsTiCC (Malz et al. 2019; Kessler et al. 2019, table 1), and class ids."""

WORDS: Final[dict[int, tuple[str, ...]]] = {
    100: ("other",),
    1000: ("Galaxy", "Star"),
    2220: ("SN", "supernova", "SN I"),
    2222: ("Ia", "SN Ia-norm", "SN Ia-91T", "SN Ia-99aa", "SN Ia-pec", "SN Ia-CSM", "SN Ia-SC", "SN Ia-03fg"),
    2223: (
        *("Ib", "Ic", "Ib/c", "Ibc", "SN Ib", "SN Ic", "SN Ibc", "SN Ib-pec", "SN Ic-pec", "SN Ic-BL", "SN Ibn"),
        *("SN Icn", "SN Ibn/Icn", "SN Ien"),
    ),
    2224: ("II", "SN IIP", "SN IIL", "SN IIn", "SN IIb", "SN II-pec", "SN IIn-pec", "SN IIb-pec", "SN II-norm"),
    2225: ("Iax", "SN Ia-02cx", "SN Iax[02cx-like]"),
    2226: ("91bg", "SN 91bg"),
    2231: ("nova", "FBOT"),
    2232: ("kilonova",),
    2233: ("M dwarf", "M dwarf flare", "Mdwarf-flare"),
    2234: ("CV", "dwarf novae"),
    2235: ("microlensing", "mu-lens"),
    2242: ("SLSN-I", "SLSN-II", "SLSN-R"),
    2243: ("TDE-H", "TDE-He", "TDE-H-He", "TDE-featureless"),
    2244: ("LBV", "ILRT", "LRN", "Impostor-SN"),
    2245: ("Ca-rich", "SN Ib-Ca-rich", "SN Ib/c-Ca-rich", "SN Ia-Ca-rich", "SN Ic-Ca-rich"),
    2300: ("Varstar", "VS"),
    2322: ("Ceph",),
    2323: ("RRL", "RR Lyr"),
    2324: ("d-Sct", "dSct"),
    2325: ("eclipsing binary",),
    2326: ("LPV", "Mira"),
    2332: ("QSO", "blazar", "BL Lac", "Seyfert"),
}
"""What TNS, BTS and people write, beside the names of the taxonomy. ILRT, LRN and eruptions of LBV are ILOTs."""

SUPERNOVAE: Final = ("SN-like", "SLSN", "CART", "PISN")
"""Names of the classes that are supernovae: the taxonomy has some of them among the long transients."""

UNKNOWN: Final = frozenset({"", "-", "nan", "none", "null", "unknown", "unclassified", "at"})
"""What stands for no class."""


def is_supernova(which: TrueClass) -> bool:
    """
    Tell whether a class is one of supernovae, of any type.

    >>> is_supernova(BY_ID[2222]), is_supernova(BY_ID[2242]), is_supernova(BY_ID[2243])
    (True, True, False)
    """
    return any(which.is_within(class_named(name)) for name in SUPERNOVAE)


def class_named(name: str) -> TrueClass:
    """
    Find a class by its name, or by what TNS, BTS or the simulation calls it.

    Raises
    ------
    ValueError
        If no class is called so.

    >>> class_named("SN Ia-91bg-like").class_id, class_named("snia").class_id, class_named("SN IIP").name
    (2226, 2222, 'SN II')
    """
    found = _names().get(_bare(name))
    if found is None or name.strip().endswith("?"):
        raise ValueError(
            f"{name}: no class is called so; there are: {', '.join(known_class.name for known_class in TAXONOMY)}"
        )
    return found


def class_of(given: str, kind: Kind) -> TrueClass:
    """
    Find the class of what a catalogue gives.

    Parameters
    ----------
    given, kind
        What stands there, and as what.

    Raises
    ------
    ValueError
        Why it has none.

    >>> class_of("10", "gentype").name, class_of("111", "class id").name, class_of("2222", "class id").name
    ('SN Ia', 'SN Ia', 'SN Ia')
    >>> class_of("57", "gentype")
    Traceback (most recent call last):
    ...
    ValueError: GENTYPE 57 is PISN-STELLA-HECORE, a PISN model to which ELAsTiCC's map gives no class
    """
    if given.strip().casefold() in UNKNOWN:
        raise ValueError("not classified")
    if kind == "text":
        if given.strip().endswith("?"):
            raise ValueError(f"{given} is uncertain")
        try:
            return class_named(given)
        except ValueError:
            raise ValueError(f"{given} is no class known here") from None
    number = whole_number(given)
    if number is None:
        raise ValueError(f"{given} is no {'GENTYPE' if kind == 'gentype' else 'class id'}")
    if kind == "plasticc":
        if number not in PLASTICC:
            raise ValueError(f"{given} is no target of PLAsTiCC")
        return BY_ID[PLASTICC[number]]
    if kind == "gentype":
        name, model = GENTYPES.get(number, ("", "not one of ELAsTiCC's"))
        if isinstance(model, str):
            raise ValueError(f"GENTYPE {number} is {name + ', ' if name else ''}{model}")
        return BY_ID[model]
    # The ids of 2022 end at 221, and 0 is theirs, since nothing is of the class Meta.
    found = BY_OLD_ID.get(number) or BY_ID.get(number)
    if found is None:
        raise ValueError(f"class id {number} is in neither taxonomy of ELAsTiCC")
    return found


def gentypes_of(known_class: TrueClass) -> tuple[int, ...]:
    """
    Give the types of the simulation that are of a class, or of one within it: the way back of `class_of`.

    >>> gentypes_of(class_named("SN II")), gentypes_of(class_named("SN-like"))[:4]
    ((30, 31, 32, 35, 36, 37), (10, 11, 12, 20))
    """
    known = ((gentype, found) for gentype, (_, found) in GENTYPES.items() if isinstance(found, int))
    return tuple(gentype for gentype, found in known if BY_ID[found].is_within(known_class))


def whole_number(text: str) -> int | None:
    """
    Read a whole number, as integers and floats are written; None for any other.

    >>> whole_number("10"), whole_number("10.0"), whole_number("SN Ia")
    (10, 10, None)
    """
    found = re.fullmatch(r"\s*(\d+)(?:\.0*)?\s*", text)
    return int(found[1]) if found else None


@cache
def _names() -> dict[str, TrueClass]:
    names = {_bare(known_class.name): known_class for known_class in TAXONOMY}
    models = {model: found for model, found in GENTYPES.values() if isinstance(found, int)}
    for name, class_id in models.items():
        names.setdefault(_bare(name), BY_ID[class_id])
    for class_id, words in WORDS.items():
        names |= {_bare(word): BY_ID[class_id] for word in words}
    return names


def _bare(name: str) -> str:
    """Leave the letters and digits of a name, without "-like" at its end where that only hedges."""
    bare = re.sub(r"[^a-z0-9]", "", name.casefold())
    return bare if bare == "snlike" else bare.removesuffix("like")
