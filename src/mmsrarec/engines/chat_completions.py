"""Reads what a server answers: a chat completion, a list of models, or an error. All of it is untrusted."""

import json
import re
from dataclasses import dataclass
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mmsrarec.engines.protocol import Usage

MOST_CHARACTERS = 20_000
"""Characters of an answer that are read."""
Count = Annotated[int, Field(ge=0, le=10**9)]


class UnreadableAnswer(Exception):
    """An answer that is not of the form that the API gives it; another attempt may bring a better one."""


class _Form(BaseModel):
    """A form in which null means that the server does not tell."""

    model_config = ConfigDict(strict=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        fields = cast(dict[str, Any], value)
        return {name: field for name, field in fields.items() if field is not None}


class _Part(_Form):
    type: str = "text"
    text: str = ""


class _Message(_Form):
    content: str | list[_Part] | None = None
    refusal: str | None = None


class _Choice(_Form):
    index: int = 0
    message: _Message
    finish_reason: str | None = None


class _Usage(_Form):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None


class _Completion(_Form):
    model: str = ""
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


class Completion(BaseModel):
    """A chat completion.

    Attributes:
        text: The answer.
        model: What the server calls the model that answered; "" where it says nothing.
        usage: What the server counts; None where it counts nothing.
        cut: Whether the answer ended because it was as long as it might be.
        refused: Why the server gives no answer; None where it gives one.
    """

    text: str
    model: str
    usage: Usage | None
    cut: bool
    refused: str | None


def read_completion(body: bytes) -> Completion:
    """Read a chat completion. Of several choices the first one counts, and of several parts the texts.

    Raises:
        UnreadableAnswer: It is no chat completion.
    """
    completion = read_form(body, _Completion, "chat completion")
    choice = min(completion.choices, key=lambda choice: choice.index)
    content = choice.message.content or ""
    text = content if isinstance(content, str) else "".join(part.text for part in content if part.type == "text")
    refused = choice.message.refusal or ("by its content filter" if choice.finish_reason == "content_filter" else None)
    counted = (completion.usage.prompt_tokens, completion.usage.completion_tokens) if completion.usage else (None, None)
    return Completion(
        text=storable(text),
        model=storable(completion.model),
        usage=None if counted == (None, None) else Usage(counted[0] or 0, counted[1] or 0),
        cut=choice.finish_reason == "length",
        refused=storable(refused) if refused and not text.strip() else None,
    )


def read_models(body: bytes) -> tuple[str, ...]:
    """The names in a list of models.

    Raises:
        UnreadableAnswer: It is no list of models.
    """
    return tuple(storable(model.id) for model in read_form(body, _Models, "list of models").data)


def error_message(body: bytes) -> str:
    """What an error says, from the forms that servers give it; the start of the body where it has none of them."""
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return body[:500].decode(errors="replace")
    for name in ("error", "detail", "message"):
        while isinstance(value, dict) and name in value:
            value = value[name]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        value = value.get("message", value)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return value if isinstance(value, str) else json.dumps(value)[:500]


@dataclass(frozen=True)
class Blame:
    """Which parameters of a request an error may be about.

    Attributes:
        names: The parameters that it names as such; None where it only has a message.
        message: What it says in words.
    """

    names: frozenset[str] | None
    message: str

    def of(self, name: str, text: str = "") -> bool:
        """Whether the error may be about a parameter.

        Args:
            name: The parameter.
            text: The text of the item; where the message repeats it, its words name nothing.
        """
        if self.names is not None:
            return name in self.names
        message = self.message
        for line in filter(None, text.splitlines()):
            message = message.replace(line, "")
        return re.search(rf"\b{re.escape(name)}\b", message) is not None


def read_blame(body: bytes) -> Blame:
    """Read which parameters an error may be about, from OpenAI's `param` and from the `loc` of validation errors."""
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return Blame(None, error_message(body))
    for name in ("error", "detail"):
        if isinstance(value, dict) and name in value:
            value = cast(dict[str, Any], value)[name]
    rows: list[Any] = cast(list[Any], value) if isinstance(value, list) else [value]
    problems = [cast(dict[str, Any], row) for row in rows if isinstance(row, dict)]
    names: set[str] = set()
    messages = [row for row in rows if isinstance(row, str)]
    for problem in problems:
        param, loc, words = (problem.get(name) for name in ("param", "loc", "msg"))
        places = [place for place in cast(list[Any], loc) if place != "body"] if isinstance(loc, list) else []
        names |= {place for place in [param, *places] if isinstance(place, str) and place}
        messages += [text for text in (words, problem.get("message")) if isinstance(text, str)]
    return Blame(frozenset(names) if names else None, "; ".join(messages))


def storable(text: str) -> str:
    """The start of a text, without what no file can keep: halves of characters and zero bytes."""
    return text[:MOST_CHARACTERS].encode("utf-8", "replace").decode().replace("\x00", "")


def read_form(body: bytes, form: type[Any], name: str) -> Any:
    """Read JSON of a form.

    Args:
        body: What a server sent.
        form: The pydantic model of the form.
        name: Of the form, for the message.

    Raises:
        UnreadableAnswer: It is not of that form.
    """
    try:
        return form.model_validate(json.loads(body))  # pydantic's own reader refuses halves of characters
    except (ValueError, RecursionError) as error:
        if not isinstance(error, ValidationError):
            raise UnreadableAnswer(f"the engine sent no {name}: it is not JSON") from None
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise UnreadableAnswer(f"the engine sent no {name}: {where}{': ' * bool(where)}{problem['msg']}") from None
