"""A run of rankers alone, made where the packages of a language model are not installed: what stands in for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from mmsrarec.core.artefacts import is_whole, writing
from mmsrarec.data.dataset import FloatArray, Interactions
from mmsrarec.rankers.ensemble.conditional_logit import Logit
from mmsrarec.recommend.explain import Reason
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.fusion import MODEL, WITHOUT_LM, Fusion
from mmsrarec.recommend.ranking.scorer import MllmScorer
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.runs.run_folder import Part, RunFolder, adapter_part
from mmsrarec.summarize.keywords import Keywords

RANKERS = "evaluate/rankers"
"""The part of a run that says which rankers answer, and how they are fused."""
NOTE = "rankers alone answer: the language model was not there when this run was fitted"


@dataclass(frozen=True)
class NoPrompts:
    """In the place of prompts: what is known of items without asking a model.

    Attributes:
        settings: Of stage 3.
        keywords: Of the items.
    """

    settings: RecommendSettings
    keywords: Keywords

    def shown_keywords(self, code: int) -> tuple[str, ...]:
        """The keywords of an item, as many as a prompt would show."""
        return self.keywords.united(code)[: self.settings.item_keywords]


@dataclass(frozen=True)
class CountScorer:
    """In the place of the language model: how often an item was chosen, for somebody without a history.

    Attributes:
        train: The interactions that are counted.
        name: Of the ranker.
        batch_tokens: As of an `MllmScorer`; without meaning here.
    """

    train: Interactions
    name: str = "popularity"
    batch_tokens: int = 0

    def score_contexts(self, context: Sequence[PromptContext]) -> list[FloatArray]:
        """A share in (0, 1) for each candidate: (count + 1) / (interactions + 2), Laplace's rule of succession."""
        counts = np.zeros(max([self.train.n_items, *(1 + max(prompt.candidates) for prompt in context)]))
        counts[: self.train.n_items] = self.train.counts
        return [(counts[list(prompt.candidates)] + 1) / (len(self.train) + 2) for prompt in context]

    def score(self, queries: object, candidates: object) -> FloatArray:
        """It re-ranks what is proposed, and nothing else asks it."""
        raise NotImplementedError


def no_prompts(run_folder: RunFolder) -> Prompts:
    """`NoPrompts` of a run, for whoever wants prompts and renders none; the run's notes say so."""
    run_folder.notes.append(NOTE)
    return cast(Prompts, NoPrompts(run_folder.recommend_settings(run_folder.served), run_folder.keywords))


def count_scorer(train: Interactions) -> MllmScorer:
    """`CountScorer`, for whoever wants the language model's scores of gathered candidates."""
    return cast(MllmScorer, CountScorer(train))


def is_without_model(folder: Path, adapter: str) -> bool:
    """Whether a run was made of rankers alone.

    Args:
        folder: The run's folder.
        adapter: The part that a run with a language model would have.
    """
    return is_whole(folder / RANKERS) and not is_whole(folder / adapter)


def popularity_reasons(context: PromptContext, best: Sequence[int], p: FloatArray) -> list[list[Reason]]:
    """Why somebody without a history is recommended something: how many chose it, against the mean candidate.

    Args:
        context: The prompt context, with c candidates.
        best: Places among the candidates.
        p: (c,) scores of `CountScorer`.
    """
    logits = np.log(p) - np.log1p(-p)
    weights = logits - logits.mean()
    return [[Reason("popularity", "chosen by many", float(weights[at]), level=context.popularity[at])] for at in best]


def save_rankers(folder: Path, names: Sequence[str], logit: Logit, quality: float, key: str) -> None:
    """Write which rankers answer, and how they are fused.

    Args:
        folder: The run's folder.
        names: Names of the rankers.
        logit: How they are fused.
        quality: Their NDCG@10 on validation users.
        key: What they are made from.
    """
    good = {MODEL: 0.0, WITHOUT_LM: max(quality, 1e-9)}
    fusion = Fusion(tuple(names), logit.behind_nothing(), logit, 0, 0, {}, good, tuple(names), logit)
    (folder / RANKERS).parent.mkdir(parents=True, exist_ok=True)
    with writing(folder / RANKERS, kind="fusion", key=key) as draft:
        fusion.save(draft)


def load_rankers(folder: Path) -> Fusion | None:
    """What `save_rankers` wrote; None where there is nothing."""
    return Fusion.load(folder / RANKERS) if is_whole(folder / RANKERS) else None


def served_prompts(run_folder: RunFolder, split: Part) -> Prompts:
    """The prompts of the model that a run answers with, loaded when it is first needed, or what stands in for them."""
    served = run_folder.served
    if is_without_model(run_folder.folder, adapter_part(split, served)):
        return no_prompts(run_folder)
    return run_folder.tuned(split, served, late=True)
