"""Reads what a server answers: a chat completion, a list of models, or an error. All of it is untrusted."""

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmsrarec.engines.protocol import Usage

MOST_CHARACTERS = 20_000
"""Characters of an answer that are read."""
Count = Annotated[int, Field(ge=0, le=10**9)]


class UnreadableAnswer(Exception):
    """An answer that is not of the form that the API gives it; another attempt may bring a better one."""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)

    type: str = "text"
    text: str = ""


class _Message(BaseModel):
    model_config = ConfigDict(strict=True)

    content: str | list[_Part] | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    model_config = ConfigDict(strict=True)

    index: int = 0
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    model_config = ConfigDict(strict=True)

    prompt_tokens: Count = 0
    completion_tokens: Count = 0


class _Completion(BaseModel):
    model_config = ConfigDict(strict=True)

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
    counted = completion.usage
    return Completion(
        text=storable(text),
        model=storable(completion.model),
        usage=Usage(counted.prompt_tokens, counted.completion_tokens) if counted else None,
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
