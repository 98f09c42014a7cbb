"""Commands as a person types them, in this process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner, Result

from flows.cli import app
from tides_bridge.settings import Settings


def at_database(settings: Settings, folder: Path) -> Callable[..., Result]:
    """Type commands with the settings of a test's database."""
    file = folder / "settings.yaml"
    content: dict[str, Any] = {"topic": settings.topic, "groupID": "test", "selectFunction": "tidesSNZTFSelect"}
    content |= {"tidesDBdatabase": settings.tides_db_database}
    content["database"] = {"host": "embedded", "folder": str(settings.database.folder)}
    environment = {"TIDES_LASAIRTOKEN": "x"}
    if settings.fourmost.address:
        content["fourmost"] = {"address": settings.fourmost.address, "surveyID": settings.fourmost.survey_id}
        environment["TIDES_FOURMOST__TOKEN"] = settings.fourmost.token.get_secret_value()  # type: ignore[union-attr]
    file.write_text(yaml.safe_dump({"devConfig": content}))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--settings", str(file)], env=environment)

    return run


def page_of(done: Result) -> list[str]:
    """Give the lines of a page."""
    assert done.exit_code == 0, done.output
    return [line.rstrip() for line in done.stdout.splitlines()]
