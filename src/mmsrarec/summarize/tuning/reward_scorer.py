"""The reward scorer: the rewards of a recipe with their weights, and the figures of a policy on held-out items."""

from collections.abc import Collection, Sequence
from typing import Any, Protocol, TypedDict

from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.summarize.prompts import item_text
from mmsrarec.summarize.settings import TuneSettings
from mmsrarec.summarize.tuning.frozen_models import FrozenImageModel, FrozenLanguageModel
from mmsrarec.summarize.tuning.image_reward import ImageInformation
from mmsrarec.summarize.tuning.reward_parts import (
    Embed,
    Reward,
    Rewards,
    SharedWords,
    answer_profile,
    new_to,
    total,
    usable,
)
from mmsrarec.summarize.tuning.rewards import Information, Length, Reconstruction
from mmsrarec.summarize.tuning.tuning_tasks import PolicySummarizer, SummaryTask, columns


class Scored(Reward, Protocol):
    """A reward whose computed values can be dropped."""

    def forget(self) -> None:
        """Drop the values computed so far."""
        ...


class TradeOffPoint(TypedDict):
    """The mean cost and value of keyword lists cut after some keywords.

    Attributes:
        keywords: Keywords after which lists are cut.
        tokens: Their mean tokens.
        information: Their mean information reward.
        cosine: Their mean published information.
    """

    keywords: int
    tokens: float
    information: float
    cosine: float


class RewardScorer:
    """All rewards of a recipe with their weights.

    Attributes:
        policy_summarizer: The policy whose answers are scored.
        tune: The settings of tuning.
        rewards: The rewards with a weight above 0, and their weights.
        weights: The weights by the names of the rewards.
        cosine: The published information reward.
    """

    def __init__(
        self,
        policy_summarizer: PolicySummarizer,
        tune: TuneSettings,
        embed: Embed,
        pool: Sequence[int],
        seed: int,
        other: Mllm | None = None,
    ):
        """Build the rewards.

        Args:
            policy_summarizer: The policy whose answers are scored.
            tune: The settings of tuning.
            embed: The sentence embedding phi.
            pool: Item codes of the pictures that serve as others in the image reward.
            seed: Seed of the choice of other pictures.
            other: The language model P; the policy without its adapter unless given.
        """
        self.policy_summarizer, self.tune = policy_summarizer, tune
        limits, lexicon = policy_summarizer.limits, policy_summarizer.lexicon
        form, conditioning = tune.form, tune.conditioning
        shared = SharedWords.among(map(item_text, policy_summarizer.dataset.items), tune.shared_by, lexicon)
        information = Information(
            embed, limits, form, conditioning, shared, lexicon, share=policy_summarizer.settings.categories
        )
        image = ImageInformation(
            FrozenImageModel(policy_summarizer),
            pool,
            limits,
            conditioning if form == "bounded" else "nothing",
            seed=seed,
            lexicon=lexicon,
        )
        all_rewards: list[tuple[Scored, float]] = [
            (information, tune.information),
            (
                Reconstruction(
                    FrozenLanguageModel(other or policy_summarizer.mllm, policy_summarizer.settings.text_budget),
                    limits,
                    form,
                    conditioning,
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

    def score(self, summary_tasks: Sequence[SummaryTask], answers: Sequence[str]) -> dict[str, Rewards]:
        """Score n answers by all rewards.

        Args:
            summary_tasks: n tasks.
            answers: n answers.

        Returns:
            n values of each reward, by its name, and the weighted sums as "total".
        """
        rewards = self._compute(summary_tasks, answers, [reward for reward, _ in self.rewards])
        return {**rewards, "total": [*total(rewards, self.weights)]}

    def forget(self) -> None:
        """Drop all values computed so far: their rounding depends on their batches, which a restart does not repeat."""
        for reward, _ in self.rewards:
            reward.forget()

    def _compute(
        self, summary_tasks: Sequence[SummaryTask], answers: Sequence[str], rewards: Sequence[Reward]
    ) -> dict[str, Rewards]:
        """The values of some rewards, by their names."""
        ids = [self.policy_summarizer.mllm.encode(answer) for answer in answers]
        arguments = {"completions": list(answers), "completion_ids": ids, **columns(summary_tasks)}
        return {reward.__name__: reward(**arguments) for reward in rewards}

    def rewards_of(
        self, summary_tasks: Sequence[SummaryTask], answers: Sequence[str], names: Collection[str] | None = None
    ) -> list[float]:
        """The weighted sums of rewards.

        Args:
            summary_tasks: n tasks.
            answers: n answers.
            names: The rewards that count; None: all.

        Returns:
            n sums.
        """
        rewards = [reward for reward, _ in self.rewards if names is None or reward.__name__ in names]
        return total(self._compute(summary_tasks, answers, rewards), self.weights)

    def table(
        self, summary_tasks: Sequence[SummaryTask], answers: Sequence[str], final: Sequence[Sequence[str]]
    ) -> list[dict[str, Any]]:
        """Describe n answers.

        Args:
            summary_tasks: n tasks.
            answers: n answers.
            final: The keywords of each task that later stages get, after fallback and pruning.

        Returns:
            A row a task: code, modality, answer, its usable keywords, the final keywords as read, the tokens of both,
            malformed and copied as in `answer_profile`, and a value of each reward. Further, cosine is the published
            information reward, information_read and cosine_read are those of the final keywords, and unsaid is the
            information that the text adds to the title.
        """
        values = self.score(summary_tasks, answers)
        information = next((reward for reward, _ in self.rewards if isinstance(reward, Information)), self.cosine)
        arguments = {"completions": [", ".join(keywords) for keywords in final], **columns(summary_tasks)}
        values["unsaid"] = self.cosine.unsaid(**columns(summary_tasks))
        values["cosine"] = self.cosine(completions=list(answers), **columns(summary_tasks))
        values["information_read"], values["cosine_read"] = information(**arguments), self.cosine(**arguments)
        rows: list[dict[str, Any]] = []
        for place, (summary_task, answer, keywords) in enumerate(zip(summary_tasks, answers, final, strict=True)):
            limit, lexicon = self.policy_summarizer.limits[summary_task.modality], self.policy_summarizer.lexicon
            usable_keywords = usable(answer, summary_task.modality, summary_task.text, limit, lexicon)
            rows.append(
                {
                    "code": summary_task.code,
                    "modality": summary_task.modality,
                    "answer": answer,
                    "keywords": list(usable_keywords),
                    "read": list(keywords),
                    "tokens": self.tokens(usable_keywords),
                    "tokens_read": self.tokens(keywords),
                    "malformed": float(not usable_keywords),
                    "copied": 1 - len(new_to(summary_task.title, keywords, lexicon)) / len(keywords)
                    if keywords
                    else 0.0,
                    **{name: column[place] for name, column in values.items()},
                }
            )
        return rows

    def tokens(self, keywords: Sequence[str]) -> int:
        """The tokens of a list of keywords in a later prompt."""
        return len(self.policy_summarizer.mllm.encode(", ".join(keywords)))

    def trade_off(self, summary_tasks: Sequence[SummaryTask], final: Sequence[Sequence[str]]) -> list[TradeOffPoint]:
        """Weigh information against tokens: the curve that a prompt with little room moves along.

        Args:
            summary_tasks: n tasks.
            final: The keywords of each task.

        Returns:
            A point for lists cut after 1, 2, 3, ... keywords.
        """
        information: list[Reward] = [
            reward for reward, _ in self.rewards if isinstance(reward, Information | ImageInformation)
        ]
        points: list[TradeOffPoint] = []
        for count in range(1, max(map(len, final), default=0) + 1):
            cut = [tuple(keywords[:count]) for keywords in final]
            arguments = {"completions": [", ".join(keywords) for keywords in cut], **columns(summary_tasks)}
            points.append(
                {
                    "keywords": count,
                    "tokens": sum(map(self.tokens, cut)) / len(cut),
                    # one of the information rewards, at most, applies to a row
                    "information": sum(v or 0.0 for reward in information for v in reward(**arguments)) / len(cut),
                    "cosine": sum(v or 0.0 for v in self.cosine(**arguments)) / len(cut),
                }
            )
        return points

    def profile(self, summary_tasks: Sequence[SummaryTask], answers: Sequence[str]) -> dict[str, float]:
        """Describe n answers in figures; see `answer_profile`."""
        rows = columns(summary_tasks)
        policy = self.policy_summarizer
        return answer_profile(answers, rows["modality"], rows["title"], rows["text"], policy.limits, policy.lexicon)
