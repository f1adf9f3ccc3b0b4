"""RecTools: popularity, EASE, ALS and item kNN through implicit, and the sequence models SASRec and BERT4Rec.

The sequence models choose the pass by the loss on each user's last training interaction, which they therefore do not
train on; `budget` ends the training after so many seconds of the processor.
"""

import copy
import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from implicit.cpu.als import AlternatingLeastSquares
from implicit.nearest_neighbours import CosineRecommender
from peer_protocol import UNKNOWN, Fit, Fitted, PeerSplit, adapter
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import EASEModel, ImplicitALSWrapperModel, ImplicitItemKNNWrapperModel, PopularModel
from threadpoolctl import threadpool_limits

threadpool_limits(1, "blas")  # as implicit asks for


def model_of(name: str, settings: Mapping[str, Any], seed: int) -> Any:
    match name:
        case "popularity":
            return PopularModel()
        case "ease":
            return EASEModel(regularization=settings["l2"], recommend_n_threads=1)
        case "als":
            own = {key: settings[key] for key in ("factors", "alpha", "regularization", "iterations")}
            return ImplicitALSWrapperModel(AlternatingLeastSquares(**own, random_state=seed, num_threads=1))
        case _:  # an item is its own nearest neighbour there
            return ImplicitItemKNNWrapperModel(CosineRecommender(K=settings["k"] + 1, num_threads=1))


class Budget:
    """How many passes a sequence model is trained for: until the loss is no longer better, or the time is over."""

    def __init__(self, seconds: float, patience: int = 10):
        self.seconds, self.patience, self.start = seconds, patience, time.process_time()
        self.best, self.best_pass, self.weights = np.inf, 0, {}

    def trainer(self) -> Any:
        from pytorch_lightning import Callback, Trainer

        budget = self

        class Stop(Callback):
            def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
                trainer.should_stop = trainer.should_stop or time.process_time() - budget.start > budget.seconds

            def on_validation_end(self, trainer: Any, module: Any) -> None:
                loss, number = float(trainer.callback_metrics[module.val_loss_name]), trainer.current_epoch + 1
                if loss < budget.best:
                    budget.best, budget.best_pass = loss, number
                    budget.weights = copy.deepcopy(module.state_dict())
                trainer.should_stop = trainer.should_stop or number - budget.best_pass >= budget.patience

        quiet = dict.fromkeys(("enable_progress_bar", "enable_model_summary", "enable_checkpointing", "logger"), False)
        return Trainer(
            max_epochs=1000, min_epochs=0, num_sanity_val_steps=0, accelerator="cpu", callbacks=[Stop()], **quiet
        )


def last_of_each_user(interactions: pd.DataFrame) -> np.ndarray:
    """(n,) mask of the interactions that the pass is chosen by."""
    return ~interactions.iloc[::-1].duplicated(Columns.User).iloc[::-1].to_numpy()


def sequence_model(name: str, settings: Mapping[str, Any], seed: int) -> tuple[Any, Budget]:
    from pytorch_lightning import seed_everything
    from rectools.models import BERT4RecModel, SASRecModel

    seed_everything(seed)
    budget = Budget(settings.get("budget", np.inf))
    model = {"sasrec": SASRecModel, "bert4rec": BERT4RecModel}[name](
        n_factors=settings["factors"],
        session_max_len=settings["max_length"],
        get_val_mask_func=last_of_each_user,
        get_trainer_func=budget.trainer,
        recommend_torch_device="cpu",
    )
    return model, budget


SEQUENCE_MODELS = ("sasrec", "bert4rec")


def fit_row(name: str) -> Fit:
    def fit(split: PeerSplit, settings: Mapping[str, Any], seed: int) -> Fitted:
        times = pd.to_datetime(np.arange(len(split.time)), unit="s")  # a step for a time: equal times keep their order
        columns = {Columns.User: split.user, Columns.Item: split.item, Columns.Weight: 1.0, Columns.Datetime: times}
        log, facts = Dataset.construct(pd.DataFrame(columns)), {}
        if name in SEQUENCE_MODELS:
            model, budget = sequence_model(name, settings, seed)
            model.fit(log)
            model.lightning_model.load_state_dict(budget.weights)
            facts = {"passes": budget.best_pass}
        else:
            model = model_of(name, settings, seed)
            model.fit(log)

        def score() -> np.ndarray:
            told = model.recommend(split.query_user, log, k=split.n_items, filter_viewed=False)
            place = pd.Series(np.arange(len(split.query_user)), index=split.query_user)
            scores = np.full((len(split.query_user), split.n_items), UNKNOWN)
            scores[place[told[Columns.User]].to_numpy(), told[Columns.Item].to_numpy()] = told[Columns.Score]
            return scores

        return Fitted(score, facts)

    return fit


MODELS = {name: fit_row(name) for name in ("popularity", "item-knn", "ease", "als", *SEQUENCE_MODELS)}

if __name__ == "__main__":
    sys.exit(adapter("rectools", MODELS))
