"""A whole run on a small synthetic catalogue with the tiny model, made once for all tests that ask a finished run."""

import io
import json
import shutil
from pathlib import Path

from world import save_tiny

from mmsrarec.core.progress import Progress
from mmsrarec.data.synthetic.catalogue import draw_catalogue
from mmsrarec.pipeline.run import run
from mmsrarec.runs.recipe import Recipe, load_recipe

RECIPE = """
name = "tiny"
[model]
dtype = "float32"
[summarize]
visual_tokens = 4
text_budget = 16
max_new_tokens_text = 4
max_new_tokens_image = 3
[retrieve]
embedding_size = 16
n_layers = 1
epochs = 2
n_vote_neighbours = 10
[recommend]
history = 2
similar_items = 2
item_keywords = 2
n_examples = 12
batch_size = 4
negatives = 3
rank = 2
first_layer = 1
[recommend.tasks]
foresee = 0
recognise = 0
profile = 0
[evaluate]
negatives = 5
n_candidates = 6
fusion_users = 0
shown_users = 2
resamples = 100
"""

SOFT = (
    "recommend.soft.sources=['sasrec']",
    "recommend.soft.hidden=16",
    "evaluate.splits=['leave-one-out']",
    "evaluate.rows=['sasrec', 'mmsrarec']",
    "evaluate.shown_users=1",
)
"""What makes of the recipe one with soft tokens, and with few rows."""
CONTENT = (*SOFT, "recommend.soft.sources=['sasrec', 'content-sasrec']", "evaluate.rows=['content-sasrec', 'mmsrarec']")
"""What makes of the recipe one whose soft tokens know items by their content."""
SEQUENCE = ["sasrec", "gru4rec", "bert4rec", "content-sasrec"]
CLASSIC = [
    *("random", "popularity", "popularity-as-of", "recent-popularity", "sequential-rules", "item-knn", "user-knn"),
    *("als", "ease", *SEQUENCE, "neighbours-only"),
]
TUNED = ["plain-fine-tuning", "mmsrarec"]
"""Rows of that run, under both protocols."""


def recipe_in(folder: Path, *overrides: str) -> Recipe:
    """The recipe of the run in a folder, as its file there and `--set` give it."""
    return load_recipe(folder / "tiny.toml", overrides)


def go(
    folder: Path, *overrides: str, stages: tuple[str, ...] | None = None, out: str = "run", **how
) -> tuple[dict, str]:
    """Run what is missing; what came of it, and what was said meanwhile."""
    said = io.StringIO()
    return run(recipe_in(folder, *overrides), folder / out, stages, Progress(said), **how), said.getvalue()


def finish(folder: Path, *overrides: str) -> Path:
    """Fill a folder as `prepare` does, and with the finished run/ of the recipe with overrides; the folder."""
    prepare(folder)
    go(folder, *overrides)
    return folder


def prepare(folder: Path) -> None:
    """Fill a folder with data/, model/ and tiny.toml. The first picture of the data is damaged."""
    dataset = draw_catalogue(folder / "data", seed=3, items=60, shoppers=60)
    broken = next(path for code in range(60) if (path := dataset.image_path(code)) is not None)
    broken.write_bytes(broken.read_bytes()[:40])
    save_tiny(folder / "model")
    head, parts = RECIPE.split("[model]")
    text = f'{head}data = "{folder / "data"}"\n[model]\nname = "{folder / "model"}"{parts}'
    (folder / "tiny.toml").write_text(text)


def copy_run(finished: Path, to: Path) -> Path:
    """A copy of the finished run that may be written to; data and model stay where they are."""
    shutil.copytree(finished / "run", to / "run")
    shutil.copy(finished / "tiny.toml", to)
    return to


def report_of(folder: Path) -> dict:
    """report.json of the run in a folder."""
    return json.loads((folder / "run" / "evaluate" / "report.json").read_text())


def done(said: str) -> set[str]:
    """The parts that were computed."""
    return {line.partition(": done in")[0] for line in said.splitlines() if ": done in" in line}


def evaluated(said: str) -> set[str]:
    """The rows that were computed."""
    return {line.removeprefix("evaluating ") for line in said.splitlines() if line.startswith("evaluating ")}
