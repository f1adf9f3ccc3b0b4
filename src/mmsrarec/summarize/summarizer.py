"""Stage 1 of MMSRARec (arXiv 2512.20916): every item becomes keywords, once, offline.

The model is asked about the picture and about the text apart, so that neither is ignored, and the answers are united.
A summary is a function of the catalogue alone: no user and no log has a part in it, and other items only by what they
say of the language, and by the words that most of them hold.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from mmsrarec.core.artefacts import key
from mmsrarec.core.progress import Count
from mmsrarec.data.dataset import Dataset, Item
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.image_features import sha256
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.summarize.answer_store import Job, Store
from mmsrarec.summarize.image_grounding import support
from mmsrarec.summarize.keyword_pruning import prune_keywords
from mmsrarec.summarize.keywords import Keywords, Source, distinct, fallback, grounded, parse, stop_after
from mmsrarec.summarize.language.detection import CatalogueWords, lexicons
from mmsrarec.summarize.language.lexicon import ENGLISH, Lexicon
from mmsrarec.summarize.prompts import image_prompt, item_text, text_prompt
from mmsrarec.summarize.settings import SummarizeSettings
from mmsrarec.summarize.tuning.rewards import Embed

MIN_KEYWORDS_UNTUNED, MIN_KEYWORDS_TUNED = 3, 1
"""Keywords an untuned model's answer about a text must give; where it gives fewer, the item's own words fill up.
A tuned one has learned how many are worth it: one is enough."""


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
    progress: Count = lambda done, total, label: None,
    eye: str = "",
    tuned: bool = False,
    shard: tuple[int, int] | None = None,
    embed: Embed | None = None,
    words: CatalogueWords | None = None,
) -> Keywords:
    """Keywords of all items. features: item code -> (v, d), what the model sees of the picture; others are text-only.
    eye: what else the features depend on than the model as it was loaded. tuned: the model has been tuned for this, so
    it is asked without examples. shard: (i, n) asks the i-th of n parts of the questions, each in a store of its own
    (`Store.adopt` unites them); what neither this nor the store answers counts as unanswered. embed: phi, which
    settings.price asks; the one that settings.phi names unless given. words: what the whole catalogue told when it was
    first summarized; told from the dataset unless given.

    Answers are kept in the store batch by batch, and only what is missing there is computed. progress(done, total,
    label). Raises MmsrarecError where the store cannot be used, or the model fails on all that it is asked.
    """
    mine, features = _share(shard), features or {}
    texts, pictures = _questions(dataset, mllm, settings, features, tuned)
    written = [item_text(item) for item in dataset.items]
    spoken = lexicons(dataset.items, settings.language, words)
    said: list[dict[int, str]] = []
    with Store(store_path) as store:
        for modality, questions in (("text", texts), ("picture", pictures)):
            if not questions:  # a model of texts alone cannot even be asked about a picture
                said.append({})
                continue
            job, stop, tokens = _job(modality, mllm, settings, eye, tuned)
            asked = [question for question in questions.values() if mine(question.content)]
            answers = ask(store, job, mllm, asked, stop, tokens, batch, progress)
            said.append({code: answers[q.content] for code, q in questions.items() if q.content in answers})
        image = [read_image(said[1].get(code), settings.max_keywords_image) for code in range(len(dataset.items))]
        doubts = {code: [k for k in image[code][0] if not grounded(k, written[code], spoken[code])] for code in said[1]}
        in_doubt = {pictures[code].content: code for code, keywords in doubts.items() if keywords}
        listed = {content: image[code][0] for content, code in in_doubt.items()}
        shown = {content: features[code] for content, code in in_doubt.items()}
        found = support(store, mllm.fingerprint + eye, mllm, listed, shown, mine, batch, progress)
    asked_texts = [said[0].get(code) for code in range(len(dataset.items))]
    text = read_texts(dataset.items, asked_texts, settings, tuned, embed, spoken)
    all_answers = tuple((said[1].get(code), said[0].get(code)) for code in range(len(dataset.items)))
    unsupported = {
        code: [k for k in keywords if found.get((pictures[code].content, k), 1) <= 0]
        for code, keywords in doubts.items()
    }
    return Keywords(
        image=tuple(keywords for keywords, _ in image),
        text=tuple(keywords for keywords, _ in text),
        source=tuple((i, t) for (_, i), (_, t) in zip(image, text, strict=True)),
        answers=all_answers,
        flags=tuple(
            flag(written[code], answers, text[code][1], settings, unsupported.get(code, ()), spoken[code])
            for code, answers in enumerate(all_answers)
        ),
        languages=tuple(lexicon.languages[0] for lexicon in spoken),
    )


def _questions(
    dataset: Dataset, mllm: Mllm, settings: SummarizeSettings, features: Mapping[int, Tensor], tuned: bool
) -> tuple[dict[int, Question], dict[int, Question]]:
    """Item code -> what is asked about its text, and about its picture."""
    texts: dict[int, Question] = {}
    pictures: dict[int, Question] = {}
    for code, item in enumerate(dataset.items):
        if settings.texts and (written := item_text(item)):
            prompt = text_prompt(mllm, item, settings.text_budget, shots=not tuned)
            texts[code] = Question(_hash(written.encode()), prompt)
        path = dataset.image_path(code)
        if settings.pictures and code in features and path is not None:
            seen = features[code]
            pictures[code] = Question(sha256(path), image_prompt(mllm, len(seen)), seen)
    return texts, pictures


def _share(shard: tuple[int, int] | None) -> Callable[[str], bool]:
    """Which content hashes are asked about here."""
    number, count = shard or (0, 1)
    if not 0 <= number < count:
        raise MmsrarecError(f"there is no shard {number} of {count}: they are counted from 0 to {count - 1}")
    return lambda content: int(content, 16) % count == number


def read_text(
    answer: str | None, item: Item, limit: int, fewest: int = MIN_KEYWORDS_UNTUNED, lexicon: Lexicon = ENGLISH
) -> tuple[tuple[str, ...], Source]:
    """The keywords of an answer about a text that the text bears out, filled up from the item below `fewest`.

    Words that most items of the catalogue hold are none, whoever says them.
    """
    text, said = item_text(item), parse(answer or "", limit, lexicon)
    kept = tuple(one for one in said if grounded(one, text, lexicon) and not lexicon.is_common(one))
    if len(kept) >= min(fewest, limit):
        return kept, "model"
    filled = distinct((*kept, *fallback(item, limit, lexicon)), limit, lexicon)
    return filled, "fallback" if filled else "none"


def read_texts(
    items: Sequence[Item],
    answers: Sequence[str | None],
    settings: SummarizeSettings,
    tuned: bool,
    embed: Embed | None = None,
    spoken: Sequence[Lexicon] | None = None,
) -> list[tuple[tuple[str, ...], Source]]:
    """The keywords of the answers about texts, and where they come from, as later stages get them; see `summarize`.

    spoken: what words mean in each item; told from the items, which are the whole catalogue then, unless given.
    """
    spoken = lexicons(items, settings.language) if spoken is None else spoken
    fewest, limit = MIN_KEYWORDS_TUNED if tuned else MIN_KEYWORDS_UNTUNED, settings.max_keywords_text
    found: list[tuple[tuple[str, ...], Source]] = [
        read_text(answer, item, limit, fewest, lexicon) if settings.texts and item_text(item) else ((), "none")
        for item, answer, lexicon in zip(items, answers, spoken, strict=True)
    ]
    if settings.keyword_cost is None:
        return found
    embedding_model, keyword_cost, share = (
        embed or load_embedding_model(settings.embedding_model),
        settings.keyword_cost,
        settings.categories,
    )
    paying = prune_keywords(items, [keywords for keywords, _ in found], embedding_model, keyword_cost, share)
    return [(keywords, source) for keywords, (_, source) in zip(paying, found, strict=True)]


def load_embedding_model(name: str) -> Embed:
    """Raises MmsrarecError where the package that sentence embeddings need is missing."""
    try:
        from mmsrarec.models.backbone.text_embedder import Embedder
    except ImportError as missing:
        hint = "pip install 'mmsrarec[tune]', or leave summarize.keyword_cost out"
        raise MmsrarecError(f"summarize.keyword_cost needs the package {missing.name}: {hint}") from None
    return Embedder(name)


def read_image(answer: str | None, limit: int) -> tuple[tuple[str, ...], Source]:
    """The keywords of an answer about a picture. Nothing stands in for a useless one: only the picture knows."""
    kept = parse(answer or "", limit)
    return kept, "model" if kept else "none"


def flag(
    text: str,
    answers: tuple[str | None, str | None],
    source: Source,
    settings: SummarizeSettings,
    unsupported: Collection[str],
    lexicon: Lexicon = ENGLISH,
) -> tuple[str, ...]:
    """What deserves a second look in an item's keywords.

    "ungrounded: word" was said of the text, which does not bear it out, and is dropped; so is "common: word", which
    most items hold; "malformed ... answer" has nothing usable; "fallback": the item's own words fill up; "unsupported:
    word" was said of the picture, but the text does not mention it and, after the words before it, the picture makes it
    no likelier. answers: of (image, text); source: of the text keywords.
    """
    image_answer, text_answer = answers
    said = parse(text_answer or "", settings.max_keywords_text, lexicon)
    flags = [f"ungrounded: {keyword}" for keyword in said if not grounded(keyword, text, lexicon)]
    if text_answer is not None and len(flags) == len(said):
        flags.append("malformed text answer")
    borne_out = (keyword for keyword in said if grounded(keyword, text, lexicon))
    flags += [f"common: {keyword}" for keyword in borne_out if lexicon.is_common(keyword)]
    if source == "fallback":
        flags.append("fallback")
    if image_answer is not None and not parse(image_answer, settings.max_keywords_image):
        flags.append("malformed picture answer")
    return (*flags, *(f"unsupported: {keyword}" for keyword in unsupported))


def _job(
    modality: str, mllm: Mllm, settings: SummarizeSettings, eye: str, tuned: bool
) -> tuple[Job, Callable[[str], bool], int]:
    """The parts of a store key that questions share, when an answer is long enough, and its tokens at most."""
    model = mllm.fingerprint
    if modality == "text":
        template, limit = text_prompt(mllm, Item(""), 1, shots=not tuned), settings.max_keywords_text
        tokens = settings.max_new_tokens_text
        decoding = key(keywords=limit, tokens=tokens, budget=settings.text_budget)
    else:
        model += eye
        template, limit = image_prompt(mllm, 1), settings.max_keywords_image
        tokens = settings.max_new_tokens_image
        decoding = key(keywords=limit, tokens=tokens, visual_tokens=settings.visual_tokens)
    return Job(modality, model, key(ids=template)[:16], decoding[:16]), stop_after(limit), tokens


def ask(
    store: Store,
    job: Job,
    mllm: Mllm,
    questions: Iterable[Question],
    stop: Callable[[str], bool],
    tokens: int,
    batch: int,
    progress: Count,
) -> dict[str, str]:
    """Content hash -> answer, from the store or else from the model, for all but what the model fails on."""
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
