"""A stand-in for vLLM or SGLang that scores candidates with tiny models, and has the faults that real servers had."""

from collections.abc import Mapping
from typing import Any

import torch
from chat_server import ChatServer, Reply

from mmsrarec.models.backbone.mllm import Mllm

PATHS = {"vllm": "/generative_scoring", "sglang": "/v1/score"}


class ScoreServer(ChatServer):
    """Scores by the route of `kind`, each candidate in a prompt of its own.

    Attributes:
        loaded: The models by name.
        rounds_what_it_saw: Prompts that were asked before are computed in bfloat16, as with keys and values from a
            cache that another batch filled.
        ignores_candidates: All candidates get the score of the first one.
    """

    def __init__(self, kind: str, loaded: Mapping[str, Mllm], models: Any = (), **faults: bool):
        super().__init__(models=[*loaded, *models] if models is not None else None)
        self.kind, self.loaded = kind, loaded
        self.rounds_what_it_saw = faults.get("rounds_what_it_saw", False)
        self.ignores_candidates = faults.get("ignores_candidates", False)
        self._seen_prompts: set[tuple[int, ...]] = set()

    def reply_to(self, path: str, before: int, body: dict[str, Any]) -> Reply:
        if path != PATHS[self.kind]:
            return Reply(404, {"detail": "Not Found"})
        if body["model"] not in self.loaded:
            return Reply(404, {"error": {"message": f"The model `{body['model']}` does not exist."}})
        if not body["label_token_ids"]:
            return Reply(400, {"error": {"message": "label_token_ids must contain at least one token"}})
        rows = [self.probabilities(body, item) for item in body["items"]]
        if self.ignores_candidates:
            rows = rows[:1] * len(rows)
        if self.kind == "sglang":
            return Reply(body={"object": "scoring", "model": body["model"], "scores": rows})
        scores = [{"index": place, "object": "score", "score": row[0]} for place, row in enumerate(rows)]
        return Reply(body={"object": "list", "model": body["model"], "data": scores[::-1]})

    def probabilities(self, body: dict[str, Any], item: list[int]) -> list[float]:
        ids = [*item, *body["query"]] if body["item_first"] else [*body["query"], *item]
        with torch.inference_mode():
            logits = self.loaded[body["model"]].model(input_ids=torch.tensor([ids])).logits[0, -1].float()
        if self.rounds_what_it_saw and tuple(ids) in self._seen_prompts:
            logits = logits.bfloat16().float()
        self._seen_prompts.add(tuple(ids))
        labels = body["label_token_ids"]
        chosen = logits[labels] if body.get("apply_softmax", self.kind == "vllm") else logits.log_softmax(-1)[labels]
        return [float(value) for value in (chosen.softmax(-1) if body.get("apply_softmax") else chosen.exp())]
