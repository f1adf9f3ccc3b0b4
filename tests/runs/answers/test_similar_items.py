"""The nearest items by cosine: never the item itself, only what is eligible, equals by the lower code."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from mmsrarec.runs.answers.similar_items import nearest, similar_table, unit_vectors

VECTORS = torch.tensor([[2.0, 0.0], [1.0, 1.0], [2.0, 2.0], [0.0, 0.0], [-1.0, 0.0]])
ENCODER = cast(Any, SimpleNamespace(model=SimpleNamespace(items=SimpleNamespace(weight=VECTORS)), n_items=5))
ALL = np.ones(5, dtype=bool)


def test_vectors_have_length_one_and_zeros_stay_zeros() -> None:
    lengths = np.linalg.norm(unit_vectors(ENCODER), axis=1)
    assert lengths.tolist() == pytest.approx([1, 1, 1, 0, 1])


def test_the_nearest_come_first_and_equals_by_the_lower_code() -> None:
    ((codes, cosines),) = nearest(ENCODER, [0], ALL, 3)
    assert codes.tolist() == [1, 2, 3]
    assert cosines.tolist() == pytest.approx([0.5**0.5, 0.5**0.5, 0.0])


def test_only_eligible_items_are_named_however_many_are_wanted() -> None:
    eligible = np.array([True, False, True, False, False])
    ((codes, _),) = nearest(ENCODER, [0], eligible, 4)
    assert codes.tolist() == [2]


def test_a_table_keeps_the_order_of_the_items_asked_about() -> None:
    neighbour_lists = nearest(ENCODER, [4, 1], ALL, 1)
    frame = similar_table(["e", "b"], neighbour_lists, list("abcde"))
    assert frame.select("item_id", "similar_item_id", "rank").rows() == [("e", "d", 1), ("b", "c", 1)]
    assert frame["score"].to_list() == pytest.approx([0.0, 1.0])
