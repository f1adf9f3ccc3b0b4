"""A variant changes what it names and nothing else."""

from typing import Any

import pytest
from pydantic import ValidationError

from mmsrarec.errors import MmsrarecError
from mmsrarec.recommend.ablations import VARIANTS, Variant, sweep_of, variant_named
from mmsrarec.recommend.settings import PromptFields, RecommendSettings, SoftTokens
from mmsrarec.retrieve.settings import RetrieveSettings

RECIPE = RecommendSettings(
    prompt_fields=PromptFields(trend=True, neighbour_votes=False), history=3, learning_rate=1e-4, layers=20
)


def changed(name: str) -> dict[str, Any]:
    """What is another in the settings of a variant."""
    before, after = (settings.model_dump() for settings in (RECIPE, variant_named(name).applied(RECIPE)))
    return {key: after[key] for key in before if before[key] != after[key]}


def test_settings_change_by_name() -> None:
    assert changed("whole") == changed("untuned keywords") == changed("random keywords") == {}
    assert changed("small") == {"layers": 8, "first_layer": 0}
    assert changed("softmax alone") == {"loss": "softmax"}
    assert changed("LambdaRank alone") == {"loss": "lambda"}
    assert changed("yes or no alone") == {"loss": "yesno"}
    assert changed("without multi-task") == {"tasks": {"foresee": 0, "recognise": 0, "profile": 0}}
    assert changed("untrained") == {"layers": None}
    assert changed("with transitions") == {"prompt_fields": RECIPE.prompt_fields.model_dump() | {"transitions": True}}


def test_plain_fine_tuning_shows_what_its_name_says() -> None:
    shown = {
        name: {k for k, on in changed(name)["prompt_fields"].items() if on}
        for name in ("titles", "titles and pictures")
    }
    assert shown == {"titles": {"titles"}, "titles and pictures": {"titles", "pictures"}}


def test_every_variant_is_a_whole_recipe() -> None:
    for name, variant in VARIANTS.items():
        assert RecommendSettings.model_validate(variant.applied(RECIPE).model_dump()) == variant.applied(RECIPE), name
    assert [name for name, variant in VARIANTS.items() if not variant.trained] == ["untrained", "untrained titles"]
    assert [(name, variant.teacher) for name, variant in VARIANTS.items() if variant.teacher] == [("small", "whole")]


def test_a_variant_is_held_to_the_ranges_of_the_settings() -> None:
    for wrong in ({"learning_rate": 7}, {"rate": 0.1}):
        with pytest.raises(ValidationError):
            Variant(settings=wrong).applied(RECIPE)
    with pytest.raises(MmsrarecError, match='unknown variant "most": choose from whole, titles'):
        variant_named("most")


def test_points_of_sweeps_and_encoders_are_variants() -> None:
    assert changed("history 7") == {"history": 7}
    assert changed("packs 19200") == {"n_examples": 19200}
    asked = RetrieveSettings(k=3, embedding_size=16)
    assert variant_named("k 9").retrieval_settings(asked) == RetrieveSettings(k=9, embedding_size=16)
    assert changed("k 9") == changed("stage 2 with GRU4Rec") == {}
    assert variant_named("stage 2 with GRU4Rec").retrieval_settings(asked).encoder == "gru4rec"
    for wrong in ("k 0", "k", "history 1.5", "k 100", "history 100", "packs 0", "packs 1e4", "layers 3"):
        assert sweep_of(wrong) is None
        with pytest.raises(MmsrarecError, match="unknown variant"):
            variant_named(wrong)


def test_soft_tokens_go_where_plain_fine_tuning_has_none() -> None:
    soft = SoftTokens(sources=("sasrec",), history=7, folds=3)
    recipe = RECIPE.model_copy(update={"soft": soft})

    def soft_of(name: str) -> SoftTokens:
        return variant_named(name).applied(recipe).soft

    without = {"titles", "titles and pictures", "without soft tokens", "untrained", "untrained titles"}
    without |= {"invarirank-style"}
    for name in without:
        assert soft_of(name) == SoftTokens()
    assert soft_of("soft prompt alone") == soft.model_copy(update={"alone": True})
    assert soft_of("shuffled soft tokens") == soft.model_copy(update={"shuffled": True})
    rest = set(VARIANTS) - without - {"shuffled soft tokens", "soft prompt alone"}
    assert all(soft_of(name) == soft for name in rest)
    assert changed("without soft tokens") == {}  # there are none by default
    assert changed("shuffled soft tokens") == {"soft": SoftTokens(shuffled=True).model_dump()}


def test_soft_tokens_alone_need_a_source() -> None:
    with pytest.raises(ValidationError, match="name their sources"):
        SoftTokens(alone=True)


def test_without_words_nothing_is_written_of_an_item() -> None:
    applied = variant_named("without words").applied(
        RECIPE.model_copy(update={"soft": SoftTokens(sources=("sasrec",))})
    )
    assert not any(applied.prompt_fields.model_dump().values())
    assert (applied.history, applied.similar_items) == (1, 0)
    assert applied.soft.sources == ("sasrec",)


@pytest.mark.parametrize(
    "wrong", [{"sources": ("popularity",)}, {"history": 51}, {"folds": 1}, {"learning_rate": 0}, {"vectors": True}]
)
def test_soft_tokens_are_held_to_their_ranges(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SoftTokens(**wrong)
