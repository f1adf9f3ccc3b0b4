"""Compare this library's metrics with LensKit's on random scores; ranx and ir-measures are asked by the tests.

python benchmarks/peers/metric_agreement.py ENVIRONMENTS

The output is one JSON object with both figures of each metric; the program ends with 1 where two differ.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from compare import environment, last_line
from make_environments import python_of

from mmsrarec.data.dataset import FloatArray
from mmsrarec.evaluate.metrics import count_competitors, measure

PROGRAM = Path(__file__).parent / "adapters" / "lenskit_metrics.py"
TOLERANCE = 1e-6
USERS, ITEMS = 200, 300


def own_metrics(scores: FloatArray, names: list[str]) -> dict[str, float]:
    """This library's means; column 0 is each user's target."""
    values = measure(*count_competitors(scores[:, 0], scores[:, 1:]), scores.shape[1] - 1, names)
    return {name: float(each.mean()) for name, each in values.items()}


def agreement(python: Path, program: Path = PROGRAM) -> dict[str, tuple[float, float]]:
    """Metric to this library's figure and the other's. Raises SystemExit where the program fails."""
    scores = np.random.default_rng(0).random((USERS, ITEMS))
    scores[:, 0] **= 0.1  # the target is often among the first, so that the figures are no zeros
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "scores.npz", scores=scores)
        command = [str(python), str(program), str(Path(folder) / "scores.npz")]
        ran = subprocess.run(command, capture_output=True, text=True, env=environment())
    if ran.returncode:
        raise SystemExit(f"LensKit failed: {last_line(ran.stderr)}")
    told = json.loads(ran.stdout.splitlines()[-1])
    own = own_metrics(scores, list(told))
    return {name: (own[name], value) for name, value in told.items()}


def main() -> int:
    found = agreement(python_of(Path(sys.argv[1]) / "lenskit").absolute())
    print(json.dumps(found, indent=1))
    return int(any(abs(own - other) > TOLERANCE for own, other in found.values()))


if __name__ == "__main__":
    sys.exit(main())
