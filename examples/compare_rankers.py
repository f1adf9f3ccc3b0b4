"""Compare rankers that need no language model on a data folder, and print the table.

    python examples/compare_rankers.py DATA --out runs/compared [--rows als ease sasrec ...]

The same models, splits and candidates for all; the report lies in OUT/evaluate/report.html.
"""

import argparse
import json
from pathlib import Path

import mmsrarec

parser = argparse.ArgumentParser()
parser.add_argument("data", help="a data folder")
parser.add_argument("--out", type=Path, default=Path("runs/compared"), help="the run's folder")
parser.add_argument("--rows", nargs="*", default=["popularity", "sequential-rules", "item-knn", "sasrec"])
parser.add_argument("--epochs", type=int, default=30, help="passes of a sequence model at most")
args = parser.parse_args()

recipe = mmsrarec.Recipe.model_validate(
    {
        "name": "compared",
        "data": args.data,
        "retrieve": {"epochs": args.epochs, "batch_size": 128},
        "evaluate": {"rows": args.rows, "splits": ["leave-one-out"], "resamples": 500},
    }
)
mmsrarec.run(recipe, args.out, progress=False)
report = json.loads((args.out / "evaluate" / "report.json").read_text())
for row in report["rows"]:
    if row["protocol"] == "full":
        print(f"{row['model']:20} NDCG@10 {row['metrics']['NDCG@10']['value']:.3f}")
