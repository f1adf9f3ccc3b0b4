"""A run knows items that joined after its training by their content: in its sequence models and its soft tokens."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from text_folders import as_text

from mmsrarec.core.progress import Progress
from mmsrarec.data.dataset import Item
from mmsrarec.pipeline.run import update
from mmsrarec.recommend.ranking.item_states import load_states, save_states
from mmsrarec.runs.changes.joined_items import JoinedItem, with_items
from mmsrarec.runs.changes.joined_states import FILE
from mmsrarec.runs.export_run import export_run
from mmsrarec.runs.recommender import Recommender

NEW = {"item_id": "new", "title": "A mug of red clay", "categories": ["Kitchen"]}


def scores(recommender: Recommender) -> dict[str, float]:
    return recommender.score([item.item_id for item in recommender.dataset.items], user=recommender.dataset.user_ids[0])


def test_states_are_kept_by_item(tmp_path: Path) -> None:
    save_states(tmp_path / FILE, dict(zip("ab", torch.arange(6.0).reshape(2, 3), strict=True)))
    kept = load_states(tmp_path / FILE)
    assert list(kept) == ["a", "b"]
    assert kept["b"].tolist() == [3, 4, 5]
    (tmp_path / FILE).write_bytes(b"no tensors")
    assert load_states(tmp_path / FILE) == {} == load_states(tmp_path / "nowhere")


def test_soft_tokens_stay_when_an_item_joins(soft_run: Path) -> None:
    recommender = Recommender.load(soft_run / "run")
    assert recommender.prompts.soft is recommender.retrieval.soft
    joined = with_items(recommender, [JoinedItem(Item("new", "A mug"), (), ("mug",))])
    assert joined.retrieval.soft is not None
    assert joined.prompts.soft is joined.retrieval.soft
    before, after = scores(recommender), scores(joined)
    assert np.isfinite(after.pop("new"))
    assert after == pytest.approx(before, abs=1e-6)


def test_an_item_with_a_state_has_vectors_and_changes_nothing_for_the_others(content_run: Path) -> None:
    recommender = Recommender.load(content_run / "run")
    state = torch.randn(recommender.prompts.mllm.hidden_size, generator=torch.Generator().manual_seed(0))
    unread = JoinedItem(Item("new", "A mug"), (), ("mug",))
    read = JoinedItem(Item("new", "A mug"), (), ("mug",), state=state)
    by_words, by_content = with_items(recommender, [unread]), with_items(recommender, [read])
    n = len(recommender.dataset.items)
    run_folder, split = by_content.run_folder, by_content.split
    assert run_folder.encoder(split) is run_folder.encoder(split, "sasrec", refit=False)  # one model, however named
    assert by_words.retrieval.soft is not None
    assert by_content.retrieval.soft is not None
    assert not by_words.retrieval.soft.vectors[n].any()
    size = by_content.retrieval.soft.sizes[0]
    vector = by_content.retrieval.soft.vectors[n]
    assert not vector[:size].any()
    assert vector[size:].any()
    before, without, after = scores(recommender), scores(by_words), scores(by_content)
    assert without.pop("new") != after.pop("new")
    assert without == pytest.approx(before, abs=1e-6)
    assert after == pytest.approx(before, abs=1e-6)
    twice = with_items(by_content, [JoinedItem(Item("other", "Lamp"), (), ("lamp",), state=state)])
    assert twice.retrieval.soft is not None
    np.testing.assert_allclose(twice.retrieval.soft.vectors[n:], [vector, vector], atol=1e-6)


def test_an_item_that_is_written_again_is_known_by_its_new_content(content_run: Path) -> None:
    recommender = Recommender.load(content_run / "run")
    old, new = torch.randn(2, recommender.prompts.mllm.hidden_size, generator=torch.Generator().manual_seed(0))
    item = Item("new", "A mug")
    first, second = (JoinedItem(item, (), ("mug",), state=state) for state in (old, new))
    at_once, twice = with_items(recommender, [second]), with_items(with_items(recommender, [first]), [second])
    assert scores(twice) == pytest.approx(scores(at_once), abs=1e-6)
    assert scores(twice)["new"] != pytest.approx(scores(with_items(recommender, [first]))["new"], abs=1e-6)
    unread = JoinedItem(item, (), ("mug",))
    forgotten, never = with_items(twice, [unread]), with_items(recommender, [unread])
    assert scores(forgotten) == pytest.approx(scores(never), abs=1e-6)


def test_an_update_reads_what_joined_and_an_export_takes_it_along(content_run: Path, tmp_path: Path) -> None:
    run, data = (shutil.copytree(content_run / name, tmp_path / name) for name in ("run", "data"))
    as_text(data)
    with (data / "items.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"image": None} | NEW) + "\n")
    assert update(run, Progress(io.StringIO()), data)["new_items"] == ["new"]
    assert list(load_states(run / FILE)) == ["new"]
    recommender = Recommender.load(run, data)
    code = recommender.dataset.item_code["new"]
    assert recommender.retrieval.soft is not None
    assert recommender.retrieval.soft.vectors[code].any()
    export_run(run, tmp_path / "export", data)
    exported = Recommender.load(tmp_path / "export")
    assert scores(exported) == pytest.approx(scores(recommender), abs=1e-6)
    assert exported.retrieval.soft is not None
    np.testing.assert_array_equal(exported.retrieval.soft.vectors, recommender.retrieval.soft.vectors)
