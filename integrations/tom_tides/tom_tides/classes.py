"""Classes that people made here, for the bridge."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string
from tom_targets.models import TargetExtra

from tom_tides.bridge import BridgeApi
from tom_tides.models import TidesPlace, TidesTarget

FIELDS = ("classification", "redshift")
"""Extra fields in which people write."""

Found = tuple[str, list[dict[str, Any]]]


def send_new(api: BridgeApi) -> dict[str, Any] | None:
    """Send the classes that are new, and give what became of them; None if there are none."""
    find: Callable[[str], Found] = import_string(settings.TIDES.get("classes", "tom_tides.classes.in_extras"))
    with transaction.atomic():
        place, _ = TidesPlace.objects.select_for_update().get_or_create(what="classes")
        cursor, classes = find(place.cursor)
        outcome = api.send_classes(classes) if classes else None  # the same again changes nothing there
        if cursor != place.cursor:
            place.cursor = cursor
            place.save()
    return outcome


def in_extras(_: str) -> Found:
    """Give type and redshift of all targets that have one: those that the bridge knows change nothing there."""
    ours = TidesTarget.objects.filter(target__isnull=False).values_list("target_id", "tides_id")
    key_of, known = dict(ours), {}
    for extra in TargetExtra.objects.filter(target_id__in=key_of, key__in=FIELDS).exclude(value=""):
        known.setdefault(key_of[extra.target_id], {})[extra.key] = extra
    classes = []
    for tides_id, extras in known.items():
        kind, redshift = extras.get("classification"), extras.get("redshift")
        row = {"tides_id": tides_id, "who": "TOM", "type": kind.value if kind else None}
        row["redshift"] = redshift.float_value if redshift else None
        if row["type"] or row["redshift"] is not None:
            classes.append(row)
    return "", classes
