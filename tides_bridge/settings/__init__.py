"""
The settings: the only room that reads flowSetting.yaml and the environment.

::

    tree           the whole of them, where each value comes from, how they are loaded
    by_hand        values for one run
    sections       what each part may hold: types, units, defaults
    wrong          what is wrong with them, in words
    yaml_blocks    a YAML file of named blocks, such as configurations or selection functions
"""

from tides_bridge.settings.tree import (
    DEMO,
    Settings,
    configuration_name,
    demo_file,
    find_file,
    load_settings,
    page_address,
    page_hosts,
    provenance,
    secrets_in,
    shown_address,
    shown_settings,
    target_page,
)

__all__ = [
    "DEMO",
    "Settings",
    "configuration_name",
    "demo_file",
    "find_file",
    "load_settings",
    "page_address",
    "page_hosts",
    "provenance",
    "secrets_in",
    "shown_address",
    "shown_settings",
    "target_page",
]
