"""The app, as Django knows it."""

from django.apps import AppConfig


class TomTidesConfig(AppConfig):
    """Targets of the TiDES bridge."""

    name = "tom_tides"
    default_auto_field = "django.db.models.BigAutoField"
