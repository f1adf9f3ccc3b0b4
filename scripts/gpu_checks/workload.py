"""What a check works on: a synthetic catalogue, a recipe, a model, prompts. Tiny: a random model, seconds on a CPU."""

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mmsrarec.data.dataset import Dataset
from mmsrarec.data.splits import leave_one_out
from mmsrarec.data.synthetic.catalogue import draw_catalogue
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.sizes.model_size import ModelSize, model_size
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.runs.recipe import Recipe, load_recipe

ROOT = Path(__file__).parents[2]
NEGATIVES = 20
"""Candidates of a prompt beside the target."""


@dataclass(frozen=True)
class Size:
    """How much is measured.

    items, shoppers: of the synthetic catalogue; copies: of it, in stage 1; batches: questions of stage 1 at once;
    packs: examples of a training step; score_tokens: tokens ranked at once; prompts: distinct ranking prompts;
    compared: prompts and items that are also computed on the CPU; users: that are served; side: of the matrices;
    seconds: of a measurement; overrides: of the recipe.
    """

    items: int
    shoppers: int
    copies: int
    batches: tuple[int, ...]
    packs: tuple[int, ...]
    score_tokens: tuple[int, ...]
    prompts: int
    compared: int
    users: int
    side: int
    seconds: float
    overrides: tuple[str, ...] = ()


ROWS = "evaluate.rows=['popularity', 'sasrec', 'content-sasrec', 'mmsrarec']"
FULL = Size(
    items=300, shoppers=800, copies=8, batches=(64, 256, 1024), packs=(4, 32, 128), score_tokens=(8192, 65536),
    prompts=256, compared=8, users=100, side=8192, seconds=3.0,
    overrides=(ROWS, "recommend.n_examples=2400", "recommend.batch_size=16", "runtime.processes=8",
               "runtime.train_tokens=65536", "runtime.score_tokens=65536", "runtime.generate_batch=256",
               "evaluate.shown_users=0", "evaluate.resamples=200"),
)  # fmt: skip
TINY = Size(
    items=60, shoppers=60, copies=1, batches=(8,), packs=(2,), score_tokens=(2048,), prompts=6, compared=2, users=4,
    side=128, seconds=0.05,
    overrides=(ROWS.replace("'popularity', ", ""), "evaluate.splits=['leave-one-out']", "evaluate.shown_users=0"),
)  # fmt: skip


def size_of(tiny: bool) -> Size:
    return TINY if tiny else FULL


def planned_recipe() -> Recipe:
    """The recipe of a full check, without its data."""
    return load_recipe("sample", ["data=none", *FULL.overrides])


@dataclass
class Workload:
    """A check at work.

    device: a torch device; folder: for everything that it writes; tiny: whether the model is a tiny random one.
    """

    device: str
    folder: Path
    tiny: bool

    @property
    def size(self) -> Size:
        return size_of(self.tiny)

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe, whose data are drawn first."""
        device = f"runtime.device={self.device}"
        if self.tiny:
            sys.path.insert(0, str(ROOT / "tests"))
            from finished import prepare

            prepare(self.folder)
            return load_recipe(self.folder / "tiny.toml", [*self.size.overrides, device])
        draw_catalogue(self.folder / "data", 0, self.size.items, self.size.shoppers)
        return load_recipe("sample", [f"data={self.folder / 'data'}", *self.size.overrides, device])

    @cached_property
    def dataset(self) -> Dataset:
        return Dataset.load(self.recipe.data)

    @cached_property
    def model_size(self) -> ModelSize:
        """What FLOPs are counted by."""
        return model_size(self.recipe.model.name)

    def mllm(self, device: str | None = None, dtype: str | None = None, ranks: bool = False) -> Mllm:
        """A fresh model; ranks: with the layers that rank, or else with all of them."""
        settings = self.recipe.model.model_copy(update={"dtype": dtype} if dtype else {})
        mllm = Mllm.load(settings, device or self.device)
        return mllm.shorten(self.recipe.recommend.layers) if ranks else mllm

    @cached_property
    def contexts(self) -> list:
        """What prompts are rendered from."""
        sys.path.insert(0, str(ROOT / "benchmarks"))
        from packing import ask

        split = leave_one_out(self.dataset.interactions)
        return ask(self.dataset, split, NEGATIVES, self.size.prompts, self.recipe.recommend)

    def prompts(self, mllm: Mllm) -> Prompts:
        """Prompts of a model, as `benchmarks/packing.py` makes them."""
        contexts = self.contexts
        from packing import make_prompts

        return make_prompts(mllm, self.dataset, contexts, self.recipe.recommend)
