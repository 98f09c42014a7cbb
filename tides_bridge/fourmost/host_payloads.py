"""What 4MOST should know of a host: a galaxy, which neither fades nor moves. No input or output here."""

from collections.abc import Mapping
from typing import Any

from tides_bridge.fourmost.known import LIMITS
from tides_bridge.lightcurves.photometry import jd_from_mjd
from tides_bridge.settings import Settings

Row = Mapping[str, Any]


def host_to_4most(row: Row, settings: Settings) -> dict[str, Any]:
    """
    Make the payload of a host.

    Parameters
    ----------
    row
        Of ``fourmost/list_targets.sql``, with its ``host``.
    settings
        Its section ``hosts``, and what is said of all targets in ``fourmost``.

    Returns
    -------
    dict
        By column of 4MOST: magnitude and redshift are those of the galaxy; it is wanted since it was first.
    """
    options, own, host = settings.fourmost, settings.hosts, row["host"]
    payload = {
        "uploadedfor_survey_id": options.survey_id,
        "name": row["name"],
        "ra": row["ra"],
        "dec": row["decl"],
        "pmra": 0.0,
        "pmdec": 0.0,
        "epoch": options.epoch,
        "resolution": options.resolution,
        "subsurvey": own.subsurvey,
        "cadence": own.cadence,
        "template": own.template,
        "ruleset": own.ruleset,
        "extent_flag": own.extent_flag,
        "mag": host["mag"],
        "mag_type": host["mag_type"],
        "classification": own.classification,
        "date_earliest": jd_from_mjd(row["last_detection_mjd"]),
        "date_latest": own.date_latest,
        "t_exp_d": own.exposure_times.d,
        "t_exp_g": own.exposure_times.g,
        "t_exp_b": own.exposure_times.b,
        "t_exp_s": own.exposure_times.s,
        "is_active": True,
    }
    return payload | _redshift(host)


def _redshift(host: Row) -> dict[str, float]:
    """Give what the format allows of the redshift, and its error if that came with it."""
    known = {"redshift_estimate": host["redshift"], "redshift_error": host["redshift_error"]}
    low, high = LIMITS["redshift_estimate"]
    if known["redshift_estimate"] is None or not low <= known["redshift_estimate"] <= high:
        return {}
    error_low, error_high = LIMITS["redshift_error"]
    error = known["redshift_error"]
    is_known = error is not None and error_low <= error <= error_high
    return {name: round(value, 4) for name, value in known.items() if name == "redshift_estimate" or is_known}
