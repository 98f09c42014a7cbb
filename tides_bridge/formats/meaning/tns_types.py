"""
The types of the Transient Name Server, and which of them are no supernovae.

Compared with the copies of its list that two public programs have: HERMES of Las Cumbres Observatory and WISeREP's web
form. Not in either of these are SN Icn-pec, SLSN-I.5 and TDE-featureless: the last two are in what others make of it,
such as the list of the Bright Transient Survey. A type that is not here is told, and a person is asked about it.
"""

from typing import Final

SUPERNOVAE: Final = (
    "SN", "SN I", "SN I-faint", "SN I-rapid", "SN Ia", "SN Ia-91T-like", "SN Ia-91bg-like", "SN Ia-CSM",
    "SN Ia-Ca-rich", "SN Ia-SC", "SN Ia-pec", "SN Iax[02cx-like]", "SN Ib", "SN Ib-Ca-rich", "SN Ib-pec", "SN Ib/c",
    "SN Ib/c-Ca-rich", "SN Ibn", "SN Ibn/Icn", "SN Ic", "SN Ic-BL", "SN Ic-Ca-rich", "SN Ic-pec", "SN Icn",
    "SN Icn-pec", "SN Ien", "SN II", "SN II-pec", "SN IIL", "SN IIP", "SN IIb", "SN IIn", "SN IIn-pec", "SN-pec",
    "SLSN-I", "SLSN-I.5", "SLSN-II", "SLSN-R", "Computed-Ia", "Computed-IIP", "Computed-IIb", "Computed-PISN",
    "Computed-IIn",
)  # fmt: skip

OTHER_TRANSIENTS: Final = (
    "TDE", "TDE-H", "TDE-He", "TDE-H-He", "TDE-featureless", "Kilonova", "FBOT", "Gap", "Gap I", "Gap II", "ILRT",
    "LRN", "Impostor-SN", "Light-Echo", "Afterglow", "FRB", "Other",
)  # fmt: skip
"""Extragalactic, or not said: whether one is wanted is for people to say."""

NO_TRANSIENTS: Final = (
    "AGN", "Blazar", "CV", "Galaxy", "LBV", "M dwarf", "Nova", "QSO", "Std-spec", "Varstar", "WD", "WR", "WR-WC",
    "WR-WN", "WR-WO",
)  # fmt: skip
"""Stars, and nuclei of galaxies: no supernova for certain."""

TNS_TYPES: Final[tuple[str, ...]] = (*SUPERNOVAE, *OTHER_TRANSIENTS, *NO_TRANSIENTS)
