"""The synthetic catalogue: three signals with one source each, and known answers."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from mmsrarec.data.dataset import Dataset, IntArray
from mmsrarec.data.folder import save
from mmsrarec.data.images import usable_pictures
from mmsrarec.data.splits import Queries, leave_one_out
from mmsrarec.data.synthetic.catalogue import MATERIALS, SERIES, draw_catalogue
from mmsrarec.data.synthetic.drawing import COLOURS, KINDS, MOTIFS
from mmsrarec.data.synthetic.ground_truth import ATTRIBUTES, Attribute, GroundTruth, Oracle, attribute_pairs
from mmsrarec.errors import MmsrarecError


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def told(dataset: Dataset) -> dict[str, dict]:
    assert dataset.folder is not None
    return json.loads((dataset.folder / "answers.json").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The catalogue at its full size."""
    return draw_catalogue(tmp_path_factory.mktemp("whole") / "catalogue")


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        draw_catalogue(tmp_path / name, seed, items=40, shoppers=20)
    draw_catalogue(tmp_path / "b", 1, items=40, shoppers=20)  # over an earlier one
    a, b, c = (digest(tmp_path / name) for name in "abc")
    assert a == b
    assert not set(a.values()) & set(c.values())


def test_no_series_word_is_a_word_of_another_attribute() -> None:
    assert len(set(SERIES)) == len(SERIES) == 60
    assert not {word.lower() for word in SERIES} & {*MOTIFS, *MATERIALS, *KINDS, *COLOURS}


def test_text_tells_the_material_once_and_neither_motif_nor_colour(whole: Dataset) -> None:
    answers = told(whole)["items"]
    for item in whole.items:
        title, text = (re.findall(r"\w+", part.lower()) for part in (item.title, item.text))
        truth = answers[item.item_id]
        assert set(title) == {truth["series"].lower(), truth["kind"]}
        assert [word for word in text if word in MATERIALS] == [truth["material"]]
        assert not set(title) & set(MATERIALS)
        assert not set(text + title) & {*MOTIFS, *COLOURS}
        assert truth["series"].lower() not in text
    assert len({item.title for item in whole.items}) == 300


def test_attributes_tell_nothing_about_one_another(whole: Dataset) -> None:
    """Cells of the 6 x 6 table of motif and material, and of series, are filled as chance would."""
    answers = GroundTruth.load(whole)
    pictured = answers.motif >= 0
    table = np.zeros((6, 6))
    np.add.at(table, (answers.motif[pictured], answers.material[pictured]), 1)
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    assert ((table - expected) ** 2 / expected).sum() < 52.6  # chi-square, 25 degrees of freedom, p = .001
    neighbours = answers.series[1:] == answers.series[:-1]
    assert neighbours.sum() < 15  # about 4 by chance: the order of the table says nothing


def test_follow_is_one_circle_through_all_series(whole: Dataset) -> None:
    follow, at, seen = GroundTruth.load(whole).follow, 0, set()
    while at not in seen:
        seen.add(at)
        at = int(follow[at])
    assert len(seen) == 60


def test_sizes_ties_missing_pictures_and_new_items(whole: Dataset) -> None:
    answers, interactions = GroundTruth.load(whole), whole.interactions
    assert (len(whole.items), len(whole.user_ids)) == (300, 800)
    assert 9_000 < len(interactions) < 10_200
    lengths = np.diff(interactions.offsets)
    assert (lengths.min(), lengths.max()) == (8, 16)
    assert [item.image is None for item in whole.items] == (answers.motif < 0).tolist()
    assert ((answers.motif < 0).sum(), answers.new.sum()) == (24, 60)
    usable, broken = usable_pictures(whole)
    assert (len(usable), broken) == (276, {})
    same_user = np.diff(interactions.user) == 0
    assert 0.07 < (np.diff(interactions.time)[same_user] == 0).mean() < 0.12
    assert len(np.unique(interactions.user * 300 + interactions.item)) == len(
        interactions
    )  # nobody takes an item twice
    split = leave_one_out(interactions)
    assert split.train.counts[answers.new].sum() == 0
    assert 100 < answers.new[split.test.target].sum() < 200
    assert (split.test.time > np.quantile(interactions.time, 0.9)).mean() > 0.5
    earlier = np.searchsorted(np.sort(split.train.time), split.test.time)
    assert (earlier > 500).mean() > 0.95  # the past of others that a query may look at


def hit_rate(answers: GroundTruth, knows: tuple[Attribute, ...], queries: Queries, candidates: IntArray) -> float:
    """HR@5, ties count their share; the target comes first."""
    scores = Oracle(answers, knows).score(queries, candidates)
    above = (scores[:, 1:] > scores[:, :1]).sum(axis=1)
    equal = (scores[:, 1:] == scores[:, :1]).sum(axis=1)
    return float(np.clip((5 - above) / (equal + 1), 0, 1).mean())


def test_each_signal_is_worth_a_tenth_of_hit_rate(whole: Dataset) -> None:
    rng, answers, queries = np.random.default_rng(0), GroundTruth.load(whole), leave_one_out(whole.interactions).test
    free = [np.setdiff1d(np.arange(300), [*h, t]) for h, t in zip(queries.history, queries.target, strict=True)]
    negatives = np.array([rng.choice(items, 20, replace=False) for items in free])
    candidates = np.column_stack([queries.target, negatives])
    best = hit_rate(answers, ATTRIBUTES, queries, candidates)
    assert best > 0.95
    for lacking in ATTRIBUTES:
        knows = tuple(name for name in ATTRIBUTES if name != lacking)
        assert best - hit_rate(answers, knows, queries, candidates) >= 0.10
    assert hit_rate(answers, (), queries, candidates) == pytest.approx(5 / 21)


@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_pairs_differ_in_one_attribute_only(whole: Dataset, attribute: Attribute, new: bool) -> None:
    answers, queries = GroundTruth.load(whole), leave_one_out(whole.interactions).test
    rows, right, wrong = attribute_pairs(whole, answers, queries, attribute, np.random.default_rng(0), new=new)
    assert len(rows) > 150
    matches = answers.matches(queries)
    for name in ATTRIBUTES:
        if name == attribute:
            assert matches[name][rows, right].all()
            assert not matches[name][rows, wrong].any()
        else:
            assert (matches[name][rows, right] == matches[name][rows, wrong]).all()
    for items in (right, wrong):
        assert (answers.motif[items] >= 0).all()
        assert (answers.new[items] == new).all()
        assert not any(item in queries.history[row] for row, item in zip(rows, items, strict=True))


def test_on_pairs_the_oracle_is_right_if_it_knows_and_at_chance_if_not(whole: Dataset) -> None:
    answers, queries = GroundTruth.load(whole), leave_one_out(whole.interactions).test
    for attribute in ATTRIBUTES:
        rows, right, wrong = attribute_pairs(whole, answers, queries, attribute, np.random.default_rng(0))
        for lacks in (False, True):
            knows = tuple(name for name in ATTRIBUTES if not (lacks and name == attribute))
            scores = Oracle(answers, knows).score(queries, None)
            gain = scores[rows, right] - scores[rows, wrong]
            assert (gain == 0).all() if lacks else (gain > 0).all()
        popularity = leave_one_out(whole.interactions).train.counts
        better = (popularity[right] > popularity[wrong]) + 0.5 * (popularity[right] == popularity[wrong])
        assert 0.42 < better.mean() < 0.58  # a scorer blind to the shopper learns nothing from the pairs


def test_answers_go_by_id_and_only_a_drawn_catalogue_has_them(drawn: Dataset, tmp_path: Path) -> None:
    answers, known = GroundTruth.load(drawn), told(drawn)["items"]
    materials = sorted(MATERIALS)
    for code, item in enumerate(drawn.items):
        assert materials[answers.material[code]] == known[item.item_id]["material"]
    save(drawn, tmp_path / "copy")
    with pytest.raises(MmsrarecError, match=r"no answers\.json"):
        GroundTruth.load(Dataset("d", drawn.items, drawn.user_ids, drawn.interactions, tmp_path / "copy"))


@pytest.mark.parametrize(("items", "shoppers"), [(29, 10), (301, 10), (40, 0)])
def test_sizes_out_of_range_are_refused(tmp_path: Path, items: int, shoppers: int) -> None:
    with pytest.raises(MmsrarecError, match="30 to 300 items"):
        draw_catalogue(tmp_path / "a", items=items, shoppers=shoppers)
    assert not list(tmp_path.iterdir())
