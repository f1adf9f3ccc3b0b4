"""The answers that the warm start learns: the best of what was said, and lists put together while a keyword pays."""

from collections.abc import Sequence

import pytest
from teach import embedding_model, settings_of
from tiny import tiny_mllm

from mmsrarec.data.dataset import Dataset
from mmsrarec.summarize.tuning.best_of_n import _best, compose
from mmsrarec.summarize.tuning.reward_scorer import RewardScorer
from mmsrarec.summarize.tuning.rewards import Information
from mmsrarec.summarize.tuning.tuning_tasks import PolicySummarizer, SummaryTask

RICH = SummaryTask(0, "text", "Mug", "Mug. Steel, oak, velvet.", "Steel, oak, velvet.")
POOR = SummaryTask(1, "text", "Mug", "Mug.", "")


def judge_of(drawn: Dataset, **tuning) -> RewardScorer:
    settings = settings_of(reconstruction=0.0, image=0.0, shared_by=1, **tuning)
    tune = settings.tune
    assert tune is not None
    return RewardScorer(PolicySummarizer(tiny_mllm(), drawn, {}, settings), tune, embedding_model, [], 0)


def rewards(judge: RewardScorer, summary_task: SummaryTask, lists: Sequence[Sequence[str]]) -> list[float]:
    said = [", ".join(keywords) for keywords in lists]
    return judge.rewards_of([summary_task] * len(lists), said, ("information", "length"))


def test_a_list_is_put_together_while_a_keyword_pays(drawn: Dataset) -> None:
    judge = judge_of(drawn, length=0.01)
    kept = compose(judge, RICH, ["mug"], 6)
    assert set(kept) <= {"mug", "steel", "oak", "velvet"}  # of what was said and of the text's own words
    assert len(kept) > 1
    values = rewards(judge, RICH, [kept[:n] for n in range(1, len(kept) + 1)])
    assert values == sorted(values)
    assert values[-1] >= max(rewards(judge, RICH, [[*kept, more] for more in ("steel", "oak", "velvet", "mug")]))
    assert values[0] == max(rewards(judge, RICH, [["mug"], ["steel"], ["oak"], ["velvet"]]))


def test_a_dearer_token_makes_shorter_lists_and_the_limit_holds(drawn: Dataset) -> None:
    lengths = [len(compose(judge_of(drawn, length=gamma), RICH, [], 6)) for gamma in (0.0, 2.0)]
    assert lengths[0] > lengths[1] == 1
    assert len(compose(judge_of(drawn, length=0.0), RICH, [], 2)) == 2


def test_an_item_that_says_nothing_beyond_its_title_gets_one_keyword(drawn: Dataset) -> None:
    assert compose(judge_of(drawn, length=0.12), POOR, [], 6) == ("mug",)
    assert compose(judge_of(drawn), SummaryTask(2, "text", "", "", ""), [], 6) == ()


def test_the_best_answer_is_at_least_as_good_as_all_that_was_said(drawn: Dataset) -> None:
    judge = judge_of(drawn, length=0.05)
    said = ["steel, mug", "oak", "gibberish", ""]
    best = _best(judge, RICH, said)
    assert best["reward"] >= max(judge.score([RICH] * 4, said)["total"])
    assert best["first"] == pytest.approx(judge.score([RICH], [said[0]])["total"][0])
    assert _best(judge, SummaryTask(3, "picture", "Mug", "", ""), ["", "?"])["answer"] == ""


def test_information_alone_decides_where_tokens_are_free(drawn: Dataset) -> None:
    judge = judge_of(drawn, length=0.0)
    assert [type(reward) for reward, _ in judge.rewards] == [Information]
    assert compose(judge, RICH, [], 6)
