"""Items of the state as a recommender takes them, and what a model sees of a picture as bytes."""

from torch import Tensor

from mmsrarec.models.untyped import tensors_from_bytes, tensors_to_bytes
from mmsrarec.runs.changes.joined_items import JoinedItem
from mmsrarec.serve.state.item_rows import ItemRow

NAME = "feature"


def joined_item(row: ItemRow) -> JoinedItem:
    """An item of the state as a recommender takes it."""
    feature = None if row.feature is None else tensors_from_bytes(row.feature)[NAME]
    return JoinedItem(row.item, row.summary.image, row.summary.text, row.summary.language, feature)


def feature_bytes(feature: Tensor | None) -> bytes | None:
    """What a model sees of a picture, as safetensors; nothing where there is none."""
    return None if feature is None else tensors_to_bytes({NAME: feature.contiguous().cpu()})
