"""Prefect's own variables, which its server and worker read, too: asked here without importing Prefect."""

import os


def prefect_variable(name: str) -> str:
    """Give a variable of Prefect's, named without its prefix, such as ``API_URL``; "" where it is not set."""
    return os.environ.get(f"PREFECT_{name}", "")
