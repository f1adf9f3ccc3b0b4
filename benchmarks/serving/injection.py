"""Texts that attack, written as an item of a server: what other items' scores do, and how far the attacker rises.

    python benchmarks/serving/injection.py --run runs/demo --users 20

The texts are those of the tests. The item is written with a harmless text first, then with each attack in its title,
its text and its category. Each time every item is scored for each user. The last line of the output is one JSON object:
the largest change of another item's score, and by how many places the attacker rises against the harmless text. The
exit code is 1 where another item's score changed by more than 1e-4. The server is one of its own, with an empty state.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import httpx2
from http_load import own_server

sys.path.append(str(Path(__file__).parents[2] / "tests"))

from attacks import ATTACKS, HARMLESS

TITLE, ATTACKER = "Oak lamp", "attacker"
MOST = 1e-4
"""By what the score of another item may change."""
AT_ONCE = 100
"""Items that one answer may have."""


def all_items(client: httpx2.Client) -> list[str]:
    """The ids of the catalogue."""
    total, ids = 1, list[str]()
    while len(ids) < total:
        answer = client.get(f"/v1/items?limit={AT_ONCE}&offset={len(ids)}").json()
        total = answer["total"]
        ids += [item["item_id"] for item in answer["items"]]
    return ids


def scores(client: httpx2.Client, history: list[str], items: list[str]) -> dict[str, float]:
    """The score of every item for somebody who had some of them."""
    found: dict[str, float] = {}
    for start in range(0, len(items), AT_ONCE):
        among = items[start : start + AT_ONCE]
        body = {"history": history, "among": among, "k": AT_ONCE, "allow_seen": True, "reasons": False}
        answer = client.post("/v1/recommend", json=body).raise_for_status().json()
        found |= {item["item_id"]: item["score"] for item in answer["items"]}
    return found


def place(ranking: dict[str, float]) -> int:
    """The attacker's place from 1; of equal scores the worst."""
    return sum(score >= ranking[ATTACKER] for score in ranking.values())


def write(client: httpx2.Client, title: str, text: str, category: str) -> None:
    """Write the attacker's item."""
    body = {"title": title[:500], "text": text, "categories": [category[:200]]}
    client.put(f"/v1/items/{ATTACKER}", json=body).raise_for_status()


def battery(client: httpx2.Client, n_users: int) -> dict[str, Any]:
    """All attacks."""
    items = all_items(client)
    histories = [[items[(7 * user + step) % len(items)] for step in range(1 + user % 8)] for user in range(n_users)]
    write(client, TITLE, HARMLESS, "Light")
    items.append(ATTACKER)
    plain = [scores(client, history, items) for history in histories]
    change, gains = 0.0, list[int]()
    for number, attack in enumerate(ATTACKS, 1):
        write(client, f"{TITLE} {attack}", attack, attack)
        for history, before in zip(histories, plain, strict=True):
            after = scores(client, history, items)
            change = max(change, *(abs(after[item] - before[item]) for item in before if item != ATTACKER))
            gains.append(place(before) - place(after))
        print(f"{number} of {len(ATTACKS)}: change {change:.2g}, gain {statistics.mean(gains):.2f}", flush=True)
    return {
        "attacks": len(ATTACKS),
        "users": n_users,
        "items": len(items),
        "change_of_others": change,
        "place_of_the_harmless": round(statistics.mean(map(place, plain)), 1),
        "mean_gain": round(statistics.mean(gains), 2),
        "largest_gain": max(gains),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Write texts that attack as an item of a server.")
    parser.add_argument("--run", required=True, help="a finished run")
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--port", type=int, default=8767)
    arguments = parser.parse_args()
    with own_server(arguments.run, arguments.port) as server, httpx2.Client(base_url=server.url, timeout=300) as client:
        result = battery(client, arguments.users)
    print(json.dumps(result))
    return int(result["change_of_others"] > MOST)


if __name__ == "__main__":
    sys.exit(main())
