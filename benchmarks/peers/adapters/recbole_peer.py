"""RecBole: Pop, ItemKNN, EASE and BPR, and the sequence models SASRec, GRU4Rec and BERT4Rec.

Models that are trained in passes choose the pass on each user's last training interaction, which they therefore do not
train on; `budget` ends the training after so many seconds of the processor, also within a pass. The last row of each
user in RecBole's files is a dummy, for RecBole makes histories only in front of a row: no model trains on it or chooses
by it.

Pop is as RecBole has it by default: it counts the training batches that hold an item, and items drawn as negatives too.
"""

import copy
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peer_protocol import Fit, Fitted, PeerSplit, adapter, spread
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

NAME = "peer"
NO_PASSES = ("Pop", "ItemKNN", "EASE")
SEQUENCE_MODELS = ("SASRec", "GRU4Rec", "BERT4Rec")
ROWS = {
    "popularity": "Pop",
    "item-knn": "ItemKNN",
    "ease": "EASE",
    "bpr": "BPR",
    "sasrec": "SASRec",
    "gru4rec": "GRU4Rec",
    "bert4rec": "BERT4Rec",
}
TRANSLATED = {"k": "k", "l2": "reg_weight", "factors": "embedding_size", "max_length": "MAX_ITEM_LIST_LENGTH"}
"""The settings of compare.py in RecBole's words."""


class WithinBudget:
    """A loader whose pass ends when the budget of processor seconds is spent."""

    def __init__(self, loader: Any, budget: float):
        self.loader, self.end, self.batches = loader, time.process_time() + budget, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        for batch in self.loader:
            yield batch
            self.batches += 1
            if self.is_over:
                return

    @property
    def is_over(self) -> bool:
        return time.process_time() > self.end


def own_config(split: PeerSplit, settings: Mapping[str, Any], name: str, seed: int, folder: Path) -> Config:
    """RecBole's configuration; everything that is not here is its default."""
    own: dict[str, Any] = {
        "data_path": str(folder),
        "checkpoint_dir": str(folder),
        "seed": seed,
        "use_gpu": False,
        "device": "cpu",
        "state": "ERROR",
        "show_progress": False,
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "eval_args": {"split": {"LS": "valid_and_test"}, "group_by": "user", "order": "TO", "mode": "full"},
        "metrics": ["NDCG"],
        "topk": [10],
        "valid_metric": "NDCG@10",
        "eval_batch_size": 1024 * split.n_items,
    }
    own |= {TRANSLATED[key]: value for key, value in settings.items() if key in TRANSLATED}
    if name in SEQUENCE_MODELS:
        own |= {"train_neg_sample_args": None}
    if name in ("SASRec", "BERT4Rec"):
        own["hidden_size"] = own.pop("embedding_size")
    return Config(model=name, dataset=NAME, config_dict=own)


def write_log(split: PeerSplit, folder: Path, held_out: bool) -> None:
    """Write NAME.inter: the log and a dummy row for each user, and a second one where the last is to be trained on."""
    (folder / NAME).mkdir()
    ends = np.append(np.flatnonzero(np.diff(split.user)), len(split.user) - 1)
    dummies = np.repeat(ends, 1 if held_out else 2)
    places = np.sort(np.concatenate([np.arange(len(split.user)), dummies]), kind="stable")
    with (folder / NAME / f"{NAME}.inter").open("w", encoding="utf-8") as file:
        file.write("user_id:token\titem_id:token\ttimestamp:float\n")
        for step, place in enumerate(places.tolist()):  # a step for a time: RecBole keeps times in 32 bits
            file.write(f"{split.user[place]}\t{split.item[place]}\t{step}\n")


def train(config: Config, model: Any, loaders: tuple[Any, Any], budget: float) -> float:
    """Train as RecBole's own loop does, and keep the best pass in memory; return how many passes that are.

    The last pass may have been ended by the budget, and counts by the share of its batches.
    """
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    train_data, valid_data = loaders
    trainer.eval_collector.data_collect(train_data)
    if config["model"] in NO_PASSES:
        trainer._train_epoch(train_data, 0)
        return 0
    best, kept, best_pass = -np.inf, model.state_dict(), 0
    timed = WithinBudget(train_data, budget)
    for number in range(1, config["epochs"] + 1):
        trainer._train_epoch(timed, number - 1)
        score, _ = trainer._valid_epoch(valid_data)
        if score > best:
            best, kept, best_pass = score, copy.deepcopy(model.state_dict()), number
        if number - best_pass >= config["stopping_step"] or timed.is_over:
            break
    model.load_state_dict(kept)
    return min(best_pass, round(timed.batches / len(train_data), 1))


def scores_of(split: PeerSplit, model: Any, rows: Any, dataset: Any) -> np.ndarray:
    """(m, n_items) scores of the queries, from the dummy rows of their users."""
    model.eval()
    known = np.unique(split.item)
    columns = dataset.token2id(dataset.iid_field, [str(code) for code in known])
    users = dataset.token2id(dataset.uid_field, [str(code) for code in split.query_user])
    place = {int(user): row for row, user in enumerate(rows[dataset.uid_field].tolist())}
    chosen = rows[torch.tensor([place[int(user)] for user in users])]
    parts = []
    with torch.no_grad():
        for begin in range(0, len(chosen), 256):
            part = chosen[begin : begin + 256]
            scores = torch.as_tensor(np.asarray(model.full_sort_predict(part)))
            parts.append(scores.reshape(len(part), -1).numpy()[:, columns])
    return spread(np.concatenate(parts), known, split.n_items)


def fit_row(name: str) -> Fit:
    def fit(split: PeerSplit, settings: Mapping[str, Any], seed: int) -> Fitted:
        with tempfile.TemporaryDirectory() as folder:
            write_log(split, Path(folder), held_out=name not in NO_PASSES)
            config = own_config(split, settings, name, seed, Path(folder))
            init_seed(seed, True)
            dataset = create_dataset(config)
            train_data, valid_data, test_data = data_preparation(config, dataset)
            init_seed(seed, True)
            model = get_model(name)(config, train_data.dataset)
            passes = train(config, model, (train_data, valid_data), settings.get("budget", np.inf))
        facts = {"passes": passes} if passes else {}
        return Fitted(lambda: scores_of(split, model, test_data.dataset.inter_feat, dataset), facts)

    return fit


MODELS = {row: fit_row(name) for row, name in ROWS.items()}

if __name__ == "__main__":
    sys.exit(adapter("recbole", MODELS))
