"""The prompts of stage 1, rendered here and nowhere else, so that tuning, summarizing and serving use the same ones.

Template and data are tokenised apart and joined as ids, so no item's text can yield a special token.
"""

from mmsrarec.data.dataset import Item
from mmsrarec.engines.engine_choice import EMBEDDED
from mmsrarec.engines.prompt_rendering import prompt_ids
from mmsrarec.engines.protocol import Prompt
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

INSTRUCTION = (
    "Answer with keywords only, in lower case, of one to three words each, the most telling first, separated by "
    "commas, on one line."
)
"""How to answer, for a large model behind a server, which was not trained on these prompts."""
ASKED = (TEXT_QUESTION, IMAGE_QUESTION, SHOTS)
"""All texts of the embedded model's prompts. They are part of the fingerprint of everything made from the answers."""


def instruction_for(model: str | None) -> str:
    """How a model is told to answer: the embedded one was trained on the bare questions, others are instructed.

    Args:
        model: `summarize.model`; None for the model of this process.
    """
    return "" if model in (None, EMBEDDED) else INSTRUCTION


def image_question(instruction: str = "") -> Prompt:
    """The question about a picture's keywords.

    Args:
        instruction: How to answer, for a model that follows instructions.
    """
    return Prompt(IMAGE_QUESTION, picture=True, instruction=instruction)


def text_question(text: str, shots: bool = True, instruction: str = "") -> Prompt:
    """The question about the keywords of a text.

    Args:
        text: The text.
        shots: Whether examples come first, which the untuned model needs and a tuned one does not.
        instruction: How to answer, for a model that follows instructions.
    """
    return Prompt(TEXT_QUESTION, text, SHOTS if shots else (), instruction=instruction)


def image_prompt(mllm: Mllm, visual_tokens: int) -> list[int]:
    """Render the question about a picture's keywords. The projector is trained on this prompt.

    Args:
        mllm: The model.
        visual_tokens: Placeholder tokens that stand for the picture.

    Returns:
        Token ids.
    """
    return prompt_ids(mllm, image_question(), visual_tokens=visual_tokens)


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
    return prompt_ids(mllm, text_question(item_text(item), shots), budget)
