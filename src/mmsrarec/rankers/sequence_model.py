"""The rows "sasrec", "gru4rec", "bert4rec" and "content-sasrec": a sequence model's own scores."""

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.settings import CONTENT_SASREC


class SequenceModelRanker:
    """Scores items by a trained sequence model, be it the one that stage 2 searches with or another."""

    logits = True
    """Scores are logits of a softmax over the catalogue: see `recommend.fuse`."""

    def __init__(self, encoder: Encoder, train: Interactions | None = None) -> None:
        """train: says what the encoder's training saw taken where the encoder itself, of an older run, does not."""
        self.encoder, self.name = encoder, encoder.settings.encoder
        self.known = np.ones(encoder.n_items, dtype=bool)
        """What it can rank (`recommend.propose.known_items`): by what items are, all; by ids, what training saw
        taken."""
        if self.name != CONTENT_SASREC and encoder.known is not None:
            self.known = encoder.known
        elif self.name != CONTENT_SASREC and train is not None:
            self.known = train.counts[: encoder.n_items] > 0

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """(m, c) candidates -> (m, c) logits; None -> (m, n_items)."""
        if candidates is None:
            return self.encoder.scores(queries.history)
        scores = np.zeros(candidates.shape, dtype=np.float32)
        for begin in range(0, len(queries), 1024):  # a block of full rankings at a time, whatever m
            rows = slice(begin, begin + 1024)
            scores[rows] = np.take_along_axis(self.encoder.scores(queries.history[rows]), candidates[rows], axis=1)
        return scores
