"""Stage 1 of a run in figures and single items, as summaries.html shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Points: TypeAlias = Sequence[tuple[float, float]]
PolicyMetrics: TypeAlias = Mapping[str, Mapping[str, Mapping[str, float]]]
POLICIES = UNTUNED, TUNED = ("untuned", "tuned")
MEASURES = {"total": "total reward", "length": "length term", "image": "picture", "malformed": "malformed answers"}
"""What rewards and measures are called on the page, where that differs from their names."""


@dataclass(frozen=True)
class SummaryFacts:
    """Stage 1 in figures; what was not measured is empty. A policy is "untuned" or "tuned".

    Attributes:
        data: Name of the run.
        statistics: Policy -> name -> value over the catalogue.
        heldout: Modality -> policy -> metric -> value, low, high (95 %).
        tradeoff: Policy -> mean (tokens, information) of lists cut after 1, 2, 3 ... keywords.
        points: Policy -> (tokens, information) of single held-out items.
        curve: An entry for each logged step, with any of phase, step, loss, reward, rewards (name -> mean, std),
            keywords, copied, malformed.
        words: Category -> its most frequent keywords with their counts.
        richness: Policy -> mean keywords of held-out texts whose title leaves little, some, much unsaid.
    """

    data: str
    statistics: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    heldout: Mapping[str, PolicyMetrics] = field(default_factory=dict[str, PolicyMetrics])
    tradeoff: Mapping[str, Points] = field(default_factory=dict[str, Points])
    points: Mapping[str, Points] = field(default_factory=dict[str, Points])
    curve: Sequence[Mapping[str, Any]] = ()
    words: Mapping[str, Sequence[tuple[str, int]]] = field(default_factory=dict[str, Sequence[tuple[str, int]]])
    richness: Mapping[str, Sequence[float]] = field(default_factory=dict[str, Sequence[float]])


@dataclass(frozen=True)
class ShownSummary:
    """A held-out item under both policies.

    Attributes:
        picture: JPEG bytes (see `user_examples.thumbnail`).
        modality: "text" or "picture", what was asked about.
        before: Keywords of the untuned policy.
        after: Keywords of the tuned policy.
        rewards_before: Name -> value, "total" among them; None where a reward does not apply.
        rewards_after: The same of the tuned policy.
    """

    item_id: str
    title: str
    text: str
    category: str
    picture: bytes | None
    modality: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    rewards_before: Mapping[str, float | None]
    rewards_after: Mapping[str, float | None]

    @property
    def rewards(self) -> dict[str, Mapping[str, float | None]]:
        """Policy -> its rewards, where it has any."""
        return {policy: r for policy, r in ((UNTUNED, self.rewards_before), (TUNED, self.rewards_after)) if r}
