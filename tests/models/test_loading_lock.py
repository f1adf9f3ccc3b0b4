"""Whatever builds a model, or imports what builds one, waits for a model that is being built."""

import ast
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from bodies import tiny_body
from rounds import SMALL
from soft import drawn_sources
from torch import nn

import mmsrarec
from mmsrarec.models.loading_lock import LOADING
from mmsrarec.models.two_tower.bpr_training import new_towers
from mmsrarec.models.two_tower.towers import FactorTowers
from mmsrarec.recommend.soft.soft_token_map import SoftTokenMap
from mmsrarec.retrieve.encoder import new_model
from mmsrarec.retrieve.settings import ENCODERS, ITEM_TOKENS

ITEMS = 20
BUILDERS: dict[str, Callable[[], nn.Module]] = {
    **{
        name: lambda name=name: new_model(
            ITEMS, SMALL.model_copy(update={"encoder": name}), tiny_body(2) if name in ITEM_TOKENS else None
        )
        for name in ENCODERS
    },
    "two towers": lambda: new_towers(lambda: FactorTowers(4, np.ones(ITEMS, dtype=bool), 8, torch.eye(ITEMS), 4), 0),
    "soft tokens": lambda: SoftTokenMap(drawn_sources(ITEMS, "sasrec"), 64, 24, 0.02, 0),
}
PACKAGES = {"transformers", "peft"}
"""They import their own parts when these are first named, which two threads must not do at once."""
WITH_A_MODEL = {
    *("convert", "generate_ids", "prefix_hidden", "quickened"),
    *("replace_lora_layers", "transformers_attention", "without_adapter"),
}
"""Functions that are called while the lock is held, or once a model is there: its packages are whole then."""
SOURCE = Path(mmsrarec.__file__).parent


def late_imports(node: ast.AST, function: str = "", locked: bool = False) -> Iterator[tuple[str, int]]:
    """(function, line) of each import of one of the packages in a function that does not hold the lock."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from late_imports(child, child.name, False)
        elif isinstance(child, ast.With):
            names = {ast.unparse(item.context_expr) for item in child.items}
            yield from late_imports(child, function, locked or "LOADING" in names)
        elif isinstance(child, ast.Import | ast.ImportFrom):
            named = [child.module or ""] if isinstance(child, ast.ImportFrom) else [one.name for one in child.names]
            if function and not locked and PACKAGES & {name.partition(".")[0] for name in named}:
                yield function, child.lineno
        else:
            yield from late_imports(child, function, locked)


def test_what_builds_models_is_imported_by_one_thread_at_a_time() -> None:
    found = {
        (path.relative_to(SOURCE).as_posix(), *place)
        for path in SOURCE.rglob("*.py")
        for place in late_imports(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert {place for place in found if place[1] not in WITH_A_MODEL} == set()
    assert {name for _, name, _ in found} == WITH_A_MODEL


@pytest.mark.parametrize("name", BUILDERS)
def test_a_model_is_built_after_another_one_that_changes_the_dtype(name: str) -> None:
    built = list[nn.Module]()
    expected = {key: (value.dtype, value.shape) for key, value in BUILDERS[name]().state_dict().items()}
    thread = threading.Thread(target=lambda: built.append(BUILDERS[name]()))
    with LOADING:
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.bfloat16)  # as transformers does while it builds
        try:
            thread.start()
            thread.join(0.1)
            assert not built
        finally:
            torch.set_default_dtype(before)
    thread.join(30)
    assert {key: (value.dtype, value.shape) for key, value in built[0].state_dict().items()} == expected
