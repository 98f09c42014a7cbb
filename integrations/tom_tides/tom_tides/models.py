"""What was written last, so that what people change is told apart; and how far changes were read."""

from typing import ClassVar

from django.db import models
from tom_targets.models import BaseTarget


class TidesTarget(models.Model):
    """A target of the bridge, and what was written of it here; without a target it was deleted by people."""

    tides_id = models.BigIntegerField(primary_key=True)
    target = models.OneToOneField(BaseTarget, null=True, on_delete=models.SET_NULL, related_name="tides")
    written = models.JSONField(default=dict)

    class Meta:
        """As Django has it."""

        ordering: ClassVar = ["tides_id"]

    def __str__(self) -> str:
        return f"TiDES {self.tides_id}"


class TidesPlace(models.Model):
    """How far something was read: changes of targets, and classes that went back."""

    what = models.CharField(max_length=20, primary_key=True)
    cursor = models.TextField(default="")

    def __str__(self) -> str:
        return f"{self.what}: {self.cursor}"
