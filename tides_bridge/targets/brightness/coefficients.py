"""What was fitted of supernovae, as a small file: mean light curves, how single ones differ, how often what occurs."""

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from tides_bridge.compiled import Floats
from tides_bridge.errors import SettingsError

SHIPPED: Final = Path(__file__).parent
"""Beside this file lie the coefficients that `tides brightness fit` made, one file a photometric system."""

STEP: Final = 1.5
"""[d] Of the grid of peak epochs; the mean light curves are tabulated in the same steps, so that one interpolation
serves all of them."""


DELAYS: Final = np.arange(-7.5, 76.0, STEP)
"""(d,) [d] from the first detection to the peak: what is tried."""

LEADS: Final = np.array([1.5, 3.75, 6.5, 10.0])
"""(4,) [d] from the last point to the epoch that is asked for."""


@dataclass(frozen=True, eq=False)
class Coefficients:
    """
    What the prediction knows of supernovae in one photometric system.

    Attributes
    ----------
    system
        LSST or ZTF.
    about
        What it was fitted on, in words.
    bands
        Letters of the bands that have a mean light curve.
    redshifts, phases
        (z,), (p,) grid; phases [d] after the peak, as seen by the observer.
    mean
        (6, z, p) [mag] fainter than the peak in r.
    peaks
        Polynomial: peak magnitude in r from the logarithm of the redshift, highest power first.
    numbers
        (z,) how often such a redshift is among those that are seen.
    delays
        (d,) how often the peak comes so long after the first detection, in the steps `DELAYS`.
    calibration
        (2, 4) by what the errors are multiplied so that they cover 68 %, before and after the peak, at `LEADS` after
        the last point.
    kernel
        How single supernovae differ from the mean: see `supernova.Kernel`.
    colours
        (6, 6, 2) [mag] magnitude in the first band minus that in the second in the same night, and its scatter; NaN
        where unknown.
    """

    system: str
    about: str
    bands: str
    redshifts: Floats
    phases: Floats
    mean: Floats
    peaks: Floats
    numbers: Floats
    delays: Floats
    calibration: Floats
    kernel: Floats
    colours: Floats

    @classmethod
    def load(cls, file: Path) -> "Coefficients":
        """
        Read a file that `save` wrote.

        Raises
        ------
        SettingsError
            If it is none.
        """
        try:
            content = orjson.loads(file.read_bytes())
            arrays: dict[str, Any] = {name: np.array(content[name], dtype=float) for name in ARRAYS}
            return cls(**{name: content[name] for name in ("system", "about", "bands")}, **arrays)
        except (OSError, ValueError, KeyError, TypeError) as error:
            problem = getattr(error, "strerror", None) or f"is no file of `tides brightness fit`: {error}"
            raise SettingsError(str(file), "", problem) from None

    def save(self, file: Path) -> None:
        """Write a file of text, one row of numbers a line, so that a change can be read."""
        lines = [f'"{name}": {orjson.dumps(getattr(self, name)).decode()}' for name in ("system", "about", "bands")]
        for name in ARRAYS:
            values = np.round(getattr(self, name), 4)
            text = orjson.dumps(values.tolist()).decode()
            lines.append(f'"{name}": {text}'.replace("],[", "],\n["))
        file.write_text("{\n" + ",\n".join(lines) + "\n}\n")


ARRAYS: Final = tuple(field.name for field in fields(Coefficients) if field.name not in ("system", "about", "bands"))


@cache
def shipped_coefficients(system: str) -> Coefficients:
    """Give the coefficients that come with the bridge, for LSST or ZTF."""
    return Coefficients.load(SHIPPED / f"{system.lower()}.json")
