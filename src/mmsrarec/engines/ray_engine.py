"""The engine that asks workers of Ray, each of which holds the model: batches, answers and keys of the local engine."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmsrarec.engines.local_engine import FirstAnswers, LocalEngine, Question, answer_questions, batches_of
from mmsrarec.engines.protocol import Answer, EngineFacts, Prompt, Request, Stop
from mmsrarec.errors import EngineError
from mmsrarec.models.backbone.adapter import merge_adapter
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.ray_workers import RayWorkers


@dataclass(frozen=True)
class ModelSource:
    """Where a worker loads its model from.

    Attributes:
        settings: The name and the number format of the model. A folder must be there on each machine of a cluster.
        device: A torch device.
        adapter: The folder of an adapter that is merged into it; None for none.
    """

    settings: ModelSettings
    device: str = "cpu"
    adapter: Path | None = None

    def load(self) -> Mllm:
        """Load the model.

        Raises:
            MmsrarecError: It cannot be loaded.
        """
        mllm = Mllm.load(self.settings, self.device)
        return mllm if self.adapter is None else merge_adapter(mllm, self.adapter)


@dataclass(frozen=True)
class BatchWork:
    """How a worker answers a batch.

    Attributes:
        fingerprint: Of the model whose answers are wanted.
        max_tokens: Tokens of an answer, at most.
        stop: The test of a complete answer.
        first_answers: Answers some questions in the model's place; None lets the model answer all.
    """

    fingerprint: str
    max_tokens: int
    stop: Stop
    first_answers: FirstAnswers | None

    def __call__(self, mllm: Mllm, questions: Sequence[Question]) -> list[Answer]:
        """Answer a batch.

        Raises:
            EngineError: The worker holds another model.
        """
        if mllm.fingerprint != self.fingerprint:
            raise EngineError(
                f"a worker of Ray loaded the model {mllm.fingerprint} instead of {self.fingerprint}: make the same "
                "weights and versions available on all machines"
            )
        return answer_questions(mllm, questions, self.max_tokens, self.stop, self.first_answers)


class RayEngine:
    """Workers that answer as a local engine would. The batch is the unit: that of a killed worker is answered anew.

    Attributes:
        local: Renders the questions, and scores.
        workers: Hold the model.
    """

    def __init__(self, local: LocalEngine, workers: RayWorkers[Mllm]):
        self.local, self.workers = local, workers

    @property
    def model(self) -> str:
        """The model's fingerprint."""
        return self.local.model

    def key_of(self, prompt: Prompt) -> tuple[str, str]:
        """The keys of the local engine: its answers are the same."""
        return self.local.key_of(prompt)

    def describe(self) -> EngineFacts:
        """Say which model answers, and by how many workers."""
        return EngineFacts("ray", self.model, f"{self.workers.count} workers of Ray")

    def generate(
        self, requests: Sequence[Request], max_tokens: int, stop: Stop, known: Collection[str] = ()
    ) -> Iterator[Sequence[Answer]]:
        """Answer requests (see `Engine.generate`), in the batches of the local engine.

        Raises:
            EngineError: Workers die again and again over one batch, or hold another model.
        """
        questions = [self.local.question(request) for request in requests]
        batches = [batch for batch in batches_of(questions, self.local.batch, known) if batch]
        work = BatchWork(self.model, max_tokens, stop, self.local.first_answers)
        for _, answers in self.workers.run(batches, work):
            yield answers

    def score(self, query: Sequence[int], candidates: Sequence[Sequence[int]], labels: Sequence[int]) -> list[float]:
        """Score candidates in this process (see `Engine.score`)."""
        return self.local.score(query, candidates, labels)
