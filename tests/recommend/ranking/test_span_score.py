"""A span's score is the mean log-likelihood of the candidate's words, and no order of the candidates changes a bit."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tiny import tiny_mllm
from world import make_dataset, make_evidence, make_log, make_prompts

from mmsrarec.models.backbone.adapter import add_adapter, trainable
from mmsrarec.models.packing import answer_likelihood
from mmsrarec.models.packing.answer_likelihood import token_log_probs
from mmsrarec.models.packing.forward import batch_of
from mmsrarec.models.packing.packed_prompt import PackedPrompt
from mmsrarec.models.packing.prefix_tree import PrefixTree
from mmsrarec.models.packing.soft_ids import SoftKind, soft_id
from mmsrarec.recommend.ablations import VARIANTS
from mmsrarec.recommend.explain import explain
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import candidate_logits, score_packs
from mmsrarec.recommend.ranking.span_score import prepare_spans, read_spans, written_tokens
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.recommend.training.ranking_loss import choose_loss

MLLM = tiny_mllm()
DATASET = make_dataset(make_log(np.random.default_rng(0)))
SPAN = {"score": "span", "loss": "lambda"}
WORDS = make_prompts(MLLM, DATASET, prompt_fields={"pictures": False}, **SPAN)
PICTURES = make_prompts(MLLM, DATASET, visual_tokens=2, **SPAN)
ANSWER = make_prompts(MLLM, DATASET, visual_tokens=2)


def packs_of(prompts: Prompts, sizes: list[int], seed: int = 0) -> list[PackedPrompt]:
    rng = np.random.default_rng(seed)
    return [prompts.render(make_evidence(rng, 30, size, history=1 + row)) for row, size in enumerate(sizes)]


@torch.no_grad()
def test_it_is_the_mean_log_likelihood_of_the_candidate_after_the_prompt() -> None:
    """As of a prompt for each candidate, computed by another function."""
    packs = packs_of(WORDS, [5, 1, 3])
    singles = [(pack.shared.ids, candidate.ids) for pack in packs for candidate in pack.candidates]
    expected = [float(each.mean()) for each in token_log_probs(MLLM, *zip(*singles, strict=True))]
    found = candidate_logits(WORDS, packs)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)
    assert (found < 0).all()
    assert found.std() > 0.01


@torch.no_grad()
def test_pictures_and_soft_tokens_are_read_and_not_written() -> None:
    (pack,) = packs_of(PICTURES, [6])
    batch = batch_of(MLLM, [pack])
    rows, columns, candidates = written_tokens(batch, MLLM.image_token)
    written = [batch.ids[0, columns[candidates == number]].tolist() for number in range(6)]
    assert written == [[token for token in span.ids if token != MLLM.image_token] for span in pack.candidates]
    assert any(span.pictures for span in pack.candidates)
    assert not rows.any()
    before, _ = read_spans(PICTURES, prepare_spans(PICTURES, batch))
    other = {code: -feature for code, feature in PICTURES.features.items()}
    others = Prompts(MLLM, DATASET, PICTURES.keywords, other, PICTURES.settings)
    after, _ = read_spans(others, prepare_spans(others, batch))
    pictured = torch.tensor([bool(span.pictures) for span in pack.candidates])
    assert ((before != after) == pictured).all(), "the question mark comes after the picture"
    soft = replace(batch, ids=batch.ids.clone())
    soft.ids[0, columns[0]] = soft_id(SoftKind.CANDIDATE, 3)
    assert len(written_tokens(soft, MLLM.image_token)[0]) == len(rows) - 1


@pytest.mark.parametrize("prompts", [WORDS, PICTURES, ANSWER], ids=["words", "pictures", "answer"])
@settings(deadline=None, max_examples=12)
@given(st.integers(0, 10**6), st.integers(2, 70))
def test_no_order_of_the_candidates_changes_a_bit_of_a_score(prompts: Prompts, seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    context = make_evidence(rng, 30, size, history=int(rng.integers(0, 12)))
    order = rng.permutation(size)
    (straight,) = score_packs(prompts, [prompts.render(context)])
    (mixed,) = score_packs(prompts, [prompts.render(context.pick(order.tolist()))])
    np.testing.assert_array_equal(mixed, straight[order])


@torch.no_grad()
def test_the_score_of_one_candidate_does_not_depend_on_the_others() -> None:
    (pack,) = packs_of(PICTURES, [9])
    among = candidate_logits(PICTURES, [pack])
    alone = torch.cat([candidate_logits(PICTURES, [single]) for single in pack.unpacked()])
    np.testing.assert_allclose(among.numpy(), alone.numpy(), atol=1e-5)


def test_scores_are_the_logistic_function_of_the_likelihood() -> None:
    packs = packs_of(WORDS, [4, 2])
    with torch.no_grad():
        logits = candidate_logits(WORDS, packs).double()
    np.testing.assert_allclose(np.concatenate(score_packs(WORDS, packs)), logits.sigmoid().numpy(), atol=1e-6)


def test_gradients_are_those_of_logits_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of LambdaRank, in blocks of two tokens and in one."""
    prompts = make_prompts(tiny_mllm(), DATASET, prompt_fields={"pictures": False}, **SPAN)
    weights = trainable(add_adapter(prompts.mllm, 2, 0, 0))
    packs, gradients = packs_of(prompts, [5, 5]), []
    for held in (2 * len(prompts.mllm.tokenizer), 10**9):
        monkeypatch.setattr(answer_likelihood, "MAX_LOGITS_HELD", held)
        for weight in weights.values():
            weight.grad = None
        choose_loss(candidate_logits(prompts, packs).view(2, 5), torch.tensor([1, 3]), "lambda").backward()
        gradients.append({name: weight.grad for name, weight in weights.items()})
    assert any(gradient.abs().max() > 0 for gradient in gradients[0].values())
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], atol=1e-5, rtol=1e-4)


def test_lambdarank_on_spans_learns_to_choose() -> None:
    """The tiny model finds the positives of two packs in a few steps, which it did not rank first before."""
    prompts = make_prompts(tiny_mllm(), DATASET, prompt_fields={"pictures": False}, **SPAN)
    packs = packs_of(prompts, [4, 4], seed=3)
    with torch.no_grad():
        place = candidate_logits(prompts, packs).view(2, 4).argmin(1)
    weights = trainable(add_adapter(prompts.mllm, 4, 0, 0))
    optimizer = torch.optim.AdamW(weights.values(), lr=0.02)
    for _ in range(25):
        loss = choose_loss(candidate_logits(prompts, packs).view(2, 4), place, "lambda")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        assert (candidate_logits(prompts, packs).view(2, 4).argmax(1) == place).all()


def test_the_question_asks_for_no_yes_or_no() -> None:
    def text(prompts: Prompts) -> str:
        return MLLM.tokenizer.decode(prompts.shared(make_evidence(np.random.default_rng(0), 30, 2)).ids)

    assert "What will they take next?" in text(WORDS)
    assert "yes" not in text(WORDS)
    assert "Answer yes or no." in text(ANSWER)


def test_a_reason_weighs_what_the_likelihood_loses_without_it() -> None:
    context = make_evidence(np.random.default_rng(2), 30, 1)
    p, reasons = explain(WORDS, context)
    (score,) = score_packs(WORDS, [WORDS.render(context)])
    assert p == pytest.approx(float(score[0]), abs=1e-6)
    assert any(abs(reason.weight) > 1e-3 for reason in reasons)


@torch.no_grad()
def test_cached_prefixes_change_nothing() -> None:
    packs = packs_of(WORDS, [3])
    torch.testing.assert_close(candidate_logits(WORDS, packs, PrefixTree()), candidate_logits(WORDS, packs))


@pytest.mark.parametrize("loss", ["yesno", "both"])
def test_a_loss_of_answers_needs_an_answer(loss: Any) -> None:
    with pytest.raises(ValidationError, match="set loss to softmax or lambda"):
        RecommendSettings(score="span", loss=loss)


def test_variants_score_spans() -> None:
    usual = RecommendSettings()
    style = VARIANTS["invarirank-style"].applied(usual)
    assert (style.score, style.loss) == ("span", "lambda")
    assert {name for name, on in style.prompt_fields.model_dump().items() if on} == {"titles"}
    alone = VARIANTS["span score alone"].applied(usual)
    assert alone.model_copy(update={"score": "answer", "loss": usual.loss}) == usual
    assert VARIANTS["yes or no alone"].applied(alone).score == "answer"
