"""Examples of questions and answers, which the server shows in its description of itself.

None of their values is null: FastAPI leaves those out.
"""

from typing import Any

Example = dict[str, Any]

EVENT: Example = {"user": "42", "item": "318", "kind": "click", "key": "order-17-line-1"}
EVENTS: Example = {"events": [EVENT, {"user": "42", "item": "12", "kind": "not_interested"}]}
EVENTS_KEPT: Example = {"accepted": 1, "duplicates": 0, "unknown_items": []}
ITEM: Example = {"title": "A mug of red clay", "text": "Made by hand.", "categories": ["Kitchen"]}
KNOWN_ITEM: Example = {
    "item_id": "318",
    **ITEM,
    "keywords": ["mug", "clay", "red"],
    "in_stock": True,
    "has_picture": False,
    "recommendable": True,
    "notes": [],
}
KEYWORDS: Example = {"more": ["red", "clay"], "less": ["plastic"]}
USER: Example = {
    "user": "42",
    "in_run": True,
    "history": ["12", "7", "318"],
    "events": [{"item": "318", "kind": "click", "time": 1_795_824_000}],
    "n_events": 1,
    "more": ["red"],
    "less": [],
}
RECEIPT: Example = {
    "receipt": "b145ce89186a472380981bcbffc5db0b",
    "time": 1_795_824_000,
    "events": 1,
    "run": "erased",
    "notes": [],
    "not_reached": ["copies elsewhere are not reached: mmsrarec erase FOLDER --user ID"],
}
OTHER_RUN: Example = {"name": "newer"}
RUN: Example = {"run": "newer", "previous": "mine"}

QUESTION: Example = {"user": "42", "k": 5, "more": ["red"], "less": ["plastic"], "reasons": True}
SESSION: Example = {"history": ["12", "7"], "k": 3}
ANSWER: Example = {
    "origin": "warm",
    "run": "mine",
    "items": [
        {
            "rank": 1,
            "item_id": "318",
            "title": "A mug of red clay",
            "score": 1.73,
            "probability": 0.85,
            "keywords": ["red", "clay", "mug"],
            "because": ["you asked for more red", "people alike took it next"],
            "reasons": [],
            "pinned": False,
        }
    ],
    "left_out": [],
    "notes": [],
    "cached": False,
}
NEAR: Example = {"items": ["12"], "k": 5}
SIMILAR: Example = {
    "item_id": "12",
    "similar_item_id": "318",
    "title": "A mug of red clay",
    "rank": 1,
    "score": 0.7,
    "by": "content-sasrec",
}
RERANK: Example = {
    "model": "mmsrarec",
    "query": "42",
    "documents": ["318", {"id": "12"}],
    "top_n": 2,
    "return_documents": True,
}
RERANKED: Example = {
    "model": "mmsrarec",
    "results": [
        {"index": 1, "relevance_score": 0.62, "by": "run", "document": {"text": "A jug of glass"}},
        {"index": 0, "relevance_score": 0.18, "by": "run", "document": {"text": "A mug of red clay"}},
    ],
    "usage": {"total_tokens": 0},
    "meta": {"origin": "warm", "run": "mine", "by_words": [], "left_out": [], "notes": []},
}
