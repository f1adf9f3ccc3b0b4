"""Requests that are generated from the server's own OpenAPI description: none may fail inside (5xx).

    python benchmarks/serving/fuzz_api.py --run runs/sample --requests 20000

It needs schemathesis, which makes valid and invalid requests for every route; every other request for an item or a user
names one that the run has. The server is one of its own, with an empty state. An erasure rewrites the run: give a copy.
The last line of the output is one JSON object; the exit code is 1 where an answer was 5xx, or where the
server's log holds an error.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from typing import Any

import requests
import schemathesis
from http_load import own_server
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode

MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
SKIPPED = ("POST /v1/run",)
"""Loading a run takes a second; a few examples are enough."""
FEW = 20
SPARED = 10
"""Every so many requests to erase a user erase one of the run; each loads the run anew."""


def known_ids(url: str) -> dict[str, list[str]]:
    """Ids that paths may name, by the name of the parameter."""
    items = requests.get(f"{url}/v1/items?limit=100", timeout=60).json()["items"]
    users = [f"u{number:04}" for number in range(1, 61)]
    for user in users:
        event = {"user": user, "item": items[0]["item_id"], "key": f"first-{user}"}
        requests.post(f"{url}/v1/events", json=event, timeout=60).raise_for_status()
    return {"item_id": [item["item_id"] for item in items], "user_id": users}


def fuzz(url: str, n_requests: int, number: int) -> dict[str, Any]:
    """Send the requests; how many answers of each status each route gave, and the requests that failed inside."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    varied = [one for one in operations if one.path_parameters or one.query or one.body]
    each = 1 + n_requests // (sum(not one.label.startswith(SKIPPED) for one in varied) * len(MODES))
    known, rng = known_ids(url), random.Random(number)
    statuses: dict[str, Counter[int]] = {}
    failures: list[str] = []
    session = requests.Session()
    for operation in operations:
        counts = statuses.setdefault(operation.label, Counter())
        for mode in MODES:
            try:
                strategy = operation.as_strategy(mode)
            except Exception:  # a route without parameters has no wrong request
                continue

            @seed(number)
            @settings(
                max_examples=FEW if operation.label.startswith(SKIPPED) else each,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=strategy)
            def send(case: schemathesis.Case) -> None:
                often = SPARED if operation.label.startswith("DELETE /v1/users") else 2  # noqa: B023
                for name in (case.path_parameters or {}).keys() & known.keys():
                    if rng.randrange(often) == 0:
                        case.path_parameters[name] = rng.choice(known[name])
                answer = case.call(base_url=url, session=session, timeout=60)
                counts[answer.status_code] += 1  # noqa: B023
                if answer.status_code >= 500 and answer.status_code != 503:
                    failures.append(f"{answer.status_code}: {case.as_curl_command()[:500]}")

            try:
                send()
            except Exception as error:
                if "nsatisfiable" not in type(error).__name__ and "nsatisfiable" not in str(error):
                    failures.append(f"{operation.label}: {type(error).__name__}: {str(error)[:300]}")
    return {"statuses": {label: dict(counts) for label, counts in statuses.items()}, "failures": failures}


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz a server from its own description.")
    parser.add_argument("--run", required=True, help="a finished run")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--port", type=int, default=8766)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    started = time.perf_counter()
    with own_server(arguments.run, arguments.port) as server:
        result = fuzz(server.url, arguments.requests, arguments.seed)
        log = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
        others = [line for line in server.log.read_text().splitlines() if not line.startswith("{")]
        alive = requests.get(f"{server.url}/health/ready", timeout=10).status_code == 200
    result["requests"] = sum(sum(counts.values()) for counts in result["statuses"].values())
    result["errors_in_log"] = [line for line in log if line.get("level") == "error"][:10] + others[:10]
    result["ready_at_the_end"] = alive
    result["seconds"] = round(time.perf_counter() - started, 1)
    print(json.dumps(result))
    return int(bool(result["failures"] or result["errors_in_log"] or not alive))


if __name__ == "__main__":
    sys.exit(main())
