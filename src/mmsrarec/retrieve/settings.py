"""Settings of stage 2; free of torch, so that a recipe can be read without it."""

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

EncoderName = Literal[
    "sasrec", "gru4rec", "bert4rec", "content-sasrec", "item-tokens", "item-tokens-random", "speeder-style"
]
ENCODERS: tuple[EncoderName, ...] = get_args(EncoderName)
CONTENT_SASREC: EncoderName = "content-sasrec"
"""The encoder by whose item content new items are ranked."""
SPEEDER_STYLE: EncoderName = "speeder-style"
"""The encoder whose items are mixed from modalities."""
ITEM_TOKENS: tuple[EncoderName, ...] = ("item-tokens", "item-tokens-random", SPEEDER_STYLE)
"""The encoders whose layers are those of the language model; "random" are they as drawn before it was trained."""
CONTENT_ENCODERS: tuple[EncoderName, ...] = (CONTENT_SASREC, *ITEM_TOKENS)
"""The encoders that read item content. They need stage 1, and the others do not."""


class EncoderSettings(BaseModel):
    """The settings of a sequence model and its training; each field's description holds its unit and meaning."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoder: EncoderName = Field(
        default="sasrec", description="the sequence model whose state after a history is the user's embedding"
    )
    embedding_size: int = Field(default=64, ge=2, le=1024, description="size of a user's and an item's vector")
    n_layers: int = Field(default=2, ge=1, le=12, description="transformer blocks of the encoder, or recurrent layers")
    n_heads: int = Field(default=2, ge=1, le=16, description="attention heads; divides embedding_size; not of gru4rec")
    max_length: int = Field(
        default=50, ge=1, le=1000, description="items: how much of a history the encoder reads, from its end"
    )
    dropout: float = Field(default=0.2, ge=0, lt=1, description="share of activations dropped while training")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="learning rate of AdamW")
    body_learning_rate: float = Field(
        default=2e-4,
        ge=0,
        le=1,
        description="learning rate of the language model's layers, at its highest; only item-tokens",
    )
    weight_decay: float = Field(default=0.0, ge=0, le=10, description="decay of AdamW")
    batch_size: int = Field(
        default=512,
        ge=1,
        description="interactions of a training step, about: whole windows of up to `max_length` interactions",
    )
    epochs: int = Field(default=100, ge=1, description="passes over the training interactions, at most")
    patience: int = Field(
        default=5, ge=1, description="passes without a better validation NDCG@10 before training stops"
    )
    loss: Literal["softmax", "sampled"] = Field(
        default="softmax", description="cross-entropy over all items, or over a sample"
    )
    negatives: int = Field(default=256, ge=1, description="items sampled a training step; only where loss is sampled")
    logits_dtype: Literal["float32", "bfloat16"] = Field(
        default="float32", description="number format of the scores of all items while training; only softmax"
    )
    mask_prob: float = Field(
        default=0.3, gt=0, lt=1, description="share of a window's items hidden while training; only bert4rec"
    )

    content_size: int = Field(
        default=64, ge=1, le=1024, description="principal components of an item's content; content-sasrec, item-tokens"
    )
    id_dropout: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="share of items that a training step represents by content alone; content-sasrec, item-tokens",
    )
    picture_size: int = Field(
        default=16, ge=1, le=1024, description="principal components of an item's picture; only speeder-style"
    )
    modality_dropout: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="share of items whose text, and of those whose picture, a training step drops; only speeder-style",
    )
    order_weight: float = Field(
        default=0.1,
        ge=0,
        le=10,
        description="weight of learning which place a state has and which of two is earlier; only speeder-style",
    )

    @model_validator(mode="after")
    def _heads_divide_dims(self) -> "EncoderSettings":
        if self.embedding_size % self.n_heads:
            raise ValueError(f"heads ({self.n_heads}) must divide dims ({self.embedding_size})")
        return self


class RetrieveSettings(EncoderSettings):
    """The settings of stage 2: the encoder, the search for similar users, and how many of their next items count."""

    index: Literal["exact", "faiss", "codes", "ivf"] = Field(
        default="exact",
        description="the search for neighbours; exact and faiss give the same result; codes and ivf are approximate, "
        "for logs of millions, codes being the quicker and the more exact. All but exact: pip install faiss-cpu",
    )
    rows_per_user: int | None = Field(
        default=None,
        ge=1,
        description="newest interactions of each user that the search knows, for logs whose vectors fill the memory; "
        "earlier queries find fewer neighbours; not set: all",
    )
    k: int = Field(default=3, ge=1, le=100, description="neighbours: similar users of a query")
    next_items: int = Field(default=3, ge=1, le=50, description="items of a neighbour that count as consumed next")
    n_vote_neighbours: int | None = Field(
        default=None,
        ge=1,
        le=20000,
        description="similar users whose votes on a candidate are put into words; not set: a sixth of all, 50 to 5000",
    )
    n_vote_items: int = Field(
        default=10, ge=1, le=50, description="items of each voting neighbour that count as consumed next"
    )

    def n_vote_neighbours_of(self, users: int) -> int:
        """The number of voting neighbours, given the number of users in the training log."""
        return self.n_vote_neighbours if self.n_vote_neighbours is not None else min(max(users // 6, 50), 5000)
