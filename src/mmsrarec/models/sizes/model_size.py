"""How large a model is, counted on its empty shape: transformers builds it from a configuration, without weights.

A published model is built on torch's "meta" device, where a tensor has a shape and no memory. So whatever transformers
can load can be planned, and no formula has to follow its architectures.
"""

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.loading_lock import LOADING
from mmsrarec.models.sizes.native_picture import load_image_processor
from mmsrarec.models.sizes.vision_work import VisionWork, vision_work
from mmsrarec.models.untyped import named_modules

PUBLISHED = Path(__file__).with_name("published_models.toml")
SMALL = "embedded-small"
"""Ranks with fewer layers of the embedded model, and is as large otherwise."""


@dataclass(frozen=True)
class ModelSize:
    """What a plan needs to know of a model.

    Attributes:
        name: As the recipe names it.
        parameters: Of the whole model; tied weights count once.
        decoder_parameters: Of the language model's layers.
        embedding_parameters: Of the token embeddings, and of the head where it has weights of its own.
        layer_weights: Weights of the linear maps of one layer: what a token is multiplied with.
        head_weights: Weights of the head, which a written token is multiplied with.
        layers: Of the language model.
        hidden: Width of a token's state.
        intermediate: Width of the feed-forward part.
        query_channels: Attention heads times their size.
        key_value_channels: Numbers that a token leaves in the cache of one layer.
        layer_maps: (inputs, outputs) of the linear maps of one layer, which LoRA sits on.
        vision: Work of a picture; None for a model of texts alone.
        family: Its model_type, as transformers names it.
    """

    name: str
    parameters: int
    decoder_parameters: int
    embedding_parameters: int
    layer_weights: int
    head_weights: int
    layers: int
    hidden: int
    intermediate: int
    query_channels: int
    key_value_channels: int
    layer_maps: tuple[tuple[int, int], ...]
    vision: VisionWork | None
    family: str

    def shortened(self, layers: int | None) -> "ModelSize":
        """The model with the lowest layers only, as `recommend.layers` leaves it; None keeps all."""
        if layers is None or layers >= self.layers:
            return self
        layer = self.decoder_parameters // self.layers
        rest = self.parameters - layer * (self.layers - layers)
        return replace(self, layers=layers, decoder_parameters=layer * layers, parameters=rest)

    @property
    def deepstack(self) -> int:
        """Layers after which features of a picture are added."""
        return self.vision.deepstack if self.vision else 0

    def adapter_parameters(self, rank: int, first_layer: int) -> int:
        """Weights of a LoRA of a rank on the layers from `first_layer` on."""
        return max(self.layers - first_layer, 0) * rank * sum(wide + high for wide, high in self.layer_maps)


def published_names() -> tuple[str, ...]:
    """Names of the published models whose sizes are known."""
    return tuple(name for name in _published() if name != "embedded")


def model_size(name: str, picture_side: int = 512) -> ModelSize:
    """Count a model.

    Args:
        name: "embedded", "embedded-small", the name of a published model, or a folder with a config.json.
        picture_side: Pixels of a picture's side, for models whose grid follows the picture.

    Raises:
        MmsrarecError: No such model is known.
    """
    return size_of(_config(name), name, picture_side, _image_processor(name))


def size_of(config: Any, name: str, picture_side: int = 512, image_processor: Any = None) -> ModelSize:
    """Count the model of a configuration of transformers.

    Args:
        config: The configuration.
        name: A name for it.
        picture_side: As in `model_size`.
        image_processor: Of the model; None takes pictures whole.
    """
    return count(_empty(config), name, picture_side, image_processor)


def count(model: nn.Module, name: str, picture_side: int = 512, image_processor: Any = None) -> ModelSize:
    """Count a model of transformers, with weights or without.

    Args:
        model: A model for texts, with pictures or without.
        name: A name for it.
        picture_side: As in `model_size`.
        image_processor: As in `size_of`.
    """
    whole = cast(Any, model)
    decoder: nn.Module = whole.get_decoder()
    blocks = cast(nn.ModuleList, decoder.layers)
    config: Any = decoder.config
    maps = [part for _, part in named_modules(blocks[0]) if isinstance(part, nn.Linear)]
    head: nn.Linear = whole.get_output_embeddings()
    embedding: nn.Embedding = whole.get_input_embeddings()
    tied = head.weight is embedding.weight or bool(getattr(whole.config, "tie_word_embeddings", False))
    heads: int = config.num_attention_heads
    head_dim: int = getattr(config, "head_dim", None) or config.hidden_size // heads
    key_values: int = getattr(config, "num_key_value_heads", None) or heads
    return ModelSize(
        name=name,
        parameters=_parameters(model) - (head.weight.numel() if tied and head.weight is not embedding.weight else 0),
        decoder_parameters=_parameters(blocks),
        embedding_parameters=embedding.weight.numel() + (0 if tied else head.weight.numel()),
        layer_weights=sum(part.weight.numel() for part in maps),
        head_weights=head.weight.numel(),
        layers=len(blocks),
        hidden=config.hidden_size,
        intermediate=config.intermediate_size,
        query_channels=heads * head_dim,
        key_value_channels=2 * key_values * head_dim,
        layer_maps=tuple((part.in_features, part.out_features) for part in maps),
        vision=vision_work(model, picture_side, image_processor),
        family=str(whole.config.model_type),
    )


def _parameters(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


def _empty(config: Any) -> nn.Module:
    """The model of a configuration, without memory."""
    with LOADING, torch.device("meta"):
        import transformers  # takes seconds

        sees = type(config) in cast(Any, transformers).MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
        auto = getattr(transformers, "AutoModelForImageTextToText" if sees else "AutoModelForCausalLM")
        return auto.from_config(config)


def _config(name: str) -> Any:
    """The configuration of a model, by name or folder.

    Raises:
        MmsrarecError: No such model is known.
    """
    with LOADING:
        from transformers import AutoConfig

    published = _published()
    entry = published.get("embedded" if name == SMALL else name) or published.get(name.rpartition("/")[2])
    if entry is not None and not Path(name).is_dir():
        return _auto(AutoConfig).for_model(**entry["config"])
    if not Path(name, "config.json").is_file():
        known = ", ".join(published)
        raise MmsrarecError(
            f'the size of the model "{name}" is not known: name a folder that holds its config.json, or one of {known}'
        )
    try:
        return _auto(AutoConfig).from_pretrained(name)
    except (OSError, ValueError, KeyError) as error:
        raise MmsrarecError(f"{name}/config.json describes no model: {str(error).splitlines()[0]}") from None


def _image_processor(name: str) -> Any:
    """The image processor of a model, by name or folder; None where nothing is known of it.

    Raises:
        MmsrarecError: The settings in the folder describe none.
    """
    entry = _published().get(name) or _published().get(name.rpartition("/")[2])
    try:
        return load_image_processor(Path(name) if Path(name).is_dir() else (entry or {}).get("processor"))
    except (OSError, ValueError) as error:
        raise MmsrarecError(f"{name} describes no image processor: {str(error).splitlines()[0]}") from None


def _auto(auto_class: Any) -> Any:
    """A class of transformers, which has no types."""
    return auto_class


@cache
def _published() -> dict[str, dict[str, Any]]:
    return tomllib.loads(PUBLISHED.read_text(encoding="utf-8"))
