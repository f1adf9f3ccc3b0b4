"""The types of single values, with their limits, and the base of all questions and answers."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from mmsrarec.data.reading.line_faults import is_null
from mmsrarec.recommend.prompt.preferences import MAX_PREFERENCES

MAX_ID_LENGTH = 256
MAX_HISTORY = 1000
MAX_K = 100
MAX_IDS = 10_000
"""Ids of a filter, at most."""
MAX_PINNED = 20
MAX_BOOSTS = 100
MAX_CATEGORIES = 50
MAX_DOCUMENTS = 1000
MAX_EVENTS = 1000
MAX_TITLE, MAX_TEXT = 500, 20_000
"""Characters of an item."""
MAX_TIME = 253_402_300_799
"""Seconds since 1970 at the end of the year 9999."""
NO_CONTROLS = r"^[^\x00-\x1f\x7f\ufffd]+$"
"""Without U+FFFD, which servers put in the place of bytes that are no UTF-8: such ids would be one."""
NO_NUL = r"^[^\x00]*$"
"""PostgreSQL stores no character 0."""


def _whole_as_text(value: Any) -> Any:
    """A whole number as its decimal form; anything else as it is."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**20 else value


def _naming(value: str) -> str:
    """The value, unless it says that there is none. Raises ValueError."""
    if is_null(value):
        raise ValueError("names nobody and nothing")
    return value


Id = Annotated[
    str,
    BeforeValidator(_whole_as_text, json_schema_input_type=str | int),
    StringConstraints(min_length=1, max_length=MAX_ID_LENGTH, pattern=NO_CONTROLS),
]
"""An id, an opaque string: "007" stays "007". A whole number counts as its decimal form."""
NamingId = Annotated[Id, AfterValidator(_naming)]
"""An id that names somebody or something: "", "null", "NaN" and their like are what programs write for nobody."""
Keyword = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=NO_CONTROLS)]
Keywords = Annotated[list[Keyword], Field(max_length=MAX_PREFERENCES)]
Category = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_NUL)]
Categories = Annotated[list[Category], Field(max_length=MAX_CATEGORIES)]
Count = Annotated[int, Field(strict=True, ge=1, le=MAX_K)]
Time = Annotated[int, Field(strict=True, ge=0, le=MAX_TIME)]


def with_examples(*examples: dict[str, Any]) -> ConfigDict:
    """The configuration of a question or an answer of which the description of the server shows examples."""
    return ConfigDict(json_schema_extra={"examples": [*examples]})


class Asked(BaseModel):
    """A question: an unknown field is an error, so that a misspelt one is not dropped in silence."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Answered(BaseModel):
    """An answer; its description requires every field, as every field comes."""

    model_config = ConfigDict(allow_inf_nan=False, json_schema_serialization_defaults_required=True)
