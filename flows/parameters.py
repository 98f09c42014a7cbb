"""What flows share: the parameters of their forms, the name of a run, and how one that finds another at work ends."""

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from prefect import get_run_logger, runtime
from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue

from tasks.behaviour import skipped
from tides_bridge.settings import configuration_name

Result = TypeVar("Result")


@dataclass(frozen=True)
class Explained:
    """
    Explains a parameter, as metadata of its type.

    Prefect 3.8 puts a field of its own around each parameter, whose empty description hides that of
    ``Annotated[str, Field(description=...)]``. What is in the schema of the type stays.
    """

    text: str

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "description": self.text}


Config = Annotated[
    str | None,
    Explained("A configuration in the settings file; empty: $TIDES_CONFIG, the only one, or devConfig."),
]
SettingsFile = Annotated[
    str | None,
    Explained("The settings file; empty: $TIDES_SETTINGS, or flowSetting.yaml in the working folder."),
]


def run_name() -> str:
    """Name a run by its configuration and time."""
    given, start = runtime.flow_run.parameters, runtime.flow_run.scheduled_start_time
    return f"{configuration_name(given.get('config'), given.get('settings_file'))} {start:%Y-%m-%d %H:%M:%S}"


def skip_this_run(result: Result) -> Result:
    """End, as another run is at work: it does what there is to do."""
    message = "another run is at work on this database: this one ends, and leaves it the work"
    get_run_logger().warning(message)
    return skipped(message, result)
