"""Items of the state as a recommender takes them, and what a model sees of one as bytes."""

from torch import Tensor

from mmsrarec.models.untyped import tensors_from_bytes, tensors_to_bytes
from mmsrarec.runs.changes.joined_items import JoinedItem
from mmsrarec.serve.state.item_rows import ItemRow

FEATURE, STATE = "feature", "state"


def joined_item(row: ItemRow) -> JoinedItem:
    """An item of the state as a recommender takes it."""
    seen = {} if row.feature is None else tensors_from_bytes(row.feature)
    summary = row.summary
    return JoinedItem(row.item, summary.image, summary.text, summary.language, seen.get(FEATURE), seen.get(STATE))


def feature_bytes(feature: Tensor | None, state: Tensor | None = None) -> bytes | None:
    """What a model sees of an item, as safetensors; nothing where that is nothing.

    Args:
        feature: What it sees of the picture.
        state: The item's state, which sequence models read.
    """
    seen = {name: each.contiguous().cpu() for name, each in ((FEATURE, feature), (STATE, state)) if each is not None}
    return tensors_to_bytes(seen) if seen else None
