"""Stage 1 as a whole, with a tiny model: what is asked, what is kept, what a second run costs."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import tiny_mllm
from torch import Tensor

from mmsrarec.core.files import file_hash
from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.packing.answer_likelihood import token_log_probs
from mmsrarec.models.vision.image_features import blank, encode_catalogue_images
from mmsrarec.summarize.answer_reading import flag, read_image, read_text
from mmsrarec.summarize.answer_statistics import statistics
from mmsrarec.summarize.answer_store import Store
from mmsrarec.summarize.image_grounding import BLANK, pieces, prefixes, support
from mmsrarec.summarize.keyword_parsing import parse
from mmsrarec.summarize.keywords import Keywords
from mmsrarec.summarize.prompts import image_prompt
from mmsrarec.summarize.settings import SummarizeSettings
from mmsrarec.summarize.summarizer import summarize

SETTINGS = SummarizeSettings(max_new_tokens_text=6, max_new_tokens_image=4)
NOBODY = make_interactions(*[np.zeros(0, dtype=np.int64)] * 3, 0, 6)
TITLES = ("Otter mug", "Parade lamp", "", "Winter plate", "Forest bag", "Legend clock")


class Listening:
    """A model that counts what it is asked, and may be told what to say or when to fail."""

    def __init__(self, mllm: Mllm, fails=lambda asked: False, says: str | None = None):
        self.mllm, self.fails, self.says, self.asked = mllm, fails, says, 0
        self.prompts: list[Sequence[int]] = []

    def __getattr__(self, name: str):
        return getattr(self.mllm, name)

    def generate(self, prompts: Sequence[Sequence[int]], features: Sequence[Tensor | None], tokens: int, stop):
        if any(map(self.fails, prompts)):
            raise RuntimeError("not enough memory\nand more")
        self.asked += len(prompts)
        self.prompts += prompts
        if self.says is not None:
            return [self.says] * len(prompts)
        return self.mllm.generate(prompts, features, tokens, stop)


class Asleep:
    """A model that can be named and can spell, but must not be asked to compute anything."""

    def __init__(self, mllm: Mllm):
        self.mllm = mllm

    def __getattr__(self, name: str):
        assert name in ("fingerprint", "frame", "encode", "image_token", "turn_end", "processor"), (
            f"{name} was asked for"
        )
        return getattr(self.mllm, name)


@pytest.fixture(scope="module")
def mllm() -> Mllm:
    return tiny_mllm()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    items = []
    for code, title in enumerate(TITLES):
        image = f"{code}.png" if code % 2 == 0 else None
        if image:
            Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(folder / "images" / image)
        items.append(Item(str(code), title, "Made of steel." if title else "", ("Home",) if title else (), image))
    return Dataset("test", tuple(items), (), NOBODY, folder)


@pytest.fixture(scope="module")
def features(mllm: Mllm, dataset: Dataset) -> dict[int, Tensor]:
    return encode_catalogue_images(mllm, dataset, SETTINGS.visual_tokens).features


def test_each_part_is_asked_once_and_never_again(mllm, dataset, features, tmp_path) -> None:
    model, told = Listening(mllm), []
    first = summarize(dataset, model, SETTINGS, tmp_path / "a", features, 2, lambda *at: told.append(at))
    assert model.asked == 5 + 3  # the third item has no text, every second one a picture
    assert (3, 3, "keywords of pictures") in told
    assert (5, 5, "keywords of texts") in told
    assert summarize(dataset, Asleep(mllm), SETTINGS, tmp_path / "a", features, 4) == first
    assert [source[1] for source in first.source].count("none") == 1
    assert [answers[0] is None for answers in first.answers] == [False, True] * 3


def test_only_what_changed_is_asked_again(mllm, dataset, features, tmp_path) -> None:
    model = Listening(mllm)
    summarize(dataset, model, SETTINGS, tmp_path / "a", features)
    items = list(dataset.items)
    items[1] = replace(items[1], text="Made of oak.")
    items[4] = replace(items[4], item_id="another id")
    summarize(replace(dataset, items=tuple(items)), model, SETTINGS, tmp_path / "a", features)
    assert model.asked == 8 + 1
    more = SETTINGS.model_copy(update={"max_new_tokens_image": 5})
    summarize(dataset, model, more, tmp_path / "a", features)
    assert model.asked == 9 + 3


def test_a_summary_depends_on_the_item_alone(mllm, dataset, features, tmp_path) -> None:
    whole = summarize(dataset, mllm, SETTINGS, tmp_path / "a", features, 4)
    for code in (0, 3):
        alone = replace(dataset, items=(dataset.items[code],))
        seen = {0: features[code]} if code in features else None
        keywords = summarize(alone, mllm, SETTINGS, tmp_path / f"{code}", seen)
        assert keywords.answers[0] == whole.answers[code]
        assert keywords.united(0) == whole.united(code)


def test_items_of_one_text_share_an_answer(mllm, dataset, tmp_path) -> None:
    model = Listening(mllm)
    twins = replace(dataset, items=(dataset.items[0], replace(dataset.items[0], item_id="twin")))
    keywords = summarize(twins, model, SETTINGS, tmp_path / "a")
    assert model.asked == 1
    assert keywords.text[0] == keywords.text[1]


def test_stopped_between_batches_the_work_goes_on_where_it_was(mllm, dataset, features, tmp_path) -> None:
    def stop_at(done: int, total: int, label: str) -> None:
        if (done, label) == (2, "keywords of texts"):
            raise KeyboardInterrupt

    model = Listening(mllm)
    with pytest.raises(KeyboardInterrupt):
        summarize(dataset, model, SETTINGS, tmp_path / "a", features, 2, stop_at)
    assert model.asked == 2
    resumed = summarize(dataset, model, SETTINGS, tmp_path / "a", features, 2)
    assert model.asked == 8
    assert resumed == summarize(dataset, mllm, SETTINGS, tmp_path / "b", features, 2)


def test_what_fails_falls_back_is_kept_with_its_reason_and_tried_again(mllm, dataset, tmp_path) -> None:
    wool = mllm.encode("Winter")
    failing = Listening(mllm, fails=lambda prompt: any(prompt[i:][: len(wool)] == wool for i in range(len(prompt))))
    keywords = summarize(dataset, failing, SETTINGS, tmp_path / "a")
    assert failing.asked == 4  # the others of its batch were answered
    assert keywords.answers[3] == (None, None)
    assert keywords.source[3] == ("none", "fallback")
    assert keywords.text[3] == ("home", "winter", "plate", "steel")
    with closing(sqlite3.connect(tmp_path / "a")) as db:
        assert db.execute("SELECT reason FROM answers WHERE answer IS NULL").fetchall() == [("not enough memory",)]
    healthy = Listening(mllm)
    assert summarize(dataset, healthy, SETTINGS, tmp_path / "a").answers[3][1] is not None
    assert healthy.asked == 1


def test_a_model_that_answers_nothing_is_an_error(mllm, dataset, tmp_path) -> None:
    broken = Listening(mllm, fails=lambda prompt: True)
    with pytest.raises(MmsrarecError, match="answered none of 5 questions about texts: not enough memory"):
        summarize(dataset, broken, SETTINGS, tmp_path / "a")


@pytest.mark.parametrize(("off", "asked"), [("pictures", 5), ("texts", 3)])
def test_ablations_ask_about_one_modality(mllm, dataset, features, tmp_path, off: str, asked: int) -> None:
    model = Listening(mllm, says="red, star, mug")
    settings = SETTINGS.model_copy(update={off: False})
    keywords = summarize(dataset, model, settings, tmp_path / "a", features)
    assert model.asked == asked
    assert not any(keywords.image if off == "pictures" else keywords.text)


def test_ungrounded_words_of_a_text_are_dropped_and_of_a_picture_kept() -> None:
    item = Item("1", "Otter mug", "Made of steel.", ("Kitchen",))
    assert read_text("mugs, steel, copper, kitchen", item, 6) == (("mugs", "steel", "kitchen"), "model")
    assert read_text("copper, kettle, steel", item, 4) == (("steel", "kitchen", "otter", "mug"), "fallback")
    assert read_text("mug", Item("1", "Mug"), 6) == (("mug",), "fallback")
    assert read_text("mug", Item("1"), 6) == ((), "none")
    assert read_image("red, star, http://x.y", 4) == (("red", "star"), "model")
    assert read_image("The image shows a mug on a table", 4) == ((), "none")


def test_statistics_count_what_happened(mllm, dataset, features, tmp_path) -> None:
    model = Listening(mllm, says="steel, mug, home, copper")
    found = statistics(summarize(dataset, model, SETTINGS, tmp_path / "a", features), dataset)
    assert found["text_asked"] == pytest.approx(5 / 6)
    assert found["image_asked"] == pytest.approx(3 / 6)
    assert found["text_fallback"] == pytest.approx(4 / 5)  # only the mug's text bears out three of the four
    assert found["image_fallback"] == 0
    assert found["ungrounded"] == pytest.approx((1 + 4 * 2) / 5)
    assert found["without_keywords"] == 0
    assert found["items"] == 6
    assert found["malformed"] == 0
    assert found["copied_title"] == pytest.approx(4 / 6)  # where titles fill up


def test_statistics_count_what_is_flagged_and_what_copies_the_title() -> None:
    titles = ("The Otter Mug", "Otter Mug", "", "The")
    dataset = Dataset("test", tuple(Item(str(n), title, "Steel.") for n, title in enumerate(titles)), (), NOBODY)
    keywords = Keywords(
        image=(("star", "red", "mug"), (), ("moon",), ()),
        text=(("otters", "steel"), ("mug",), ("steel",), ("steel",)),
        source=(("model", "model"), ("none", "model"), ("model", "model"), ("none", "fallback")),
        answers=(("star, red, mug", "otters, steel"), ("", "mug"), ("moon", "steel"), (None, "?")),
        flags=(("unsupported: star",), ("malformed picture answer",), (), ("malformed text answer", "fallback")),
    )
    found = statistics(keywords, dataset)
    assert found["copied_title"] == pytest.approx(1 / 4)
    assert found["malformed"] == pytest.approx(2 / 7)
    assert found["unsupported"] == pytest.approx(1 / 4)


def test_features_of_another_size_fit_the_prompt(mllm, dataset, tmp_path) -> None:
    seen = {0: torch.zeros(4, mllm.hidden_size)}
    assert summarize(dataset, mllm, SETTINGS, tmp_path / "a", seen).answers[0][0] is not None


def test_a_tuned_model_is_asked_without_examples_and_one_keyword_is_enough(mllm, dataset, tmp_path) -> None:
    untuned, tuned = (Listening(mllm, says="steel, copper") for _ in range(2))
    before = summarize(dataset, untuned, SETTINGS, tmp_path / "a")
    after = summarize(dataset, tuned, SETTINGS, tmp_path / "a", tuned=True)
    assert untuned.asked == tuned.asked == 5  # the same store holds both apart
    assert max(map(len, tuned.prompts)) < min(map(len, untuned.prompts))
    assert before.text[0] == ("steel", "home", "otter", "mug")
    assert before.source[0] == ("none", "fallback")
    assert after.text[0] == ("steel",)
    assert after.source[0] == ("none", "model")
    poor = Listening(mllm, says="copper")
    assert summarize(dataset, poor, SETTINGS, tmp_path / "b", tuned=True).source[0] == ("none", "fallback")


def test_shards_ask_everything_once_and_unite(mllm, dataset, features, tmp_path) -> None:
    whole = summarize(dataset, mllm, SETTINGS, tmp_path / "whole", features)
    assert any(row.startswith("unsupported") for flags in whole.flags for row in flags)
    models = [Listening(mllm) for _ in range(3)]
    parts = [
        summarize(dataset, model, SETTINGS, tmp_path / f"{number}", features, shard=(number, 3))
        for number, model in enumerate(models)
    ]
    assert sum(model.asked for model in models) == 8
    assert max(model.asked for model in models) < 8
    for pair in zip(whole.answers, *(part.answers for part in parts), strict=True):
        for answer, *shares in zip(*pair, strict=True):  # each is given in one shard alone, and given alike
            assert [share for share in shares if share is not None] == [answer] * (answer is not None)
    with Store(tmp_path / "united") as store:
        counts = [store.adopt(tmp_path / f"{number}") for number in range(3)]
    assert sum(count["answers"] for count in counts) == 8
    assert summarize(dataset, Asleep(mllm), SETTINGS, tmp_path / "united", features) == whole


@pytest.mark.parametrize("shard", [(3, 3), (-1, 2), (0, 0)])
def test_a_shard_that_does_not_exist_is_an_error(mllm, dataset, tmp_path, shard: tuple[int, int]) -> None:
    with pytest.raises(MmsrarecError, match="there is no shard"):
        summarize(dataset, mllm, SETTINGS, tmp_path / "a", shard=shard)


def test_a_keyword_of_a_picture_is_flagged_unless_picture_or_text_make_it_likelier(
    mllm, dataset, features, tmp_path
) -> None:
    said = "otter, star, red, tea"
    keywords = summarize(dataset, Listening(mllm, says=said), SETTINGS, tmp_path / "a", features)
    assert keywords.image[0] == keywords.image[2] == parse(said)  # flagged or not, they stay
    nothing, prompt = blank(mllm, SETTINGS.visual_tokens), image_prompt(mllm, SETTINGS.visual_tokens)
    both_ways = set()
    with closing(sqlite3.connect(tmp_path / "a")) as db:
        kept = {row[:2]: row[2] for row in db.execute("SELECT content, keyword, value FROM support")}
    for code in features:
        before, so_far = [*prompt, *mllm.encode("otter")], "otter"
        for word in ("star", "red", "tea"):
            piece, so_far = mllm.encode(f", {word}"), f"{so_far}, {word}"
            seen, unseen = token_log_probs(mllm, [before] * 2, [piece] * 2, [features[code], nothing])
            likelier = bool(seen.sum() > unseen.sum())
            assert (f"unsupported: {word}" in keywords.flags[code]) is not likelier
            path = dataset.image_path(code)
            assert path is not None
            assert kept[file_hash(path), so_far] == pytest.approx(float(seen.sum()), abs=1e-4)
            assert kept[BLANK, so_far] == pytest.approx(float(unseen.sum()), abs=1e-4)
            both_ways.add(likelier)
            before += piece
    assert both_ways == {True, False}
    assert len(kept) == 4 * (3 + 1)  # each place in each answer, and once with the grey picture
    assert "unsupported: otter" not in keywords.flags[0]  # its title says so, whatever the picture shows
    assert not any("unsupported" in row for code in (1, 3, 5) for row in keywords.flags[code])


def test_checking_asks_a_row_an_answer_and_nothing_the_second_time(
    mllm, dataset, features, tmp_path, monkeypatch
) -> None:
    asked: list[list[tuple]] = []

    def listen(mllm, prompts, answers, features):
        asked.append([(len(prompts), tuple(answer)) for answer in answers])
        return token_log_probs(mllm, prompts, answers, features)

    monkeypatch.setattr("mmsrarec.summarize.image_grounding.token_log_probs", listen)
    model = Listening(mllm, says="otter, star, red, tea")
    first = summarize(dataset, model, SETTINGS, tmp_path / "a", features, 2)
    ids = tuple(token for part in ("otter", ", star", ", red", ", tea") for token in mllm.encode(part))
    assert asked == [[(3, ids)] * 3, [(1, ids)]]  # of the second batch's two rows, one is the grey picture's again
    assert summarize(dataset, Asleep(mllm), SETTINGS, tmp_path / "a", features, 2) == first
    assert not any(asked[2:])


def test_an_answer_that_the_text_bears_out_is_not_checked(mllm, dataset, features, tmp_path) -> None:
    item = replace(dataset.items[0], title="Otter, star, red, tea")
    model = Listening(mllm, says="otter, star, red, tea")
    sure = summarize(replace(dataset, items=(item,)), model, SETTINGS, tmp_path / "a", {0: features[0]})
    with closing(sqlite3.connect(tmp_path / "a")) as db:
        assert not db.execute("SELECT * FROM support").fetchall()
    assert not any("unsupported" in row for row in sure.flags[0])


def test_the_same_value_is_kept_whatever_follows(mllm, features, tmp_path) -> None:
    seen = {"a1": features[0], "b2": features[2]}

    def check(said: dict[str, tuple[str, ...]], name: str) -> dict[tuple[str, str], float]:
        with Store(tmp_path / name) as store:
            return support(store, "tiny", mllm, said, seen, lambda content: True, 4, lambda *at: None)

    long, short = {"a1": ("star", "red", "tea"), "b2": ("star", "tea")}, {"a1": ("star", "red"), "b2": ("star",)}
    at_once = check(long, "a")
    first = check(short, "b")
    later = check(long, "b")
    assert first.items() <= later.items()  # to the bit: what is kept stays
    assert later.keys() == at_once.keys()
    assert [later[place] for place in later] == pytest.approx([at_once[place] for place in later], abs=1e-4)
    assert later["a1", "tea"] != later["b2", "tea"]
    assert check({}, "b") == {}


def test_the_pieces_of_an_answer_are_its_tokens(mllm) -> None:
    keywords = ("mug", "blue clay", "star")
    parts = pieces(mllm, keywords)
    assert mllm.tokenizer.decode([token for part in parts for token in part]) == ", ".join(keywords)
    assert [mllm.tokenizer.decode(part) for part in parts] == ["mug", ", blue clay", ", star"]
    assert prefixes(keywords) == ["mug", "mug, blue clay", "mug, blue clay, star"]


def test_one_picture_of_two_items_is_checked_for_both(mllm, dataset, features, tmp_path) -> None:
    twins = (dataset.items[0], replace(dataset.items[0], item_id="twin", title="Red star"))
    seen = {0: features[0], 1: features[0]}
    model = Listening(mllm, says="otter, star, red, tea")
    keywords = summarize(replace(dataset, items=twins), model, SETTINGS, tmp_path / "a", seen)
    flags = [{row for row in flags if row.startswith("unsupported")} for flags in keywords.flags]
    assert flags[0] - {"unsupported: red", "unsupported: star"} == flags[1] - {"unsupported: otter"}


def test_a_store_without_support_gets_it_without_asking_again(mllm, dataset, features, tmp_path) -> None:
    whole = summarize(dataset, mllm, SETTINGS, tmp_path / "a", features)
    with closing(sqlite3.connect(tmp_path / "a")) as db:
        db.execute("DROP TABLE support")
        db.commit()
    model = Listening(mllm)
    assert summarize(dataset, model, SETTINGS, tmp_path / "a", features) == whole
    assert model.asked == 0


def test_where_checking_fails_the_answers_are_kept(mllm, dataset, features, tmp_path, monkeypatch) -> None:
    def fail(*_):
        raise RuntimeError("not enough memory\nand more")

    with monkeypatch.context() as patched:
        patched.setattr("mmsrarec.summarize.image_grounding.token_log_probs", fail)
        with pytest.raises(MmsrarecError, match="cannot check the keywords of pictures: not enough memory; start"):
            summarize(dataset, Listening(mllm, says="star"), SETTINGS, tmp_path / "a", features)
    model = Listening(mllm)
    summarize(dataset, model, SETTINGS, tmp_path / "a", features)
    assert model.asked == 0


@pytest.mark.parametrize(
    ("image", "text", "source", "flags"),
    [
        ("red", "mug, steel, otter", "model", ()),
        (None, None, "none", ()),
        (None, None, "fallback", ("fallback",)),
        (None, "mug, copper, tin", "fallback", ("ungrounded: copper", "ungrounded: tin", "fallback")),
        (None, "copper", "fallback", ("ungrounded: copper", "malformed text answer", "fallback")),
        ("http://x.y", "", "fallback", ("malformed text answer", "fallback", "malformed picture answer")),
        ("red, star", "mug", "model", ("unsupported: star",)),
    ],
)
def test_flags_say_what_deserves_a_second_look(image, text, source, flags) -> None:
    unsupported = ["star"] if image and "star" in image else []
    assert flag("Otter mug. Made of steel.", (image, text), source, SETTINGS, unsupported) == flags


def test_the_surer_of_classifier_and_model_answers(mllm, dataset, features, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("mmsrarec.summarize.classifier_answers.LEAST_COUNTED", 0.0)
    words = {0: {"lemon": 0.99, "fruit": 0.995}, 2: {"lemon": 0.2}}
    plain = summarize(dataset, mllm, SETTINGS, tmp_path / "a", features)
    told = summarize(dataset, mllm, SETTINGS, tmp_path / "a", features, image_words=words)
    assert told.answers[0][0] == "lemon, fruit"
    assert told.image[0] == ("lemon", "fruit")
    assert told.answers[2] == plain.answers[2]  # nothing is likely enough
    assert told.answers[4] == plain.answers[4]  # no classifier looked at it
    assert told.text == plain.text
    off = SETTINGS.model_copy(update={"eye_words": False})
    assert summarize(dataset, mllm, off, tmp_path / "b", features, image_words=words).answers == plain.answers


def test_where_neither_is_sure_there_are_no_words(mllm, dataset, features, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("mmsrarec.summarize.classifier_answers.LEAST_COUNTED", 1.1)
    model = Listening(mllm)
    told = summarize(dataset, model, SETTINGS, tmp_path / "a", features, image_words={0: {}, 2: {}, 4: {}})
    assert told.image[0] == told.image[2] == ()
    assert told.answers[0][0] == ""
    assert not [flag for flag in told.flags[0] if flag.startswith("unsupported")]


def test_answers_with_and_without_the_classifier_do_not_mix_in_the_store(mllm, dataset, features, tmp_path) -> None:
    words = {0: {"lemon": 0.99}, 2: {}, 4: {}}
    plain = summarize(dataset, mllm, SETTINGS, tmp_path / "a", features)
    told = summarize(dataset, mllm, SETTINGS, tmp_path / "a", features, image_words=words)
    assert told.answers[0][0] == "lemon" != plain.answers[0][0]
    assert summarize(dataset, Asleep(mllm), SETTINGS, tmp_path / "a", features, image_words=words) == told
    assert summarize(dataset, Asleep(mllm), SETTINGS, tmp_path / "a", features) == plain


def test_a_keyword_that_the_classifier_saw_is_not_doubted(mllm, dataset, features, tmp_path) -> None:
    words = {0: {"lemon": 0.99, "fruit": 0.4}}
    told = summarize(dataset, mllm, SETTINGS, tmp_path / "a", features, image_words=words)
    assert not {"unsupported: lemon", "unsupported: fruit"} & set(told.flags[0])
