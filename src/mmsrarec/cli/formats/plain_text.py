"""How an answer is shown to people: as short text."""

from collections.abc import Iterable
from typing import Any, cast

from rich.cells import cell_len

from mmsrarec.core.terminal import one_line

MIN_SHOWN_WEIGHT = 0.005
"""A weight below this shows as 0.00."""
HOW = (
    "Each weight: how far the model's log-odds of yes fall when it is shown everything but this. Weights need not add "
    "up, and say what moved the model, not what is true of the person."
)


def text(value: Any, indent: str = "") -> str:
    """Plain JSON values as lines of `name: value`; a list of objects as a table, a value with its interval in one."""
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value)
        return "\n".join(_entry(name, part, indent) for name, part in entries.items())
    if isinstance(value, list):
        parts = cast("list[Any]", value)
        if parts and all(isinstance(part, dict) for part in parts):
            return _table(parts, indent)
        return "\n".join(f"{indent}{_word(part)}" for part in parts)
    return f"{indent}{_word(value)}"


def answers(answer: Any) -> str:
    """Recommendations, as plain JSON values, for people: what was left out and notes only where there are some.

    Scores compare items and mean nothing by themselves, so people get the rank, and a probability where there is one.
    """
    entries = {name: part for name, part in answer.items() if part or name == "recommendations"}
    if isinstance(entries.get("recommendations"), list):
        rows = cast("list[dict[str, Any]]", entries["recommendations"])
        entries["recommendations"] = [_ranked(rank, row) for rank, row in enumerate(rows, start=1)]
    return text(entries)


def _ranked(rank: int, row: dict[str, Any]) -> dict[str, Any]:
    chance = row.get("probability")
    cells = {name: row[name] for name in ("item_id", "title") if name in row}
    cells |= {} if chance is None else {"probability": f"{chance:.0%}"}
    return {"rank": rank, **cells, "because": "; ".join(row.get("because", ())) or None}


def fit_text(record: Any) -> str:
    """What `fit` chose and did, as plain JSON values, for people."""
    return "\n".join([f"run: {_word(record['run'])}", *map(_word, record["reasons"]), _word(record["evaluation"])])


def reasons(explanation: Any) -> str:
    """An explanation, as plain JSON values, for people: what spoke for the item, what against, how it was measured."""
    if not isinstance(explanation, dict) or "reasons" not in explanation:
        return text(explanation)
    record = cast("dict[str, Any]", explanation)
    all_reasons: list[dict[str, Any]] = record["reasons"]
    lines = [text({"item": f"{record['item_id']}, {record['title']}", "score": record["score"]})]
    for name, sign in (("spoke for it", 1), ("spoke against it", -1)):
        if large := [reason for reason in all_reasons if sign * reason["weight"] >= MIN_SHOWN_WEIGHT]:
            lines += [f"{name}:", *(line for reason in sorted(large, key=_heaviest) for line in _reason(reason))]
    if small := [reason["text"] for reason in all_reasons if abs(reason["weight"]) < MIN_SHOWN_WEIGHT]:
        lines.append(f"made no difference: {'; '.join(map(_word, small))}")
    return "\n".join([*lines, HOW])


def _reason(reason: dict[str, Any]) -> list[str]:
    parts = [f"{_word(part['text'])} {part['weight']:+.2f}" for part in reason.get("parts", ())]
    alone = [f"{'':9}alone: {', '.join(parts)}"] if parts else []
    return [f"  {reason['weight']:+.2f}  {_word(reason['text'])}", *alone]


def _heaviest(reason: dict[str, Any]) -> float:
    return -abs(reason["weight"])


def _entry(name: str, value: Any, indent: str) -> str:
    long = any(isinstance(part, (dict, list)) for part in _parts(value))
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


def _parts(value: Any) -> Iterable[Any]:
    """The values of an object or a list; none of any other value."""
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).values()
    return cast("list[Any]", value) if isinstance(value, list) else ()


def _is_interval(value: Any) -> bool:
    return isinstance(value, dict) and cast("dict[str, Any]", value).keys() == {"value", "low", "high"}


def _word(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(_word(part) for part in _parts(value)) or "-"
    if _is_interval(value):
        return f"{_word(value['value'])} ({_word(value['low'])} to {_word(value['high'])})"
    if isinstance(value, dict):
        return ", ".join(f"{_word(name)} {_word(part)}" for name, part in cast("dict[str, Any]", value).items()) or "-"
    return one_line(value)
