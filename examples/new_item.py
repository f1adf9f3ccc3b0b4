"""A new item is recommended without any training: it joins the data folder, and `update` reads it.

    python examples/new_item.py RUN DATA

DATA, the run's data folder, gets a row in items.parquet. Its text decides who gets it, for nobody has chosen it yet.
"""

import argparse
from pathlib import Path

import polars as pl

from mmsrarec import Recommender
from mmsrarec.core.progress import Progress
from mmsrarec.pipeline.run import update

parser = argparse.ArgumentParser()
parser.add_argument("run", type=Path, help="the folder of a finished run")
parser.add_argument("data", type=Path, help="its data folder, which is changed")
parser.add_argument("--item", default="new-item", help="the id of the new item")
args = parser.parse_args()

item = {"item_id": args.item, "title": "Blue heart mug", "description": "A mug of blue clay with a heart."}
items = pl.read_parquet(args.data / "items.parquet")
pl.concat([items, pl.DataFrame([item])], how="diagonal").write_parquet(args.data / "items.parquet")
print(update(args.run, Progress(), args.data)["new_items"])

recommender = Recommender.load(args.run, args.data)
users = recommender.dataset.user_ids[:50]
scores = recommender.score([args.item], users=users).sort("score", descending=True)
print("users whom the new item suits best:", scores["user_id"].head(3).to_list())
