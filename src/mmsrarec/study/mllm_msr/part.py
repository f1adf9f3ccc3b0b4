"""The row "mllm-msr" of a run: its training, and the ranker loaded from it.

The file mllm-msr.sqlite of a run stores each written answer; the folder mllm-msr/SPLIT is the artefact.
"""

import json
from pathlib import Path
from typing import Any

from mmsrarec.core.progress import Count
from mmsrarec.data.splits import SplitName
from mmsrarec.models.backbone.adapter import merge_adapter
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.vision import image_features
from mmsrarec.recommend.ablations import WORDS_ALONE
from mmsrarec.recommend.training.fine_tuning import tune
from mmsrarec.runs.run_folder import MSR, RunFolder
from mmsrarec.study.mllm_msr.ranker import RANKING_QUESTION, MllmMsr, MsrPrompts, MsrRetrieval, msr_settings
from mmsrarec.study.mllm_msr.writer import WRITER_WORDS, Writer

PROMPT_WORDS = (*WRITER_WORDS, RANKING_QUESTION)
"""All words of its prompts, which are part of the key of its artefact."""


def train_msr(run_folder: RunFolder, split: SplitName, folder: Path, work: Path, count: Count) -> dict[str, Any]:
    """Write descriptions and preferences, and tune an adapter on them.

    Packs, negatives, rank, layers and learning rate are those of the recipe for MMSRARec.

    Args:
        run_folder: The run.
        split: Name of the split.
        folder: Where the artefact is written.
        work: Keeps what a restart needs.
        count: Counts the steps.

    Returns:
        The record of `fine_tuning.tune`.
    """
    recipe, dataset = run_folder.recipe, run_folder.dataset
    writer = _writer(run_folder, {}, count, run_folder.folder / f"{MSR}.sqlite")
    writer.describe(run_folder.features)
    prompts = _prompts(run_folder, writer)
    retrieval = MsrRetrieval.of(run_folder.retrieval(split, WORDS_ALONE), writer)
    facts = tune(prompts, retrieval, prompts.settings, recipe.seed, folder / "adapter", work, count)
    descriptions = {dataset.items[code].item_id: text for code, text in writer.descriptions.items()}
    preferences = [
        {"history": [dataset.items[code].item_id for code in history], "preference": preference.text}
        for history, preference in writer.preferences.items()
    ]
    for name, content in (("descriptions", descriptions), ("preferences", preferences), ("training", facts)):
        (folder / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    return facts


def load_msr(run_folder: RunFolder, split: SplitName, folder: Path, count: Count) -> MllmMsr:
    """Load the ranker of a finished artefact. Preferences that it writes later are kept in memory only.

    Args:
        run_folder: The run.
        split: Name of the split.
        folder: The artefact.
        count: Counts the steps.

    Returns:
        The ranker.
    """
    descriptions = json.loads((folder / "descriptions.json").read_text(encoding="utf-8"))
    writer = _writer(
        run_folder, {run_folder.dataset.item_code[name]: text for name, text in descriptions.items()}, count
    )
    prompts = _prompts(run_folder, writer, folder / "adapter")
    retrieval = MsrRetrieval.of(run_folder.retrieval(split, WORDS_ALONE), writer)
    return MllmMsr(MSR, prompts, retrieval, run_folder.recipe.runtime.score_tokens, count, writer=writer)


def _writer(
    run_folder: RunFolder, descriptions: dict[int, str], count: Count, store: str | Path = ":memory:"
) -> Writer:
    """The writer of a run, on the untuned model."""
    recipe = run_folder.recipe
    settings, batch = recipe.evaluate.mllm_msr, recipe.runtime.generate_batch
    return Writer(run_folder.mllm, run_folder.dataset, settings, descriptions, store, batch, count)


def _prompts(run_folder: RunFolder, writer: Writer, adapter: Path | None = None) -> MsrPrompts:
    """The prompts, with a separate model of the depth that the recipe ranks with and the adapter merged into it."""
    recipe = run_folder.recipe
    settings = msr_settings(recipe.recommend)
    mllm = Mllm.load(recipe.model, recipe.runtime.device).shorten(settings.layers)
    if adapter is not None:
        mllm = merge_adapter(mllm, adapter)
    features = image_features.pool(run_folder.features, settings.visual_tokens)
    return MsrPrompts(mllm, run_folder.dataset, features, settings, writer)
