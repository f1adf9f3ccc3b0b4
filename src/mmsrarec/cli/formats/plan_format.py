"""How a plan is shown to people: the model and the data in a line each, then a table of stages and one of machines."""

from typing import Any

from mmsrarec.cli.formats.text_format import text

GIB = 2**30
UNITS = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
"""Sizes of the SI prefixes, the largest first."""


def plan_text(record: Any) -> str:
    """A plan, as plain JSON values, for people."""
    model, data, prompt = record["model"], record["data"], record["prompt_tokens"]
    ranks = f"{model['ranking_layers']} of {model['layers']} layers rank"
    lines = [
        f"model: {model['name']}, {amount(model['parameters'])} parameters, {ranks}, "
        f"{amount(model['adapter_parameters'])} of them trained (LoRA)",
        f"data: {data['items']:,} items, {data['users']:,} users, {data['events']:,} interactions, "
        f"{data['text_tokens']:.0f} tokens a text, {data['pictures']:,} pictures ({data['source']})",
        f"prompt: {prompt['shared']} shared tokens, {prompt['candidate']:g} a candidate",
        "",
        text([_stage(stage) for stage in record["stages"]]),
        "",
        text([_machine(machine) for machine in record["machines"]]),
        "",
        *(f"{machine['machine']}: {machine['about']}" for machine in record["machines"]),
        *record["notes"],
    ]
    return "\n".join(lines)


def amount(value: float) -> str:
    """A number in three digits with an SI prefix: 139593340 is "140 M"."""
    size, prefix = next(((size, prefix) for size, prefix in UNITS if value >= size), (1.0, ""))
    return f"{value / size:.3g} {prefix}".rstrip()


def duration(hours: float) -> str:
    """Hours in the unit that people say: "12 s", "3.4 min", "7 h"."""
    seconds = hours * 3600
    if seconds < 1:
        return "< 1 s"
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:,.3g} {unit}" if seconds / size < 1000 else f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} s"


def _stage(stage: dict[str, Any]) -> dict[str, Any]:
    largest = sorted(stage["memory"].items(), key=lambda part: -part[1])[:2]
    return {
        "stage": stage["stage"],
        "tokens": amount(stage["tokens"]),
        "FLOP": amount(stage["flops"]),
        "attention FLOP": amount(stage["attention_flops"]),
        "memory, bfloat16": f"{sum(stage['memory'].values()) / GIB:.2f} GiB",
        "most of it": ", ".join(name for name, _ in largest),
    }


def _machine(machine: dict[str, Any]) -> dict[str, Any]:
    row = {
        "machine": machine["machine"],
        "memory": f"{machine['peak_gib']:g} of {machine['memory_gib']:g} GiB ({machine['dtype']})",
    }
    if not machine["fits"]:
        return {**row, "whole run": "does not fit"}
    times = {name: duration(value) for name, value in machine["hours"].items()}
    return {**row, "whole run": duration(machine["total_hours"]), **times, "an answer": f"{machine['answer_ms']:g} ms"}
