"""The row "mllm-msr": a pipeline after MLLM-MSR (arXiv 2408.09698) on the backbone of MMSRARec.

A model writes what a user prefers (`writer`). A model tuned on yes or no reads this text and one candidate with its
text and picture, in a separate prompt for each. It knows the history only: no similar users and no counts.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

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
from mmsrarec.recommend.settings import PromptFields, RecommendSettings, SoftTokens, Tasks
from mmsrarec.study.mllm_msr.writer import Writer
from mmsrarec.summarize.keywords import Keywords

MSR_PROMPT_FIELDS = PromptFields(
    **(dict.fromkeys(PromptFields.model_fields, False) | dict.fromkeys(("titles", "descriptions", "pictures"), True))
)
"""What its prompts show of a candidate."""
RANKING_QUESTION = "\nWill they take it next? Answer yes or no."


def msr_settings(settings: RecommendSettings) -> RecommendSettings:
    """The settings of stage 3 for this row: its prompt fields, the published loss, and no other tasks.

    Args:
        settings: The recipe's settings of stage 3.

    Returns:
        The same settings but for these.
    """
    tasks = Tasks(foresee=0, recognise=0, profile=0)
    return settings.model_copy(
        update={
            "prompt_fields": MSR_PROMPT_FIELDS,
            "score": "answer",
            "loss": "yesno",
            "tasks": tasks,
            "preference_rate": 0.0,
            "soft": SoftTokens(),
        }
    )


class MsrPrompts(Prompts):
    """Prompts whose shared part is a written preference.

    Tuning packs the candidates, which gives the same weights and scores as separate prompts at less cost
    (`models.packing`).

    Attributes:
        writer: Writes and stores the preferences.
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
        """The preference behind the history, and the question.

        Args:
            context: The prompt context of the query.
            omitted_words: Ignored: there are no collaborative keywords.

        Returns:
            Token ids up to where the model's turn starts.

        Raises:
            KeyError: The preference has not been written.
        """
        before, after = self.mllm.frame
        question = self.mllm.encode(self.writer.preferences[context.history].text + RANKING_QUESTION)
        return TokenSpan([*before, *question, *after])


@dataclass(frozen=True, eq=False)
class MsrRetrieval(Retrieval):
    """What MLLM-MSR knows of a query: the history, and the preference that is written from it.

    Attributes:
        writer: Writes the preferences.
    """

    writer: Writer = field(kw_only=True)

    @classmethod
    def of(cls, retrieval: Retrieval, writer: Writer) -> "MsrRetrieval":
        """Take the training log of stage 2 and nothing else.

        Args:
            retrieval: Stage 2 of the run.
            writer: Writes the preferences.

        Returns:
            The retrieval of this row.
        """
        return cls(retrieval.train, retrieval.neighbours, retrieval.settings, writer=writer)

    def gather(self, queries: Queries, candidates: IntArray, settings: RecommendSettings) -> list[PromptContext]:
        """Write the missing preferences, and gather contexts that hold the histories only.

        Args:
            queries: m queries.
            candidates: (m, c) item codes.
            settings: Settings of stage 3.

        Returns:
            m prompt contexts.
        """
        histories = [tuple(history[-settings.history :].tolist()) for history in queries.history]
        self.writer.write(histories)
        return [
            PromptContext(history, similar=(), candidates=tuple(row), popularity=(), neighbour_votes=())
            for history, row in zip(histories, candidates.tolist(), strict=True)
        ]


@dataclass
class MllmMsr(MllmScorer):
    """A ranker that reads a separate prompt for each candidate.

    The calls and tokens of a preference count for each of its queries, whenever it was written. `batch_tokens` of 1
    reads one prompt after the other.

    Attributes:
        writer: Writes and stores the preferences.
    """

    writer: Writer = field(kw_only=True)

    def score_contexts(self, contexts: Sequence[PromptContext], tree: PrefixTree | None = None) -> list[FloatArray]:
        """Score the candidates of prompt contexts.

        Args:
            contexts: The prompt contexts of queries.
            tree: Ignored: every prompt is computed whole.

        Returns:
            For each context the (candidates,) scores in [0, 1].
        """
        packs = [self.prompts.render(context) for context in contexts]
        single_prompts = [single for pack in packs for single in pack.unpacked()]
        preferences = [self.writer.preferences[context.history] for context in contexts]
        self.queries += len(packs)
        self.calls += len(single_prompts) + sum(preference.calls for preference in preferences)
        self.tokens += sum(map(len, single_prompts)) + sum(preference.tokens for preference in preferences)
        scores = score_packs(self.prompts, single_prompts, self.batch_tokens, self.progress)
        ends = np.cumsum([len(pack.candidates) for pack in packs])
        return np.split(np.concatenate(scores), ends[:-1]) if scores else []
