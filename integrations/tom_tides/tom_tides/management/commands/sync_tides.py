"""The command ``manage.py sync_tides``."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tom_tides.bridge import BridgeApi, BridgeAway
from tom_tides.classes import send_new
from tom_tides.models import TidesPlace
from tom_tides.writing import Outcome, write_page

SHOWN = 10
"""Targets of a kind at most."""


class Command(BaseCommand):
    """Bring what changed at the TiDES bridge, and send classes back."""

    help = "Bring what changed at the TiDES bridge, and send classes back; twice is as once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take options."""
        parser.add_argument("--dry-run", action="store_true", help="tell what would be written, and write nothing")
        parser.add_argument("--all", action="store_true", help="compare all targets, not only those that changed")

    def handle(self, *_: Any, **options: Any) -> None:
        """Do it."""
        try:
            outcome = pull(BridgeApi(), options["all"], options["dry_run"])
            sent = None if options["dry_run"] else send_new(BridgeApi())
        except BridgeAway as error:
            raise CommandError(str(error)) from None
        counts = {name: len(value) if isinstance(value, list) else value for name, value in vars(outcome).items()}
        self.stdout.write(", ".join(f"{number} {name}" for name, number in counts.items()))
        for kind, lines in {"changed by people": outcome.different, "deleted": outcome.gone}.items():
            for line in lines[:SHOWN]:
                self.stderr.write(f"{kind}: {line}")
        if sent:
            self.stdout.write(f"{sent['read']} classes sent, {sent['new']} new at the bridge")


def pull(api: BridgeApi, is_all: bool, is_dry_run: bool) -> Outcome:
    """Write page after page of what changed."""
    outcome = Outcome()
    place = TidesPlace.objects.filter(what="targets").first()
    cursor = "" if is_all or place is None else place.cursor
    while True:
        rows, cursor = api.changed_after(cursor)
        if not rows:  # fewer than a page are not the end: the bridge's list follows its tables in steps
            return outcome
        write_page(rows, api.address, cursor, outcome, is_dry_run)
