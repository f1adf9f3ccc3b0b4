r"""RecBole's own evaluation of a data set in RecBole's format: its reader, its split, its filters and its metrics.

    ENVIRONMENTS/recbole/bin/python benchmarks/peers/adapters/recbole_evaluation.py FOLDER --model ItemKNN \
        --settings '{"k": 100}'

FOLDER holds FOLDER.inter, as `mmsrarec export recbole` writes it. Leave-one-out, the whole catalogue. The last line of
the output is one JSON object.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

METRICS = {"hit@10": "HR@10", "ndcg@10": "NDCG@10", "mrr@10": "MRR@10"}


def evaluate(folder: Path, name: str, settings: dict[str, float], scratch: str) -> dict[str, float]:
    own = {
        "data_path": str(folder.resolve().parent),
        "checkpoint_dir": scratch,
        "use_gpu": False,
        "device": "cpu",
        "state": "ERROR",
        "show_progress": False,
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "eval_args": {"split": {"LS": "valid_and_test"}, "group_by": "user", "order": "TO", "mode": "full"},
        "metrics": ["Hit", "NDCG", "MRR"],
        "topk": [10],
        "metric_decimal_place": 6,
        **settings,
    }
    if name == "Pop":  # it counts batches that hold an item, and negatives as well: so one interaction each, and none
        own |= {"train_batch_size": 1, "train_neg_sample_args": None}
    config = Config(model=name, dataset=folder.name, config_dict=own)
    init_seed(0, True)
    train_data, _, test_data = data_preparation(config, create_dataset(config))
    trainer = get_trainer(config["MODEL_TYPE"], name)(config, get_model(name)(config, train_data.dataset))
    trainer.eval_collector.data_collect(train_data)
    trainer._train_epoch(train_data, 0)
    told = trainer.evaluate(test_data, load_best_model=False)
    return {ours: float(told[theirs]) for theirs, ours in METRICS.items()}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--model", choices=("Pop", "ItemKNN"), required=True)
    options.add_argument("--settings", type=json.loads, default={}, help="JSON, in RecBole's words")
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(evaluate(args.folder, args.model, args.settings, scratch)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
