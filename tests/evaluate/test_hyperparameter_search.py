"""Every baseline has settings of its own; a search tries as many for each, on validation, and keeps the best."""

from pathlib import Path

import numpy as np
import pytest
from rounds import SMALL, rounds, same

from mmsrarec.core.artefacts import writing
from mmsrarec.data.splits import leave_one_out
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
from mmsrarec.rankers.registry.settings import SPACES, BaselineSettings
from mmsrarec.rankers.sequential_rules import SequentialRules
from mmsrarec.rankers.user_knn import UserKnn
from mmsrarec.retrieve.settings import RetrieveSettings
from mmsrarec.retrieve.training import train_encoder
from mmsrarec.testing import tiny_log


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
        return SequentialRules(baselines.sequential_rules).fit(split.train)

    def ndcg(window: int) -> float:
        found = evaluate_full(SequentialRules(window=window).fit(split.train), split.valid, split.train.n_items)
        return float(found["NDCG@10"].mean())

    own = BaselineSettings().with_row("sequential-rules", {"window": 15})
    tries = search("sequential-rules", own, make, split.valid, split.train.n_items, 6, seed=0)
    assert tries[0].settings["window"] == 15
    assert [one.ndcg for one in tries] == [ndcg(one.settings["window"]) for one in tries]
    assert best_of(tries).ndcg == max(one.ndcg for one in tries)
    assert best_of([Try({"l2": 1}, 0.5), Try({"l2": 2}, 0.5)]).settings == {"l2": 1}  # a draw changes nothing


def test_the_test_has_no_part_in_a_search() -> None:
    split = leave_one_out(tiny_log())

    class Watched(UserKnn):
        def score(self, queries, candidates=None):
            asked.append({(u, t) for u, t in zip(queries.user.tolist(), queries.time.tolist(), strict=True)})
            return super().score(queries, candidates)

    asked: list[set] = []
    search("user-knn", BaselineSettings(), lambda b: Watched(b.user_knn).fit(split.train), split.valid, 40, 3, 0)
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
