"""What a full check would run, and how long it would take on the machines that `mmsrarec plan` knows."""

from dataclasses import dataclass
from typing import Any

from gpu_checks import operations
from gpu_checks.workload import FULL, NEGATIVES, planned_recipe
from mmsrarec.cli.formats.plan_format import amount, duration
from mmsrarec.cli.formats.text_format import text
from mmsrarec.models.sizes.model_size import ModelSize, model_size
from mmsrarec.pipeline.cost_plan import work
from mmsrarec.pipeline.cost_plan.data_size import DataSize
from mmsrarec.pipeline.cost_plan.machines import Machine, machines
from mmsrarec.pipeline.cost_plan.plan import ANSWER
from mmsrarec.pipeline.cost_plan.prompt_tokens import picture_tokens, ranking_tokens, text_tokens
from mmsrarec.pipeline.cost_plan.stage_costs import stages_of
from mmsrarec.pipeline.cost_plan.work import Work
from mmsrarec.runs.recipe import Recipe

TEXT_TOKENS = 40
"""Tokens of a text of the synthetic catalogue, about."""
LOADED = 20.0
"""Seconds in which each part loads what it works with, about."""


@dataclass(frozen=True)
class Part:
    """A measured part.

    name: of the part; does: what it does; works: of one `unit`; width: of the model; repeats: units that are computed.
    """

    name: str
    does: str
    unit: str
    works: list[Work]
    width: int
    repeats: float


def parts(recipe: Recipe | None = None, size: ModelSize | None = None) -> list[Part]:
    """The measured parts of a full check."""
    recipe = recipe or planned_recipe()
    size = size or model_size(recipe.model.name)
    settings, summarize, tokens = recipe.recommend, recipe.summarize, ranking_tokens(recipe.recommend)
    batch = max(FULL.batches)
    item = operations.answers(size, text_tokens(summarize, TEXT_TOKENS, False), summarize.max_new_tokens_text, 1, batch)
    item += operations.answers(size, picture_tokens(summarize), summarize.max_new_tokens_image, 1, batch)
    ranker = size.shortened(settings.layers)
    lengths = tokens.shared, tokens.candidate, 1 + NEGATIVES
    trained = work.training(ranker, settings.rank, settings.first_layer, *lengths)
    ranked = work.forward(ranker, *lengths)
    items = FULL.items * FULL.copies * (len(FULL.batches) + 1)
    sums = [
        Part("stage 1", "keywords of texts and pictures, all layers", "item", item, size.hidden, items),
        Part("training", "LoRA on packed prompts, forward and backward", "example", [trained], size.hidden, 2000),
        Part("scoring", f"packed prompts with {1 + NEGATIVES} candidates", "user", [ranked], size.hidden, 4000),
    ]
    data = DataSize(FULL.items, FULL.shoppers, FULL.shoppers * 12, FULL.items, FULL.items, FULL.shoppers, 40.0, "drawn")
    stages = stages_of(recipe, size, data, 2)
    whole = [part for stage in stages if stage.name != ANSWER for part in stage.works]
    answer = [part for stage in stages if stage.name == ANSWER for part in stage.works]
    sums.append(Part("run", "a whole run: pictures, stages 1 to 3, evaluation", "run", whole, size.hidden, 1))
    sums.append(Part("serving", "one user at a time, by the run that was trained", "answer", answer, size.hidden, 500))
    return sums


def seconds(part: Part, machine: Machine) -> float:
    """Of one unit."""
    return sum(machine.seconds(each, part.width) for each in part.works)


def expected() -> dict[str, Any]:
    """The plan as JSON values."""
    known = [machine for machine in machines() if not machine.measured]
    rows = []
    for part in parts():
        rates = {machine.name: 1 / seconds(part, machine) for machine in known}
        rows.append(
            {
                "part": part.name,
                "does": part.does,
                "unit": part.unit,
                "flops": operations.flops(*part.works),
                "per_second": {name: float(f"{rate:.3g}") for name, rate in rates.items()},
            }
        )
    totals = {
        machine.name: round(sum(LOADED + part.repeats * seconds(part, machine) for part in parts()))
        for machine in known
    }
    return {"parts": rows, "seconds": totals, "machines": {machine.name: machine.about for machine in known}}


def shown(plan: dict[str, Any]) -> str:
    """The plan for people."""
    rows = [
        {
            "part": part["part"],
            "does": part["does"],
            "FLOP": f"{amount(part['flops'])} per {part['unit']}",
            **{name: _rate(rate, part["unit"]) for name, rate in part["per_second"].items()},
        }
        for part in plan["parts"]
    ]
    total = {"part": "all", "does": "with loading; the tests and the comparison with the CPU come before", "FLOP": ""}
    rows.append({**total, **{name: duration(value / 3600) for name, value in plan["seconds"].items()}})
    about = [f"{name}: {words}" for name, words in plan["machines"].items()]
    return "\n".join(["Expected, a second:", "", text(rows), "", *about])


def _rate(rate: float, unit: str) -> str:
    """A rate for people; what takes longer than a second as its duration."""
    return f"{rate:,.3g} {unit}s" if rate >= 1 else f"{duration(1 / rate / 3600)} per {unit}"
