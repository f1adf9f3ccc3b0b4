"""The tokens of a prompt are estimated as they were measured, and follow the settings."""

import pytest

from mmsrarec.pipeline.cost_plan.prompt_tokens import picture_tokens, ranking_tokens, text_tokens
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.runs.recipe import load_recipe
from mmsrarec.summarize.settings import SummarizeSettings


def test_the_sample_recipe_has_the_tokens_of_the_benchmark() -> None:
    tokens = ranking_tokens(load_recipe("sample").recommend)
    assert tokens.shared == pytest.approx(209, rel=0.15)  # docs/results/cost.md
    assert tokens.candidate == pytest.approx(20, rel=0.15)


@pytest.mark.parametrize(
    ("change", "grows"),
    [
        ({"history": 9}, {"shared", "history"}),
        ({"similar_items": 9}, {"shared"}),
        ({"item_keywords": 9}, {"shared", "candidate", "history"}),
        ({"visual_tokens": 9}, {"candidate"}),
        ({"prompt_fields": {"trend": True}}, {"candidate"}),
        ({"prompt_fields": {"similar_keywords": True}}, {"shared"}),
        ({"prompt_fields": {"descriptions": True}, "description_tokens": 100}, {"shared", "candidate", "history"}),
        ({"soft": {"sources": ["sasrec"]}}, {"shared", "candidate"}),
    ],
)
def test_what_a_prompt_shows_costs_tokens(change: dict, grows: set[str]) -> None:
    plain, more = ranking_tokens(RecommendSettings()), ranking_tokens(RecommendSettings.model_validate(change))
    changed = {name for name in ("shared", "candidate", "history") if getattr(more, name) > getattr(plain, name)}
    assert changed == grows


def test_what_a_prompt_leaves_out_costs_nothing() -> None:
    off = dict.fromkeys(("titles", "text_keywords", "image_keywords", "pictures", "similar"), False)
    off |= {"neighbour_votes": False, "popularity": False}
    assert ranking_tokens(RecommendSettings.model_validate({"prompt_fields": off})).candidate == 1


def test_a_text_is_cut_and_a_picture_has_its_tokens() -> None:
    settings = SummarizeSettings(text_budget=100, visual_tokens=9)
    assert text_tokens(settings, 900, shots=False) == text_tokens(settings, 100, shots=False)
    assert text_tokens(settings, 50, shots=True) > text_tokens(settings, 50, shots=False)
    assert picture_tokens(settings) - picture_tokens(SummarizeSettings(visual_tokens=1)) == 8
