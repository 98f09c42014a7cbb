"""What the form of a flow in Prefect's web interface says of each parameter."""

from dataclasses import dataclass
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue


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
