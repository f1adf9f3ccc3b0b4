"""What a recommender answers: recommendations with reasons, explanations, and both as tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from mmsrarec.recommend.explain import Reason
from mmsrarec.recommend.reason_sentences import ShownReason

TABLE = {
    "user_id": pl.String,
    "item_id": pl.String,
    "rank": pl.Int64,
    "score": pl.Float64,
    "because": pl.List(pl.String),
}
"""Columns of recommendations for many users."""


@dataclass(frozen=True)
class Recommendation:
    """One recommended item.

    Attributes:
        item_id: Of the item.
        title: Of the item.
        score: The log-odds by which it is ranked, any real number. It depends on who asks and on the item alone, so it
            compares items of one answer. It is log p(yes) - log p(no) of the language model, or where the run's
            ranking is a fusion of several, their conditional logit (McFadden 1974).
        probability: Of a fused ranking, the chance that this is what they choose next, given that it is one of the
            items considered: the softmax of the scores over these, whose weights are fitted on validation users. None
            where the ranking is not fused, somebody has no history, or words were asked for.
        keywords: Of the item.
        because: The heaviest reasons as sentences.
        reasons: All that was measured, the heaviest first.
    """

    item_id: str
    title: str
    score: float
    probability: float | None
    keywords: tuple[str, ...]
    because: tuple[str, ...]
    reasons: tuple[ShownReason, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """All that the language model was shown about one item, by what it carried.

    Attributes:
        item_id: Of the item.
        title: Of the item.
        score: log p(yes) - log p(no), the language model's part alone; reasons are differences from it.
        probability: p(yes) / (p(yes) + p(no)), the same as a share.
        reasons: The heaviest first.
    """

    item_id: str
    title: str
    score: float
    probability: float
    reasons: list[Reason]


class Recommendations(list[Recommendation]):
    """The best items, best first.

    Attributes:
        left_out: Ids of the history that the run does not know, which the answer does without.
        notes: What else should be known of the answer, a sentence each.
    """

    def __init__(
        self, items: Sequence[Recommendation] = (), left_out: Sequence[str] = (), notes: Sequence[str] = ()
    ) -> None:
        super().__init__(items)
        self.left_out, self.notes = tuple(left_out), tuple(notes)

    def to_frame(self, user_id: str | None = None) -> pl.DataFrame:
        """The answer as a table: user_id, item_id, rank (from 1), score, because."""
        return table([(user_id, self)])


def table(answers: Iterable[tuple[str | None, Sequence[Recommendation]]]) -> pl.DataFrame:
    """Answers of several users as one table, a row an item, in the order of the users."""
    rows = [(user_id, rank, item) for user_id, answer in answers for rank, item in enumerate(answer, start=1)]
    items = [item for _, _, item in rows]
    columns = {
        "user_id": [user_id for user_id, _, _ in rows],
        "item_id": [item.item_id for item in items],
        "rank": [rank for _, rank, _ in rows],
        "score": [item.score for item in items],
        "because": text_lists([item.because for item in items]),
    }
    return pl.DataFrame(columns, schema=TABLE)


def text_lists(lists: Sequence[Sequence[str]]) -> pl.Series:
    """Lists of texts as a column, in a few calls of Polars whatever their number."""
    sizes = [len(texts) for texts in lists]
    texts = pl.DataFrame({"text": [text for texts in lists for text in texts]}, schema={"text": pl.String})
    places = pl.Series("place", np.repeat(np.arange(len(lists)), sizes))
    filled = texts.group_by(places, maintain_order=True).agg(pl.col("text"))
    every = pl.DataFrame({"place": np.arange(len(lists))})
    return every.join(filled, on="place", how="left", maintain_order="left")["text"].fill_null(pl.Series([[]]))
