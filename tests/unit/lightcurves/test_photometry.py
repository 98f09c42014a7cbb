import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.curves import quick
from tides_bridge.lightcurves.photometry import (
    BANDS,
    MJD_ZERO,
    POGSON,
    POGSON_D333,
    ZTF_BANDS,
    jd_from_mjd,
    mjd_from_jd,
)


def test_bands_go_from_blue_to_red() -> None:
    assert BANDS == ("u", "g", "r", "i", "z", "y")
    assert ZTF_BANDS == {1: "g", 2: "r", 3: "i"}


def test_constants() -> None:
    assert (MJD_ZERO, POGSON_D333) == (2400000.5, 1.09)
    assert pytest.approx(2.5 / math.log(10), abs=5e-5) == POGSON


@quick
@given(st.floats(50000, 80000))
def test_epochs_survive_the_way_to_julian_dates_within_a_millisecond(mjd: float) -> None:
    assert abs(mjd_from_jd(jd_from_mjd(mjd)) - mjd) * 86400 < 1e-3


@pytest.mark.parametrize(("jd", "mjd"), [(2451545.0, 51544.5), (2440587.5, 40587.0), (2459945.5, 59945.0)])
def test_known_epochs(jd: float, mjd: float) -> None:
    assert mjd_from_jd(jd) == mjd
    assert jd_from_mjd(mjd) == jd
