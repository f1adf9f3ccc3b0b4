"""The modules of benchmarks/peers are imported by their names, as when one of its programs is started."""

import sys

import numpy as np
import pytest
from benchmark import FOLDER

from mmsrarec.data.dataset import Dataset, Item, make_interactions

sys.path += [str(FOLDER / "peers"), str(FOLDER / "peers" / "adapters"), str(FOLDER.parent / "scripts")]

N_USERS, N_ITEMS, LENGTH = 40, 60, 8


@pytest.fixture(scope="session")
def drawn() -> Dataset:
    """40 users with 8 of 60 items each, the first items more often; the last item is nobody's."""
    rng = np.random.default_rng(5)
    weights = np.append(1 / np.arange(2, N_ITEMS + 1), 0.0)
    taken = [rng.choice(N_ITEMS, LENGTH, replace=False, p=weights / weights.sum()) for _ in range(N_USERS)]
    user = np.repeat(np.arange(N_USERS), LENGTH)
    log = make_interactions(user, np.concatenate(taken), np.tile(np.arange(LENGTH), N_USERS), N_USERS, N_ITEMS)
    items = tuple(Item(f"i{code}", f"Item {code}", "", ()) for code in range(N_ITEMS))
    return Dataset("drawn", items, tuple(f"u{code}" for code in range(N_USERS)), log)


@pytest.fixture(scope="session")
def exported(drawn, tmp_path_factory):
    """The folder of the exported split of `drawn`."""
    from export_split import export

    folder = tmp_path_factory.mktemp("split")
    export(drawn, folder)
    return folder
