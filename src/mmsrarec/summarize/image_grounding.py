"""Whether a picture bears out what was said of it: the keywords of an answer, with the picture and with a grey one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate

from torch import Tensor

from mmsrarec.core.artefacts import key
from mmsrarec.core.progress import Count
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.image_features import blank
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.packing.answer_likelihood import token_log_probs
from mmsrarec.summarize.answer_store import Store
from mmsrarec.summarize.prompts import image_prompt

BLANK = "blank"
"""Stands in the store for the content of the grey picture."""


def support(
    store: Store,
    model: str,
    mllm: Mllm,
    said: Mapping[str, Sequence[str]],
    features: Mapping[str, Tensor],
    mine: Callable[[str], bool],
    batch: int,
    progress: Count,
) -> dict[tuple[str, str], float]:
    """(content hash, keyword) -> log P(keyword | picture) - log P(keyword | grey picture), for what is known by now.

    said, features: content hash of a picture -> the keywords of its answer, and (v, d). A keyword stands after those
    before it, as the model said it: asked for right after the prompt, one of six right keywords would look unfounded.
    """
    if not said:
        return {}
    seen = dict(features)
    tokens = len(seen[next(iter(said))])
    prompt = image_prompt(mllm, tokens)
    form = key(ids=prompt)[:16]
    known = store.support(model, form)
    order = sorted(filter(mine, said))
    for start in range(0, len(order), batch):
        asked = [(content, tuple(said[content])) for content in order[start : start + batch]]
        asked += [(BLANK, keywords) for _, keywords in asked]
        missing = [
            (content, keywords)
            for content, keywords in dict.fromkeys(asked)
            if any((content, so_far) not in known for so_far in prefixes(keywords))
        ]
        if BLANK not in seen and any(content == BLANK for content, _ in missing):
            seen[BLANK] = blank(mllm, tokens).to(seen[order[0]])
        rows: dict[tuple[str, str], float] = {}
        for (content, keywords), values in zip(missing, _score(mllm, prompt, missing, seen), strict=True):
            for so_far, value in zip(prefixes(keywords), values, strict=True):
                if (content, so_far) not in known:
                    rows.setdefault((content, so_far), value)
        store.add_support(model, form, [(*place, value) for place, value in rows.items()])
        known |= rows
        progress(min(start + batch, len(order)), len(order), "keywords checked with pictures")
    return {
        (content, keyword): known[content, so_far] - known[BLANK, so_far]
        for content, keywords in said.items()
        for keyword, so_far in zip(keywords, prefixes(keywords), strict=True)
        if (content, so_far) in known and (BLANK, so_far) in known
    }


def prefixes(keywords: Iterable[str]) -> list[str]:
    """The answer up to each of its keywords: what names a keyword's place in the store."""
    return list(accumulate(keywords, "{}, {}".format))


def pieces(mllm: Mllm, keywords: Sequence[str]) -> list[list[int]]:
    """Token ids of each keyword in the answer, tokenised apart, so that each token belongs to one keyword."""
    return [mllm.encode(f", {keyword}" if place else keyword) for place, keyword in enumerate(keywords)]


def _score(
    mllm: Mllm, prompt: Sequence[int], asked: Sequence[tuple[str, Sequence[str]]], features: Mapping[str, Tensor]
) -> list[list[float]]:
    """log P of each keyword, for (content hash, keywords) pairs."""
    parts = [pieces(mllm, keywords) for _, keywords in asked]
    answers = [[token for part in row for token in part] for row in parts]
    try:
        found = token_log_probs(mllm, [prompt] * len(asked), answers, [features[content] for content, _ in asked])
    except RuntimeError as error:  # torch's errors, out of memory included
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise MmsrarecError(f"cannot check the keywords of pictures: {reason}; start again: nothing is lost") from None
    return [
        [float(piece.sum()) for piece in values.split([len(part) for part in row])]
        for values, row in zip(found, parts, strict=True)
    ]
