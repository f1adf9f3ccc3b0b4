"""The score of a candidate's span: how likely the model writes the candidate itself (InvariRank, arXiv 2604.27599).

There is no yes or no. Unlike InvariRank's, a token of the candidate sees only those before it, so that the score is a
likelihood. Soft tokens and pictures are read and not written: they have no likelihood of their own.
"""

import torch
from torch import Tensor

from mmsrarec.models.packing.answer_likelihood import log_probs_after
from mmsrarec.models.packing.forward import read
from mmsrarec.models.packing.packed_batch import Batch
from mmsrarec.recommend.prompt.prompts import Prompts


def span_log_likelihood(prompts: Prompts, batch: Batch) -> Tensor:
    """The mean log-likelihood of the words of each candidate, the question mark at its end included.

    Args:
        prompts: Rendered the packs; holds the model and the pictures.
        batch: The packs, laid out.

    Returns:
        (candidates,) float32, at most 0, the candidates of all packs in order.
    """
    mllm = prompts.mllm
    rows, columns, candidates = written_tokens(batch, mllm.vision_layout.image_token)
    ids = batch.ids[rows, columns].to(mllm.device)
    shared_lengths = (batch.mask[:, 0, 0] == 0).sum(-1)
    is_first = (columns - batch.layout.shared) % batch.layout.length == 0
    before = torch.where(is_first, shared_lengths[rows] - 1, columns - 1)
    states = read(mllm, batch, prompts.features, (rows.to(mllm.device), before.to(mllm.device)))
    candidates = candidates.to(mllm.device)
    log_probs = log_probs_after(mllm, states, ids)
    sums = log_probs.new_zeros(len(batch.answers[0])).index_add(0, candidates, log_probs)
    return sums / torch.bincount(candidates, minlength=len(sums))


def written_tokens(batch: Batch, image_token: int | None) -> tuple[Tensor, Tensor, Tensor]:
    """Where the words of the candidates stand.

    Args:
        batch: The packs, laid out.
        image_token: The id of the image placeholders; None for a model of texts alone.

    Returns:
        (n,) rows, (n,) columns, and (n,) the numbers of the candidates, over all packs; candidate after candidate.
    """
    rows, last = batch.answers
    shared, length = batch.layout.shared, batch.layout.length
    first = shared + (last - shared) // length * length
    columns = first[:, None] + torch.arange(length)
    ids = batch.ids[rows[:, None], columns]
    is_word = (columns <= last[:, None]) & (ids >= 0)
    if image_token is not None:
        is_word &= ids != image_token
    candidates = torch.arange(len(rows))[:, None].expand_as(columns)
    return rows[:, None].expand_as(columns)[is_word], columns[is_word], candidates[is_word]
