"""What `tides_master` keeps of each light curve. No input or output here."""

import pandas as pd

from tides_bridge.lightcurves.columns import LightCurves
from tides_bridge.lightcurves.photometry import BANDS


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
    points = pd.DataFrame(
        {
            "object_index": curves.object_index,
            "mjd": curves.mjd,
            "band": curves.band,
            "mag": curves.magnitude,
            "is_positive": curves.is_positive,
            "ra": curves.ra,
            "decl": curves.decl,
        }
    )[curves.is_detection].sort_values(["mjd", "mag"], ascending=[True, False])
    positive = points[points["is_positive"]]
    whole = _whole(points).join(_whole(positive).add_suffix("_positive"))
    summary = pd.DataFrame({"n_detections": whole["n"]})
    for column in ("first_detection_mjd", "last_detection_mjd", "ra", "decl"):
        summary[column] = whole[f"{column}_positive"].fillna(whole[column])
    for code, band in enumerate(BANDS):
        in_band = positive[(positive["band"] == code) & positive["mag"].notna()]
        latest = in_band.groupby("object_index").last()
        brightest = in_band.loc[in_band.groupby("object_index")["mag"].idxmin()].set_index("object_index")
        for which, rows in (("latest", latest), ("brightest", brightest)):
            summary[f"{band}_{which}_mag"], summary[f"{band}_{which}_mjd"] = rows["mag"], rows["mjd"]
    summary.index = pd.Index([curves.object_ids[i] for i in summary.index], name="object_id")
    return summary


def _whole(points: pd.DataFrame) -> pd.DataFrame:
    """Count the points of each object, with its first and last epoch and last position."""
    return points.groupby("object_index").agg(
        n=("mjd", "size"),
        first_detection_mjd=("mjd", "first"),
        last_detection_mjd=("mjd", "last"),
        ra=("ra", "last"),
        decl=("decl", "last"),
    )
