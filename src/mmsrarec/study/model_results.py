"""All rows of the comparison on one split, under both protocols.

A row is an artefact of its own, so a comparison that was stopped goes on at the row it was at.
"""

import json
import time
from collections.abc import Callable, Sequence
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

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
from mmsrarec.recommend.ablations import WORDS_ALONE
from mmsrarec.recommend.ranking.fusion import language_model
from mmsrarec.recommend.ranking.scorer import MllmScorer
from mmsrarec.runs.run_folder import MSR, Kind, RunFolder
from mmsrarec.study.candidate_generators import FUSION, CandidateGenerators, Tuned
from mmsrarec.study.model_names import CONTEXT, ENSEMBLE, TRAINED
from mmsrarec.study.model_scorers import Scorers
from mmsrarec.study.results import ModelResult, load_row, save_row

WITHOUT_LM = "ensemble, no language model"
"""The variant of the rows that weigh the candidate generators' scores only, without the language model."""


class Comparison:
    """All rows of one split.

    Attributes:
        name: Name of the split.
        scorers: The models of its rows.
        generators: Its candidate generators.
        open: Rows of the test queries that may be evaluated.
        sealed: Rows of the test queries that are sealed.
        all_candidates: The published protocol's candidates of all test users, the sealed ones included, so that one
            hash names the question from the first table to the final one.
        candidates: Those of the users that are evaluated.
        queries: Protocol to its test queries.
        full: Whether full ranking is measured as well: on the first split only, where it has a query.
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
        self.all_candidates: Candidates = published_candidates(
            test, self.dataset.interactions, self.recipe.seed, settings.negatives
        )
        self.candidates = self.all_candidates.pick(np.flatnonzero(np.isin(self.all_candidates.rows, self.open)))
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
        """The rows that the recipe names, computed as far as they are missing.

        Args:
            variants: Variants of stage 3, whose rows come last.
        """
        results: list[ModelResult] = []
        names = [name for name in self.recipe.evaluate.rows if name not in (*TRAINED, CONTEXT, MSR, ENSEMBLE)]
        for name in names:
            make = cache(partial(self.scorers.classic, name))  # one for both protocols, freed after them
            results += [self.row("published", name, "whole", make)]
            if self.full:
                results += [self.row("full", name, "whole", make)]
        if self.has_stage_2:
            results.append(self.row("published", CONTEXT, "whole", lambda: self.scorers.classic(CONTEXT)))
        if MSR in self.recipe.evaluate.rows:
            results.append(self.row("published", MSR, "whole", self.scorers.msr))
        if ENSEMBLE in self.recipe.evaluate.rows:
            results += self.ensemble()
        for variant in variants:
            model = next((model for model, trained in TRAINED.items() if trained == variant), "mmsrarec")
            label = "whole" if model in self.recipe.evaluate.rows and variant in TRAINED.values() else variant
            make = cache(partial(self.scorers.tuned, variant))  # loaded once, for all of its rows
            results.append(self.row("published", model, label, make))
            if variant == "whole":
                results += self.with_generators(model, make)
        return results

    def ensemble(self) -> list[ModelResult]:
        """The rows of the generators that are chosen on validation queries, which rank as one."""
        generators = self.generators
        make, made_from = cache(generators.generator), generators.inputs()
        protocols = ("published", "full") if self.full else ("published",)
        return [self.row(protocol, ENSEMBLE, generators.chosen, make, made_from) for protocol in protocols]

    def with_generators(self, model: str, tuned: Tuned) -> list[ModelResult]:
        """The rows of the whole model with its candidate generators: re-ranking, and fusion with their scores.

        Args:
            model: The row.
            tuned: Loads the language model.
        """
        results: list[ModelResult] = []
        fuses = self.recipe.evaluate.fusion_users > 0
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
            results.append(self.row("published", model, f"ensemble with {joined}", lambda: fused("published"), learned))
            if len(parts) > 1:
                results.append(self.row("published", joined, WITHOUT_LM, lambda: alone("published"), learned))
        if self.full:
            if "+" in chosen:  # the generator has a row of its own
                results.append(self.row("full", chosen, "whole", generator, generators.inputs()))
            label, reranked = f"re-ranks {chosen}", generators.reranked
            results.append(self.row("full", model, label, lambda: reranked(generator(), tuned()), made_from))
            if fuses:
                label += ", ensemble" if joined == chosen else f", ensemble with {joined}"
                results.append(self.row("full", model, label, lambda: reranked(generator(), fused("full")), learned))
            if fuses and len(parts) > 1:
                results.append(
                    self.row("full", joined, WITHOUT_LM, lambda: reranked(generator(), alone("full")), learned)
                )
        return results

    def row(
        self, protocol: str, model: str, variant: str, make: Callable[[], Ranker], more: Sequence[str] = ()
    ) -> ModelResult:
        """One row, computed unless it was saved before.

        Args:
            protocol: The protocol.
            model: The row's model.
            variant: Its variant.
            make: Makes the model.
            more: Keys of what the row is computed from beside its own model.
        """
        sealed = self.sealed if self.recipe.evaluate.open_sealed else ()
        key = artefacts.key(
            protocol=protocol,
            split=self.name,
            model=model,
            variant=variant,
            seed=self.recipe.seed,
            candidates=self.candidates.digest,
            log=self.dataset.interactions.digest,
            repeats=self.recipe.evaluate.repeat_consumption,
            images=np.packbits(self.has_image),
            propose=self.recipe.evaluate.n_candidates,
            made_from=[*self.scorers.inputs(model, variant), *more],
            **{"asked": self.queries[protocol].user, "told_apart": sealed},  # names in the keys of saved rows
        )
        folder = row_folder(self.run_folder.folder, self.name, protocol, model, variant)
        if not artefacts.is_current(folder, key):
            self.say(f"evaluating {model}, {variant}: {protocol}, {self.name}")
            row = self.measure(protocol, model, variant, make())
            folder.parent.mkdir(parents=True, exist_ok=True)
            with artefacts.writing(folder, kind="row", key=key) as draft:
                save_row(draft, row)
        return load_saved_row(folder)

    def measure(self, protocol: str, model: str, variant: str, scorer: Ranker) -> ModelResult:
        """Evaluate a model on the test queries.

        Args:
            protocol: The protocol.
            model: The row's model, in the table.
            variant: Its variant, in the table.
            scorer: The model.

        Returns:
            Metrics by test user, and the cost of a user in milliseconds, tokens, calls and MB.
        """
        queries, lm = self.queries[protocol], language_model(scorer)
        before = (lm.tokens, lm.queries, lm.saved_seconds, lm.calls) if lm else (0, 0, 0.0, 0)
        recorder = CoverageRecorder(scorer, len(self.dataset.items))
        with PeakMemory() as memory:
            started = time.perf_counter()
            if protocol == "published":
                metrics = evaluate_published(scorer, queries, self.candidates)
            else:
                metrics = evaluate_full(recorder, queries, len(self.dataset.items))
            seconds = time.perf_counter() - started
        seconds += (lm.saved_seconds - before[2] if lm else 0.0) - recorder.seconds
        cost = {"ms_per_user": 1000 * seconds / max(len(queries), 1)}
        if lm:
            n_queries = max(lm.queries - before[1], 1)
            tokens, calls = (lm.tokens - before[0]) / n_queries, (lm.calls - before[3]) / n_queries
            peak = self.peak(lm, memory.mb, remembered=lm.saved_seconds > before[2])
            cost |= {"tokens_per_user": tokens, "calls_per_user": calls, "peak_mb": peak}
        slices = target_slices(queries, self.split.train, self.has_image)
        if self.recipe.evaluate.open_sealed and len(self.sealed):
            sealed = np.isin(queries.user, self.split.test.user[self.sealed])
            slices |= {"sealed users": sealed, "users who were never sealed": ~sealed}
        slices = {name: mask for name, mask in slices.items() if not mask.all()}  # all users are no slice of them
        coverage = recorder.coverage if protocol == "full" else None
        seed = self.recipe.seed
        return ModelResult(protocol, self.name, model, variant, seed, queries.user, metrics, cost, slices, coverage)

    def peak(self, lm: MllmScorer, rise: float, remembered: bool) -> float:
        """The memory that a row of the language model takes by itself: the model's weights, and what ranking adds.

        Args:
            lm: The language model.
            rise: Growth of the process's memory while the row was measured, in MB.
            remembered: Whether scores came from the cache; they count as when they were computed.

        Returns:
            MB.
        """
        if remembered:
            rise = max(rise, self._rises.get(id(lm), 0.0))
        self._rises[id(lm)] = rise
        weights = lm.prompts.mllm.model
        return rise + sum(part.nbytes for part in (*weights.parameters(), *weights.buffers())) / MEGABYTE

    @cached_property
    def has_image(self) -> NDArray[np.bool_]:
        """(n_items,) mask of the items with a picture."""
        return np.array([item.image is not None for item in self.dataset.items])

    @property
    def has_stage_2(self) -> bool:
        """Whether stage 2 of this split is finished."""
        return artefacts.is_whole(self.run_folder.folder / "retrieve" / self.name)

    def facts(self) -> list[dict[str, Any]]:
        """The facts above each table of this split."""
        seed, interactions = self.recipe.seed, self.dataset.interactions
        closed = 0 if self.recipe.evaluate.open_sealed else len(self.sealed)
        settings = {name: own for name in self.recipe.evaluate.rows if (own := self.scorers.settings(name))}
        baseline_facts = {"settings": settings, "tune_baselines": self.recipe.evaluate.tune_baselines}
        n_queries = {protocol: len(queries) for protocol, queries in self.queries.items()}
        published = facts(self.split, interactions, seed, self.all_candidates, n_queries["published"], closed)
        tables = [published | self.context_shares() | baseline_facts]
        if self.name == self.recipe.evaluate.splits[0]:  # where it has no rows, this says why
            tables.append(facts(self.split, interactions, seed, None, n_queries["full"], closed) | baseline_facts)
        return tables

    def notes(self) -> list[str]:
        """The report's notes on this split's test queries and on the settings of its baselines."""
        evaluate, scorers = self.recipe.evaluate, self.scorers
        row_settings = [(name, scorers.settings(name), scorers.tries(name)) for name in evaluate.rows]
        return [
            *check_queries(self.split, self.dataset, evaluate),
            *sealed_words(self.split, len(self.sealed), evaluate),
            *settings_words(self.name, [entry for entry in row_settings if entry[1]], evaluate.tune_baselines),
        ]

    def context_shares(self) -> dict[str, float]:
        """The share of contexts with their target, in training and in the test; saved, for it takes all of stage 2."""
        if not self.has_stage_2:
            return {}
        key = artefacts.key(
            made_from=self.scorers.inputs(CONTEXT, "whole"),
            packs=self.recipe.recommend.n_examples,
            seed=self.recipe.seed,
        )
        file = self.run_folder.folder / "evaluate" / "context" / f"{self.name}-{key[:12]}.json"
        if not file.exists():
            ranker, retrieval = self.recipe.recommend, self.run_folder.retrieval(self.name, WORDS_ALONE)
            shares = target_shares(retrieval, self.split, ranker, self.recipe.seed)
            file.parent.mkdir(parents=True, exist_ok=True)
            artefacts.atomic_write(file, json.dumps(shares).encode())
        return json.loads(file.read_text())


def row_folder(run: Path, split: str, protocol: str, model: str, variant: str) -> Path:
    """The folder of a row in a run."""
    slug = f"{protocol}-{model}-{variant}".replace(",", "").replace(" ", "-")
    return run / "evaluate" / "rows" / split / slug


def load_saved_row(folder: Path) -> ModelResult:
    """The row that was saved in a folder."""
    (file,) = (path for path in folder.glob("*.json") if path.name != artefacts.MANIFEST)
    return load_row(file)
