"""What `tides_master` keeps of each light curve. No input or output here."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from tides_bridge.compiled import Floats, Integers, Mask, compiled
from tides_bridge.lightcurves.columns import LightCurves
from tides_bridge.lightcurves.photometry import BANDS

WHOLE = ("first_detection_mjd", "last_detection_mjd", "ra", "decl")


def summarise_light_curves(curves: LightCurves) -> pd.DataFrame:
    """
    Give what `tides_master` keeps of each object.

    Magnitudes are those of positive detections, as the magnitude of a fading is not the brightness of the source. First
    and last detection are the first and last positive one, or of any sign for an object that has none. Of detections at
    the same epoch the brightest is the latest; of equally bright ones the first is the brightest.

    Returns
    -------
    DataFrame
        Indexed by object id: n_detections, first_detection_mjd, last_detection_mjd [d, UTC], ra, decl [deg] of the last
        detection, and for each of the bands B: B_latest_mag, B_latest_mjd, B_brightest_mag, B_brightest_mjd. Objects
        without any detection are left out.
    """
    number = np.bincount(curves.object_index[curves.is_detection], minlength=len(curves))
    offsets, mjd, mag, is_detection = curves.offsets, curves.mjd, curves.magnitude, curves.is_detection
    whole = _of_all(offsets, mjd, mag, is_detection, curves.is_positive, curves.ra, curves.decl)
    positive = _of_bands(offsets, mjd, curves.band, mag, is_detection & curves.is_positive, len(BANDS))
    columns = {"n_detections": number} | dict(zip(WHOLE, whole.T, strict=True))
    for code, band in enumerate(BANDS):
        for which, (mag, mjd) in zip(("latest", "brightest"), positive[code], strict=True):
            columns |= {f"{band}_{which}_mag": mag, f"{band}_{which}_mjd": mjd}
    seen = np.flatnonzero(number)
    names = pd.Index([curves.object_ids[i] for i in seen.tolist()], name="object_id")
    return pd.DataFrame({name: values[seen] for name, values in columns.items()}, index=names)


@compiled
def _of_all(  # noqa: PLR0913, PLR0917
    offsets: Integers, mjd: Floats, mag: Floats, is_detection: Mask, is_positive: Mask, ra: Floats, decl: Floats
) -> Floats:
    """Give the (n, 4) columns of `WHOLE`: of the positive detections where there are any that know, else of all."""
    found = np.full((len(offsets) - 1, 4), np.nan)
    for i in range(len(offsets) - 1):
        for asks_positive in (False, True):
            latest = np.array([-1, -1])  # the points from which ra and decl are taken
            first, last = np.nan, np.nan
            for j in range(offsets[i], offsets[i + 1]):
                if not is_detection[j] or (asks_positive and not is_positive[j]):
                    continue
                first = mjd[j] if np.isnan(first) else first
                last = mjd[j]
                for k, known in enumerate((ra, decl)):
                    before = latest[k]
                    # Points of one epoch: those without a magnitude count as the latest, then the brightest.
                    if not np.isnan(known[j]) and (
                        before < 0
                        or mjd[j] > mjd[before]
                        or np.isnan(mag[j])
                        or (not np.isnan(mag[before]) and mag[j] <= mag[before])
                    ):
                        latest[k] = j
            if not np.isnan(first):
                found[i, 0], found[i, 1] = first, last
            for k, known in enumerate((ra, decl)):
                if latest[k] >= 0:
                    found[i, 2 + k] = known[latest[k]]
    return found


@compiled
def _of_bands(  # noqa: PLR0913, PLR0917
    offsets: Integers, mjd: Floats, band: npt.NDArray[np.int8], mag: Floats, is_counted: Mask, bands: int
) -> Floats:
    """Give (bands, 2, 2, n): of each band, the latest and the brightest, its magnitude and epoch."""
    found = np.full((bands, 2, 2, len(offsets) - 1), np.nan)
    for i in range(len(offsets) - 1):
        for j in range(offsets[i], offsets[i + 1]):
            if not is_counted[j] or band[j] < 0 or np.isnan(mag[j]):
                continue
            latest, brightest = found[band[j], 0], found[band[j], 1]
            if not (mjd[j] == latest[1, i] and mag[j] > latest[0, i]):
                latest[0, i], latest[1, i] = mag[j], mjd[j]
            if not mag[j] >= brightest[0, i]:
                brightest[0, i], brightest[1, i] = mag[j], mjd[j]
    return found
