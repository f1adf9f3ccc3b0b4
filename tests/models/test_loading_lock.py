"""Whatever builds a model waits for a model that is being built, so that nothing of that one's dtype comes into it."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
import torch
from bodies import tiny_body
from rounds import SMALL
from soft import drawn_sources
from torch import nn

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
