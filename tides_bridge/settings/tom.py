"""The section of the settings about the survey's TOM."""

from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr

from tides_bridge.settings.sections import Address, PositiveInt, Seconds, Section


class TomSettings(Section):
    """The survey's TOM, a TOM Toolkit, in which our targets are kept right, and what people say of them there."""

    address: Address | None = Field(None, description="as https://tom.example.org; without it none is asked")
    token: SecretStr | None = Field(None, description="of an account there that may see, add and change targets")
    timeout: Seconds = Field(timedelta(seconds=30), gt=timedelta(0), description="time to wait for an answer")
    groups: tuple[str, ...] = Field((), description="groups there that see new targets; empty: our account alone")
    type_field: str = Field("classification", description="extra field there in which people write types")
    redshift_field: str = Field("redshift", description="and redshifts,")
    comment_field: str = Field("comment", description="and what is taken for their comment")
    lists: dict[str, PositiveInt] = Field(
        {}, description="tags that lists of targets there stand for, with the numbers in the lists' addresses"
    )
    rulings: dict[str, Literal["veto", "hold", "force", "tag"]] = Field(
        {}, description="what tags there decide: of the lists, or of extra fields that are not empty, no or false"
    )
