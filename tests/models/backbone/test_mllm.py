"""What any model must do for us: its frame, its words, its pictures; what it must not do: drift."""

import copy
import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from architectures import gemma2
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tiny import tiny_mllm
from transformers import PreTrainedModel
from world import save_tiny

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.decoding import pad_left
from mmsrarec.models.backbone.layers import selected_layers
from mmsrarec.models.backbone.loading import config_hash
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.settings import LayerSelection, ModelSettings
from mmsrarec.models.packing.forward import batch_of, read
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan
from mmsrarec.models.vision.pooling import pool_grid

MLLM = tiny_mllm()
PICTURES = [Image.new("RGB", (40, 90), "red"), Image.new("RGB", (56, 56), "navy"), Image.new("RGB", (300, 20), "white")]


def test_the_frame_is_the_chat_template_around_the_words() -> None:
    before, after = MLLM.frame
    chat = [{"role": "user", "content": "a mug"}]
    whole = MLLM.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert MLLM.tokenizer.decode([*before, *MLLM.encode("a mug"), *after]) == whole


@given(st.text(max_size=60))
def test_text_comes_back_from_its_tokens(text: str) -> None:
    assert MLLM.tokenizer.decode(MLLM.encode(text), clean_up_tokenization_spaces=False) == text


def test_yes_and_no_start_differently() -> None:
    assert MLLM.first_token("yes") != MLLM.first_token("no")


@pytest.mark.parametrize("tokens", [1, 4, 9, 49])
def test_a_picture_becomes_so_many_tokens_alone_or_among_others(tokens: int) -> None:
    seen = MLLM.encode_images(PICTURES, tokens)
    assert seen.shape == (3, tokens, MLLM.hidden_size)
    assert (seen[0] - seen[1]).abs().max() > 1e-3
    torch.testing.assert_close(MLLM.encode_images(PICTURES[1:2], tokens)[0], seen[1], atol=1e-4, rtol=1e-4)


@given(st.sampled_from([1, 4, 9, 16, 49]), st.integers(1, 60))
def test_pooling_keeps_the_mean_of_even_parts(count: int, tokens: int) -> None:
    features = torch.randn(count, 3, generator=torch.Generator().manual_seed(count))
    pooled = pool_grid(features, tokens)
    assert pooled.shape == (min(count, tokens), 3)
    torch.testing.assert_close(pool_grid(features, 1)[0], features.mean(0))
    if tokens >= count:
        assert torch.equal(pooled, features)


def test_pooling_keeps_places_on_the_grid() -> None:
    grid = torch.arange(16.0)[:, None]  # 4 x 4, row by row
    assert pool_grid(grid, 4)[:, 0].tolist() == [2.5, 4.5, 10.5, 12.5]
    assert pool_grid(grid, 2)[:, 0].tolist() == [3.5, 11.5]  # no square: in order


def test_prompts_are_padded_on_the_left() -> None:
    ids, mask = pad_left([[1, 2, 3], [4]], pad=9)
    assert ids.tolist() == [[1, 2, 3], [9, 9, 4]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]


def test_the_eye_does_not_drift_in_train_mode() -> None:
    mllm = tiny_mllm()
    before, state = mllm.encode_images(PICTURES, 4), copy.deepcopy(mllm.model.state_dict())
    mllm.model.train()
    mllm.encode_images(PICTURES, 9)
    mllm.model.get_image_features(pixel_values=torch.randn(2, 3, 56, 56))  # pyright: ignore
    assert torch.equal(mllm.encode_images(PICTURES, 4), before)
    assert all(torch.equal(value, state[name]) for name, value in mllm.model.state_dict().items())
    assert not any(weight.requires_grad for weight in mllm.model.parameters())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model") / "tiny")


def test_a_folder_loads_as_what_was_saved(folder: Path) -> None:
    loaded = Mllm.load(ModelSettings(name=str(folder), dtype="float32"))
    assert loaded.dtype == torch.float32
    assert loaded.frame == MLLM.frame
    assert loaded.image_token == MLLM.image_token
    assert torch.equal(loaded.encode_images(PICTURES, 4), MLLM.encode_images(PICTURES, 4))
    prompt = MLLM.encode("A mug of blue clay")
    assert loaded.generate([prompt], [None], 8) == MLLM.generate([prompt], [None], 8)
    again = Mllm.load(ModelSettings(name=str(folder), dtype="float32"))
    half = Mllm.load(ModelSettings(name=str(folder), dtype="bfloat16"))
    assert again.fingerprint == loaded.fingerprint != half.fingerprint
    assert half.encode_images(PICTURES, 4).dtype == torch.bfloat16


def test_other_weights_have_another_hash() -> None:
    assert config_hash(tiny_mllm(0).model) == config_hash(tiny_mllm(0).model)
    assert config_hash(tiny_mllm(0).model) != config_hash(tiny_mllm(1).model)


def test_a_model_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(MmsrarecError, match="cannot load the model") as caught:
        Mllm.load(ModelSettings(name=str(tmp_path / "nothing"), dtype="float32"))
    assert "\n" not in str(caught.value)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(MmsrarecError, match="cannot load the model"):
        Mllm.load(ModelSettings(name=str(tmp_path), dtype="float32"))


def test_pictures_are_noise_or_words_by_their_place() -> None:
    rng = np.random.default_rng(0)
    noisy = Image.fromarray(rng.integers(0, 255, (80, 80, 3), dtype=np.uint8))
    turned = noisy.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    seen = MLLM.encode_images([noisy, turned], 49)
    assert (seen[0] - seen[1]).abs().max() > 1e-3


def test_a_shortened_model_keeps_its_lowest_layers() -> None:
    whole, short = tiny_mllm(), tiny_mllm().shorten(1)
    assert (len(whole.decoder.layers), len(short.decoder.layers)) == (2, 1)
    ids = torch.tensor([short.encode("a mug of blue clay")])
    with torch.no_grad():
        states = whole.decoder(ids, output_hidden_states=True).hidden_states[1]
        found = short.decoder(ids).last_hidden_state
    torch.testing.assert_close(found, whole.decoder.norm(states))
    assert len(tiny_mllm().shorten(None).decoder.layers) == len(tiny_mllm().shorten(9).decoder.layers) == 2


def test_evenly_spaced_layers_reach_from_the_first_to_the_last() -> None:
    assert selected_layers(30, 8, "lowest") == list(range(8))
    assert selected_layers(30, 10, "even") == [0, 3, 6, 10, 13, 16, 19, 23, 26, 29]
    assert selected_layers(30, 30, "even") == selected_layers(30, 30, "lowest") == list(range(30))
    assert selected_layers(30, 1, "even") == [0]


@given(st.integers(1, 60).flatmap(lambda count: st.tuples(st.just(count), st.integers(1, count))))
def test_kept_layers_are_as_many_as_asked_and_in_order(asked: tuple[int, int]) -> None:
    count, layers = asked
    for kept in (selected_layers(count, layers, "lowest"), selected_layers(count, layers, "even")):
        assert len(kept) == layers
        assert all(a < b for a, b in itertools.pairwise(kept))
        assert kept[0] == 0
        assert kept[-1] < count


def test_each_kept_layer_goes_on_attending_in_its_own_way() -> None:
    mllm = tiny_mllm()
    mllm.decoder.layers.extend(copy.deepcopy(mllm.decoder.layers[0]) for _ in range(3))
    mllm.decoder.config.layer_types = ["sliding_attention", "b", "c", "d", "full_attention"]
    stack = list(mllm.decoder.layers)
    short = mllm.shorten(3, "even")
    assert [stack.index(layer) for layer in short.decoder.layers] == [0, 2, 4]
    assert short.decoder.config.layer_types == ["sliding_attention", "c", "full_attention"]
    assert short.decoder.config.num_hidden_layers == 3


@pytest.mark.parametrize("keep", ["even", "lowest"])
def test_a_shortened_model_ranks_that_cannot_be_packed(keep: LayerSelection) -> None:
    """Its layers keep keys and values in a cache, by their number."""
    mllm = Mllm(*gemma2(pairs=2), "gemma2").shorten(2, keep)
    assert not mllm.packs
    pack = PackedPrompt(TokenSpan([5, 6, 7]), [TokenSpan([8, 9]), TokenSpan([10])])
    with torch.no_grad():
        found = read(mllm, batch_of(mllm, [pack]), {})
    for number, candidate in enumerate(pack.candidates):
        ids = torch.tensor([[*pack.shared.ids, *candidate.ids]])
        with torch.no_grad():
            alone = mllm.decoder(inputs_embeds=mllm.embed(ids, None), use_cache=False).last_hidden_state[0, -1]
        row, column = (places[number] for places in batch_of(mllm, [pack]).answers)
        torch.testing.assert_close(found[row, column], alone, atol=1e-4, rtol=1e-4)
    assert mllm.generate_ids([[5, 6], [7]], [None, None], 2)


def test_models_are_loaded_by_several_threads_at_once(folder: Path) -> None:
    """transformers changes what all threads share while it loads; nothing of that may stay, in any model."""
    shared = torch.get_default_dtype(), PreTrainedModel.tie_weights, torch.nn.init.normal_
    settings = [ModelSettings(name=str(folder), dtype=dtype) for dtype in ("float32", "bfloat16") * 6]
    with ThreadPoolExecutor(6) as threads:
        loaded = list(threads.map(Mllm.load, settings))
    assert (torch.get_default_dtype(), PreTrainedModel.tie_weights, torch.nn.init.normal_) == shared
    assert len({one.fingerprint for one in loaded}) == 2
    assert not any(value.is_meta for one in loaded for value in one.model.state_dict().values())
