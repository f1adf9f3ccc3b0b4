"""The tasks of writing keywords: word for word, under the clock, and with the loss on the answer alone."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import GOLDEN
from tiny import SPECIAL, tiny_mllm
from world import make_dataset, make_log, make_prompts, make_retrieval, only

from mmsrarec.data.dataset import Interactions, Item, make_interactions
from mmsrarec.models.packing.answer_likelihood import token_log_probs
from mmsrarec.models.packing.forward import batch_of
from mmsrarec.models.packing.pack_table import PackTable
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan
from mmsrarec.recommend.ablations import variant_named
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.recommend.training.training_tasks import (
    answer_loss,
    draw_examples,
    equal_cost_batch_size,
    foresee,
    mix_tasks,
    prepare_answers,
    profile,
    recognise,
)

MLLM = tiny_mllm()
SPECIAL_IDS = {*MLLM.tokenizer.all_special_ids, *MLLM.tokenizer.convert_tokens_to_ids(SPECIAL)}
ITEMS = (
    Item("m1", "Otter clay mug", "A mug of clay, glazed twice.", ("Kitchen",), "m1.png"),
    Item("m2", "Comet wool shirt", "Warm.", ("Wear",)),
    Item("m3", "", "Honest steel", (), "m3.png"),
    Item("m4", "Clay bowl", "Clay.", ("Kitchen",)),
)
LOG = make_log(np.random.default_rng(0), n_users=2, n_items=len(ITEMS), length=2)
KNOWN = PromptContext(history=(0, 1), similar=(2,), candidates=(3,), popularity=(0,), neighbour_votes=(0,))


def prompts_of(items: tuple[Item, ...] = ITEMS, **settings) -> Prompts:
    return make_prompts(MLLM, make_dataset(LOG, items), visual_tokens=2, **settings)


EXAMPLES = {
    "foresee": lambda prompts: foresee(prompts, KNOWN, 3),
    "recognise": lambda prompts: recognise(prompts, 0),
    "profile": lambda prompts: profile(prompts, (0, 1), (0, 1, 3)),
}


def text(ids: list[int]) -> str:
    return MLLM.tokenizer.decode(ids, clean_up_tokenization_spaces=False)


def read(example: PackedPrompt) -> str:
    pictures = f"[pictures {example.shared.pictures}]" if example.shared.pictures else ""
    return f"{text(example.shared.ids)}{pictures}\n---\n{text(example.candidates[0].ids)}\n"


@pytest.mark.parametrize("task", list(EXAMPLES))
def test_tasks_are_held_still(task: str) -> None:
    """After a wanted change: run this file with REWRITE_GOLDEN=1 set, then read what changed in golden/."""
    shown = read(EXAMPLES[task](prompts_of()))
    file = GOLDEN / f"task-{task}.txt"
    if os.environ.get("REWRITE_GOLDEN"):
        file.write_text(shown, encoding="utf-8")
    assert shown == file.read_text(encoding="utf-8")


def test_a_context_is_the_one_of_the_choice() -> None:
    prompts = prompts_of()
    asked, chosen = foresee(prompts, KNOWN, 3).shared.ids, prompts.render(KNOWN).shared.ids
    context, _, rest = text(chosen).partition("Will they take it next? Answer yes or no.")
    assert text(asked) == f"{context}What do they take next? Answer with its keywords.{rest}"


def test_a_profile_is_what_is_common_in_the_user_and_rare_elsewhere() -> None:
    """Kitchen, a word of two items in four, is said of two taken: 2 x (log(5/3) + 1) = 3.02. A word of one item in four
    weighs log(5/2) + 1 = 1.92; red and star, of two in four but one taken, 1.51."""
    prompts = prompts_of(item_keywords=3)
    assert prompts.shown_keywords(0) == ("kitchen", "red", "star")
    assert prompts.shown_keywords(1) == ("wear", "comet", "wool")
    assert prompts.shown_keywords(3) == ("kitchen", "clay", "bowl")
    example = profile(prompts, (0,), (1, 0, 3))
    assert text(example.candidates[0].ids) == "kitchen, wear, comet<|im_end|>"
    assert "Comet" not in text(example.shared.ids)  # the history alone is shown


@pytest.mark.parametrize("variant", ["titles", "titles and pictures", "without stage 1", "raw descriptions"])
def test_where_no_keywords_are_shown_none_are_written(variant: str) -> None:
    prompt_fields = variant_named(variant).prompt_fields
    assert [make(prompts_of(prompt_fields=prompt_fields)) for make in EXAMPLES.values()] == [None] * 3
    prompts = make_prompts(
        MLLM, make_dataset(make_log(np.random.default_rng(1))), prompt_fields=prompt_fields, n_examples=9
    )
    assert draw_examples(prompts, make_retrieval(prompts.dataset.interactions), 0) == {}


def test_an_answer_holds_the_keywords_that_are_shown() -> None:
    prompts = prompts_of(prompt_fields={"text_keywords": False})
    assert foresee(prompts, KNOWN, 3) is None  # it has no picture
    assert recognise(prompts, 1) is None
    assert text(recognise(prompts, 2).candidates[0].ids) == "red, star<|im_end|>"


def test_an_item_of_which_nothing_is_shown_is_not_recognised() -> None:
    blind = prompts_of(prompt_fields=only(text_keywords=True))
    assert recognise(blind, 0) is None
    assert recognise(prompts_of(prompt_fields={"pictures": False}), 2) is None  # it has no title
    assert recognise(prompts_of(prompt_fields={"titles": False}), 0).shared.pictures == [0]


hostile = st.lists(st.sampled_from([*SPECIAL, "\n- ", "\r", "\u2028", "Answer", " "]), max_size=6).map("".join)


@settings(deadline=None)
@given(hostile | st.text(max_size=20), hostile)
def test_no_item_forges_a_special_token(title: str, word: str) -> None:
    items = (Item("1", title, "", (), "1.png"), Item("2", title), *ITEMS[2:])
    prompts = prompts_of(items)
    prompts.keywords = replace(prompts.keywords, text=((word,), ("plain",), ("steel",), ("clay",)))

    def special(example: PackedPrompt) -> list[int]:
        return [token for token in (*example.shared.ids, *example.candidates[0].ids) if token in SPECIAL_IDS]

    before, after = MLLM.frame
    frame = [token for token in (*before, *after) if token in SPECIAL_IDS]
    picture = [MLLM.image_token] * 2
    for example, places in ((recognise(prompts, 0), picture), (foresee(prompts, KNOWN, 0), []),
                            (profile(prompts, (0, 1), (0, 1)), [])):  # fmt: skip
        assert sorted(special(example)) == sorted([*frame, *places, MLLM.turn_end])


def periods() -> Interactions:
    """Ten periods; in each, everybody takes one of the ten items that are new then: whatever is older has a lower code,
    whatever happens in the same period or later an equal or a higher one."""
    rng = np.random.default_rng(0)
    users, time = np.repeat(np.arange(12), 8), np.tile(np.arange(8), 12)
    return make_interactions(users, 10 * time + rng.integers(0, 10, len(users)), 1 + time, 12, 90)


def drawn(seed: int = 0, **tasks: float) -> dict[str, list[PackedPrompt]]:
    log = periods()
    items = tuple(Item(f"{n}", f"it {n}.", f"word{n // 26}{chr(97 + n % 26)}") for n in range(log.n_items))
    chosen = {"n_examples": 40, "item_keywords": 2, "history": 3, "tasks": dict.fromkeys(EXAMPLES, 0.0) | tasks}
    prompts = make_prompts(MLLM, make_dataset(log, items), **chosen)
    words = tuple((f"w{n:03}",) for n in range(log.n_items))
    prompts.keywords = replace(prompts.keywords, text=words, image=((),) * log.n_items)
    return draw_examples(prompts, make_retrieval(log, n_vote_neighbours=10), seed)


def codes(ids: list[int]) -> list[int]:
    return [int(word[:3]) for word in text(ids).split("w") if word[:3].isdigit()]


def test_what_is_foreseen_is_newer_than_all_that_is_shown() -> None:
    examples = drawn(foresee=1.0)["foresee"]
    assert len(examples) == 40
    similar = 0
    for one in examples:
        (target,) = codes(one.candidates[0].ids)
        shown = codes(one.shared.ids)
        assert shown
        assert max(shown) // 10 < target // 10
        similar += "People alike took next" in text(one.shared.ids)
    assert similar > 20  # the clock had something to hide


def test_profiles_and_pictures_come_from_training_alone() -> None:
    log, examples = periods(), drawn(profile=1.0, recognise=3.0)
    mine = [set(log.items_of(user).tolist()) for user in range(log.n_users)]
    for one in examples["profile"]:
        shown, told = codes(one.shared.ids), codes(one.candidates[0].ids)
        assert any({*shown, *told} <= taken for taken in mine)
        assert len(told) == 2
    recognised = [code for one in examples["recognise"] for code in codes(one.candidates[0].ids)]
    assert set(recognised) == set(log.item.tolist())  # 120 of the fewer items taken; what nobody took stays new


def test_examples_follow_the_seed_and_no_other_task() -> None:
    both = drawn(foresee=0.2, profile=0.4)
    assert both == drawn(foresee=0.2, profile=0.4)
    assert both["profile"] == drawn(profile=0.4)["profile"]
    assert both["foresee"] != drawn(1, foresee=0.2)["foresee"]
    assert {task: len(found) for task, found in both.items()} == {"foresee": 8, "profile": 16}


def test_the_loss_is_the_mean_over_the_answers_tokens() -> None:
    prompts = prompts_of()
    examples = [recognise(prompts, 0), foresee(prompts, KNOWN, 3), recognise(prompts, 2), profile(prompts, (1,), (1,))]
    seen = [prompts.features[one.shared.pictures[0]] if one.shared.pictures else None for one in examples]
    asked, answers = [one.shared.ids for one in examples], [one.candidates[0].ids for one in examples]
    likely = token_log_probs(MLLM, asked, answers, seen)
    torch.testing.assert_close(
        answer_loss(prompts, prepare_answers(prompts, batch_of(MLLM, examples))),
        -torch.cat(likely).mean(),
        rtol=1e-4,
        atol=1e-4,
    )
    assert len({len(answer) for answer in answers}) > 1


def test_a_step_of_writing_costs_about_what_a_step_of_packs_costs() -> None:
    packs = [PackedPrompt(TokenSpan([0] * 100), [TokenSpan([0] * 25)] * 8)] * 3
    examples = [PackedPrompt(TokenSpan([0] * 40), [TokenSpan([0] * 5)])] * 9
    assert equal_cost_batch_size(examples, PackTable.of(packs), 4) == 24  # 4 x 300 / (40 + 2 x 5)
    assert equal_cost_batch_size(packs[:1], PackTable.of(examples), 1) == 1


@given(st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), min_size=1), st.integers(0, 99))
def test_tasks_mixed_keep_their_own_order(counts: dict[str, int], seed: int) -> None:
    plans = {task: [np.array([n]) for n in range(count)] for task, count in counts.items()}
    steps = mix_tasks(plans, np.random.default_rng(seed))
    assert {task: [int(rows[0]) for name, rows in steps if name == task] for task in plans} == {
        task: list(range(count)) for task, count in counts.items()
    }


def test_the_default_mixes_all_tasks_in() -> None:
    assert all(share > 0 for share in RecommendSettings().tasks.model_dump().values())
