"""An item that is written to a server is read as stage 1 and the sequence models read a catalogue."""

from pathlib import Path

import numpy as np
import pytest

from mmsrarec.data.dataset import Item
from mmsrarec.errors import MmsrarecError
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


def test_they_know_it_where_another_model_writes_the_keywords(content_run: Path) -> None:
    recommender = Recommender.load(content_run / "run")
    own = ItemReader(recommender).read(MUG, None, True)
    recipe = recommender.run_folder.recipe
    elsewhere = recipe.model_copy(update={"summarize": recipe.summarize.model_copy(update={"model": "large"})})
    recommender.run_folder.recipe = elsewhere
    row = ItemReader(recommender).read(MUG, None, True)
    assert row.summary.text == ("kitchen", "mug", "red", "clay")
    assert any("keywords are by large" in note for note in row.summary.notes)
    assert joined_item(row).state is not None
    assert joined_item(own).state is not None


def test_a_model_that_cannot_be_loaded_is_said(content_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recommender = Recommender.load(content_run / "run")

    def fail(*_: object, **__: object) -> None:
        raise MmsrarecError("the model is not here")

    monkeypatch.setattr(type(recommender.run_folder), "ranker", fail)
    row = ItemReader(recommender).read(MUG, None, True)
    assert "sequence models do not know the item: the model is not here" in row.summary.notes
    assert joined_item(row).state is None


def test_nothing_is_computed_that_no_sequence_model_reads(soft_run: Path) -> None:
    row = ItemReader(Recommender.load(soft_run / "run")).read(MUG, None, True)
    assert row.feature is None
    assert joined_item(row).state is None
