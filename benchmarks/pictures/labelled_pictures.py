"""The pictures of a data folder with labels out of its items: a film's genres, a game's platforms."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mmsrarec.data.images import is_held_out


@dataclass(frozen=True)
class LabelledPicture:
    """A picture that one or more items show.

    Attributes:
        path: The file.
        sha256: The hash of its bytes.
        held_out: Whether it is for tests only.
        labels: The labels of all items that show it, without repeats.
    """

    path: Path
    sha256: str
    held_out: bool
    labels: tuple[str, ...]


def read_pictures(folder: Path, field: str = "categories", level: int | None = None) -> list[LabelledPicture]:
    """The pictures of a data folder, each once, in the order of items.jsonl.

    Args:
        folder: A data folder, with items.jsonl and images/.
        field: The field of the labels: a list of texts, or one text.
        level: The place in the list, where it is a path; None takes all of it.
    """
    labels: dict[str, list[str]] = {}
    paths: dict[str, Path] = {}
    held_out: dict[str, bool] = {}
    for line in (folder / "items.jsonl").read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        path = folder / "images" / str(item.get("image"))
        if not item.get("image") or not path.is_file():
            continue
        content = path.read_bytes()
        digest = sha256(content).hexdigest()
        paths.setdefault(digest, path)
        held_out[digest] = is_held_out(content)
        labels.setdefault(digest, []).extend(_values(item.get(field), level))
    return [
        LabelledPicture(path, digest, held_out[digest], tuple(dict.fromkeys(labels[digest])))
        for digest, path in paths.items()
    ]


def _values(value: str | list[str] | None, level: int | None) -> list[str]:
    values = [value] if isinstance(value, str) else list(value or ())
    return [text for text in (values if level is None else values[level : level + 1]) if text]


def measurable(pictures: Iterable[LabelledPicture], least: int) -> list[str]:
    """The labels that at least `least` of some pictures have and as many lack, the most frequent first."""
    pictures = list(pictures)
    counts: dict[str, int] = {}
    for picture in pictures:
        for label in picture.labels:
            counts[label] = counts.get(label, 0) + 1
    enough = [label for label, count in counts.items() if least <= count <= len(pictures) - least]
    return sorted(enough, key=lambda label: (-counts[label], label))
