"""What runs, and in which order: the Prefect flows and the command line."""

import os

# Prefect reads these when it is imported. Nothing is reported to anybody; what tides_bridge logs reaches the run page.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "tides_bridge")
os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")
