"""All rows of the comparison on one split, under both protocols.

A row is an artefact of its own, so a stopped comparison goes on at the row where it was.
"""

import json
import time
from collections.abc import Callable, Sequence
from functools import cache, cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmsrarec.core import artefacts
from mmsrarec.core.peak_memory import MEGABYTE, PeakMemory
from mmsrarec.core.progress import Count, Progress
from mmsrarec.data.splits import Queries, SplitName
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.hyperparameter_search import settings_words
from mmsrarec.evaluate.leaks.context_leaks import target_shares
from mmsrarec.evaluate.protocols import (
    Candidates,
    CoverageRecorder,
    evaluate_full,
    evaluate_published,
    published_candidates,
)
from mmsrarec.evaluate.table_facts import facts, target_slices
from mmsrarec.evaluate.test_queries import check_queries, open_rows, sealed_words
from mmsrarec.rankers.base import Ranker
from mmsrarec.recommend.ranking.fusion import language_model
from mmsrarec.recommend.ranking.scorer import MllmScorer
from mmsrarec.runs.run_folder import MSR, Kind, RunFolder
from mmsrarec.study.candidate_generators import FUSION, CandidateGenerators, Tuned
from mmsrarec.study.model_names import CONTEXT, TRAINED
from mmsrarec.study.model_scorers import Scorers
from mmsrarec.study.results import ModelResult, load_row, save_row

WITHOUT_LM = "ensemble, no language model"
"""The variant of the rows that weigh the candidate generators' scores only: what the language model adds is above."""


class Comparison:
    """All rows of one split. full: whether full ranking is measured too, which is done on the first split only, where
    anybody is left to ask.

    drawn: the published protocol's candidates of all test users, whoever is sealed, so that one hash names the question
    from the first table to the final one. candidates: those of the users that are asked. queries: the test queries that
    each protocol asks.
    """

    def __init__(self, run_folder: RunFolder, name: SplitName, say: Progress, count: Count):
        self.run_folder, self.say = run_folder, say
        self.recipe, self.dataset = run_folder.recipe, run_folder.dataset
        self.name: SplitName = name
        self.scorers = Scorers(run_folder, name, count)
        self.generators = CandidateGenerators(self.scorers, say)
        self.split, settings = self.scorers.split, self.recipe.evaluate
        test = self.split.test
        self.open, self.sealed = open_rows(test, self.dataset.user_ids, settings)
        self.drawn: Candidates = published_candidates(
            test, self.dataset.interactions, self.recipe.seed, settings.negatives
        )
        self.candidates = self.drawn.pick(np.flatnonzero(np.isin(self.drawn.rows, self.open)))
        if not len(self.candidates.user):
            raise MmsrarecError(
                f"{name}: none of {len(self.open)} test users leaves {settings.negatives} items untouched, and others "
                "are sealed: set evaluate.negatives lower, or evaluate.sealed=0"
            )
        self.queries: dict[str, Queries] = {
            "published": test.pick(self.candidates.rows),
            "full": test.pick(self.open).rankable,
        }
        self._rises: dict[int, float] = {}
        self.full = name == settings.splits[0] and len(self.queries["full"]) > 0

    def rows(self, variants: list[str]) -> list[ModelResult]:
        """The rows that the recipe names, those of `variants` of stage 3 last; computed as far as they are missing."""
        found = []
        names = [name for name in self.recipe.evaluate.rows if name not in (*TRAINED, CONTEXT, MSR)]
        for name in names:
            make = cache(partial(self.scorers.classic, name))  # made once for both protocols, and let go of after them
            found += [self.row("published", name, "whole", make)]
            if self.full:
                found += [self.row("full", name, "whole", make)]
        if self.has_stage_2:
            found.append(self.row("published", CONTEXT, "whole", lambda: self.scorers.classic(CONTEXT)))
        if MSR in self.recipe.evaluate.rows:
            found.append(self.row("published", MSR, "whole", self.scorers.msr))
        for variant in variants:
            model = next((model for model, trained in TRAINED.items() if trained == variant), "mmsrarec")
            shown = "whole" if model in self.recipe.evaluate.rows and variant in TRAINED.values() else variant
            make = cache(partial(self.scorers.tuned, variant))  # loaded once, for all of its rows
            found.append(self.row("published", model, shown, make))
            if variant == "whole":
                found += self.with_generators(model, make)
        return found

    def with_generators(self, model: str, tuned: Tuned) -> list[ModelResult]:
        """The rows of the whole model that its candidate generators have a part in: re-ranking, and fusion with their
        scores."""
        found, fuses = [], self.recipe.evaluate.fusion_users > 0
        if not (fuses or self.full):
            return []
        generators, chosen = self.generators, self.generators.chosen
        parts = generators.fused_names
        joined = "+".join(parts)
        generator = cache(generators.generator)
        made_from = [*generators.inputs(), artefacts.key(interleave_cold_items=3, words=generators.words)]
        learned = [*made_from, artefacts.key(users=self.recipe.evaluate.fusion_users, fusion=FUSION)]

        def fused(kind: Kind) -> Ranker:
            return generators.fused(kind, generator(), tuned)

        def alone(kind: Kind) -> Ranker:
            return generators.fused_alone(kind, generator(), tuned)

        if fuses:
            found.append(self.row("published", model, f"ensemble with {joined}", lambda: fused("published"), learned))
            if len(parts) > 1:
                found.append(self.row("published", joined, WITHOUT_LM, lambda: alone("published"), learned))
        if self.full:
            if "+" in chosen:  # whoever proposes stands in the table by itself
                found.append(self.row("full", chosen, "whole", generator, generators.inputs()))
            label, reranked = f"re-ranks {chosen}", generators.reranked
            found.append(self.row("full", model, label, lambda: reranked(generator(), tuned()), made_from))
            if fuses:
                label += ", ensemble" if joined == chosen else f", ensemble with {joined}"
                found.append(self.row("full", model, label, lambda: reranked(generator(), fused("full")), learned))
            if fuses and len(parts) > 1:
                found.append(
                    self.row("full", joined, WITHOUT_LM, lambda: reranked(generator(), alone("full")), learned)
                )
        return found

    def row(
        self, protocol: str, model: str, variant: str, make: Callable[[], Ranker], more: Sequence[str] = ()
    ) -> ModelResult:
        """One row, computed unless it is there already. more: keys of what else than its own model it was made from."""
        key = artefacts.key(
            protocol=protocol,
            split=self.name,
            model=model,
            variant=variant,
            seed=self.recipe.seed,
            candidates=self.candidates.digest,
            asked=self.queries[protocol].user,
            told_apart=self.sealed if self.recipe.evaluate.open_sealed else (),
            log=self.dataset.interactions.digest,
            repeats=self.recipe.evaluate.repeat_consumption,
            images=np.packbits(self.has_image),
            propose=self.recipe.evaluate.n_candidates,
            made_from=[*self.scorers.inputs(model, variant), *more],
        )
        folder = row_folder(self.run_folder.folder, self.name, protocol, model, variant)
        if not artefacts.is_current(folder, key):
            self.say(f"evaluating {model}, {variant}: {protocol}, {self.name}")
            row = self.measure(protocol, model, variant, make())
            folder.parent.mkdir(parents=True, exist_ok=True)
            with artefacts.writing(folder, kind="row", key=key) as draft:
                save_row(draft, row)
        return kept_row(folder)

    def measure(self, protocol: str, model: str, variant: str, scorer: Ranker) -> ModelResult:
        """The row of a scorer: metrics by test user, and what a user costs."""
        queries, asked = self.queries[protocol], language_model(scorer)
        before = (asked.tokens, asked.queries, asked.saved_seconds, asked.calls) if asked else (0, 0, 0.0, 0)
        watched = CoverageRecorder(scorer, len(self.dataset.items))
        with PeakMemory() as memory:
            started = time.perf_counter()
            if protocol == "published":
                metrics = evaluate_published(scorer, queries, self.candidates)
            else:
                metrics = evaluate_full(watched, queries, len(self.dataset.items))
            seconds = time.perf_counter() - started
        seconds += (asked.saved_seconds - before[2] if asked else 0.0) - watched.seconds
        cost = {"ms_per_user": 1000 * seconds / max(len(queries), 1)}
        if asked:
            n_queries = max(asked.queries - before[1], 1)
            tokens, calls = (asked.tokens - before[0]) / n_queries, (asked.calls - before[3]) / n_queries
            peak = self.peak(asked, memory.mb, remembered=asked.saved_seconds > before[2])
            cost |= {"tokens_per_user": tokens, "calls_per_user": calls, "peak_mb": peak}
        slices = target_slices(queries, self.split.train, self.has_image)
        if self.recipe.evaluate.open_sealed and len(self.sealed):
            sealed = np.isin(queries.user, self.split.test.user[self.sealed])
            slices |= {"sealed users": sealed, "users who were never sealed": ~sealed}
        slices = {name: mask for name, mask in slices.items() if not mask.all()}  # all users are no slice of them
        coverage = watched.coverage if protocol == "full" else None
        seed = self.recipe.seed
        return ModelResult(protocol, self.name, model, variant, seed, queries.user, metrics, cost, slices, coverage)

    def peak(self, asked: MllmScorer, rise: float, remembered: bool) -> float:
        """Megabytes that a row of the language model takes by itself: the model's weights, and what ranking adds.

        rise: of the process's memory while the row was measured. remembered: whether answers came from memory, which
        count as they did when they were found.
        """
        if remembered:
            rise = max(rise, self._rises.get(id(asked), 0.0))
        self._rises[id(asked)] = rise
        weights = asked.prompts.mllm.model
        return rise + sum(part.nbytes for part in (*weights.parameters(), *weights.buffers())) / MEGABYTE

    @cached_property
    def has_image(self) -> NDArray[np.bool_]:
        """(items,): who has a picture."""
        return np.array([item.image is not None for item in self.dataset.items])

    @property
    def has_stage_2(self) -> bool:
        return artefacts.is_whole(self.run_folder.folder / "retrieve" / self.name)

    def facts(self) -> list[dict]:
        """What is said above each table of this split."""
        seed, interactions = self.recipe.seed, self.dataset.interactions
        closed = 0 if self.recipe.evaluate.open_sealed else len(self.sealed)
        settings = {name: found for name in self.recipe.evaluate.rows if (found := self.scorers.settings(name))}
        told = {"settings": settings, "tune_baselines": self.recipe.evaluate.tune_baselines}
        asked = {protocol: len(queries) for protocol, queries in self.queries.items()}
        published = facts(self.split, interactions, seed, self.drawn, asked["published"], closed)
        found = [published | self.context_shares() | told]
        if self.name == self.recipe.evaluate.splits[0]:  # where it has no rows, this says why
            found.append(facts(self.split, interactions, seed, None, asked["full"], closed) | told)
        return found

    def notes(self) -> list[str]:
        """What a reader must know of whom this split's tables ask, and of the settings of its baselines."""
        evaluate, scorers = self.recipe.evaluate, self.scorers
        told = [(name, scorers.settings(name), scorers.tries(name)) for name in evaluate.rows]
        return [
            *check_queries(self.split, self.dataset, evaluate),
            *sealed_words(self.split, len(self.sealed), evaluate),
            *settings_words(self.name, [one for one in told if one[1]], evaluate.tune_baselines),
        ]

    def context_shares(self) -> dict[str, float]:
        """How often a context holds its target, in training and in the test; kept, for it asks all of stage 2."""
        if not self.has_stage_2:
            return {}
        key = artefacts.key(
            made_from=self.scorers.inputs(CONTEXT, "whole"),
            packs=self.recipe.recommend.n_examples,
            seed=self.recipe.seed,
        )
        file = self.run_folder.folder / "evaluate" / "context" / f"{self.name}-{key[:12]}.json"
        if not file.exists():
            ranker, retrieval = self.recipe.recommend, self.run_folder.retrieval(self.name)
            shares = target_shares(retrieval, self.split, ranker, self.recipe.seed)
            file.parent.mkdir(parents=True, exist_ok=True)
            artefacts.atomic_write(file, json.dumps(shares).encode())
        return json.loads(file.read_text())


def row_folder(run: Path, split: str, protocol: str, model: str, variant: str) -> Path:
    """Where a run keeps a row."""
    slug = f"{protocol}-{model}-{variant}".replace(",", "").replace(" ", "-")
    return run / "evaluate" / "rows" / split / slug


def kept_row(folder: Path) -> ModelResult:
    """The row that is kept there."""
    (file,) = (path for path in folder.glob("*.json") if path.name != artefacts.MANIFEST)
    return load_row(file)
