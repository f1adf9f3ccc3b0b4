"""Says which texts of an item that is written were not kept as they came."""

from mmsrarec.data.reading.cleaning import clean
from mmsrarec.serve.schema.changing import ItemAsked


def removed_notes(body: ItemAsked) -> list[str]:
    """A sentence for each field of which cleaning took more than blanks.

    Args:
        body: The item as it was sent.
    """
    fields = {"title": [body.title], "text": [body.text], "categories": body.categories}
    return [note for name, texts in fields.items() for note in _notes(name, texts)]


def _notes(name: str, texts: list[str]) -> list[str]:
    pairs = [(" ".join(text.split()), clean(text)) for text in texts]
    if all(before == after for before, after in pairs):
        return []
    emptied = any(before and not after for before, after in pairs)
    left = "" if not emptied else " and nothing is left of it" if len(texts) == 1 else " and nothing is left of some"
    return [f"{name}: markup, entities or invisible characters were taken out{left}"]
