"""Write the table of docs/plan.md: what one run of a recipe takes with each published model, as `mmsrarec plan` says.

Run it after a change of the calculation: python scripts/docs_plan.py
"""

import re
from pathlib import Path

from mmsrarec.cli.formats.plan_format import amount, duration
from mmsrarec.models.sizes.model_size import published_names
from mmsrarec.pipeline.cost_plan.plan import plan_recipe
from mmsrarec.runs.recipe import load_recipe

PAGE = Path(__file__).parents[1] / "docs" / "plan.md"
START, END = "<!-- plan: families -->", "<!-- end -->"
RECIPE, LINES = "amazon-games", ("recommend.layers=8", "runtime.generate_batch=32")
ITEMS, USERS, EVENTS, TEXT_TOKENS = 13_379, 38_808, 352_136, 80
"""The counts that the paper gives for Amazon Games, and a length of texts that is assumed."""
SHOWN = ("L4", "A100-80", "H100")


def table() -> str:
    """The table, in Markdown."""
    head = ["model", "parameters", "memory", *(f"a run, {name}" for name in SHOWN), "an answer, A100-80"]
    rows = [head, ["---", *["--:"] * (len(head) - 1)]]
    recipe = load_recipe(RECIPE, LINES)
    for name in ("embedded", *published_names()):
        plan = plan_recipe(recipe, ITEMS, USERS, EVENTS, TEXT_TOKENS, model=name)
        machines = {machine["machine"]: machine for machine in plan["machines"]}
        times = [duration(machines[n]["total_hours"]) if machines[n]["fits"] else "does not fit" for n in SHOWN]
        answer = f"{machines['A100-80']['answer_ms']:.3g} ms"
        memory = f"{machines['A100-80']['peak_gib']:.1f} GiB"
        rows.append([name, amount(plan["model"]["parameters"]), memory, *times, answer])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def page(text: str) -> str:
    """The page with the table of today."""
    return re.sub(f"(?<={START}\n).*?(?={END})", lambda _: f"\n{table()}\n\n", text, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
