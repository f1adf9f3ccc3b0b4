"""The local engine answers as the model itself does, keeps batches whole, and scores candidates."""

from collections.abc import Sequence

import pytest
import torch
from tiny import tiny_mllm

from mmsrarec.data.dataset import Item
from mmsrarec.data.images import BadPicture
from mmsrarec.engines.local_engine import LocalEngine, Question, answer_batches
from mmsrarec.engines.protocol import Answer, EngineFacts, Prompt, Request
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.summarize.keyword_parsing import stop_after
from mmsrarec.summarize.prompts import image_prompt, image_question, text_prompt, text_question

STOP = stop_after(6)
TEXTS = ("Otter mug. Blue clay.", "Lamp.", "Detectives hunt a killer through the rain.", "Red star.", "Kitchen mug.")


@pytest.fixture(scope="module")
def mllm() -> Mllm:
    return tiny_mllm()


def asked(texts: Sequence[str] = TEXTS) -> list[Request]:
    return [Request(f"{place}", text_question(text)) for place, text in enumerate(texts)]


def test_it_answers_what_the_model_answers(mllm: Mllm) -> None:
    picture = 0.3 * torch.randn(4, mllm.hidden_size, generator=torch.Generator().manual_seed(0))
    engine = LocalEngine(mllm, {"p": picture}, text_tokens=8, batch=1)
    requests = [*asked(), Request("p", image_question())]
    found = {row.content: row.text for rows in engine.generate(requests, 5, STOP) for row in rows}
    for place, text in enumerate(TEXTS):
        assert [found[str(place)]] == mllm.generate([text_prompt(mllm, Item("", "", text), 8)], [None], 5, STOP)
    assert [found["p"]] == mllm.generate([image_prompt(mllm, 4)], [picture], 5, STOP)


def test_known_answers_are_left_out_of_the_batches_that_they_would_be_in(mllm: Mllm) -> None:
    batches: list[list[str]] = []

    class Watched:
        def __getattr__(self, name: str) -> object:
            return getattr(mllm, name)

        def generate(self, prompts: Sequence[Sequence[int]], *_: object) -> list[str]:
            batches.append([mllm.tokenizer.decode(prompt)[:3] for prompt in prompts])
            return ["mug"] * len(prompts)

    questions = [Question(str(n), mllm.encode(f"{n}ab" + "c" * n)) for n in range(6)]
    model: Mllm = Watched()  # pyright: ignore[reportAssignmentType]
    rows = list(answer_batches(model, questions, 5, STOP, 2, known=["1", "4", "5"]))
    assert batches == [["0ab"], ["2ab", "3ab"]]
    assert [len(row) for row in rows] == [1, 2, 0]


@pytest.mark.parametrize("failure", [RuntimeError, ValueError, BadPicture])
def test_a_failing_question_spares_the_others_and_says_why(mllm: Mllm, failure: type[Exception]) -> None:
    def fails(_: Mllm, questions: Sequence[Question]) -> list[str | None]:
        if any(question.content == "2" for question in questions):
            raise failure("not enough memory\nand more")
        return ["mug"] * len(questions)

    engine = LocalEngine(mllm, first_answers=fails)
    found = {row.content: row for rows in engine.generate(asked(), 5, STOP) for row in rows}
    assert found.pop("2") == Answer("2", None, "not enough memory")
    assert {row.text for row in found.values()} == {"mug"}


def test_somebody_else_may_answer_first(mllm: Mllm) -> None:
    def first(_: Mllm, questions: Sequence[Question]) -> list[str | None]:
        return ["lemon" if question.content == "1" else None for question in questions]

    plain = {row.content: row.text for rows in LocalEngine(mllm).generate(asked(), 5, STOP) for row in rows}
    found = LocalEngine(mllm, first_answers=first).generate(asked(), 5, STOP)
    assert {row.content: row.text for rows in found for row in rows} == plain | {"1": "lemon"}


def test_answers_are_kept_under_the_model_and_the_prompt(mllm: Mllm) -> None:
    engine = LocalEngine(mllm, eye="-eye")
    assert engine.key_of(text_question("a")) == engine.key_of(text_question("b"))
    assert engine.key_of(text_question("")) != engine.key_of(text_question("", shots=False))
    assert engine.key_of(text_question(""))[0] == mllm.fingerprint
    assert engine.key_of(image_question())[0] == f"{mllm.fingerprint}-eye"
    assert engine.describe() == EngineFacts("local", mllm.fingerprint, "cpu")


def test_a_picture_without_features_is_an_error(mllm: Mllm) -> None:
    with pytest.raises(MmsrarecError, match="by their features"):
        next(LocalEngine(mllm).generate([Request("p", Prompt("?", picture=True))], 5, STOP))


def test_scores_are_the_probability_of_the_first_label_after_query_and_candidate(mllm: Mllm) -> None:
    query, labels = mllm.encode("This person took: a mug."), [mllm.first_token("yes"), mllm.first_token("no")]
    candidates = [mllm.encode(text) for text in (" A mug of blue clay?", " A star?", " Rain?")]
    scores = LocalEngine(mllm).score(query, candidates, labels)
    for candidate, score in zip(candidates, scores, strict=True):
        with torch.inference_mode():
            logits = mllm.model(input_ids=torch.tensor([[*query, *candidate]])).logits[0, -1, labels]
        assert score == pytest.approx(float(logits.float().softmax(-1)[0]), abs=1e-5)
    assert LocalEngine(mllm).score(query, candidates, labels[::-1]) == pytest.approx([1 - score for score in scores])
