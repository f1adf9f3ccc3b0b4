"""Item vectors mixed from a text, a picture and an id."""

import numpy as np
import pytest
import torch

from mmsrarec.models.sequence.modality_experts import MODALITIES, ExpertItems, modalities_at

N, TEXT, PICTURE = 6, 3, 2
TEXT_OF, PICTURE_OF, ID_OF = range(3)
UNPICTURED, UNKNOWN, BARE = 1, 2, 3


def items(pictures: int = PICTURE) -> ExpertItems:
    """Item 1 has no picture, item 2 no interactions, item 3 nothing but its id; the start token follows the items."""
    draw = torch.Generator().manual_seed(0)
    made = ExpertItems(N, 1, 8, TEXT, pictures)
    for weight in made.parameters():
        weight.data.normal_(std=0.3, generator=draw)
    content, known = torch.randn(N, TEXT + pictures, generator=draw), torch.ones(N, dtype=torch.bool)
    content[UNPICTURED, TEXT:] = 0
    content[BARE] = 0
    known[UNKNOWN] = False
    made.set_content(content, known)
    return made.eval()


def test_an_item_is_mixed_from_what_it_has() -> None:
    shares = items().shares
    torch.testing.assert_close(shares.sum(1), torch.ones(N + 1))
    assert (shares[0] > 0).all()
    assert shares[UNPICTURED, PICTURE_OF] == shares[UNKNOWN, ID_OF] == 0
    assert shares[BARE].tolist() == shares[N].tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("item", "place", "counts"),
    [(0, slice(0, TEXT), True), (0, slice(TEXT, None), True), (UNPICTURED, slice(0, TEXT), True)],
)
def test_what_an_item_has_changes_its_vector(item: int, place: slice, counts: bool) -> None:
    made = items()
    before = made.weight.detach().clone()
    made.content[item, place] += 1.0
    changed = (made.weight - before).abs().amax(1) > 1e-6
    assert changed.tolist() == [code == item and counts for code in range(N + 1)]


def test_the_id_of_an_unknown_item_changes_nothing() -> None:
    made = items()
    before = made.weight.detach().clone()
    with torch.no_grad():
        made.ids.weight[UNKNOWN] += 1.0
        torch.testing.assert_close(made.weight, before)
        made.ids.weight[0] += 1.0
        assert (made.weight[0] - before[0]).abs().max() > 1e-6


def test_dropped_modalities_have_no_share_in_training_and_the_last_one_stays() -> None:
    made, drop = items(), np.zeros((N, len(MODALITIES)), dtype=bool)
    drop[0, TEXT_OF] = drop[UNPICTURED, PICTURE_OF] = True
    drop[UNKNOWN] = drop[BARE] = True
    made.drop_modalities(drop)
    whole, shares = made.shares, made.train().shares
    assert shares[0, TEXT_OF] == 0 < shares[0, PICTURE_OF]
    torch.testing.assert_close(shares[1:], whole[1:])
    torch.testing.assert_close(made.eval().shares, whole)


def test_ids_left_out_have_no_share_unless_nothing_else_is_there() -> None:
    made = items().train()
    made.leave_out(np.ones(N, dtype=bool))
    assert (made.shares[:N, ID_OF] == 0).all()
    assert made.shares[N, ID_OF] == 1
    assert made.weight[BARE].abs().max() == 0  # it has nothing left, as a new item without text has


def test_modalities_join_one_after_another() -> None:
    made = items()
    for count in (1, 2, 3):
        made.join(count)
        shares = made.shares
        assert (shares[0] > 0).tolist() == [place < count for place in range(3)]
        assert shares[N, ID_OF] == 1  # the start token has nothing else at any time


@pytest.mark.parametrize(("pictures", "counts"), [(True, [1, 1, 2, 2, 3, 3]), (False, [1, 1, 1, 3, 3, 3])])
def test_the_training_is_shared_out_among_modalities(pictures: bool, counts: list[int]) -> None:
    assert [modalities_at(step / 6, pictures) for step in range(6)] == counts
    assert modalities_at(1.0, pictures) == 3


def test_a_catalogue_without_pictures_has_none() -> None:
    made = items()
    assert made.pictured
    made.set_content(torch.zeros(N, TEXT + PICTURE), torch.ones(N, dtype=torch.bool))
    assert not made.pictured
    made.set_content(torch.ones(N, TEXT), torch.ones(N, dtype=torch.bool))  # content of texts alone
    assert not made.pictured
    assert (made.shares[:N, PICTURE_OF] == 0).all()
