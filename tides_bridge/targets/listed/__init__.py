"""
The list of targets: a kept row each (schema 034), for pages, programs and files.

::

    filters  which targets are meant: the model that a shareable address, the API and downloads have in common
    rows     a page of them, those that changed, and how many there are
    columns  what the columns mean, for files and programs
    quoted   a list as lines to be copied: Python, SQL, ADQL
"""

from tides_bridge.targets.listed.filters import TargetFilter
from tides_bridge.targets.listed.rows import (
    SORTS,
    PageOfTargets,
    bin_by,
    bin_sky,
    count_states,
    find_listed,
    list_changed,
    list_page,
    newest_change,
    parameters_of,
    settle_all,
    settle_list,
    settle_some,
)

__all__ = [
    "SORTS",
    "PageOfTargets",
    "TargetFilter",
    "bin_by",
    "bin_sky",
    "count_states",
    "find_listed",
    "list_changed",
    "list_page",
    "newest_change",
    "parameters_of",
    "settle_all",
    "settle_list",
    "settle_some",
]
