"""Items that are alike, by the vectors that a sequence model has learned of them."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from mmsrarec.core.artefacts import is_whole
from mmsrarec.data.dataset import IntArray, Interactions
from mmsrarec.errors import UnknownIdError
from mmsrarec.rankers.base import known_items
from mmsrarec.rankers.sequence_model import SequenceRanker
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.settings import CONTENT_SASREC
from mmsrarec.runs.run_folder import Part, RunFolder

TABLE = {"item_id": pl.String, "similar_item_id": pl.String, "rank": pl.Int64, "score": pl.Float64}


def item_encoder(run_folder: RunFolder, split: Part) -> Encoder:
    """The sequence model whose item vectors are compared: `content-sasrec` where the run has it, else the run's own."""
    there = is_whole(run_folder.folder / run_folder.encoder_part(split, CONTENT_SASREC))
    return run_folder.encoder(split, CONTENT_SASREC if there else None)


def unit_vectors(encoder: Encoder) -> NDArray[np.float32]:
    """(n_items, dims): the item vectors of a sequence model, of length 1; zeros stay zeros."""
    with torch.no_grad():
        vectors = encoder.model.items.weight[: encoder.n_items].float().cpu().numpy()
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def nearest(
    encoder: Encoder, codes: Sequence[int], eligible: NDArray[np.bool_], k: int
) -> list[tuple[IntArray, NDArray[np.float32]]]:
    """The k items nearest to each item by cosine, never itself.

    Args:
        encoder: A trained sequence model.
        codes: Items that are asked about, which the encoder has a vector of.
        eligible: (n_items,) what may be named.
        k: How many.

    Returns:
        For each item (k',) codes and (k',) cosines, the nearest first; equals by the lower code.
    """
    vectors = unit_vectors(encoder)
    neighbour_lists: list[tuple[IntArray, NDArray[np.float32]]] = []
    for code in codes:
        cosines = vectors @ vectors[code]
        may = eligible.copy()
        may[code] = False
        order = np.argsort(-np.where(may, cosines, -np.inf), kind="stable")[: min(k, int(may.sum()))]
        neighbour_lists.append((order, cosines[order]))
    return neighbour_lists


def similar_items(
    encoder: Encoder, train: Interactions, available: NDArray[np.bool_], codes: IntArray, ids: Sequence[str], k: int
) -> list[tuple[IntArray, NDArray[np.float32]]]:
    """As `nearest`, among the items that may be recommended and that the encoder has learned a vector of.

    Args:
        encoder: A trained sequence model.
        train: The interactions that it was trained on.
        available: (items,) what may be recommended.
        codes: (m,) codes of items that are asked about.
        ids: (m,) their ids.
        k: How many items for each.

    Raises:
        UnknownIdError: The encoder has no vector of an item that is asked about.
    """
    has_vector = known_items(SequenceRanker.of(encoder, train), encoder.n_items)
    without = [
        item_id for item_id, code in zip(ids, codes, strict=True) if code >= len(has_vector) or not has_vector[code]
    ]
    if without:
        raise UnknownIdError(
            f"{encoder.settings.encoder} has no vector of {', '.join(without[:10])}: training saw nobody choose it"
        )
    return nearest(encoder, codes.tolist(), has_vector & available[: encoder.n_items], k)


def similar_table(
    ids: Sequence[str], neighbour_lists: Sequence[tuple[IntArray, NDArray[np.float32]]], item_ids: Sequence[str]
) -> pl.DataFrame:
    """item_id, similar_item_id, rank (from 1), score (the cosine), in the order of `ids`.

    Args:
        ids: (m,) item ids that are asked about.
        neighbour_lists: (m,) answers of `similar_items`.
        item_ids: (items,) item ids by code.
    """
    rows = [
        (item_id, item_ids[int(code)], rank, float(cosine))
        for item_id, (codes, cosines) in zip(ids, neighbour_lists, strict=True)
        for rank, (code, cosine) in enumerate(zip(codes, cosines, strict=True), start=1)
    ]
    return pl.DataFrame(rows, schema=TABLE, orient="row")
