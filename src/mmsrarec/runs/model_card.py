"""The model card of an exported run: what it is, how to use it, how well it ranks, and what to be careful of."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import mmsrarec
from mmsrarec.core.terminal import one_line
from mmsrarec.data.splits import EVERYTHING
from mmsrarec.models.backbone.settings import EMBEDDED_NAMES
from mmsrarec.runs.current_catalogue import Catalogue

CARD = "README.md"
"""The name under which hubs and people look for a model card."""
METRICS = ("HR@5", "NDCG@10")
"""Of each row of the table, where the report has them."""
PROTOCOLS = {"published": "one true item among sampled ones", "full": "the whole catalogue"}


def model_card(
    catalogue: Catalogue, contents: Mapping[str, int], base_model: str, dtype: str | None, report: Path
) -> str:
    """The card as Markdown.

    Args:
        catalogue: The run and its catalogue.
        contents: What the folder holds -> its bytes.
        base_model: The language model that answers need beside the folder.
        dtype: Its number format; None where rankers alone answer.
        report: The report.json of the run, which may be missing.
    """
    dataset, run_folder = catalogue.run_folder.dataset, catalogue.run_folder
    counts = f"{len(dataset.items)} items, {len(dataset.user_ids)} users, {len(dataset.interactions)} interactions"
    train = run_folder.split(catalogue.split).train
    refitted = catalogue.split == EVERYTHING
    lines = [
        "---",
        "library_name: mmsrarec",
        "pipeline_tag: other",
        "tags: [recommender-systems, sequential-recommendation]",
        "---",
        "",
        f"# {_cell(run_folder.recipe.name)}",
        "",
        "A recommender: it ranks what each user is likely to choose next, and says why. Made by",
        f"[MMSRARec](https://arxiv.org/abs/2512.20916), mmsrarec {mmsrarec.__version__}.",
        "",
        "## Use",
        "",
        "```sh",
        *_install(base_model, dtype),
        "mmsrarec recommend FOLDER --user ID --k 10",
        "mmsrarec recommend FOLDER --history A,B,C",
        "```",
        "",
        "```python",
        "import mmsrarec",
        "",
        'recommender = mmsrarec.Recommender.load("FOLDER")',
        'recommender.recommend(user="ID", k=10)',
        "```",
        "",
        "The folder can be moved and copied. It needs no other file, and no network"
        + (
            "."
            if base_model in EMBEDDED_NAMES or dtype is None
            else f", except the language model `{_cell(base_model)}`."
        ),
        "",
        "## What it was made from",
        "",
        f"- Catalogue: {counts}.",
        f"- The models that answer were trained on {len(train)} interactions"
        + (
            ", all that there were." if refitted else f"; those held back by the split `{catalogue.split}` measured it."
        ),
        f"- Settings: `recipe.toml`. Seed {run_folder.recipe.seed}.",
        f"- Language model: {_model(base_model, dtype)}.",
        "",
        "## How well it ranks",
        "",
        *_figures(report, refitted),
        "",
        "## What is in the folder",
        "",
        "| content | bytes |",
        "|---|--:|",
        *(f"| `{_cell(name)}` | {size} |" for name, size in contents.items()),
        "",
        "## Be careful",
        "",
        "- The folder holds the interactions of the users under the ids of the data. Treat it as personal data.",
        "- It learned what people chose, and repeats what was one-sided in that.",
        "- Reasons say what moved the ranking. They do not say what is true of a person.",
        "- Texts and pictures of the catalogue keep the licence that they had.",
        "",
    ]
    return "\n".join(lines)


def _install(base_model: str, dtype: str | None) -> list[str]:
    if dtype is None:
        return ["pip install 'mmsrarec[mllm,baselines]'"]
    return ["pip install 'mmsrarec[mllm,baselines]'"] + ["mmsrarec models install"] * (base_model in EMBEDDED_NAMES)


def _model(base_model: str, dtype: str | None) -> str:
    if dtype is None:
        return "none; rankers alone answer"
    where = "which `mmsrarec models install` brings" if base_model in EMBEDDED_NAMES else "which is not in this folder"
    return f"`{_cell(base_model)}` in {dtype}, {where}"


def _figures(report: Path, refitted: bool) -> list[str]:
    """A table for each protocol and split of a report."""
    rows = _rows(report)
    if not rows:
        return ["It was not measured on test users."]
    lines = ["The models that answer were refitted after this was measured.", ""] * refitted
    for protocol, split in dict.fromkeys((row["protocol"], row["split"]) for row in rows):
        own = [row for row in rows if (row["protocol"], row["split"]) == (protocol, split)]
        names = [name for name in METRICS if any(name in row["metrics"] for row in own)]
        users = max(int(row.get("users", 0)) for row in own)
        lines += [
            f"Ranking {PROTOCOLS.get(protocol, _cell(protocol))}; split `{_cell(split)}`"
            + (f"; {users} users; 95 % interval." if users else "; 95 % interval."),
            "",
            f"| model | {' | '.join(names)} |",
            f"|---|{'--:|' * len(names)}",
            *(f"| {_label(row)} | {' | '.join(_value(row['metrics'].get(name)) for name in names)} |" for row in own),
            "",
        ]
    return lines[:-1]


def _rows(report: Path) -> Sequence[dict[str, Any]]:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return list(json.loads(report.read_bytes())["rows"])
    return []


def _label(row: Mapping[str, Any]) -> str:
    variant = row.get("variant") or ""
    return _cell(row["model"] if variant in ("", "whole") else f"{row['model']}, {variant}")


def _value(interval: Mapping[str, float] | None) -> str:
    return "" if interval is None else f"{interval['value']:.3f} ({interval['low']:.3f} to {interval['high']:.3f})"


def _cell(text: object) -> str:
    """Text on one line that ends no cell and no code."""
    return one_line(text).replace("|", "/").replace("`", "'")
