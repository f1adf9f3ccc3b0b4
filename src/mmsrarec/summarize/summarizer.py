"""Stage 1 of MMSRARec (arXiv 2512.20916): every item becomes keywords, once, offline.

The model is asked about the picture and about the text apart, so that neither is ignored, and the keywords of both
answers are united. A summary depends on the catalogue only, never on users or the log. Other items have a part in it
only through the catalogue's languages and the words that most items hold.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor

from mmsrarec.core.artefacts import file_hash, key
from mmsrarec.core.progress import Count
from mmsrarec.core.terminal import remark
from mmsrarec.data.dataset import Dataset
from mmsrarec.engines.local_engine import LocalEngine, Question
from mmsrarec.engines.protocol import Answer, Engine, PictureFile, Request
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
from mmsrarec.summarize.prompts import image_question, instruction_for, item_text, text_question
from mmsrarec.summarize.settings import SummarizeSettings
from mmsrarec.summarize.tuning.reward_parts import Embed


@dataclass(frozen=True)
class Requests:
    """The questions of stage 1 about a catalogue.

    Attributes:
        engine: Answers.
        texts: The requests about texts, by item code.
        pictures: The requests about pictures, by item code.
    """

    engine: Engine
    texts: dict[int, Request]
    pictures: dict[int, Request]


Spread = Callable[[LocalEngine], Engine]
"""Makes of the engine of this process one that gives the same answers by several processes."""


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
    engine: Engine | None = None,
    spread: Spread | None = None,
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
        engine: Answers in the model's place, and reads the pictures' files. The model then counts the tokens of texts
            only. Nobody checks such keywords with the pictures.
        spread: Is given the engine of this process, and returns one that gives its answers by several processes. The
            model of this process checks the keywords.

    Returns:
        The keywords of all items.

    Raises:
        MmsrarecError: If the store cannot be used, the shard does not exist, or the model fails on all questions.
    """
    mine, features, image_words = _share(shard), features or {}, image_words or {}
    class_words = {code: likely_words(row) for code, row in image_words.items()} if settings.eye_words else {}
    if engine is None:
        eye += class_words_hash() if class_words else ""
        work = _requests_here(dataset, mllm, settings, features, class_words, tuned, batch, eye, spread)
    else:
        work = requests_elsewhere(dataset, mllm, settings, engine, features)
    texts = [item_text(item) for item in dataset.items]
    item_lexicons = lexicons(dataset.items, settings.language, words)
    answers: dict[str, dict[int, str]] = {"text": {}, "picture": {}}
    with Store(store_path) as store:
        for modality, requests in (("text", work.texts), ("picture", work.pictures)):
            if not requests:  # a model of texts alone cannot even be asked about a picture
                continue
            job, stop = job_of(modality, work.engine, settings, tuned), stop_of(modality, settings)
            tokens = settings.max_new_tokens_text if modality == "text" else settings.max_new_tokens_image
            own = {request.content: request for request in requests.values() if mine(request.content)}
            generate = partial(work.engine.generate, list(own.values()), tokens, stop)
            by_content = ask(store, job, generate, own, progress)
            answers[modality] = {
                code: by_content[request.content] for code, request in requests.items() if request.content in by_content
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
        checked = engine is None
        code_of = {work.pictures[code].content: code for code, words in doubtful.items() if words and checked}
        image_keywords = {content: image_rows[code][0] for content, code in code_of.items()}
        image_features = {content: features[code] for content, code in code_of.items()}
        pictures = {request.content: request.picture for request in work.pictures.values()}
        files = {content: file for content in code_of if checked and (file := pictures[content]) is not None} or None
        fingerprint = mllm.fingerprint + eye
        supports = support(store, fingerprint, mllm, image_keywords, image_features, mine, batch, progress, files)
    text_answers = [answers["text"].get(code) for code in range(len(dataset.items))]
    text_rows = read_texts(dataset.items, text_answers, settings, tuned, embed, item_lexicons)
    all_answers = tuple((answers["picture"].get(code), text_answers[code]) for code in range(len(dataset.items)))
    unsupported = {
        code: [word for word in keywords if supports.get((work.pictures[code].content, word), 1) <= 0]
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


def _requests_here(
    dataset: Dataset,
    mllm: Mllm,
    settings: SummarizeSettings,
    features: Mapping[int, Tensor],
    class_words: Mapping[int, WordProbabilities],
    tuned: bool,
    batch: int,
    eye: str,
    spread: Spread | None,
) -> Requests:
    """The questions to a model of this process, which sees pictures by their features, or in its own way."""
    texts: dict[int, Request] = {}
    pictures: dict[int, Request] = {}
    features_by_content: dict[str, Tensor] = {}
    words_by_content: dict[str, WordProbabilities] = {}
    native = shows_native(mllm, settings)
    for code, item in enumerate(dataset.items):
        if settings.texts and (text := item_text(item)):
            texts[code] = Request(_hash(text.encode()), text_question(text, shots=not tuned))
        path, root = dataset.image_path(code), dataset.image_folder
        if settings.pictures and code in features and path is not None and root is not None:
            file = PictureFile(path, root) if native else None
            request = pictures[code] = Request(file_hash(path), image_question(), file)
            features_by_content[request.content] = features[code]
            if code in class_words:
                words_by_content[request.content] = class_words[code]

    first = partial(_classifier_first, words_by_content) if words_by_content else None
    engine = LocalEngine(mllm, features_by_content, settings.text_budget, batch, eye, first, native)
    return Requests(engine if spread is None else spread(engine), texts, pictures)


def _classifier_first(
    words_by_content: Mapping[str, WordProbabilities], mllm: Mllm, questions: Sequence[Question]
) -> list[str | None]:
    """The classifier's answers about pictures."""
    prompts, seen = [question.prompt for question in questions], [question.feature for question in questions]
    return classifier_answers(mllm, prompts, seen, [words_by_content.get(each.content) for each in questions])


def requests_elsewhere(
    dataset: Dataset, mllm: Mllm, settings: SummarizeSettings, engine: Engine, usable: Collection[int] = ()
) -> Requests:
    """The questions to an engine that gets the texts and the pictures themselves.

    A text is cut by the model's own tokens, so that every engine reads the same part of it.

    Args:
        dataset: The catalogue.
        mllm: The model whose tokens count.
        settings: The settings of stage 1.
        engine: Answers.
        usable: Codes of the items whose pictures are known to open; empty where nobody looked.
    """
    texts: dict[int, Request] = {}
    pictures: dict[int, Request] = {}
    instruction, root = instruction_for(settings.model), dataset.image_folder
    for code, item in enumerate(dataset.items):
        if settings.texts and (text := _first_tokens(mllm, item_text(item), settings.text_budget)):
            texts[code] = Request(_hash(text.encode()), text_question(text, instruction=instruction))
        path = dataset.image_path(code)
        if settings.pictures and path is not None and root is not None and (not usable or code in usable):
            pictures[code] = Request(file_hash(path), image_question(instruction), PictureFile(path, root))
    return Requests(engine, texts, pictures)


def _first_tokens(mllm: Mllm, text: str, budget: int) -> str:
    """The start of a text, of so many tokens at most; a character that is cut in two is left out."""
    ids = mllm.encode(text)
    return text if len(ids) <= budget else mllm.tokenizer.decode(ids[:budget]).rstrip("\ufffd").strip()


def shows_native(mllm: Mllm, settings: SummarizeSettings) -> bool:
    """Whether a model of this process sees the pictures of stage 1 in its own way (`native_pictures`).

    Raises:
        MmsrarecError: The settings ask for it, and transformers has no such way for the model.
    """
    if settings.picture_form == "native" and mllm.sees and mllm.processor is None:
        raise MmsrarecError(
            f"transformers has no processor of words and pictures for the model {mllm.fingerprint}: set "
            'summarize.picture_form = "averaged"'
        )
    return mllm.processor is not None and settings.is_native(mllm.model.config.model_type)


def _share(shard: tuple[int, int] | None) -> Callable[[str], bool]:
    """The test of whether a content hash belongs to a shard."""
    number, count = shard or (0, 1)
    if not 0 <= number < count:
        raise MmsrarecError(f"there is no shard {number} of {count}: they are counted from 0 to {count - 1}")
    return lambda content: int(content, 16) % count == number


def job_of(modality: str, engine: Engine, settings: SummarizeSettings, tuned: bool = False) -> Job:
    """The shared part of the keys of an engine's answers about "text" or "picture"."""
    instruction = instruction_for(settings.model)
    if modality == "text":
        prompt = text_question("", not tuned, instruction)
        limit, tokens = settings.max_keywords_text, settings.max_new_tokens_text
        limits = {"budget": settings.text_budget}
    else:
        prompt = image_question(instruction)
        limit, tokens = settings.max_keywords_image, settings.max_new_tokens_image
        limits = {"visual_tokens": settings.visual_tokens}
    decoding = key(keywords=limit, tokens=tokens, **limits)
    return Job(modality, *engine.key_of(prompt), decoding[:16])


def stop_of(modality: str, settings: SummarizeSettings) -> Callable[[str], bool]:
    """The test of a complete answer about "text" or "picture"."""
    return stop_after(settings.max_keywords_text if modality == "text" else settings.max_keywords_image)


def ask(
    store: Store,
    job: Job,
    generate: Callable[[Collection[str]], Iterator[Sequence[Answer]]],
    contents: Collection[str],
    progress: Count,
) -> dict[str, str]:
    """Answer questions from the store, or else by an engine.

    Args:
        store: The store, which also keeps new answers as they come.
        job: The shared part of the questions' keys.
        generate: Is given the contents that are answered already, and yields the answers to the other questions.
        contents: The contents of all questions.
        progress: Called with (done, total, label).

    Returns:
        The answers by content hash, without the questions that the engine fails on.

    Raises:
        MmsrarecError: If the engine fails on all questions or cannot go on, or the store cannot be written.
    """
    answers = store.answers(job)
    n_done = sum(content in answers for content in contents)
    reasons: list[str] = []
    n_asked = 0
    for rows in generate(set(answers)):
        if rows:
            store.add(job, rows)
        answers |= {row.content: row.text for row in rows if row.text is not None}
        reasons += [row.reason or "" for row in rows if row.text is None]
        n_asked, n_done = n_asked + len(rows), n_done + len(rows)
        progress(n_done, len(contents), f"keywords of {job.modality}s")
    if reasons and not any(content in answers for content in contents):
        raise MmsrarecError(f"the model answered none of {n_asked} questions about {job.modality}s: {reasons[0]}")
    if reasons:
        remark(
            f"{len(reasons)} questions about {job.modality}s have no answer, such as one for this reason: {reasons[0]}"
        )
    return answers


def _hash(data: bytes) -> str:
    """The SHA-256 of data, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
