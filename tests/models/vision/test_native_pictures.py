"""A model that is asked about a picture reads and answers what transformers' own processor and forward pass do."""

import copy
from functools import cache

import pytest
import torch
from architectures import ARCHITECTURES, GEMMA, OTHER_NAMES, PICTURES, QWEN, tiny_of
from PIL import Image
from tiny import tiny_mllm
from torch import Tensor, nn

from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.vision import native_pictures
from mmsrarec.models.vision.native_pictures import native_answers, native_inputs, native_key, native_log_probs
from mmsrarec.models.vision.native_processor import NATIVE_FAMILIES
from mmsrarec.summarize.prompts import IMAGE_QUESTION

FAMILIES = (*ARCHITECTURES, *OTHER_NAMES)
TILED = {"smolvlm", "idefics3", "internvl", "llava_onevision"}
PARTS = (
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}MARK{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}"
)
TURNS = "{% for message in messages %}<|im_start|>{{ message['role'] }}\n" + PARTS + "<|im_end|>\n{% endfor %}"
ANSWER = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
QWEN_MARK = f"{QWEN[2]}{QWEN[4]}{QWEN[3]}"
TEMPLATES = {  # as published, for one turn; the other families' own templates know pictures
    "qwen2_5_vl": SYSTEM + TURNS.replace("MARK", QWEN_MARK) + ANSWER,
    "qwen3_vl": TURNS.replace("MARK", QWEN_MARK) + ANSWER,
    "internvl": TURNS.replace("MARK", "<IMG_CONTEXT>\n") + ANSWER,
    "llava_onevision": TURNS.replace("MARK", "<image>") + ANSWER,
    "gemma3": "{{ bos_token }}{% for message in messages %}<start_of_turn>{{ message['role'] }}\n"
    + PARTS.replace("MARK", GEMMA[3])
    + "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}",
}
CHATML = f"<|im_start|>user\n{{}}{IMAGE_QUESTION}<|im_end|>\n<|im_start|>assistant\n"
SMOL = f"<|im_start|>User:<image>{IMAGE_QUESTION}<end_of_utterance>\nAssistant:"
TEXTS = {
    "qwen2_5_vl": CHATML.format(QWEN_MARK),
    "qwen3_vl": CHATML.format(QWEN_MARK),
    "internvl": CHATML.format("<IMG_CONTEXT>\n"),
    "llava_onevision": CHATML.format("<image>"),
    "llava": f"USER: <image>\n{IMAGE_QUESTION} ASSISTANT:",
    "smolvlm": SMOL,
    "idefics3": SMOL,
    "gemma3": f"<bos><start_of_turn>user\n{GEMMA[3]}{IMAGE_QUESTION}<end_of_turn>\n<start_of_turn>model\n",
}
"""The prompts that people would write by hand."""


@pytest.fixture(scope="module", params=FAMILIES)
def mllm(request: pytest.FixtureRequest) -> Mllm:
    mllm = tiny_of(request.param)
    mllm.processor.chat_template = TEMPLATES.get(request.param)
    return mllm


def name_of(mllm: Mllm) -> str:
    return mllm.fingerprint.removesuffix("-0")


def own_inputs(mllm: Mllm, shown: Image.Image) -> dict[str, Tensor]:
    """What transformers' processor makes of a picture and a prompt that is written by hand."""
    name = name_of(mllm)
    return mllm.processor(images=[[shown]], text=[TEXTS[name]], return_tensors="pt", add_special_tokens=name == "llava")


def own_logits(mllm: Mllm, shown: Image.Image, more: list[int]) -> Tensor:
    """(t, vocabulary) log-probabilities of transformers' forward pass over a prompt and the start of an answer."""
    inputs = own_inputs(mllm, shown)
    ids = torch.tensor([more], dtype=torch.long)
    inputs["input_ids"] = torch.cat([inputs["input_ids"], ids], 1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    for types in ("mm_token_type_ids", "token_type_ids"):
        if types in inputs:
            inputs[types] = torch.cat([inputs[types], torch.zeros_like(ids)], 1)
    with torch.no_grad():
        return plain_model(mllm)(**inputs).logits[0].log_softmax(-1)


@cache
def plain_model(mllm: Mllm) -> nn.Module:
    """The same weights with transformers' own attention, written out."""
    model = copy.deepcopy(mllm.model)
    model.get_decoder().config._attn_implementation = "eager"
    return model


def test_all_families_that_are_named_are_compared() -> None:
    assert {tiny_of(name).model.config.model_type for name in FAMILIES} == NATIVE_FAMILIES


def test_the_model_reads_what_transformers_processor_makes_of_a_prompt_by_hand(mllm: Mllm) -> None:
    for shown in PICTURES:
        ours, want = native_inputs(mllm, [shown], IMAGE_QUESTION), own_inputs(mllm, shown)
        assert ours.keys() == want.keys()
        for key, value in want.items():
            assert torch.equal(ours[key], value), key


def test_a_wide_picture_is_seen_in_tiles_where_the_family_has_them(mllm: Mllm) -> None:
    shown = native_inputs(mllm, PICTURES[2:], IMAGE_QUESTION)["input_ids"]
    placeholders, once = int((shown == mllm.image_token).sum()), 64 if "llava" in name_of(mllm) else 16
    assert (placeholders > once) == (name_of(mllm) in TILED)
    if name_of(mllm) in ("smolvlm", "idefics3"):
        assert placeholders == 3 * 16  # two tiles side by side, and the whole picture


def test_answers_weigh_what_transformers_forward_pass_says(mllm: Mllm) -> None:
    answers = [mllm.encode("blue, clay"), mllm.encode("star"), mllm.encode("a mug")]
    together = native_log_probs(mllm, PICTURES, IMAGE_QUESTION, answers)
    for shown, answer, found in zip(PICTURES, answers, together, strict=True):
        logits = own_logits(mllm, shown, answer)[-len(answer) - 1 : -1]
        want = logits.gather(1, torch.tensor(answer)[:, None])[:, 0]
        torch.testing.assert_close(found, want, atol=1e-4, rtol=1e-4)
    swapped = native_log_probs(mllm, PICTURES[::-1], IMAGE_QUESTION, answers)
    assert (swapped[0] - together[0]).abs().max() > 1e-2


def test_an_answer_is_the_likeliest_of_transformers_forward_pass_token_by_token(mllm: Mllm) -> None:
    said = native_answers(mllm, PICTURES, IMAGE_QUESTION, 5, lambda text: False)
    for shown, text in zip(PICTURES, said, strict=True):
        ids: list[int] = []
        while len(ids) < 5 and not (ids and ids[-1] in mllm.end_tokens):
            ids.append(int(own_logits(mllm, shown, ids)[-1].argmax()))
        assert text == mllm.tokenizer.decode(ids, skip_special_tokens=True)


def test_many_pictures_are_seen_few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    mllm, seen = tiny_of("smolvlm"), []
    whole = native_answers(mllm, PICTURES, IMAGE_QUESTION, 3, lambda text: False)
    answers = [mllm.encode(word) for word in ("star", "mug", "clay")]
    weighed = native_log_probs(mllm, PICTURES, IMAGE_QUESTION, answers)
    monkeypatch.setattr(native_pictures, "PICTURES_AT_ONCE", 2)

    def listen(mllm: Mllm, pictures: list[Image.Image], question: str) -> dict[str, Tensor]:
        seen.append(len(pictures))
        return native_inputs(mllm, pictures, question)

    monkeypatch.setattr(native_pictures, "native_inputs", listen)
    assert native_answers(mllm, PICTURES, IMAGE_QUESTION, 3, lambda text: False) == whole
    for found, want in zip(native_log_probs(mllm, PICTURES, IMAGE_QUESTION, answers), weighed, strict=True):
        torch.testing.assert_close(found, want, atol=1e-4, rtol=1e-4)
    assert seen == [2, 1, 2, 1]


def test_an_answer_ends_where_it_is_complete(mllm: Mllm) -> None:
    whole = native_answers(mllm, PICTURES[:1], IMAGE_QUESTION, 6, lambda text: False)[0]
    short = native_answers(mllm, PICTURES[:1], IMAGE_QUESTION, 6, lambda text: len(text) > 0)[0]
    assert whole.startswith(short)
    assert len(short) <= len(whole)


def test_what_answers_depend_on_names_the_question_and_the_processor(mllm: Mllm) -> None:
    first = native_key(mllm, IMAGE_QUESTION)
    assert first == native_key(mllm, IMAGE_QUESTION)
    assert first != native_key(mllm, "\nThe colour:")
    mllm.processor.image_processor.image_mean = [0.4] * 3
    other = native_key(mllm, IMAGE_QUESTION)
    mllm.processor.image_processor.image_mean = [0.5] * 3
    assert first != other


def test_the_averaged_way_does_not_depend_on_what_was_asked_before(mllm: Mllm) -> None:
    ids = torch.tensor([mllm.encode("a mug of blue clay")])
    with torch.no_grad():
        before = mllm.model(input_ids=ids).logits
        native_answers(mllm, PICTURES[2:], IMAGE_QUESTION, 2, lambda text: False)
        after = mllm.model(inputs_embeds=mllm.embed(ids, None)).logits
    torch.testing.assert_close(after, before)


def test_the_embedded_model_has_no_way_of_its_own() -> None:
    assert tiny_mllm().processor is None
