"""Every architecture ranks: packed as with one prompt a candidate by the model's own code, trained, saved, reloaded."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES, TEXT_ONLY, tiny_of
from tiny import tiny_mllm
from torch import Tensor
from world import make_dataset, make_evidence, make_log, make_prompts, make_retrieval

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.adapter import load_adapter
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.packing.packed_batch import collate
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan
from mmsrarec.models.vision.vision_layout import VisionLayout, grid
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import score_packs, yes_minus_no
from mmsrarec.recommend.training.fine_tuning import tune

LOG = make_log(np.random.default_rng(0))
DATASET = make_dataset(LOG)
NAMES = ("embedded", *ARCHITECTURES, *TEXT_ONLY)
SMALL = {
    "n_examples": 6,
    "batch_size": 3,
    "negatives": 2,
    "rank": 2,
    "history": 2,
    "visual_tokens": 4,
    "learning_rate": 1e-2,
}


def fresh(name: str) -> Mllm:
    return tiny_mllm() if name == "embedded" else tiny_of(name)


@cache
def prompts_of(name: str, visual_tokens: int = 4) -> Prompts:
    mllm = fresh(name)
    return make_prompts(mllm, DATASET, visual_tokens=visual_tokens, prompt_fields={"pictures": mllm.sees})


def natural(mllm: Mllm, ids: Tensor, pictures: int, visual_tokens: int) -> dict[str, Tensor]:
    """What the model's own code wants to know of (1, t) token ids beyond their embeddings."""
    if not mllm.sees:
        return {}
    shown = (ids == mllm.image_token).int()
    if hasattr(mllm.model.model, "get_rope_index"):
        merged = mllm.model.config.vision_config.spatial_merge_size
        rows, columns = grid(visual_tokens)
        grids = torch.tensor([[1, rows * merged, columns * merged]] * pictures) if pictures else None
        return {"position_ids": mllm.model.model.get_rope_index(ids, shown, grids)[0]}
    return {"token_type_ids": shown} if mllm.model.config.model_type == "gemma3" else {}


def alone(prompts: Prompts, packs: list[PackedPrompt]) -> Tensor:
    """log p(yes) - log p(no), each candidate in a prompt of its own, by the model's own forward."""
    mllm, found = prompts.mllm, []
    for shared, candidate in ((pack.shared, candidate) for pack in packs for candidate in pack.candidates):
        ids = torch.tensor([[*shared.ids, *candidate.ids]])
        seen = torch.stack([prompts.features[code] for code in candidate.pictures]) if candidate.pictures else None
        told = natural(mllm, ids, len(candidate.pictures), prompts.settings.visual_tokens)
        hidden = mllm.model.model(inputs_embeds=mllm.embed(ids, seen), **told).last_hidden_state[0, -1]
        yes, no = mllm.model.get_output_embeddings().weight[list(prompts.answers)]
        found.append(hidden @ (yes - no))
    return torch.stack(found)


def packs_of(prompts: Prompts, sizes: tuple[int, ...]) -> list[PackedPrompt]:
    rng = np.random.default_rng(3)
    return [prompts.render(make_evidence(rng, 30, size, history=1 + row)) for row, size in enumerate(sizes)]


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_a_pack_scores_as_the_models_own_code_does_one_by_one(name: str) -> None:
    for visual_tokens in (4, 3) if name in ARCHITECTURES else (4,):
        prompts = prompts_of(name, visual_tokens)
        packs = packs_of(prompts, (5, 2))
        packed, single = yes_minus_no(prompts, packs), alone(prompts, packs)
        assert single.std() > 0.01
        torch.testing.assert_close(packed, single, atol=1e-4, rtol=0)
    order = [3, 0, 4, 1, 2]
    mixed = PackedPrompt(packs[0].shared, [packs[0].candidates[place] for place in order])
    torch.testing.assert_close(yes_minus_no(prompts, [mixed]), packed[:5][order], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["embedded", "qwen2_5_vl", "gemma2"])
def test_a_shared_prefix_gives_the_same_scores_and_gradients(name: str) -> None:
    prompts = prompts_of(name)
    mllm, packs = prompts.mllm, packs_of(prompts, (5, 2))
    assert mllm.packs == (name != "gemma2")
    weight = mllm.decoder.layers[0].self_attn.v_proj.weight
    found = []
    for way in ("as chosen", "by prefix", "one by one"):
        weight.requires_grad_(True).grad = None
        mllm.packs = mllm.packs and way == "as chosen"
        scores = alone(prompts, packs) if way == "one by one" else yes_minus_no(prompts, packs)
        (scores**2).mean().backward()
        found.append((scores.detach(), weight.grad / weight.grad.abs().max()))
    weight.requires_grad_(False)
    mllm.packs = name != "gemma2"
    for scores, gradient in found[:2]:
        torch.testing.assert_close(scores, found[2][0], atol=1e-4, rtol=0)
        torch.testing.assert_close(gradient, found[2][1], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_ranker_is_trained_saved_and_reloaded(name: str, tmp_path: Path) -> None:
    rankers = [
        make_prompts(fresh(name), DATASET, **SMALL, prompt_fields={"pictures": name not in TEXT_ONLY}) for _ in range(3)
    ]
    _, tuned, loaded = rankers
    facts = tune(
        tuned, make_retrieval(LOG, n_vote_neighbours=10), tuned.settings, 7, tmp_path / "adapter", tmp_path / "work"
    )
    assert {line["task"] for line in facts["curve"]} == {"choose", "foresee", "recognise", "profile"}
    assert all(np.isfinite(line["loss"]) for line in facts["curve"])
    load_adapter(loaded.mllm, tmp_path / "adapter")
    scores = [np.concatenate(score_packs(prompts, packs_of(prompts, (4, 3)))) for prompts in rankers]
    assert np.abs(scores[0] - scores[1]).max() > 1e-3
    np.testing.assert_array_equal(scores[1], scores[2])


@pytest.mark.parametrize("visual_tokens", [1, 4, 6])
@pytest.mark.parametrize("name", ["qwen2_5_vl", "qwen3_vl"])
def test_positions_are_what_the_qwens_own_function_says(name: str, visual_tokens: int) -> None:
    mllm = prompts_of(name).mllm
    image = [mllm.image_token] * visual_tokens
    shared = TokenSpan([*mllm.encode("a mug"), *image, *mllm.encode("red"), *image, *mllm.encode("a star")], [1, 2])
    pack = PackedPrompt(shared, [TokenSpan([*image, *mllm.encode("?")], [3]), TokenSpan(mllm.encode("no picture?"))])
    longer = PackedPrompt(TokenSpan([*shared.ids, *mllm.encode("and more")], [1, 2]), pack.candidates[1:])
    batch = collate([pack, longer], 0, mllm.dtype, mllm.vision_layout)
    for row, told in enumerate((pack, longer)):
        for number, candidate in enumerate(told.candidates):
            ids = torch.tensor([[*told.shared.ids, *candidate.ids]])
            want = natural(mllm, ids, 2 + len(candidate.pictures), visual_tokens)["position_ids"][:, 0]
            start = batch.layout.shared + number * batch.layout.length
            own = batch.positions[:, row, start : start + len(candidate.ids)]
            assert torch.equal(torch.cat([batch.positions[:, row, : len(told.shared.ids)], own], 1), want)


def test_a_picture_of_two_by_two_stands_at_one_time_in_rows_and_columns() -> None:
    times, rows, columns = VisionLayout(9, axes=3).positions([5, 9, 9, 9, 9, 6], 1, first=10).tolist()
    assert times == [10, 11, 11, 11, 11, 13]
    assert rows == [10, 11, 11, 12, 12, 13]
    assert columns == [10, 11, 12, 11, 12, 13]
    assert VisionLayout(9).positions([5, 9, 9, 6], 1, first=2).tolist() == [[2, 3, 4, 5]]
    assert VisionLayout(9, mutual=True).blocks([9, 9, 5, 9, 9], 2).tolist() == [0, 0, -1, 1, 1]
    assert (grid(9), grid(6), grid(1)) == ((3, 3), (1, 6), (1, 1))


def test_a_model_of_texts_alone_says_so() -> None:
    mllm = prompts_of("llama").mllm
    assert not mllm.sees
    with pytest.raises(MmsrarecError, match="reads no pictures"):
        _ = mllm.image_token
