"""Layers: which ones a shortened model keeps, where its cache keeps them, and what freezing leaves unchanged."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, inject_adapter_in_model
from tiny import tiny_mllm
from torch import nn

from mmsrarec.models.backbone.layers import freeze, renumber, selected_layers

sizes = st.integers(1, 60).flatmap(lambda count: st.tuples(st.just(count), st.integers(1, count)))


@given(sizes, st.sampled_from(["lowest", "even"]))
def test_the_layers_that_stay_are_different_ones_of_the_model_in_order_from_the_first(
    size: tuple[int, int], keep: str
) -> None:
    count, layers = size
    kept = selected_layers(count, layers, keep)
    assert len(kept) == layers
    assert kept == sorted(set(kept))
    assert kept[0] == 0
    assert kept[-1] < count


@given(sizes)
def test_even_layers_reach_the_last_one_in_steps_that_differ_by_one_at_most(size: tuple[int, int]) -> None:
    count, layers = size
    kept = selected_layers(count, layers, "even")
    steps = {after - before for before, after in pairwise(kept)}
    if layers > 1:
        assert kept[-1] == count - 1
        assert max(steps) - min(steps) <= 1
    assert selected_layers(count, count, "even") == selected_layers(count, count, "lowest")


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm, self.drop = nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.drop(self.linear(x)))


def test_a_frozen_network_keeps_its_batch_statistics_in_train_mode() -> None:
    x = torch.randn(8, 4, generator=torch.Generator().manual_seed(0)) * 5 + 3
    frozen, free = Network().eval(), Network().eval()
    freeze(frozen)
    for network in (frozen, free):
        network.train()
        network(x)
    assert torch.equal(frozen.norm.running_mean, torch.zeros(4))
    assert int(frozen.norm.num_batches_tracked) == 0
    assert not torch.equal(free.norm.running_mean, torch.zeros(4))  # which is what freezing is for
    assert frozen.drop.training  # only batch statistics are held back
    assert not frozen.norm.training


@pytest.mark.parametrize("norm", [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm])
def test_every_kind_of_batch_norm_ignores_train_and_still_is_a_module_that_says_so(norm: type[nn.Module]) -> None:
    layer = norm(3).eval()
    freeze(nn.Sequential(layer))
    assert layer.train() is layer
    assert not layer.training
    assert layer.train(False) is layer


def test_nothing_of_a_frozen_model_learns_but_an_adapter_does() -> None:
    network = Network().eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    freeze(network)
    with pytest.raises(RuntimeError, match="does not require grad"):
        network(torch.ones(2, 4)).sum().backward()
    adapted = inject_adapter_in_model(LoraConfig(r=2, target_modules=["linear"]), network)
    learning = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=1.0)
    for _ in range(2):  # half of a fresh adapter is zero and gives the other half no gradient
        adapted(torch.ones(2, 4)).square().sum().backward()
        optimizer.step()
    after = adapted.state_dict()
    assert all(torch.equal(after[name.replace("linear.", "linear.base_layer.")], old) for name, old in before.items())
    assert all(parameter.abs().sum() > 0 for parameter in learning)


def test_a_layer_moved_to_another_place_keeps_its_keys_there() -> None:
    mllm = tiny_mllm()
    first, second = mllm.decoder.layers
    renumber(second, 0)
    places = {part.layer_idx for part in second.modules() if hasattr(part, "layer_idx")}
    assert places == {0}
    assert {part.layer_idx for part in first.modules() if hasattr(part, "layer_idx")} == {0}
    mllm.decoder.layers = nn.ModuleList([second])
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        cache = mllm.decoder(input_ids=ids, use_cache=True).past_key_values
    assert [cache.get_seq_length(place) for place in range(2)] == [3, 0]


def test_numbering_adds_no_number_to_parts_without_one() -> None:
    plain = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    renumber(plain, 5)
    assert not any(hasattr(part, "layer_idx") for part in plain.modules())
