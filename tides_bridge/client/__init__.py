"""
For notebooks: what the bridge knows as tables of astropy, from its portal or its database.

>>> from tides_bridge.client import Bridge
>>> bridge = Bridge("http://127.0.0.1:4280")
>>> bridge.targets("active = 'true' AND ra < 180")  # doctest: +SKIP

`Bridge` needs requests and astropy; with ``database=`` the settings of a bridge, too.
"""

from tides_bridge.client.bridge import Bridge
from tides_bridge.client.plots import draw_points

__all__ = ["Bridge", "draw_points"]
