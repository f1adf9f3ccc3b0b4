"""The parts of transformers' interfaces that the package uses, as types.

transformers leaves most of its classes without types. `Mllm` casts to these types in one place, when it is made.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn


class Tokenizer(Protocol):
    """What is used of transformers' tokenizers."""

    chat_template: str | None
    pad_token_id: int | None
    eos_token_id: int
    bos_token_id: int | None
    bos_token: str | None

    encode: Callable[..., list[int]]
    decode: Callable[..., str]
    batch_decode: Callable[..., list[str]]
    apply_chat_template: Callable[..., str]


class TensorBatch(Protocol):
    """What an image processor returns: tensors by name."""

    pixel_values: torch.Tensor

    def to(self, device: torch.device) -> "TensorBatch":
        """The same tensors on a device."""
        ...

    def pop(self, name: str) -> torch.Tensor:
        """Remove a tensor and return it."""
        ...

    def keys(self) -> Sequence[str]:
        """The names of the tensors."""
        ...

    def __getitem__(self, name: str) -> torch.Tensor: ...
    def __contains__(self, name: str) -> bool: ...


class ImageProcessor(Protocol):
    """What is used of transformers' image processors."""

    def __call__(self, images: Sequence[Any], *, return_tensors: str) -> TensorBatch:
        """Turn pictures, or one list of pictures for each prompt, into pixels."""
        ...


if TYPE_CHECKING:

    class Decoder(nn.Module):
        """A language model without its head."""

        config: Any
        layers: nn.ModuleList

    class TransformersModel(nn.Module):
        """A causal language model of transformers, with pictures or without."""

        config: Any
        generation_config: Any
        model: Any

        def get_decoder(self) -> Decoder:
            """The language model without its head."""
            ...

        def get_input_embeddings(self) -> nn.Embedding:
            """The embeddings of token ids."""
            ...

        def get_output_embeddings(self) -> nn.Linear:
            """The head, from hidden states to logits."""
            ...

        def get_image_features(self, *, return_dict: bool, **inputs: Any) -> Any:
            """The visual tokens of pixels, under `pooler_output`."""
            ...
