"""Train the sequence encoder, and turn histories into users' embeddings (stage 2)."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from mmsrarec.data.dataset import Events, IntArray
from mmsrarec.data.split import Moments
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.sequence import SASRec
from mmsrarec.retrieve.settings import RetrieveSettings

Float32Array = NDArray[np.float32]
Progress = Callable[[int, float, float], None]
"""Told after every pass: pass number from 1, mean training loss, validation NDCG@10."""

MOST_VALIDATED = 4000  # validation moments that decide when to stop: more cost time and change no decision
TOKENS_A_BATCH = 32_768  # bounds memory while encoding


@dataclass(frozen=True, eq=False)
class Encoder:
    """A trained SASRec: histories in, users' embeddings and item scores out.

    curve: a line for each pass of training, (mean loss, validation NDCG@10).
    """

    model: SASRec
    settings: RetrieveSettings
    curve: tuple[tuple[float, float], ...] = ()

    @property
    def n_items(self) -> int:
        return self.model.start

    @torch.no_grad()
    def encode(self, histories: Sequence[IntArray]) -> Float32Array:
        """m histories (item codes, oldest first; -1 = unknown) -> (m, dims): the state after the last item.

        Only the last `settings.length` items are read, unknown ones skipped. An empty history gets the state of someone
        unknown. Equal readings get bit-equal rows: each is computed once, in an order that depends on them only.
        """
        vectors = np.zeros((len(histories), self.settings.dims), dtype=np.float32)
        if not len(histories):
            return vectors
        tokens = _open_windows(histories, self.settings.length, self.model.start)
        tokens, place = np.unique(tokens, axis=0, return_inverse=True)
        last = (tokens != self.model.start).sum(axis=1)
        by_length = np.argsort(last, kind="stable")  # short ones together: little padding
        states = np.zeros((len(tokens), self.settings.dims), dtype=np.float32)
        device = self.model.items.weight.device
        self.model.eval()
        begin = 0
        while begin < len(by_length):
            rows = by_length[begin : begin + 4096]
            rows = rows[: max(1, TOKENS_A_BATCH // (int(last[rows[-1]]) + 1))]
            batch = torch.from_numpy(tokens[rows, : int(last[rows[-1]]) + 1]).to(device)
            ends = torch.from_numpy(last[rows]).to(device)
            states[rows] = self.model(batch)[torch.arange(len(rows), device=device), ends].cpu().numpy()
            begin += len(rows)
        return states[place.ravel()]

    @torch.no_grad()
    def scores(self, histories: Sequence[IntArray]) -> Float32Array:
        """m histories -> (m, n_items): how likely each item comes next, as logits. Nothing is filtered."""
        states = torch.from_numpy(self.encode(histories)).to(self.model.items.weight.device)
        return self.model.logits(states).cpu().numpy()

    def save(self, folder: Path) -> None:
        """Write encoder.safetensors and encoder.json."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: w.detach().cpu().contiguous() for name, w in self.model.state_dict().items()}
        save_file(weights, folder / "encoder.safetensors")
        record = {"n_items": self.n_items, "settings": self.settings.model_dump(), "curve": self.curve}
        (folder / "encoder.json").write_text(json.dumps(record, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Encoder":
        try:
            record = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
            weights = load_file(folder / "encoder.safetensors")
        except FileNotFoundError as e:
            raise MmsrarecError(f"no trained encoder in {folder}: run stage 2 (retrieve) first") from e
        settings = RetrieveSettings.model_validate(record["settings"])
        model = _new_model(record["n_items"], settings)
        model.load_state_dict(weights)
        return cls(model, settings, tuple((loss, ndcg) for loss, ndcg in record["curve"]))


def train_encoder(
    train: Events,
    valid: Moments,
    settings: RetrieveSettings,
    seed: int,
    progress: Progress | None = None,
    device: str = "cpu",
) -> Encoder:
    """SASRec trained on `train` by cross-entropy at every event; stops by, and keeps the best of, validation NDCG@10.

    Every event of every user is predicted once a pass: a long history is cut into windows, at places that move from
    pass to pass. Validation ranks all items but the history. Without validation moments the last pass is kept.
    Equal seeds give equal encoders; the global random state is left as it was.
    """
    if not len(train):
        raise MmsrarecError("no training events to learn an encoder from: check the split and the filters")
    rng = np.random.default_rng(seed)
    if len(valid) > MOST_VALIDATED:
        valid = valid.pick(np.sort(rng.choice(len(valid), MOST_VALIDATED, replace=False)))
    with torch.random.fork_rng(devices=[] if device == "cpu" else None):  # dropout draws from the global state
        torch.manual_seed(seed)
        model = _new_model(train.n_items, settings).reset(torch.Generator().manual_seed(seed)).to(device)
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=settings.lr, betas=(0.9, 0.98), weight_decay=settings.weight_decay, fused=True
        )
        best, best_weights, best_pass, curve = -1.0, {}, 0, []
        for number in range(1, settings.epochs + 1):
            model.train()
            losses = []
            for tokens in _batches(train, settings, model.start, rng):
                loss = _loss(model, torch.from_numpy(tokens).to(device), settings, rng)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            ndcg = _ndcg_at_10(Encoder(model, settings), valid)
            curve.append((float(np.mean(losses)), ndcg))
            if progress is not None:
                progress(number, *curve[-1])
            if ndcg > best or not len(valid):
                best, best_pass = ndcg, number
                best_weights = {name: w.detach().clone() for name, w in model.state_dict().items()}
            elif number - best_pass >= settings.patience:
                break
    model.load_state_dict(best_weights)
    return Encoder(model.eval(), settings, tuple(curve))


def _new_model(n_items: int, s: RetrieveSettings) -> SASRec:
    return SASRec(n_items, s.length, s.dims, s.blocks, s.heads, s.dropout)


def _open_windows(histories: Sequence[IntArray], length: int, start: int) -> IntArray:
    """(m, length + 1): the start token, a history's last known items, padding on the right."""
    tokens = np.full((len(histories), length + 1), start, dtype=np.int64)
    for row, history in zip(tokens, histories, strict=True):
        read = history[-length:]
        known = read[(read >= 0) & (read < start)]
        row[1 : len(known) + 1] = known
    return tokens


def _batches(train: Events, s: RetrieveSettings, start: int, rng: np.random.Generator) -> Iterator[IntArray]:
    """Batches (b, up to length + 1) of one pass: the start token, then events of one user, each in one window only."""
    cuts = []
    for begin, end in zip(train.offsets[:-1], train.offsets[1:], strict=True):
        # a long history is cut anew each pass, so that each event is seen after shorter and longer pasts
        first = begin + (int(rng.integers(s.length)) if end - begin > s.length else 0)
        cuts += [(b, min(b + s.length, end)) for b in range(first, end, s.length)]
        if first > begin:
            cuts.append((begin, first))
    cuts = [cuts[i] for i in rng.permutation(len(cuts))]
    cuts.sort(
        key=lambda cut: cut[1] - cut[0]
    )  # equal lengths share a batch, which then needs no padding; sort is stable
    step = np.cumsum([end - begin for begin, end in cuts]) // s.batch
    parts = np.split(np.arange(len(cuts)), np.flatnonzero(np.diff(step)) + 1)
    for part in (parts[i] for i in rng.permutation(len(parts))):
        pieces = [train.item[slice(*cuts[i])] for i in part]
        yield _open_windows(pieces, max(map(len, pieces)), start)


def _loss(model: SASRec, tokens_bt: Tensor, s: RetrieveSettings, rng: np.random.Generator) -> Tensor:
    """Mean cross-entropy of the next item over all events of the batch."""
    states_btd = model(tokens_bt[:, :-1])
    real_bt = tokens_bt[:, 1:] != model.start
    states, target = states_btd[real_bt], tokens_bt[:, 1:][real_bt]
    if s.loss == "softmax" or s.negatives >= model.start:
        return F.cross_entropy(model.logits(states), target)
    drawn = torch.from_numpy(rng.choice(model.start, s.negatives, replace=False)).to(tokens_bt.device)
    right = (states * model.items(target)).sum(-1, keepdim=True)
    # a sampled item stands for n_items / negatives of them, so that the sum estimates the full softmax's
    wrong = model.logits(states, drawn) + float(np.log(model.start / s.negatives))
    wrong = wrong.masked_fill(drawn[None, :] == target[:, None], -torch.inf)
    return F.cross_entropy(torch.cat([right, wrong], dim=1), torch.zeros_like(target))


def _ndcg_at_10(encoder: Encoder, moments: Moments) -> float:
    """Mean NDCG@10 over all items but the history; ties count half. 0 where there are no moments."""
    gains = []
    for begin in range(0, len(moments), 512):
        part = moments.pick(np.arange(begin, min(begin + 512, len(moments))))
        scores = encoder.scores(part.history)
        known = np.where((part.target >= 0) & (part.target < encoder.n_items), part.target, 0)
        right = scores[np.arange(len(part)), known][:, None].copy()
        for row, history in zip(scores, part.history, strict=True):
            row[history[(history >= 0) & (history < encoder.n_items)]] = -np.inf
        rank = (scores > right).sum(1) + ((scores == right).sum(1) - 1).clip(0) / 2
        gains.append(np.where((rank < 10) & (known == part.target), 1 / np.log2(rank + 2), 0.0))
    return float(np.concatenate(gains).mean()) if gains else 0.0
