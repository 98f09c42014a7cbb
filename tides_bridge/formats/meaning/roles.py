"""Which column of a table is which, by its name, and what the file says of units, zero points and scales."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tides_bridge.formats.meaning import epochs
from tides_bridge.settings.yaml_blocks import read_header

NAMES: Final = {
    "object_id": ("objectid", "object_id", "diaobjectid", "dia_object_id", "oid", "objid", "snid"),
    **epochs.NAMES,
    "band": ("band", "filter", "filtername", "filter_name", "band_name", "bandpass", "filtercode"),
    "passband": ("passband",),
    "fid": ("fid",),
    "magnitude": ("mag", "magpsf", "magnitude", "psfmag", "mag_psf", "abmag"),
    "magnitude_error": (
        "magerr", "mag_err", "sigmapsf", "magnitude_error", "magnitude_err", "mag_error", "magerror", "e_mag", "dmag",
        "mag_unc", "emag",
    ),
    "flux_njy": ("psfflux",),
    "flux_njy_error": ("psffluxerr",),
    "flux": ("flux", "psflux", "fluxcal", "diff_flux", "difference_flux"),
    "flux_error": (
        "fluxerr", "flux_err", "psfluxerr", "flux_error", "fluxcalerr", "fluxerror", "e_flux", "flux_unc", "dflux",
        "diff_flux_err", "difference_flux_error",
    ),
    "zero_point": (
        "zp", "zeropoint", "zero_point", "zpt", "zp_mag", "mag_zp", "magzp", "flux_zp", "photzp", "zeropt", "zero_pt",
        "zpmag", "zptmag", "zeropointmag", "zero_point_mag", "magzpt", "mag_zpt", "magzero", "zp_ab", "zp (ab)",
        "zpflux", "zp_flux", "fluxzp", "flux_zeropoint", "phot_zp", "zpdiff", "magzpsci",
    ),
    "system": (
        "zpsys", "zp_sys", "magsys", "mag_sys", "mag_system", "magsystem", "magnitude_system", "phot_system", "photsys",
        "photometric_system", "photsystem", "system",
    ),
    "unit": ("flux_unit", "flux_units", "fluxunit", "fluxunits", "unit_flux", "unit", "units"),
    "limiting_magnitude": ("diffmaglim", "limiting_magnitude", "limiting_mag", "limmag", "maglim", "mag_lim"),
    "is_positive": ("isdiffpos",),
    "is_detection": ("is_detection", "detected", "detected_bool"),
    "is_limit": (
        "upperlimit", "upper_limit", "is_upper_limit", "isupperlimit", "uplim", "is_uplim", "is_limit", "islimit",
        "nondetection", "non_detection", "non-detection", "is_nondetection", "l_mag", "magrel",
    ),
    "is_forced": ("forced", "is_forced", "isforced", "forced_photometry", "is_forced_photometry"),
    "photflag": ("photflag",),
    "tag": ("d:tag",),
    "catflags": ("catflags",),
    "night": ("nid", "night"),
    "survey": ("survey", "telescope", "observatory", "facility", "instrument"),
    "source_id": ("candid", "diasourceid", "source_id", "dia_source_id"),
    "reliability": ("reliability", "drb"),
    "older_reliability": ("rb",),
    "ra": (
        "ra", "ra_deg", "radeg", "raj2000", "ra_j2000", "_raj2000", "ra_icrs", "ra2000", "right_ascension",
        "rightascension", "right ascension", "alpha_j2000", "ramean", "meanra", "mean_ra", "ra_mean", "object_ra",
        "objra", "obj_ra",
    ),
    "decl": (
        "dec", "decl", "dec_deg", "decdeg", "dedeg", "de_deg", "dej2000", "decj2000", "dec_j2000", "decl_j2000",
        "_dej2000", "dec_icrs", "de_icrs", "dec2000", "declination", "delta_j2000", "decmean", "meandec", "mean_dec",
        "dec_mean", "object_dec", "objdec", "obj_dec",
    ),
    "ebv": ("ebv", "mwebv", "e_bv", "ebmv", "e(b-v)", "mw_ebv", "ebv_mw", "ebv_sfd", "sfd_ebv", "ebv_gal"),
    "ssdistnr": ("ssdistnr",),
    "ss_object": ("ssobjectid",),
    "sgscore1": ("sgscore1",),
    "distpsnr1": ("distpsnr1",),
    "jdstarthist": ("jdstarthist",),
    "first_seen": ("first_seen_mjd",),
    "solar_system": ("solar_system",),
    "point_source": ("point_source",),
    "known_variable": ("known_variable",),
    "sherlock_class": ("sherlock_class", "sherlock_classification", "sherlock", "classification"),
}  # fmt: skip
"""What columns may be called, in small letters and without unit, best first."""

TEXT: Final = (
    "object_id", "band", "passband", "fid", "is_positive", "is_detection", "is_limit", "is_forced", "tag", "system",
    "unit", "survey", "ss_object", "sherlock_class"
)  # fmt: skip
WHOLE: Final = ("night", "source_id", "photflag", "catflags")
EPOCH_ROLES: Final = tuple(epochs.NAMES)
BRIGHTNESS: Final = ("magnitude", "flux", "flux_njy")
BAND_ROLES: Final = ("band", "passband", "fid")

NEEDED: Final = "objectId, mjd or jd, band or fid, and mag with magerr or flux with fluxerr"

POSITIVE: Final = ("t", "1", "true", "1.0", "y", "yes", "+", "positive")
"""What says yes, in small letters."""

NEGATIVE: Final = ("f", "0", "false", "0.0", "n", "no", "-", "negative", "-1", "-1.0", "")
"""What says no."""

LIMITS: Final = (*POSITIVE, ">", "<", "ul", "upper", "limit")
"""What says yes of a limit: the signs are those of CDS and of WISeREP."""

ZERO_POINT_LIKE: Final = re.compile(
    r"(?!.*(?:err|unc|rms|std|sig|scat|clr|col|sys|flag|n_|num))(?:.*[^a-z])?(?:(?:mag|flux|phot)?zp|zero_?p).*"
)
"""Names, in small letters, of what can only be a zero point, however it is called."""

ONE_THING: Final = (EPOCH_ROLES, BAND_ROLES, ("flux_njy", "flux"), ("flux_njy_error", "flux_error"))
"""Roles that say the same: of these the first that a table has is used."""

AGAIN: Final = "|"
"""What parts a role from the name of a further column that could have it."""

SEPARATORS: Final = b",;\t|"

UNIT: Final = re.compile(r"[_ ]?[(\[_ ](njy|ujy|mujy|µjy|mjy|jy|nmgy|mag|deg|d|day|days)[)\]]?(?=_|$)")
"""A unit within a name, with what is around it."""

SEPARATOR_TOLD: Final = re.compile(rb"sep=(.)\r?\n", re.IGNORECASE)
"""A first line by which Excel tells what parts the fields."""

DECIMALS: Final = {b",": re.compile(rb"[;\t|]-?\d+,\d+\s*[;\t|\n]"), b".": re.compile(rb"[;\t|]-?\d+\.\d+\s*[;\t|\n]")}

FAMILY: Final = re.compile(r"^[a-z]:")
"""Of Fink's portal: i: of ZTF, r: of Rubin, d: and f: Fink's own."""

RUBIN: Final = frozenset({"diaobjectid", "diasourceid", "psfflux", "midpointmjdtai", "midpointtai"})
ZTF: Final = frozenset({"fid", "nid", "isdiffpos", "magpsf", "diffmaglim"})
"""Names of columns that only that survey has."""


@dataclass(frozen=True)
class Layout:
    """
    What a table says of itself.

    Attributes
    ----------
    names
        Its columns.
    roles
        The column of each role that there is; of the epochs the best only. Empty if it is no table of points.
    separator, start
        Of a text: what parts its fields, and the byte at which its rows begin.
    has_commas
        Of a text: whether commas part whole numbers from decimals.
    units
        Of columns: what they are in, as the file says.
    facts
        Of the whole file, by name in small letters: ``zp``, ``zpsys``, ``timesys``, ``survey``.
    """

    names: tuple[str, ...]
    roles: dict[str, str]
    separator: str = ","
    start: int = 0
    has_commas: bool = False
    units: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def epoch_role(self) -> str:
        """Which of the epochs it has."""
        return next(role for role in EPOCH_ROLES if role in self.roles)

    @property
    def survey(self) -> str | None:
        """Whose it is by the names of its columns: ``ztf``, ``lsst``, or not known."""
        small = {_plain_name(name) for name in self.names} | {name.strip().lower() for name in self.names}
        return "lsst" if small & RUBIN else "ztf" if small & ZTF else None

    def fact(self, role: str) -> str:
        """Give what the file says under any name of a role; "" if nothing."""
        return next((self.facts[name] for name in NAMES[role] if name in self.facts), "")

    @property
    def zero_point_like(self) -> str:
        """The column or fact that seems to be the zero point of fluxes by a name that is not known; "" if none is."""
        names = [*self.unused(), *(name for name in self.facts if not role_named(name))]
        return next((name for name in names if ZERO_POINT_LIKE.fullmatch(name.strip().lower())), "")

    @property
    def rivals(self) -> dict[str, str]:
        """The columns that say again what one that is used says, by role, `AGAIN` and name."""
        used = {like(role): name for role, name in reversed(self.roles.items())}
        named = [(role_named(name), name) for name in dict.fromkeys(self.names)]
        return {f"{role}{AGAIN}{name}": name for role, name in named if used.get(like(role), name) != name}

    def used(self, role: str) -> str:
        """Give the role that is used of those that say the same as this one."""
        return next(known for known in self.roles if known in like(role))

    def unused(self) -> list[str]:
        """Give the columns that nobody understands."""
        return [name for name in self.names if not role_named(name)]


def like(role: str) -> tuple[str, ...]:
    """Give the roles that say the same as a role, itself among them."""
    return next((roles for roles in ONE_THING if role in roles), (role,))


def role_named(name: str) -> str:
    """Give the role of a column by its name; "" if it has none."""
    names = {_plain_name(name), name.strip().lower()}
    return next((role for role, known in NAMES.items() if names & set(known)), "")


def roles_of(names: Iterable[str]) -> dict[str, str]:
    """
    Tell which column plays which role; empty if it is no table of points.

    >>> roles_of(["objectId", "jd", "fid", "magpsf", "sigmapsf", "x"])["magnitude"]
    'magpsf'
    >>> roles_of(["objectId", "mjd", "band", "flux_uJy", "fluxerr_uJy"])["flux_error"]
    'fluxerr_uJy'
    """
    listed = list(names)
    small = {_plain_name(name): name for name in reversed(listed)} | {
        name.strip().lower(): name for name in reversed(listed)
    }
    roles = {role: small[name] for role, known in NAMES.items() for name in reversed(known) if name in small}
    has_all = "object_id" in roles and set(EPOCH_ROLES) & set(roles) and set(BRIGHTNESS) & set(roles)
    return roles if has_all and set(BAND_ROLES) & set(roles) else {}


def best_roles(names: Iterable[str]) -> dict[str, str]:
    """Give the roles with the best of the epochs only."""
    roles = roles_of(names)
    best = next((role for role in EPOCH_ROLES if role in roles), "")
    return {role: name for role, name in roles.items() if role not in EPOCH_ROLES or role == best}


def _plain_name(name: str) -> str:
    """Write a name in small letters, without unit, and without the letter of its family that Fink puts before it."""
    return UNIT.sub("", FAMILY.sub("", name.strip().lower()))


def layout_of_text(start: bytes) -> Layout:
    """Read the header of a text, the first line that is no comment; with what ECSV says in its comments."""
    at = 3 if start.startswith(b"\xef\xbb\xbf") else 0
    stated = SEPARATOR_TOLD.match(start, at)
    at = stated.end() if stated else at
    comments = []
    while start[at : at + 1] == b"#":
        end = start.find(b"\n", at)
        if end < 0:
            break
        comments.append(start[at + 1 : end].decode(errors="replace").rstrip("\r"))
        at = end + 1
    line, _, _ = start[at:].partition(b"\n")
    end = at + len(line) + 1
    is_ecsv = bool(comments) and comments[0].strip().startswith("%ECSV")
    first = line.strip()
    separators = SEPARATORS + b" " if is_ecsv else SEPARATORS
    separator = stated[1][0] if stated else max(separators, key=lambda byte: first.count(bytes([byte])))
    has_commas = separator != ord(",") and bool(
        DECIMALS[b","].search(start, end) and not DECIMALS[b"."].search(start, end)
    )
    try:
        text = first.decode()
    except UnicodeDecodeError:
        return Layout((), {})
    names = tuple(name.strip().strip('"') for name in text.split(chr(separator)))
    units, facts = _of_ecsv("\n".join(comment.removeprefix(" ") for comment in comments[1:])) if is_ecsv else ({}, {})
    return Layout(names, best_roles(names), chr(separator), end, has_commas, units, facts)


def layout_of_schema(schema: Any) -> Layout:
    """Read the schema of Parquet, or of another Arrow table, with what its metadata say, those of astropy, too."""
    names = tuple(schema.names)
    metadata = {key.decode(errors="replace"): value for key, value in (schema.metadata or {}).items()}
    units, facts = _of_ecsv(metadata.pop("table_meta_yaml", b"").decode(errors="replace"))
    for column in schema:
        for key, value in (column.metadata or {}).items():
            if key.decode(errors="replace").lower() in ("unit", "units"):
                units[column.name] = value.decode(errors="replace")
    for key, value in metadata.items():
        text = value.decode(errors="replace")
        if key == "pandas":
            facts |= _texts(json.loads(text).get("attributes") or {})
        elif text.startswith("{"):
            facts |= _of_json(text)
        elif len(text) <= 80:
            facts[key.lower()] = text.strip().strip('"')
    return Layout(names, best_roles(names), units=units, facts=facts)


def _of_ecsv(text: str) -> tuple[dict[str, str], dict[str, str]]:
    """Read the header of ECSV (astropy/astropy-APEs, APE 6): units by column, and the facts in its ``meta``."""
    header = read_header(text)
    if not isinstance(header, dict):
        return {}, {}
    columns = header.get("datatype")
    listed = [column for column in columns if isinstance(column, dict)] if isinstance(columns, list) else []
    units = {str(column["name"]): str(column["unit"]) for column in listed if column.get("unit") and "name" in column}
    meta = header.get("meta")
    pairs: dict[Any, Any] = {}
    for part in meta if isinstance(meta, list) else [meta]:
        pairs |= part if isinstance(part, dict) else {part[0]: part[1]} if isinstance(part, tuple) else {}
    return units, _texts(pairs)


def _of_json(text: str) -> dict[str, str]:
    """Read facts that programs keep together as one object of JSON; empty if it is none."""
    try:
        pairs = json.loads(text)
    except ValueError:
        return {}
    return _texts(pairs) if isinstance(pairs, dict) else {}


def _texts(pairs: Mapping[Any, Any]) -> dict[str, str]:
    return {str(key).lower(): str(value) for key, value in pairs.items() if isinstance(value, str | int | float)}
