"""Adds LoRA weights (Hu et al., arXiv 2106.09685) to the upper layers of the language model, and trains them.

The weights of the adapter have the model's number format, which keeps bfloat16 arithmetic fast. The optimizer works on
float32 copies, because bfloat16 would round small steps away. The state of a training can be saved and resumed.
"""

import hashlib
import math
import os
import re
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmsrarec.core.artefacts import file_hash
from mmsrarec.core.memory import release_memory
from mmsrarec.errors import MmsrarecError, RecipeError
from mmsrarec.models import processes
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.loading_lock import LOADING
from mmsrarec.models.untyped import (
    backward,
    load_tensors,
    named_modules,
    optimizer_step,
    save_tensors,
    saved_random_state,
    set_seed,
)

if TYPE_CHECKING:  # importing PEFT takes a second, and only a model with an adapter needs it
    from peft import PeftModel

WEIGHTS = "adapter_model.safetensors"
"""The file of an adapter's weights, as PEFT names it."""
# PEFT reads an attribute of transformers by its old name
warnings.filterwarnings("ignore", category=FutureWarning, message=".*gradient_checkpointing.*")


def add_adapter(mllm: Mllm, rank: int, first_layer: int, seed: int, float32: bool = False) -> "PeftModel":
    """Put a new LoRA on all linear maps of the upper layers of the language model, never on the vision tower.

    Args:
        mllm: The model, changed in place.
        rank: r, the rank of the changes.
        first_layer: The first layer with LoRA, from 0.
        seed: The seed of the initial weights.
        float32: Whether the weights are float32, for trainers without float32 copies.

    Returns:
        The model with the adapter.

    Raises:
        MmsrarecError: The model has too few layers.
    """
    path = next(name for name, module in named_modules(mllm.model) if module is mllm.decoder)
    blocks: nn.ModuleList = getattr(mllm.decoder, "layers", nn.ModuleList())
    count = len(blocks)
    if first_layer >= count:
        raise RecipeError(f"first_layer is {first_layer}, but the model has {count} layers: name a lower one")
    layers = "|".join(str(layer) for layer in range(first_layer, count))
    parts = {name for block in blocks for name, part in named_modules(block) if isinstance(part, nn.Linear)}
    with LOADING, saved_random_state():
        from peft import LoraConfig, get_peft_model

        set_seed(seed)
        config = LoraConfig(
            r=rank,
            lora_alpha=2 * rank,
            lora_dropout=0.0,
            target_modules=rf"{re.escape(path)}\.layers\.({layers})\.({'|'.join(map(re.escape, sorted(parts)))})",
        )
        peft = cast("PeftModel", get_peft_model(cast(Any, mllm.model), config, autocast_adapter_dtype=float32))
    if not trainable(peft):
        raise MmsrarecError("the adapter has no trainable weights: nothing would be learned; check first_layer")
    return peft


def load_adapter(mllm: Mllm, folder: Path) -> "PeftModel":
    """Apply a saved adapter to a model, in place.

    Raises:
        MmsrarecError: The saved adapter changes nothing.
    """
    with LOADING:
        from peft import PeftModel

        peft = cast(PeftModel, cast(Any, PeftModel).from_pretrained(mllm.model, folder, autocast_adapter_dtype=False))
    peft.eval().requires_grad_(False)
    weights = peft.named_parameters()
    if not any(name.endswith("lora_B.default.weight") and bool(weight.any()) for name, weight in weights):
        raise MmsrarecError(f"the adapter in {folder} changes nothing: train it again")
    return peft


def merge_adapter(mllm: Mllm, folder: Path) -> Mllm:
    """Apply a saved adapter for good: merge it into whole float32 weights, else keep it next to the weights.

    In a shorter format the sum of a weight and its change is rounded relative to the weight: bfloat16 loses a third
    of what an adapter changed. There the change stays a `LowRank` part, which computes what training computed.

    Args:
        mllm: The model, changed in place.
        folder: The folder of the adapter.

    Returns:
        The model with a fingerprint of its own, so that no cached answer of one form is used for the other.

    Raises:
        MmsrarecError: The saved adapter changes nothing.
    """
    merges = mllm.dtype == torch.float32 and not mllm.is_quantized
    peft, digest = load_adapter(mllm, folder), file_hash(folder / WEIGHTS)[:12]
    if merges:
        model, name = cast(nn.Module, cast(Any, peft).merge_and_unload()), f"{mllm.fingerprint}+{digest}"
    else:
        model, name = replace_lora_layers(peft), f"{mllm.fingerprint}+{digest}-beside"
    return Mllm(model, mllm.tokenizer, mllm.image_processor, name, mllm.processor)


class LowRank(nn.Module):
    """A linear map W with a change of low rank: W x + B A x (Hu et al., arXiv 2106.09685, equation 3).

    The two thin products cost a tenth of the time at rank 8.

    Attributes:
        linear: W.
        down: A, (r, in).
        up: B, (out, r), scaled by alpha / r.
    """

    down: Tensor
    up: Tensor

    def __init__(self, linear: nn.Module, down: Tensor, up: Tensor) -> None:
        super().__init__()
        self.linear = linear
        self.register_buffer("down", down.detach().clone(), persistent=False)
        self.register_buffer("up", up.detach().clone(), persistent=False)

    @property
    def weight(self) -> Tensor:
        """(out, in) W alone, for its size and number format."""
        return cast(Tensor, self.linear.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        return self.linear(x).add_(F.linear(F.linear(x, self.down), self.up))


def replace_lora_layers(peft: "PeftModel") -> nn.Module:
    """Replace PEFT's layers by `LowRank`, which does less around its products.

    Args:
        peft: The model with an adapter, changed in place.

    Returns:
        The model without PEFT.
    """
    from peft.tuners.lora import LoraLayer

    changes: dict[str, tuple[Tensor, Tensor]] = {}
    for name, module in named_modules(cast(Any, peft).base_model.model):
        if isinstance(module, LoraLayer):
            layer = cast(Any, module)
            (adapter,) = layer.active_adapters
            down: Tensor = layer.lora_A[adapter].weight
            up: Tensor = layer.lora_B[adapter].weight
            changes[name] = down, up * layer.scaling[adapter]  # `add_adapter` scales by 2, which rounds nothing
    model = cast(nn.Module, cast(Any, peft).unload())
    for name, (down, up) in changes.items():
        model.set_submodule(name, LowRank(model.get_submodule(name), down, up))
    return model


@contextmanager
def without_adapter(mllm: Mllm) -> Generator[None]:
    """Disable the adapter of a model while the block runs."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    modules = list(mllm.model.modules())
    layers = [cast(Any, module) for module in modules if isinstance(module, BaseTunerLayer)]
    training = trainable(mllm.model)
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)
        mllm.model.requires_grad_(False)
        for weight in training.values():
            weight.requires_grad_(True)


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """The weights of a model that are trained, by name."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def adapter_hash(model: nn.Module) -> str:
    """The first 16 hex digits of the sha256 of all weights that are trained."""
    digest = hashlib.sha256()
    for name, value in sorted(trainable(model).items()):
        digest.update(name.encode() + value.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def save_atomically(tensors: Mapping[str, Tensor], file: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors to a safetensors file that is whole or absent at any time.

    Args:
        tensors: The tensors by name.
        file: The file.
        metadata: Texts by name.
    """
    unfinished = file.with_name(file.name + ".tmp")
    save_tensors(tensors, unfinished, metadata)
    os.replace(unfinished, file)


def learning_rate_share(step: int, steps: int) -> float:
    """The learning rate of a step as a share of its peak: it rises for a twentieth of the steps, then falls to 1/50.

    Args:
        step: The number of the step, from 0.
        steps: The number of all steps.
    """
    warm_up = max(steps // 20, 1)
    if step < warm_up:
        return 1 / warm_up + (1 - 1 / warm_up) * step / warm_up
    progress = min((step - warm_up) / max(steps - warm_up, 1), 1.0)
    return 1 / 50 + (1 - 1 / 50) * (1 + math.cos(math.pi * progress)) / 2


class Trainer:
    """AdamW on float32 copies of the trained weights, with a linear warm-up and a cosine decay.

    Attributes:
        weights: The trained weights of the model, by name.
        masters: Their float32 copies, by name.
        optimizer: AdamW over the copies.
        schedule: The learning rate of each step.
        done: The number of steps that are done.
    """

    def __init__(
        self, model: nn.Module, lr: float, steps: int, beside: nn.Module | None = None, beside_lr: float | None = None
    ) -> None:
        """Prepare a training.

        Args:
            model: Its trainable weights are trained.
            lr: Their peak learning rate.
            steps: The number of steps.
            beside: Another module whose trainable weights are trained with the model's.
            beside_lr: Their peak learning rate; None is `lr`.
        """
        own = trainable(model)
        other = {f"beside.{name}": weight for name, weight in (trainable(beside) if beside else {}).items()}
        self.weights = own | other
        self.masters = {
            name: weight.detach().float().clone().requires_grad_(True) for name, weight in self.weights.items()
        }
        groups: list[dict[str, Any]] = [{"params": [self.masters[name] for name in own], "lr": lr}]
        if other:
            groups.append({"params": [self.masters[name] for name in other], "lr": beside_lr or lr})
        self.optimizer = torch.optim.AdamW(groups, lr=lr, weight_decay=0.0)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, partial(learning_rate_share, steps=steps))
        self.done = 0

    def step(self, loss: Tensor | None, all_reduce: bool = False) -> None:
        """Update the weights once.

        Args:
            loss: () the loss; None where its gradients were added already.
            all_reduce: Whether the gradients are summed over all processes (see `models.processes`).
        """
        if loss is not None:
            backward(loss)
        for name, weight in self.weights.items():
            self.masters[name].grad = None if weight.grad is None else weight.grad.float()
            weight.grad = None
        if all_reduce:
            processes.sum_gradients(self.masters.values())
        torch.nn.utils.clip_grad_norm_(self.masters.values(), 1.0)
        optimizer_step(self.optimizer)
        self._publish()
        self.schedule.step()
        self.done += 1
        release_memory()

    def _publish(self) -> None:
        """Copy the float32 copies into the model."""
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(self.masters[name])

    def save(self, file: Path) -> None:
        """Write everything that `resume` needs to a file that is whole or absent."""
        tensors = {f"weight/{name}": weight.detach().contiguous() for name, weight in self.masters.items()}
        state = cast(Mapping[Tensor, dict[str, Tensor]], self.optimizer.state)
        for name, master in self.masters.items():
            for key, value in state.get(master, dict[str, Tensor]()).items():
                tensors[f"{key}/{name}"] = value.contiguous()
        save_atomically(tensors, file, {"done": str(self.done)})

    def load_weights(self, file: Path) -> None:
        """Take the weights, and nothing else, of a file that `save` wrote."""
        self._take_weights(load_tensors(file))

    def _take_weights(self, tensors: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, master in self.masters.items():
                master.copy_(tensors[f"weight/{name}"])
        self._publish()

    def resume(self, file: Path) -> None:
        """Continue exactly where `save` was called."""
        tensors = load_tensors(file)
        self._take_weights(tensors)
        state = cast(dict[Tensor, dict[str, Tensor]], self.optimizer.state)
        with torch.no_grad():
            for name, master in self.masters.items():
                averages = {key: tensors[f"{key}/{name}"].to(master.device) for key in ("exp_avg", "exp_avg_sq")}
                state[master] = {"step": tensors[f"step/{name}"], **averages}  # the count of steps stays on the CPU
        done = int(next(iter(state.values()))["step"].item())
        # the schedule warns about steps before the optimizer's first one, which was in another process
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            for _ in range(done):
                self.schedule.step()
        self.done = done
