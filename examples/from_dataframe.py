"""Fit two DataFrames and recommend.

    python examples/from_dataframe.py [--minutes 5] [--out runs/example]

The tables are drawn here, so that the example runs as it stands; put your own in their place. pandas works as well.
"""

import argparse

import numpy as np
import polars as pl

import mmsrarec

parser = argparse.ArgumentParser()
parser.add_argument("--minutes", type=float, default=5, help="how long fitting may take, about")
parser.add_argument("--out", default="runs/example", help="the run's folder")
parser.add_argument("--model", default="embedded", help="the language model")
args = parser.parse_args()

rng = np.random.default_rng(0)
things, colours = ["mug", "bowl", "plate", "vase", "lamp", "clock"], ["red", "blue", "green", "white", "black"]
items = pl.DataFrame(
    {
        "item_id": [f"{thing}-{colour}" for thing in things for colour in colours],
        "title": [f"{colour.title()} {thing}" for thing in things for colour in colours],
        "description": [f"A {colour} {thing} of glazed clay." for thing in things for colour in colours],
    }
)
favourite = rng.integers(len(colours), size=60)  # each user mostly chooses one colour
chosen = []
for user, colour in enumerate(favourite):
    for _ in range(8):
        shade = colours[colour if rng.random() < 0.8 else rng.integers(len(colours))]
        chosen.append((f"user-{user}", f"{things[rng.integers(len(things))]}-{shade}"))
interactions = pl.DataFrame(chosen, schema=["user_id", "item_id"], orient="row")  # the rows are in the order of time

data = mmsrarec.Dataset.from_frames(items, interactions)
print(*data.notes, sep="\n")
recommender = mmsrarec.fit(data, args.out, minutes=args.minutes, model=args.model)
for answer in recommender.recommend(user="user-0", k=3):
    print(answer.title, "because", "; ".join(answer.because))
