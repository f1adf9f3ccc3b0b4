"""Pictures as words: a catalogue's visual tokens get ids beyond the vocabulary, so that a prompt is token ids alone.

Trainers that know token ids only (TRL's) then train any multimodal model on exactly the prompts that it is asked
elsewhere, and its eye, which is frozen anyway, looks once at each picture.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from mmsrarec.models.backbone.mllm import Mllm


class ImageTokenVocabulary:
    """The ids that stand for pictures. features: item code -> (v, d)."""

    def __init__(self, mllm: Mllm, features: Mapping[int, Tensor]):
        self.mllm = mllm
        self.first = mllm.model.get_input_embeddings().weight.shape[0]  # pyright: ignore
        sizes = {code: len(feature) for code, feature in features.items()}
        starts = torch.tensor([0, *sizes.values()]).cumsum(0).tolist()
        self.ids = {code: range(self.first + start, self.first + start + sizes[code])
                    for code, start in zip(sizes, starts, strict=False)}  # fmt: skip
        dim = mllm.hidden_size
        self.table = torch.cat([*features.values(), torch.zeros(1, dim)]).to(mllm.device, mllm.dtype)

    def fill(self, prompt: Sequence[int], code: int) -> list[int]:
        """A prompt with image placeholders, as one that names the picture of an item."""
        visual = iter(self.ids[code])
        return [next(visual) if token == self.mllm.image_token else token for token in prompt]

    @contextmanager
    def spoken(self) -> Iterator[None]:
        """While this holds, the model's input embeddings know the ids."""
        embedding = self.mllm.model.get_input_embeddings()  # pyright: ignore
        known = embedding.forward

        def forward(ids: Tensor) -> Tensor:
            picture = ids >= self.first
            words = known(ids.masked_fill(picture, 0))
            seen = self.table[(ids - self.first).clamp(min=0, max=len(self.table) - 1)]
            return torch.where(picture.unsqueeze(-1), seen.to(words.dtype), words)

        embedding.forward = forward
        try:
            yield
        finally:
            embedding.forward = known
