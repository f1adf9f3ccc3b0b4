"""What changes the state: events, items, the keywords of a user, and the run that answers."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from mmsrarec.serve.schema import schema_examples
from mmsrarec.serve.schema.limits import (
    MAX_EVENTS,
    MAX_TEXT,
    MAX_TITLE,
    NO_NUL,
    Answered,
    Asked,
    Categories,
    Id,
    Keywords,
    NamingId,
    Time,
    with_examples,
)
from mmsrarec.serve.schema.picture_bytes import PictureBytes

EventKind = Literal["view", "click", "like", "cart", "purchase", "not_interested"]
"""All but the last join the history; an item of a "not_interested" is not recommended to this user until they like it,
put it into a cart or buy it."""


class EventAsked(Asked):
    """One thing that a user did."""

    model_config = with_examples(schema_examples.EVENT)

    user: NamingId
    item: NamingId
    kind: EventKind = "click"
    time: Time | None = Field(default=None, description="seconds since 1970; now unless given")
    key: Id | None = Field(
        default=None, description="of one user, the same key is counted once; keys of other users do not count"
    )


class EventBatch(Asked):
    """Several events; they are kept all or none."""

    model_config = with_examples(schema_examples.EVENTS)

    events: list[EventAsked] = Field(min_length=1, max_length=MAX_EVENTS, description="what users did")


class EventsAnswered(Answered):
    """What became of events. They are on the disk when this is answered."""

    model_config = with_examples(schema_examples.EVENTS_KEPT)

    accepted: int
    duplicates: int = Field(description="events whose key the same user sent before")
    unknown_items: list[str] = Field(description="ids that are no items now; their events count once they are")


class ItemAsked(Asked):
    """An item as it is from now on; what is not given is empty."""

    model_config = with_examples(schema_examples.ITEM)

    title: Annotated[str, StringConstraints(max_length=MAX_TITLE, pattern=NO_NUL)] = Field(
        default="", description="its name for shoppers"
    )
    text: Annotated[str, StringConstraints(max_length=MAX_TEXT, pattern=NO_NUL)] = Field(
        default="", description="what is said of it"
    )
    categories: Categories = Field(default_factory=list, description="from the widest to the narrowest")
    picture: PictureBytes | None = Field(
        default=None, description="the file of a picture, which JSON holds in base64; never an address"
    )
    in_stock: bool = Field(default=True, description="whether it may be recommended now")


class ItemPatch(Asked):
    """What changes of an item without reading it anew."""

    model_config = with_examples({"in_stock": False})

    in_stock: bool = Field(description="whether it may be recommended now")


class ItemAnswered(Answered):
    """An item as the server knows it."""

    model_config = with_examples(schema_examples.KNOWN_ITEM)

    item_id: str
    title: str
    text: str
    categories: list[str]
    keywords: list[str]
    in_stock: bool
    has_picture: bool
    recommendable: bool
    notes: list[str] = Field(default_factory=list)


class ItemsAnswered(Answered):
    """A part of the catalogue."""

    model_config = with_examples({"items": [schema_examples.KNOWN_ITEM], "total": 1})

    items: list[ItemAnswered]
    total: int = Field(description="how many items match")


class UserKeywords(Asked):
    """Keywords that stay with a user until they are changed; a question's own are added to them."""

    model_config = with_examples(schema_examples.KEYWORDS)

    more: Keywords = Field(default_factory=list, description="keywords that are asked for")
    less: Keywords = Field(default_factory=list, description="keywords that are to be spared")


class UserEvent(Answered):
    """One event of a user."""

    item: str
    kind: EventKind
    time: int


class UserAnswered(Answered):
    """What the server knows of a user."""

    model_config = with_examples(schema_examples.USER)

    user: str
    in_run: bool = Field(description="whether the run was made with this user")
    history: list[str] = Field(description="item ids, oldest first: of the run, then of the events")
    events: list[UserEvent] = Field(description="the newest events, the last one last")
    n_events: int
    more: list[str]
    less: list[str]


class ErasureAnswered(Answered):
    """The receipt of an erasure; it holds no id of a user."""

    model_config = with_examples(schema_examples.RECEIPT)

    receipt: str
    time: int
    events: int = Field(description="events that were erased")
    run: Literal["erased", "absent"] = Field(
        description="whether files of the runs or their data held the user: erased from them, or never there"
    )
    notes: list[str] = Field(description="what else happened, and what is left to do here")
    not_reached: list[str] = Field(description="what an erasure cannot reach, and the command that does")


class RunAsked(Asked):
    """Another run that takes over."""

    model_config = with_examples(schema_examples.OTHER_RUN)

    name: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = (
        Field(description="a folder beside the one that the server was started with; the example stands for yours")
    )


class RunAnswered(Answered):
    """The run that answers."""

    model_config = with_examples(schema_examples.RUN)

    run: str
    previous: str | None = Field(description="the run that can be had back")
