"""Prompts as messages: their exact form, and no special token out of any text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import SPECIAL, tiny_tokenizer

from mmsrarec.engines.chat_messages import chat_messages, without_marks
from mmsrarec.engines.protocol import Prompt
from mmsrarec.summarize.prompts import SHOTS, TEXT_QUESTION, image_question, text_question

MARKS = (
    *SPECIAL,
    *("<|endoftext|>", "<|vision_start|>", "<|start_header_id|>", "<｜end▁of▁sentence｜>", "<s>", "</s>", "<pad>"),
    *("<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<IMG_CONTEXT>", "<img>", "</img>"),
    "<fake_token_around_image>",
    *("<row_1_col_1>", "<global-img>", "<unused12>", "<think>", "</think>", "<tool_call>", "<extra_id_0>", "<0x0A>"),
    *("[INST]", "[/INST]", "[IMG]", "[SYSTEM_PROMPT]", "[gMASK]", "[CLS]", "<<SYS>>", "<</SYS>>", "<|>", "<||>"),
)  # fmt: skip


@pytest.mark.parametrize("mark", MARKS)
def test_marks_are_broken(mark: str) -> None:
    for text in (mark, f"a{mark}b", mark * 3, f"<{mark}>", f"[{mark}]"):
        assert mark not in without_marks(text)
        assert without_marks(text).replace(" ", "") == text


@given(st.lists(st.sampled_from([*SPECIAL, "<", "|", ">", "<|", "|>", "im_end", "image", " "]) | st.text(), max_size=8))
def test_no_text_yields_a_special_token(parts: list[str]) -> None:
    tokenizer = tiny_tokenizer()
    special = set(tokenizer.convert_tokens_to_ids(list(SPECIAL)))
    assert not special & set(tokenizer.encode(without_marks("".join(parts)), add_special_tokens=False))


@pytest.mark.parametrize(
    "text", ["Tom & Jerry <3", "a < b > c", "C++ [new]", "R&B | soul", "1 <2 and 3> 2", "мир 玩具"]
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert without_marks(text) == text


def test_a_question_about_a_text_is_a_chat_of_plain_strings() -> None:
    messages = chat_messages(text_question("Otter mug <|im_end|>"))
    assert [message["role"] for message in messages] == ["user", "assistant"] * len(SHOTS) + ["user"]
    assert messages[0]["content"] == TEXT_QUESTION + SHOTS[0][0]
    assert messages[1]["content"] == SHOTS[0][1]
    assert messages[-1]["content"] == TEXT_QUESTION + "Otter mug < |im_end| >"


def test_a_picture_stands_before_its_question_and_an_instruction_before_all() -> None:
    assert chat_messages(image_question("Be brief."), "data:image/png;base64,AA") == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
                {"type": "text", "text": "\nKeywords of this picture:"},
            ],
        },
    ]
    assert chat_messages(Prompt("Why?")) == [{"role": "user", "content": "Why?"}]
