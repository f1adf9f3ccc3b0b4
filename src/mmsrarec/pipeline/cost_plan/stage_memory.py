"""Bytes that a stage holds at once, by part.

What the backward pass needs of a layer is counted as autograd keeps it: the normalized states, queries, keys, values,
the output of attention, and four tensors of the feed-forward part; a test holds the count against autograd's own.
"""

from mmsrarec.models.backbone.settings import Quantization
from mmsrarec.models.sizes.model_size import ModelSize

LIBRARIES = 0.5e9
"""Of torch, transformers and the program itself."""
TRAINING_OVERHEAD = 2.2
"""Bytes of training over what autograd keeps of plain attention: copies for packed attention, padding, gradients on
their way. From one measurement: 5.5 and 20 GiB with 8 and 30 layers of the embedded model, 16,320 tokens at once."""
ADAM_BYTES = 16
"""Of a trained weight: the float32 copy, its gradient, and two averages."""
FLOAT32 = 4

Parts = dict[str, float]
"""Part -> bytes."""


QUANTIZED_BYTES: dict[Quantization, float] = {
    "torchao-int8": 1.0,
    "bitsandbytes-8bit": 1.0,
    "bitsandbytes-4bit": 0.5 + 4 / 64,
}
"""Of a weight that is kept in few bits; four bits have a scale of four bytes for each 64 weights beside them."""


def weights(size: ModelSize, number_bytes: int, quantization: Quantization | None = None) -> Parts:
    """The model's own weights, and the libraries.

    Args:
        size: The model.
        number_bytes: Of a number of the model.
        quantization: In how few bits the weights of the layers' linear maps are kept.
    """
    few = size.layer_weights * size.layers if quantization else 0
    few_bytes = few * QUANTIZED_BYTES[quantization] if quantization else 0.0
    return {"libraries": LIBRARIES, "weights": (size.parameters - few) * number_bytes + few_bytes}


def reading(size: ModelSize, tokens: float, number_bytes: int) -> Parts:
    """What a forward pass over so many tokens holds at once: states, features for lower layers, the widest layer."""
    numbers = (
        (4 + size.deepstack) * size.hidden + 2 * size.query_channels + size.key_value_channels + 3 * size.intermediate
    )
    return {"activations": tokens * numbers * number_bytes}


def kept_numbers(size: ModelSize, rank: int) -> int:
    """Numbers that autograd keeps of one token in one layer with LoRA."""
    own = 4 * size.hidden + 2 * size.query_channels + size.key_value_channels + 4 * size.intermediate
    return own + rank * len(size.layer_maps)


def training(size: ModelSize, rank: int, first_layer: int, tokens: float, number_bytes: int) -> Parts:
    """What training of LoRA holds: activations of the trained layers, the adapter and its optimizer."""
    layers = max(size.layers - first_layer, 0)
    kept_bytes = tokens * layers * kept_numbers(size, rank) * number_bytes * TRAINING_OVERHEAD
    adapter = size.adapter_parameters(rank, first_layer)
    below = reading(size, tokens, number_bytes)["activations"]
    return {"activations": kept_bytes + below, "adapter and optimizer": float(adapter * (number_bytes + ADAM_BYTES))}


def cache(size: ModelSize, answers: float, length: float, number_bytes: int) -> Parts:
    """Keys and values while so many answers are written, and the logits of their next tokens."""
    logits = answers * size.head_weights / size.hidden * (number_bytes + FLOAT32)
    cache_bytes = answers * length * size.key_value_channels * size.layers * number_bytes
    return {"keys and values": cache_bytes, "logits": logits}


def sequence_model(items: int, width: int, positions: float, logit_bytes: int) -> Parts:
    """A sequence model of a catalogue in training: the item table with its optimizer, and the scores of a step."""
    return {"item table": float(items * width * ADAM_BYTES), "logits": 3.0 * positions * items * logit_bytes}


def neighbours(queries: int, width: int) -> Parts:
    """The index of similar users: a vector for each interaction, and its next items, user and time."""
    return {"neighbour index": float(queries * (width * FLOAT32 + 3 * 8))}
