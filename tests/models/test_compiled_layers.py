"""A compiled model computes what it computed before."""

import shutil

import pytest
import torch
from architectures import tiny_of
from tiny import tiny_mllm
from torch._dynamo.testing import CompileCounter

from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.compiled_layers import compile_layers, compiled
from mmsrarec.models.packing.forward import batch_of, read
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan

PACKS = [
    PackedPrompt(TokenSpan([5, 6, 7, 8] * size), [TokenSpan([9, 10 + n]) for n in range(size)]) for size in (1, 2, 5)
]


@torch.inference_mode()
def outputs(mllm: Mllm) -> list[torch.Tensor]:
    """States of packs of several shapes, at all tokens and at the answers, and an answer that is written."""
    found = []
    for packs in (PACKS, PACKS[:1], PACKS[1:]):
        batch = batch_of(mllm, packs)
        found += [read(mllm, batch, {}), read(mllm, batch, {}, batch.answers)]
    return [*found, torch.tensor(mllm.generate_ids([[5, 6, 7], [8, 9]], [None, None], 4, lambda text: False))]


def same(mllm: Mllm, backend: str) -> None:
    before = outputs(mllm)
    torch.compiler.reset()
    assert (
        compile_layers(mllm.decoder, backend) == 2 * 3 + 1
    )  # two norms and a feed-forward part a layer, the last norm
    for found, want in zip(outputs(mllm), before, strict=True):
        torch.testing.assert_close(found, want, atol=1e-5, rtol=1e-5)


def test_a_traced_model_computes_the_same() -> None:
    same(tiny_mllm(), "eager")


def test_few_graphs_serve_all_layers_and_shapes() -> None:
    mllm, counter = tiny_of("llama"), CompileCounter()
    torch.compiler.reset()
    compile_layers(mllm.decoder, counter)  # pyright: ignore[reportArgumentType]
    outputs(mllm)
    first = counter.frame_count
    assert 0 < first <= 12
    outputs(mllm)
    assert counter.frame_count == first


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling for a CPU needs a compiler of C++")
def test_a_compiled_model_computes_the_same() -> None:
    same(tiny_mllm(), "inductor")


def test_elsewhere_than_on_cuda_one_line_says_that_nothing_is_compiled(caplog: pytest.LogCaptureFixture) -> None:
    mllm = tiny_mllm()
    assert compiled(mllm, wanted=False) is mllm
    assert not caplog.messages
    assert compiled(mllm) is mllm
    assert caplog.messages == ["runtime.compile_layers is for cuda: the model on cpu is not compiled"]
    assert not any("forward" in part.__dict__ for part in mllm.decoder.modules())


@pytest.mark.parametrize(("few_bits", "parts"), [(False, 7), (True, 0)])
def test_on_cuda_whole_weights_are_compiled_and_those_of_few_bits_not(
    few_bits: bool, parts: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    mllm = tiny_mllm()
    monkeypatch.setattr(Mllm, "device", torch.device("cuda"))
    monkeypatch.setattr(Mllm, "is_quantized", few_bits)
    compiled(mllm)
    assert sum("forward" in part.__dict__ for part in mllm.decoder.modules()) == parts
    assert [("model.quantization is not compiled" in line) for line in caplog.messages] == [True] * few_bits
