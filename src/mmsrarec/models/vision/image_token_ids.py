"""Gives a catalogue's visual tokens ids beyond the vocabulary, so that a prompt with pictures is token ids alone.

Trainers that know only token ids (TRL's) can then train any multimodal model on exactly the prompts that are used
elsewhere, and the frozen vision tower encodes each picture once.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from mmsrarec.models.backbone.mllm import Mllm


class ImageTokenVocabulary:
    """The token ids of pictures.

    Attributes:
        mllm: The model.
        first: The first id beyond the vocabulary.
        ids: Item code -> the ids of its visual tokens.
        table: (visual tokens + 1, d) the visual tokens by id, and a row of zeros; wider with deepstack features.
    """

    def __init__(self, mllm: Mllm, features: Mapping[int, Tensor]) -> None:
        """Give ids to features, item code -> (v, d)."""
        self.mllm = mllm
        self.first = mllm.model.get_input_embeddings().weight.shape[0]
        ends = accumulate(len(feature) for feature in features.values())
        sizes = ((code, len(feature)) for code, feature in features.items())
        self.ids = {
            code: range(self.first + end - size, self.first + end)
            for (code, size), end in zip(sizes, ends, strict=True)
        }
        dim = next((feature.shape[-1] for feature in features.values()), mllm.hidden_size)
        self.table = torch.cat([*features.values(), torch.zeros(1, dim)]).to(mllm.device, mllm.dtype)

    def fill(self, prompt: Sequence[int], code: int) -> list[int]:
        """Replace the image placeholders of a prompt by the ids of an item's picture."""
        visual_ids = iter(self.ids[code])
        return [next(visual_ids) if token == self.mllm.image_token else token for token in prompt]

    @contextmanager
    def installed(self) -> Generator[None]:
        """Let the model's input embeddings accept the ids while the block runs."""
        embedding = cast(Any, self.mllm.model.get_input_embeddings())
        original_forward = embedding.forward

        def forward(ids: Tensor) -> Tensor:
            is_picture = ids >= self.first
            words: Tensor = original_forward(ids.masked_fill(is_picture, 0))
            words = F.pad(words, (0, self.table.shape[-1] - words.shape[-1]))
            pictures = self.table[(ids - self.first).clamp(min=0, max=len(self.table) - 1)]
            return torch.where(is_picture.unsqueeze(-1), pictures.to(words.dtype), words)

        embedding.forward = forward
        try:
            yield
        finally:
            embedding.forward = original_forward
