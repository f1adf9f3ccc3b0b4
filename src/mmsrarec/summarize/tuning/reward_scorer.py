"""The rewards of a recipe, put together, and what they say of a policy on held-out items."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.adapter import without_adapter
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.packing.answer_likelihood import packed_log_probs, token_log_probs
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan
from mmsrarec.summarize.prompts import item_text
from mmsrarec.summarize.settings import TuneSettings
from mmsrarec.summarize.tuning.rewards import (
    Embed,
    ImageInformation,
    Information,
    Length,
    Reconstruction,
    Rewards,
    SharedWords,
    new_to,
    shape,
    total,
    usable,
)
from mmsrarec.summarize.tuning.tuning_tasks import PolicySummarizer, SummaryTask, columns

SCORED_TOKENS = 8192


@dataclass
class FrozenLanguageModel:
    """P: a model without its adapter, asked how likely something is."""

    mllm: Mllm
    budget: int

    def __call__(self, prefixes: Sequence[str], texts: Sequence[str]) -> list[Tensor]:
        """Log-probabilities of the tokens of each text, of which the first `budget` count, after its prefix."""
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
    """P given a picture."""

    policy_summarizer: PolicySummarizer

    def __call__(self, codes: Sequence[int], answers: Sequence[str]) -> list[Tensor]:
        """Each picture's prompt is computed once for all its answers."""
        mllm = self.policy_summarizer.mllm
        asked: dict[int, dict[str, TokenSpan]] = {}
        for code, answer in zip(codes, answers, strict=True):
            asked.setdefault(code, {})[answer] = TokenSpan(mllm.encode(answer))
        packs = [
            PackedPrompt(TokenSpan(self.policy_summarizer.about_picture(code)), list(said.values()))
            for code, said in asked.items()
        ]
        with without_adapter(mllm), self.policy_summarizer.words.spoken():
            found = packed_log_probs(mllm, packs, SCORED_TOKENS)
        known = {
            code: dict(zip(said, values, strict=True))
            for (code, said), values in zip(asked.items(), found, strict=True)
        }
        return [known[code][answer] for code, answer in zip(codes, answers, strict=True)]


def load_language_model(name: str, like: Mllm) -> Mllm:
    """A causal language model by name or folder, to serve as P, on the device of another."""
    try:
        model = AutoModelForCausalLM.from_pretrained(name, dtype=like.dtype)
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise MmsrarecError(f'cannot load the language model "{name}": {reason}; name a folder or "embedded"') from None
    return Mllm(model.to(like.device), tokenizer, None, name)  # pyright: ignore


class RewardScorer:
    """All rewards of a recipe with their weights."""

    def __init__(
        self,
        policy_summarizer: PolicySummarizer,
        tune: TuneSettings,
        embed: Embed,
        pool: Sequence[int],
        seed: int,
        other: Mllm | None = None,
    ):
        """pool: item codes of the pictures that others are told from. other: P, where it is another model."""
        self.policy_summarizer, self.tune = policy_summarizer, tune
        limits, form, given, lexicon = policy_summarizer.limits, tune.form, tune.conditioning, policy_summarizer.lexicon
        shared = SharedWords.among(map(item_text, policy_summarizer.dataset.items), tune.shared_by, lexicon)
        information = Information(
            embed, limits, form, given, shared, lexicon, share=policy_summarizer.settings.categories
        )
        image = ImageInformation(
            FrozenImageModel(policy_summarizer),
            pool,
            limits,
            given if form == "bounded" else "nothing",
            seed=seed,
            lexicon=lexicon,
        )
        all_rewards: list[tuple[Callable[..., Rewards], float]] = [
            (information, tune.information),
            (
                Reconstruction(
                    FrozenLanguageModel(other or policy_summarizer.mllm, policy_summarizer.settings.text_budget),
                    limits,
                    form,
                    given,
                    shared,
                    lexicon,
                ),
                tune.reconstruction,
            ),
            (image, tune.image),
            (Length(limits, max(policy_summarizer.tokens.values()), form, lexicon), tune.length),
        ]
        self.rewards = [(reward, weight) for reward, weight in all_rewards if weight > 0]
        self.weights = {reward.__name__: weight for reward, weight in self.rewards}
        self.cosine = Information(embed, limits, "published", lexicon=lexicon)

    def score(self, summary_tasks: Sequence[SummaryTask], said: Sequence[str]) -> dict[str, list]:
        """Reward name -> a value an answer; "total" among them."""
        found = self._ask(summary_tasks, said, [reward for reward, _ in self.rewards])
        return {**found, "total": total(found, self.weights)}

    def forget(self) -> None:
        """Compute everything anew from here on: what is remembered was rounded as its batch was, which a restart does
        not repeat."""
        for reward, _ in self.rewards:
            getattr(reward, "_known", {}).clear()

    def _ask(self, summary_tasks: Sequence[SummaryTask], said: Sequence[str], rewards: Sequence) -> dict[str, Rewards]:
        ids = [self.policy_summarizer.mllm.encode(answer) for answer in said]
        asked = {"completions": list(said), "completion_ids": ids, **columns(summary_tasks)}
        return {reward.__name__: reward(**asked) for reward in rewards}

    def rewards_of(
        self, summary_tasks: Sequence[SummaryTask], said: Sequence[str], names: Sequence[str]
    ) -> list[float]:
        """The weighted sum of the named rewards only."""
        found = self._ask(summary_tasks, said, [reward for reward, _ in self.rewards if reward.__name__ in names])
        return total(found, self.weights)

    def table(
        self, summary_tasks: Sequence[SummaryTask], said: Sequence[str], read: Sequence[Sequence[str]]
    ) -> list[dict]:
        """A row a subject: its answer, what is kept of it, its rewards, and what later stages read.

        read: the keywords of each subject after the fallback. cosine: R_info as published. *_read: the same of `read`.
        unsaid: how much of the text the title leaves unsaid.
        """
        found = self.score(summary_tasks, said)
        given = next((reward for reward, _ in self.rewards if isinstance(reward, Information)), self.cosine)
        joined = {"completions": [", ".join(keywords) for keywords in read], **columns(summary_tasks)}
        found["unsaid"] = self.cosine.unsaid(**columns(summary_tasks))
        found["cosine"] = self.cosine(completions=list(said), **columns(summary_tasks))
        found["information_read"], found["cosine_read"] = given(**joined), self.cosine(**joined)
        rows = []
        for place, (summary_task, answer, seen) in enumerate(zip(summary_tasks, said, read, strict=True)):
            limit, lexicon = self.policy_summarizer.limits[summary_task.modality], self.policy_summarizer.lexicon
            kept = usable(answer, summary_task.modality, summary_task.text, limit, lexicon)
            rows.append(
                {
                    "code": summary_task.code,
                    "modality": summary_task.modality,
                    "answer": answer,
                    "keywords": list(kept),
                    "read": list(seen),
                    "tokens": self.tokens(kept),
                    "tokens_read": self.tokens(seen),
                    "malformed": float(not kept),
                    "copied": 1 - len(new_to(summary_task.title, seen, lexicon)) / len(seen) if seen else 0.0,
                    **{name: values[place] for name, values in found.items()},
                }
            )
        return rows

    def tokens(self, keywords: Sequence[str]) -> int:
        """What a list of keywords costs a reader."""
        return len(self.policy_summarizer.mllm.encode(", ".join(keywords)))

    def trade_off(self, summary_tasks: Sequence[SummaryTask], read: Sequence[Sequence[str]]) -> list[dict[str, float]]:
        """Mean tokens and information of lists cut after 1, 2, 3, ... keywords: what a reader with little room gets."""
        informing = [r for r, _ in self.rewards if isinstance(r, Information | ImageInformation)]
        points = []
        for count in range(1, max(map(len, read), default=0) + 1):
            cut = [tuple(keywords[:count]) for keywords in read]
            asked = {"completions": [", ".join(keywords) for keywords in cut], **columns(summary_tasks)}
            told = {"information": informing, "cosine": [self.cosine]}  # of a list, one at most applies to a row
            means = {name: sum(v or 0.0 for r in ask for v in r(**asked)) / len(cut) for name, ask in told.items()}
            tokens = sum(map(self.tokens, cut)) / len(cut)
            points.append({"keywords": count, "tokens": tokens, **means})
        return points


def look(judge: RewardScorer, summary_tasks: Sequence[SummaryTask], said: Sequence[str]) -> Mapping[str, float]:
    """What answers look like; see `rewards.shape`."""
    told = columns(summary_tasks)
    return shape(
        said,
        told["modality"],
        told["title"],
        told["text"],
        judge.policy_summarizer.limits,
        judge.policy_summarizer.lexicon,
    )
