"""The projector learns what a catalogue's pictures tell of their categories, and keeps all else."""

import importlib
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from tiny import tiny_mllm

from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.data.folder import save
from mmsrarec.models.backbone.warm_up import projector_of
from mmsrarec.models.vision.image_classifier import ImageClassifier

SCRIPTS = Path(__file__).parents[2] / "scripts"
LABELS = ("red", "mug")
CHANNELS = 64


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


@pytest.fixture
def teaching() -> ModuleType:
    return importlib.import_module("catalogue_teacher")


@pytest.fixture
def learning() -> ModuleType:
    return importlib.import_module("category_directions")


def shown(n: int = 80) -> tuple[torch.Tensor, list[list[str]]]:
    """Features in which the first channel tells the first label, and the second the second one."""
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(n, 49, CHANNELS, generator=generator)
    signs = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]).repeat(n // 4, 1)
    features[:, :, :2] += signs[:, None] * 1.5
    return features, [[label for label, sign in zip(LABELS, row, strict=True) if sign] for row in signs.tolist()]


def test_the_teacher_tells_categories_from_features(teaching: ModuleType) -> None:
    features, categories = shown()
    teacher = teaching.CategoryTeacher.fit(features.mean(1), [["always", *own] for own in categories])
    assert set(teacher.labels) == set(LABELS)  # what most pictures have tells nothing
    likely = teacher.probabilities(features.mean(1))
    for place, label in enumerate(teacher.labels):
        has = torch.tensor([label in own for own in categories])
        above = likely[has, place][:, None] > likely[~has, place]
        assert above.float().mean() > 0.95


def test_shares_sum_to_one_at_most_and_rise_with_the_probability(teaching: ModuleType) -> None:
    features, categories = shown()
    teacher = teaching.CategoryTeacher.fit(features.mean(1), categories)
    shares = teacher.shares(features.mean(1))
    assert shares.sum(1).max() <= 1 + 1e-6
    assert (shares.sum(1) < 0.99).any()  # the rest is said of pictures that show neither
    both, none = ([sum(shares[i].tolist()) for i, own in enumerate(categories) if len(own) == n] for n in (2, 0))
    assert min(both) > max(none)


def test_answers_are_drawn_by_their_shares_without_repeats(teaching: ModuleType) -> None:
    teacher = teaching.CategoryTeacher(LABELS, torch.zeros(2, 3), torch.zeros(2), 2.0)
    drawn = teacher.draw(torch.tensor([[0.75, 0.25]]).repeat(400, 1), np.random.default_rng(0), 2)
    assert all(sorted(answer) == sorted(LABELS) for answer in drawn)
    assert 0.68 < Counter(answer[0] for answer in drawn)["red"] / 400 < 0.82


def test_a_catalogue_without_frequent_categories_is_refused(teaching: ModuleType) -> None:
    with pytest.raises(ValueError, match="no category"):
        teaching.CategoryTeacher.fit(torch.zeros(30, 3), [["red"]] * 3 + [[]] * 27)


def test_the_loss_of_the_first_token_is_zero_at_the_shares_and_counts_the_rest_as_one(learning: ModuleType) -> None:
    shares = torch.tensor([[0.5, 0.2, 0.1]])
    one, other = torch.tensor([[0.5, 0.3, 0.2, 0.0]]), torch.tensor([[0.5, 0.3, 0.05, 0.15]])
    for probabilities in (one, other):  # the second and third categories begin alike; the rest is anything
        loss = learning.first_token_loss(probabilities.clamp(min=1e-9).log(), [0, 1, 1], shares)
        assert float(loss) == pytest.approx(0, abs=1e-5)
    wrong = torch.tensor([[0.3, 0.5, 0.1, 0.1]]).log()
    assert float(learning.first_token_loss(wrong, [0, 1, 1], shares)) > 0.05


def test_the_projector_learns_the_teachers_categories_and_keeps_the_rest(
    teaching: ModuleType, learning: ModuleType
) -> None:
    script = importlib.import_module("teach_categories")
    mllm, (features, categories) = tiny_mllm(), shown()
    teacher = teaching.CategoryTeacher.fit(features.mean(1), categories)
    directions = learning.CategoryDirections.start(teacher, features.mean(1), mllm.hidden_size)
    taught = learning.Taught(features, teacher, directions)
    assert float(directions.scores(features).mean()) == pytest.approx(0, abs=1e-3)
    losses = learning.learn_directions(mllm, [taught], steps=20, lr=0.3)
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.2
    projector = projector_of(mllm).float()
    kept = torch.rand(60, 49, CHANNELS, generator=torch.Generator().manual_seed(1)) * 0.2
    before_kept, before = projector(kept).detach(), projector(features).detach()
    wanted = directions.moved(before, directions.scores(features)).detach()
    classifier = ImageClassifier(torch.randn(3, CHANNELS), torch.zeros(3), (("a",), ("b",), ("c",)))
    errors = script.move(projector, [taught], kept, 80, classifier, lr=8e-3, batch=12)
    assert np.mean(errors[-5:]) < np.mean(errors[:5])
    change = (wanted - before).mean(1).pow(2).mean()
    assert (projector(features) - wanted).mean(1).pow(2).mean() < 0.3 * change
    assert (projector(kept) - before_kept).mean(1).pow(2).mean() < 0.1 * change
    assert not any(weight.requires_grad for weight in projector.parameters())


def test_items_that_share_a_picture_share_its_categories(tmp_path: Path) -> None:
    from PIL import Image

    script = importlib.import_module("teach_categories")
    (tmp_path / "source" / "images").mkdir(parents=True)
    rng, items = np.random.default_rng(0), []
    for code in range(20):
        file = tmp_path / "source" / "images" / f"{code // 2}.png"
        if not file.exists():
            Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(file)
        items.append(Item(str(code), f"item {code}", "", ("Game", "PC" if code % 2 else "Wii"), file.name))
    log = make_interactions(np.zeros(20, int), np.arange(20), np.arange(20) + 10**9, 1, 20)
    save(Dataset("games", tuple(items), ("u",), log, tmp_path / "source"), tmp_path / "data")
    pairs = list(script.category_pictures(tmp_path / "data"))
    assert 0 < len(pairs) < 10  # some are held out
    assert {own for _, own in pairs} == {("game", "wii", "pc")}
