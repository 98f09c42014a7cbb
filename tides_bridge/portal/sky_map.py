"""An all-sky map in the projection of Mollweide, as paths of SVG: north is up, east is left, 0 h in the middle."""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

import numpy as np

from tides_bridge.compiled import Floats, Mask

WIDTH, HEIGHT = 1000.0, 500.0
"""Of the map, in units of its SVG."""

NORTH_GALACTIC_POLE: Final = (192.85948, 27.12825)
"""[deg] Right ascension and declination, J2000 (Reid and Brunthaler 2004)."""

NORTH_ECLIPTIC_POLE: Final = (270.0, 90 - 23.4392911)
"""[deg] J2000 (IAU 1976 obliquity)."""

STEP: Final = 7.5
"""[deg] About the width of a cell; all cover about as much of the sky."""


FINE: Final = 2.5
"""[deg] Width of the cells of which a region is made."""


class Cell(NamedTuple):
    """
    A part of the sky.

    Attributes
    ----------
    ra_from, ra_to, dec_from, dec_to
        [deg]
    """

    ra_from: float
    ra_to: float
    dec_from: float
    dec_to: float


def mollweide(ra: Any, decl: Any) -> tuple[Floats, Floats]:
    """
    Project places.

    Parameters
    ----------
    ra, decl
        (n,) [deg]

    Returns
    -------
    tuple
        (n,) x from 0 to `WIDTH` and y from 0 to `HEIGHT`, downwards.

    Examples
    --------
    >>> [values.round(1).tolist() for values in mollweide([0, 90, 0, 0], [0, 0, 90, -90])]
    [[500.0, 250.0, 500.0, 500.0], [250.0, 250.0, 0.0, 500.0]]
    """
    latitude = np.radians(np.asarray(decl, dtype=float))
    angle = latitude.copy()
    for _ in range(50):  # Newton's method on 2 a + sin 2a = pi sin(latitude); slow only at the poles
        slope = 2 + 2 * np.cos(2 * angle)
        step = (2 * angle + np.sin(2 * angle) - np.pi * np.sin(latitude)) / np.where(slope < 1e-9, np.inf, slope)
        angle = np.clip(angle - step, -np.pi / 2, np.pi / 2)
        if np.all(np.abs(step) < 1e-6):
            break
    east = (np.asarray(ra, dtype=float) + 180) % 360 - 180
    return WIDTH / 2 * (1 - east / 180 * np.cos(angle)), HEIGHT / 2 * (1 - np.sin(angle))


def path_of(ra: Any, decl: Any) -> str:
    """
    Draw a line through places; it is broken where it goes round the edge of the map.

    Parameters
    ----------
    ra, decl
        (n,) [deg], near to each other.
    """
    x, y = mollweide(ra, decl)
    is_jump = np.abs(np.diff(x, prepend=x[:1])) > WIDTH / 3
    is_jump[0] = True
    return "".join(f"{'M' if jump else 'L'}{a:.1f} {b:.1f}" for a, b, jump in zip(x, y, is_jump, strict=True))


def great_circle(pole_ra: float, pole_decl: float) -> tuple[Floats, Floats]:
    """
    Give the places 90 degrees from a pole.

    Parameters
    ----------
    pole_ra, pole_decl
        [deg]

    Returns
    -------
    tuple
        (361,) right ascension and declination [deg].
    """
    ra, decl = np.radians(pole_ra), np.radians(pole_decl)
    first = np.array([-np.sin(ra), np.cos(ra), 0.0])
    second = np.array([-np.sin(decl) * np.cos(ra), -np.sin(decl) * np.sin(ra), np.cos(decl)])
    along = np.radians(np.arange(361.0))
    x, y, z = np.outer(first, np.cos(along)) + np.outer(second, np.sin(along))
    return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arcsin(np.clip(z, -1, 1)))


@cache
def lines() -> dict[str, str]:
    """Give the paths of the frame and its lines, by their names."""
    along = np.linspace(-179.999, 179.999, 361)
    up = np.linspace(-90, 90, 181)
    meridians = "".join(path_of(np.full(181, ra), up) for ra in range(-150, 180, 30))
    parallels = "".join(path_of(along, np.full(361, float(decl))) for decl in (-60, -30, 30, 60))
    edge = path_of(np.concatenate([np.full(181, 180.0), np.full(181, 179.999)]), np.concatenate([up, up[::-1]]))
    return {
        "edge": edge.replace("M", "L").replace("L", "M", 1) + "Z",
        "grid": meridians + parallels,
        "equator": path_of(along, np.zeros(361)),
        "ecliptic": path_of(*great_circle(*NORTH_ECLIPTIC_POLE)),
        "galactic": path_of(*great_circle(*NORTH_GALACTIC_POLE)),
    }


def shade_where(is_shaded: Callable[[Floats, Floats], Mask]) -> str:
    """
    Draw a part of the sky, by cells of `FINE` degrees: next to each other they are drawn as one.

    Parameters
    ----------
    is_shaded
        Tells of places, (n,) right ascension and (n,) declination [deg], whether they lie in it.
    """
    cells = [cell for band in range(round(180 / FINE)) for cell in _cells_of(band)]
    west, east, south, north = np.array(cells).T
    shaded = zip(cells, is_shaded((west + east) / 2, (south + north) / 2).tolist(), strict=True)
    path, open_pieces = "", dict[tuple[float, float], Cell]()
    for _, of_band in groupby(shaded, key=lambda pair: pair[0].dec_from):
        pieces = {}
        for is_in, run in groupby(of_band, key=itemgetter(1)):
            if is_in:
                found = [cell for cell, _ in run]
                piece = found[0]._replace(ra_to=found[-1].ra_to)
                below = open_pieces.pop(piece[:2], piece)
                pieces[piece[:2]] = piece._replace(dec_from=below.dec_from)
        path += "".join(map(outline, open_pieces.values()))
        open_pieces = pieces
    return path + "".join(map(outline, open_pieces.values()))


def _cells_of(band: int) -> Iterator[Cell]:
    for place in range(round(360 / cell_of(band, 0, FINE).ra_to)):
        cell = cell_of(band, place, FINE)
        yield cell._replace(ra_to=round(cell.ra_to, 9))


@cache
def outline(cell: Cell) -> str:
    """Draw the edge of a part of the sky; one that lies across the edge of the map comes in two pieces."""
    return "".join(_outline(piece) for piece in _pieces(cell))


def _pieces(cell: Cell) -> Iterator[Cell]:
    end = cell.ra_to if cell.ra_to > cell.ra_from else cell.ra_to + 360
    if cell.ra_from < 180 < end:
        yield cell._replace(ra_to=180)
        yield cell._replace(ra_from=180, ra_to=end)
    elif cell.ra_from < 540 < end:
        yield cell._replace(ra_to=540)
        yield cell._replace(ra_from=540, ra_to=end)
    else:
        yield cell._replace(ra_to=end)


def _outline(cell: Cell) -> str:
    number = max(2, round((cell.ra_to - cell.ra_from) / 4))
    # A little within: what lies on the edge of the map is at both ends of it.
    ra = np.linspace(cell.ra_from + 1e-4, cell.ra_to - 1e-4, number)
    up = np.linspace(cell.dec_from, cell.dec_to, max(6, round((cell.dec_to - cell.dec_from) / 2)))
    ras = np.concatenate([ra, np.full(len(up), ra[-1]), ra[::-1], np.full(len(up), ra[0])])
    decls = np.concatenate([np.full(number, cell.dec_from), up, np.full(number, cell.dec_to), up[::-1]])
    x, y = mollweide(ras, decls)
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True)) + "Z"


def cell_of(band: int, place: int, step: float = STEP) -> Cell:
    """
    Give a cell of the sky by the numbers that ``targets/bin_sky.sql`` gives it.

    Parameters
    ----------
    band, place
        From the south pole on, and from 0 h on.
    step
        [deg] Its height.

    >>> cell_of(12, 0)
    Cell(ra_from=0.0, ra_to=7.5, dec_from=0.0, dec_to=7.5)
    """
    south = -90 + band * step
    number = max(1, round(360 * float(np.cos(np.radians(south + step / 2))) / step))
    return Cell(360 / number * place, 360 / number * (place + 1), south, south + step)
