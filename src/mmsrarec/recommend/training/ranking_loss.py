"""The losses of packs: choosing the positive among the negatives, and following a teacher."""

import torch
from torch import Tensor
from torch.nn import functional as F

SQUARED_ERROR_WEIGHT = 0.1
"""Weight of the squared difference of logits beside the divergence of rankings, when a teacher is distilled."""


def choose_loss(logits: Tensor, place: Tensor, kind: str) -> Tensor:
    """The loss of packs with one positive each.

    "yesno" is the cross-entropy of the answers yes and no (arXiv 2512.20916, stage 3), with equal total weight of the
    positives and the negatives. "softmax" is the cross-entropy of the positive within its pack [extension]. "both" is
    their sum [extension]. "lambda" is LambdaRank's [extension], see `lambda_loss`.

    Args:
        logits: (b, c) differences log p(yes) - log p(no).
        place: (b,) columns of the positives.
        kind: "yesno", "softmax", "both" or "lambda".

    Returns:
        The mean loss of a pack.
    """
    if kind == "lambda":
        return lambda_loss(logits, place)
    answer = torch.zeros_like(logits).scatter_(1, place[:, None], 1.0)
    each = F.binary_cross_entropy_with_logits(logits, answer, reduction="none")
    weight = torch.where(answer > 0, 0.5, 0.5 / (logits.shape[1] - 1))
    yesno = (each * weight).sum(1).mean()
    if kind == "yesno":
        return yesno
    softmax = F.cross_entropy(logits, place)
    return softmax if kind == "softmax" else yesno + softmax


def lambda_loss(logits: Tensor, place: Tensor) -> Tensor:
    """LambdaRank (Burges 2010) with one positive a pack: what the wrong order of each pair costs in NDCG.

    A pair of the positive and a negative counts by how much NDCG would change if they changed places. Only the order
    in the pack matters, so logits need not stay near those of yes and no.

    Args:
        logits: (b, c) differences log p(yes) - log p(no).
        place: (b,) columns of the positives.

    Returns:
        The mean loss of a pack.
    """
    positive = logits.gather(1, place[:, None])
    ranks = (logits.detach()[:, None, :] > logits.detach()[:, :, None]).sum(2) + 1
    gains = 1 / torch.log2(ranks + 1.0)
    change = (gains - gains.gather(1, place[:, None])).abs()  # 0 for the positive and itself
    return (change * F.softplus(logits - positive)).sum(1).mean()


def distil_loss(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """The distance of logits from a teacher's.

    It is the divergence of the two softmaxes over the pack (Hinton et al., arXiv 1503.02531, at temperature 1), which
    teaches the order, plus the weighted squared difference, which teaches the level.

    Args:
        logits: (b, c) differences log p(yes) - log p(no).
        teacher_logits: (b, c), the teacher's.

    Returns:
        The mean loss of a pack.
    """
    ranking = F.kl_div(logits.log_softmax(1), teacher_logits.log_softmax(1), reduction="batchmean", log_target=True)
    return ranking + SQUARED_ERROR_WEIGHT * F.mse_loss(logits, teacher_logits)
