"""
Light curves of several surveys judged together, for the selection functions with the key ``surveys``.

The workers judge each light curve alone. Then, in the transaction of the batch, objects at one place or of one target
become a group; their points are put together, and the verdict on these is that on each of the group.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection

from tides_bridge.compiled import Integers
from tides_bridge.database import copy_frame, listed_columns, run
from tides_bridge.decisions.annotated import remember
from tides_bridge.decisions.models import Judged
from tides_bridge.decisions.record import decisions_of, role_of
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.photometry import night_of
from tides_bridge.lightcurves.stored import pack_rows, unpack_tables
from tides_bridge.lightcurves.summaries import summarise_light_curves
from tides_bridge.selection import SelectionFunction, Verdicts, judge
from tides_bridge.selection.parsing import SURVEYS
from tides_bridge.settings import Settings
from tides_bridge.targets.association import MATCH_RADIUS_ARCSEC
from tides_bridge.targets.neighbours import Key, Place, groups_of

KEEP_DAYS: Final = 60.0
"""[d] A light curve is kept so long after its newest detection; a supernova is bright for about two months."""

PALOMAR_WEST: Final = 116.86 / 360
"""[d] How much later it is noon at Palomar than at Greenwich (longitude 116.86 deg W): where ZTF's nights change."""

YES_OF_ANY: Final = ("solar_system", "point_source", "known_variable")
"""The columns of `Objects` of which a yes of one survey is a yes."""

LOAD: Final = "decisions/load_light_curve_stage.sql"


@dataclass(frozen=True, slots=True)
class Given:
    """An object of the batch: in which chunk it is, the light curves there, which is its own, its newest detection."""

    chunk: int
    curves: LightCurves
    number: int
    newest_mjd: float

    @property
    def curve(self) -> LightCurves:
        """Its light curve."""
        return self.curves.part(self.number, self.number + 1)


def judge_together(
    connection: Connection, judged: Sequence[Judged], settings: Settings, functions: Sequence[SelectionFunction]
) -> list[Judged]:
    """
    Judge the objects of a batch with what other surveys know of them, by those functions that say so.

    What was said of the objects before is remembered first: see `annotated.remember`. The light curves of the batch are
    stored, for batches to come. Each of a group gets the verdict on all its points: those of the batch in place of that
    on its own, the others as a chunk more, so that one that passes only now becomes a target, too. Without such a
    function nothing is asked.

    Parameters
    ----------
    connection
        Of the batch, before anything is staged.
    judged
        What was decided of each light curve alone. A chunk has its ``alerts`` and ``curves``.
    settings
        Tells the time.
    functions
        The active one first.

    Returns
    -------
    list of Judged
        The chunks with what was decided together, and one more where others than those of the batch are concerned.
    """
    judged = remember(connection, judged, settings, functions)
    surveys = [survey for survey in SURVEYS if any(survey in function.surveys for function in functions)]
    given = _given(judged, surveys)
    if not given:
        return list(judged)
    _store(connection, given, settings.now_mjd())
    at_one_place = groups_of(_neighbours(connection), MATCH_RADIUS_ARCSEC)
    chunks = [*judged, Judged({}, pd.DataFrame(), {})]  # the last is for those not of the batch
    for chosen in sorted({function.surveys for function in functions if function.surveys}):
        groups = list(_to_be_judged(at_one_place, chosen, given))
        if groups:
            joint = Joint.of(groups, _curves(connection, groups, given))
            chunks = _judge(joint, functions, chosen, settings.now_mjd()).put_into(chunks, given)
    return chunks if len(chunks[-1].decisions) else chunks[:-1]


def _to_be_judged(
    groups: Iterable[Sequence[Place]], surveys: Sequence[str], given: Container[Key]
) -> Iterator[list[Place]]:
    """Give the groups in which several objects of these surveys have a light curve, one of them from the batch."""
    for group in groups:
        seen = [place for place in group if place.key[0] in surveys and place.newest_mjd is not None]
        if len(seen) > 1 and any(place.key in given for place in seen):
            yield seen


# What their points say together


@dataclass(frozen=True)
class Joint:
    """
    The light curves of k groups of n objects in all.

    Attributes
    ----------
    places
        (n,) The objects.
    group
        (n,) The group of each.
    own
        (n,) The light curve of each.
    whole
        (k,) That of each group.
    """

    places: list[Place]
    group: Integers
    own: LightCurves
    whole: LightCurves

    @classmethod
    def of(cls, groups: Sequence[Sequence[Place]], curves: dict[Key, LightCurves]) -> "Joint":
        """Put the points of each group together."""
        places = [place for group in groups for place in group]
        index = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
        own = LightCurves.joined([curves[place.key] for place in places])
        names = [str(number) for number in range(len(groups))]
        surveys = np.array([place.key[0] for place in places])
        whole = replace(own, night=common_nights(own, surveys)).merged(
            names, index, merged_objects(own.objects, index, len(groups))
        )
        return cls(places, index, own, whole)


def common_nights(curves: LightCurves, surveys: npt.NDArray[np.str_]) -> Integers:
    """
    Give nights the same number for all surveys: one of ZTF and the one of Rubin hours before it are one night.

    ZTF counts nights by an own number. Here a night lasts from noon to noon: for ZTF at Palomar, where none spans two
    of them, for the others as `night_of` has it.

    Parameters
    ----------
    curves
        Of n objects.
    surveys
        (n,) The survey of each.
    """
    is_palomar = (surveys == "ztf")[curves.object_index]
    return night_of(np.where(is_palomar, curves.mjd - PALOMAR_WEST, curves.mjd))


def merged_objects(objects: Objects, index: Integers, number: int) -> Objects:
    """
    Put together what is known of objects that are one: a yes of any is a yes, and the first of all counts.

    Parameters
    ----------
    objects
        Of n objects.
    index
        (n,) Which of the new objects each becomes.
    number
        Of the new objects.

    >>> both = Objects.of(2, ebv=[np.nan, 0.2], point_source=[0.0, 1.0])
    >>> one = merged_objects(both, np.array([0, 0]), 1)
    >>> one.ebv, one.point_source, one.sherlock_class
    (array([0.2]), array([1.]), array([None], dtype=object))
    """
    merged = Objects.unknown(number)
    for name in (field.name for field in fields(Objects)):
        values, into = getattr(objects, name), getattr(merged, name)
        if name in YES_OF_ANY:
            np.fmax.at(into, index, values)
        elif name == "first_seen":
            np.fmin.at(into, index, values)
        elif name == "annotations":
            for place, notes in zip(index.tolist(), values.tolist(), strict=True):
                into[place] = {**(notes or {}), **(into[place] or {})} or None
        else:
            known = np.flatnonzero(pd.notna(values))[::-1]  # of several values for one object numpy keeps the last
            into[index[known]] = values[known]
    return merged


@dataclass(frozen=True)
class Outcome:
    """
    What became of groups.

    Attributes
    ----------
    joint
        The groups.
    decisions
        Rows of the log, for each object and function.
    active
        The verdict of the active function on each group, None if it judges each light curve alone.
    """

    joint: Joint
    decisions: pd.DataFrame
    active: Verdicts | None

    def put_into(self, chunks: Sequence[Judged], given: Mapping[Key, Given]) -> list[Judged]:
        """
        Give chunks with it in the place of what was decided of the objects alone.

        Parameters
        ----------
        chunks
            Of the batch; the last is for the objects that are not of the batch.
        given
            The objects of the batch.
        """
        others = len(chunks) - 1
        number_of = [given[place.key].chunk if place.key in given else others for place in self.joint.places]
        result = list(chunks)
        for number in set(number_of):
            members = np.flatnonzero(np.array(number_of) == number)
            rows = self.decisions[self.decisions["member"].isin(members)].drop(columns="member")
            chunk = replace(chunks[number], decisions=_with_rows(chunks[number].decisions, rows))
            if self.active is not None:
                chunk = self._with_facts(chunk, members, self.active, is_of_batch=number != others)
            result[number] = chunk
        return result

    def _with_facts(self, chunk: Judged, members: Integers, active: Verdicts, *, is_of_batch: bool) -> Judged:
        """Give a chunk with the rows of the stage of these objects, which pass if their group does."""
        passes = active.passed[self.joint.group[members]]
        names = [self.joint.places[member].key[1] for member in members]
        verdicts = dict(zip(names, passes.tolist(), strict=True)) if is_of_batch else {}
        rows = _facts(self.joint, members, active)
        kept = chunk.facts[~chunk.facts["object_id"].isin(names)] if len(chunk.facts) else chunk.facts
        facts = pd.concat([frame for frame in (kept, rows) if len(frame)] or [kept], ignore_index=True)
        return replace(chunk, passed={**chunk.passed, **verdicts}, facts=facts)


def _judge(joint: Joint, functions: Sequence[SelectionFunction], chosen: tuple[str, ...], now_mjd: float) -> Outcome:
    """Judge groups by the functions that judge these surveys together."""
    own = [function for function in functions if function.surveys == chosen]
    verdicts = judge(joint.whole, own, now_mjd)
    whole = joint.whole  # of points that were judged alone before, so that none is later than now
    left_out = np.zeros(len(whole), dtype=np.int64)
    rows = decisions_of(verdicts, whole.object_ids, whole.digests(), now_mjd, left_out)
    roles = {function.name: role_of(number) for number, function in enumerate(functions)}
    rows["role"], rows["group"] = rows["function"].map(roles), rows.pop("object_id").astype(int)
    members = pd.DataFrame(
        {
            "member": np.arange(len(joint.places)),
            "group": joint.group,
            "survey": [place.key[0] for place in joint.places],
            "object_id": [place.key[1] for place in joint.places],
            "newest_mjd": [place.newest_mjd for place in joint.places],
            "judged_with": _judged_with(joint),
        }
    )
    active = verdicts[0] if own[0] is functions[0] else None
    return Outcome(joint, rows.merge(members, on="group").drop(columns="group"), active)


def _judged_with(joint: Joint) -> list[str]:
    """Name the others of the group of each object, as an array of PostgreSQL."""
    names = [f"{survey} {object_id}" for survey, object_id in (place.key for place in joint.places)]
    quoted = ['"' + name.replace("\\", r"\\").replace('"', r"\"") + '"' for name in names]
    groups = [list(members) for _, members in groupby(range(len(names)), key=lambda member: joint.group[member])]
    return [
        "{" + ",".join(quoted[other] for other in group if other != member) + "}"
        for group in groups
        for member in group
    ]


def _with_rows(decisions: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Put decisions in the place of those on the same objects by the same functions."""
    if not len(decisions):
        return rows
    names = ["object_id", "function"]
    old = pd.MultiIndex.from_frame(decisions[names])
    kept = decisions[~old.isin(pd.MultiIndex.from_frame(rows[names]))]
    return pd.concat([frame for frame in (kept, rows) if len(frame)], ignore_index=True)


def _facts(joint: Joint, members: Integers, active: Verdicts) -> pd.DataFrame:
    """Make the rows of the stage, each with the magnitudes of its own survey; an object without detection has none."""
    numbers = tuple(map(str, range(len(joint.places))))  # two surveys may use one name
    summary = summarise_light_curves(replace(joint.own, object_ids=numbers))
    at = np.array([member for member in members if numbers[member] in summary.index], dtype=np.int64)
    rows = summary.loc[[numbers[member] for member in at]].reset_index(drop=True)
    keys = [joint.places[member].key for member in at]
    rows["survey"], rows["object_id"] = [survey for survey, _ in keys], [object_id for _, object_id in keys]
    for name in ("ra", "decl"):
        rows[name] = rows[name].fillna(pd.Series(getattr(joint.own.objects, name)[at]))
    rows["sherlock_class"] = joint.own.objects.sherlock_class[at]
    rows["passes"], rows["selection_function"] = active.passed[joint.group[at]], active.function.name
    rows["curve"] = pack_rows(joint.own.to_arrow(), at.tolist())
    return rows


# The light curves in the database


def _given(judged: Sequence[Judged], surveys: Sequence[str]) -> dict[Key, Given]:
    """Find the objects of a batch that may have others at their place: judged, of these surveys, at a known place."""
    given: dict[Key, Given] = {}
    for chunk_number, chunk in enumerate(judged if surveys else ()):
        if chunk.curves is None:
            continue
        alerts = {alert.object_id: alert for alert in chunk.alerts if alert.survey in surveys}
        is_placed = np.isfinite(chunk.curves.objects.ra) & np.isfinite(chunk.curves.objects.decl)
        for number in np.flatnonzero(is_placed).tolist():
            alert = alerts.get(chunk.curves.object_ids[number])
            if alert is not None and alert.object_id in chunk.passed:
                given[alert.survey, alert.object_id] = Given(chunk_number, chunk.curves, number, alert.newest_mjd)
    return given


def _store(connection: Connection, given: dict[Key, Given], now_mjd: float) -> None:
    """Keep the light curves of the batch, and forget those that are old."""
    of_chunks: dict[int, dict[Key, Given]] = {}
    for key, light_curve in given.items():
        of_chunks.setdefault(light_curve.chunk, {})[key] = light_curve
    rows = pd.concat([_rows(of_chunk) for of_chunk in of_chunks.values()])
    run(connection, "decisions/create_light_curve_stage.sql")
    copy_frame(connection, LOAD, rows[listed_columns(LOAD)])
    run(connection, "decisions/store_light_curves.sql", {"now": datetime.now(UTC)})
    run(connection, "decisions/forget_light_curves.sql", {"before_mjd": now_mjd - KEEP_DAYS})


def _rows(given: dict[Key, Given]) -> pd.DataFrame:
    """Make the rows of `light_curve` of one chunk; what has no detection was first seen when its alert says."""
    curves = next(iter(given.values())).curves
    numbers = [member.number for member in given.values()]
    rows = pd.DataFrame(list(given), columns=["survey", "object_id"])
    rows["ra"], rows["decl"] = curves.objects.ra[numbers], curves.objects.decl[numbers]
    rows["newest_mjd"] = [member.newest_mjd for member in given.values()]
    first = summarise_light_curves(curves)["first_detection_mjd"].reindex(rows["object_id"]).to_numpy()
    rows["first_mjd"] = np.where(np.isnan(first), rows["newest_mjd"], first)
    digests, table = curves.digests(), curves.to_arrow()
    rows["curve_digest"] = [digests[number] for number in numbers]
    rows["curve"] = pack_rows(table, numbers)
    return rows


def _neighbours(connection: Connection) -> list[Place]:
    """List the objects of the batch, and all that are known at their places."""
    return [
        Place((row.pop("survey"), row.pop("object_id")), **row)
        for row in run(connection, "decisions/list_neighbours.sql", {"radius_arcsec": MATCH_RADIUS_ARCSEC})
    ]


def _curves(
    connection: Connection, groups: Iterable[Sequence[Place]], given: dict[Key, Given]
) -> dict[Key, LightCurves]:
    """Gather the newest light curve of each object of some groups: that of the batch, or the stored one."""
    places = [place for group in groups for place in group]
    here = {
        place.key for place in places if place.key in given and given[place.key].newest_mjd >= (place.newest_mjd or 0)
    }
    wanted = [place.key for place in places if place.key not in here]
    curves = {key: given[key].curve for key in here}
    if wanted:
        names = {"surveys": [key[0] for key in wanted], "object_ids": [key[1] for key in wanted]}
        rows = run(connection, "decisions/get_light_curves.sql", names)
        stored = LightCurves.from_arrow(unpack_tables(row["curve"] for row in rows))
        found = enumerate((row["survey"], row["object_id"]) for row in rows)
        curves |= {key: stored.part(number, number + 1) for number, key in found}
    return curves
