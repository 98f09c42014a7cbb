"""A place on the sky as people write it, and where others show it: links only, nothing is fetched."""

from typing import NamedTuple
from urllib.parse import quote


class SkyLink(NamedTuple):
    """A page of somebody else about a place."""

    name: str
    address: str


def sexagesimal(ra: float, decl: float) -> str:
    """
    Write a place in hours and degrees, to a hundredth of an arcsecond.

    Parameters
    ----------
    ra, decl
        [deg, ICRS]

    Examples
    --------
    >>> sexagesimal(10.5, -0.25), sexagesimal(359.9999999, 89.9999999)
    ('00:42:00.000 -00:15:00.00', '00:00:00.000 +90:00:00.00')
    """
    return f"{_parts(ra / 15 % 24, 3, 24)} {'-' if decl < 0 else '+'}{_parts(abs(decl), 2, 361)}"


def _parts(value: float, digits: int, turn: int) -> str:
    """Write a number in parts of sixty; it is rounded first, so that no part is 60."""
    units = round(value * 3600 * 10**digits) % (turn * 3600 * 10**digits)
    whole, fraction = divmod(units, 10**digits)
    minutes, seconds = divmod(whole, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}.{fraction:0{digits}d}"


def sky_links(ra: float, decl: float) -> list[SkyLink]:
    """
    List pages that show a place, or what is known near it.

    Parameters
    ----------
    ra, decl
        [deg, ICRS]

    Examples
    --------
    >>> sky_links(10.5, -20.25)[0].address
    'https://www.legacysurvey.org/viewer?ra=10.500000&dec=-20.250000&layer=ls-dr10&zoom=15&mark=10.500000,-20.250000'
    """
    place = f"{ra:.6f},{decl:.6f}"
    both = quote(f"{ra:.6f} {decl:+.6f}")
    at = f"ra={ra:.6f}&dec={decl:.6f}"
    return [
        SkyLink("Legacy Survey", f"https://www.legacysurvey.org/viewer?{at}&layer=ls-dr10&zoom=15&mark={place}"),
        SkyLink("Aladin", f"https://aladin.cds.unistra.fr/AladinLite/?target={both}&fov=0.05"),
        SkyLink("SIMBAD", f"https://simbad.cds.unistra.fr/simbad/sim-coo?Coord={both}&Radius=10&Radius.unit=arcsec"),
        SkyLink("NED", f"https://ned.ipac.caltech.edu/conesearch?coordinates={both}&radius=0.5"),
        SkyLink("TNS", f"https://www.wis-tns.org/search?ra={ra:.6f}&decl={decl:.6f}&radius=5&coords_unit=arcsec"),
    ]
