"""Frozen language models: the paper's P, which scores texts and answers in the rewards."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.adapter import without_adapter
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.loading_lock import LOADING
from mmsrarec.models.packing.answer_likelihood import packed_log_probs, token_log_probs
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan
from mmsrarec.summarize.tuning.tuning_tasks import PolicySummarizer

SCORED_TOKENS = 8192
"""Tokens of a batch of scored texts."""


@dataclass
class FrozenLanguageModel:
    """The paper's P: a model without its adapter, which scores texts.

    Attributes:
        mllm: The model.
        budget: Tokens of a text that are scored, from its start.
    """

    mllm: Mllm
    budget: int

    def __call__(self, prefixes: Sequence[str], texts: Sequence[str]) -> list[Tensor]:
        """The log-probabilities of the first `budget` tokens of each text after its prefix."""
        encode = self.mllm.encode
        with without_adapter(self.mllm):
            return token_log_probs(
                self.mllm,
                [encode(prefix) for prefix in prefixes],
                [encode(text)[: self.budget] for text in texts],
                batch_tokens=SCORED_TOKENS,
            )


@dataclass
class FrozenImageModel:
    """The paper's P with a picture: the policy's model without its adapter.

    Attributes:
        policy_summarizer: The policy.
    """

    policy_summarizer: PolicySummarizer

    def __call__(self, codes: Sequence[int], answers: Sequence[str]) -> list[Tensor]:
        """The log-probabilities of each answer's tokens; each picture's prompt is computed once for all its answers."""
        mllm = self.policy_summarizer.mllm
        spans: dict[int, dict[str, TokenSpan]] = {}
        for code, answer in zip(codes, answers, strict=True):
            spans.setdefault(code, {})[answer] = TokenSpan(mllm.encode(answer))
        packs = [
            PackedPrompt(TokenSpan(self.policy_summarizer.about_picture(code)), list(answer_spans.values()))
            for code, answer_spans in spans.items()
        ]
        with without_adapter(mllm), self.policy_summarizer.words.installed():
            log_probs = packed_log_probs(mllm, packs, SCORED_TOKENS)
        by_answer = {
            code: dict(zip(answer_spans, values, strict=True))
            for (code, answer_spans), values in zip(spans.items(), log_probs, strict=True)
        }
        return [by_answer[code][answer] for code, answer in zip(codes, answers, strict=True)]


def load_language_model(name: str, like: Mllm) -> Mllm:
    """Load a causal language model that serves as P.

    Args:
        name: A name or folder.
        like: The model whose device and dtype it gets.

    Raises:
        MmsrarecError: If there is no such model.
    """
    models, tokenizers = cast(Any, AutoModelForCausalLM), cast(Any, AutoTokenizer)  # their types are partial
    try:
        with LOADING:
            model: nn.Module = models.from_pretrained(name, dtype=like.dtype)
            tokenizer: Any = tokenizers.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise MmsrarecError(f'cannot load the language model "{name}": {reason}; name a folder or "embedded"') from None
    return Mllm(model.to(like.device), tokenizer, None, name)
