"""Answer reading: which keywords of an answer are kept, what fills them up, and which doubts about them are flagged."""

from collections.abc import Collection, Sequence

from mmsrarec.data.dataset import Item
from mmsrarec.errors import MmsrarecError
from mmsrarec.summarize.keyword_parsing import distinct, fallback, grounded, parse
from mmsrarec.summarize.keyword_pruning import prune_keywords
from mmsrarec.summarize.keywords import Source
from mmsrarec.summarize.language.detection import lexicons
from mmsrarec.summarize.language.lexicon import ENGLISH, Lexicon
from mmsrarec.summarize.prompts import item_text
from mmsrarec.summarize.settings import SummarizeSettings
from mmsrarec.summarize.tuning.reward_parts import Embed

UNSUPPORTED = "unsupported: "
"""The start of the flag of a picture's keyword that nothing bears out; the keyword follows."""
MIN_KEYWORDS_UNTUNED, MIN_KEYWORDS_TUNED = 3, 1
"""Keywords below which an answer about a text is filled up from the item's own words. A tuned model has learned how
many keywords are worth their tokens, so one is enough."""


def read_text(
    answer: str | None, item: Item, limit: int, min_keywords: int = MIN_KEYWORDS_UNTUNED, lexicon: Lexicon = ENGLISH
) -> tuple[tuple[str, ...], Source]:
    """Read the keywords of an answer about a text.

    Keywords that the text does not support are dropped, and so are words that most items of the catalogue hold.

    Args:
        answer: The answer; None where there is none.
        item: The item.
        limit: Keywords, at most.
        min_keywords: Keywords below which the item's own words fill up.
        lexicon: The meaning of words in its language.

    Returns:
        The keywords and their source.
    """
    text, parsed = item_text(item), parse(answer or "", limit, lexicon)
    keywords = tuple(word for word in parsed if grounded(word, text, lexicon) and not lexicon.is_common(word))
    if len(keywords) >= min(min_keywords, limit):
        return keywords, "model"
    filled = distinct((*keywords, *fallback(item, limit, lexicon)), limit, lexicon)
    return filled, "fallback" if filled else "none"


def read_texts(
    items: Sequence[Item],
    answers: Sequence[str | None],
    settings: SummarizeSettings,
    tuned: bool,
    embed: Embed | None = None,
    item_lexicons: Sequence[Lexicon] | None = None,
) -> list[tuple[tuple[str, ...], Source]]:
    """Read the keywords of all answers about texts, as later stages get them.

    Args:
        items: n items; the whole catalogue, unless `item_lexicons` are given.
        answers: n answers.
        settings: The settings of stage 1.
        tuned: Whether the model was tuned for this.
        embed: The sentence embedding phi of `settings.keyword_cost`; loaded by its name in the settings unless given.
        item_lexicons: n lexicons; from the items unless given.

    Returns:
        n pairs of keywords and their source.

    Raises:
        MmsrarecError: If the sentence embedding cannot be loaded.
    """
    item_lexicons = lexicons(items, settings.language) if item_lexicons is None else item_lexicons
    min_keywords, limit = MIN_KEYWORDS_TUNED if tuned else MIN_KEYWORDS_UNTUNED, settings.max_keywords_text
    rows: list[tuple[tuple[str, ...], Source]] = [
        read_text(answer, item, limit, min_keywords, lexicon) if settings.texts and item_text(item) else ((), "none")
        for item, answer, lexicon in zip(items, answers, item_lexicons, strict=True)
    ]
    if settings.keyword_cost is None:
        return rows
    embed = embed or load_embedding_model(settings.embedding_model)
    keywords = [row for row, _ in rows]
    pruned = prune_keywords(items, keywords, embed, settings.keyword_cost, settings.categories)
    return [(row, source) for row, (_, source) in zip(pruned, rows, strict=True)]


def load_embedding_model(name: str) -> Embed:
    """Load a sentence embedding.

    Args:
        name: "embedded", or a name or folder.

    Raises:
        MmsrarecError: If the package that sentence embeddings need is missing.
    """
    try:
        from mmsrarec.models.backbone.text_embedder import Embedder
    except ImportError as missing:
        hint = "pip install 'mmsrarec[tune]', or leave summarize.keyword_cost out"
        raise MmsrarecError(f"summarize.keyword_cost needs the package {missing.name}: {hint}") from None
    return Embedder(name)


def read_image(answer: str | None, limit: int) -> tuple[tuple[str, ...], Source]:
    """Read the keywords of an answer about a picture. Nothing fills them up: no text stands in for a picture.

    Args:
        answer: The answer; None where there is none.
        limit: Keywords, at most.

    Returns:
        The keywords and their source.
    """
    keywords = parse(answer or "", limit)
    return keywords, "model" if keywords else "none"


def flag(
    text: str,
    answers: tuple[str | None, str | None],
    source: Source,
    settings: SummarizeSettings,
    unsupported: Collection[str],
    lexicon: Lexicon = ENGLISH,
) -> tuple[str, ...]:
    """List the doubts about an item's keywords.

    Args:
        text: The item's text.
        answers: The answers about (picture, text).
        source: The source of the text keywords.
        settings: The settings of stage 1.
        unsupported: Keywords of the picture that the text does not mention and that the picture makes no likelier after
            the keywords before them.
        lexicon: The meaning of words in the item's language.

    Returns:
        "ungrounded: word" for a dropped keyword that the text does not support, "common: word" for a dropped word that
        most items hold, "malformed text answer" and "malformed picture answer" where nothing is usable, "no picture
        answer" where the answer is empty, "fallback" where the item's own words fill up, and "unsupported: word" for
        each of `unsupported`.
    """
    image_answer, text_answer = answers
    parsed = parse(text_answer or "", settings.max_keywords_text, lexicon)
    flags = [f"ungrounded: {keyword}" for keyword in parsed if not grounded(keyword, text, lexicon)]
    if text_answer is not None and len(flags) == len(parsed):
        flags.append("malformed text answer")
    supported = (keyword for keyword in parsed if grounded(keyword, text, lexicon))
    flags += [f"common: {keyword}" for keyword in supported if lexicon.is_common(keyword)]
    if source == "fallback":
        flags.append("fallback")
    if image_answer is not None and not parse(image_answer, settings.max_keywords_image):
        flags.append("malformed picture answer" if image_answer.strip() else "no picture answer")
    return (*flags, *(UNSUPPORTED + keyword for keyword in unsupported))
