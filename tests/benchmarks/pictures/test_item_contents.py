"""The content of a row holds what its name says, and pictures are looked at once."""

from pathlib import Path

import numpy as np
import pytest
import torch
from item_contents import (
    EYE,
    OTHER_EYE,
    SHOWN,
    SeenPictures,
    content_of,
    eye_block,
    language_states,
    no_keywords,
    see,
)
from PIL import Image
from tiny import tiny_mllm

from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.sequence.whitening import whitened
from mmsrarec.recommend.settings import RecommendSettings

COLOURS = ("red", "blue", "green", "white")


@pytest.fixture(scope="module")
def mllm() -> Mllm:
    return tiny_mllm()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Six items: four pictures, one of which two items share; the last item has none."""
    folder = tmp_path_factory.mktemp("drawn")
    (folder / "images").mkdir()
    for colour in COLOURS:
        Image.new("RGB", (40, 30), colour).save(folder / "images" / f"{colour}.png")
    shown = [f"{colour}.png" for colour in (*COLOURS, "red")] + [None]
    items = tuple(
        Item(str(code), f"mug {code}", f"of clay {code}", ("kitchen",), image) for code, image in enumerate(shown)
    )
    none = np.zeros(0, dtype=np.int64)
    return Dataset("drawn", items, (), make_interactions(none, none, none, 0, len(items)), folder)


@pytest.fixture(scope="module")
def seen(mllm: Mllm, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> SeenPictures:
    return see(mllm, dataset, 9, tmp_path_factory.mktemp("grids") / "grids.safetensors")


def test_a_picture_is_seen_as_the_library_sees_it(mllm: Mllm, dataset: Dataset, seen: SeenPictures) -> None:
    assert sorted(seen.features) == sorted(seen.states) == [0, 1, 2, 3, 4]
    pictures = [Image.open(dataset.image_path(code)).convert("RGB") for code in range(5)]
    features, states = mllm.encode_images_with_states(pictures, 9)
    for code in range(5):
        torch.testing.assert_close(seen.features[code], features[code])
        torch.testing.assert_close(seen.states[code], states[code])


def test_a_kept_picture_is_not_looked_at_again(mllm: Mllm, dataset: Dataset, tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "grids.safetensors"
    first = see(mllm, dataset, 4, file)
    looked: list[int] = []
    tower = mllm.model.model.vision_tower
    monkeypatch.setattr(tower, "forward", lambda *_, **__: looked.append(1))
    again = see(mllm, dataset, 4, file)
    assert not looked
    for code, feature in first.features.items():
        torch.testing.assert_close(again.features[code], feature)


def states_of(mllm: Mllm, dataset: Dataset, seen: SeenPictures, name: str) -> torch.Tensor:
    return language_states(mllm, dataset, seen, no_keywords(len(dataset.items)), name, RecommendSettings())


def changed(one: torch.Tensor, other: torch.Tensor) -> list[int]:
    return torch.nonzero((one - other).abs().amax(1) > 1e-4).flatten().tolist()


def test_a_picture_changes_the_state_of_the_items_that_have_one(
    mllm: Mllm, dataset: Dataset, seen: SeenPictures
) -> None:
    title, both = (states_of(mllm, dataset, seen, name) for name in ("title", "title+picture"))
    assert title.shape == (6, mllm.hidden_size)
    assert changed(title, both) == [0, 1, 2, 3, 4]


def test_a_state_of_pictures_alone_is_the_same_where_the_picture_is(
    mllm: Mllm, dataset: Dataset, seen: SeenPictures
) -> None:
    picture = states_of(mllm, dataset, seen, "picture")
    torch.testing.assert_close(picture[0], picture[4])
    assert changed(picture[:1].expand(6, -1), picture) == [1, 2, 3, 5]


def test_a_text_is_more_than_its_title(mllm: Mllm, dataset: Dataset, seen: SeenPictures) -> None:
    assert changed(states_of(mllm, dataset, seen, "title"), states_of(mllm, dataset, seen, "text")) == [*range(6)]
    assert all(not fields.similar_keywords and not fields.text_keywords for fields in SHOWN.values())


def drawn_eyes(n: int = 40) -> dict[int, torch.Tensor]:
    rows = torch.randn(n, 12, generator=torch.Generator().manual_seed(0))
    return {2 * code: row for code, row in enumerate(rows)}


def test_the_block_of_the_eye_is_zero_without_a_picture() -> None:
    eyes = drawn_eyes()
    block = eye_block(eyes, 80, 5)
    assert block.shape == (80, 5)
    assert not block[1::2].any()
    torch.testing.assert_close(block[::2], whitened(torch.stack([eyes[code] for code in sorted(eyes)]), 5))


def test_the_control_has_the_same_rows_at_other_items() -> None:
    own, other = eye_block(drawn_eyes(), 80, 5), eye_block(drawn_eyes(), 80, 5, exchanged=True)
    assert len(changed(own, other)) > 30
    assert sorted(map(tuple, own.tolist())) == sorted(map(tuple, other.tolist()))
    torch.testing.assert_close(other, eye_block(drawn_eyes(), 80, 5, exchanged=True))


def test_a_row_is_the_blocks_of_its_name_side_by_side() -> None:
    states = {"title": torch.randn(80, 20, generator=torch.Generator().manual_seed(1))}
    eyes = drawn_eyes()
    row = content_of(f"title & {EYE}", states, eyes, 6)
    torch.testing.assert_close(row, torch.cat([whitened(states["title"], 6), eye_block(eyes, 80, 6)], 1))
    torch.testing.assert_close(content_of("title", states, eyes, 6), row[:, :6])
    assert changed(content_of(f"title & {OTHER_EYE}", states, eyes, 6), row)


def test_the_eye_may_weigh_less_beside_another_block_but_not_alone() -> None:
    states = {"title": torch.randn(80, 20, generator=torch.Generator().manual_seed(1))}
    eyes = drawn_eyes()
    row = content_of(f"title & {EYE}", states, eyes, 6, eye_dims=3, eye_weight=0.5)
    assert row.shape == (80, 9)
    torch.testing.assert_close(row[:, 6:], 0.5 * eye_block(eyes, 80, 3))
    torch.testing.assert_close(content_of(EYE, states, eyes, 6, 3, 0.5), eye_block(eyes, 80, 6))
