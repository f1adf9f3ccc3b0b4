"""Asks a server for scores of candidates, and looks at the first ones: does the server compute what it was asked?

Three faults of servers leave no other trace. Scores may depend on what was asked before, through the cache of prefixes.
An adapter may be loaded and never applied. All candidates may get one score, where a mask between them is ignored.
"""

import threading
from collections.abc import Sequence

from mmsrarec.core.terminal import remark
from mmsrarec.engines.chat_completions import UnreadableAnswer
from mmsrarec.engines.scoring.score_answers import ROUTES, Route, parent_of, score_request
from mmsrarec.engines.server_address import safe_line
from mmsrarec.engines.server_client import Refused, ServerClient, Unanswered
from mmsrarec.errors import EngineError

LEAST_DIFFERENCE = 1e-6
"""Scores that differ by less count as equal."""
ABSENT = (404, 405, 501)
"""Answers of a server that has no such route."""


class ServerScoring:
    """Scores of candidates by one model of a server.

    Attributes:
        client: Speaks with the server.
        model: The name by which the server knows the model.
    """

    def __init__(self, client: ServerClient, model: str, key: str | None = None):
        """Prepare to ask; nothing is sent yet.

        Args:
            client: Speaks with the server.
            model: The name by which the server knows the model.
            key: What the server knows this user by, which no message may hold; None without one.
        """
        self.client, self.model, self._key = client, model, key
        self._route: Route | None = None
        self._is_checked = False
        self._lock = threading.Lock()

    def score(self, query: Sequence[int], candidates: Sequence[Sequence[int]], labels: Sequence[int]) -> list[float]:
        """Score candidates (see `Engine.score`). The first call asks its candidates again, to check the server.

        Raises:
            EngineError: The server gives no scores, or ignores the adapter that it was asked for.
        """
        if not candidates:
            return []
        scores = self._scores(self.model, query, candidates, labels)
        with self._lock:
            if not self._is_checked:
                self._check(query, candidates, labels, scores)
                self._is_checked = True
        return scores

    def _check(
        self, query: Sequence[int], candidates: Sequence[Sequence[int]], labels: Sequence[int], scores: list[float]
    ) -> None:
        """Ask the same in another order, and the model under the adapter; compare."""
        again = self._scores(self.model, query, candidates[::-1], labels)[::-1]
        noise = _largest_difference(scores, again)
        if noise > LEAST_DIFFERENCE:
            remark(
                f"the scores of the engine at {self.client.address} depend on the order of the questions, by up to "
                f"{noise:.1g}: start vLLM with --no-enable-prefix-caching, or SGLang with --disable-radix-cache"
            )
        if len(labels) > 1 and len({tuple(candidate) for candidate in candidates}) > 1 and len(set(scores)) == 1:
            remark(
                f"the engine at {self.client.address} gives all {len(candidates)} candidates one score: compare it "
                'with the engine "local", and start the server without multi-item scoring'
            )
        base = self._parent()
        if base is not None:
            without = self._scores(base, query, candidates, labels)
            if _largest_difference(scores, without) <= max(noise, LEAST_DIFFERENCE):
                raise EngineError(
                    f'the engine at {self.client.address} does not apply the adapter "{self._shown(self.model)}": its '
                    f'scores are those of "{self._shown(base)}"; merge the adapter into the model, and serve that'
                )

    def _parent(self) -> str | None:
        """The model under the adapter, as the server lists it; None where it lists none."""
        try:
            return parent_of(self.client.get("models").body, self.model)
        except (Refused, Unanswered, UnreadableAnswer):  # some servers have no such list
            return None

    def _scores(
        self, model: str, query: Sequence[int], candidates: Sequence[Sequence[int]], labels: Sequence[int]
    ) -> list[float]:
        """Scores by the route that the server has, which is found out once."""
        body = score_request(model, query, candidates, labels)
        address, refusals = self.client.address, list[str]()
        for route in (self._route,) if self._route else ROUTES:
            try:
                scores, _ = self.client.ask(route.path, body, route.reader(len(candidates), len(labels)))
            except Refused as refusal:
                refusals.append(f"{route.path.lstrip('/')}: {refusal}")
                if refusal.status not in ABSENT:
                    break
            except Unanswered as error:
                hint = "start it there, or name another by runtime.engine_url"
                raise EngineError(f"the engine at {address} gives no scores: {error}; {hint}") from None
            else:
                self._route = route
                return scores
        hint = 'vLLM and SGLang give scores, and so does the engine "local"'
        raise EngineError(
            f'the engine at {address} gives no scores of "{self._shown(model)}" ({"; ".join(refusals)}): {hint}'
        )

    def _shown(self, name: str) -> str:
        return safe_line(name, self._key)


def _largest_difference(scores: Sequence[float], others: Sequence[float]) -> float:
    return max(abs(one - other) for one, other in zip(scores, others, strict=True))
