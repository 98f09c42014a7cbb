"""The taxonomies of ELAsTiCC, and what others call the same."""

from pathlib import Path

import pytest

from tides_bridge.formats.meaning.taxonomy import (
    BY_ID,
    BY_OLD_ID,
    GENTYPES,
    SUPERNOVAE,
    TAXONOMY,
    WORDS,
    class_named,
    class_of,
    is_supernova,
    whole_number,
)

BTS_TYPES = {
    "SN Ia": "SN Ia",
    "SN Ia-91T": "SN Ia",
    "SN Ia-pec": "SN Ia",
    "SN Ia-CSM": "SN Ia",
    "SN Ia-91bg": "SN Ia-91bg",
    "SN Iax": "SN Iax",
    "SN II": "SN II",
    "SN IIP": "SN II",
    "SN IIn": "SN II",
    "SN IIb": "SN II",
    "SN II-pec": "SN II",
    "SN Ib": "SN Ib/c",
    "SN Ib-pec": "SN Ib/c",
    "SN Ib/c": "SN Ib/c",
    "SN Ic": "SN Ib/c",
    "SN Ic-BL": "SN Ib/c",
    "SN Ibn": "SN Ib/c",
    "SN Icn": "SN Ib/c",
    "SLSN-I": "SLSN",
    "SLSN-II": "SLSN",
    "TDE": "TDE",
    "Ca-rich": "CART",
    "LBV": "ILOT",
    "ILRT": "ILOT",
    "LRN": "ILOT",
    "nova": "Fast/Other",
    "other": "Meta/Other",
}
"""Every type in the catalogues of the Bright Transient Survey that there are here."""

TNS_TYPES = {
    "SN Ia-91T-like": "SN Ia",
    "SN Ia-91bg-like": "SN Ia-91bg",
    "SN Iax[02cx-like]": "SN Iax",
    "SN Ib-Ca-rich": "CART",
    "SN IIL": "SN II",
    "TDE-H-He": "TDE",
    "Kilonova": "KN",
    "QSO": "AGN",
    "CV": "Dwarf Nova",
    "M dwarf": "M-dwarf Flare",
}


def test_every_class_is_within_one_that_exists() -> None:
    assert len(BY_ID) == len({each.name for each in TAXONOMY}) == len(TAXONOMY) == 42
    for each in TAXONOMY:
        assert each.ancestors or each.class_id in {0, 1000, 2000}
    assert [each.class_id for each in BY_ID[2332].ancestors] == [2330, 2300, 2000]
    assert [each.class_id for each in BY_ID[200].ancestors] == [0]


def test_within_holds_for_a_class_itself_and_all_below_it() -> None:
    assert {each.class_id for each in TAXONOMY if each.is_within(BY_ID[2220])} == {2220, *range(2221, 2227)}
    assert {each.class_id for each in TAXONOMY if is_supernova(each)} == {2220, *range(2221, 2227), 2242, 2245, 2246}
    assert all(is_supernova(class_named(name)) for name in SUPERNOVAE)


def test_ids_of_both_taxonomies_lead_to_the_same_classes() -> None:
    assert len(BY_OLD_ID) == 35
    old = {"111": 2222, "112": 2223, "113": 2224, "114": 2225, "115": 2226, "121": 2232, "124": 2235, "131": 2242}
    old |= {"135": 2246, "0": 1100, "1": 2200, "11": 2220, "21": 2320, "211": 2322, "215": 2326, "221": 2332}
    for given, class_id in old.items():
        assert class_of(given, "class id") == class_of(str(class_id), "class id") == BY_ID[class_id]
    assert class_of("200", "class id").name == "Residual"


@pytest.mark.parametrize(
    ("class_id", "gentypes"),
    [
        (2222, [10]),
        (2223, [20, 21, 25, 26, 27]),
        (2224, [30, 31, 32, 35, 36, 37]),
        (2225, [12]),
        (2226, [11]),
        (2232, [50, 51]),
        (2235, [87, 88, 89]),
        (2242, [40]),
        (2243, [42]),
        (2246, [59]),
        (2332, [60]),
    ],
)
def test_the_types_of_the_simulation(class_id: int, gentypes: list[int]) -> None:
    assert [number for number, (_, found) in GENTYPES.items() if found == class_id] == gentypes
    assert all(class_of(str(number), "gentype") == BY_ID[class_id] for number in gentypes)
    assert class_of(f"{gentypes[0]}.0", "gentype") == BY_ID[class_id]


@pytest.mark.parametrize(
    ("given", "kind", "reason"),
    [
        ("57", "gentype", "GENTYPE 57 is PISN-STELLA-HECORE, a PISN model"),
        ("58", "gentype", "GENTYPE 58 is PISN-STELLA-HYDROGENIC, a PISN model"),
        ("71", "gentype", "a lensed supernova"),
        ("98", "gentype", "technosignature"),
        ("99", "gentype", "GENTYPE 99 is not one of ELAsTiCC's"),
        ("SN Ia", "gentype", "SN Ia is no GENTYPE"),
        ("9999", "class id", "in neither taxonomy"),
        ("2222.5", "class id", "is no class id"),
        ("SN Ia?", "text", "uncertain"),
        ("SN XYZ", "text", "SN XYZ is no class known here"),
        ("-", "text", "not classified"),
        ("", "gentype", "not classified"),
        ("nan", "class id", "not classified"),
    ],
)
def test_what_has_no_class_says_why(given: str, kind: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("?", r"\?")):
        class_of(given, kind)  # type: ignore[arg-type]


@pytest.mark.parametrize(("given", "name"), (BTS_TYPES | TNS_TYPES).items())
def test_types_of_bts_and_tns(given: str, name: str) -> None:
    assert class_of(given, "text").name == name
    assert class_of(f" {given.lower()} ", "text").name == name


def test_every_name_is_found_and_none_means_two_classes() -> None:
    for each in TAXONOMY:
        assert class_named(each.name) == each
    for class_id, words in WORDS.items():
        assert {class_named(word).class_id for word in words} == {class_id}
    for name, found in GENTYPES.values():
        if isinstance(found, int):
            assert class_named(name).class_id == found


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"SNIb/d: no class is called so; there are: .*SN Ib/c.*AGN"):
        class_named("SNIb/d")


def test_a_whole_number() -> None:
    assert [whole_number(text) for text in ("2222", " 10.0 ", "1e3", "10.5", "-1", "")] == [2222, 10] + [None] * 4


def test_every_type_of_the_real_catalogues_has_a_class(shared_data: Path) -> None:
    import pandas as pd

    types = set[str]()
    for file in (shared_data / "bts").glob("ZTF_BTS_*.csv"):
        types |= set(pd.read_csv(file, usecols=["type"], dtype=str).type)
    assert types == set(BTS_TYPES)


def test_every_model_of_the_simulation_is_known(shared_data: Path) -> None:
    lines = (shared_data / "elasticc/schema/elasticc_origmap.txt").read_text().splitlines()
    models = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    assert {int(number) for number, *_ in models} == set(GENTYPES)
    for number, name in models:
        assert name.startswith(GENTYPES[int(number)][0])
