"""Settings of the baselines, a table for each row that has any, and the values that a search on validation may try.

Free of torch and scipy, so that a recipe can be read without them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmsrarec.errors import MmsrarecError
from mmsrarec.retrieve.settings import EncoderName, RetrieveSettings


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AlsSettings(_Settings):
    """Matrix factorisation by alternating least squares."""

    factors: int = Field(default=64, ge=1, le=4096, description="size of a user's and an item's vector")
    alpha: float = Field(default=20, gt=0, description="confidence of an interaction against none: 1 + alpha")
    regularization: float = Field(default=0.01, ge=0, description="weight of the squared size of all vectors")
    iterations: int = Field(default=15, ge=1, le=1000, description="rounds of least squares")


class EaseSettings(_Settings):
    """The linear model of items by items."""

    l2: float = Field(default=100, gt=0, description="weight of the squared size of the item-item matrix")


class ItemKnnSettings(_Settings):
    """Nearest items."""

    k: int | None = Field(default=None, ge=1, description="neighbours kept of each item; not set: all")
    shrinkage: float = Field(
        default=0.0, ge=0, description="added to a cosine's denominator, so that few common users count less"
    )


class UserKnnSettings(_Settings):
    """Nearest users."""

    k: int = Field(default=50, ge=1, description="neighbours of a user")


class SequentialRulesSettings(_Settings):
    """Rules "who took this took that soon after"."""

    window: int = Field(default=4, ge=1, le=1000, description="steps between the two items of a rule, at most")


class RecentPopularitySettings(_Settings):
    """Popularity of late."""

    share: float = Field(default=0.1, gt=0, le=1, description="share of the log, the newest part, that is counted")


class SequenceModelSettings(_Settings):
    """What a sequence model that is a row only has of its own; whatever is not set is as in [retrieve]."""

    embedding_size: int | None = Field(default=None, ge=2, le=1024, description="size of a user's and an item's vector")
    n_layers: int | None = Field(default=None, ge=1, le=12, description="transformer blocks, or recurrent layers")
    n_heads: int | None = Field(default=None, ge=1, le=16, description="attention heads; divides dims")
    max_length: int | None = Field(default=None, ge=1, le=1000, description="items of a history that are read")
    dropout: float | None = Field(default=None, ge=0, lt=1, description="share of activations dropped in training")
    learning_rate: float | None = Field(default=None, gt=0, le=1, description="learning rate of AdamW")
    weight_decay: float | None = Field(default=None, ge=0, le=10, description="decay of AdamW")
    batch_size: int | None = Field(default=None, ge=1, description="events a training step, about")
    epochs: int | None = Field(default=None, ge=1, description="passes over the training events, at most")
    patience: int | None = Field(default=None, ge=1, description="passes without a better validation NDCG@10")
    mask_prob: float | None = Field(default=None, gt=0, lt=1, description="share of items hidden; only bert4rec")
    id_dropout: float | None = Field(
        default=None, ge=0, le=1, description="share of items known by content alone; only content-sasrec"
    )


class BaselineSettings(_Settings):
    """A table for each baseline that has settings."""

    als: AlsSettings = AlsSettings()
    ease: EaseSettings = EaseSettings()
    item_knn: ItemKnnSettings = ItemKnnSettings()
    user_knn: UserKnnSettings = UserKnnSettings()
    sequential_rules: SequentialRulesSettings = SequentialRulesSettings()
    recent_popularity: RecentPopularitySettings = RecentPopularitySettings()
    sasrec: SequenceModelSettings = SequenceModelSettings()
    gru4rec: SequenceModelSettings = SequenceModelSettings()
    bert4rec: SequenceModelSettings = SequenceModelSettings()
    content_sasrec: SequenceModelSettings = SequenceModelSettings()

    def of(self, row: str) -> dict[str, Any]:
        """What is set for a row, by its name in the table; {} for a row without settings."""
        own = getattr(self, table_of(row), None)
        return own.model_dump(exclude_none=isinstance(own, SequenceModelSettings)) if own is not None else {}

    def with_row(self, row: str, values: Mapping[str, Any]) -> "BaselineSettings":
        """The same with other values for a row."""
        own = getattr(self, table_of(row))
        changed = type(own).model_validate(own.model_dump() | dict(values))
        return self.model_copy(update={table_of(row): changed})


def encoder_settings(retrieve: RetrieveSettings, baselines: BaselineSettings, name: EncoderName) -> RetrieveSettings:
    """The settings of a sequence model by name: stage 2's own has those of [retrieve], a row only its own on top.

    Raises MmsrarecError where stage 2's own has a table among the baselines too, or the two do not fit together.
    """
    own = baselines.of(name)
    table = f"evaluate.baselines.{table_of(name)}"
    if name == retrieve.encoder:
        if own:
            raise MmsrarecError(f"{table}: {name} is the encoder of stage 2, set retrieve.{next(iter(own))} instead")
        return retrieve
    try:
        return RetrieveSettings.model_validate(retrieve.model_dump() | own | {"encoder": name})
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise MmsrarecError(f"{table}, with [retrieve] where it sets nothing: {message}") from error


def table_of(row: str) -> str:
    """The table of a row's settings: "item-knn" has [evaluate.baselines.item_knn]."""
    return row.replace("-", "_")


_SEQUENCE = {"dropout": (0.1, 0.2, 0.3, 0.5), "learning_rate": (5e-4, 1e-3, 2e-3), "embedding_size": (32, 64, 128)}
SPACES: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "als": {
        "factors": (32, 64, 128, 256),
        "alpha": (1.0, 5.0, 10.0, 20.0, 40.0),
        "regularization": (0.001, 0.01, 0.1, 1.0, 10.0),
        "iterations": (10, 15, 30),
    },
    "ease": {"l2": (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)},
    "item-knn": {"k": (10, 20, 50, 100, 200, None), "shrinkage": (0.0, 1.0, 5.0, 10.0, 50.0, 100.0)},
    "user-knn": {"k": (5, 10, 20, 50, 100, 200, 500)},
    "sequential-rules": {"window": (1, 2, 3, 4, 6, 8, 10, 15)},
    "recent-popularity": {"share": (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)},
    "sasrec": _SEQUENCE,
    "gru4rec": _SEQUENCE,
    "bert4rec": _SEQUENCE,
    "content-sasrec": _SEQUENCE | {"id_dropout": (0.1, 0.25, 0.5)},
}
"""What a search may try for a row: for each setting its values. Every row is given as many tries as any other."""
