"""Image grounding: how much likelier a picture makes its keywords than a grey picture does."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate

import torch
from torch import Tensor

from mmsrarec.core.artefacts import key
from mmsrarec.core.progress import Count
from mmsrarec.data.images import BadPicture
from mmsrarec.engines.picture_urls import open_shrunk
from mmsrarec.engines.protocol import PictureFile
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.packing.answer_likelihood import token_log_probs
from mmsrarec.models.vision.image_features import blank, grey_picture
from mmsrarec.models.vision.native_pictures import native_key, native_log_probs
from mmsrarec.summarize.answer_store import Store
from mmsrarec.summarize.prompts import IMAGE_QUESTION, image_prompt

BLANK = "blank"
"""The content hash of the grey picture in the store."""


def support(
    store: Store,
    model: str,
    mllm: Mllm,
    answers: Mapping[str, Sequence[str]],
    features: Mapping[str, Tensor],
    mine: Callable[[str], bool],
    batch: int,
    progress: Count,
    files: Mapping[str, PictureFile] | None = None,
) -> dict[tuple[str, str], float]:
    """Compute log P(keyword | picture) - log P(keyword | grey picture) of the keywords of answers.

    A keyword is scored after the keywords before it, as in the answer: right after the prompt, one of six correct
    keywords would look unsupported. Log-probabilities are kept in the store batch by batch, and only missing ones are
    computed.

    Args:
        store: The store of answers.
        model: The model's fingerprint in the store.
        mllm: The model.
        answers: The keywords of each picture's answer, by content hash.
        features: (v, d) picture features, by content hash.
        mine: Which content hashes are computed here; the others must be in the store.
        batch: Pictures of a batch.
        progress: Called with (done, total, label).
        files: The pictures, by content hash, where the model sees them in its own way; None takes the features.

    Returns:
        The difference of each (content hash, keyword) whose log-probabilities are in the store by now.

    Raises:
        MmsrarecError: If the model fails, or the store cannot be written.
    """
    if not answers:
        return {}
    features = dict(features)
    tokens = 1 if files is not None else len(features[next(iter(answers))])
    prompt = image_prompt(mllm, tokens)
    native_input = native_key(mllm, IMAGE_QUESTION) if files is not None else {}
    prompt_hash = key(ids=prompt, **native_input)[:16]
    log_probs = store.support(model, prompt_hash)
    order = sorted(filter(mine, answers))
    for start in range(0, len(order), batch):
        pairs = [(content, tuple(answers[content])) for content in order[start : start + batch]]
        pairs += [(BLANK, keywords) for _, keywords in pairs]
        missing = [
            (content, keywords)
            for content, keywords in dict.fromkeys(pairs)
            if any((content, prefix) not in log_probs for prefix in prefixes(keywords))
        ]
        if files is None and BLANK not in features and any(content == BLANK for content, _ in missing):
            features[BLANK] = blank(mllm, tokens).to(features[order[0]])
        rows: dict[tuple[str, str], float] = {}
        for (content, keywords), values in zip(missing, _score(mllm, prompt, missing, features, files), strict=True):
            for prefix, value in zip(prefixes(keywords), values, strict=True):
                if (content, prefix) not in log_probs:
                    rows.setdefault((content, prefix), value)
        store.add_support(model, prompt_hash, [(*place, value) for place, value in rows.items()])
        log_probs |= rows
        progress(min(start + batch, len(order)), len(order), "keywords checked with pictures")
    return {
        (content, keyword): log_probs[content, prefix] - log_probs[BLANK, prefix]
        for content, keywords in answers.items()
        for keyword, prefix in zip(keywords, prefixes(keywords), strict=True)
        if (content, prefix) in log_probs and (BLANK, prefix) in log_probs
    }


def prefixes(keywords: Iterable[str]) -> list[str]:
    """The answer up to each of its keywords, which is the key of a keyword in the store."""
    return list(accumulate(keywords, "{}, {}".format))


def pieces(mllm: Mllm, keywords: Sequence[str]) -> list[list[int]]:
    """The token ids of each keyword in an answer, tokenised apart, so that each token belongs to one keyword."""
    return [mllm.encode(f", {keyword}" if place else keyword) for place, keyword in enumerate(keywords)]


def _score(
    mllm: Mllm,
    prompt: Sequence[int],
    pairs: Sequence[tuple[str, Sequence[str]]],
    features: Mapping[str, Tensor],
    files: Mapping[str, PictureFile] | None,
) -> list[list[float]]:
    """The log P of each keyword, for (content hash, keywords) pairs."""
    keyword_ids = [pieces(mllm, keywords) for _, keywords in pairs]
    answers = [[token for ids in row for token in ids] for row in keyword_ids]
    try:
        if files is None:
            seen = [features[content] for content, _ in pairs]
            log_probs = token_log_probs(mllm, [prompt] * len(pairs), answers, seen)
        else:
            pictures = [grey_picture() if content == BLANK else open_shrunk(files[content]) for content, _ in pairs]
            log_probs = native_log_probs(mllm, pictures, IMAGE_QUESTION, answers) if pairs else []
    except (RuntimeError, BadPicture) as error:  # torch's errors, out of memory included
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise MmsrarecError(f"cannot check the keywords of pictures: {reason}; start again: nothing is lost") from None
    return [
        [float(part.sum()) for part in torch.split(values, [len(ids) for ids in row])]
        for values, row in zip(log_probs, keyword_ids, strict=True)
    ]
