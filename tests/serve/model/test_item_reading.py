"""An item that is written to a server is read as stage 1 and the sequence models read a catalogue."""

from pathlib import Path

import numpy as np

from mmsrarec.data.dataset import Item
from mmsrarec.runs.changes.joined_items import with_items
from mmsrarec.runs.recommender import Recommender
from mmsrarec.serve.model.item_reading import ItemReader
from mmsrarec.serve.model.joined_rows import joined_item

MUG = Item("new", "A mug of red clay", "", ("Kitchen",))


def test_sequence_models_that_read_content_know_it(content_run: Path) -> None:
    recommender = Recommender.load(content_run / "run")
    reader = ItemReader(recommender)
    mug = joined_item(reader.read(MUG, None, True))
    lamp = joined_item(reader.read(Item("other", "Lamp"), None, True))
    assert mug.state is not None
    assert lamp.state is not None
    assert mug.state.shape == (recommender.prompts.mllm.hidden_size,)
    assert not np.allclose(mug.state, lamp.state)
    soft = with_items(recommender, [mug, lamp]).retrieval.soft
    assert soft is not None
    assert soft.vectors[-1].any()
    assert not np.allclose(soft.vectors[-1], soft.vectors[-2])


def test_nothing_is_computed_that_no_sequence_model_reads(soft_run: Path) -> None:
    row = ItemReader(Recommender.load(soft_run / "run")).read(MUG, None, True)
    assert row.feature is None
    assert joined_item(row).state is None
