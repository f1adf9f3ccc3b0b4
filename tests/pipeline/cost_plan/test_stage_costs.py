"""Each stage costs what the recipe asks for: more of it, more; switched off, nothing."""

from dataclasses import replace

import pytest

from mmsrarec.models.sizes.model_size import count, model_size
from mmsrarec.pipeline.cost_plan.data_size import data_size
from mmsrarec.pipeline.cost_plan.stage_costs import Stage, stages_of
from mmsrarec.runs.recipe import Recipe, load_recipe

SIZE = model_size("embedded")
DATA = data_size(load_recipe("sample").data, items=1000, users=500, events=20_000, text_tokens=60)


def stages(*overrides: str, size=SIZE, data=DATA, number_bytes: int = 2) -> dict[str, Stage]:
    recipe = load_recipe("movielens-small", overrides)
    return {stage.name: stage for stage in stages_of(recipe, size, data, number_bytes)}


PLAIN = stages()


def test_a_run_has_its_stages_in_order() -> None:
    assert list(PLAIN) == ["pictures", "summarize", "retrieve", "item states", "recommend", "evaluate", "answer"]
    assert list(stages("summarize.tune={}"))[:2] == ["pictures", "tune"]
    assert "pictures" not in stages(data=replace(DATA, pictures=0))
    blind = stages("summarize.pictures=false", "summarize.texts=false", "recommend.prompt_fields.pictures=false")
    assert {"pictures", "summarize"}.isdisjoint(blind)
    classic = stages('evaluate.rows=["popularity", "sasrec"]')
    assert list(classic) == ["pictures", "summarize", "retrieve", "answer"]


@pytest.mark.parametrize(
    ("override", "stage", "factor"),
    [
        ("recommend.n_examples=12000", "recommend", 2.0),
        ("recommend.epochs=3", "recommend", 3.0),
        ("evaluate.n_seeds=2", "evaluate", 2.0),
        ("evaluate.n_seeds=2", "retrieve", 2.0),
        ("recommend.layers=16", "answer", 2.0),
        ("retrieve.epochs=200", "retrieve", 2.0),
    ],
)
def test_twice_as_much_is_twice_the_work(override: str, stage: str, factor: float) -> None:
    assert stages(override)[stage].flops == pytest.approx(factor * PLAIN[stage].flops)


def test_more_items_are_more_of_what_reads_items() -> None:
    larger = stages(data=replace(DATA, items=2000, texts=2000, pictures=2000))
    for name in ("pictures", "summarize", "item states"):
        assert larger[name].flops == pytest.approx(2 * PLAIN[name].flops), name
    assert larger["recommend"].flops == PLAIN["recommend"].flops
    assert larger["retrieve"].memory["item table"] == 2 * PLAIN["retrieve"].memory["item table"]


def test_soft_tokens_cost_sequence_models_without_the_users_that_are_trained_on() -> None:
    rows = 'evaluate.rows=["sasrec", "content-sasrec", "mmsrarec"]'
    words, soft = stages(rows, "recommend.soft.sources=[]")["retrieve"], stages(rows)["retrieve"]
    assert soft.flops == pytest.approx(words.flops * (2 + 2 * 0.75) / 2)


def test_memory_follows_the_number_format_and_what_is_computed_at_once() -> None:
    wide = stages(number_bytes=4)
    assert wide["evaluate"].memory["weights"] == 2 * PLAIN["evaluate"].memory["weights"]
    small = stages("recommend.batch_size=4")["recommend"].memory["activations"]
    assert stages("recommend.batch_size=2")["recommend"].memory["activations"] == pytest.approx(small / 2)
    few = stages("recommend.batch_size=64", "runtime.train_tokens=1024")["recommend"]
    assert few.memory["activations"] < stages("recommend.batch_size=64")["recommend"].memory["activations"]


def test_layers_that_are_dropped_were_loaded_first() -> None:
    whole = sum(stages("summarize.texts=true")["summarize"].memory[name] for name in ("libraries", "weights"))
    assert sum(PLAIN["answer"].memory.values()) >= whole


def test_a_model_without_eyes_reads_no_pictures() -> None:
    from architectures import tiny_of

    assert "pictures" not in stages(size=count(tiny_of("llama").model, "llama"))


def test_a_picture_in_the_models_own_way_costs_its_tiles_and_its_tokens() -> None:
    for name in ("SmolVLM-256M", "Qwen3-VL-4B"):
        size = model_size(name)
        assert size.vision is not None
        own, averaged = (stages(f"summarize.picture_form={form}", size=size) for form in ("auto", "averaged"))
        more = own["summarize"].flops - averaged["summarize"].flops
        looks = 2 * DATA.pictures * size.vision.looks * size.vision.flops  # to answer, and to check the keywords
        tokens = own["summarize"].tokens - averaged["summarize"].tokens
        assert more == pytest.approx(looks + 2 * size.layer_weights * size.layers * tokens, rel=0.01)
        assert tokens > DATA.pictures * 2 * (size.vision.native.tokens - 9)
        peaks = [sum(each["summarize"].memory.values()) for each in (own, averaged)]
        assert peaks[0] >= peaks[1]  # eight pictures at once are less than all the texts of a batch
        assert (peaks[0] > 2 * peaks[1]) == (size.vision.native.tiles > 1)
        assert own["pictures"].memory == averaged["pictures"].memory
        assert own["recommend"].flops == averaged["recommend"].flops
    assert stages("summarize.picture_form=averaged")["summarize"] == PLAIN["summarize"]  # the embedded model


def test_deepstack_features_are_kept_with_the_pictures() -> None:
    size = model_size("Qwen3-VL-4B")
    features = stages(size=size)["pictures"].memory["features"]
    assert features == DATA.pictures * load_recipe("movielens-small").summarize.visual_tokens * size.hidden * 4 * 2


def test_weights_of_few_bits_are_planned() -> None:
    size = model_size("Qwen3-VL-4B")
    whole, few = stages(size=size), stages("model.quantization=bitsandbytes-4bit", size=size)
    for name, layers in (("summarize", size.layers), ("recommend", 8)):
        saved = whole[name].memory["weights"] - few[name].memory["weights"]
        assert saved == pytest.approx(size.layer_weights * layers * (2 - 4.5 / 8)), name


def test_tuning_costs_more_with_more_steps() -> None:
    short, long = (stages(f"summarize.tune.steps={steps}")["tune"] for steps in (40, 80))
    none = stages("summarize.tune.steps=0")["tune"]
    assert long.flops - short.flops == pytest.approx(short.flops - none.flops)
    assert any(part.trains for part in short.works)


def test_every_shipped_recipe_can_be_planned() -> None:
    for name in ("demo", "microlens", "amazon-beauty", "amazon-games-2018"):
        recipe: Recipe = load_recipe(name)
        assert all(stage.flops > 0 for stage in stages_of(recipe, SIZE, DATA, 2)), name
