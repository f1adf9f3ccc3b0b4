"""The score of a candidate's span: how likely the model writes the candidate itself (InvariRank, arXiv 2604.27599).

There is no yes or no. Unlike InvariRank's, a token of the candidate sees only those before it, so that the score is a
likelihood. Soft tokens and pictures are read and not written: they have no likelihood of their own.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmsrarec.models.packing.answer_likelihood import log_probs_after
from mmsrarec.models.packing.forward import PreparedBatch, prepare, read_prepared
from mmsrarec.models.packing.packed_batch import Batch
from mmsrarec.recommend.prompt.prompts import Prompts


def prepare_spans(prompts: Prompts, batch: Batch, labels: Sequence[Tensor] = ()) -> PreparedBatch:
    """Prepare packs for `read_spans`.

    Args:
        prompts: Rendered the packs; holds the model and the pictures.
        batch: The packs, laid out.
        labels: What goes to the device along with them.
    """
    mllm = prompts.mllm
    rows, columns, candidates = written_tokens(batch, mllm.vision_layout.image_token)
    shared_lengths = (batch.mask[:, 0, 0] == 0).sum(-1)
    is_first = (columns - batch.layout.shared) % batch.layout.length == 0
    before = torch.where(is_first, shared_lengths[rows] - 1, columns - 1)
    zeros = torch.zeros(len(batch.answers[0]), dtype=torch.float32)
    return prepare(
        mllm, batch, prompts.features, (rows, before), [batch.ids[rows, columns], candidates, zeros, *labels]
    )


def read_spans(prompts: Prompts, prepared: PreparedBatch) -> tuple[Tensor, list[Tensor]]:
    """The mean log-likelihood of the words of each candidate, the question mark at its end included.

    Args:
        prompts: Rendered the packs; holds the model and the pictures.
        prepared: What `prepare_spans` made of the packs.

    Returns:
        (candidates,) float32, at most 0, the candidates of all packs in order; and the labels on the device.
    """
    states, (ids, candidates, zeros, *labels) = read_prepared(prompts.mllm, prepared)
    log_probs = log_probs_after(prompts.mllm, states, ids)
    sums = zeros.index_add(0, candidates, log_probs)
    return sums / zeros.index_add(0, candidates, torch.ones_like(log_probs)), labels


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
