"""LLaVA and LLaVA-OneVision, InternVL3, the Qwens, SmolVLM and Gemma 3, tiny: they see, answer, weigh answers and are
tuned as the embedded model is."""

import copy
import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
import torch
from architectures import ARCHITECTURES, PICTURES, PROCESSING, QWENS_AND_SMOL, tiny_of
from PIL import Image
from safetensors.torch import load_file
from tiny import talking_mllm
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutputWithPooling

from mmsrarec.data.dataset import Dataset
from mmsrarec.data.images import open_picture
from mmsrarec.data.synthetic.catalogue import MATERIALS
from mmsrarec.engines.picture_urls import open_shrunk
from mmsrarec.engines.protocol import PictureFile
from mmsrarec.models.backbone.adapter import WEIGHTS, Trainer, add_adapter, merge_adapter, trainable
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.packing.answer_likelihood import packed_log_probs, token_log_probs
from mmsrarec.models.packing.forward import batch_of, read
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan
from mmsrarec.models.vision.image_features import encode_catalogue_images
from mmsrarec.models.vision.image_token_ids import ImageTokenVocabulary
from mmsrarec.models.vision.native_pictures import native_answers, native_key
from mmsrarec.models.vision.pooling import pool_grid
from mmsrarec.summarize import prompts
from mmsrarec.summarize.settings import SummarizeSettings, TuneSettings
from mmsrarec.summarize.tuning.policy import TuningContext, tune
from mmsrarec.summarize.tuning.tuning_tasks import PolicySummarizer, SummaryTask


@pytest.fixture(scope="module", params=ARCHITECTURES)
def mllm(request: pytest.FixtureRequest) -> Mllm:
    return tiny_of(request.param)


def prompt_of(mllm: Mllm, visual_tokens: int) -> list[int]:
    return prompts.image_prompt(mllm, visual_tokens)


@pytest.mark.parametrize("tokens", [1, 4, 6, 9, 16])
def test_pictures_of_any_size_become_as_many_tokens(mllm: Mllm, tokens: int) -> None:
    seen = mllm.encode_images(PICTURES, tokens)
    n_levels = len(getattr(mllm.model.config.vision_config, "deepstack_visual_indexes", ()))
    assert seen.shape == (3, tokens, mllm.hidden_size * (1 + n_levels))
    assert bool(seen.isfinite().all())
    assert (seen[0] - seen[1]).abs().max() > 1e-2
    for shown, alone in zip(PICTURES, seen, strict=True):
        torch.testing.assert_close(mllm.encode_images([shown], tokens)[0], alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(20_000, 100), (1, 200), (1, 1)])
def test_the_narrowest_pictures_that_are_opened_are_seen_in_both_ways(
    mllm: Mllm, size: tuple[int, int], tmp_path: Path
) -> None:
    Image.new("RGB", size, "red").save(tmp_path / "a.png")
    file = PictureFile(tmp_path / "a.png", tmp_path)
    assert mllm.encode_images([open_picture(file.path, tmp_path)], 4).isfinite().all()
    assert len(native_answers(mllm, [open_shrunk(file)], prompts.IMAGE_QUESTION, 1, lambda text: False)) == 1


def test_a_grid_that_follows_the_picture_is_averaged_over_its_rows_and_columns() -> None:
    wide = torch.arange(36.0)[:, None]  # 4 x 9, not 6 x 6
    assert pool_grid(wide, 1, (4, 9))[:, 0].tolist() == [17.5]
    left, right = pool_grid(wide, 4, (4, 9))[:2, 0].tolist()
    assert (left, right) == (6.5, 10.5)  # columns 0-4 and 4-8 of the upper two rows
    assert torch.equal(pool_grid(wide, 36, (6, 6)), wide)
    assert pool_grid(torch.arange(4.0)[:, None], 9, (2, 2))[:, 0].tolist() == [0, 0.5, 1, 1, 1.5, 2, 2, 2.5, 3]
    assert pool_grid(torch.arange(4.0)[:, None], 6, (2, 2)).shape == (6, 1)


def test_the_frame_is_the_users_turn(mllm: Mllm) -> None:
    before, after = (mllm.tokenizer.decode(part) for part in mllm.frame)
    name = mllm.fingerprint.removesuffix("-0")
    assert before.startswith({"llava": "<s>USER", "gemma3": "<bos><start_of_turn>user"}.get(name, "<|im_start|>"))
    assert before.lower().count("user") == 1
    assert "system" not in before
    assert after.lower().rstrip().removesuffix(":").endswith("model" if name == "gemma3" else "assistant")


@pytest.mark.parametrize("shown", [False, True])
def test_greedy_answers_are_what_the_models_own_forward_says_step_by_step(mllm: Mllm, shown: bool) -> None:
    asked = prompt_of(mllm, 4) if shown else [*mllm.frame[0], *mllm.encode("A mug of blue clay"), *mllm.frame[1]]
    feature = mllm.encode_images(PICTURES[:1], 4)[0] if shown else None
    other = mllm.encode("A star, red")
    said = mllm.generate_ids([asked, other], [feature, None], 6)[0]
    ids = list(asked)
    for token in said:
        embeddings = mllm.embed(torch.tensor([ids]), feature[None] if feature is not None else None)
        with torch.no_grad():
            logits = mllm.model(inputs_embeds=embeddings).logits
        assert int(logits[0, -1].argmax()) == token
        ids.append(token)
    assert len(said) == 6 or said[-1] in mllm.end_tokens


def test_answers_are_weighed_alone_and_packed_and_depend_on_the_picture(mllm: Mllm) -> None:
    features, answers = mllm.encode_images(PICTURES, 4), [mllm.encode("blue clay"), mllm.encode("killer")]
    rows = [(feature, answer) for feature in features for answer in answers]
    asked = [prompt_of(mllm, 4)] * len(rows)
    found = token_log_probs(mllm, asked, [a for _, a in rows], [f for f, _ in rows])
    assert all(bool(values.isfinite().all()) and bool((values <= 0).all()) for values in found)
    assert (found[0] - found[2]).abs().max() > 1e-2
    words = ImageTokenVocabulary(mllm, dict(enumerate(features)))
    packs = [PackedPrompt(TokenSpan(words.fill(asked[0], code)), [TokenSpan(a) for a in answers]) for code in range(3)]
    with words.installed():
        packed = packed_log_probs(mllm, packs)
    for value, want in zip([v for values in packed for v in values], found, strict=True):
        torch.testing.assert_close(value, want, atol=1e-4, rtol=1e-4)


def test_pictures_are_words(mllm: Mllm) -> None:
    features = dict(enumerate(mllm.encode_images(PICTURES, 4)))
    words, answer = ImageTokenVocabulary(mllm, features), mllm.encode("blue clay")
    plain = prompt_of(mllm, 4)
    for code, feature in features.items():
        filled = words.fill(plain, code)
        (want,) = token_log_probs(mllm, [plain], [answer], [feature])
        said = mllm.generate_ids([plain], [feature], 5)
        with words.installed():
            (found,) = token_log_probs(mllm, [filled], [answer])
            assert mllm.generate_ids([filled], [None], 5) == said
            with torch.no_grad():  # the way trainers go
                logits = mllm.model(input_ids=torch.tensor([[*filled, *answer]])).logits.log_softmax(-1)[0]
        torch.testing.assert_close(found, want, atol=1e-5, rtol=1e-5)
        own = logits[len(plain) - 1 : -1].gather(1, torch.tensor(answer)[:, None])[:, 0]
        torch.testing.assert_close(own, want, atol=1e-4, rtol=1e-4)


def native(mllm: Mllm, ids: Tensor, shown: Image.Image, plain: bool) -> Tensor:
    """Log-probabilities (t, vocabulary) by the model's own way with a picture.

    plain: positions and looks in text order, and nothing of the picture but its tokens.
    """
    if mllm.tiles_alone:
        return native_in_company(mllm, ids, shown, plain)
    inputs = mllm.image_processor([shown], return_tensors="pt")
    if mllm.vision_layout.mutual and not plain:
        inputs["token_type_ids"] = (ids == mllm.image_token).int()
    if "image_grid_thw" in inputs:
        inputs["mm_token_type_ids"] = (ids == mllm.image_token).int()
        if plain:
            inputs["position_ids"] = torch.arange(ids.shape[1]).expand(3, 1, -1)
    with torch.no_grad():
        return mllm.model(input_ids=ids, **inputs).logits.log_softmax(-1)[0]


def native_in_company(mllm: Mllm, ids: Tensor, shown: Image.Image, plain: bool) -> Tensor:
    """As `native`, for a model that sees a picture whole only beside others. plain: without the mark at its end."""
    inputs = mllm.image_processor([[shown, shown]], return_tensors="pt")
    (tokens, _) = mllm.model.get_image_features(**inputs).pooler_output
    if not plain:
        end = int((ids[0] == mllm.image_token).nonzero()[-1]) + 1
        ids = torch.cat([ids[:, :end], ids[:, end - 1 : end], ids[:, end:]], 1)
    seen = BaseModelOutputWithPooling(pooler_output=[tokens[:-1] if plain else tokens])  # pyright: ignore
    with torch.no_grad():
        return mllm.model(input_ids=ids, mm_encoder_outputs={"image": seen}).logits.log_softmax(-1)[0]


def test_a_model_that_tiles_a_lone_picture_sees_it_as_among_others() -> None:
    mllm = tiny_of("llava_onevision")
    tiled = mllm.image_processor(PICTURES[:1], return_tensors="pt")
    assert tiled["pixel_values"].shape[1] > 1
    seen: list[torch.Size] = []
    tower = mllm.model.model.vision_tower
    hook = tower.register_forward_pre_hook(
        lambda module, given, named: seen.append((given or (named["pixel_values"],))[0].shape), with_kwargs=True
    )
    mllm.encode_images(PICTURES, 4)
    mllm.encode_images(PICTURES[:1], 4)
    hook.remove()
    assert [shape[0] for shape in seen] == [4, 2]  # each picture once, and one more


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_picture_that_is_not_averaged_is_ranked_by_as_in_the_models_own_way(name: str) -> None:
    mllm = tiny_of(name)
    whole = 64 if name.startswith("llava") else 16  # tokens of a picture that fills the tower: nothing is averaged
    square = PICTURES[0].resize((128, 128))
    ids = [*prompt_of(mllm, whole), *mllm.encode("blue")]
    seen = {7: mllm.encode_images([square], whole)[0]}
    batch = batch_of(mllm, [PackedPrompt(TokenSpan(ids[:-1], [7]), [TokenSpan(ids[-1:])])])
    with torch.no_grad():
        own = mllm.model.get_output_embeddings()(read(mllm, batch, seen, batch.answers)).log_softmax(-1)[0]
        in_order = mllm.embed(torch.tensor([ids]), seen[7][None])  # as stage 1 is tuned
        in_order = mllm.model.get_output_embeddings()(mllm.decoder(inputs_embeds=in_order).last_hidden_state)
    table = torch.tensor([ids])
    torch.testing.assert_close(
        native(mllm, table, square, plain=True), in_order.log_softmax(-1)[0], atol=1e-4, rtol=1e-4
    )
    apart = float((native(mllm, table, square, plain=False)[-1] - own).abs().max())
    assert (apart < 1e-3) == (name != "llava_onevision")  # it marks the end of a row
    changed = float((native(mllm, table, square, plain=False)[-1] - in_order.log_softmax(-1)[0, -1]).abs().max())
    assert (changed < 1e-3) == (name in ("smolvlm", "llava", "internvl"))


def test_a_folder_loads_without_torchvision(mllm: Mllm, tmp_path: Path) -> None:
    for part in (mllm.model, mllm.tokenizer, mllm.processor.image_processor):
        part.save_pretrained(tmp_path)
    own_settings = PROCESSING.get(mllm.fingerprint.removesuffix("-0"), {})
    (tmp_path / "processor_config.json").write_text(json.dumps(own_settings))
    loaded = Mllm.load(ModelSettings(name=str(tmp_path), dtype="float32"))
    assert loaded.frame == mllm.frame
    assert native_key(loaded, prompts.IMAGE_QUESTION) == native_key(mllm, prompts.IMAGE_QUESTION)
    asked = PICTURES[1:], prompts.IMAGE_QUESTION, 3, lambda text: False
    assert native_answers(loaded, *asked) == native_answers(mllm, *asked)
    assert torch.equal(loaded.encode_images(PICTURES, 4), mllm.encode_images(PICTURES, 4))
    assert loaded.generate([prompt_of(mllm, 4)], [mllm.encode_images(PICTURES, 4)[0]], 4)
    half = Mllm.load(ModelSettings(name=str(tmp_path), dtype="bfloat16"))
    seen = half.encode_images(PICTURES, 4)
    assert seen.dtype == torch.bfloat16
    (found,) = token_log_probs(half, [prompt_of(half, 4)], [half.encode("blue")], [seen[0]])
    assert bool(found.isfinite().all())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_adapter_trains_the_language_model_and_leaves_the_eye_alone(name: str) -> None:
    mllm = tiny_of(name)
    before, state = mllm.encode_images(PICTURES, 4), copy.deepcopy(mllm.model.state_dict())
    peft = add_adapter(mllm, rank=2, first_layer=0, seed=0)
    decoder = next(key for key, module in mllm.model.named_modules() if module is mllm.decoder)
    names = trainable(peft)
    assert len(names) == 2 * 7 * 2  # two layers of seven linear maps, a pair for each
    assert all(f"{decoder}.layers." in key for key in names)
    ids = torch.tensor([prompt_of(mllm, 4)])
    peft.train()
    trainer = Trainer(peft, 1e-2, 2)
    for _ in range(2):
        hidden = mllm.decoder(inputs_embeds=mllm.embed(ids, before[:1])).last_hidden_state
        trainer.step((hidden[:, -1] ** 3).mean())
    assert torch.equal(mllm.encode_images(PICTURES, 4), before)
    after = {key.replace(".base_layer", ""): value for key, value in mllm.model.state_dict().items()}
    assert all(torch.equal(after[key], value) for key, value in state.items())
    assert all(bool(weight.any()) for key, weight in names.items() if "lora_B" in key)


def embedding_model(texts: Sequence[str]) -> Tensor:
    """A bag of letters: cheap, and like for like texts."""
    rows = torch.tensor([[float(text.lower().count(chr(97 + n))) for n in range(26)] for text in texts])
    return rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-6)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * ("qwen" in name)) for name in QWENS_AND_SMOL]
)
def test_a_policy_is_tuned_from_end_to_end(
    name: str, drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompts, "SHOTS", ())
    mllm = tiny_of(name)
    seen = encode_catalogue_images(mllm, drawn, 4)
    features, rejected = seen.features, seen.rejected
    assert len(features) > 20
    assert not rejected
    asked = [prompts.text_prompt(mllm, item, 24) for item in drawn.items[:20]]
    asked.append(prompt_of(mllm, 4))
    teacher_logits = talking_mllm(
        asked, [f"{a}, {b}" for a in MATERIALS for b in ("home", "kitchen", "wear")], mllm=mllm
    )
    tuning = TuneSettings(
        items=6, held_out_items=3, samples=2, epochs=1, steps=2, prompts=2, group=4, rank=2, first_layer=0,
        learning_rate=2e-2, warm_start_learning_rate=2e-2,
    )  # fmt: skip
    settings = SummarizeSettings(
        visual_tokens=4, text_budget=24, max_new_tokens_text=8, max_new_tokens_image=6, tune=tuning
    )
    work = TuningContext(
        lambda: copy.deepcopy(teacher_logits), drawn, features, settings, 0, tmp_path / "work", embed=embedding_model
    )
    (tmp_path / "out").mkdir()
    facts = tune(work, tmp_path / "out")
    assert [entry["phase"] for entry in facts["curve"]] == ["warm start", "grpo", "grpo"]
    assert set(facts["curve"][-1]["rewards"]) == {"information", "reconstruction", "image", "length"}
    adapter = tmp_path / "out" / "adapter"
    weights, start = (load_file(folder / WEIGHTS) for folder in (adapter, tmp_path / "work" / "start"))
    assert any(bool(weight.any()) for key, weight in weights.items() if "lora_B" in key)
    assert any(not torch.equal(weight, start[key]) for key, weight in weights.items())
    assert all(".layers." in key and "vis" not in key for key in weights)
    table = pl.read_parquet(tmp_path / "out" / "heldout.parquet")
    assert set(table["modality"]) == {"text", "picture"}

    policy = merge_adapter(work.load(), adapter)
    code = min(features)
    question = PolicySummarizer(teacher_logits, drawn, features, settings).prompt(SummaryTask(0, "text", "", ""), False)
    answer = teacher_logits.encode("clay, kitchen")
    for asking, feature in ((question, None), (prompt_of(teacher_logits, 4), features[code])):
        plain, tuned = (token_log_probs(m, [asking], [answer], [feature])[0] for m in (teacher_logits, policy))
        assert (plain - tuned).abs().max() > 1e-3
    assert torch.equal(policy.encode_images(PICTURES, 4), teacher_logits.encode_images(PICTURES, 4))
