"""Stage 1 of MMSRARec (arXiv 2512.20916): every item becomes keywords, once, offline.

The model is asked about the picture and about the text apart, so that neither is ignored, and the answers are united.
A summary is a function of the item alone: no user, no log, no other item has a part in it.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from mmsrarec.artefacts import key
from mmsrarec.data.dataset import Dataset, Item
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.mllm import Mllm
from mmsrarec.summarize.keywords import Keywords, Source, distinct, fallback, grounded, parse, stop_after, words
from mmsrarec.summarize.prompts import image_prompt, item_text, text_prompt
from mmsrarec.summarize.settings import SummarizeSettings
from mmsrarec.summarize.store import Job, Store

FEWEST = 3
"""Keywords a text's answer must give; where it gives fewer, the item's own words fill the row up."""

ProgressCall = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Question:
    """One thing to ask. content: hash of the text or picture it is about; feature: (v, d) of the picture."""

    content: str
    prompt: Sequence[int]
    feature: Tensor | None = None


def summarize(
    dataset: Dataset,
    mllm: Mllm,
    settings: SummarizeSettings,
    store_path: str | Path,
    features: Mapping[int, Tensor] | None = None,
    batch: int = 32,
    progress: ProgressCall = lambda done, total, label: None,
    eye: str = "",
) -> Keywords:
    """Keywords of all items. features: item code -> (v, d), what the model sees of the picture; others are text-only.
    eye: what else the features depend on than the model as it was loaded.

    Answers are kept in the store batch by batch, and only what is missing there is computed. progress(done, total,
    label). Raises MmsrarecError where the store cannot be used, or the model fails on all that it is asked.
    """
    texts: dict[int, Question] = {}
    pictures: dict[int, Question] = {}
    for code, item in enumerate(dataset.items):
        if settings.texts and (written := item_text(item)):
            texts[code] = Question(_hash(written.encode()), text_prompt(mllm, item, settings.text_budget))
        path = dataset.image_path(code)
        if settings.pictures and features and code in features and path is not None:
            seen = features[code]
            pictures[code] = Question(_hash(path.read_bytes()), image_prompt(mllm, len(seen)), seen)
    said: list[dict[int, str]] = []
    with Store(store_path) as store:
        for modality, questions in (("text", texts), ("picture", pictures)):
            job, stop, tokens = _job(modality, mllm, settings, eye)
            answers = _ask(store, job, mllm, questions.values(), stop, tokens, batch, progress)
            said.append({code: answers[q.content] for code, q in questions.items() if q.content in answers})
    text: list[tuple[tuple[str, ...], Source]] = [
        read_text(said[0].get(code), item, settings.max_keywords_text) if code in texts else ((), "none")
        for code, item in enumerate(dataset.items)
    ]
    image = [read_image(said[1].get(code), settings.max_keywords_image) for code in range(len(dataset.items))]
    return Keywords(
        image=tuple(keywords for keywords, _ in image),
        text=tuple(keywords for keywords, _ in text),
        source=tuple((i, t) for (_, i), (_, t) in zip(image, text, strict=True)),
        answers=tuple((said[1].get(code), said[0].get(code)) for code in range(len(dataset.items))),
    )


def read_text(answer: str | None, item: Item, limit: int) -> tuple[tuple[str, ...], Source]:
    """The keywords of an answer about a text that the text bears out, filled up from the item where they are few."""
    text = item_text(item)
    kept = tuple(keyword for keyword in parse(answer or "", limit) if grounded(keyword, text))
    if len(kept) >= min(FEWEST, limit):
        return kept, "model"
    filled = distinct((*kept, *fallback(item, limit)), limit)
    return filled, "fallback" if filled else "none"


def read_image(answer: str | None, limit: int) -> tuple[tuple[str, ...], Source]:
    """The keywords of an answer about a picture. Nothing stands in for a useless one: only the picture knows."""
    kept = parse(answer or "", limit)
    return kept, "model" if kept else "none"


def _job(modality: str, mllm: Mllm, settings: SummarizeSettings, eye: str) -> tuple[Job, Callable[[str], bool], int]:
    """The parts of a store key that questions share, when an answer is long enough, and its tokens at most."""
    model = mllm.fingerprint
    if modality == "text":
        template, limit = text_prompt(mllm, Item(""), 1), settings.max_keywords_text
        tokens = settings.max_new_tokens_text
        decoding = key(keywords=limit, tokens=tokens, budget=settings.text_budget)
    else:
        model += eye
        template, limit = image_prompt(mllm, 1), settings.max_keywords_image
        tokens = settings.max_new_tokens_image
        decoding = key(keywords=limit, tokens=tokens, visual_tokens=settings.visual_tokens)
    return Job(modality, model, key(ids=template)[:16], decoding[:16]), stop_after(limit), tokens


def _ask(
    store: Store,
    job: Job,
    mllm: Mllm,
    questions: Iterable[Question],
    stop: Callable[[str], bool],
    tokens: int,
    batch: int,
    progress: ProgressCall,
) -> dict[str, str]:
    """Content hash -> answer, for all but what the model fails on."""
    answers = store.answers(job)
    different = {question.content: question for question in questions}
    order = sorted(different.values(), key=lambda question: (len(question.prompt), question.content))
    # Batches are cut before the answered ones are left out: resumed work forms the batches of uninterrupted work, so
    # low-precision rounding, which depends on a batch's shape, comes out the same.
    batches = [order[start : start + batch] for start in range(0, len(order), batch)]
    failed: list[str] = []
    tried = done = 0
    for whole in batches:
        missing = [question for question in whole if question.content not in answers]
        rows = _answer(mllm, missing, stop, tokens)
        if rows:
            store.add(job, rows)
        answers |= {content: answer for content, answer, _ in rows if answer is not None}
        failed += [reason for _, _, reason in rows if reason is not None]
        tried, done = tried + len(missing), done + len(whole)
        progress(done, len(order), f"keywords of {job.modality}s")
    if failed and len(failed) == tried:
        raise MmsrarecError(f"the model answered none of {tried} questions about {job.modality}s: {failed[0]}")
    return answers


def _answer(
    mllm: Mllm, questions: Sequence[Question], stop: Callable[[str], bool], tokens: int
) -> list[tuple[str, str | None, str | None]]:
    """(content hash, answer, reason of failure) of each question; one that fails does not take its batch along."""
    if not questions:
        return []
    try:
        said = mllm.generate([q.prompt for q in questions], [q.feature for q in questions], tokens, stop)
    except RuntimeError as error:  # torch's errors, out of memory included
        if len(questions) == 1:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            return [(questions[0].content, None, reason)]
        return [row for question in questions for row in _answer(mllm, [question], stop, tokens)]
    return [(q.content, answer, None) for q, answer in zip(questions, said, strict=True)]


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def statistics(keywords: Keywords, dataset: Dataset) -> dict[str, float]:
    """What stage 1 did, in figures: counts are means over all items, shares are of the items or keywords named.

    *_asked: share of items; *_fallback: of the asked, whose answer was of little use; ungrounded: keywords dropped
    because the text does not bear them out, per answer; from_title: of the text keywords, those that repeat the title.
    """
    n = max(len(dataset.items), 1)
    united = [keywords.united(code) for code in range(len(dataset.items))]
    asked = [[answer for answer in column if answer is not None] for column in zip(*keywords.answers, strict=True)]
    images, texts = asked or ([], [])
    rows = list(zip(keywords.answers, keywords.source, strict=True))
    poor_images = sum(answer is not None and source != "model" for (answer, _), (source, _) in rows)
    poor_texts = sum(answer is not None and source != "model" for (_, answer), (_, source) in rows)
    dropped = from_title = 0
    for item, (_, answer), kept in zip(dataset.items, keywords.answers, keywords.text, strict=True):
        text, title = item_text(item), set(words(item.title))
        dropped += sum(not grounded(keyword, text) for keyword in parse(answer or ""))
        from_title += sum(set(words(keyword)) <= title for keyword in kept)
    return {
        "items": len(dataset.items),
        "keywords": sum(map(len, united)) / n,
        "text_keywords": sum(map(len, keywords.text)) / n,
        "image_keywords": sum(map(len, keywords.image)) / n,
        "text_asked": len(texts) / n,
        "image_asked": len(images) / n,
        "text_fallback": poor_texts / max(len(texts), 1),
        "image_fallback": poor_images / max(len(images), 1),
        "ungrounded": dropped / max(len(texts), 1),
        "from_title": from_title / max(sum(map(len, keywords.text)), 1),
        "without_keywords": sum(not row for row in united) / n,
        "vocabulary": len({keyword for row in united for keyword in row}),
    }
