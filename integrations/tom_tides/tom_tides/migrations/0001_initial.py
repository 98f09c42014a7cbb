"""Make the tables."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """The first."""

    initial = True
    dependencies: ClassVar = [("tom_targets", "0001_initial")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="TidesTarget",
            fields=[
                ("tides_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("written", models.JSONField(default=dict)),
                (
                    "target",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="tides",
                        to="tom_targets.basetarget",
                    ),
                ),
            ],
            options={"ordering": ["tides_id"]},
        ),
        migrations.CreateModel(
            name="TidesPlace",
            fields=[
                ("what", models.CharField(max_length=20, primary_key=True, serialize=False)),
                ("cursor", models.TextField(default="")),
            ],
        ),
    ]
