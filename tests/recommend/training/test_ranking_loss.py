"""The losses of packs equal their formulas."""

import torch

from mmsrarec.recommend.training.ranking_loss import SQUARED_ERROR_WEIGHT, choose_loss, distil_loss


def test_the_loss_is_what_it_says() -> None:
    logits, place = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, 3.0]]), torch.tensor([0, 2])
    log_yes, log_no = torch.nn.functional.logsigmoid(logits), torch.nn.functional.logsigmoid(-logits)
    yesno = -(log_yes[0, 0] + (log_no[0, 1] + log_no[0, 2]) / 2) / 2
    yesno = (yesno - (log_yes[1, 2] + (log_no[1, 0] + log_no[1, 1]) / 2) / 2) / 2
    softmax = -(logits.log_softmax(1)[0, 0] + logits.log_softmax(1)[1, 2]) / 2
    torch.testing.assert_close(choose_loss(logits, place, "yesno"), yesno)
    torch.testing.assert_close(choose_loss(logits, place, "softmax"), softmax)
    torch.testing.assert_close(choose_loss(logits, place, "both"), yesno + softmax)
    assert choose_loss(logits[:, [1, 0, 2]], torch.tensor([1, 2]), "both") == choose_loss(logits, place, "both")


def test_lambdarank_weighs_each_pair_by_what_it_costs_in_ndcg() -> None:
    logits, place = torch.tensor([[0.0, 2.0, -1.0]], requires_grad=True), torch.tensor([0])
    softplus = torch.nn.functional.softplus
    second, first, third = 1 / torch.log2(torch.tensor(3.0)), 1.0, 1 / torch.log2(torch.tensor(4.0))
    expected = (first - second) * softplus(torch.tensor(2.0)) + (second - third) * softplus(torch.tensor(-1.0))
    loss = choose_loss(logits, place, "lambda")
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad[0, 0] < 0 < logits.grad[0, 1]
    torch.testing.assert_close(choose_loss(logits + 7, place, "lambda"), loss)  # the order alone counts
    turned = choose_loss(logits[:, [1, 0, 2]], torch.tensor([1]), "lambda")
    torch.testing.assert_close(turned, loss)


def test_the_loss_of_distilling_is_what_it_says() -> None:
    teacher_logits, logits = torch.tensor([[2.0, -1.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [0.5, -0.5]])
    p, q = teacher_logits.softmax(1), logits.softmax(1)
    divergence = (p * (p / q).log()).sum() / 2
    torch.testing.assert_close(
        distil_loss(logits, teacher_logits), divergence + SQUARED_ERROR_WEIGHT * (1 + 1 + 0.25 + 2.25) / 4
    )
    assert distil_loss(teacher_logits, teacher_logits) == 0
    shifted = distil_loss(teacher_logits + 3, teacher_logits)  # the ranking is the same, the level is not
    torch.testing.assert_close(shifted, torch.tensor(SQUARED_ERROR_WEIGHT * 9.0))
