"""Writes a prompt as the messages of a chat, for a server that renders and tokenises them.

The server's tokenizer reads marks such as <|im_end|> in any text as special tokens. So marks in untrusted text are
broken by a blank, and all other text stays as it is.
"""

from typing import Any

import regex

from mmsrarec.engines.protocol import Prompt

_OPENING = regex.compile(r"<(?=[|\uff5c])")
_CLOSING = regex.compile(r"(?<=[|\uff5c])>")
_TAG = regex.compile(r"<(?=/?[\w\u2581|\uff5c-]{1,60}>)")
_BRACKETS = regex.compile(
    r"\[(?=/?(?:INST|IMG|IMG_BREAK|IMG_END|SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|AVAILABLE_TOOLS|"
    r"ARGS|CALL_ID|THINK|AUDIO|BEGIN_AUDIO|PREFIX|SUFFIX|MIDDLE|gMASK|sMASK|MASK|CLS|SEP|PAD|UNK|BOS|EOS)\])"
)
_DOUBLED = regex.compile(r"<(?=<SYS>>|</SYS>>)")


def without_marks(text: str) -> str:
    """A text in which no tokenizer finds a special token: a blank stands after the first character of each mark."""
    for mark in (_OPENING, _TAG, _DOUBLED):
        text = mark.sub("< ", text)
    return _BRACKETS.sub("[ ", _CLOSING.sub(" >", text))


def chat_messages(prompt: Prompt, picture_url: str | None = None) -> list[dict[str, Any]]:
    """Write a prompt as messages: the instruction, the examples with their answers, and the question.

    Args:
        prompt: The prompt.
        picture_url: The picture as a data URL; None without one.

    Returns:
        Messages as OpenAI's chat completions take them. Where there is no picture, contents are plain strings, which
        servers of text models take too.
    """
    messages: list[dict[str, Any]] = []
    if prompt.instruction:
        messages.append({"role": "system", "content": prompt.instruction})
    for text, answer in prompt.examples:
        messages += [
            {"role": "user", "content": prompt.question + text},
            {"role": "assistant", "content": answer},
        ]
    question = prompt.question + without_marks(prompt.text)
    if picture_url is None:
        return [*messages, {"role": "user", "content": question}]
    parts = [{"type": "image_url", "image_url": {"url": picture_url}}, {"type": "text", "text": question}]
    return [*messages, {"role": "user", "content": parts}]
