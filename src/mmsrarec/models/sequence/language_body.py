"""The lowest layers of a language model as the body of a sequence model: their configuration, and their weights.

Shapes: p tokens of the opening, h hidden size.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.loading_lock import LOADING

if TYPE_CHECKING:
    from mmsrarec.models.backbone.mllm import Mllm


@dataclass(frozen=True, eq=False)
class LanguageBody:
    """Layers of a language model without its word embeddings.

    Attributes:
        config: The configuration of the layers, as JSON values.
        dtype: The number format in which the layers compute, "float32" or "bfloat16". Weights are float32.
        word_scale: The root mean square of a value of a word's embedding.
        opening: (p, h) float32 embeddings of the words with which every prompt opens.
        weights: The pretrained weights by name; None where only their shapes are known.
    """

    config: Mapping[str, Any]
    dtype: str
    word_scale: float
    opening: Tensor
    weights: Mapping[str, Tensor] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, mllm: "Mllm", layers: int) -> "LanguageBody":
        """The lowest layers of a model, which stays as it is.

        Args:
            mllm: The model.
            layers: The number of layers; all that there are where there are fewer.

        Raises:
            MmsrarecError: The weights of the model are kept in few bits, which cannot be trained.
        """
        if mllm.is_quantized:
            raise MmsrarecError(
                "a sequence model trains the layers of the language model, which needs whole weights: leave "
                "model.quantization out, or this row"
            )
        decoder, embeddings = mllm.decoder, mllm.model.get_input_embeddings().weight
        config: dict[str, Any] = copy.deepcopy(decoder.config.to_dict())
        n_layers = min(layers, len(decoder.layers))
        config |= {"num_hidden_layers": n_layers, "vocab_size": 1, "use_cache": False}
        config |= dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"))  # there are no words
        config.pop("dtype", None)
        if config.get("layer_types"):  # how each layer attends, where they differ
            config["layer_types"] = config["layer_types"][:n_layers]
        unused = {f"layers.{number}." for number in range(n_layers, len(decoder.layers))}
        weights = {
            name: weight.detach().float().cpu().clone()
            for name, weight in decoder.state_dict().items()
            if not (name.startswith("embed_tokens.") or any(map(name.startswith, unused)))
        }
        words = embeddings.detach().float().cpu()
        opening = words[mllm.frame[0]].clone()
        scale = float(words.square().mean(1).sqrt().median())
        return cls(config, str(mllm.dtype).removeprefix("torch."), scale, opening, weights)

    @property
    def hidden_size(self) -> int:
        """h, the size of a hidden state."""
        return int(self.config["hidden_size"])

    def module(self) -> nn.Module:
        """The layers with weights that are not set yet.

        Raises:
            MmsrarecError: transformers knows no such layers.
        """
        from huggingface_hub.errors import StrictDataclassError

        with LOADING:
            from transformers import AutoConfig, AutoModel  # takes seconds, and most sequence models need none of it

        try:
            options = {name: value for name, value in self.config.items() if name != "model_type"}
            config = cast(Any, AutoConfig).for_model(self.config["model_type"], **options)
            with LOADING:
                module: nn.Module = cast(Any, AutoModel).from_config(
                    config, dtype=torch.float32, attn_implementation="sdpa"
                )
        except (KeyError, ValueError, TypeError, ArithmeticError, StrictDataclassError) as error:
            kind = self.config.get("model_type", "of an unknown kind")
            raise MmsrarecError(f"layers of a language model of type {kind} cannot be built: {error}") from error
        cast(Any, module).set_input_embeddings(nn.Identity())  # items are the inputs, not words
        return module

    def record(self) -> dict[str, Any]:
        """All but the weights and the opening, as JSON values."""
        return {"config": dict(self.config), "dtype": self.dtype, "word_scale": self.word_scale}
