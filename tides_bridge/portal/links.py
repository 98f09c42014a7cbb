"""Addresses of pages about an object: ours, and those of its broker."""

from urllib.parse import quote

from tides_bridge.settings import Settings, page_address


def light_curve_page(settings: Settings, survey: str, object_id: str) -> str:
    """
    Give the address of our own page of an object that passed, with its light curve.

    Parameters
    ----------
    settings
        Its ``page.address``, or where the page runs.
    survey, object_id
        As the broker names it; anything that a path cannot hold is escaped.

    Examples
    --------
    >>> common = {"topic": "t", "groupID": 1, "selectFunction": "f"}
    >>> light_curve_page(Settings(**common), "ztf", "ZTF18abcdefg")
    'http://127.0.0.1:4280/light-curves/ztf/ZTF18abcdefg'
    """
    return f"{page_address(settings)}/light-curves/{in_path(survey)}/{in_path(object_id)}"


def object_page(settings: Settings, survey: str, object_id: str) -> str | None:
    """
    Give the address of an object's page at Lasair, None if no such broker is followed.

    Parameters
    ----------
    settings
        The address of the light-curve API tells which Lasair it is.
    survey
        ``ztf`` or ``lsst``.
    object_id
        As Lasair names it.

    Examples
    --------
    >>> common = {"topic": "t", "groupID": 1, "selectFunction": "f"}
    >>> object_page(Settings(**common), "ztf", "ZTF18abcdefg")
    'https://lasair-ztf.lsst.ac.uk/objects/ZTF18abcdefg/'
    """
    for broker_settings in settings.each_broker():
        if broker_settings.broker.kind == f"lasair_{survey}":
            address = broker_settings.light_curves.address.rstrip("/").removesuffix("/api")
            return f"{address}/objects/{in_path(object_id)}/"
    return None


def in_path(name: str) -> str:
    """Write a name as a part of an address."""
    return quote(name, safe="")
