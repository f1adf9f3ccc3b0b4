"""Turn histories into users' embeddings by a trained sequence model (stage 2)."""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mmsrarec.data.dataset import IntArray
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.sequence.content_sasrec import ContentSASRec
from mmsrarec.models.sequence.encoders import BERT4Rec, GRU4Rec, SASRec, SequenceModel
from mmsrarec.retrieve.settings import CONTENT_SASREC, RetrieveSettings

Float32Array = NDArray[np.float32]
MAX_BATCH_TOKENS = 32_768  # bounds memory while encoding
KNOWN = "known_items"
"""What training saw taken, beside the weights in their file."""


@dataclass(frozen=True, eq=False)
class Encoder:
    """A trained sequence model: histories in, users' embeddings and item scores out.

    curve: a line for each pass of training, (mean loss, validation NDCG@10). known: (n_items,), what training saw
    taken; None where it is not recorded.
    """

    model: SequenceModel
    settings: RetrieveSettings
    curve: tuple[tuple[float, float], ...] = ()
    known: NDArray[np.bool_] | None = None

    @property
    def n_items(self) -> int:
        return self.model.n_items

    @property
    def best_pass(self) -> int:
        """The pass, from 1, whose validation NDCG@10 was best; the last where nothing could be validated."""
        if not any(ndcg for _, ndcg in self.curve):
            return max(len(self.curve), 1)
        return 1 + max(range(len(self.curve)), key=lambda number: self.curve[number][1], default=0)

    @torch.no_grad()
    def encode(self, histories: Sequence[IntArray]) -> Float32Array:
        """m histories (item codes, oldest first; -1 = unknown) -> (m, dims): the state after the last item.

        Only the last `settings.length` items are read, unknown ones skipped. An empty history gets the state of someone
        unknown. Equal readings get bit-equal rows: each is computed once, in an order that depends on them only.
        """
        vectors = np.zeros((len(histories), self.settings.embedding_size), dtype=np.float32)
        if not len(histories):
            return vectors
        tokens = self.model.read(histories, self.settings.max_length)
        tokens, place = np.unique(tokens, axis=0, return_inverse=True)
        last = (tokens < self.n_items).sum(axis=1)
        by_length = np.argsort(last, kind="stable")  # short ones together: little padding
        states = np.zeros((len(tokens), self.settings.embedding_size), dtype=np.float32)
        device = self.model.scale.device  # not of items.weight, which content-sasrec makes anew each time
        self.model.eval()
        begin = 0
        while begin < len(by_length):
            rows = by_length[begin : begin + 4096]
            rows = rows[: max(1, MAX_BATCH_TOKENS // (int(last[rows[-1]]) + 1))]
            batch = torch.from_numpy(tokens[rows, : int(last[rows[-1]]) + 1]).to(device)
            ends = torch.from_numpy(last[rows]).to(device)
            states[rows] = self.model(batch)[torch.arange(len(rows), device=device), ends].cpu().numpy()
            begin += len(rows)
        return states[place.ravel()]

    @torch.no_grad()
    def scores(self, histories: Sequence[IntArray]) -> Float32Array:
        """m histories -> (m, n_items): how likely each item comes next, as logits. Nothing is filtered."""
        states = torch.from_numpy(self.encode(histories)).to(self.model.scale.device)
        return self.model.logits(states).cpu().numpy()

    def without_ids(self, items: NDArray[np.bool_]) -> "Encoder":
        """The same model as if nobody had taken the (n_items,) items: told by what they are alone, where it can be."""
        if not (isinstance(self.model, ContentSASRec) and items.any()):
            return self
        model = copy.deepcopy(self.model)
        model.items.known[: self.n_items][torch.from_numpy(items).to(model.scale.device)] = 0
        return replace(self, model=model)

    def save(self, folder: Path) -> None:
        """Write encoder.safetensors and encoder.json."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: w.detach().cpu().contiguous() for name, w in self.model.state_dict().items()}
        if self.known is not None:
            weights[KNOWN] = torch.from_numpy(self.known)
        save_file(weights, folder / "encoder.safetensors")
        record = {"n_items": self.n_items, "settings": self.settings.model_dump(), "curve": self.curve}
        (folder / "encoder.json").write_text(json.dumps(record, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> "Encoder":
        """Onto a torch device. Raises MmsrarecError where nothing was saved, or by another version."""
        try:
            record = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
            settings = RetrieveSettings.model_validate(record["settings"])
            curve = tuple((float(loss), float(ndcg)) for loss, ndcg in record["curve"])
            model = new_model(record["n_items"], settings)
            weights = load_file(folder / "encoder.safetensors")
            known = weights.pop(KNOWN, None)
            model.load_state_dict(weights)
        except FileNotFoundError as e:
            raise MmsrarecError(f"no trained encoder in {folder}: run stage 2 (retrieve) first") from e
        except (ValueError, KeyError, RuntimeError, SafetensorError) as e:
            raise MmsrarecError(f"{folder} holds no encoder of this version: remove it and run stage 2 again") from e
        return cls(model.to(device), settings, curve, None if known is None else known.numpy())


def new_model(n_items: int, s: RetrieveSettings) -> SequenceModel:
    """The model that the settings name, untrained."""
    if s.encoder == "gru4rec":
        return GRU4Rec(n_items, s.embedding_size, s.n_layers, s.dropout)
    if s.encoder == "bert4rec":
        return BERT4Rec(n_items, s.max_length, s.embedding_size, s.n_layers, s.n_heads, s.dropout, s.mask_prob)
    if s.encoder == CONTENT_SASREC:
        return ContentSASRec(
            n_items, s.max_length, s.embedding_size, s.n_layers, s.n_heads, s.dropout, s.content_size, s.id_dropout
        )
    return SASRec(n_items, s.max_length, s.embedding_size, s.n_layers, s.n_heads, s.dropout)
