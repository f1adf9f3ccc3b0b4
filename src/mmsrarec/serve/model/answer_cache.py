"""Answers kept in memory by what they depend on; the least recently asked for go first.

They are kept as JSON: the objects of an answer with reasons take several times as much memory.
"""

import hashlib
from collections import OrderedDict

from mmsrarec.serve.model.served_run import Question, ServedRun
from mmsrarec.serve.schema.recommending import RecommendAnswered
from mmsrarec.serve.state.kept_answers import as_in_body


class AnswerCache:
    """A cache of answers. Used by the event loop alone.

    Attributes:
        size: Answers at most.
        hits: Answers found so far.
        misses: Answers not found so far.
    """

    def __init__(self, size: int) -> None:
        self.size, self.hits, self.misses = size, 0, 0
        self._answers: OrderedDict[str, tuple[str | None, bytes]] = OrderedDict()

    def get(self, digest: str) -> RecommendAnswered | None:
        """The answer of a digest."""
        entry = self._answers.get(digest)
        if entry is None:
            self.misses += 1
            return None
        self.hits += 1
        self._answers.move_to_end(digest)
        return RecommendAnswered.model_validate_json(entry[1]).model_copy(update={"cached": True})

    def put(self, digest: str, user: str | None, body: str) -> None:
        """Keep an answer, given as JSON; it is handed out as one that was kept."""
        self._answers[digest] = user, body.encode()
        self._answers.move_to_end(digest)
        while len(self._answers) > self.size:
            self._answers.popitem(last=False)

    def drop_user(self, user: str) -> None:
        """Drop the answers to a user, and those to others that name the id."""
        name = as_in_body(user).encode()
        for digest in [digest for digest, (owner, body) in self._answers.items() if owner == user or name in body]:
            del self._answers[digest]

    def clear(self) -> None:
        """Drop all answers."""
        self._answers.clear()

    def __len__(self) -> int:
        return len(self._answers)


def digest_of(served: ServedRun, question: Question) -> str:
    """A hash of all that an answer depends on: the run, its catalogue, the state of the user, and the question."""
    state = question.state
    parts = (
        served.name,
        served.fingerprint,
        served.revision,
        (state.newest, state.n_events, state.more, state.less),
        question.body.model_dump_json(),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()
