"""How a prompt becomes token ids: the picture first, then the question, then the start of the text."""

from tiny import tiny_mllm

from mmsrarec.engines.prompt_rendering import prompt_ids
from mmsrarec.engines.protocol import Prompt

MLLM = tiny_mllm()


def read(prompt: Prompt, text_tokens: int = 100, visual_tokens: int = 0) -> str:
    return MLLM.tokenizer.decode(prompt_ids(MLLM, prompt, text_tokens, visual_tokens))


def test_all_parts_in_their_order() -> None:
    prompt = Prompt("Why? ", "A mug.", (("A star.", "red"),), picture=True)
    assert read(prompt, visual_tokens=2) == (
        "<|im_start|>user\nWhy? A star.<|im_end|>\n<|im_start|>assistant\nred<|im_end|>\n"
        "<|im_start|>user\n<image><image>Why? A mug.<|im_end|>\n<|im_start|>assistant\n"
    )


def test_parts_that_are_not_there_leave_no_trace() -> None:
    assert read(Prompt("Why?"), visual_tokens=9) == "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"


def test_an_instruction_is_for_other_models() -> None:
    assert prompt_ids(MLLM, Prompt("Why?", instruction="Be brief.")) == prompt_ids(MLLM, Prompt("Why?"))


def test_a_long_text_keeps_its_start() -> None:
    start = MLLM.tokenizer.decode(MLLM.encode("mug " * 50)[:4])
    assert read(Prompt("Why? ", "mug " * 50), 4) == f"<|im_start|>user\nWhy? {start}<|im_end|>\n<|im_start|>assistant\n"
