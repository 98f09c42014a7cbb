"""What astronomers ask of the bridge, in the words they have for it."""

from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from astropy.coordinates import SkyCoord, angular_separation
from astropy.table import Row, Table, hstack
from astropy.units import Quantity, Unit

from tides_bridge.client.plots import draw_points
from tides_bridge.client.ways import DatabaseWay, PortalWay, Way
from tides_bridge.errors import RejectedError

MOST: Final = 1_000_000
"""Rows of an answer, where nothing else is wanted."""


class Bridge:
    """
    The bridge, asked through its portal or straight from its database.

    Parameters
    ----------
    url
        Of the portal.
    token
        Of a person, where the portal wants one.
    database
        Instead of a portal: settings of a bridge, or the name of their configuration, as ``devConfig``.

    Examples
    --------
    >>> bridge = Bridge("http://127.0.0.1:4280")
    >>> bridge.light_curve("TiDES26aaa").to_pandas()  # doctest: +SKIP
    """

    def __init__(self, url: str = "http://127.0.0.1:4280", token: str | None = None, *, database: Any = None) -> None:
        self._way: Way = PortalWay(url, token) if database is None else DatabaseWay(database)

    def adql(self, query: str, most: int = MOST) -> Table:
        """
        Carry out a query in ADQL over the tables of docs/vo.md.

        Parameters
        ----------
        query
            One ``SELECT``.
        most
            Rows; a warning tells if there are more.

        Raises
        ------
        RejectedError
            With what is wrong with it.
        TransientError
            If the portal or the database is away.
        """
        return self._way.ask(query, most)

    def targets(self, condition: str = "", most: int = MOST) -> Table:
        """
        List targets.

        Parameters
        ----------
        condition
            In ADQL, on columns of ``vo.targets``: ``"active = 'true' AND sherlock_class = 'SN'"``.
        most
            Rows.
        """
        return self._listed("vo.targets", condition, most)

    def target(self, name: str) -> Row:
        """
        Give one target.

        Parameters
        ----------
        name
            Its own, or that of an object of any survey.

        Raises
        ------
        RejectedError
            If no target is called so.
        """
        of_object = f"SELECT tides_id FROM vo.objects WHERE object_id = {_text(name)}"  # noqa: S608  # ADQL only reads
        found = self.targets(f"name = {_text(name)} OR tides_id IN ({of_object})")
        if not len(found):
            raise RejectedError(name, "no target is called so: why(name) tells what is known of an object that is none")
        return found[0]

    def objects(self, name: str) -> Table:
        """List the objects of surveys that a target is; of an object that is no target none."""
        try:
            return self._listed("vo.objects", f"tides_id = {self.target(name)['tides_id']}")
        except RejectedError:
            return self._listed("vo.objects", f"object_id = {_text(name)}")

    def light_curve(self, name: str) -> Table:
        """Give the points with which the objects of a target (or an object) were judged, in nJy."""
        return self._way.points(name)

    def plot(self, name: str) -> Any:
        """Draw the light curve of a target or an object; gives matplotlib's axes."""
        return draw_points(self.light_curve(name), name)

    def decisions(self, name: str, as_of: datetime | str | None = None) -> Table:
        """
        List the decisions on a target or an object, the oldest first.

        Parameters
        ----------
        name
            Of either.
        as_of
            Only what was known then (UTC); None for now.
        """
        then = f" AND decided_at <= {_text(_time(as_of))}" if as_of is not None else ""
        return self._listed("vo.record", f"{self._of_objects(name)}{then} ORDER BY decided_at, decision_id")

    def why(self, name: str) -> Table:
        """
        Give what the newest decision of each function on each object measured, a row a criterion.

        Parameters
        ----------
        name
            Of a target or an object.
        """
        decisions = self.decisions(name)
        newest = {(row["survey"], row["object_id"], row["function"]): int(row["decision_id"]) for row in decisions}
        numbers = ", ".join(map(str, newest.values())) or "-1"
        return self._listed("vo.criteria", f"{self._of_objects(name)} AND decision_id IN ({numbers})")

    def cone(self, centre: SkyCoord, radius: Quantity, most: int = MOST) -> Table:
        """
        List the targets in a circle.

        Parameters
        ----------
        centre
            Of the circle.
        radius
            An angle: ``1 * u.deg``.
        most
            Rows.
        """
        at, size = centre.icrs, float(Quantity(radius, Unit("deg")).value)
        circle = f"CIRCLE({at.ra.deg}, {at.dec.deg}, {size})"
        return self.targets(f"1 = CONTAINS(POINT(ra, decl), {circle})", most)

    def crossmatch(self, table: Table, radius: Quantity, ra: str = "ra", decl: str = "dec") -> Table:
        """
        Find the targets near the places of a table.

        Parameters
        ----------
        table
            With places in degrees, or with units.
        radius
            An angle.
        ra, decl
            Its columns.

        Returns
        -------
        Table
            A row a pair: the row of the table, then name, place and separation [arcsec] of the target.
        """
        found = self.adql("SELECT tides_id, name, ra, decl FROM vo.targets ORDER BY decl")
        here = [np.radians(Quantity(table[column], Unit("deg")).value) for column in (ra, decl)]
        ours = [np.radians(found[column].value) for column in ("ra", "decl")]
        size = float(Quantity(radius, Unit("rad")).value)
        pairs = [
            (row, int(at), separation)
            for row, place in enumerate(zip(*here, strict=True))
            for at, separation in _near(place, ours, size)
        ]
        matched = hstack(
            [table[[row for row, *_ in pairs]], found[[at for _, at, _ in pairs]]], table_names=["given", "target"]
        )
        matched["separation"] = Quantity([separation for *_, separation in pairs], Unit("rad")).to("arcsec")
        return matched

    def magnitudes(self, name: str) -> Table:
        """Say how bright the objects of a target were, a row a band."""
        return self._of_target("vo.magnitudes", name)

    def tonight(self, name: str) -> Table:
        """Say how bright a target is expected on the coming night, a row a band."""
        return self._of_target("vo.tonight", name)

    def hosts(self, name: str) -> Table:
        """List the galaxies that a target may lie in."""
        return self._of_target("vo.hosts", name)

    def spectra(self, name: str) -> Table:
        """List the spectra of a target."""
        return self._of_target("vo.spectra", name)

    def rulings(self, name: str | None = None) -> Table:
        """List what people decided, of a target or of all, the newest first."""
        condition = "" if name is None else f"tides_id = {self.target(name)['tides_id']} OR {self._of_objects(name)}"
        return self._listed("vo.rulings", f"{condition or '1 = 1'} ORDER BY ruling_id DESC")

    def veto(self, name: str, reason: str, author: str, until: str = "") -> None:
        """Keep a target off, until it is released or (a date) for a while."""
        self.rule(name, "veto", reason, author, until=until)

    def rule(self, name: str, kind: str, reason: str, author: str, **more: str) -> None:
        """
        Decide something of a target, as ``tides veto`` and its like do.

        Parameters
        ----------
        name
            Of the target, or of one of its objects.
        kind
            veto, hold, force, release, comment or tag.
        reason, author
            Why, and who says so.
        **more
            ``until``, a date on which it ends by itself; ``tag``, of a tag.
        """
        ruling = {"kind": kind, "reason": reason, "author": author, **more}
        self._way.rule(str(self.target(name)["name"]), ruling)

    def _listed(self, table: str, condition: str = "", most: int = MOST) -> Table:
        where = f" WHERE {condition}" if condition else ""
        return self.adql(f"SELECT * FROM {table}{where}", most)  # noqa: S608  # ADQL, of which only reading is allowed

    def _of_target(self, table: str, name: str) -> Table:
        return self._listed(table, f"tides_id = {self.target(name)['tides_id']}")

    def _of_objects(self, name: str) -> str:
        """Write the condition that a row is of an object of a target, or of the object that is called so."""
        names = sorted({name, *map(str, self.objects(name)["object_id"])})
        return f"object_id IN ({', '.join(map(_text, names))})"


def _near(place: tuple[float, float], ours: list[np.ndarray], size: float) -> list[tuple[int, float]]:
    """
    Find what is near a place, the nearest first: positions and separations [rad].

    Parameters
    ----------
    place
        Right ascension and declination [rad].
    ours
        Two of shape (n,), by declination [rad].
    size
        [rad] So near.
    """
    low, high = np.searchsorted(ours[1], [place[1] - size, place[1] + size])
    separations = angular_separation(*place, ours[0][low:high], ours[1][low:high])
    return [(int(low) + at, float(separations[at])) for at in np.argsort(separations) if separations[at] <= size]


def _text(value: str) -> str:
    """
    Write a text in a query.

    >>> _text("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def _time(at: datetime | str) -> str:
    """Write a time in UTC; one without a zone is UTC."""
    if isinstance(at, str):
        return at
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
