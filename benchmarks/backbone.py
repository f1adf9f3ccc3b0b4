"""Quality against cost of smaller backbones: train rankers of several depths on a finished run, score its test users.

    python benchmarks/backbone.py runs/sample --out runs/backbone --plot docs/backbone.svg

Every form learns from the same training packs; distilled ones also learn the scores of the run's own variant "whole".
Trained forms are kept in --out and not trained again. Times are taken afterwards, of all forms in turns within each
batch, so that a busy machine slows all of them; cpu: seconds of the processor, for one thread the more reliable. The
last line of the output is one JSON object.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch

from mmsrarec.core.artefacts import versions
from mmsrarec.data.dataset import FloatArray
from mmsrarec.data.splits import Queries
from mmsrarec.evaluate.protocols import Candidates, evaluate_published, published_candidates
from mmsrarec.evaluate.significance import intervals, paired
from mmsrarec.models.backbone.adapter import Trainer, add_adapter, load_adapter, trainable
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.packing.packed_prompt import PackedPrompt
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import MllmScorer, score_packs, yes_minus_no
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.recommend.training.fine_tuning import tune
from mmsrarec.recommend.training.ranking_loss import choose_loss
from mmsrarec.recommend.training.training_samples import sample_training
from mmsrarec.runs.run_folder import RunFolder
from mmsrarec.study.report.plots import Cloud, cloud_plot, save_svg

FORMS: dict[str, dict] = {
    "lowest-30": {"layers": 30, "first_layer": 8},
    "lowest-20": {"layers": 20, "first_layer": 8},
    "lowest-10": {"layers": 10, "first_layer": 0},
    "lowest-8": {"layers": 8, "first_layer": 0},
    "lowest-6": {"layers": 6, "first_layer": 0},
    "lowest-4": {"layers": 4, "first_layer": 0},
    "even-8": {"layers": 8, "first_layer": 0, "layer_selection": "even"},
    "distil-10": {"layers": 10, "first_layer": 0, "distil": True},
    "distil-8": {"layers": 8, "first_layer": 0, "distil": True},
    "distil-even-8": {"layers": 8, "first_layer": 0, "distil": True, "layer_selection": "even"},
}
"""What each form changes of the run's settings; distil: it also learns the scores of the run's variant "whole"."""
TIMED = 4
"""Packs in a timed step of training."""


class SelectionTask:
    """A finished run, and the forms that are trained on it."""

    def __init__(self, run: Path, out: Path, users: int, packs: int | None):
        self.run_folder, self.out = RunFolder.open(run), out
        recipe = self.run_folder.recipe
        self.seed, self.split = recipe.seed, recipe.evaluate.splits[0]
        self.base = self.run_folder.recommend_settings("whole")
        self.base = self.base.model_copy(update={"n_examples": packs or self.base.n_examples})
        self.retrieval = self.run_folder.retrieval(self.split)
        test = self.run_folder.split(self.split).test
        self.test: Queries = test.pick(np.arange(min(users, len(test))))
        self.candidates: Candidates = published_candidates(
            self.test, self.run_folder.dataset.interactions, self.seed, recipe.evaluate.negatives
        )
        self.test = self.test.pick(self.candidates.rows)

    def settings(self, form: str) -> RecommendSettings:
        return RecommendSettings.model_validate(
            self.base.model_dump() | {name: value for name, value in FORMS[form].items() if name != "distil"}
        )

    def fresh(self, form: str) -> Prompts:
        """Prompts on an untrained model of that form."""
        settings = self.settings(form)
        mllm = Mllm.load(self.run_folder.recipe.model).shorten(settings.layers, settings.layer_selection)
        prompts = self.run_folder.prompts("whole", mllm)
        prompts.settings = settings
        return prompts

    def train(self, form: str) -> None:
        """Train the form unless it is trained already."""
        folder, settings = self.out / form, self.settings(form)
        if (folder / "training.json").exists():
            return

        def told(done: int, total: int, label: str) -> None:
            if done % 50 == 0:
                print(f"{form}: {label}, {done} of {total}", file=sys.stderr)

        started = time.process_time()
        teacher = partial(self.run_folder.tuned, self.split, "whole") if "distil" in FORMS[form] else None
        prompts = self.fresh(form)
        facts = tune(prompts, self.retrieval, settings, self.seed, folder / "adapter", folder / "work", told, teacher)
        facts |= {"cpu": time.process_time() - started, "settings": settings.model_dump()}
        (folder / "training.json").write_text(json.dumps(facts))

    def trained(self, form: str) -> Prompts:
        prompts = self.fresh(form)
        load_adapter(prompts.mllm, self.out / form / "adapter")
        return prompts

    def quality(self, form: str) -> dict[str, FloatArray]:
        """Per-user metrics of the first test users."""
        file = self.out / form / f"metrics-{len(self.test)}.json"
        if not file.exists():
            scorer = MllmScorer(form, self.trained(form), self.retrieval)
            found = evaluate_published(scorer, self.test, self.candidates)
            file.write_text(json.dumps({name: values.tolist() for name, values in found.items()}))
        return {name: np.array(values) for name, values in json.loads(file.read_text()).items()}

    def times(self, forms: list[str], repeats: int) -> dict[str, dict[str, float]]:
        """Of each form: training packs a second, and scoring milliseconds a user; medians over repeats."""
        rng = np.random.default_rng(self.seed)
        queries, codes, place = sample_training(self.retrieval.train, TIMED * repeats, self.base.negatives, rng)
        asked = self.retrieval.gather(queries, codes, self.base)
        users = self.test.pick(np.arange(min(repeats, len(self.test))))
        tests = self.retrieval.gather(users, self.candidates.items[: len(users)], self.base)
        steps, scorers = {}, {}
        for form in forms:
            prompts, settings = self.fresh(form), self.settings(form)
            trainer = Trainer(add_adapter(prompts.mllm, settings.rank, settings.first_layer, 0), 1e-5, repeats)
            steps[form] = (prompts, trainer)
            scorers[form] = self.fresh(form)
        packs = [scorers[forms[0]].render(one) for one in asked]
        answered = [scorers[forms[0]].render(one) for one in tests]
        took = {form: {"training": [], "scoring": [], "training_cpu": [], "scoring_cpu": []} for form in forms}
        for repeat in range(-1, repeats):  # the first calls pay for memory
            rows = np.arange(TIMED) + max(repeat, 0) * TIMED
            for form in forms:
                step = seconds(lambda f=form, r=rows: train_step(*steps[f], [packs[i] for i in r], place[r]))
                score = seconds(lambda f=form, r=repeat: score_packs(scorers[f], [answered[max(r, 0)]]))
                for name, (wall, cpu) in (("training", step), ("scoring", score)) if repeat >= 0 else ():
                    took[form][name].append(wall)
                    took[form][f"{name}_cpu"].append(cpu)
        middle = {form: {name: statistics.median(values) for name, values in own.items()} for form, own in took.items()}
        return {
            form: {
                "packs_per_s": round(TIMED / own["training"], 3),
                "packs_per_cpu_s": round(TIMED / own["training_cpu"], 3),
                "ms_per_user": round(1000 * own["scoring"], 1),
                "cpu_ms_per_user": round(1000 * own["scoring_cpu"], 1),
                "trained_weights": sum(weight.numel() for weight in trainable(steps[form][0].mllm.model).values()),
            }
            for form, own in middle.items()
        }


def train_step(prompts: Prompts, trainer: Trainer, packs: list[PackedPrompt], place: np.ndarray) -> None:
    logits = yes_minus_no(prompts, packs).view(len(packs), -1)
    trainer.step(choose_loss(logits, torch.from_numpy(place), "both"))


def seconds(do: Callable[[], object]) -> tuple[float, float]:
    """Of the clock, and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    do()
    return time.perf_counter() - wall, time.process_time() - cpu


def plot(rows: dict[str, dict], file: Path) -> None:
    """HR@5 by the processor's time a user."""
    points = {form: (row["cpu_ms_per_user"], row["HR@5"]["value"]) for form, row in rows.items()}
    kinds = {
        "distilled": [form for form in rows if form.startswith("distil")],
        "not distilled": [form for form in rows if not form.startswith("distil")],
    }
    clouds = [
        Cloud(label, [], sorted(points[form] for form in forms), sorted(forms, key=points.__getitem__), label[0] == "d")
        for label, forms in kinds.items()
        if forms
    ]
    save_svg(cloud_plot(clouds, "Smaller backbones: HR@5 by the time a user costs", "ms a user", "HR@5"), file)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("run", type=Path, help="a finished run with the variant whole")
    options.add_argument("--out", type=Path, required=True, help="where trained forms are kept")
    options.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS), metavar="FORM", help=str([*FORMS]))
    options.add_argument("--users", type=int, default=300, help="test users, the first")
    options.add_argument("--packs", type=int, help="training packs; the run's own number unless given")
    options.add_argument("--repeats", type=int, default=5, help="timed steps and users")
    options.add_argument("--plot", type=Path, help="an SVG file to draw")
    args = options.parse_args()

    selection_task = SelectionTask(args.run, args.out, args.users, args.packs)
    measured = {}
    for form in args.forms:
        selection_task.train(form)
        measured[form] = selection_task.quality(form)
        print(f"{form}: HR@5 {measured[form]['HR@5'].mean():.3f}", file=sys.stderr)
    times, first = selection_task.times(args.forms, args.repeats), args.forms[0]
    rows = {}
    for form in args.forms:
        found = intervals({name: measured[form][name] for name in ("HR@5", "NDCG@5", "AUC")}, selection_task.seed)
        rows[form] = {name: {k: round(v, 4) for k, v in asdict(one).items()} for name, one in found.items()}
        rows[form] |= times[form]
        for name in ("packs_per_cpu_s", "cpu_ms_per_user"):
            rows[form][f"{name}_ratio"] = round(times[form][name] / times[first][name], 2)
        lost = asdict(paired(measured[form]["HR@5"], measured[first]["HR@5"], selection_task.seed))
        rows[form]["HR@5 against the first"] = {name: round(value, 4) for name, value in lost.items()}
    if args.plot:
        plot(rows, args.plot)
    result = {
        "benchmark": "backbone",
        "rows": rows,
        "ratio": round(times[first]["cpu_ms_per_user"] / times[args.forms[-1]]["cpu_ms_per_user"], 2),
        "users": len(selection_task.test),
        "n_examples": selection_task.base.n_examples,
        "forms": {form: FORMS[form] for form in args.forms},
        "threads": torch.get_num_threads(),
        "versions": versions(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
