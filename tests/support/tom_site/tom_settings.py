"""Settings of a TOM as `tom_setup` makes one, without its questions. Runs in an environment of its own."""

import os

from tom_common.default_settings import *  # noqa: F403
from tom_common.default_settings import TOMTOOLKIT_INSTALLED_APPS, TOMTOOLKIT_MIDDLEWARE

SECRET_KEY = "of a test"  # pragma: allowlist secret
ALLOWED_HOSTS = ["*"]
TOM_NAME, SITE_ID = "TOM of a test", 1
INSTALLED_APPS = [*TOMTOOLKIT_INSTALLED_APPS, *os.environ.get("TOM_APPS", "").split()]
MIDDLEWARE = TOMTOOLKIT_MIDDLEWARE
ROOT_URLCONF = "tom_common.urls"
PROCESSORS = ("template.context_processors.request", "contrib.auth.context_processors.auth")
MESSAGES = "django.contrib.messages.context_processors.messages"
OPTIONS = {"context_processors": [*(f"django.{name}" for name in PROCESSORS), MESSAGES]}
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": OPTIONS}]
NAMES = {"HOST": "PGHOST", "USER": "PGUSER", "NAME": "PGDATABASE", "PORT": "PGPORT"}
ENGINE = {"ENGINE": "django.db.backends.postgresql"}
DATABASES = {"default": ENGINE | {key: os.environ.get(name, "") for key, name in NAMES.items()}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ, TIME_ZONE, STATIC_URL = True, "UTC", "/static/"
AUTH_STRATEGY, TARGET_TYPE, TARGET_PERMISSIONS_ONLY = "READ_ONLY", "SIDEREAL", True
EXTRA_FIELDS: list[dict[str, str]] = []
HOOKS: dict[str, str] = {}
FACILITIES: dict[str, str] = {}
DATA_PRODUCT_TYPES: dict[str, str] = {}
DATA_PROCESSORS: dict[str, str] = {}
TOM_FACILITY_CLASSES = ["tom_observations.facilities.lco_redirect.LCORedirectFacility"]
TASKS = {"default": {"BACKEND": "django_tasks.backends.immediate.ImmediateBackend"}}
TIDES = {"address": os.environ.get("BRIDGE_PORTAL", ""), "groups": ["TiDES"]}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tom_common.accounts.api_auth.TomTokenAuthentication"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
    "PAGE_SIZE": 100,
}
