"""The catalogue of a loaded run as callers see it: single items, searches, and what is near to what."""

from collections.abc import Sequence

import numpy as np

from mmsrarec.errors import UnknownIdError
from mmsrarec.serve.model.served_run import ServedRun
from mmsrarec.serve.schema.changing import ItemAnswered, ItemsAnswered
from mmsrarec.serve.schema.recommending import SimilarAnswered, SimilarItem

BY_KEYWORDS = "keywords"


class CatalogueView:
    """Looks at a catalogue.

    Attributes:
        served: Whose catalogue it is.
    """

    def __init__(self, served: ServedRun) -> None:
        self.served = served
        self.dataset = served.recommender.dataset

    def code(self, item_id: str) -> int:
        """The code of an item. Raises UnknownIdError where there is none."""
        code = self.served.known.get(item_id)
        if code is None:
            raise UnknownIdError(f"there is no item {item_id}")
        return code

    def item(self, item_id: str) -> ItemAnswered:
        """An item. Raises UnknownIdError."""
        return self._answered(self.code(item_id))

    def search(self, words: str = "", category: str | None = None, offset: int = 0, limit: int = 20) -> ItemsAnswered:
        """Items whose title, keywords or categories hold all of some words, most often chosen first.

        Args:
            words: Parted by blanks; case does not matter. Nothing: all items.
            category: Of one category only.
            offset: How many are passed over.
            limit: How many come.
        """
        matching = np.zeros(len(self.dataset.items), dtype=bool)
        matching[list(self.served.known.values())] = True
        if category is not None:
            matching &= self.served.narrowing.in_categories([category])
        order = self.served.most_chosen_first
        codes: list[int] = order[matching[order]].tolist()
        if wanted := words.casefold().split():
            texts = self.served.search_texts
            codes = [code for code in codes if all(word in texts[code] for word in wanted)]
        return ItemsAnswered(items=[self._answered(code) for code in codes[offset : offset + limit]], total=len(codes))

    def similar(self, ids: Sequence[str], k: int) -> SimilarAnswered:
        """The nearest items of each item, by learned vectors, or by keywords where training knew nothing of it."""
        items: list[SimilarItem] = []
        unknown: list[str] = []
        for item_id in dict.fromkeys(ids):
            if item_id not in self.served.known:
                unknown.append(item_id)
                continue
            near, by = self.near(item_id, k)
            if not near:
                unknown.append(item_id)
            items += [
                SimilarItem(
                    item_id=item_id,
                    similar_item_id=self.dataset.items[code].item_id,
                    title=self.dataset.items[code].title,
                    rank=rank,
                    score=score,
                    by=by,
                )
                for rank, (code, score) in enumerate(near, start=1)
            ]
        return SimilarAnswered(items=items, unknown=unknown)

    def near(self, item_id: str, k: int) -> tuple[list[tuple[int, float]], str]:
        """The (code, score) of the k nearest items, and by what they are near."""
        recommender = self.served.recommender
        try:
            table = recommender.similar_items([item_id], k)
            pairs = zip(table["similar_item_id"].to_list(), table["score"].to_list(), strict=True)
            return [(self.dataset.item_code[other], score) for other, score in pairs], recommender.similar_by
        except UnknownIdError:
            return self._by_keywords(self.served.known[item_id], k), BY_KEYWORDS

    def _by_keywords(self, code: int, k: int) -> list[tuple[int, float]]:
        """By the share of keywords that two items have in common (Jaccard)."""
        word_sets, available = self.served.keyword_sets, self.served.recommender.available
        own = word_sets[code]
        scores = np.array([len(own & words) / max(len(own | words), 1) for words in word_sets])
        scores[~available] = 0.0
        scores[code] = 0.0
        order = np.argsort(-scores, kind="stable")[:k]
        return [(int(other), float(scores[other])) for other in order if scores[other] > 0]

    def _answered(self, code: int) -> ItemAnswered:
        item, recommender = self.dataset.items[code], self.served.recommender
        row = self.served.rows.get(item.item_id)
        path = self.dataset.image_path(code)
        has_picture = row.has_picture if row is not None and row.described else path is not None
        return ItemAnswered(
            item_id=item.item_id,
            title=item.title,
            text=item.text,
            categories=list(item.categories),
            keywords=list(recommender.run_folder.keywords.united(code)),
            in_stock=row.in_stock if row is not None else True,
            has_picture=has_picture,
            recommendable=bool(recommender.available[code]),
            notes=list(row.summary.notes) if row is not None else [],
        )
