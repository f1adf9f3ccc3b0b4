"""Stage 1 through another engine: what it is asked, and that its answers pass the same reading."""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import tiny_mllm

from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.engines.protocol import Answer, EngineFacts, Prompt, Request, Stop, Usage
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.summarize.answer_store import Store
from mmsrarec.summarize.prompts import item_text
from mmsrarec.summarize.settings import SummarizeSettings
from mmsrarec.summarize.summarizer import job_of, summarize

SETTINGS = SummarizeSettings(model="big", text_budget=12)
NOBODY = make_interactions(*[np.zeros(0, dtype=np.int64)] * 3, 0, 3)


class Other:
    """An engine that says what it is told to say of each request."""

    model = "big"

    def __init__(self, says: Callable[[Request], Answer]):
        self.says, self.requests = says, list[Request]()

    def key_of(self, prompt: Prompt) -> tuple[str, str]:
        return self.model, f"{prompt.question}{prompt.instruction}"

    def describe(self) -> EngineFacts:
        return EngineFacts("other", self.model, "elsewhere")

    def generate(
        self, requests: Sequence[Request], max_tokens: int, stop: Stop, known: Collection[str] = ()
    ) -> Iterator[Sequence[Answer]]:
        for request in requests:
            if request.content not in known:
                self.requests.append(request)
                yield [self.says(request)]

    def score(self, query: Sequence[int], candidates: Sequence[Sequence[int]], labels: Sequence[int]) -> list[float]:
        raise AssertionError("nothing is ranked here")


@pytest.fixture(scope="module")
def mllm() -> Mllm:
    return tiny_mllm()


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 8), "red").save(tmp_path / "images" / "a.png")
    items = (
        Item("a", "Otter mug", "Made of blue clay. " * 20, ("Kitchen",), "a.png"),
        Item("b", "Lamp", "Steel.", ("Light",)),
        Item("c", "", "", ()),
    )
    return Dataset("test", items, (), NOBODY, tmp_path)


def mug(request: Request) -> Answer:
    text = "red, http://evil.example, <b>" if request.picture else "otter mug, lamp, zebra\nand more"
    return Answer(request.content, text, None, Usage(10, 2, int(request.picture is not None)))


def test_its_answers_are_read_as_the_models_own(mllm: Mllm, dataset: Dataset, tmp_path: Path) -> None:
    engine = Other(mug)
    keywords = summarize(dataset, mllm, SETTINGS, tmp_path / "a", engine=engine)
    assert keywords.image == (("red",), (), ())
    assert keywords.text[0][0] == "otter mug"
    assert "zebra" not in {word for row in keywords.text for word in row}
    assert "ungrounded: zebra" in keywords.flags[0]
    assert keywords.text[2] == ()
    with Store(tmp_path / "a") as store:
        usage = [store.usage(job_of(modality, engine, SETTINGS)) for modality in ("text", "picture")]
    assert usage == [(2, Usage(20, 4)), (1, Usage(10, 2, 1))]


def test_it_gets_the_start_of_a_text_and_the_picture_itself_and_an_instruction(
    mllm: Mllm, dataset: Dataset, tmp_path: Path
) -> None:
    engine = Other(mug)
    summarize(dataset, mllm, SETTINGS, tmp_path / "a", engine=engine)
    first, second, picture = engine.requests
    whole = item_text(dataset.items[0])
    assert first.prompt.text == mllm.tokenizer.decode(mllm.encode(whole)[:12]).strip()
    assert whole.startswith(first.prompt.text)
    assert second.prompt.text.startswith("Lamp. Steel.")
    assert picture.picture is not None
    assert picture.picture.path.name == "a.png"
    assert all(request.prompt.instruction for request in engine.requests)
    embedded = Other(mug)
    summarize(
        dataset, mllm, SETTINGS.model_copy(update={"model": "embedded"}), tmp_path / "b", engine=embedded
    )  # it was trained on the bare questions
    assert not any(request.prompt.instruction for request in embedded.requests)


def test_what_was_answered_is_not_asked_again(mllm: Mllm, dataset: Dataset, tmp_path: Path) -> None:
    first = summarize(dataset, mllm, SETTINGS, tmp_path / "a", engine=Other(mug))
    asleep = Other(lambda request: pytest.fail("it was asked"))
    assert summarize(dataset, mllm, SETTINGS, tmp_path / "a", engine=asleep) == first


def test_one_item_without_an_answer_ends_nothing_and_is_said(
    mllm: Mllm, dataset: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refuses_the_lamp(request: Request) -> Answer:
        return Answer(request.content, None, "no lamps") if "Lamp" in request.prompt.text else mug(request)

    with caplog.at_level(logging.WARNING, "mmsrarec"):
        for _ in range(2):  # again, where it is the only question
            keywords = summarize(dataset, mllm, SETTINGS, tmp_path / "a", engine=Other(refuses_the_lamp))
            assert keywords.answers[1] == (None, None)
            assert keywords.source[1][1] == "fallback"
    assert "1 questions about texts have no answer, such as one for this reason: no lamps" in caplog.text
    with pytest.raises(MmsrarecError, match="answered none of 2 questions about texts: out of order"):
        summarize(
            dataset,
            mllm,
            SETTINGS,
            tmp_path / "b",
            engine=Other(lambda request: Answer(request.content, None, "out of order")),
        )
