"""The row "mllm-msr": a pipeline as MLLM-MSR is one (arXiv 2408.09698), on the backbone of MMSRARec.

A model writes down what somebody prefers (`msr_writer`); a model tuned on yes or no reads that and one candidate with
its text and picture, in a prompt of its own for each. No similar users, no counts: it knows the history alone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from torch import Tensor

from mmsrarec.data.dataset import Dataset, FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.packing.packed_prompt import TokenSpan
from mmsrarec.models.packing.prefix_tree import PrefixTree
from mmsrarec.recommend.prompt.prompt_context import PromptContext, Retrieval
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import MllmScorer, score_packs
from mmsrarec.recommend.settings import PromptFields, RecommendSettings, Tasks
from mmsrarec.study.mllm_msr.writer import Writer
from mmsrarec.summarize.keywords import Keywords

SHOWN = PromptFields(
    **(dict.fromkeys(PromptFields.model_fields, False) | dict.fromkeys(("titles", "descriptions", "pictures"), True))
)
"""What its prompts show of a candidate."""
RANKED = "\nWill they take it next? Answer yes or no."


def msr_settings(settings: RecommendSettings) -> RecommendSettings:
    """A recipe's settings of ranking, with what its prompts show, its published loss and nothing trained along; all
    else is the same."""
    tasks = Tasks(foresee=0, recognise=0, profile=0)
    return settings.model_copy(update={"prompt_fields": SHOWN, "loss": "yesno", "tasks": tasks, "preference_rate": 0.0})


class MsrPrompts(Prompts):
    """A written preference is what the candidates of somebody share.

    Tuning packs them, which equals prompts of their own in weights and scores, and costs less (`models.packing`).
    """

    def __init__(
        self,
        mllm: Mllm,
        dataset: Dataset,
        features: Mapping[int, Tensor],
        settings: RecommendSettings,
        writer: Writer,
    ):
        super().__init__(mllm, dataset, Keywords((), (), (), ()), features, settings)
        self.writer = writer

    def shared(self, context: PromptContext, omitted_words: Collection[str] = ()) -> TokenSpan:
        """Raises KeyError where the preference behind the history has not been written."""
        before, after = self.mllm.frame
        question = self.mllm.encode(self.writer.preferences[context.history].text + RANKED)
        return TokenSpan([*before, *question, *after])


@dataclass(frozen=True, eq=False)
class Recollection(Retrieval):
    """What MLLM-MSR knows of a query: the history, and the preference that is written of it."""

    writer: Writer = field(kw_only=True)

    @classmethod
    def of(cls, retrieval: Retrieval, writer: Writer) -> "Recollection":
        """On the log of stage 2, of which nothing else is used."""
        return cls(**{part.name: getattr(retrieval, part.name) for part in fields(Retrieval)}, writer=writer)

    def gather(self, queries: Queries, candidates: IntArray, settings: RecommendSettings) -> list[PromptContext]:
        histories = [tuple(history[-settings.history :].tolist()) for history in queries.history]
        self.writer.write(histories)
        return [
            PromptContext(history, similar=(), candidates=tuple(row), popularity=(), neighbour_votes=())
            for history, row in zip(histories, candidates.tolist(), strict=True)
        ]


@dataclass
class MllmMsr(MllmScorer):
    """Scores by a prompt for each candidate. Calls and tokens of the preferences count, whenever they were written.

    batch_tokens: 1 asks prompt after prompt; more asks as many at once.
    """

    writer: Writer = field(kw_only=True)

    def score_contexts(self, contexts: Sequence[PromptContext], tree: PrefixTree | None = None) -> list[FloatArray]:
        """tree: no use is made of it, for every prompt is asked whole."""
        packs = [self.prompts.render(context) for context in contexts]
        single_prompts = [single for pack in packs for single in pack.unpacked()]
        written = [self.writer.preferences[context.history] for context in contexts]
        self.queries += len(packs)
        self.calls += len(single_prompts) + sum(preference.calls for preference in written)
        self.tokens += sum(map(len, single_prompts)) + sum(preference.tokens for preference in written)
        scores = score_packs(self.prompts, single_prompts, self.batch_tokens, self.progress)
        ends = np.cumsum([len(pack.candidates) for pack in packs])
        return np.split(np.concatenate(scores), ends[:-1]) if scores else []
