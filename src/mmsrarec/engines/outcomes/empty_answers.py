"""Empty answers: one tells of its item, many without any other tell of a server that is set up wrongly."""

from collections.abc import Sequence
from dataclasses import replace

from mmsrarec.engines.protocol import Answer

MANY = 3
"""Empty answers that are no longer believed where there is no other answer."""
TOO_MANY = 50
"""Empty answers after which nothing more is sent where there is no other answer."""


class EmptyAnswers:
    """Holds empty answers back until another answer shows that the server can answer.

    Attributes:
        is_able: Whether one did.
    """

    def __init__(self, is_able: bool = False) -> None:
        self._answers: list[Answer] = []
        self.is_able = is_able

    @property
    def are_too_many(self) -> bool:
        """Whether no further request is worth its cost."""
        return len(self._answers) >= TOO_MANY

    def hold_back(self, answers: Sequence[Answer]) -> list[Answer]:
        """Take answers as they come, and return those that can be kept now."""
        self.is_able = self.is_able or any(answer.text and answer.text.strip() for answer in answers)
        empty = [answer for answer in answers if answer.text is not None and not answer.text.strip()]
        if not self.is_able:
            self._answers += empty
            return [answer for answer in answers if answer not in empty]
        ready, self._answers = [*self._answers, *answers], []
        return ready

    def rest(self, n_cut: int) -> list[Answer]:
        """The answers that are still held back, after the last one: a few are kept, many have failed.

        Args:
            n_cut: Answers that ended because they were as long as they may be.
        """
        return self._answers if len(self._answers) < MANY else self.failures(n_cut)

    def failures(self, n_cut: int) -> list[Answer]:
        """The answers that are still held back, as failed ones, so that they are asked again."""
        return [replace(answer, text=None, reason=self.reason(n_cut)) for answer in self._answers]

    def reason(self, n_cut: int) -> str:
        """Why they are not believed, and where to look."""
        cut = f" ({n_cut} were cut at their longest)" if n_cut else ""
        return (
            f"all {len(self._answers)} answers are empty{cut}: look at the model's chat template; a model that thinks "
            "first may be cut before it answers, so turn its thinking off or raise summarize.max_new_tokens_text and "
            "summarize.max_new_tokens_image"
        )
