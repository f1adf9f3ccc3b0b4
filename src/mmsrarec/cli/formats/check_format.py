"""How the answer of `mmsrarec check` is shown to people: facts in two columns, then what is odd and what to do."""

from typing import Any

from mmsrarec.cli.formats.plain_text import text
from mmsrarec.core.terminal import one_line

MAX_USERS = 5
HEADINGS = {"mend": "Before a run:", "know": "Good to know:"}


def check_text(answer: Any) -> str:
    """The facts of a data set, as plain JSON values, for people; the answer of --leaks as it is."""
    if "findings" not in answer:
        return text(answer)
    facts = list(_facts(answer))
    width = max(len(name) for name, _ in facts)
    lines = [f"{name.ljust(width)}  {value}" for name, value in facts]
    for level, heading in HEADINGS.items():
        if chosen := [finding for finding in answer["findings"] if finding["level"] == level]:
            lines += ["", heading]
            lines += [line for each in chosen for line in (f"- {one_line(each['what'])}", f"  {each['advice']}")]
    if users := answer["suspicious_users"]:
        lines += ["", "Users who are hardly single persons:"]
        lines += [
            f"- {one_line(user['user_id'])}: {user['interactions']:,} interactions; {'; '.join(user['reasons'])}"
            for user in users[:MAX_USERS]
        ]
        lines += [f"  and {len(users) - MAX_USERS:,} more"] if len(users) > MAX_USERS else []
    if not answer["findings"]:
        lines += ["", "Nothing is odd."]
    return "\n".join(lines)


def _facts(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """The name and the value of each fact."""
    items, time = answer["items"], answer["time"]
    opened, named = answer["pictures_opened"], answer["pictures_named"]
    tried = f"{opened:,} that were tried" if opened == named else f"the first {opened:,} of {named:,} (see --pictures)"
    compared = answer["texts_compared"]
    first = "" if compared == items else f", of the first {compared:,}"
    languages = sum(answer["languages"].values())
    languages_named = [
        f"{name} {count / languages:.0%}" for name, count in answer["languages"].items() if count * 100 > languages
    ]
    return [
        ("data", one_line(answer["data"])),
        ("items", f"{items:,}"),
        ("users", f"{answer['users']:,}"),
        ("interactions", f"{answer['events']:,}"),
        ("sparsity", f"{1 - answer['density']:.4%}"),
        ("a user has", _spread(answer["per_user"])),
        ("an item has", _spread(answer["per_item"])),
        ("from", f"{time['first']} to {time['last']}, whole {time['grain']}s" if time else "steps, which are no dates"),
        ("tied with another of the user", f"{answer['tie_share']:.1%}"),
        ("consumed before", f"{answer['repeat_share']:.1%}, just before {answer['immediate_repeat_share']:.1%}"),
        ("items without title", _of(answer["items_without_title"], items)),
        ("items without description", _of(answer["items_without_text"], items)),
        ("items without picture", _of(answer["items_without_image"], items)),
        ("pictures that do not open", f"{len(answer['broken_images']):,} of {tried}"),
        ("pictures of little use", f"{len(answer['odd_images']):,}"),
        ("items of nearly the same text", _groups(answer["duplicate_texts"]) + first),
        ("items of nearly the same picture", _groups(answer["duplicate_images"])),
        ("languages", ", ".join(languages_named) or "none"),
        ("test items that are cold", ", ".join(f"{name} {part:.1%}" for name, part in answer["cold_share"].items())),
    ]


def _spread(spread: dict[str, Any]) -> str:
    """The spread of counts in words."""
    half = f"half of them {spread['q25']:,.0f} to {spread['q75']:,.0f}"
    return f"{spread['min']:,.0f} to {spread['max']:,.0f} interactions, {half}, median {spread['median']:,.0f}"


def _of(count: int, total: int) -> str:
    """A count with its share of a total."""
    return f"{count:,} ({count / max(total, 1):.1%})"


def _groups(groups: list[dict[str, Any]]) -> str:
    """How many items stand in how many groups."""
    count = sum(len(group["item_ids"]) for group in groups)
    return f"{count:,} in {len(groups):,} group{'s' * (len(groups) != 1)}" if groups else "0"
