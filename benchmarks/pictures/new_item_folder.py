"""A data folder of titles and pictures alone in which each user's last item is one that nobody took before.

    python benchmarks/pictures/new_item_folder.py DATA --out NEW --items 900

The most watched items with a picture are kept, and of their texts the title. A fifth of them, by a hash of their id, is
new: of a user's interactions with new items only the last is kept, as the last of all, where five others are before it;
other users are left out. So every test query of `leave-one-out` is for a new item, and training saw none. The language
model with pictures against without is then a run with `evaluate.ablations = ["without pictures"]`.
"""

import argparse
import csv
import hashlib
import json
import shutil
from collections import Counter, defaultdict
from pathlib import Path

MIN_HISTORY = 5
"""Interactions with other items before the new one."""


def is_new(item: str) -> bool:
    """Whether an item is one of the fifth that is new."""
    return int(hashlib.sha256(item.encode()).hexdigest(), 16) % 5 == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--items", type=int, default=900, help="items that are kept")
    settings = parser.parse_args()
    lines = (settings.data / "items.jsonl").read_text(encoding="utf-8").splitlines()
    pictured = {item["item_id"]: item for item in map(json.loads, lines) if item.get("image")}
    with (settings.data / "interactions.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["item_id"] in pictured]
    (time,) = (name for name in rows[0] if "time" in name)
    kept = {item for item, _ in Counter(row["item_id"] for row in rows).most_common(settings.items)}
    of_user: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: float(row[time])):
        if row["item_id"] in kept:
            of_user[row["user_id"]].append(row)
    written: list[dict[str, str]] = []
    users = 0
    for history in of_user.values():
        last = max((place for place, row in enumerate(history) if is_new(row["item_id"])), default=0)
        before = [row for row in history[:last] if not is_new(row["item_id"])]
        if len(before) >= MIN_HISTORY:
            at = max(float(history[last][time]), float(before[-1][time]) + 1)
            written += [*before, history[last] | {time: str(int(at))}]
            users += 1
    (settings.out / "images").mkdir(parents=True, exist_ok=True)
    with (settings.out / "interactions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(written)
    with (settings.out / "items.jsonl").open("w", encoding="utf-8") as file:
        for item in sorted(kept):
            record = {"item_id": item, "title": pictured[item]["title"], "image": pictured[item]["image"]}
            file.write(json.dumps(record) + "\n")
            shutil.copy(settings.data / "images" / record["image"], settings.out / "images")
    print(f"{len(kept)} items, {sum(map(is_new, kept))} new, {users} users, {len(written)} interactions")


if __name__ == "__main__":
    main()
