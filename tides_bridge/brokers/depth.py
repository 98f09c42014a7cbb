"""Whether the zero point of fluxes can be right, told by how deep their images would be."""

from tides_bridge.formats import DEPTHS, depth_of
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import AB_ZERO_POINT

OTHER_ZERO_POINTS = (27.5, AB_ZERO_POINT)
"""[mag] Zero points that psFlux has had: of SNANA's FLUXCAL, as in ELAsTiCC's first samples, and nJy, as streamed."""


def note_of_depth(curves: LightCurves, zero_point: float | None) -> str:
    """
    Tell when images are impossibly deep or shallow, so that the zero point of psFlux must be another; "" if not.

    Parameters
    ----------
    curves
        Read with the zero point.
    zero_point
        [mag] as set; None: 31.4.
    """
    depth, used = depth_of(curves), AB_ZERO_POINT if zero_point is None else zero_point
    if depth is None or DEPTHS[0] <= depth <= DEPTHS[1]:
        return ""
    seen = (
        f"the 5-sigma depth is {depth:.1f} mag, not within {DEPTHS[0]:g} and {DEPTHS[1]:g}: zeroPoint {used:g} is wrong"
    )
    for other in OTHER_ZERO_POINTS:
        if DEPTHS[0] <= depth + other - used <= DEPTHS[1]:
            off = used - other
            way = "faint" if off > 0 else "bright"
            return f"{seen}; with {other:g} it is {depth - off:.1f}. All magnitudes are {abs(off):.1f} mag too {way}"
    return seen
