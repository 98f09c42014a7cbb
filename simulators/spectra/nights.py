"""
A night at 4MOST: which of our ingested targets get a fibre, how good their spectra are, and the files of it.

Everything follows from the rows at 4MOST, the night and the seed. A field is as wide as in TiDES' software, and of its
fibres some thirty are for TiDES; it is pointed at where most targets are that had no turn yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from simulators.spectra.mec_files import WAY, Fibre, MecFile, write_mec
from tides_bridge.lightcurves.photometry import time_from_mjd

FIELD_DEG: Final = 1.15
"""[deg] Radius of a field."""

FIBRES: Final = 30
"""For TiDES in a field."""

EXPOSURE_MINUTES: Final = 38.0
"""As TiDES asks for in dark sky."""

USUAL_SNR: Final = 5.6
"""S/N that goes with 22 mag in dark sky: 5 after 38 minutes, which D3.3.4's exposure times are for."""

DARK_SKY, BRIGHT_SKY = 20.9, 18.9
"""[mag/arcsec2] Of the sky at new and at full moon."""

LUNATION: Final = 29.53
"""[d]"""

NEW_MOON: Final = 61028.06
"""[MJD]"""

STRANGERS: Final = 2
"""Spectra of others in a field, with the trap of this name."""

OF_NIGHT: Final = {
    "stacks": "a second row of each object, of the spectra put together",
    "strangers": "spectra that are of none of our targets",
    "no-spectrum": "rows with SPECUID -1",
    "no-uid": "OBJ_UID is -1, or one that nobody knows",
    "redelivered": "each file comes once more, by newer software, in another file",
    "half-written": "the last file is cut off",
    "broken": "a file that is no FITS",
}
"""Traps of a night, beside those of a file."""

TRAPS: Final[Mapping[str, str]] = WAY | OF_NIGHT
"""All of them, with what each is."""


@dataclass(frozen=True)
class NightPlan:
    """
    A night that is to be observed.

    Attributes
    ----------
    mjd
        [d] Of the day on which it begins.
    seed
        Of weather and noise.
    fields
        So many at most.
    traps
        Names of `TRAPS`.
    pixels
        Of each spectrum.
    """

    mjd: int
    seed: int = 1
    fields: int = 12
    traps: frozenset[str] = frozenset()
    pixels: int = 200

    @property
    def name(self) -> str:
        """As its folder is called, such as 20261129."""
        return f"{time_from_mjd(self.mjd):%Y%m%d}"


class Observed(NamedTuple):
    """What was written: files, and by name the S/N of each target that got a spectrum."""

    files: list[Path]
    snr: dict[str, float]


def observe_night(rows: Sequence[Mapping[str, Any]], plan: NightPlan, folder: Path) -> Observed:
    """
    Observe a night, and write the files of it.

    Parameters
    ----------
    rows
        At 4MOST: those that are ingested and active are observed.
    plan
        Of the night.
    folder
        Of the deliveries; the night has a folder in it.
    """
    targets = sorted((row for row in rows if row["is_active"] and row["date_ingested"]), key=lambda row: row["id"])
    rng = np.random.default_rng([plan.seed, plan.mjd])
    observed = Observed([], {})
    for number in range(1, plan.fields + 1):
        field = _best_field([row for row in targets if row["name"] not in observed.snr])
        if not field:
            break
        file = _field(number, field, plan, rng)
        observed.snr.update({row["name"]: round(fibre.snr, 2) for row, fibre in zip(field, file.fibres, strict=False)})
        observed.files.extend(_deliver(file, number, plan, folder / plan.name))
    if "half-written" in plan.traps and observed.files:
        last = observed.files[-1]
        last.write_bytes(last.read_bytes()[: last.stat().st_size * 2 // 3])
    if "broken" in plan.traps:
        broken = folder / plan.name / f"{plan.name}_broken.fits"
        broken.parent.mkdir(parents=True, exist_ok=True)
        broken.write_bytes(b"no FITS at all")
        observed.files.append(broken)
    return observed


def _best_field(targets: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Give those that lie together with most others: the brightest of them get the fibres."""
    if not targets:
        return []
    ra, dec = (np.radians([row[key] for row in targets]) for key in ("ra", "dec"))
    places = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)
    near: npt.NDArray[np.bool_] = places @ places.T >= np.cos(np.radians(FIELD_DEG))
    inside = [row for row, is_near in zip(targets, near[int(near.sum(axis=1).argmax())], strict=True) if is_near]
    return sorted(inside, key=lambda row: (row["mag"], row["id"]))[:FIBRES]


def _field(number: int, field: Sequence[Mapping[str, Any]], plan: NightPlan, rng: np.random.Generator) -> MecFile:
    """Expose a field: moon, clouds and seeing are the same for all in it."""
    moon = (1 - np.cos(2 * np.pi * (plan.mjd - NEW_MOON) / LUNATION)) / 2
    sky, seeing = DARK_SKY - (DARK_SKY - BRIGHT_SKY) * moon, float(rng.uniform(0.6, 1.4))
    clear = min(1.0, float(rng.lognormal(0, 0.5)))
    fibres = []
    for place, row in enumerate(field):
        star, night = 10 ** (0.4 * (22 - row["mag"])) * clear, 10 ** (0.4 * (DARK_SKY - sky))
        snr = USUAL_SNR * star / np.sqrt(star / 4 + night) / seeing * float(rng.lognormal(0, 0.1))
        uid, identifier = row["ostd_u_obj_id"], plan.mjd * 100_000 + number * 1000 + place
        fibres.append(Fibre(uid, row["name"], row["ra"], row["dec"], round(float(snr), 3), identifier, seeing, sky))
    begins = plan.mjd + 1.02 + 0.03 * number
    ob_id = plan.mjd * 100 + number
    return MecFile(begins, EXPOSURE_MINUTES * 60, ob_id, tuple(fibres), pixels=plan.pixels)


def _deliver(file: MecFile, number: int, plan: NightPlan, folder: Path) -> list[Path]:
    """Write the files of a field, with the traps of the night."""
    first = file.fibres[0]
    extra = []
    if "stacks" in plan.traps:
        extra += [replace(fibre, snr=1.4 * fibre.snr, spec_uid=fibre.spec_uid + 500) for fibre in file.fibres]
    if "strangers" in plan.traps:
        strange = replace(first, dec=-first.dec, spec_uid=first.spec_uid + 900)
        extra += [replace(strange, u_obj_id=10**15 + place, name=f"S{place}") for place in range(STRANGERS)]
    fibres = list(file.fibres)
    if "no-uid" in plan.traps:
        fibres = [replace(fibre, u_obj_id=(-1, 12345)[place % 2]) for place, fibre in enumerate(fibres)]
    if "no-spectrum" in plan.traps:
        fibres[-1] = replace(fibres[-1], spec_uid=-1)
    made = file.otherwise(*(plan.traps & WAY.keys()), fibres=(*fibres, *extra))
    paths = [folder / f"{plan.name}_LJ{number:02}.fits"]
    write_mec(made, paths[0])
    if "redelivered" in plan.traps:
        paths.append(folder / f"{plan.name}_LJ{number:02}_b.fits")
        write_mec(made.otherwise(software="QMOST L1 1.10.0"), paths[1])
    return paths
