"""An adapter is served as it was trained, also where the model computes in bfloat16."""

from pathlib import Path

import pytest
import torch
from tiny import tiny_mllm
from torch import Tensor, nn

from mmsrarec.models.backbone.adapter import LowRank, Trainer, add_adapter, load_adapter, merge_adapter
from mmsrarec.models.backbone.mllm import Mllm

SIZE = 0.007
"""How large a trained change is beside the weights: as of adapters of the embedded model."""
IDS = torch.arange(5, 45)[None]


def model(dtype: torch.dtype) -> Mllm:
    """The same weights in any format: all are numbers of bfloat16, as a released model's are."""
    mllm = tiny_mllm()
    mllm.model.to(torch.bfloat16).to(dtype)
    return mllm


@torch.no_grad()
def states(mllm: Mllm) -> Tensor:
    return mllm.decoder(inputs_embeds=mllm.embed(IDS, None), use_cache=False).last_hidden_state.float()


def weights(mllm: Mllm) -> dict[str, Tensor]:
    """Of all linear maps of the language model's layers, with what stands beside them."""
    found = {}
    for name, part in mllm.decoder.named_modules():
        if isinstance(part, LowRank):
            found[name] = part.linear.weight.float() + part.up.float() @ part.down.float()
        elif isinstance(part, nn.Linear) and not name.endswith(".linear"):
            found[name] = part.weight.float()
    return found


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that changes every map by as much as training does."""
    folder, mllm = tmp_path_factory.mktemp("adapter"), model(torch.bfloat16)
    peft = add_adapter(mllm, rank=8, first_layer=0, seed=0)
    draw = torch.Generator().manual_seed(0)
    for part in peft.modules():
        if hasattr(part, "lora_B"):
            down, up = part.lora_A["default"].weight, part.lora_B["default"].weight  # pyright: ignore
            drawn = torch.randn(up.shape, generator=draw)
            size = (drawn @ down.float()).norm() * part.scaling["default"]  # pyright: ignore
            up.data = (drawn * SIZE * part.weight.float().norm() / size).to(up.dtype)  # pyright: ignore
    peft.save_pretrained(str(folder))
    return folder


def error(mllm: Mllm, exact: Mllm) -> float:
    """How far the changes of all maps are from what they should be, the worst of them."""
    plain, found, wanted = weights(model(torch.float32)), weights(mllm), weights(exact)
    return max(float((found[n] - wanted[n]).norm() / (wanted[n] - plain[n]).norm()) for n in plain)


def test_what_training_changed_is_kept_in_bfloat16(adapter: Path) -> None:
    exact, served = (merge_adapter(model(dtype), adapter) for dtype in (torch.float32, torch.bfloat16))
    assert not any(isinstance(part, LowRank) for part in exact.model.modules())
    sizes = [
        float((weight - before).norm() / before.norm())
        for weight, before in zip(weights(exact).values(), weights(model(torch.float32)).values(), strict=True)
    ]
    assert sizes == pytest.approx([SIZE] * 14, rel=0.02)
    assert error(served, exact) < 1e-4
    rounded = model(torch.bfloat16)
    rounded.model = load_adapter(rounded, adapter).merge_and_unload()  # pyright: ignore
    assert error(rounded, exact) > 0.2  # what it would be


def test_it_answers_as_it_did_in_training_to_the_last_bit(adapter: Path) -> None:
    trained, served = model(torch.bfloat16), merge_adapter(model(torch.bfloat16), adapter)
    load_adapter(trained, adapter)
    assert torch.equal(states(served), states(trained))
    assert not torch.equal(states(served), states(model(torch.bfloat16)))


def test_in_float32_merged_and_unmerged_agree(adapter: Path) -> None:
    unmerged, merged = model(torch.float32), merge_adapter(model(torch.float32), adapter)
    load_adapter(unmerged, adapter)
    torch.testing.assert_close(states(merged), states(unmerged), atol=1e-4, rtol=1e-4)


def test_answers_of_one_way_are_not_taken_for_those_of_another(adapter: Path) -> None:
    """An adapter in place makes another model of it, and so does the way it was put there."""
    names = [merge_adapter(model(dtype), adapter).fingerprint for dtype in (torch.float32, torch.bfloat16)]
    assert len({*names, tiny_mllm().fingerprint}) == 3


def test_a_model_that_wears_an_adapter_can_be_tuned_and_generates(adapter: Path, tmp_path: Path) -> None:
    mllm = merge_adapter(model(torch.bfloat16), adapter)
    before = states(mllm)
    assert len(mllm.generate_ids([[5, 6, 7]], [None], 4)) == 1
    peft = add_adapter(mllm, 2, 0, seed=1)
    trainer = Trainer(peft, 1e-2, 3)
    for _ in range(3):
        trainer.step(
            mllm.decoder(inputs_embeds=mllm.embed(IDS, None), use_cache=False).last_hidden_state.square().sum()
        )
    after = states(mllm)
    assert not torch.equal(after, before)
