"""Every baseline has settings of its own; a search tries as many for each, on validation, and keeps the best."""

from pathlib import Path

import numpy as np
import pytest
from rounds import SMALL, rounds, same
from walks import log, refuse

from mmsrarec.core.artefacts import writing
from mmsrarec.data.splits import Queries, leave_one_out
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.hyperparameter_search import (
    Try,
    best_of,
    chosen_baselines,
    load_tries,
    save_tries,
    search,
    search_encoder,
    search_folder,
    settings_to_try,
    settings_words,
)
from mmsrarec.evaluate.protocols import evaluate_full
from mmsrarec.evaluate.settings import EvaluateSettings
from mmsrarec.rankers.item_knn import ItemKnn
from mmsrarec.rankers.registry import CLASSIC, Source
from mmsrarec.rankers.sequential_rules import SequentialRules
from mmsrarec.rankers.settings import SPACES, BaselineSettings, encoder_settings
from mmsrarec.rankers.user_knn import UserKnn
from mmsrarec.retrieve.settings import ENCODERS, RetrieveSettings
from mmsrarec.retrieve.training import train_encoder
from mmsrarec.runs.recipe import load_recipe, to_toml

SETTINGS = {
    "recent-popularity": {"share": 0.9},
    "sequential-rules": {"window": 1},
    "item-knn": {"k": 1, "shrinkage": 5.0},
    "user-knn": {"k": 2},
    "als": {"factors": 2, "iterations": 1},
    "ease": {"l2": 9000.0},
}


def source(train, **tables) -> Source:
    return Source(train, 0, refuse, refuse, BaselineSettings.model_validate(tables))


@pytest.mark.parametrize("name", SETTINGS)
def test_a_row_is_made_by_its_own_settings(name: str) -> None:
    if name == "als":
        pytest.importorskip("implicit")
    split = leave_one_out(log())
    tables = {name.replace("-", "_"): SETTINGS[name]}
    usual, other = (CLASSIC[name](source(split.train, **given)).score(split.test, None) for given in ({}, tables))
    assert not np.allclose(usual, other)


def test_rows_with_settings_are_those_that_a_search_knows() -> None:
    assert {*SETTINGS, *ENCODERS} == SPACES.keys()
    assert {name.replace("-", "_") for name in SPACES} == BaselineSettings.model_fields.keys()
    for name, space in SPACES.items():
        for place in range(max(map(len, space.values()))):
            values = {key: options[place % len(options)] for key, options in space.items()}
            assert values.items() <= BaselineSettings().with_row(name, values).of(name).items() | {("k", None)}


def test_nearest_items_by_hand() -> None:
    """Item 0 is with 1 twice, with 2 once; each of 1 and 2 has other company too."""
    from mmsrarec.data.dataset import make_interactions

    user, item = np.array([0, 0, 1, 1, 2, 2, 3]), np.array([0, 1, 0, 1, 0, 2, 2])
    interactions = make_interactions(user, item, np.arange(7), 4, 4)
    asked = Queries(np.array([-1]), np.array([9]), np.array([-1]), (np.array([0]),))

    def scores(**how) -> list[float]:
        return ItemKnn(interactions, **how).score(asked, None)[0].tolist()

    first, second = 2 / (3 * 2) ** 0.5, 1 / (3 * 2) ** 0.5
    assert scores() == pytest.approx([0, first, second, 0], abs=1e-6)
    assert scores(k=1) == pytest.approx([0, first, 0, 0], abs=1e-6)
    assert scores(k=9) == scores()
    assert scores(shrinkage=3) == pytest.approx([0, 2 / (6**0.5 + 3), 1 / (6**0.5 + 3), 0], abs=1e-6)


@pytest.mark.parametrize("name", SPACES)
def test_tries_are_as_many_as_asked_each_once_the_recipes_own_first(name: str) -> None:
    own = BaselineSettings().of(name)
    tried = settings_to_try(name, own, 5, seed=3)
    assert tried[0] == own
    assert len(tried) == 5
    assert all(one not in tried[:place] for place, one in enumerate(tried))
    assert tried == settings_to_try(name, own, 5, seed=3)
    assert settings_to_try(name, own, 1, seed=3) == [own]
    everything = settings_to_try(name, own, 10**6, seed=3)
    assert len(everything) - 1 <= np.prod([len(values) for values in SPACES[name].values()]) <= len(everything)


def test_a_search_finds_what_validation_prefers() -> None:
    """Everybody goes on to the next item: the shortest window tells that, and a long one blurs it."""
    split = leave_one_out(rounds())

    def make(baselines: BaselineSettings) -> SequentialRules:
        return SequentialRules(split.train, **baselines.of("sequential-rules"))

    def ndcg(window: int) -> float:
        found = evaluate_full(SequentialRules(split.train, window), split.valid, split.train.n_items)
        return float(found["NDCG@10"].mean())

    own = BaselineSettings().with_row("sequential-rules", {"window": 15})
    tries = search("sequential-rules", own, make, split.valid, split.train.n_items, 6, seed=0)
    assert tries[0].settings["window"] == 15
    assert [one.ndcg for one in tries] == [ndcg(one.settings["window"]) for one in tries]
    assert best_of(tries).ndcg == max(one.ndcg for one in tries)
    assert best_of([Try({"l2": 1}, 0.5), Try({"l2": 2}, 0.5)]).settings == {"l2": 1}  # a draw changes nothing


def test_the_test_has_no_part_in_a_search() -> None:
    split = leave_one_out(log())

    class Watched(UserKnn):
        def score(self, queries, candidates):
            asked.append({(u, t) for u, t in zip(queries.user.tolist(), queries.time.tolist(), strict=True)})
            return super().score(queries, candidates)

    asked: list[set] = []
    search("user-knn", BaselineSettings(), lambda b: Watched(split.train, **b.of("user-knn")), split.valid, 40, 3, 0)
    valid = set(zip(split.valid.user.tolist(), split.valid.time.tolist(), strict=True))
    assert len(asked) == 3
    assert all(one <= valid for one in asked)


def test_what_was_tried_is_kept_and_serves(tmp_path: Path) -> None:
    settings = EvaluateSettings(tune_baselines=2, rows=("ease", "als"))
    assert chosen_baselines(tmp_path, "s", settings) == settings.baselines
    folder = search_folder(tmp_path, "s", "ease")
    folder.parent.mkdir(parents=True)
    tries = [Try({"l2": 100.0}, 0.1), Try({"l2": 30.0}, 0.2)]
    with writing(folder, kind="search", key="a") as draft:
        save_tries(draft, tries)
    assert load_tries(folder) == tries
    chosen = chosen_baselines(tmp_path, "s", settings)
    assert (chosen.of("ease"), chosen.of("als")) == ({"l2": 30.0}, settings.baselines.of("als"))
    assert chosen_baselines(tmp_path, "s", settings.model_copy(update={"tune_baselines": 0})) == settings.baselines
    with pytest.raises(MmsrarecError, match="holds no search"):
        load_tries(tmp_path)
    (sentence,) = settings_words("s", [("ease", {"l2": 30.0}, tries)], 2)
    assert "2 tries for each" in sentence
    assert "ease (l2 30.0; best of 2 tried, validation NDCG@10 0.2000)" in sentence


def test_a_sequence_model_has_its_own_settings_and_stage_2s_are_those_of_retrieve() -> None:
    own = RetrieveSettings(embedding_size=16, learning_rate=0.01)
    tables = BaselineSettings.model_validate({"gru4rec": {"embedding_size": 32, "dropout": 0.5}, "sasrec": {}})
    found = encoder_settings(own, tables, "gru4rec")
    assert (found.encoder, found.embedding_size, found.dropout, found.learning_rate) == ("gru4rec", 32, 0.5, 0.01)
    assert encoder_settings(own, tables, "sasrec") is own
    assert encoder_settings(own, tables, "bert4rec") == own.model_copy(update={"encoder": "bert4rec"})
    with pytest.raises(MmsrarecError, match=r"sasrec is the encoder of stage 2, set retrieve\.lr instead"):
        encoder_settings(own, BaselineSettings.model_validate({"sasrec": {"learning_rate": 0.1}}), "sasrec")
    with pytest.raises(MmsrarecError, match=r"evaluate\.baselines\.bert4rec.*heads \(2\) must divide dims \(9\)"):
        encoder_settings(own, BaselineSettings.model_validate({"bert4rec": {"embedding_size": 9}}), "bert4rec")


def test_a_stopped_search_for_a_sequence_model_goes_on(tmp_path: Path) -> None:
    split = leave_one_out(rounds())
    own = SMALL.model_copy(update={"encoder": "gru4rec", "epochs": 2})
    trained: list[RetrieveSettings] = []

    def train(settings: RetrieveSettings):
        if len(trained) == stop:
            raise KeyboardInterrupt
        trained.append(settings)
        return train_encoder(split.train, split.valid, settings, 0)

    stop = 9
    whole, tries = search_encoder("gru4rec", own, train, 3, 0, tmp_path / "whole")
    trained.clear()
    stop = 2
    with pytest.raises(KeyboardInterrupt):
        search_encoder("gru4rec", own, train, 3, 0, tmp_path / "stopped")
    stop = 9
    again, told = search_encoder("gru4rec", own, train, 3, 0, tmp_path / "stopped")
    assert len(trained) == 3
    assert told == tries
    assert same(whole, again)
    assert whole.settings.learning_rate == best_of(tries).settings["learning_rate"]
    assert {key: getattr(own, key) for key in SPACES["gru4rec"]} == tries[0].settings


def test_tables_of_baselines_are_read_and_written(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        'name = "a"\ndata = "d"\n[evaluate.baselines.als]\nalpha = 5\n[evaluate.baselines.gru4rec]\nlr = 0.01\n'
    )
    recipe = load_recipe(tmp_path / "a.toml", ["evaluate.baselines.item_knn.k=20", "evaluate.tune_baselines=4"])
    assert (recipe.evaluate.baselines.als.alpha, recipe.evaluate.baselines.item_knn.k) == (5, 20)
    (tmp_path / "b.toml").write_text(to_toml(recipe))
    assert load_recipe(tmp_path / "b.toml") == recipe
    with pytest.raises(MmsrarecError, match=r"did you mean evaluate\.baselines\.ease\.l2"):
        load_recipe(tmp_path / "a.toml", ["evaluate.baselines.ease.l3=1"])
