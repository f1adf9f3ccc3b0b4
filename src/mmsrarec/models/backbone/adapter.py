"""LoRA on the upper layers of the language model, and a trainer state that survives being stopped.

The adapter's weights live in the model's dtype, which keeps bfloat16 arithmetic fast; the optimizer works on float32
copies, for bfloat16 would round small steps away.
"""

import hashlib
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from mmsrarec.core.artefacts import file_hash
from mmsrarec.core.memory import release_memory
from mmsrarec.errors import MmsrarecError, RecipeError
from mmsrarec.models import processes
from mmsrarec.models.backbone.mllm import Mllm

WEIGHTS = "adapter_model.safetensors"
warnings.filterwarnings("ignore", category=FutureWarning, message=".*gradient_checkpointing.*")  # PEFT asks an old name


def add_adapter(mllm: Mllm, rank: int, first_layer: int, seed: int, float32: bool = False) -> PeftModel:
    """Put a fresh LoRA on all linear maps of the language model's layers from `first_layer` up, never on the vision
    tower.

    float32: its weights are kept in float32, for trainers that have no copies of their own.
    """
    path = next(name for name, module in mllm.model.named_modules() if module is mllm.decoder)
    blocks: nn.ModuleList = getattr(mllm.decoder, "layers", nn.ModuleList())
    count = len(blocks)
    if first_layer >= count:
        raise RecipeError(f"first_layer is {first_layer}, but the model has {count} layers: name a lower one")
    layers = "|".join(str(layer) for layer in range(first_layer, count))
    parts = {name for block in blocks for name, part in block.named_modules() if isinstance(part, nn.Linear)}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = LoraConfig(
            r=rank,
            lora_alpha=2 * rank,
            lora_dropout=0.0,
            target_modules=rf"{re.escape(path)}\.layers\.({layers})\.({'|'.join(map(re.escape, sorted(parts)))})",
        )
        peft = get_peft_model(mllm.model, config, autocast_adapter_dtype=float32)  # pyright: ignore
    if not trainable(peft):
        raise MmsrarecError("the adapter has no trainable weights: nothing would be learned; check first_layer")
    return peft


def load_adapter(mllm: Mllm, folder: Path) -> PeftModel:
    """Apply a saved adapter. Raises MmsrarecError if none of it reached the model."""
    peft = PeftModel.from_pretrained(mllm.model, folder, autocast_adapter_dtype=False)  # pyright: ignore
    peft.eval().requires_grad_(False)
    if not any(name.endswith("lora_B.default.weight") and bool(w.any()) for name, w in peft.named_parameters()):
        raise MmsrarecError(f"the adapter in {folder} changes nothing: train it again")
    return peft


def merge_adapter(mllm: Mllm, folder: Path) -> Mllm:
    """The model with a saved adapter in place: merged into its weights in float32, else kept beside them.

    In a shorter format the sum of a weight and its change is rounded to what the weight's size allows: bfloat16 loses
    a third of what an adapter changed. There the change stays a `LowRank` part, which computes what training computed.
    It goes by another fingerprint, so that no answer of the one is taken for an answer of the other.
    """
    peft, digest = load_adapter(mllm, folder), file_hash(folder / WEIGHTS)[:12]
    if mllm.dtype == torch.float32:
        merged, name = peft.merge_and_unload(), f"{mllm.fingerprint}+{digest}"  # pyright: ignore
    else:
        merged, name = keep_beside(peft), f"{mllm.fingerprint}+{digest}-beside"
    return Mllm(merged, mllm.tokenizer, mllm.image_processor, name)


class LowRank(nn.Module):
    """A linear map W and its change of low rank beside it: W x + B A x.

    down: A, (r, in). up: B, (out, r), scaled. They cost two thin products: of rank 8 a tenth of the time.
    """

    def __init__(self, linear: nn.Module, down: Tensor, up: Tensor):
        super().__init__()
        self.linear = linear
        self.register_buffer("down", down.detach().clone(), persistent=False)
        self.register_buffer("up", up.detach().clone(), persistent=False)

    @property
    def weight(self) -> Tensor:
        """W alone, for whoever asks for its size or format."""
        return self.linear.weight  # pyright: ignore

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).add_(F.linear(F.linear(x, self.down), self.up))  # pyright: ignore


def keep_beside(peft: PeftModel) -> nn.Module:
    """The model without PEFT's layers, in place: each is a `LowRank`, with less to do around its products."""
    changes: dict[str, tuple[Tensor, Tensor]] = {}
    for name, layer in peft.base_model.model.named_modules():  # pyright: ignore
        if isinstance(layer, LoraLayer):
            (adapter,) = layer.active_adapters
            down: Tensor = layer.lora_A[adapter].weight  # pyright: ignore
            up: Tensor = layer.lora_B[adapter].weight  # pyright: ignore
            changes[name] = down, up * layer.scaling[adapter]  # twice, as `add_adapter` has it, which rounds nothing
    model: nn.Module = peft.unload()  # pyright: ignore
    for name, (down, up) in changes.items():
        model.set_submodule(name, LowRank(model.get_submodule(name), down, up))
    return model


@contextmanager
def without_adapter(mllm: Mllm) -> Iterator[None]:
    """While this holds, the model answers as if no adapter were on it."""
    layers = [module for module in mllm.model.modules() if isinstance(module, BaseTunerLayer)]
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
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def adapter_hash(model: nn.Module) -> str:
    """Changes whenever a trained weight changes."""
    digest = hashlib.sha256()
    for name, value in sorted(trainable(model).items()):
        digest.update(name.encode() + value.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def save_whole(tensors: dict[str, Tensor], file: Path, metadata: dict[str, str] | None = None) -> None:
    """Write tensors to a file that is whole or absent."""
    unfinished = file.with_name(file.name + ".tmp")
    save_file(tensors, unfinished, metadata=metadata)
    os.replace(unfinished, file)


class Trainer:
    """AdamW on float32 copies of the trainable weights, with a linear warm-up and a cosine decay."""

    def __init__(self, model: nn.Module, lr: float, steps: int):
        self.weights = trainable(model)
        self.masters = {name: w.detach().float().clone().requires_grad_(True) for name, w in self.weights.items()}
        self.optimizer = torch.optim.AdamW(self.masters.values(), lr=lr, weight_decay=0.0)
        warm_up = max(steps // 20, 1)
        self.schedule = torch.optim.lr_scheduler.SequentialLR(
            self.optimizer,
            [
                torch.optim.lr_scheduler.LinearLR(self.optimizer, 1 / warm_up, 1.0, warm_up),
                torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, max(steps - warm_up, 1), eta_min=lr / 50),
            ],
            [warm_up],
        )
        self.done = 0

    def step(self, loss: Tensor, together: bool = False) -> None:
        """One update. together: of the sum of what all processes give, in all of them (`processes`)."""
        loss.backward()
        for name, weight in self.weights.items():
            self.masters[name].grad = None if weight.grad is None else weight.grad.float()
            weight.grad = None
        if together:
            processes.add_up_gradients(self.masters.values())
        torch.nn.utils.clip_grad_norm_(self.masters.values(), 1.0)
        self.optimizer.step()
        self._publish()
        self.schedule.step()
        self.done += 1
        release_memory()

    def _publish(self) -> None:
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(self.masters[name])

    def save(self, file: Path) -> None:
        """Write all that a restart needs, whole or not at all."""
        tensors = {f"weight/{name}": w.detach().contiguous() for name, w in self.masters.items()}
        for name, master in self.masters.items():
            for key, value in self.optimizer.state.get(master, {}).items():
                tensors[f"{key}/{name}"] = value.contiguous()
        save_whole(tensors, file, {"done": str(self.done)})

    def resume(self, file: Path) -> None:
        """Go on exactly where `save` was called."""
        tensors = load_file(file)
        with torch.no_grad():
            for name, master in self.masters.items():
                master.copy_(tensors[f"weight/{name}"])
                queries = {key: tensors[f"{key}/{name}"].to(master.device) for key in ("exp_avg", "exp_avg_sq")}
                self.optimizer.state[master] = {"step": tensors[f"step/{name}"], **queries}  # a count stays on the CPU
        self._publish()
        done = int(next(iter(self.optimizer.state.values()))["step"].item())
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # of steps that the optimizer had before
            for _ in range(done):
                self.schedule.step()
        self.done = done
