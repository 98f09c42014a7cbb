"""
Light curves of many objects as columns, and the formulas of photometry, time and sky. No input or output here.

::

    columns       the light curves, and what is known of their objects
    order         the order of their points
    photometry    magnitudes, fluxes, bands, and the scales of time
    summaries     what `tides_master` keeps of a light curve
    stored        a light curve as bytes
    sky           positions
"""

from tides_bridge.lightcurves.columns import LightCurves, Objects

__all__ = ["LightCurves", "Objects"]
