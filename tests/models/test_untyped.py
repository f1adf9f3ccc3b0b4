"""The typed forms do what their namesakes in torch and safetensors do."""

from pathlib import Path

import torch

from mmsrarec.models import untyped


def test_a_tensor_becomes_nested_numbers_and_its_rows_repeat() -> None:
    table = torch.tensor([[1, 2], [3, 4]])
    assert untyped.to_list(table) == [[1, 2], [3, 4]]
    assert untyped.to_list(untyped.repeat_rows(table, 2)) == [[1, 2], [1, 2], [3, 4], [3, 4]]


def test_a_step_follows_the_gradient() -> None:
    weight = torch.nn.Parameter(torch.tensor([2.0]))
    untyped.backward((weight**2).sum())
    untyped.optimizer_step(torch.optim.SGD([weight], lr=0.25))
    assert untyped.to_list(weight.detach()) == [1.0]  # 2 - 0.25 * 2 * 2


def test_the_random_state_is_the_same_after_the_block() -> None:
    untyped.set_seed(3)
    expected = torch.rand(2)
    untyped.set_seed(3)
    with untyped.saved_random_state():
        untyped.set_seed(99)
        torch.rand(5)
    assert torch.equal(torch.rand(2), expected)


def test_tensors_and_texts_come_back_from_a_file(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(3), "b": torch.ones(2, 2)}
    untyped.save_tensors(tensors, tmp_path / "file", {"note": "x"})
    loaded = untyped.load_tensors(tmp_path / "file")
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)
    with untyped.open_tensors(tmp_path / "file") as file:
        assert torch.equal(file.get_tensor("b"), tensors["b"])
        assert file.metadata() == {"note": "x"}


def test_the_parts_of_a_model_have_paths() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(1, 1))
    assert [name for name, _ in untyped.named_modules(model)] == ["", "0"]
