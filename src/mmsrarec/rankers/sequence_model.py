"""The rows that are sequence models, "sasrec" to "item-tokens-random": a model's own scores."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries, queries_at
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.ranker_base import RankerBase, RankerSettings
from mmsrarec.retrieve.settings import EncoderName, RetrieveSettings

if TYPE_CHECKING:  # torch comes along only where a model is trained or loaded
    from torch import Tensor

    from mmsrarec.models.sequence.language_body import LanguageBody
    from mmsrarec.rankers.registry.registry import Source
    from mmsrarec.retrieve.encoder import Encoder


class SequenceModelSettings(RankerSettings):
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


class ItemTokensSettings(SequenceModelSettings):
    """What the rows "item-tokens" and "item-tokens-random" have of their own."""

    embedding_size: int | None = Field(default=64, ge=2, le=1024, description="size of a user's and an item's vector")
    content_size: int = Field(default=64, ge=1, le=1024, description="principal components of an item's content")
    n_layers: int | None = Field(default=4, ge=1, le=12, description="lowest layers of the language model")
    dropout: float | None = Field(default=0.3, ge=0, lt=1, description="share of activations dropped in training")
    id_dropout: float | None = Field(default=0.1, ge=0, le=1, description="share of items known by content alone")
    learning_rate: float | None = Field(
        default=1e-3, gt=0, le=1, description="learning rate of all but the layers, at its highest"
    )
    body_learning_rate: float = Field(
        default=2e-4, ge=0, le=1, description="learning rate of the layers, at its highest"
    )
    epochs: int | None = Field(
        default=10, ge=1, description="passes over the training events, at most; the learning rates fall to their end"
    )


class SpeederStyleSettings(ItemTokensSettings):
    """What the row "speeder-style" has of its own."""

    picture_size: int = Field(default=16, ge=1, le=1024, description="principal components of an item's picture")
    modality_dropout: float = Field(
        default=0.1, ge=0, lt=1, description="share of items whose text or picture a training step drops, each apart"
    )
    order_weight: float = Field(
        default=0.1, ge=0, le=10, description="weight of learning places, and which of two states is earlier"
    )


def whole_settings(name: str, own: BaseModel) -> RetrieveSettings:
    """The settings of a sequence model that has only its own. Raises MmsrarecError where they do not fit together."""
    try:
        return RetrieveSettings.model_validate(own.model_dump(exclude_none=True) | {"encoder": name})
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise MmsrarecError(f"settings of {name}: {message}") from error


class SequenceRanker(RankerBase):
    """Scores items by a trained sequence model, be it the one that stage 2 searches with or another."""

    Settings = SequenceModelSettings
    search_space: ClassVar = {
        "dropout": (0.1, 0.2, 0.3, 0.5),
        "learning_rate": (5e-4, 1e-3, 2e-3),
        "embedding_size": (32, 64, 128),
    }
    from_log = False
    proposes = True
    logits = True

    def __init__(
        self,
        settings: BaseModel | None = None,
        content: "Tensor | None" = None,
        device: str = "cpu",
        body: "LanguageBody | None" = None,
        **values: Any,
    ) -> None:
        """Not fitted yet.

        Args:
            settings: What differs from the settings of stage 2.
            content: (n_items, content_dims) what items are, for the models that know them by content.
            device: A torch device to train and to score on.
            body: The layers of a language model, for the models that are made of them.
            **values: Settings by name.
        """
        super().__init__(settings, **values)
        self.content, self.device, self.body = content, device, body

    @classmethod
    def from_source(cls, source: "Source") -> "RankerBase":
        """Made of the run's encoder of this row's name."""
        return cls.of(source.encoder(cast("EncoderName", cls.name)), source.train)

    @classmethod
    def of(cls, encoder: "Encoder", train: Interactions | None = None) -> "SequenceRanker":
        """The ranker of an encoder that is trained already.

        Args:
            encoder: Its settings name the subclass.
            train: Says what its training saw consumed where the encoder itself, of an older run, does not.
        """
        kind = next(ranker for ranker in SequenceRanker.__subclasses__() if ranker.name == encoder.settings.encoder)
        ranker = kind()
        ranker.encoder = encoder
        ranker._known = np.ones(encoder.n_items, dtype=bool)
        ranker._known[encoder.n_trained :] = encoder.knows_content[encoder.n_trained :]
        if not kind.ranks_new_items and encoder.known is not None:
            ranker._known = encoder.known
        elif not kind.ranks_new_items and train is not None:
            ranker._known = train.counts[: encoder.n_items] > 0
        return ranker

    @property
    def n_trained(self) -> int:
        """How many items the model was trained on; the others joined later (`retrieve.later_items`)."""
        return self.encoder.n_trained

    def _fit(self, interactions: Interactions, seed: int) -> None:
        """Choose the number of passes on each user's last interaction, then train anew on all of them."""
        from mmsrarec.retrieve.training import refit, train_encoder

        settings = whole_settings(self.name, self.settings)
        last = interactions.offsets[1:][np.diff(interactions.offsets) >= 2] - 1
        rest = np.ones(len(interactions), dtype=bool)
        rest[last] = False
        before = train_encoder(
            interactions.where(rest),
            queries_at(interactions, last),
            settings,
            seed,
            None,
            self.device,
            self.content,
            self.body,
        )
        self.encoder = refit(before, interactions, seed, None, self.device, self.content, self.body)

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """(m, c) or (m, n_items) logits."""
        if candidates is None:
            return self.encoder.scores(queries.history)
        scores = np.zeros(candidates.shape, dtype=np.float32)
        for begin in range(0, len(queries), 1024):  # a block of full rankings at a time, whatever m
            rows = slice(begin, begin + 1024)
            scores[rows] = np.take_along_axis(self.encoder.scores(queries.history[rows]), candidates[rows], axis=1)
        return scores

    def save(self, folder: Path) -> None:
        """Write the ranker and its encoder."""
        super().save(folder)
        self.encoder.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises MmsrarecError as `RankerBase.load` does."""
        from mmsrarec.retrieve.encoder import Encoder

        ranker = super().load(folder)
        ranker.encoder = Encoder.load(folder)
        ranker.encoder.model.requires_grad_(False)  # as it was fitted: recurrent layers round otherwise where they may
        return ranker

    def _state(self) -> dict[str, NDArray[Any]]:
        return {}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """The encoder has files of its own."""


class Sasrec(SequenceRanker):
    """Self-attention (Kang and McAuley, arXiv 1808.09781)."""

    name = "sasrec"


class Gru4rec(SequenceRanker):
    """A recurrent network (Hidasi et al., arXiv 1511.06939)."""

    name = "gru4rec"


class Bert4rec(SequenceRanker):
    """Self-attention in both directions (Sun et al., arXiv 1904.06690)."""

    name = "bert4rec"


class ContentSasrec(SequenceRanker):
    """Self-attention over items known by their content as well [extension]."""

    name = "content-sasrec"
    ranks_new_items = True
    search_space: ClassVar = {**SequenceRanker.search_space, "id_dropout": (0.1, 0.25, 0.5)}


class ItemTokens(SequenceRanker):
    """Pretrained layers of a language model over items known by content and id [extension]."""

    name = "item-tokens"
    Settings = ItemTokensSettings
    ranks_new_items = True
    search_space: ClassVar = {
        "n_layers": (4, 8),
        "dropout": (0.2, 0.3, 0.5),
        "body_learning_rate": (5e-5, 1e-4, 2e-4),
        "embedding_size": (64, 128),
    }


class ItemTokensRandom(SequenceRanker):
    """The same layers, drawn at random instead of pretrained: the control of `ItemTokens`."""

    name = "item-tokens-random"
    Settings = ItemTokensSettings
    ranks_new_items = True
    search_space = ItemTokens.search_space


class SpeederStyle(SequenceRanker):
    """Item tokens mixed from modalities, with tasks of place and order (after arXiv 2511.05885) [extension]."""

    name = "speeder-style"
    Settings = SpeederStyleSettings
    ranks_new_items = True
    search_space: ClassVar = {**ItemTokens.search_space, "modality_dropout": (0.0, 0.1, 0.3)}
