"""
The list of targets: a kept row each (schema 034), for pages, programs and files.

::

    filters  which targets are meant: the model that a shareable address, the API and downloads have in common
    rows     a page of them, those that changed, and how many there are
"""

from tides_bridge.targets.listed.filters import TargetFilter
from tides_bridge.targets.listed.rows import (
    SORTS,
    PageOfTargets,
    list_changed,
    list_page,
    parameters_of,
    settle_list,
    settle_some,
)

__all__ = [
    "SORTS",
    "PageOfTargets",
    "TargetFilter",
    "list_changed",
    "list_page",
    "parameters_of",
    "settle_list",
    "settle_some",
]
