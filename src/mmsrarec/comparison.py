"""The comparison: every row of the table under both protocols, the paired tests, and the report.

A row is an artefact of its own, so a stopped comparison goes on at the row where it was.
"""

import json
import resource
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np

from mmsrarec import __version__, artefacts
from mmsrarec.data.dataset import Events
from mmsrarec.data.split import Split, SplitName, with_validation
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.leaks.context import target_shares
from mmsrarec.evaluate.protocol import (
    Candidates,
    Scorer,
    evaluate_full,
    evaluate_published,
    facts,
    published_candidates,
    target_slices,
)
from mmsrarec.evaluate.report import Row, build_report, compare_rows, load_row, save_row, text_table
from mmsrarec.evaluate.rows import CLASSIC, CONTEXT, GENERATORS, MSR, STAGE_2, TRAINED, Source, notes
from mmsrarec.progress import Progress
from mmsrarec.recommend.propose import Reranked
from mmsrarec.recommend.score import MllmScorer
from mmsrarec.recommend.settings import VARIANTS
from mmsrarec.retrieve.settings import ENCODERS
from mmsrarec.rival import load_msr, msr_part
from mmsrarec.showcase import attributes, shown_users
from mmsrarec.summarize.statistics import statistics
from mmsrarec.summary_page import PAGE
from mmsrarec.workspace import Workspace, adapter_part

Count = Callable[[int, int, str], None]
TESTED = {"published": ("HR@5", "NDCG@5", "AUC"), "full": ("HR@10", "NDCG@10")}
"""Metrics of the paired tests."""
ABLATIONS = VARIANTS.keys() - set(TRAINED.values())
SHOWN = {"similar_items": True, "min_people": True, "transition_window": True,
         "shows": {"transitions", "lone_voices"}}  # fmt: skip
"""Settings that say which collaborative items a prompt shows."""
LEAKS = "evaluate/leaks.json"


def compare(
    workspace: Workspace,
    variants: Callable[[SplitName], list[str]],
    recorded: Callable[[str], str],
    say: Progress,
    count: Count,
) -> dict:
    """Compute the missing rows, write evaluate/report.json and .html, and return the tables in words."""
    recipe = workspace.recipe
    rows: list[Row] = []
    shown_facts, pairs = [], []
    comparisons = [Comparison(workspace, split, recorded, say, count) for split in recipe.evaluate.splits]
    for comparison in comparisons:
        found = comparison.rows(variants(comparison.name))
        rows += found
        shown_facts += comparison.facts()
        pairs += [pair for row in found for pair in against_whole(found, row)]
    first = comparisons[0]
    shares = {}
    if variants(first.name):
        told_apart = attributes(first.workspace, first.name, variants(first.name), recorded, first.tuned)
        shares = statistics(workspace.keywords, workspace.dataset) | told_apart
    said = notes(dict.fromkeys(row.model for row in rows), recipe.evaluate.fitted_on)
    manifest = artefacts.key(
        version=__version__,
        settings=recipe.evaluate,
        rows=[[row.protocol, row.split, row.label, row.metrics, row.cost] for row in rows],
        facts=shown_facts,
        attributes=shares,
        notes=said,
        leaks=(leaks := leak_checks(workspace, recorded)),
    )
    out = workspace.folder / "evaluate"
    if reported(out) == manifest:
        say("evaluate: up to date")
    else:
        build_report(
            rows,
            shown_facts,
            pairs,
            shown_users(workspace, first.name, count),
            out,
            data=recipe.name,
            manifest=manifest,
            attributes=shares,
            notes=said,
            leaks=leaks,
            summaries=(out / PAGE).is_file(),
            seed=recipe.seed,
            resamples=recipe.evaluate.resamples,
        )
    tables = list(dict.fromkeys((row.protocol, row.split) for row in rows))
    for protocol, split in tables:
        say("\n" + text_table(rows, protocol, split) + "\n")
    say(f"report: {out / 'report.html'}")
    return {"report": str(out / "report.html"), "rows": len(rows)}


def checked_parts(workspace: Workspace, recorded: Callable[[str], str]) -> dict[str, str]:
    """Keys of the parts of a run that leak checks are about, as far as they are finished."""
    splits = workspace.recipe.evaluate.splits
    parts = ["summarize", *(part for name in splits for part in (f"retrieve/{name}", adapter_part(name, "whole")))]
    return {part: recorded(part) for part in parts if artefacts.is_whole(workspace.folder / part)}


def leak_checks(workspace: Workspace, recorded: Callable[[str], str]) -> list[dict]:
    """The findings of `mmsrarec check --leaks`; none where it was not asked, or of another state of the run."""
    try:
        found = json.loads((workspace.folder / LEAKS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return found["checks"] if found.get("parts") == checked_parts(workspace, recorded) else []


def reported(folder: Path) -> str | None:
    """What the report in a folder was made from; None where there is no whole one."""
    try:
        made_from = json.loads((folder / "report.json").read_text(encoding="utf-8"))["manifest"]
    except (OSError, ValueError, KeyError):
        return None
    return made_from if (folder / "report.html").is_file() else None


def against_whole(rows: list[Row], row: Row) -> list[dict]:
    """Paired tests of MMSRARec whole against one other row of its table."""
    for whole in rows:
        asked_the_same = (whole.protocol, whole.split) == (row.protocol, row.split)
        if whole.model == "mmsrarec" and whole is not row and asked_the_same and whole.variant not in ABLATIONS:
            return compare_rows(whole, row, TESTED[row.protocol])
    return []


class Comparison:
    """All rows of one split."""

    def __init__(
        self, workspace: Workspace, name: SplitName, recorded: Callable[[str], str], say: Progress, count: Count
    ):
        self.workspace, self.recorded, self.say, self.count = workspace, recorded, say, count
        self.name: SplitName = name
        self.recipe, self.dataset = workspace.recipe, workspace.dataset
        self.split: Split = workspace.split(name)
        settings = self.recipe.evaluate
        self.refit = settings.fitted_on == "train+validation"
        self.fitted = with_validation(self.split, self.dataset.events) if self.refit else self.split.train
        """What rows without a language model are fitted on for the test."""
        self.candidates: Candidates = published_candidates(
            self.split.test, self.dataset.events, self.recipe.seed, settings.negatives
        )
        self.full = name == settings.splits[0]
        """Full ranking is measured on the first split only."""

    def rows(self, variants: list[str]) -> list[Row]:
        found = []
        names = [name for name in self.recipe.evaluate.rows if name not in (*TRAINED, CONTEXT, MSR)]
        for name in names:
            make = cache(partial(self.classic, name))  # made once for both protocols, and let go of after them
            found += [self.row("published", name, "whole", make)]
            if self.full:
                found += [self.row("full", name, "whole", make)]
        if self.has_stage_2:
            found.append(self.row("published", CONTEXT, "whole", lambda: self.classic(CONTEXT)))
        if MSR in self.recipe.evaluate.rows:
            found.append(self.row("published", MSR, "whole", self.msr))
        for variant in variants:
            model = next((model for model, trained in TRAINED.items() if trained == variant), "mmsrarec")
            shown = "whole" if model in self.recipe.evaluate.rows and variant in TRAINED.values() else variant
            found.append(self.row("published", model, shown, lambda variant=variant: self.tuned(variant)))
            if self.full and variant == "whole":
                generator = self.generator()
                label = f"re-ranks {generator.name}"
                found.append(self.row("full", model, label, lambda g=generator: self.reranked(g)))
        return found

    def row(self, protocol: str, model: str, variant: str, make: Callable[[], Scorer]) -> Row:
        """One row, computed unless it is there already."""
        key = artefacts.key(
            protocol=protocol,
            split=self.name,
            model=model,
            variant=variant,
            seed=self.recipe.seed,
            candidates=self.candidates.digest,
            propose=self.recipe.evaluate.propose,
            made_from=self.inputs(model, variant),
        )
        slug = f"{protocol}-{model}-{variant}".replace(" ", "-")
        folder = self.workspace.folder / "evaluate" / "rows" / self.name / slug
        if not artefacts.is_current(folder, key):
            self.say(f"evaluating {model}, {variant}: {protocol}, {self.name}")
            row = self.measure(protocol, model, variant, make())
            folder.parent.mkdir(parents=True, exist_ok=True)
            with artefacts.writing(folder, kind="row", key=key) as draft:
                save_row(draft, row)
        (file,) = (path for path in folder.glob("*.json") if path.name != artefacts.MANIFEST)
        return load_row(file)

    def inputs(self, model: str, variant: str) -> list[str]:
        """Keys of what a row was made from."""
        if model in TRAINED:
            trained = variant if variant in ABLATIONS else TRAINED[model]
            return [self.recorded(adapter_part(self.name, trained))]
        if model == MSR:
            return [self.recorded(msr_part(self.name))]
        if model == CONTEXT:
            shown = self.recipe.recommend.model_dump(include=SHOWN)
            return [self.recorded(f"retrieve/{self.name}"), artefacts.key(shown=shown)]
        if model in ENCODERS:
            return [self.recorded(self.workspace.encoder_part(self.name, model, self.refit))]
        if model in STAGE_2:
            return [self.recorded(f"retrieve/{self.name}")]
        return [artefacts.key(train=[self.fitted.item, self.fitted.time])]

    def measure(self, protocol: str, model: str, variant: str, scorer: Scorer) -> Row:
        started, test = time.perf_counter(), self.split.test
        if protocol == "published":
            metrics = evaluate_published(scorer, test, self.candidates)
        else:
            metrics = evaluate_full(scorer, test, len(self.dataset.items))
        cost = {"ms_per_user": 1000 * (time.perf_counter() - started) / max(len(test), 1)}
        ranker = scorer.ranker if isinstance(scorer, Reranked) else scorer
        if isinstance(ranker, MllmScorer):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            moments = max(ranker.moments, 1)
            cost |= {"tokens_per_user": ranker.tokens / moments, "calls_per_user": ranker.calls / moments}
            cost |= {"peak_mb": peak}
        has_image = np.array([item.image is not None for item in self.dataset.items])
        slices = target_slices(test, self.split.train, has_image)
        slices = {name: mask for name, mask in slices.items() if not mask.all()}  # all users are no slice of them
        return Row(protocol, self.name, model, variant, self.recipe.seed, test.user, metrics, cost, slices)

    def classic(self, name: str) -> Scorer:
        """A row without a language model, as it is tested."""
        return self.made(name, self.fitted, self.refit)

    def made(self, name: str, train: Events, refit: bool = False) -> Scorer:
        encoder = partial(self.workspace.encoder, self.name, refit=refit)
        retrieval = partial(self.workspace.retrieval, self.name)
        return (CLASSIC | STAGE_2)[name](Source(train, self.recipe.seed, encoder, retrieval, self.recipe.recommend))

    def tuned(self, variant: str) -> MllmScorer:
        prompts = self.workspace.tuned(self.name, variant)
        retrieval = self.workspace.retrieval(self.name)
        return MllmScorer(variant, prompts, retrieval, self.recipe.runtime.score_tokens, self.count)

    def msr(self) -> MllmScorer:
        return load_msr(self.workspace, self.name, self.workspace.folder / msr_part(self.name), self.count)

    def generator(self) -> Scorer:
        """The proposer with the best NDCG@10 on validation users; the choice is kept, for it costs full rankings."""
        names = [name for name in GENERATORS if name in self.recipe.evaluate.rows]
        if not names:
            raise MmsrarecError(f"full ranking needs a generator among evaluate.rows: {', '.join(GENERATORS)}")
        key = artefacts.key(made_from=[self.inputs(name, "whole") for name in names], seed=self.recipe.seed)
        file = self.workspace.folder / "evaluate" / "generators" / f"{self.name}-{key[:12]}.txt"
        if not file.exists():
            n_items, valid = len(self.dataset.items), self.split.valid
            made = {name: self.made(name, self.split.train) for name in names}
            quality = {name: evaluate_full(row, valid, n_items)["NDCG@10"].mean() for name, row in made.items()}
            file.parent.mkdir(parents=True, exist_ok=True)
            artefacts.atomic_write(file, max(names, key=lambda name: quality[name]).encode())
        return self.classic(file.read_text())

    def reranked(self, generator: Scorer) -> Reranked:
        n = min(self.recipe.evaluate.propose, len(self.dataset.items) // 2)
        return Reranked("mmsrarec", generator, self.tuned("whole"), n)

    @property
    def has_stage_2(self) -> bool:
        return artefacts.is_whole(self.workspace.folder / "retrieve" / self.name)

    def facts(self) -> list[dict]:
        seed, events = self.recipe.seed, self.dataset.events
        published = facts(self.split, events, seed, self.candidates) | self.context_shares()
        return [published, facts(self.split, events, seed)] if self.full else [published]

    def context_shares(self) -> dict[str, float]:
        """How often a context holds its target, in training and in the test; kept, for it asks all of stage 2."""
        if not self.has_stage_2:
            return {}
        key = artefacts.key(
            made_from=self.inputs(CONTEXT, "whole"), packs=self.recipe.recommend.packs, seed=self.recipe.seed
        )
        file = self.workspace.folder / "evaluate" / "context" / f"{self.name}-{key[:12]}.json"
        if not file.exists():
            ranker, retrieval = self.recipe.recommend, self.workspace.retrieval(self.name)
            shares = target_shares(retrieval, self.split, ranker, self.recipe.seed)
            file.parent.mkdir(parents=True, exist_ok=True)
            artefacts.atomic_write(file, json.dumps(shares).encode())
        return json.loads(file.read_text())
