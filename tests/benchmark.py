"""Load a program of benchmarks/ as a module, for the tests of what it counts."""

import importlib.util
from pathlib import Path
from types import ModuleType

from paths import TESTS

FOLDER = TESTS.parent / "benchmarks"


def load_benchmark(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{Path(name).name}_benchmark", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
