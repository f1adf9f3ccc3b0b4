"""The candidate generators of one split, the choice among them, and their fusion with the language model."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cached_property, partial

import numpy as np

from mmsrarec.core import artefacts
from mmsrarec.core.progress import Progress
from mmsrarec.data.splits import Queries
from mmsrarec.evaluate.protocols import ndcg_of_lists, published_candidates
from mmsrarec.rankers.base import CandidateGenerator, Ranker
from mmsrarec.rankers.ensemble.conditional_logit import Logit
from mmsrarec.rankers.ensemble.interleaved import with_cold_items
from mmsrarec.rankers.ensemble.keyword_overlap import KeywordOverlap
from mmsrarec.rankers.ensemble.two_stage import Reranked, parts_of
from mmsrarec.rankers.ensemble.weighted import WeightedEnsemble
from mmsrarec.rankers.registry.registry import candidate_generators
from mmsrarec.recommend.ranking.fusion import Fused, Fusion, learn_fusion, ranking_features
from mmsrarec.recommend.ranking.scorer import MllmScorer
from mmsrarec.retrieve.settings import CONTENT_ENCODERS, CONTENT_SASREC
from mmsrarec.runs.run_folder import Kind, adapter_part, fusion_part
from mmsrarec.study.generator_selection import SelectedGenerators, select_generators, subsample_queries
from mmsrarec.study.items_as_new import ItemsAsNew
from mmsrarec.study.model_scorers import Scorers

FUSION = 10
"""The version of how fusion is learned, in the keys of all that comes of it."""
Tuned = Callable[[], MllmScorer]
"""Loads the whole variant of the language model when it is called."""


class CandidateGenerators:
    """The rows that may propose, which of them does, and its weight beside the language model's.

    Attributes:
        scorers: The models of the split's rows.
        say: Receives lines of progress.
        run_folder: The run.
        recipe: Its recipe.
        split: The split.
        n_items: Size of the catalogue.
    """

    def __init__(self, scorers: Scorers, say: Progress):
        self.scorers, self.say = scorers, say
        self.run_folder, self.recipe, self.split = scorers.run_folder, scorers.recipe, scorers.split
        self.n_items = len(self.run_folder.dataset.items)

    @property
    def names(self) -> list[str]:
        """The rows that may propose."""
        return candidate_generators(self.recipe.evaluate.rows)

    @property
    def proposed(self) -> int:
        """Number of items that are proposed."""
        return min(self.recipe.evaluate.n_candidates, self.n_items // 2)

    @cached_property
    def choice(self) -> SelectedGenerators:
        """The candidate generator that is best on validation, which may be several together (`select_generators`).

        It is saved, for choosing takes full rankings.
        """
        combine, seed = self.recipe.evaluate.combine_generators, self.recipe.seed
        made_from = [key for name in self.names for key in self.scorers.inputs(name, "whole")]
        words, log, repeats = (
            self.words,
            self.run_folder.dataset.interactions.digest,
            self.recipe.evaluate.repeat_consumption,
        )
        question = {"n_candidates": self.proposed, "seed": seed, "combine": combine, "repeats": repeats}
        key = artefacts.key(made_from=made_from, words=words, log=log, version=8, **question)
        file = self.run_folder.folder / "evaluate" / "generators" / f"{self.scorers.name}-{key[:12]}.json"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            artefacts.atomic_write(file, json.dumps(asdict(self.choose()), indent=1).encode())
        record = json.loads(file.read_text())
        return SelectedGenerators(tuple(record["names"]), Logit.load(record["logit"]), record["quality"])

    def choose(self) -> SelectedGenerators:
        """Choose by full rankings of validation users, none of whose validation interactions the generators saw."""
        rankers = {name: self.scorers.validated(name) for name in self.names}
        beside, combine = partial(self.interleave_cold_items, tested=False), self.recipe.evaluate.combine_generators
        valid, own = self.split.valid.rankable, self.recipe.retrieve.encoder
        if not len(valid):
            first = own if own in rankers else self.names[0]
            self.say(f"{first} proposes: every validation target was consumed before, so there is nothing to choose by")
            return SelectedGenerators((first,))
        as_new, seed = self.items_as_new(rankers, valid), self.recipe.seed
        return select_generators(rankers, valid, self.n_items, self.proposed, seed, beside, combine, as_new)

    def items_as_new(self, generators: Mapping[str, CandidateGenerator], queries: Queries) -> ItemsAsNew:
        """What a new item's missing features are expected from.

        Args:
            generators: Name to generator, as it was before validation.
            queries: Validation queries.
        """
        by_content = {name: self.scorers.judging_new(name) for name in generators if name in CONTENT_ENCODERS}
        by_words = KeywordOverlap(self.words)
        return ItemsAsNew.of(queries, generators, by_content, by_words, self.n_items, self.proposed)

    @property
    def chosen(self) -> str:
        """The name of the chosen generator."""
        return self.choice.name

    def generator(self, tested: bool = True) -> CandidateGenerator:
        """The chosen generator, as it is tested, or as it was before validation."""
        make = self.maker(tested)
        return WeightedEnsemble.of([make(name) for name in self.choice.names], self.choice.logit, self.n_items)

    def maker(self, tested: bool) -> Callable[[str], CandidateGenerator]:
        """A function that makes a row by name, as it is tested, or as it was before validation."""
        return self.scorers.tested if tested else self.scorers.validated

    @cached_property
    def words(self) -> list[tuple[str, ...]]:
        """The keywords of every item; none where stage 1 has not run, for no row of the recipe needs it."""
        if not artefacts.is_whole(self.run_folder.folder / "summarize"):
            return [()] * self.n_items
        return list(map(self.run_folder.keywords.united, range(self.n_items)))

    def reranked(self, generator: CandidateGenerator, ranker: Ranker, tested: bool = True) -> Reranked:
        """The ranker's order of the generator's proposals and of cold items, as a run is served."""
        return Reranked("mmsrarec", self.interleave_cold_items(generator, tested), ranker, self.proposed)

    def interleave_cold_items(self, generator: CandidateGenerator, tested: bool = True) -> Ranker:
        """The generator, and beside it the items that nobody consumed yet."""
        by_content, by_words = self.by_content(tested), KeywordOverlap(self.words)
        return with_cold_items(generator, by_content, by_words, self.n_items, self.proposed)

    def by_content(self, tested: bool) -> CandidateGenerator | None:
        """The row that ranks new items by their content; None where the recipe has none.

        Args:
            tested: Whether as it is tested; else as it was before validation.
        """
        return self.maker(tested)(CONTENT_SASREC) if CONTENT_SASREC in self.recipe.evaluate.rows else None

    @property
    def fused_names(self) -> tuple[str, ...]:
        """The rows whose scores are fused with the language model's.

        They are the chosen generators, stage 2's encoder, and the one that ranks new items by content, as far as the
        recipe has their rows.
        """
        others = [name for name in (self.recipe.retrieve.encoder, CONTENT_SASREC) if name in self.recipe.evaluate.rows]
        return tuple(dict.fromkeys((*self.choice.names, *others)))

    def parts(self, generator: CandidateGenerator, tested: bool = True) -> tuple[CandidateGenerator, ...]:
        """The rankers of `fused_names`, whether they are parts of the generator or not."""
        own_parts = parts_of(generator)
        return (*own_parts, *map(self.maker(tested), self.fused_names[len(own_parts) :]))

    def inputs(self) -> list[str]:
        """The keys of what the proposals and the fusion are computed from."""
        made_from = [key for name in self.fused_names for key in self.scorers.inputs(name, "whole")]
        return [*made_from, artefacts.key(logit=asdict(self.choice.logit))]

    def fused(self, kind: Kind, generator: CandidateGenerator, tuned: Tuned) -> Fused:
        """The language model fused with the generator."""
        return Fused("mmsrarec", tuned(), self.parts(generator), self.fusion(kind, tuned).with_lm)

    def fused_alone(self, kind: Kind, generator: CandidateGenerator, tuned: Tuned) -> WeightedEnsemble:
        """The generator's own parts fused, without the language model."""
        return WeightedEnsemble(self.parts(generator), self.fusion(kind, tuned).without_lm, self.n_items)

    def fusion(self, kind: Kind, tuned: Tuned) -> Fusion:
        """The weights of the language model and of the candidate generators; computed by `learn` unless saved before.

        Args:
            kind: The protocol.
            tuned: Loads the language model.
        """
        settings, name = self.recipe.evaluate, self.scorers.name
        adapter = self.run_folder.recorded(adapter_part(name, "whole"))
        train = artefacts.key(
            train=self.split.train.digest,
            log=self.run_folder.dataset.interactions.digest,
            repeats=self.recipe.evaluate.repeat_consumption,
            words=self.words if kind == "full" else (),
        )
        key = artefacts.key(
            made_from=[adapter, *self.inputs(), train],
            generator=self.chosen,
            candidates=settings.negatives if kind == "published" else self.proposed,
            users=settings.fusion_users,
            seed=self.recipe.seed,
            version=FUSION,
        )
        folder = self.run_folder.folder / fusion_part(name, kind)
        if not artefacts.is_current(folder, key):
            self.say(f"fusing with {self.chosen}: {kind}, {name}")
            learned = self.learn(kind, tuned())
            folder.parent.mkdir(parents=True, exist_ok=True)
            with artefacts.writing(folder, kind="fusion", key=key, inputs={"adapter": adapter}) as draft:
                learned.save(draft)
        return Fusion.load(folder)

    def learn(self, kind: Kind, scorer: MllmScorer) -> Fusion:
        """Fit the weights on validation queries, at most `evaluate.fusion_users`.

        The candidate generators are fitted on the training interactions for it, also where they are fitted on the
        validation interactions as well (`evaluate.fitted_on`) for the row that the weights are then used in: the
        queries must be new to them. Some items are treated as new (`Scorers.hidden`).

        Args:
            kind: The protocol.
            scorer: The language model.
        """
        settings, seed, valid, hidden = self.recipe.evaluate, self.recipe.seed, self.split.valid, self.scorers.hidden
        scorer = scorer.as_cold(hidden) if hidden.any() else scorer
        generator = self.generator(tested=False)
        if kind == "full":
            valid = subsample_queries(valid.rankable, self.n_items, seed)
        order = np.random.default_rng(seed).permutation(len(valid))
        if kind == "published":
            queries = valid.pick(np.sort(order[: settings.fusion_users]))
            lists = published_candidates(queries, self.run_folder.dataset.interactions, seed, settings.negatives)
            queries = queries.pick(lists.rows).naming(lists.items)
            candidates, place, n_examined = lists.items, lists.place, len(queries)
        else:
            proposed = self.reranked(generator, scorer, tested=False).proposals(valid)
            hit = proposed == valid.target[:, None]
            rows = np.sort(order[hit.any(axis=1)[order]][: settings.fusion_users])
            queries, candidates, place = valid.pick(rows), proposed[rows], hit[rows].argmax(axis=1)
            n_examined = len(valid)
        parts = self.parts(generator, tested=False)
        x = np.zeros((0, 1, 1 + len(parts)))
        if len(queries):
            x = np.stack(ranking_features(scorer, parts, queries, candidates), axis=2)
        quality = ndcg_of_lists(5 if kind == "published" else 10)
        names, choice, gaussian = [part.name for part in parts], self.choice, None
        if kind == "full" and len(queries):  # the candidates of the published protocol are drawn, not proposed
            gaussian = self.items_as_new(dict(zip(names, parts, strict=True)), queries).gaussian(names)
        return learn_fusion(x, place, names, n_examined, quality, choice.names, choice.logit, gaussian)
