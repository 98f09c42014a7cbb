"""Positions on the sky. No input or output here."""

import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Floats, Mask


def is_on_sky(ra: npt.ArrayLike, decl: npt.ArrayLike) -> Mask:
    """
    Tell which positions [deg] are some; right ascension may be written from -180, as ELAsTiCC does just west of 0.

    Parameters
    ----------
    ra, decl
        (n,) [deg]

    Returns
    -------
    (n,) bool
        False for NaN, and for the -999 that catalogues write for nothing.

    Examples
    --------
    >>> is_on_sky([0.0, 360.0, -0.1, -999.0, float("nan"), 10.0], [0.0, 90.0, 0.0, 0.0, 0.0, -90.5])
    array([ True,  True,  True, False, False, False])
    """
    ra, decl = np.asarray(ra, dtype=float), np.asarray(decl, dtype=float)
    return (ra >= -180) & (ra <= 360) & (decl >= -90) & (decl <= 90)


def right_ascension(ra: npt.ArrayLike) -> Floats:
    """
    Write right ascensions [deg] from 0 up to, and without, 360.

    Parameters
    ----------
    ra
        (n,) [deg] Any number of turns.

    Returns
    -------
    (n,) float
        [deg] A tiny negative number would round to 360, which is no right ascension: it becomes 0.

    Examples
    --------
    >>> right_ascension([-0.25, 360.0, -1e-20])
    array([359.75,   0.  ,   0.  ])
    """
    turned: Floats = np.asarray(ra, dtype=float) % 360
    return np.where(turned == 360, 0.0, turned)
