"""Tuning the summarising policy on a tiny model: it learns what is rewarded, and survives being stopped."""

import contextlib
import copy
import json
from pathlib import Path

import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from teach import embedding_model, settings_of, taught_mllm
from tiny import tiny_mllm
from torch import Tensor

from mmsrarec.data.dataset import Dataset
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.adapter import WEIGHTS, merge_adapter
from mmsrarec.models.vision.image_features import Features, encode_catalogue_images
from mmsrarec.summarize import prompts
from mmsrarec.summarize.tuning import best_of_n, policy, trainers, training_log
from mmsrarec.summarize.tuning.tuning_tasks import split_summary_tasks


@pytest.fixture(scope="module")
def features(drawn: Dataset) -> Features:
    return encode_catalogue_images(tiny_mllm(), drawn, 4).features


@pytest.fixture(scope="module", autouse=True)
def talking(drawn: Dataset, features: Features):
    """A fresh model that says two words of the shop, whatever it is asked, and examples of no length."""
    patch = pytest.MonkeyPatch()
    patch.setattr(prompts, "SHOTS", ())
    teacher_logits = taught_mllm(drawn)
    patch.setattr(policy, "fresh", lambda: copy.deepcopy(teacher_logits), raising=False)
    yield
    patch.undo()


def work_in(
    folder: Path, dataset: Dataset, features: Features, count=lambda *at: None, **tuning
) -> policy.TuningContext:
    settings = settings_of(**tuning)
    return policy.TuningContext(
        policy.fresh, dataset, features, settings, 0, folder / "work", count=count, embed=embedding_model
    )


def go(folder: Path, dataset: Dataset, features: Features, count=lambda *at: None, **tuning) -> dict:
    (folder / "out").mkdir(parents=True, exist_ok=True)
    return policy.tune(work_in(folder, dataset, features, count, **tuning), folder / "out")


@pytest.fixture(scope="module")
def whole(drawn: Dataset, features: Features, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("whole")
    return folder, go(folder, drawn, features)


def weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "out" / "adapter" / WEIGHTS)


def test_tuning_leaves_an_adapter_its_curve_and_held_out_answers(whole, drawn: Dataset) -> None:
    folder, facts = whole
    phases = [entry["phase"] for entry in facts["curve"]]
    assert phases == ["warm start"] * phases.count("warm start") + ["grpo"] * 3
    for entry in facts["curve"][-3:]:
        assert set(entry["rewards"]) == {"information", "reconstruction", "image", "length"}
        assert {"keywords", "copied", "malformed", "empty", "repeated", "reward", "reward_std"} <= entry.keys()
        assert entry["trainable"] > 0
    assert any(bool(w.any()) for name, w in weights(folder).items() if "lora_B" in name)
    assert all("layers" in name for name in weights(folder))  # on the language model, never on the eye
    table = pl.read_parquet(folder / "out" / "heldout.parquet")
    assert table.group_by("policy").len()["len"].to_list() == [8, 8, 8]
    assert set(table["policy"]) == {"untuned", "warm start", "tuned"}
    assert set(table["modality"]) == {"text", "picture"}
    assert set(table["item_id"]) <= {item.item_id for item in drawn.items}
    assert facts["trade_off"]["text"]["tuned"]


def test_nothing_held_out_is_tuned_on(drawn: Dataset, features: Features) -> None:
    settings = settings_of(items=1000, held_out_items=1000)
    tuned_on, heldout = split_summary_tasks(drawn, features, settings, 0)
    assert not {s.code for s in tuned_on} & {s.code for s in heldout}
    assert {s.code for s in tuned_on} | {s.code for s in heldout} == set(range(len(drawn.items)))
    assert 0.08 < len({s.code for s in heldout}) / len(drawn.items) < 0.35
    pictured = {s.code for s in (*tuned_on, *heldout) if s.modality == "picture"}
    assert pictured == set(features)


def test_the_adapter_speaks_under_another_name(whole, drawn: Dataset) -> None:
    folder, _ = whole
    plain, policy = tiny_mllm(), merge_adapter(tiny_mllm(), folder / "out" / "adapter")
    assert policy.fingerprint.startswith("tiny-0+")
    differences = [
        not torch.equal(a, b) for a, b in zip(plain.model.parameters(), policy.model.parameters(), strict=True)
    ]
    assert 0 < sum(differences) <= 14  # two layers of seven matrices


@pytest.mark.parametrize(
    ("label", "at"),
    [("best of several answers", 1), ("tuning the summaries, warm start", 1), ("tuning the summaries, grpo", 2)],
)
def test_stopped_and_started_again_it_reaches_the_same_weights(
    label: str, at: int, whole, drawn: Dataset, features: Features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainers, "SAVE_STEPS", 1)
    seen: list[int] = []

    def stop(done: int, total: int, said: str) -> None:
        if said == label:
            seen.append(done)
            if len(seen) == at:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, drawn, features, stop)
    go(tmp_path, drawn, features)
    want = weights(whole[0])
    found = weights(tmp_path)
    assert want.keys() == found.keys()
    assert all(torch.equal(found[name], want[name]) for name in want)
    tables = [pl.read_parquet(folder / "out" / "heldout.parquet") for folder in (whole[0], tmp_path)]
    assert tables[0].equals(tables[1])


def test_a_checkpoint_without_its_mark_is_not_used(tmp_path: Path) -> None:
    for step, complete in ((9, True), (10, True), (20, False)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if complete:
            (folder / training_log.COMPLETE).touch()
    assert training_log.newest_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    assert training_log.newest_checkpoint(tmp_path / "nothing") is None


def test_half_written_samples_are_cut_off(tmp_path: Path) -> None:
    rows = [json.dumps({"name": f"text:{n}", "answer": "a"}) + "\n" for n in range(best_of_n.BATCH + 3)]
    file = tmp_path / "samples.jsonl"
    file.write_text("".join(rows) + '{"name": "te')
    kept = best_of_n._read(file, 100)
    assert len(kept) == best_of_n.BATCH
    assert file.read_text() == "".join(rows[: best_of_n.BATCH])
    assert len(best_of_n._read(file, best_of_n.BATCH)) == best_of_n.BATCH
    assert best_of_n._read(tmp_path / "none", 5) == []


def test_without_a_warm_start_or_without_grpo(drawn: Dataset, features: Features, tmp_path: Path) -> None:
    only_grpo = go(tmp_path / "a", drawn, features, samples=0, learning_rate=3e-2)
    assert {entry["phase"] for entry in only_grpo["curve"]} == {"grpo"}
    only_start = go(tmp_path / "b", drawn, features, steps=0, warm_start_learning_rate=3e-2)
    assert {entry["phase"] for entry in only_start["curve"]} == {"warm start"}


def test_too_small_a_catalogue_is_one_line(drawn: Dataset, tmp_path: Path) -> None:
    few = Dataset("few", drawn.items[:1], (), drawn.interactions, drawn.folder)
    with pytest.raises(MmsrarecError, match="too few items to tune on"):
        go(tmp_path, few, {})


def test_training_that_changes_nothing_is_an_error(drawn: Dataset, features: Features, tmp_path: Path) -> None:
    with pytest.raises(MmsrarecError, match=r"changed no weight|answers as the untuned"):
        go(tmp_path, drawn, features, learning_rate=1e-30, warm_start_learning_rate=1e-30, steps=1)


def test_scoring_answers_only_changes_nothing_but_time(
    whole, drawn: Dataset, features: Features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainers, "_answers_only", contextlib.nullcontext)
    go(tmp_path, drawn, features)
    want, found = weights(whole[0]), weights(tmp_path)
    for name in want:
        torch.testing.assert_close(found[name], want[name], atol=2e-4, rtol=1e-2)
