"""The prompts of stage 1, rendered here and nowhere else: training, summarizing and serving ask the same thing.

Template and data are tokenised apart and joined as ids, so no item's text can yield a special token.
"""

from weakref import WeakKeyDictionary

from mmsrarec.data.dataset import Item
from mmsrarec.models.backbone.mllm import Mllm

# "Copied" keeps a small model from naming the class of a thing (metal) where the text names the thing (steel).
TEXT_QUESTION = "Words copied from this text:\n"
IMAGE_QUESTION = "\nKeywords of this picture:"
SHOTS = (
    (
        "Silent Ridge. Two detectives hunt a killer through the rain of a nameless city. Crime, Thriller",
        "detectives, killer, rain, crime, thriller",
    ),
    (
        "Willow scarf. Our makers like how warm the cotton is in spring. Easy to return. Clothing",
        "scarf, cotton, clothing, willow",
    ),
    (
        "Garnet kettle. Ships in May. Copper keeps the heat for an hour. Repaired on request. Cooking",
        "kettle, copper, heat, cooking, garnet",
    ),
)

ASKED = (TEXT_QUESTION, IMAGE_QUESTION, SHOTS)
"""All the words of the prompts: part of the key of whatever is made from the answers."""


def image_prompt(mllm: Mllm, visual_tokens: int) -> list[int]:
    """Asks for the keywords of a picture, shown as `visual_tokens` placeholders. The projector is trained on it."""
    before, after = mllm.frame
    return [*before, *[mllm.image_token] * visual_tokens, *mllm.encode(IMAGE_QUESTION), *after]


def item_text(item: Item) -> str:
    """All that is written about an item, in one line; "" where nothing is."""
    parts = (f"{item.title.strip()}." if item.title.strip() else "", item.text, ", ".join(item.categories))
    return " ".join(" ".join(parts).split())


def text_prompt(mllm: Mllm, item: Item, budget: int, shots: bool = True) -> list[int]:
    """Asks for the keywords of an item's text, of which the first `budget` tokens are read.

    shots: after examples, which the untuned model needs and a tuned one does not.
    """
    before, after = mllm.frame
    examples = _examples(mllm) if shots else []
    return [*examples, *before, *mllm.encode(TEXT_QUESTION), *mllm.encode(item_text(item))[:budget], *after]


_ENCODED: WeakKeyDictionary[Mllm, tuple[tuple, list[int]]] = WeakKeyDictionary()


def _examples(mllm: Mllm) -> list[int]:
    """The examples as ids. A model encodes them once: they are most of a prompt, and the same for all items."""
    words = (TEXT_QUESTION, SHOTS)
    known = _ENCODED.get(mllm)
    if known is None or known[0] != words:
        before, after = mllm.frame
        ids: list[int] = []
        for text, answer in SHOTS:
            question = [*before, *mllm.encode(TEXT_QUESTION), *mllm.encode(text), *after]
            ids += [*question, *mllm.encode(answer), mllm.turn_end, *mllm.encode("\n")]
        known = _ENCODED[mllm] = (words, ids)
    return known[1]
