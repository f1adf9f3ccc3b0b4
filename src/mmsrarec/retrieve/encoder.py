"""The encoder: a trained sequence model that turns histories into users' embeddings (stage 2)."""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file  # pyright: ignore[reportUnknownVariableType]

from mmsrarec.data.dataset import IntArray
from mmsrarec.errors import MmsrarecError, NotFittedError
from mmsrarec.models.loading_lock import LOADING
from mmsrarec.models.sequence.content_sasrec import ContentItems, ContentSASRec, KnownItems
from mmsrarec.models.sequence.encoders import BERT4Rec, GRU4Rec, SASRec, SequenceModel
from mmsrarec.models.sequence.item_tokens import ItemTokens
from mmsrarec.models.sequence.language_body import LanguageBody
from mmsrarec.models.sequence.modality_experts import ExpertItems
from mmsrarec.models.sequence.speeder_style import SpeederStyle
from mmsrarec.models.sequence.whitening import Whitening
from mmsrarec.retrieve.kept_states import states_of
from mmsrarec.retrieve.settings import CONTENT_SASREC, ITEM_TOKENS, SPEEDER_STYLE, RetrieveSettings

Float32Array = NDArray[np.float32]
MAX_BATCH_TOKENS = 32_768
"""Tokens encoded at once, which bounds memory."""
PROCESSOR_BATCH_TOKENS = 4096
"""The same on a processor, whose cache then holds what is between two layers: 1.6 times as fast."""
HISTORIES_AT_ONCE = 65_536
"""Histories turned into tokens together."""
KNOWN_ITEMS_KEY = "known_items"
"""The name of the mask of known items, beside the weights in their file."""
WHITENING_KEYS = ("whitening.mean", "whitening.map")
"""The names of what content was made by, beside the weights in their file."""


@dataclass(frozen=True, eq=False)
class Encoder:
    """A trained sequence model: histories in, users' embeddings and item scores out.

    Attributes:
        model: The sequence model.
        settings: The settings of the model and its training.
        curve: A (mean training loss, validation NDCG@10) pair for each pass of training.
        known: (n_items,) mask of the items with interactions in the training data; None where it is not recorded.
        whitening: How the content of items was made of their states; None for models of ids alone, and where it is not
            recorded.
        n_joined: Of the items that the model scores, how many joined after its training (`retrieve.later_items`).
    """

    model: SequenceModel
    settings: RetrieveSettings
    curve: tuple[tuple[float, float], ...] = ()
    known: NDArray[np.bool_] | None = None
    whitening: Whitening | None = None
    n_joined: int = 0

    @property
    def n_trained(self) -> int:
        """The number of items that the model was trained with."""
        return self.n_items - self.n_joined

    @property
    def n_items(self) -> int:
        """The number of items that the model scores."""
        return self.model.n_items

    @property
    def best_pass(self) -> int:
        """The pass, from 1, whose validation NDCG@10 was best; the last where nothing could be validated."""
        if not any(ndcg for _, ndcg in self.curve):
            return max(len(self.curve), 1)
        return 1 + max(range(len(self.curve)), key=lambda number: self.curve[number][1], default=0)

    @torch.no_grad()
    def encode(self, histories: Sequence[IntArray]) -> Float32Array:
        """Turn histories into embeddings: the model's state after the last item.

        Only the last `settings.max_length` items are read; unknown items are skipped. An empty history gets the state
        of an unknown user. Histories that read equal get bit-equal rows: each is computed once, in an order that
        depends on the histories only.

        Args:
            histories: m histories of item codes, oldest first; -1 is an unknown item.

        Returns:
            (m, embedding_size) embeddings.
        """
        if not len(histories):
            return np.zeros((0, self.settings.embedding_size), dtype=np.float32)
        tokens, place = _distinct_rows(self._tokens(histories))
        return states_of(self, tokens, self._states)[place]

    def _states(self, tokens: NDArray[np.int32]) -> Float32Array:
        """(m, embedding_size) the states after the last item of (m, l) rows of tokens."""
        last = (tokens < self.n_items).sum(axis=1)
        by_length = np.argsort(last, kind="stable")  # short histories share a batch, which needs little padding
        states = np.zeros((len(tokens), self.settings.embedding_size), dtype=np.float32)
        device = self.model.scale.device  # not of items.weight, which content-sasrec computes anew each time
        most = PROCESSOR_BATCH_TOKENS if device.type == "cpu" else MAX_BATCH_TOKENS
        self.model.eval()
        begin = 0
        while begin < len(by_length):
            rows = by_length[begin : begin + 4096]
            rows = rows[: max(1, most // (int(last[rows[-1]]) + 1))]
            batch = torch.as_tensor(tokens[rows, : int(last[rows[-1]]) + 1].astype(np.int64)).to(device)
            ends = torch.as_tensor(last[rows]).to(device)
            states[rows] = self.model.states_at(batch, ends).cpu().numpy()
            begin += len(rows)
        return states

    def _tokens(self, histories: Sequence[IntArray]) -> NDArray[np.int32]:
        """(m, l) tokens of histories, read in blocks: those of a whole log are the most that its encoding holds."""
        starts = range(0, max(len(histories), 1), HISTORIES_AT_ONCE)
        blocks = (
            self.model.read(histories[start : start + HISTORIES_AT_ONCE], self.settings.max_length) for start in starts
        )
        return np.concatenate([block.astype(np.int32) for block in blocks])

    @torch.no_grad()
    def scores(self, histories: Sequence[IntArray]) -> Float32Array:
        """Score every item as the next one. Nothing is filtered.

        Args:
            histories: m histories of item codes, oldest first; -1 is an unknown item.

        Returns:
            (m, n_items) logits.
        """
        states = torch.as_tensor(self.encode(histories)).to(self.model.scale.device)
        return self.model.logits(states).cpu().numpy()

    @property
    def knows_content(self) -> NDArray[np.bool_]:
        """(n_items,) mask of the items that the model knows by their content, without any interaction."""
        if not isinstance(self.model.items, KnownItems):
            return np.zeros(self.n_items, dtype=bool)
        return self.model.items.content[: self.n_items].any(dim=1).cpu().numpy()

    @torch.no_grad()
    def item_vectors(self) -> Float32Array:
        """(n_items, embedding_size) vectors of the items; a score is the product with a state."""
        self.model.eval()
        return self.model.items.weight[: self.n_items].float().cpu().numpy()

    def without_ids(self, items: NDArray[np.bool_]) -> "Encoder":
        """The model with some items represented by content alone, as cold items are; models of ids alone cannot.

        Args:
            items: (n_items,) mask of the items.
        """
        if not (isinstance(self.model.items, KnownItems) and items.any()):
            return self
        model = copy.deepcopy(self.model)
        vectors = model.items
        assert isinstance(vectors, KnownItems)
        vectors.known[: self.n_items][torch.as_tensor(items).to(model.scale.device)] = 0
        return replace(self, model=model)

    def save(self, folder: Path) -> None:
        """Write encoder.safetensors and encoder.json."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: weight.detach().cpu().contiguous() for name, weight in self.model.state_dict().items()}
        if self.known is not None:
            weights[KNOWN_ITEMS_KEY] = torch.as_tensor(self.known)
        if self.whitening is not None:
            weights |= dict(zip(WHITENING_KEYS, (self.whitening.mean, self.whitening.map), strict=True))
        save_file(weights, folder / "encoder.safetensors")
        record = {"n_items": self.n_items, "settings": self.settings.model_dump(), "curve": self.curve}
        if isinstance(self.model, ItemTokens):
            record["body"] = self.model.body.record()
        (folder / "encoder.json").write_text(json.dumps(record, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> "Encoder":
        """Read what `save` wrote.

        Args:
            folder: The folder with encoder.safetensors and encoder.json.
            device: A torch device.

        Raises:
            MmsrarecError: If nothing was saved there, or by another version.
        """
        try:
            record = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
            settings = RetrieveSettings.model_validate(record["settings"])
            curve = tuple((float(loss), float(ndcg)) for loss, ndcg in record["curve"])
            weights = load_file(folder / "encoder.safetensors")
            body = LanguageBody(**record["body"], opening=weights["opening"]) if "body" in record else None
            model = new_model(record["n_items"], settings, body)
            known = weights.pop(KNOWN_ITEMS_KEY, None)
            mean, scaled = (weights.pop(name, None) for name in WHITENING_KEYS)
            model.load_state_dict(weights)
        except FileNotFoundError as e:
            raise NotFittedError(f"no trained encoder in {folder}: run stage 2 (retrieve) first") from e
        except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError, MmsrarecError) as e:
            raise NotFittedError(f"{folder} holds no encoder of this version: remove it and run stage 2 again") from e
        whitening = None if mean is None or scaled is None else Whitening(mean, scaled)
        return cls(model.to(device), settings, curve, None if known is None else known.numpy(), whitening)


def _distinct_rows(tokens: NDArray[np.int32]) -> tuple[NDArray[np.int32], IntArray]:
    """As `np.unique(tokens, axis=0, return_inverse=True)`: tokens are never negative, so their bytes sort likewise."""
    as_bytes = tokens.astype(">i4").view(np.dtype((np.void, 4 * tokens.shape[1]))).ravel()
    _, first, place = np.unique(as_bytes, return_index=True, return_inverse=True)
    return tokens[first], place


def new_model(n_items: int, s: RetrieveSettings, body: LanguageBody | None = None) -> SequenceModel:
    """Build the model that the settings name, untrained.

    Args:
        n_items: The number of items.
        s: The settings.
        body: The layers of a language model, which only item-tokens needs.

    Raises:
        MmsrarecError: The layers are needed and not given.
    """
    with LOADING:
        return _new_model(n_items, s, body)


def _new_model(n_items: int, s: RetrieveSettings, body: LanguageBody | None) -> SequenceModel:
    if s.encoder in ITEM_TOKENS:
        if body is None:
            raise MmsrarecError(f"{s.encoder} reads items by the layers of a language model: give it a LanguageBody")
        if s.encoder == SPEEDER_STYLE:
            experts = ExpertItems(n_items, 1, s.embedding_size, s.content_size, s.picture_size)
            return SpeederStyle(
                n_items, s.embedding_size, s.dropout, experts, s.id_dropout, body, s.modality_dropout, s.order_weight
            )
        items = ContentItems(n_items, 1, s.embedding_size, s.content_size)
        return ItemTokens(n_items, s.embedding_size, s.dropout, items, s.id_dropout, body)
    if s.encoder == "gru4rec":
        return GRU4Rec(n_items, s.embedding_size, s.n_layers, s.dropout)
    if s.encoder == "bert4rec":
        return BERT4Rec(n_items, s.max_length, s.embedding_size, s.n_layers, s.n_heads, s.dropout, s.mask_prob)
    if s.encoder == CONTENT_SASREC:
        return ContentSASRec(
            n_items, s.max_length, s.embedding_size, s.n_layers, s.n_heads, s.dropout, s.content_size, s.id_dropout
        )
    return SASRec(n_items, s.max_length, s.embedding_size, s.n_layers, s.n_heads, s.dropout)
