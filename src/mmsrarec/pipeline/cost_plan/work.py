"""Operations of the language model, counted by one rule.

A product of a token with a weight is two operations. A forward pass multiplies each token with each weight of the
layers once: 2 a weight. Training with LoRA multiplies the gradient of each token with each frozen weight once more, in
the layers that are trained and not below: 2 a weight. A trained weight has both, and its own gradient: 6. Attention has
no weights: each pair of tokens of which one sees the other takes 4 operations a channel and layer, 8 more in training.
Norms, activations and sampling are left out: they are few, and slow for other reasons.
"""

from dataclasses import dataclass

from mmsrarec.models.sizes.model_size import ModelSize


@dataclass(frozen=True)
class Work:
    """Work of one kind.

    Attributes:
        tokens: That pass the language model.
        flops: Products with weights.
        attention_flops: Products of tokens with one another.
        reads: Weights that are read again because answers are written token by token.
        trains: Whether it is training.
    """

    tokens: float = 0.0
    flops: float = 0.0
    attention_flops: float = 0.0
    reads: float = 0.0
    trains: bool = False

    def times(self, count: float) -> "Work":
        """The same so many times."""
        return Work(
            count * self.tokens, count * self.flops, count * self.attention_flops, count * self.reads, self.trains
        )


def pack_pairs(shared: float, own: float, candidates: float) -> float:
    """Pairs of tokens of which one sees the other, where candidates of `own` tokens share a prompt."""
    return shared * (shared + 1) / 2 + candidates * (own * shared + own * (own + 1) / 2)


def forward(size: ModelSize, shared: float, own: float = 0.0, candidates: float = 0.0) -> Work:
    """One prompt read, with all its candidates.

    Args:
        size: The model.
        shared: Tokens of the prompt.
        own: Tokens of a candidate.
        candidates: Their number.
    """
    tokens = shared + own * candidates
    pairs = pack_pairs(shared, own, candidates)
    return Work(
        tokens, 2.0 * size.layer_weights * size.layers * tokens, 4.0 * size.query_channels * pairs * size.layers
    )


def training(
    size: ModelSize, rank: int, first_layer: int, shared: float, own: float = 0.0, candidates: float = 0.0
) -> Work:
    """One prompt trained on.

    Args:
        size: The model.
        rank: Of LoRA.
        first_layer: The first layer with LoRA; the backward pass ends there.
        shared: Tokens of the prompt.
        own: Tokens of a candidate.
        candidates: Their number.
    """
    read = forward(size, shared, own, candidates)
    trained = max(size.layers - first_layer, 0) / size.layers
    adapter = size.adapter_parameters(rank, first_layer)
    return Work(
        read.tokens,
        read.flops * (1 + trained) + 6.0 * adapter * read.tokens,
        read.attention_flops * (1 + 2 * trained),
        trains=True,
    )


def writing(size: ModelSize, prompt: float, new_tokens: float, batch: float) -> Work:
    """One answer written, token by token, after its prompt was read.

    Args:
        size: The model.
        prompt: Tokens of the prompt.
        new_tokens: Tokens of the answer.
        batch: Answers that are written at once, which share each reading of the weights.
    """
    weights = size.layer_weights * size.layers + size.head_weights
    pairs = new_tokens * prompt + new_tokens * (new_tokens + 1) / 2
    return Work(
        new_tokens,
        2.0 * weights * new_tokens,
        4.0 * size.query_channels * pairs * size.layers,
        reads=weights * new_tokens / max(batch, 1.0),
    )
