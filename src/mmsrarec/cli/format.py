"""How an answer is shown to people: as short text."""

from collections.abc import Iterable
from typing import Any

from rich.cells import cell_len

from mmsrarec.core.terminal import one_line

LEAST = 0.005
"""A weight below this shows as 0.00."""
HOW = (
    "Each weight: how far the model's log-odds of yes fall when it is shown everything but this. Weights need not add "
    "up, and say what moved the model, not what is true of the person."
)


def text(value: Any, indent: str = "") -> str:
    """Plain JSON values as lines of `name: value`; a list of objects as a table, a value with its interval in one."""
    if isinstance(value, dict):
        return "\n".join(_entry(name, part, indent) for name, part in value.items())
    if isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
        return _table(value, indent)
    if isinstance(value, list):
        return "\n".join(f"{indent}{_word(part)}" for part in value)
    return f"{indent}{_word(value)}"


def answers(answer: Any) -> str:
    """Recommendations, as plain JSON values, for people: what was left out and notes only where there are some.

    Scores compare items and mean nothing by themselves, so people get the rank, and a probability where there is one.
    """
    shown = {name: part for name, part in answer.items() if part or name == "recommendations"}
    if isinstance(rows := shown.get("recommendations"), list):
        shown["recommendations"] = [_ranked(rank, row) for rank, row in enumerate(rows, start=1)]
    return text(shown)


def _ranked(rank: int, row: dict[str, Any]) -> dict[str, Any]:
    chance = row.get("probability")
    kept = {name: row[name] for name in ("item_id", "title") if name in row}
    kept |= {} if chance is None else {"probability": f"{chance:.0%}"}
    return {"rank": rank, **kept, "because": "; ".join(row.get("because", ())) or None}


def fit_text(record: Any) -> str:
    """What `fit` chose and did, as plain JSON values, for people."""
    return "\n".join([f"run: {_word(record['run'])}", *map(_word, record["reasons"]), _word(record["evaluation"])])


def reasons(explanation: Any) -> str:
    """An explanation, as plain JSON values, for people: what spoke for the item, what against, how it was measured."""
    if not isinstance(explanation, dict) or "reasons" not in explanation:
        return text(explanation)
    shown = {"item": f"{explanation['item_id']}, {explanation['title']}", "score": explanation["score"]}
    lines = [text(shown)]
    for name, sign in (("spoke for it", 1), ("spoke against it", -1)):
        if told := [one for one in explanation["reasons"] if sign * one["weight"] >= LEAST]:
            lines += [f"{name}:", *(line for one in sorted(told, key=_heaviest) for line in _reason(one))]
    if small := [one["text"] for one in explanation["reasons"] if abs(one["weight"]) < LEAST]:
        lines.append(f"made no difference: {'; '.join(map(_word, small))}")
    return "\n".join([*lines, HOW])


def _reason(reason: dict[str, Any]) -> list[str]:
    parts = [f"{_word(part['text'])} {part['weight']:+.2f}" for part in reason.get("parts", ())]
    alone = [f"{'':9}alone: {', '.join(parts)}"] if parts else []
    return [f"  {reason['weight']:+.2f}  {_word(reason['text'])}", *alone]


def _heaviest(reason: dict[str, Any]) -> float:
    return -abs(reason["weight"])


def _entry(name: str, value: Any, indent: str) -> str:
    long = isinstance(value, (dict, list)) and any(isinstance(part, (dict, list)) for part in _parts(value))
    if value and (isinstance(value, dict) or long) and not _is_interval(value):
        return f"{indent}{_word(name)}:\n{text(value, indent + '  ')}"
    return f"{indent}{_word(name)}: {_word(value)}"


def _table(rows: list[dict[str, Any]], indent: str) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_word(name) for name in names], *([_word(row.get(name)) for name in names] for row in rows)]
    widths = [max(cell_len(line[i]) for line in cells) for i in range(len(names))]  # some letters take two places
    lines = ("  ".join(map(_padded, line, widths)) for line in cells)
    return "\n".join(f"{indent}{line.rstrip()}" for line in lines)


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - cell_len(cell))


def _parts(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _is_interval(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"value", "low", "high"}


def _word(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(_word(part) for part in value) or "-"
    if _is_interval(value):
        return f"{_word(value['value'])} ({_word(value['low'])} to {_word(value['high'])})"
    if isinstance(value, dict):
        return ", ".join(f"{_word(name)} {_word(part)}" for name, part in value.items()) or "-"
    return one_line(value)
