"""Weights of a few bits, as transformers loads them: the quantisations that a recipe may name.

Only the linear maps of the language model's layers are quantised. The vision encoder, the embeddings and the head keep
the model's number format. An adapter is trained beside the quantised weights (Dettmers et al., arXiv 2305.14314).
"""

import importlib
import importlib.util
from collections.abc import Sequence
from typing import Any, cast

import torch

from mmsrarec.errors import MissingDependencyError
from mmsrarec.models.backbone.settings import Quantization
from mmsrarec.models.loading_lock import LOADING
from mmsrarec.models.untyped import named_modules


def quantization_config(name: Quantization, whole_parts: Sequence[str], dtype: torch.dtype) -> Any:
    """What transformers is told to quantise by.

    Args:
        name: Of the quantisation.
        whole_parts: Names of the parts of the model that are not quantised.
        dtype: The number format that is computed in.

    Raises:
        MissingDependencyError: Its package is not installed.
    """
    package = name.partition("-")[0]
    if importlib.util.find_spec(package) is None:
        raise MissingDependencyError(
            f"model.quantization \"{name}\" needs the package {package}: pip install 'mmsrarec[quantize]', or leave it "
            "out"
        )
    with LOADING:
        import transformers

    library = cast(Any, transformers)  # its classes of settings are typed in part
    if name == "torchao-int8":
        quantizer: Any = importlib.import_module("torchao.quantization")
        return library.TorchAoConfig(quantizer.Int8WeightOnlyConfig(), modules_to_not_convert=list(whole_parts))
    bits = {"load_in_8bit": True} if name == "bitsandbytes-8bit" else {"load_in_4bit": True}
    return library.BitsAndBytesConfig(
        **bits, llm_int8_skip_modules=list(whole_parts), bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
    )


def unquantized_parts(model: torch.nn.Module) -> list[str]:
    """Names of the linear maps that are not quantised: all but those of the language model's layers."""
    layers = cast(Any, model).get_decoder().layers
    quantised = {id(module) for _, module in named_modules(layers)}
    return [
        name
        for name, module in named_modules(model)
        if isinstance(module, torch.nn.Linear) and id(module) not in quantised
    ]


def is_quantized(weight: torch.Tensor) -> bool:
    """Whether a weight is kept in few bits, by a class of its own."""
    return type(weight).__module__.partition(".")[0] in ("torchao", "bitsandbytes")
