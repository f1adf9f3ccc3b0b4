"""The row "mllm-msr" of a run: what is trained for it, and the scorer made from that.

run/mllm-msr.sqlite keeps what was written, answer by answer; run/mllm-msr/SPLIT/ is the artefact.
"""

import json
from pathlib import Path

from mmsrarec.core.progress import Count
from mmsrarec.data.splits import SplitName
from mmsrarec.models.backbone import image_features
from mmsrarec.models.backbone.adapter import merge_adapter
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.recommend.training.fine_tuning import tune
from mmsrarec.runs.run_folder import MSR, RunFolder
from mmsrarec.study.mllm_msr.ranker import RANKED, MllmMsr, MsrPrompts, Recollection, msr_settings
from mmsrarec.study.mllm_msr.writer import WRITTEN, Writer

ASKED = (*WRITTEN, RANKED)
"""All the words of its prompts: part of the key of its artefact."""


def train_msr(run_folder: RunFolder, split: SplitName, folder: Path, work: Path, count: Count) -> dict:
    """Write descriptions and preferences, tune an adapter on them, save all into `folder`; what training tells.

    Packs, negatives, rank, layers and learning rate are the recipe's of MMSRARec. `work` keeps what a restart needs.
    """
    recipe, dataset = run_folder.recipe, run_folder.dataset
    writer = _writer(run_folder, {}, count, run_folder.folder / f"{MSR}.sqlite")
    writer.describe(run_folder.features)
    prompts = _prompts(run_folder, writer)
    known = Recollection.of(run_folder.retrieval(split), writer)
    facts = tune(prompts, known, prompts.settings, recipe.seed, folder / "adapter", work, count)
    said = {dataset.items[code].item_id: text for code, text in writer.descriptions.items()}
    wrote = [
        {"history": [dataset.items[code].item_id for code in history], "preference": preference.text}
        for history, preference in writer.preferences.items()
    ]
    for name, told in (("descriptions", said), ("preferences", wrote), ("training", facts)):
        (folder / f"{name}.json").write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")
    return facts


def load_msr(run_folder: RunFolder, split: SplitName, folder: Path, count: Count) -> MllmMsr:
    """The scorer of a finished artefact. What it writes of the people it is asked about is kept in memory only."""
    said = json.loads((folder / "descriptions.json").read_text(encoding="utf-8"))
    writer = _writer(run_folder, {run_folder.dataset.item_code[name]: text for name, text in said.items()}, count)
    prompts = _prompts(run_folder, writer, folder / "adapter")
    known = Recollection.of(run_folder.retrieval(split), writer)
    return MllmMsr(MSR, prompts, known, run_folder.recipe.runtime.score_tokens, count, writer=writer)


def _writer(
    run_folder: RunFolder, descriptions: dict[int, str], count: Count, store: str | Path = ":memory:"
) -> Writer:
    recipe = run_folder.recipe
    settings, batch = recipe.evaluate.mllm_msr, recipe.runtime.generate_batch
    return Writer(run_folder.mllm, run_folder.dataset, settings, descriptions, store, batch, count)


def _prompts(run_folder: RunFolder, writer: Writer, adapter: Path | None = None) -> MsrPrompts:
    """On a model of its own, as deep as the recipe ranks with, the adapter merged into it."""
    recipe = run_folder.recipe
    settings = msr_settings(recipe.recommend)
    mllm = Mllm.load(recipe.model, recipe.runtime.device).shorten(settings.layers)
    if adapter is not None:
        mllm = merge_adapter(mllm, adapter)
    features = image_features.pool(run_folder.features, settings.visual_tokens)
    return MsrPrompts(mllm, run_folder.dataset, features, settings, writer)
