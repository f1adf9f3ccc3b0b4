"""The prompts of stage 1, rendered here and nowhere else, so that tuning, summarizing and serving use the same ones.

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
"""All texts of the prompts. They are part of the fingerprint of everything made from the answers."""


def image_prompt(mllm: Mllm, visual_tokens: int) -> list[int]:
    """Render the question about a picture's keywords. The projector is trained on this prompt.

    Args:
        mllm: The model.
        visual_tokens: Placeholder tokens that stand for the picture.

    Returns:
        Token ids.
    """
    before, after = mllm.frame
    return [*before, *[mllm.image_token] * visual_tokens, *mllm.encode(IMAGE_QUESTION), *after]


def item_text(item: Item) -> str:
    """The title, text and categories of an item in one line; "" where it has none."""
    parts = (f"{item.title.strip()}." if item.title.strip() else "", item.text, ", ".join(item.categories))
    return " ".join(" ".join(parts).split())


def text_prompt(mllm: Mllm, item: Item, budget: int, shots: bool = True) -> list[int]:
    """Render the question about the keywords of an item's text.

    Args:
        mllm: The model.
        item: The item.
        budget: Tokens of the text that are read, from its start.
        shots: Whether examples come first, which the untuned model needs and a tuned one does not.

    Returns:
        Token ids.
    """
    before, after = mllm.frame
    examples = _examples(mllm) if shots else []
    return [*examples, *before, *mllm.encode(TEXT_QUESTION), *mllm.encode(item_text(item))[:budget], *after]


_EXAMPLE_IDS: WeakKeyDictionary[Mllm, tuple[tuple[object, ...], list[int]]] = WeakKeyDictionary()


def _examples(mllm: Mllm) -> list[int]:
    """The token ids of the examples. They are encoded once: they are most of a prompt, and the same for all items."""
    texts = (TEXT_QUESTION, SHOTS)
    entry = _EXAMPLE_IDS.get(mllm)
    if entry is None or entry[0] != texts:
        before, after = mllm.frame
        ids: list[int] = []
        for text, answer in SHOTS:
            question = [*before, *mllm.encode(TEXT_QUESTION), *mllm.encode(text), *after]
            ids += [*question, *mllm.encode(answer), mllm.turn_end, *mllm.encode("\n")]
        entry = _EXAMPLE_IDS[mllm] = (texts, ids)
    return entry[1]
