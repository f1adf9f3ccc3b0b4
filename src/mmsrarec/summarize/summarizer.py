"""Stage 1 of MMSRARec (arXiv 2512.20916): every item becomes keywords, once, offline.

The model is asked about the picture and about the text apart, so that neither is ignored, and the keywords of both
answers are united. A summary depends on the catalogue only, never on users or the log. Other items have a part in it
only through the catalogue's languages and the words that most items hold.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from mmsrarec.core.artefacts import file_hash, key
from mmsrarec.core.progress import Count
from mmsrarec.data.dataset import Dataset, Item
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.vision.class_words import WordProbabilities, class_words_hash, likely_words
from mmsrarec.summarize.answer_reading import flag, read_image, read_texts
from mmsrarec.summarize.answer_store import Job, Store
from mmsrarec.summarize.classifier_answers import classifier_answers
from mmsrarec.summarize.image_grounding import support
from mmsrarec.summarize.keyword_parsing import grounded, stop_after
from mmsrarec.summarize.keywords import Keywords
from mmsrarec.summarize.language.detection import CatalogueWords, lexicons
from mmsrarec.summarize.prompts import image_prompt, item_text, text_prompt
from mmsrarec.summarize.settings import SummarizeSettings
from mmsrarec.summarize.tuning.reward_parts import Embed


@dataclass(frozen=True)
class Question:
    """A question to the model.

    Attributes:
        content: A hash of the text or picture that it is about.
        prompt: Token ids.
        feature: (v, d) picture features; None for a text.
        class_words: What the vision encoder's classifier would say of the picture; None without a classifier.
    """

    content: str
    prompt: Sequence[int]
    feature: Tensor | None = None
    class_words: WordProbabilities | None = None


def _no_progress(done: int, total: int, label: str) -> None:
    """Show nothing."""


def summarize(
    dataset: Dataset,
    mllm: Mllm,
    settings: SummarizeSettings,
    store_path: str | Path,
    features: Mapping[int, Tensor] | None = None,
    batch: int = 32,
    progress: Count = _no_progress,
    eye: str = "",
    tuned: bool = False,
    shard: tuple[int, int] | None = None,
    embed: Embed | None = None,
    words: CatalogueWords | None = None,
    image_words: Mapping[int, WordProbabilities] | None = None,
) -> Keywords:
    """Ask the model about all items, and read the keywords of its answers.

    Answers are kept in the store batch by batch, and only missing ones are computed.

    Args:
        dataset: The catalogue.
        mllm: The model.
        settings: The settings of stage 1.
        store_path: The file of answers.
        features: (v, d) picture features by item code; items without are text-only.
        batch: Questions of a batch.
        progress: Called with (done, total, label).
        eye: A fingerprint of what the features depend on besides the model.
        tuned: Whether the model was tuned for this; then it is asked without examples.
        shard: (i, n) asks the i-th of n parts of the questions only, each in a store of its own, which `Store.adopt`
            unites. Questions of other parts that the store does not answer count as unanswered.
        embed: The sentence embedding phi of `settings.keyword_cost`; loaded by its name in the settings unless given.
        words: The facts about the whole catalogue from the time when it was first summarized; collected from the
            dataset unless given.
        image_words: What the vision encoder's classifier says of the pictures, by item code; it answers where
            it is surer and `settings.eye_words` is set, and a keyword that it bears out is not doubted.

    Returns:
        The keywords of all items.

    Raises:
        MmsrarecError: If the store cannot be used, the shard does not exist, or the model fails on all questions.
    """
    mine, features, image_words = _share(shard), features or {}, image_words or {}
    class_words = {code: likely_words(row) for code, row in image_words.items()} if settings.eye_words else {}
    eye += class_words_hash() if class_words else ""
    text_questions, picture_questions = _questions(dataset, mllm, settings, features, class_words, tuned)
    texts = [item_text(item) for item in dataset.items]
    item_lexicons = lexicons(dataset.items, settings.language, words)
    answers: dict[str, dict[int, str]] = {"text": {}, "picture": {}}
    with Store(store_path) as store:
        for modality, questions in (("text", text_questions), ("picture", picture_questions)):
            if not questions:  # a model of texts alone cannot even be asked about a picture
                continue
            job, stop, tokens = _job(modality, mllm, settings, eye, tuned)
            own_questions = [question for question in questions.values() if mine(question.content)]
            by_content = ask(store, job, mllm, own_questions, stop, tokens, batch, progress)
            answers[modality] = {
                code: by_content[question.content]
                for code, question in questions.items()
                if question.content in by_content
            }
        image_rows = [
            read_image(answers["picture"].get(code), settings.max_keywords_image) for code in range(len(dataset.items))
        ]
        # a keyword of a picture that the text mentions, or that the classifier saw, needs no check
        doubtful = {
            code: [
                word
                for word in image_rows[code][0]
                if word not in image_words.get(code, {}) and not grounded(word, texts[code], item_lexicons[code])
            ]
            for code in answers["picture"]
        }
        code_of = {picture_questions[code].content: code for code, keywords in doubtful.items() if keywords}
        image_keywords = {content: image_rows[code][0] for content, code in code_of.items()}
        image_features = {content: features[code] for content, code in code_of.items()}
        supports = support(store, mllm.fingerprint + eye, mllm, image_keywords, image_features, mine, batch, progress)
    text_answers = [answers["text"].get(code) for code in range(len(dataset.items))]
    text_rows = read_texts(dataset.items, text_answers, settings, tuned, embed, item_lexicons)
    all_answers = tuple((answers["picture"].get(code), text_answers[code]) for code in range(len(dataset.items)))
    unsupported = {
        code: [word for word in keywords if supports.get((picture_questions[code].content, word), 1) <= 0]
        for code, keywords in doubtful.items()
    }
    return Keywords(
        image=tuple(keywords for keywords, _ in image_rows),
        text=tuple(keywords for keywords, _ in text_rows),
        source=tuple(
            (image_source, text_source)
            for (_, image_source), (_, text_source) in zip(image_rows, text_rows, strict=True)
        ),
        answers=all_answers,
        flags=tuple(
            flag(texts[code], pair, text_rows[code][1], settings, unsupported.get(code, ()), item_lexicons[code])
            for code, pair in enumerate(all_answers)
        ),
        languages=tuple(lexicon.languages[0] for lexicon in item_lexicons),
    )


def _questions(
    dataset: Dataset,
    mllm: Mllm,
    settings: SummarizeSettings,
    features: Mapping[int, Tensor],
    class_words: Mapping[int, WordProbabilities],
    tuned: bool,
) -> tuple[dict[int, Question], dict[int, Question]]:
    """The questions about texts and those about pictures, by item code."""
    texts: dict[int, Question] = {}
    pictures: dict[int, Question] = {}
    for code, item in enumerate(dataset.items):
        if settings.texts and (text := item_text(item)):
            prompt = text_prompt(mllm, item, settings.text_budget, shots=not tuned)
            texts[code] = Question(_hash(text.encode()), prompt)
        path = dataset.image_path(code)
        if settings.pictures and code in features and path is not None:
            feature = features[code]
            pictures[code] = Question(file_hash(path), image_prompt(mllm, len(feature)), feature, class_words.get(code))
    return texts, pictures


def _share(shard: tuple[int, int] | None) -> Callable[[str], bool]:
    """The test of whether a content hash belongs to a shard."""
    number, count = shard or (0, 1)
    if not 0 <= number < count:
        raise MmsrarecError(f"there is no shard {number} of {count}: they are counted from 0 to {count - 1}")
    return lambda content: int(content, 16) % count == number


def _job(
    modality: str, mllm: Mllm, settings: SummarizeSettings, eye: str, tuned: bool
) -> tuple[Job, Callable[[str], bool], int]:
    """The shared part of the questions' keys, the test of a complete answer, and the answer's tokens at most."""
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
    """Answer questions from the store, or else by the model.

    Args:
        store: The store, which also keeps new answers, batch by batch.
        job: The shared part of the questions' keys.
        mllm: The model.
        questions: The questions; those of equal content are asked once.
        stop: The test of whether an answer is complete.
        tokens: Tokens of an answer, at most.
        batch: Questions of a batch.
        progress: Called with (done, total, label).

    Returns:
        The answers by content hash, without the questions that the model fails on.

    Raises:
        MmsrarecError: If the model fails on all questions, or the store cannot be written.
    """
    answers = store.answers(job)
    by_content = {question.content: question for question in questions}
    order = sorted(by_content.values(), key=lambda question: (len(question.prompt), question.content))
    # Batches are cut before answered questions are left out, so that resumed work forms the batches of uninterrupted
    # work: low-precision rounding depends on a batch's shape.
    batches = [order[start : start + batch] for start in range(0, len(order), batch)]
    reasons: list[str] = []
    n_asked = n_done = 0
    for questions_of_batch in batches:
        missing = [question for question in questions_of_batch if question.content not in answers]
        rows = _answer(mllm, missing, stop, tokens)
        if rows:
            store.add(job, rows)
        answers |= {content: answer for content, answer, _ in rows if answer is not None}
        reasons += [reason for _, _, reason in rows if reason is not None]
        n_asked, n_done = n_asked + len(missing), n_done + len(questions_of_batch)
        progress(n_done, len(order), f"keywords of {job.modality}s")
    if reasons and len(reasons) == n_asked:
        raise MmsrarecError(f"the model answered none of {n_asked} questions about {job.modality}s: {reasons[0]}")
    return answers


def _answer(
    mllm: Mllm, questions: Sequence[Question], stop: Callable[[str], bool], tokens: int
) -> list[tuple[str, str | None, str | None]]:
    """The (content hash, answer, reason of failure) of each question; one that fails spares the rest of its batch."""
    if not questions:
        return []
    try:
        prompts, features = [question.prompt for question in questions], [question.feature for question in questions]
        answers = classifier_answers(mllm, prompts, features, [question.class_words for question in questions])
        places = [place for place, answer in enumerate(answers) if answer is None]
        own = [prompts[place] for place in places], [features[place] for place in places]
        for place, answer in zip(places, mllm.generate(*own, tokens, stop) if places else [], strict=True):
            answers[place] = answer
    except RuntimeError as error:  # torch's errors, out of memory included
        if len(questions) == 1:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            return [(questions[0].content, None, reason)]
        return [row for question in questions for row in _answer(mllm, [question], stop, tokens)]
    return [(question.content, answer, None) for question, answer in zip(questions, answers, strict=True)]


def _hash(data: bytes) -> str:
    """The SHA-256 of data, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
