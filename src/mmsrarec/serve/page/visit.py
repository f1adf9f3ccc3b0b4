"""A visit: who looks, and what they chose, struck and hid. It stands in the address of each page, and nowhere else.

So a page can be kept, sent and gone back from. Nothing that somebody tries is stored, and no page changes anything.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Self, cast
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from mmsrarec.recommend.prompt.preferences import MAX_PREFERENCES
from mmsrarec.serve.schema.limits import NO_CONTROLS, Id, Keyword
from mmsrarec.serve.schema.recommending import RecommendAsked

MAX_CHOSEN = 40
"""Items that a visit likes, at most, and items that it hides; of more the newest are kept."""
ACTS = ("like", "unlike", "hide", "show", "more", "less", "drop")
LIMITS = {
    "like": ("items are liked in one visit", MAX_CHOSEN),
    "hide": ("items are sent away", MAX_CHOSEN),
    "more": ("keywords can be asked for", MAX_PREFERENCES),
    "less": ("keywords can be struck", MAX_PREFERENCES),
}
"""Of each list of a visit what it holds, in words, and how many of them."""
OTHER = {"like": "hide", "hide": "like", "more": "less", "less": "more"}
"""The list into which something goes from another."""
Act = Annotated[str, StringConstraints(max_length=300, pattern=rf"^({'|'.join(ACTS)})(:[^\x00-\x1f\x7f]+)?$")]
Typed = Annotated[str, StringConstraints(max_length=80, pattern=NO_CONTROLS)]


class Visit(BaseModel):
    """Who looks at a run, and what they want.

    Attributes:
        user: A user id; None: somebody of whom nothing is known.
        like: Item ids, oldest first.
        hide: Item ids that are not shown.
        more: Keywords that are asked for.
        less: Keywords that are struck.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    user: Id | None = None
    like: Annotated[list[Id], Field(max_length=MAX_CHOSEN)] = Field(default_factory=list[str])
    hide: Annotated[list[Id], Field(max_length=MAX_CHOSEN)] = Field(default_factory=list[str])
    more: Annotated[list[Keyword], Field(max_length=MAX_PREFERENCES)] = Field(default_factory=list[str])
    less: Annotated[list[Keyword], Field(max_length=MAX_PREFERENCES)] = Field(default_factory=list[str])

    @field_validator("user", mode="before")
    @classmethod
    def _nobody(cls, value: Any) -> Any:
        """A form without a name sends an empty one."""
        return value.strip() or None if isinstance(value, str) else value

    @field_validator("like", "hide", "more", "less", mode="before")
    @classmethod
    def _once(cls, value: Any) -> Any:
        """Each value once, and none that is empty."""
        return list(dict.fromkeys(one for one in cast("list[Any]", value) if one)) if isinstance(value, list) else value

    @property
    def is_new(self) -> bool:
        """Whether nothing is known of who looks."""
        return not (self.user or self.like)

    @property
    def is_blank(self) -> bool:
        """Whether nothing was asked for either."""
        return self.is_new and not (self.more or self.less or self.hide)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Names and values of the fields of a form that holds the visit."""
        user = [] if self.user is None else [("user", self.user)]
        lists = {"like": self.like, "hide": self.hide, "more": self.more, "less": self.less}
        return [*user, *((name, value) for name, values in lists.items() for value in values)]

    def address(self, path: str, **more: str) -> str:
        """A relative address at which this visit goes on.

        Args:
            path: Of the page.
            more: Further parameters; empty ones are left out.
        """
        query = urlencode([*((name, value) for name, value in more.items() if value), *self.fields], errors="replace")
        return f"{path}?{query}" if query else path

    def after(self, act: str, word: str = "") -> Self:
        """The visit after something was done.

        Args:
            act: One of ACTS, a colon, and an item id or a keyword.
            word: The keyword, where the act names none.
        """
        verb, _, what = act.partition(":")
        what = what or word.strip()
        if not what:
            return self
        lists = {"like": self.like, "hide": self.hide, "more": self.more, "less": self.less}
        left = {name: [one for one in values if one != what] for name, values in lists.items()}
        if verb in ("like", "unlike", "hide", "show"):
            changed = {name: left[name] for name in ("like", "hide")}
            if verb in changed:
                changed[verb] = _newest(verb, [*changed[verb], what])
        else:
            folded = what.casefold()
            changed = {name: [one for one in lists[name] if one.casefold() != folded] for name in ("more", "less")}
            if verb in changed:
                changed[verb] = _newest(verb, [*changed[verb], what])
        return type(self).model_validate(self.model_dump() | changed)

    def pushed_out(self, before: Self) -> list[str]:
        """What the newest of a full list took the place of since the visit was as `before`, a sentence each."""
        sentences: list[str] = []
        for name, (what, most) in LIMITS.items():
            old, new, other = getattr(before, name), getattr(self, name), getattr(self, OTHER[name])
            gone = [one for one in old if one not in new and one not in other] if len(new) == most else []
            sentences += [f"“{one}” was let go: at most {most} {what}." for one in gone]
        return sentences

    def question(self, k: int, reasons: bool = True, among: Sequence[str] | None = None) -> RecommendAsked:
        """The question for this visit's recommendations."""
        return RecommendAsked(
            user=self.user,
            history=self.like or None,
            k=k,
            among=None if among is None else list(among),
            exclude=self.hide,
            more=self.more,
            less=self.less,
            reasons=reasons,
        )

    def without_words(self) -> Self:
        """The same visit without keywords."""
        return self.model_copy(update={"more": [], "less": []})


def _newest(name: str, values: list[str]) -> list[str]:
    """As many of a list of a visit as it holds, the newest."""
    _, most = LIMITS[name]
    return values[-most:]
