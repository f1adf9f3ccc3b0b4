"""Recommend to every user of a run, without what is sold out, and write the table.

python examples/recommend_for_all.py RUN --out recommendations.parquet [--users 1000] [--sold-out ID ...]
"""

import argparse

from mmsrarec import Recommender

parser = argparse.ArgumentParser()
parser.add_argument("run", help="the folder of a finished run")
parser.add_argument("--out", default="recommendations.parquet", help="the table to write")
parser.add_argument("--users", type=int, help="only so many users")
parser.add_argument("--sold-out", nargs="*", default=[], metavar="ID", help="items that are not recommended")
args = parser.parse_args()

recommender = Recommender.load(args.run)
users = recommender.dataset.user_ids[: args.users]
table = recommender.recommend(users=users, k=5, exclude=args.sold_out, reasons=False, progress=True)
table.write_parquet(args.out)
print(table.head(10))
