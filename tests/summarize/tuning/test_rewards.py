"""The rewards against values computed by hand, with embeddings and language models that are made up."""

import math
import pickle
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from mmsrarec.summarize.language.lexicon import Lexicon
from mmsrarec.summarize.tuning.image_reward import ImageInformation
from mmsrarec.summarize.tuning.reward_parts import SharedWords, answer_profile, total
from mmsrarec.summarize.tuning.rewards import Information, Length, Reconstruction

LIMITS = {"text": 6, "picture": 4}
TOKENS = 20
AXES = {"otter": 0, "mug": 1, "steel": 2, "home": 3}


class Bag:
    """phi: the words that a text holds, each an axis; a picture's or an unknown word has none."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> Tensor:
        self.asked += texts
        rows = torch.zeros(len(texts), 5)
        for row, text in enumerate(texts):
            for word, axis in AXES.items():
                rows[row, axis] = float(word in text.lower())
            rows[row, 4] = 1e-6
        return rows / rows.norm(dim=1, keepdim=True)


class Model:
    """P: a word of the text that the prefix has costs 1 nat, any other 3."""

    def __call__(self, prefixes: Sequence[str], texts: Sequence[str]) -> list[Tensor]:
        words = (text.lower().replace(".", "").split() for text in texts)
        return [
            torch.tensor([-1.0 if word in prefix.lower() else -3.0 for word in said])
            for prefix, said in zip(prefixes, words, strict=True)
        ]


def asked(completions: list[str], **columns) -> dict:
    n = len(completions)
    base = {
        "completions": completions,
        "completion_ids": [[0] * 5] * n,
        "modality": ["text"] * n,
        "title": ["Otter mug"] * n,
        "text": ["Otter mug. Steel. Home"] * n,
        "description": ["Steel."] * n,
        "code": list(range(n)),
    }
    return base | columns


def test_information_as_published_is_the_cosine() -> None:
    reward = Information(Bag(), LIMITS, "published")
    found = reward(**asked(["steel", "otter, mug, steel, home", "steel, mug", ""]))
    assert found == pytest.approx([1 / 2, 1.0, 2 / math.sqrt(2) / 2, 0.0], abs=1e-4)


def test_bounded_information_is_what_keywords_add_to_the_title() -> None:
    reward = Information(Bag(), LIMITS)
    before = 2 / math.sqrt(2) / 2  # the title says two of four things
    one_more = 3 / math.sqrt(3) / 2
    found = reward(**asked(["steel", "steel, home", "otter, mug", ""]))
    assert found == pytest.approx([one_more - before, 1 - before, 0.0, 0.0], abs=1e-4)


def test_an_item_with_more_to_tell_is_worth_more_keywords() -> None:
    """The second keyword pays where the title leaves two things unsaid, not where one keyword says all."""
    rewards = [Information(Bag(), LIMITS), Length(LIMITS, TOKENS)]

    def gain(text: str) -> float:
        told = asked(["steel", "steel, home"], text=[text] * 2, completion_ids=[[0], [0] * 3])
        one, two = total({r.__name__: r(**told) for r in rewards}, {"information": 1.0, "length": 0.5})
        return two - one

    assert gain("Otter mug. Steel. Home") > 0
    assert gain("Otter mug. Steel") < 0


def test_a_word_that_no_other_item_has_counts_for_nothing() -> None:
    german = SharedWords.among(["Häuser", "Ein Haus", "Schal", "Schals"], 2, Lexicon(("de",), frozenset({"schal"})))
    assert german("haus")
    assert not german("schal")  # most items hold it, and summarizing drops it
    shared = SharedWords.among(["Steel mug", "Steel pots. Steel again", "Otter"], 2)
    assert [shared(k) for k in ("steel", "steel mug", "pot", "otter", "unheard")] == [True, False, False, False, False]
    told = asked(["steel", "home", "steel, home"])
    for kind, model in ((Information, Bag()), (Reconstruction, Model())):
        steel, home, both = kind(model, LIMITS, shared=shared)(**told)
        assert steel == both > home == 0
    one, _, all_count = Information(Bag(), LIMITS, "published", shared=shared)(**told)
    assert all_count > one  # the published form knows nothing of other items


def test_categories_weigh_their_share_where_an_item_has_any() -> None:
    said, home = ["steel", "home", "steel, home"], {"categories": ["Home"] * 3}
    text = Information(Bag(), LIMITS)(**asked(said))
    group = Information(Bag(), LIMITS, share=1.0)(**asked(said, **home))
    one_of_three = 1 / math.sqrt(3)
    assert group == pytest.approx([0.0, one_of_three, 1 / 2], abs=1e-4)  # of which the title says nothing
    both = Information(Bag(), LIMITS, share=0.25)(**asked(said, **home))
    assert both == pytest.approx([0.75 * t + 0.25 * g for t, g in zip(text, group, strict=True)], abs=1e-6)
    assert Information(Bag(), LIMITS, share=0.25)(**asked(said, categories=[""] * 3)) == text
    assert Information(Bag(), LIMITS, share=0.25)(**asked(said)) == text


def test_words_that_the_text_does_not_bear_out_inform_of_nothing() -> None:
    reward = Information(Bag(), LIMITS)
    steel, made_up = reward(**asked(["steel", "steel, copper"]))
    assert steel == made_up


def test_a_title_that_says_all_leaves_nothing_to_say() -> None:
    reward = Information(Bag(), LIMITS)
    assert reward(**asked(["mug"], text=["Otter mug"])) == pytest.approx([0.0], abs=1e-6)


def test_information_of_pictures_is_only_published() -> None:
    told = asked(["steel", "steel"], modality=["text", "picture"])
    assert Information(Bag(), LIMITS)(**told)[1] is None
    assert Information(Bag(), LIMITS, "published")(**told)[1] == pytest.approx(0.5, abs=1e-4)


def test_a_text_is_embedded_once() -> None:
    embedding_model = Bag()
    reward = Information(embedding_model, LIMITS)
    reward(**asked(["steel", "steel", "home"]))
    reward(**asked(["steel", "home"]))
    assert (
        len(embedding_model.asked) == len(set(embedding_model.asked)) == 4
    )  # two lists of keywords, the title, the text


def test_reconstruction_as_published_is_minus_the_perplexity() -> None:
    reward = Reconstruction(Model(), LIMITS, "published")
    found = reward(**asked(["steel", "otter, mug, steel, home", ""]))
    assert found == pytest.approx([-math.exp((3 * 3 + 1) / 4), -math.e, -math.exp(3)])


def test_bounded_reconstruction_is_the_gain_of_a_token_of_the_description_over_the_title() -> None:
    reward = Reconstruction(Model(), LIMITS)
    told = {"description": ["Steel of an otter"] * 4}
    found = reward(**asked(["steel", "steel, home", "mug", ""], **told))
    assert found == pytest.approx([2 / 4, 2 / 4, 0.0, 0.0])  # home is a category: repeating it pays nothing


def test_without_a_description_the_whole_text_is_reconstructed() -> None:
    found = Reconstruction(Model(), LIMITS)(**asked(["steel", "steel, home"], description=["", ""]))
    assert found == pytest.approx([2 / 4, 4 / 4])


def test_reconstruction_needs_a_text() -> None:
    told = asked(["steel", "red"], modality=["text", "picture"], text=["", "Steel"], description=["", "Steel"])
    assert Reconstruction(Model(), LIMITS)(**told) == [None, None]


class VisionLayout:
    """P given a picture: picture c is of colour c % 3; its name costs 0 nats, any other word 2."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, codes: Sequence[int], answers: Sequence[str]) -> list[Tensor]:
        self.asked += len(codes)
        names = ["red", "green", "blue"]
        return [
            torch.tensor([0.0 if word == names[code % 3] else -2.0 for word in answer.split(", ")])
            for code, answer in zip(codes, answers, strict=True)
        ]


def test_image_information_is_how_well_words_tell_the_picture_from_others() -> None:
    vision_layout = VisionLayout()
    reward = ImageInformation(vision_layout, [0, 1, 2], LIMITS)
    told = asked(["red", "mug, red", "blue", "mug", "red"], modality=["picture"] * 4 + ["text"], code=[0, 0, 0, 0, 0])
    found = reward(**told)
    rest, hardly = math.exp(-2), 0.02
    told_apart = 1 / (1 + 2 * rest + hardly)
    assert found[:3] == pytest.approx([told_apart, told_apart, rest / (2 * rest + 1 + hardly)])
    assert found[3:] == [0.0, None]  # the title says mug; texts are not judged
    assert vision_layout.asked == 2 * 3
    assert reward(**told) == found
    assert vision_layout.asked == 2 * 3


def test_a_word_that_the_model_would_hardly_say_tells_nothing() -> None:
    def vision_layout(codes, answers):
        """A right beginning, and an end that is no likelier for any picture."""
        return [torch.tensor([-0.1 if code == 0 else -5.0, -9.0 if "made up" in a else -0.1])
                for code, a in zip(codes, answers, strict=True)]  # fmt: skip

    reward = ImageInformation(vision_layout, [0, 1, 2], LIMITS)
    right, made_up = reward(**asked(["red, star", "made up"], modality=["picture"] * 2, code=[0, 0]))
    assert right > 0.9
    assert made_up < 0.3


def test_an_item_is_told_from_the_same_others_every_time() -> None:
    reward = ImageInformation(VisionLayout(), list(range(50)), LIMITS, others=5)
    again = ImageInformation(VisionLayout(), list(range(50)), LIMITS, others=5)
    assert reward.contrast(7) == again.contrast(7)
    assert reward.contrast(7) != reward.contrast(8)
    assert 7 not in reward.contrast(7)
    assert len(set(reward.contrast(7))) == 5


def test_length_as_published_is_minus_the_number_of_keywords() -> None:
    found = Length(LIMITS, TOKENS, form="published")(**asked(["steel", "otter, mug, steel", "", "steel, steel"]))
    assert found == [-1.0, -3.0, 0.0, -1.0]


def test_bounded_length_is_a_price_a_token_and_nothing_said_never_wins() -> None:
    ids = [[0] * 5, [0] * 2, [], [0] * 5, [0] * 40]
    length = Length(LIMITS, TOKENS)
    told = asked(["steel, home", "steel", "", "copper", "mug"], completion_ids=ids)
    assert length(**told) == pytest.approx([-5 / 20, -2 / 20, -1.0, -1.0, -1.0])
    pictures = told | {"modality": ["picture"] * 5}
    assert length(**pictures) == pytest.approx([-5 / 20, -2 / 20, -1.0, -5 / 20, -1.0])  # a picture bears out copper


def test_the_sum_leaves_out_what_does_not_apply() -> None:
    rewards = {"information": [0.5, None], "image": [None, 0.25]}
    assert total(rewards, {"information": 2.0, "image": 4.0}) == [1.0, 1.0]


def test_rewards_can_be_pickled_and_have_names() -> None:
    information = Information(Bag(), LIMITS)
    rewards = [
        information,
        Reconstruction(Model(), LIMITS),
        ImageInformation(VisionLayout(), [0, 1], LIMITS),
        Length(LIMITS, TOKENS),
    ]
    told = asked(["steel", "red"], modality=["text", "picture"])
    for reward in rewards:
        assert pickle.loads(pickle.dumps(reward))(**told) == reward(**told)
    assert [reward.__name__ for reward in rewards] == ["information", "reconstruction", "image", "length"]


def test_answers_are_looked_at() -> None:
    told = asked(["steel, steel", "otter, steel", "", "<b>"])
    for unasked in ("completion_ids", "code", "description"):
        told.pop(unasked)
    found = answer_profile(**told, limits=LIMITS)
    assert found == {"keywords": 3 / 4, "malformed": 2 / 4, "empty": 1 / 4, "repeated": 1 / 4, "copied": 1 / 3}
