"""
Decisions as tables, for files of any form that `tides_bridge.formats.output` writes.

A file has one row an object, in the order in which the light curves were read: ``objectId, passed, trigger_mjd,
n_detections``, and for each criterion two columns: by its path what was measured, and by its path with ``_passed``
behind it whether that fulfils the criterion. What there is not, a trigger or a measured value, is empty or null.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tides_bridge.formats.output.meanings import Meaning, schema_of
from tides_bridge.formats.output.table_files import TableFile
from tides_bridge.selection import SelectionFunction, Verdicts

FIRST_COLUMNS: Final = (
    ("objectId", pa.string(), Meaning("name that the survey gave the object", ucd="meta.id;meta.main")),
    ("passed", pa.bool_(), Meaning("whether the light curve fulfils the selection function", ucd="meta.code")),
    ("trigger_mjd", pa.float64(), Meaning("first detection at which it does, MJD (UTC)", "d", "time.epoch")),
    ("n_detections", pa.int64(), Meaning("detections", ucd="meta.number")),
)
"""What is said of every object, whatever the function."""

PASSED: Final = "_passed"
"""Ends the name of the column that says whether a criterion is fulfilled."""

UNITS: Final = {"mag": "mag", "d": "d", "deg": "deg", "mag/d": "mag/d", "arcsec": "arcsec", "nJy": "nJy"}
"""Units of criteria that FITS and the IVOA know, as these write them."""


def decision_schema(function: SelectionFunction) -> pa.Schema:
    """Give the columns, and what they mean; which function it was, and what it demanded, is said of the whole."""
    columns = list(FIRST_COLUMNS)
    for leaf in function.leaves:
        is_text = leaf.criterion.kind == "one of"
        unit = UNITS.get(leaf.criterion.unit, "")
        measured = Meaning(f"measured for {leaf.criterion.key}", unit)
        columns.append((leaf.path, pa.string() if is_text else pa.float64(), measured))
        columns.append((leaf.path + PASSED, pa.bool_(), Meaning(f"whether it is {leaf.demand()}", ucd="meta.code")))
    about = {"function": function.name, "version": function.version, "keys": function.normalised_text}
    return schema_of(columns, {f"tides.{name}": text for name, text in about.items()})


def decision_table(object_ids: Sequence[str], verdicts: Verdicts) -> pa.Table:
    """
    Make a table of what a function says of n objects.

    Parameters
    ----------
    object_ids
        (n,) text.
    verdicts
        What the function says of them.
    """
    columns = [pa.array(object_ids, pa.string()), pa.array(verdicts.passed)]
    columns += [_numbers(verdicts.trigger_mjd), pa.array(verdicts.n_detections)]
    for leaf in verdicts.function.leaves:
        measured = verdicts.measured[leaf.path]
        is_text = leaf.criterion.kind == "one of"
        columns.append(pa.array(measured.tolist(), pa.string()) if is_text else _numbers(measured))
        columns.append(pa.array(verdicts.fulfilled[leaf.path]))
    return pa.table(columns, schema=decision_schema(verdicts.function))


def _numbers(values: npt.NDArray[Any]) -> pa.Array:
    numbers = np.asarray(values, dtype=float)
    return pa.array(numbers, mask=~np.isfinite(numbers))


class DecisionFile(TableFile):
    """
    A file of decisions.

    Parameters
    ----------
    path
        Where; what is there already is replaced.
    function
        Whose decisions.
    """

    def __init__(self, path: Path, function: SelectionFunction) -> None:
        super().__init__(path, decision_schema(function))
