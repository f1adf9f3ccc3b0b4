"""The models of the comparison's rows on one split, by name, and the keys of what each was computed from."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmsrarec.core import artefacts
from mmsrarec.core.progress import Count
from mmsrarec.data.splits import Split, SplitName, with_validation
from mmsrarec.evaluate.hyperparameter_search import (
    VERSION,
    Try,
    best_of,
    load_tries,
    save_tries,
    search,
    search_folder,
    searched,
)
from mmsrarec.rankers.base import CandidateGenerator, Ranker
from mmsrarec.rankers.ensemble.interleaved import HiddenItems
from mmsrarec.rankers.ranker_base import RankerBase
from mmsrarec.rankers.registry.registry import Source, made_from_log, make_row, reads_content, version_of
from mmsrarec.rankers.registry.settings import BaselineSettings, encoder_settings, space_of
from mmsrarec.recommend.ablations import WORDS_ALONE
from mmsrarec.recommend.ranking.context_only import ContextOnly
from mmsrarec.recommend.ranking.scorer import MllmScorer
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.settings import CONTENT_ENCODERS, ENCODERS, EncoderName
from mmsrarec.runs.fingerprints import search_settings
from mmsrarec.runs.fitted_rankers import load_fitted
from mmsrarec.runs.run_folder import CONTENT_PART, MSR, RunFolder, adapter_part, msr_part
from mmsrarec.study.mllm_msr.part import load_msr
from mmsrarec.study.model_names import CONTEXT, ENSEMBLE, TRAINED, is_ablation, needs_stage_2

CONTEXT_SETTINGS = {"similar_items": True, "k_anonymity": True, "transition_window": True,
         "prompt_fields": {"transitions", "rare_votes"}}  # fmt: skip
"""Settings that say which collaborative items a prompt shows."""


class Scorers:
    """The models of one split's rows.

    Attributes:
        run_folder: The run.
        recipe: Its recipe.
        count: Counts the steps of long work.
        name: Name of the split.
        split: The split.
        baselines_of: The settings that a row made from the log has, by its name.
        refit: Whether rows are fitted on the validation interactions as well before the test.
        fitted: The interactions that rows without a language model are tested with.
    """

    def __init__(self, run_folder: RunFolder, name: SplitName, count: Count):
        self.run_folder, self.recipe, self.count = run_folder, run_folder.recipe, count
        self.name: SplitName = name
        self.split: Split = run_folder.split(name)
        self.baselines_of: Callable[[str], BaselineSettings] = cache(self._baselines_of)
        self.refit = self.recipe.evaluate.fitted_on == "train+validation"
        self.fitted = with_validation(self.split, run_folder.dataset.interactions) if self.refit else self.split.train

    def classic(self, name: str) -> Ranker:
        """A row without a language model, as it is tested."""
        if name == CONTEXT:
            return ContextOnly(self.run_folder.retrieval(self.name, WORDS_ALONE), self.recipe.recommend)
        return self.tested(name)

    def tested(self, name: str) -> CandidateGenerator:
        """A ranker as it is tested."""
        return self._ranker(name, self.source(name))

    @cached_property
    def hidden(self) -> NDArray[np.bool_]:
        """(n_items,) mask: a random share of the trained items, as large as the share of new items in the catalogue.

        Validation treats them as new. Items that are new now did not exist then, so validation has hardly any new
        target, and a generator chosen or weighed by it could not rank new items.
        """
        new = self.split.train.counts == 0
        numbers = np.random.default_rng([self.recipe.seed, 7]).random(len(new))
        return ~new & (numbers < new.mean())

    def validated(self, name: str) -> CandidateGenerator:
        """A ranker as it was before validation: fitted on training, with hidden items unknown but for their content.

        Args:
            name: The row.
        """
        ranker = self._before_validation(name, self.hidden)
        return ranker if name in CONTENT_ENCODERS else HiddenItems(ranker, self.hidden)

    def judging_new(self, name: EncoderName) -> CandidateGenerator:
        """A model of `CONTENT_ENCODERS` as it was before validation, with all items unknown but for their content.

        Args:
            name: The row.
        """
        return self._before_validation(name, np.ones_like(self.hidden))

    def _before_validation(self, name: str, hidden: NDArray[np.bool_]) -> RankerBase:
        """A ranker fitted on training; of the hidden items the encoder knows the content alone."""

        def encoder(name: EncoderName) -> Encoder:
            return self.run_folder.encoder(self.name, name).without_ids(hidden)

        return self._ranker(name, replace(self.source(name), train=self.split.train, encoder=encoder))

    def source(self, name: str) -> Source:
        """What a ranker is made from for the test."""
        encoder = partial(self.run_folder.encoder, self.name, refit=self.refit)
        retrieval = partial(self.run_folder.retrieval, self.name, WORDS_ALONE)
        seed, baselines, content = self.recipe.seed, self.baselines_of(name), self.run_folder.content
        return Source(self.fitted, seed, encoder, retrieval, baselines, content)

    def _ranker(self, name: str, source: Source) -> RankerBase:
        """The ranker that the run saved, where it was fitted on these interactions; else fitted anew."""
        return load_fitted(self.run_folder.folder, self.name, name, source) or make_row(name, source)

    def _baselines_of(self, name: str) -> BaselineSettings:
        """The settings of a row made from the log: the recipe's, or the saved choice of a search on validation."""
        evaluate, seed, valid = self.recipe.evaluate, self.recipe.seed, self.split.valid
        if not made_from_log(name) or not searched(name, evaluate):
            return evaluate.baselines
        key = artefacts.key(
            train=self.split.train.digest,
            log=self.run_folder.dataset.interactions.digest,
            own=evaluate.baselines.of(name),
            space=space_of(name),
            n=evaluate.tune_baselines,
            seed=seed,
            repeats=evaluate.repeat_consumption,
            version=VERSION,
            **{f"ranker_{fact}": value for fact, value in version_of(name).items()},
            **self._content_key(name),
        )
        folder = search_folder(self.run_folder.folder, self.name, name)
        if not artefacts.is_current(folder, key):

            def make(baselines: BaselineSettings) -> Ranker:
                return make_row(name, replace(source, baselines=baselines))

            source = Source(self.split.train, seed, _nothing, _nothing, content=self.run_folder.content)
            n_items = self.split.train.n_items
            tries = search(name, evaluate.baselines, make, valid, n_items, evaluate.tune_baselines, seed, self.count)
            folder.parent.mkdir(parents=True, exist_ok=True)
            with artefacts.writing(folder, kind="search", key=key) as draft:
                save_tries(draft, tries)
        return evaluate.baselines.with_row(name, best_of(load_tries(folder)).settings)

    def tries(self, name: str) -> list[Try]:
        """The tries of a row's search; none where nothing was searched."""
        if not searched(name, self.recipe.evaluate) or name == self.recipe.retrieve.encoder:
            return []
        if name in ENCODERS:
            return load_tries(self.run_folder.folder / self.run_folder.encoder_part(self.name, name))
        if not made_from_log(name):
            return []
        self.baselines_of(name)
        return load_tries(search_folder(self.run_folder.folder, self.name, name))

    def settings(self, name: str) -> dict[str, Any]:
        """The settings that a row of the table has; {} for one without any."""
        if tries := self.tries(name):
            return best_of(tries).settings
        if name in ENCODERS:
            own = encoder_settings(self.recipe.retrieve, self.recipe.evaluate.baselines, name)
            return own.model_dump(include=set(space_of(name)))
        return self.recipe.evaluate.baselines.of(name)

    def tuned(self, variant: str) -> MllmScorer:
        """The language model with a variant's adapter."""
        prompts = self.run_folder.tuned(self.name, variant)
        retrieval = self.run_folder.retrieval(self.name, variant)
        batch = self.recipe.runtime.score_tokens
        return MllmScorer(variant, prompts, retrieval, batch, self.count, cache_scores=variant == "whole")

    def msr(self) -> MllmScorer:
        """The row `MSR`."""
        return load_msr(self.run_folder, self.name, self.run_folder.folder / msr_part(self.name), self.count)

    def inputs(self, model: str, variant: str) -> list[str]:
        """The keys of what a row is computed from.

        Args:
            model: The row.
            variant: Its variant.

        Raises:
            MmsrarecError: A part of the run is not finished.
        """
        recorded = self.run_folder.recorded
        if model == ENSEMBLE:
            return []  # of what its parts are computed from (`CandidateGenerators.inputs`)
        if "+" in model:
            return [key for part in model.split("+") for key in self.inputs(part, variant)]
        if model in TRAINED:
            trained = variant if is_ablation(variant) else TRAINED[model]
            return [recorded(adapter_part(self.name, trained))]
        if model == MSR:
            return [recorded(msr_part(self.name))]
        if model == CONTEXT:
            settings = self.recipe.recommend.model_dump(include=CONTEXT_SETTINGS)
            return [*self.inputs("neighbours-only", variant), artefacts.key(**{"shown": settings})]
        if model in ENCODERS:
            return [recorded(self.run_folder.encoder_part(self.name, model, self.refit))]
        if needs_stage_2(model):
            return [
                recorded(f"retrieve/{self.name}"),
                artefacts.key(**{"asked": search_settings(self.recipe.retrieve)}),
            ]
        settings = self.baselines_of(model).of(model)
        made_from = {"train": self.fitted.digest, "settings": settings}
        return [artefacts.key(**made_from, **version_of(model), **self._content_key(model))]

    def _content_key(self, name: str) -> dict[str, str]:
        """What a row that reads content is made from beside the log; {} for others."""
        return {"content": self.run_folder.recorded(CONTENT_PART)} if reads_content(name) else {}


def _nothing(*arguments: object) -> Any:
    raise AssertionError("a row of the log alone asked for stage 2")
