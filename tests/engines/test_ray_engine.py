"""Workers of Ray answer as the local engine does, batch by batch; what a killed one had not finished is asked again."""

import os
import signal
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import tiny_mllm
from world import save_tiny

from mmsrarec.engines.local_engine import LocalEngine, Question
from mmsrarec.engines.protocol import Answer, EngineFacts, Request
from mmsrarec.engines.ray_engine import BatchWork, ModelSource, RayEngine
from mmsrarec.errors import EngineError
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.ray_workers import RayWorkers
from mmsrarec.summarize.answer_store import Job, Store
from mmsrarec.summarize.keyword_parsing import stop_after
from mmsrarec.summarize.prompts import image_question, text_question
from mmsrarec.summarize.summarizer import ask

STOP, TOKENS, BATCH = stop_after(6), 5, 2
JOB = Job("text", "model", "prompt", "decoding")
N_TEXTS = 24


class Logged:
    """Writes down which process was asked which question, and lets it take a while."""

    def __init__(self, log: Path, seconds: float):
        self.log, self.seconds = log, seconds

    def __call__(self, mllm: Mllm, questions: list[Question]) -> list[str | None]:
        with self.log.open("a") as file:
            file.writelines(f"{question.content} {os.getpid()}\n" for question in questions)
        time.sleep(self.seconds)
        return [None] * len(questions)

    def rows(self) -> list[tuple[str, int]]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [(content, int(process)) for content, process in map(str.split, lines)]


def asked(mllm: Mllm) -> tuple[list[Request], dict[str, torch.Tensor]]:
    noise = torch.Generator().manual_seed(0)
    texts = [Request(f"{n:02}", text_question(f"A mug of blue clay, {n}. " * (1 + n % 3))) for n in range(N_TEXTS)]
    pictures = {f"p{n}": 0.3 * torch.randn(4, mllm.hidden_size, generator=noise) for n in range(3)}
    return [*texts, *(Request(name, image_question()) for name in pictures)], pictures


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    folder = save_tiny(tmp_path_factory.mktemp("model"))
    return ModelSource(ModelSettings(name=str(folder), dtype="float32"))


@pytest.fixture(scope="module")
def mllm(source: ModelSource) -> Mllm:
    return source.load()


@pytest.fixture(scope="module")
def workers(source: ModelSource) -> Iterator[RayWorkers[Mllm]]:
    cloudpickle = pytest.importorskip("ray.cloudpickle", reason="needs the extra ray")
    import test_ray_engine

    cloudpickle.register_pickle_by_value(test_ray_engine)  # the workers cannot import a test
    with RayWorkers(source.load, 2) as started:
        yield started


def test_a_worker_with_another_model_is_refused() -> None:
    mllm = tiny_mllm()
    work = BatchWork("other@weights", TOKENS, STOP, None)
    with pytest.raises(EngineError, match=r"loaded the model .* instead of other@weights: make the same weights"):
        work(mllm, [Question("a", mllm.encode("mug"))])
    answers = replace(work, fingerprint=mllm.fingerprint)(mllm, [Question("a", mllm.encode("mug"))])
    assert answers == [Answer("a", mllm.generate([mllm.encode("mug")], [None], TOKENS, STOP)[0])]


@pytest.mark.slow
def test_answers_and_keys_are_those_of_the_local_engine(workers: RayWorkers[Mllm], mllm: Mllm) -> None:
    requests, pictures = asked(mllm)
    local = LocalEngine(mllm, pictures, text_tokens=12, batch=BATCH, eye="-eye")
    spread = RayEngine(local, workers)
    expected = {row.content: row for rows in local.generate(requests, TOKENS, STOP) for row in rows}
    found = [row for rows in spread.generate(requests, TOKENS, STOP) for row in rows]
    assert len(found) == len(requests)
    assert {row.content: row for row in found} == expected
    known = list(expected)[::2]
    left = [row.content for rows in spread.generate(requests, TOKENS, STOP, known) for row in rows]
    assert sorted(left) == sorted(expected.keys() - set(known))
    for prompt in (text_question(""), image_question()):
        assert spread.key_of(prompt) == local.key_of(prompt)
    assert spread.describe() == EngineFacts("ray", mllm.fingerprint, "2 workers of Ray")
    labels = [mllm.first_token("yes"), mllm.first_token("no")]
    assert spread.score([5], [[6], [7]], labels) == local.score([5], [[6], [7]], labels)


def kill_one(log: Logged, kept: set[str], killed: Collection[int]) -> tuple[int, set[str]]:
    """Kill a worker amid a batch; its process, and the questions that it had begun and that nobody has kept yet."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        begun = [(content, process) for content, process in log.rows() if content not in kept]
        alive = [process for _, process in begun if process not in killed]
        if alive:
            os.kill(alive[-1], signal.SIGKILL)
            return alive[-1], {content for content, process in log.rows() if process == alive[-1]} - kept
        time.sleep(0.01)
    raise AssertionError("no worker is at work")


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_only_its_batch_is_asked_again(
    workers: RayWorkers[Mllm], mllm: Mllm, tmp_path: Path
) -> None:
    requests, pictures = asked(mllm)
    plain = LocalEngine(mllm, pictures, text_tokens=12, batch=BATCH)
    expected = {row.content: row.text for rows in plain.generate(requests, TOKENS, STOP) for row in rows}
    log = Logged(tmp_path / "log", 0.3)
    local = LocalEngine(mllm, pictures, text_tokens=12, batch=BATCH, first_answers=log)
    kills: dict[int, set[str]] = {}
    kept: set[str] = set()

    def progress(done: int, total: int, label: str) -> None:
        if done // 6 > len(kills) and len(kills) < 3:
            kills.update([kill_one(log, kept, kills)])

    class Watched(Store):
        def add(self, job: Job, answers) -> None:
            super().add(job, answers)
            kept.update(row.content for row in answers)

    with Watched(tmp_path / "answers.sqlite") as store:
        answers = ask(
            store,
            JOB,
            lambda known: RayEngine(local, workers).generate(requests, TOKENS, STOP, known),
            [request.content for request in requests],
            progress,
        )
        assert store.answers(JOB) == answers == expected
        again = list(RayEngine(local, workers).generate(requests, TOKENS, STOP, store.answers(JOB)))
    assert again == []
    times = [content for content, _ in log.rows()]
    twice = {content for content in times if times.count(content) > 1}
    assert len(kills) == 3
    assert twice <= set().union(*kills.values())  # nothing but what a killed worker had begun and not answered
    assert twice
