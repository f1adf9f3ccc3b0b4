"""`mmsrarec check --leaks RUN`: the leak checks of evaluate/leaks on a run, and leaks.json beside its report."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmsrarec.core import artefacts
from mmsrarec.core.json_values import plain
from mmsrarec.core.progress import Progress
from mmsrarec.data.dataset import Interactions
from mmsrarec.data.splits import Queries, Split, SplitName
from mmsrarec.evaluate.hyperparameter_search import chosen_baselines
from mmsrarec.evaluate.leaks import context_leaks, held_out_leaks, ranking_leaks, stored_leaks
from mmsrarec.evaluate.leaks.finding import Z_999, Finding
from mmsrarec.evaluate.protocols import evaluate_full
from mmsrarec.models.vision.image_features import load_hashes
from mmsrarec.rankers.base import Ranker
from mmsrarec.rankers.sequence_model import SequenceRanker
from mmsrarec.recommend.ablations import WORDS_ALONE
from mmsrarec.recommend.prompt.prompt_context import Retrieval
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import MllmScorer
from mmsrarec.recommend.training.training_samples import sample_training
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.training import MOST_VALIDATED
from mmsrarec.runs.run_folder import RunFolder, adapter_part
from mmsrarec.study.comparison import LEAKS, checked_parts
from mmsrarec.study.model_results import Comparison
from mmsrarec.summarize.answer_store import read
from mmsrarec.summarize.language.detection import CatalogueWords, lexicons

CHEAP_ROWS = ("popularity", "popularity-as-of", "sequential-rules", "neighbours-only", "context-only")
"""Rows that are made anew from each changed log."""
TIED_ROWS = ("popularity", "sequential-rules")
N_SINGLE_USERS = 4
"""Users whose candidates the language model is asked about one by one."""


class RunFolderView:
    """A log as a run sees it.

    Attributes:
        run_folder: The run, whose dataset holds the log.
        name: Of a split.
        prompts: The prompts of the tuned language model; None where it is not asked.
    """

    def __init__(self, run_folder: RunFolder, name: SplitName, prompts: Prompts | None):
        self.run_folder, self.prompts = run_folder, prompts
        self.name: SplitName = name

    @property
    def split(self) -> Split:
        """The log, split."""
        return self.run_folder.split(self.name)

    @property
    def retrieval(self) -> Retrieval:
        """Stage 2 on the training part of the log; with what soft tokens read, where the language model is asked."""
        return self.run_folder.retrieval(self.name, WORDS_ALONE if self.prompts is None else "whole")

    @cached_property
    def comparison(self) -> Comparison:
        """The comparison of rows on the log, with the settings that were chosen on the run's own log."""
        comparison = Comparison(self.run_folder, self.name, Progress(), lambda done, total, label: None)
        # settings that a search chose on validation stay as they are, like all that was trained: nothing is searched
        # anew by a log that a check changed, nor kept in the run's folder
        chosen = chosen_baselines(self.run_folder.folder, self.name, self.run_folder.recipe.evaluate)
        comparison.scorers.baselines_of = lambda name: chosen
        return comparison

    def row(self, name: str) -> Ranker:
        """A row of the comparison, made from the log."""
        if name != "mmsrarec":
            return self.comparison.scorers.classic(name)
        assert self.prompts is not None
        return MllmScorer(name, self.prompts, self.retrieval, self.run_folder.recipe.runtime.score_tokens)


def check_run(folder: Path, users: int = 40, fast: bool = False, say: Progress | None = None) -> dict[str, Any]:
    """All findings on a run whose stage 2 is finished, also written to evaluate/leaks.json.

    Args:
        folder: The run's folder.
        users: Test users that the language model is asked about, in float32, where it is tuned.
        fast: Do not ask the language model.
        say: Is told each verdict.

    Returns:
        The run, whether it passed, advice for each check that failed, and the record of every check.

    Raises:
        MmsrarecError: There is no such run.
    """
    say, run_folder = say or Progress(), RunFolder.open(folder)
    findings: list[Finding] = []
    for number, name in enumerate(run_folder.recipe.evaluate.splits):
        tuned = artefacts.is_whole(folder / adapter_part(name, "whole"))
        prompts = _in_float32(run_folder).tuned(name, "whole") if tuned and not fast and not number else None
        for finding in check_split(run_folder, name, prompts, users):
            findings.append(replace(finding, split=name))
            say(f"{name}, {finding.check}: {VERDICT[finding.passed]}")
    findings.append(keywords(run_folder))
    failed = [finding for finding in findings if finding.passed is False]
    answer = plain(
        {
            "run": folder,
            "passed": not failed,
            "failed": [
                f"{finding.check}{f', {finding.split}' if finding.split else ''}: {finding.advice}"
                for finding in failed
            ],
            "checks": [finding.record() for finding in findings],
        }
    )
    file = folder / LEAKS
    file.parent.mkdir(exist_ok=True)
    record = answer | {"parts": checked_parts(run_folder)}
    artefacts.atomic_write(file, (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
    return answer


VERDICT = {True: "green", False: "FAILED", None: "reported only"}


def check_split(run_folder: RunFolder, name: SplitName, prompts: Prompts | None, users: int) -> Iterator[Finding]:
    """The findings on one split, the cheap ones first.

    Args:
        run_folder: The run.
        name: Of the split.
        prompts: The prompts of the tuned language model; None where it is not asked.
        users: Test users that the language model is asked about.
    """
    recipe, log, run_view = run_folder.recipe, run_folder.dataset.interactions, RunFolderView(run_folder, name, prompts)

    def build(changed: Interactions) -> RunFolderView:
        return run_view if changed is log else RunFolderView(run_folder.with_log(changed), name, prompts)

    seed, ranker = recipe.seed, recipe.recommend
    split, retrieval, candidates = run_view.split, run_view.retrieval, run_view.comparison.candidates
    queries = split.test.pick(candidates.rows)  # sealed users are no business of a check either
    rng = np.random.default_rng(seed)
    _, _, place = sample_training(split.train, ranker.n_examples, ranker.negatives, rng)
    yield held_out_leaks.split_apart(split)
    yield ranking_leaks.places(candidates, place, ranker.negatives, seed)
    yield ranking_leaks.constant(queries, candidates)
    yield ranking_leaks.not_a_number(queries, candidates)
    yield context_leaks.timeless_query(retrieval, queries, ranker)
    yield context_leaks.self_retrieval(retrieval, split, seed)
    yield context_leaks.agreement(retrieval.gather, retrieval.gather, split, ranker, ranker.n_examples, seed)
    yield ranking_leaks.context_alone(run_view.row("context-only"), queries, candidates)
    few = np.sort(rng.permutation(len(queries))[:users])
    test, items = queries.pick(few), candidates.items[few]
    first = test.pick(np.arange(len(test))[:N_SINGLE_USERS])
    cheap = [run_view.row(row) for row in CHEAP_ROWS]
    yield ranking_leaks.order(cheap, test, items, seed)
    yield ranking_leaks.batch(cheap, first, items[:N_SINGLE_USERS])
    yield from choices(run_view)
    yield context_leaks.held_out_item(log, build, ranker, seed)
    yield context_leaks.temporal_rule(log, build, ranker, seed)
    yield held_out_leaks.statistics(log, build, candidates, CHEAP_ROWS, ranker, seed)
    yield held_out_leaks.labels(log, build, candidates, CHEAP_ROWS, seed)
    yield held_out_leaks.ties(log, build, TIED_ROWS, seed, recipe.evaluate.negatives, candidates.user)
    if prompts is None:
        hint = "ask for it without --fast, on the first split, after mmsrarec train"
        yield Finding("the language model", None, {}, "its order, batches, labels and titles were not checked", hint)
        return
    model = run_view.row("mmsrarec")
    yield ranking_leaks.order([model], first, items[:N_SINGLE_USERS], seed)
    yield ranking_leaks.batch([model], first, items[:N_SINGLE_USERS])
    yield held_out_leaks.labels(log, build, candidates, ("mmsrarec",), seed, few)
    features, titled = prompts.features, ranking_leaks.renamed(run_folder.dataset, seed)
    renamed_prompts = Prompts(prompts.mllm, titled, prompts.keywords, features, prompts.settings)
    renamed_model = MllmScorer("mmsrarec, renamed titles", renamed_prompts, retrieval, recipe.runtime.score_tokens)
    yield ranking_leaks.memorised_titles(model, renamed_model, test, candidates.pick(few))


def choices(run_view: RunFolderView) -> Iterator[Finding]:
    """What was chosen on the way, on validation."""
    run_folder, split = run_view.run_folder, run_view.split
    encoder = run_folder.encoder(run_view.name)
    valid, tested = split.valid.rankable, run_view.comparison.queries["full"]
    if len(valid) and len(tested):
        yield early_stopping(encoder, valid, tested)
    for file in run_folder.folder.glob(f"evaluate/generators/{run_view.name}-*.json"):
        generator_quality = run_view.comparison.generators.choose().quality
        if quality := {name: next(iter(values.values())) for name, values in generator_quality.items()}:
            yield stored_leaks.chosen_generator("+".join(json.loads(file.read_text())["names"]), quality)


def early_stopping(encoder: Encoder, valid: Queries, tested: Queries) -> Finding:
    """Whether an encoder's curve is of validation."""
    row = SequenceRanker.of(encoder)
    valid_ndcg = evaluate_full(row, valid, encoder.n_items)["NDCG@10"]
    test_ndcg = evaluate_full(row, tested, encoder.n_items)["NDCG@10"].mean()
    sampled = Z_999 * float(valid_ndcg.std()) / MOST_VALIDATED**0.5 if len(valid) > MOST_VALIDATED else 0.0
    best = max((ndcg for _, ndcg in encoder.curve), default=0.0)
    return stored_leaks.early_stopping(
        best, float(valid_ndcg.mean()), float(test_ndcg), stored_leaks.MAX_NDCG_DIFFERENCE + sampled
    )


def keywords(run_folder: RunFolder) -> Finding:
    """Stage 1, where it is finished: no model is asked."""
    if not artefacts.is_whole(run_folder.folder / "summarize"):
        return Finding("keywords", None, {}, "stage 1 is not there to be checked", "mmsrarec summarize makes it")
    answers: dict[str, set[str]] = {}
    for _, _, _, _, content, answer, _ in read(run_folder.folder / "summaries.sqlite")[0]:
        answers.setdefault(content, set()).add(answer)
    settings = run_folder.recipe.summarize
    dataset, file = run_folder.dataset, run_folder.folder / "pictures" / "features.safetensors"
    picture_hashes = load_hashes(file, dataset)
    words = CatalogueWords.load(run_folder.folder / "summarize")
    item_lexicons = lexicons(dataset.items, settings.language, words)
    return stored_leaks.keywords(
        dataset, run_folder.keywords, answers, settings, settings.tune is not None, picture_hashes, item_lexicons
    )


def _in_float32(run_folder: RunFolder) -> RunFolder:
    """The same run with a language model that computes in float32, so that equal scores are equal."""
    recipe = run_folder.recipe
    model = recipe.model.model_copy(update={"dtype": "float32"})
    return RunFolder(recipe.model_copy(update={"model": model}), run_folder.folder)
