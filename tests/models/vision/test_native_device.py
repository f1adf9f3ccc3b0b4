"""On an accelerator, for which a device stands in, a model sees pictures in its own way as on a CPU."""

from collections.abc import Iterator

import pytest
import torch
from architectures import tiny_of
from PIL import Image
from standin import REAL, standin

from mmsrarec.models.packing.forward import batch_of, read
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan
from mmsrarec.models.vision.native_pictures import native_answers, native_log_probs
from mmsrarec.summarize.prompts import IMAGE_QUESTION, image_prompt

PICTURES = [Image.new("RGB", size, colour) for size, colour in (((60, 60), "red"), ((130, 50), "navy"))]
NAMES = ("qwen2_5_vl", "qwen3_vl", "smolvlm", "internvl", "gemma3", "llava_onevision")


@pytest.fixture
def device() -> Iterator[str]:
    with standin() as name:
        yield name


@pytest.mark.parametrize("name", NAMES)
def test_pictures_are_asked_about_there(name: str, device: str) -> None:
    near, far = tiny_of(name), tiny_of(name)
    far.model.to(device)
    answers = [near.encode("blue, clay"), near.encode("star")]
    never = lambda text: False  # noqa: E731
    want = native_answers(near, PICTURES, IMAGE_QUESTION, 3, never)
    assert native_answers(far, PICTURES, IMAGE_QUESTION, 3, never) == want
    for found, value in zip(
        native_log_probs(far, PICTURES, IMAGE_QUESTION, answers),
        native_log_probs(near, PICTURES, IMAGE_QUESTION, answers),
        strict=True,
    ):
        torch.testing.assert_close(found, value, atol=1e-4 if REAL else 1e-6, rtol=1e-4 if REAL else 1e-6)


def test_deepstack_features_are_read_there(device: str) -> None:
    found = []
    for place in ("cpu", device):
        mllm = tiny_of("qwen3_vl")
        mllm.model.to(place)
        seen = {3: mllm.encode_images(PICTURES[:1], 4)[0]}
        assert seen[3].device.type == "cpu"
        batch = batch_of(mllm, [PackedPrompt(TokenSpan(image_prompt(mllm, 4), [3]), [TokenSpan([9])])])
        with torch.inference_mode():
            found.append(read(mllm, batch, seen, batch.answers).cpu())
            assert mllm.generate([image_prompt(mllm, 4)], [seen[3]], 2)
    torch.testing.assert_close(found[1], found[0], atol=1e-4 if REAL else 1e-6, rtol=1e-4 if REAL else 1e-6)
