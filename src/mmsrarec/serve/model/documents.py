"""Reranks documents for a user, a history or a text, as clients of hosted rerankers ask for it.

Documents that are items are ranked by the run, where somebody is known. All others, and all documents where the query
is a text, are ranked by words: the share of the query's words, weighed by how often the history or the text holds
them, that a document says. Items that the user is not interested in come last.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from mmsrarec.recommend.prompt.preferences import NO_PREFERENCES
from mmsrarec.serve.model.narrowing import refused_notes
from mmsrarec.serve.model.served_run import NOBODY, Query, ServedRun
from mmsrarec.serve.schema.limits import MAX_HISTORY, MAX_ID_LENGTH
from mmsrarec.serve.schema.reranking import Document, RerankAnswered, RerankAsked, RerankMeta, RerankResult, Usage
from mmsrarec.serve.state.user_events import UserState

MODEL = "mmsrarec"
SEPARATORS = (re.compile(r"[,\n\r]"), re.compile(r"[\n\r]"), re.compile(r"\s"), re.compile(r"[,\s]"))
WORDS_OF_TEXT = 200
"""Words of a query or a document that are looked at."""


def user_of(body: RerankAsked) -> str | None:
    """The user that a query may name."""
    text = body.query.strip() if isinstance(body.query, str) else ""
    return text if 0 < len(text) <= MAX_ID_LENGTH and text.isprintable() else None


def rerank(
    served: ServedRun, body: RerankAsked, user: str | None, state: UserState = NOBODY, newest_first: bool = False
) -> RerankAnswered:
    """The documents, the most relevant first.

    Args:
        served: The run that answers.
        body: What was sent.
        user: The user that the query names; None where it names none that is known.
        state: What the state knows of the user.
        newest_first: Whether the item ids of the query stand newest first.
    """
    history = [] if user is not None else _history(served, body.query, newest_first)
    query = served.query(user, state, history)
    resolved = [_resolved(served, document) for document in body.documents]
    codes, texts = [code for code, _ in resolved], [text for _, text in resolved]
    words = _history_words(served, query)
    text_words = Counter[str]()
    if user is None and isinstance(body.query, str) and not history:
        text_words = _text_words(served, body.query)
    shares = [_share(served, text_words, text) for text in texts]
    by_text = any(shares)  # a text that no document says is rather an id that nobody knows
    items = [place for place, code in enumerate(codes) if code is not None and not by_text]
    by_words = set(range(len(codes))) - set(items)
    scores = np.array(shares) if by_text else np.array([_share(served, words, text) for text in texts])
    if items:
        scores[items] = _item_scores(served, query, [code for code in codes if code is not None])
    refused = set(state.refused)
    spared = {place: item_id for place, item_id in _ids(served, codes).items() if item_id in refused}
    scores[list(spared)] = 0.0
    origin = "fallback" if query.origin == "cold" and user is None and not by_text and body.query else query.origin
    order: list[int] = np.argsort(-scores, kind="stable").tolist()
    order = [place for place in order if place not in spared] + list(spared)
    results = [
        RerankResult(
            index=place,
            relevance_score=float(scores[place]),
            by="not_interested" if place in spared else "words" if place in by_words else "run",
            document={"text": texts[place]} if body.return_documents else None,
        )
        for place in order[: body.top_n or len(order)]
    ]
    meta = RerankMeta(
        origin=origin,
        run=served.name,
        by_words=sorted(by_words),
        left_out=list(query.left_out),
        notes=refused_notes(list(spared.values()), refused),
    )
    return RerankAnswered(model=body.model or MODEL, results=results, usage=Usage(total_tokens=0), meta=meta)


def _history(served: ServedRun, query: str | list[str], newest_first: bool) -> list[str]:
    """The newest item ids that a query lists, oldest first."""
    ids = _listed_ids(served, query)
    return (ids[::-1] if newest_first else ids)[-MAX_HISTORY:]


def _listed_ids(served: ServedRun, query: str | list[str]) -> list[str]:
    """The item ids that a query lists; a text lists some where at least one of its parts is an item.

    Of the ways to part a text, that one counts which gives the most items: an id may hold a blank or a comma.
    """
    if not isinstance(query, str):
        return query
    known = served.known
    if query.strip() in known:
        return [query.strip()]
    ways = (_json_ids(query), *(separator.split(query) for separator in SEPARATORS))
    listed = [[part.strip() for part in parts if part.strip()] for parts in ways]
    best = max(listed, key=lambda ids: sum(item_id in known for item_id in ids))
    return best if any(item_id in known for item_id in best) else []


def _json_ids(text: str) -> list[str]:
    """The texts and whole numbers of a JSON array; nothing where it is none."""
    try:
        values: Any = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if not isinstance(values, list):
        return []
    parts = cast(list[object], values)
    return [str(value) for value in parts if isinstance(value, str | int) and not isinstance(value, bool)]


def _resolved(served: ServedRun, document: str | Document) -> tuple[int | None, str]:
    """The code of the item that a document is, and its text."""
    name = document.strip() if isinstance(document, str) else document.id
    text = document if isinstance(document, str) else document.text
    code = served.known.get(name) if name is not None else None
    if code is None:
        return None, text or name or ""
    item = served.recommender.dataset.items[code]
    return code, text if text and text.strip() != name else f"{item.title} {item.text}".strip()


def _ids(served: ServedRun, codes: Sequence[int | None]) -> dict[int, str]:
    """The ids of the documents that are items, by place."""
    items = served.recommender.dataset.items
    return {place: items[code].item_id for place, code in enumerate(codes) if code is not None}


def _item_scores(served: ServedRun, query: Query, codes: list[int]) -> np.ndarray:
    """(c,) relevance of items in [0, 1]: the logistic function of their log-odds."""
    scores = served.recommender.scored(query.queries, np.array(codes, dtype=np.int64), NO_PREFERENCES)
    return np.array([_logistic(float(score)) for score in scores])


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _text_words(served: ServedRun, text: str) -> Counter[str]:
    """The words of a text, without filler words."""
    lexicon = served.recommender.run_folder.keywords.lexicon
    words = lexicon.words(text[: 20 * WORDS_OF_TEXT])[:WORDS_OF_TEXT]
    return Counter(lexicon.same(word) for word in words if not lexicon.is_filler(word))


def _history_words(served: ServedRun, query: Query) -> Counter[str]:
    """How often the items of a history hold each word."""
    recommender = served.recommender
    codes: Iterable[int] = query.queries.history[0].tolist()
    return Counter(
        word for code in codes for keyword in recommender.run_folder.keywords.united(code)
        for word in _text_words(served, keyword)
    )  # fmt: skip


def _share(served: ServedRun, words: Mapping[str, int], text: str) -> float:
    """The weighted share of words that a text says, in [0, 1]."""
    if not words:
        return 0.0
    text_words = _text_words(served, text)
    return sum(count for word, count in words.items() if word in text_words) / sum(words.values())
