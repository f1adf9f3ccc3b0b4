"""Draws the packs of stage 3's training ahead of it: queries, their prompt contexts, and the rendered prompts.

Packs are written in shards, each whole or absent, so that drawing goes on where it was stopped and several processes
share it. Training reads the shards and never waits for a prompt.
"""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mmsrarec.core.progress import Count
from mmsrarec.data.dataset import IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.packing.pack_table import PackTable
from mmsrarec.models.packing.packed_prompt import PackedPrompt
from mmsrarec.recommend.prompt.preferences import UserPreferences, draw_preferences
from mmsrarec.recommend.prompt.prompt_context import Retrieval
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.recommend.training.training_samples import draw_hard_negatives, sample_training

SHARD_PACKS = 256
"""Packs of a shard."""


@dataclass(frozen=True, eq=False)
class PackDrawing:
    """What is drawn, before any prompt context is gathered.

    Attributes:
        prompts: Renders the prompts.
        retrieval: Gathers the prompt contexts; holds the training log.
        settings: Settings of stage 3.
        queries: n queries.
        candidates: (n, c) item codes.
        place: (n,) columns of the positives.
        log_rates: (n, c) what the loss takes from the logits of candidates that are not drawn uniformly
            (`draw_hard_negatives`); None where all are.
        cold: (n, c) mask of the candidates that are shown as if nobody had consumed them.
        preferences: What the user of each query wants more or less of.
    """

    prompts: Prompts
    retrieval: Retrieval
    settings: RecommendSettings
    queries: Queries
    candidates: IntArray
    place: IntArray
    log_rates: NDArray[np.float32] | None
    cold: NDArray[np.bool_]
    preferences: Sequence[UserPreferences]

    @classmethod
    def draw(
        cls,
        prompts: Prompts,
        retrieval: Retrieval,
        settings: RecommendSettings,
        seed: int,
        rng: np.random.Generator,
        excluded_users: NDArray[np.bool_] | None = None,
    ) -> "PackDrawing":
        """Draw queries and candidates.

        Args:
            prompts: Renders the prompts.
            retrieval: Gathers the prompt contexts; holds the training log.
            settings: Settings of stage 3.
            seed: Seed of what is drawn for each pack.
            rng: Draws queries and candidates.
            excluded_users: (n_users,) mask of users whose queries are not drawn.

        Returns:
            The drawing.
        """
        queries, candidates, place = sample_training(
            retrieval.train,
            settings.n_examples,
            settings.negatives,
            rng,
            settings.recency_power,
            settings.new_negatives == "matched",
            excluded_users,
        )
        log_rates = None
        if settings.hard_negatives:
            # the sources of soft tokens were trained without these users
            encoder = retrieval.soft.sources[0].encoder if retrieval.soft else retrieval.neighbours.encoder
            candidates, log_rates = draw_hard_negatives(
                retrieval.train, queries, candidates, place, encoder.scores, settings.hard_negatives, rng
            )
        cold = np.random.default_rng([seed, 1]).random(candidates.shape) < settings.cold_item_rate
        preferences = draw_preferences(
            candidates, place, prompts.shown_keywords, settings.preference_rate, seed, prompts.keywords.lexicon
        )
        return cls(prompts, retrieval, settings, queries, candidates, place, log_rates, cold, preferences)

    @property
    def shards(self) -> int:
        """The number of shards."""
        return -(-len(self.queries) // SHARD_PACKS)

    def shard(self, number: int) -> PackTable:
        """Gather and render the packs of one shard."""
        rows = np.arange(number * SHARD_PACKS, min((number + 1) * SHARD_PACKS, len(self.queries)))
        context_list = self.retrieval.gather(self.queries.pick(rows), self.candidates[rows], self.settings)
        packs: list[PackedPrompt] = []
        for row, context in zip(rows.tolist(), context_list, strict=True):
            cold_places = set(np.flatnonzero(self.cold[row]).tolist())
            packs.append(self.prompts.render(replace(context.as_cold(cold_places), preferences=self.preferences[row])))
        return PackTable.of(packs)

    def table(
        self, folder: Path | None = None, workers: int = 1, progress: Count = lambda done, total, label: None
    ) -> PackTable:
        """All packs, from the shards of a folder where they are, else drawn.

        Args:
            folder: Keeps the shards, of this very drawing; None keeps none.
            workers: Processes that draw side by side; one where this process cannot be copied (`can_fork`).
            progress: Counts the packs.

        Returns:
            The packs, the same however many processes draw them.
        """
        if folder is None:
            return PackTable.joined([self.shard(number) for number in range(self.shards)])
        files = [folder / f"packs-{number:05}.safetensors" for number in range(self.shards)]
        missing = [number for number, file in enumerate(files) if not file.exists()]
        done = self.shards - len(missing)
        for _ in self._write(missing, files, workers):
            done += 1
            progress(min(done * SHARD_PACKS, len(self.queries)), len(self.queries), "drawing prompts")
        return PackTable.joined([PackTable.load(file) for file in files])

    def _write(self, missing: Sequence[int], files: Sequence[Path], workers: int) -> Iterator[None]:
        """Write the missing shards; yields after each."""
        if workers == 1 or len(missing) < 2 or not can_fork():
            for number in missing:
                self.save_shard(number, files[number])
                yield
            return
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads would not survive the fork
        fork = multiprocessing.get_context("fork")
        pool = ProcessPoolExecutor(min(workers, len(missing)), fork, _start_worker, (self, files))
        try:
            for written in as_completed([pool.submit(_write_shard, number) for number in missing]):
                yield written.result()
        except BrokenProcessPool:
            raise MmsrarecError(
                "a process that draws prompts was killed, perhaps for its memory: lower runtime.processes, and run "
                "again; the drawn prompts are kept"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)

    def save_shard(self, number: int, file: Path) -> None:
        """Draw a shard and write it to a file that is whole or absent."""
        table, unfinished = self.shard(number), file.with_suffix(f".{os.getpid()}.tmp")
        file.parent.mkdir(parents=True, exist_ok=True)
        table.save(unfinished)
        os.replace(unfinished, file)


def can_fork() -> bool:
    """Whether drawing can go on in copies of this process: not where the system has none, nor beside a GPU in use."""
    return "fork" in multiprocessing.get_all_start_methods() and not torch.cuda.is_initialized()


_worker: list[tuple[PackDrawing, Sequence[Path]]] = []
"""In a process that draws: the drawing and the files of its shards."""


def _start_worker(drawing: PackDrawing, files: Sequence[Path]) -> None:
    torch.set_num_threads(1)
    _worker.append((drawing, files))


def _write_shard(number: int) -> None:
    drawing, files = _worker[-1]
    drawing.save_shard(number, files[number])
