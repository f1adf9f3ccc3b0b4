"""The comparison: every row of the table under both protocols, the paired tests, and the report.

A row is an artefact of its own, so a stopped comparison goes on at the row where it was.
"""

import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmsrarec import __version__, artefacts
from mmsrarec.data.split import Split, SplitName
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.baselines.als import Als
from mmsrarec.evaluate.baselines.context import ContextOnly
from mmsrarec.evaluate.baselines.neighbours import NeighboursOnly
from mmsrarec.evaluate.baselines.popularity import Popularity, PopularityAsOf
from mmsrarec.evaluate.baselines.random_ import Random
from mmsrarec.evaluate.baselines.rules import SequentialRules
from mmsrarec.evaluate.baselines.sasrec import SasRecRow
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
from mmsrarec.progress import Progress
from mmsrarec.recommend.propose import Reranked
from mmsrarec.recommend.score import MllmScorer
from mmsrarec.recommend.settings import VARIANTS
from mmsrarec.showcase import attributes, shown_users
from mmsrarec.summarize.statistics import statistics
from mmsrarec.summary_page import PAGE
from mmsrarec.workspace import Workspace, adapter_part

Count = Callable[[int, int, str], None]
TESTED = {"published": ("HR@5", "NDCG@5", "AUC"), "full": ("HR@10", "NDCG@10")}
"""Metrics of the paired tests."""
GENERATORS = ("sequential-rules", "als", "sasrec")
"""Who may propose to the language model; the best on validation does."""
TRAINED = {"plain-fine-tuning": "titles", "mmsrarec": "whole"}
ABLATIONS = VARIANTS.keys() - set(TRAINED.values())
CONTEXT = "context-only"
"""A row of every report with stage 2, asked for or not; published protocol only, for its scores are 0 or 1."""
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
    shares = statistics(workspace.keywords, workspace.dataset) | attributes(
        first.workspace, first.name, variants(first.name), recorded, first.tuned
    )
    manifest = artefacts.key(
        version=__version__,
        settings=recipe.evaluate,
        rows=[[row.protocol, row.split, row.label, row.metrics, row.cost] for row in rows],
        facts=shown_facts,
        attributes=shares,
        notes=NOTES,
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
            notes=NOTES,
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


NOTES = (
    "The language model's rows, neighbours-only and popularity-as-of obey the clock: at a moment they are shown only "
    "what others did strictly before it. Popularity, sequential rules, ALS and SASRec are trained on all training "
    "events, later ones of other users included, as is usual; that favours them. So are the weights of the sequence "
    "encoder that looks for neighbours, and of the language model.",
    "Full ranking by the language model is re-ranking of what a cheap generator proposed; the generator was chosen on "
    "validation users and stands in the table by itself.",
    "Context-only scores 1 for an item among the collaborative items that a prompt shows, 0 for others: what copying "
    "the context is worth. What a language model with stage 2 adds is above it.",
)


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
        self.candidates: Candidates = published_candidates(
            self.split.test, self.dataset.events, self.recipe.seed, settings.negatives
        )
        self.full = name == settings.splits[0]
        """Full ranking is measured on the first split only."""

    def rows(self, variants: list[str]) -> list[Row]:
        found = []
        names = [name for name in self.recipe.evaluate.rows if name not in TRAINED and name != CONTEXT]
        for name in names:
            found += [self.row("published", name, "whole", lambda name=name: self.classic(name))]
            if self.full:
                found += [self.row("full", name, "whole", lambda name=name: self.classic(name))]
        if self.has_stage_2:
            found.append(self.row("published", CONTEXT, "whole", lambda: self.classic(CONTEXT)))
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
        if model == CONTEXT:
            return [self.recorded(f"retrieve/{self.name}"), artefacts.key(shown=self.recipe.recommend.similar_items)]
        if model in ("sasrec", "neighbours-only"):
            return [self.recorded(f"retrieve/{self.name}")]
        return [artefacts.key(train=[self.split.train.item, self.split.train.time])]

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
            cost |= {"tokens_per_user": ranker.tokens / max(ranker.moments, 1), "calls_per_user": 1.0, "peak_mb": peak}
        has_image = np.array([item.image is not None for item in self.dataset.items])
        slices = target_slices(test, self.split.train, has_image)
        return Row(protocol, self.name, model, variant, self.recipe.seed, test.user, metrics, cost, slices)

    def classic(self, name: str) -> Scorer:
        train, seed = self.split.train, self.recipe.seed
        retrieve = self.recipe.retrieve
        makers: dict[str, Callable[[], Scorer]] = {
            "random": lambda: Random(train.n_items, seed),
            "popularity": lambda: Popularity(train),
            "popularity-as-of": lambda: PopularityAsOf(train),
            "sequential-rules": lambda: SequentialRules(train),
            "als": lambda: Als(train, seed),
            "sasrec": lambda: SasRecRow(self.workspace.encoder(self.name)),
            "neighbours-only": lambda: NeighboursOnly(
                train, self.workspace.retrieval(self.name).neighbours, retrieve.crowd_next, retrieve.crowd
            ),
            CONTEXT: lambda: ContextOnly(self.workspace.retrieval(self.name), self.recipe.recommend),
        }
        if name not in makers:
            raise MmsrarecError(f'unknown row "{name}": choose from {", ".join([*makers, *TRAINED])}')
        return makers[name]()

    def tuned(self, variant: str) -> MllmScorer:
        prompts = self.workspace.tuned(self.name, variant)
        retrieval = self.workspace.retrieval(self.name)
        return MllmScorer(variant, prompts, retrieval, self.recipe.runtime.score_tokens, self.count)

    def generator(self) -> Scorer:
        """The proposer with the best NDCG@10 on validation users; the choice is kept, for it costs full rankings."""
        names = [name for name in GENERATORS if name in self.recipe.evaluate.rows]
        if not names:
            raise MmsrarecError(f"full ranking needs a generator among evaluate.rows: {', '.join(GENERATORS)}")
        key = artefacts.key(made_from=[self.inputs(name, "whole") for name in names], seed=self.recipe.seed)
        file = self.workspace.folder / "evaluate" / "generators" / f"{self.name}-{key[:12]}.txt"
        if not file.exists():
            n_items, valid = len(self.dataset.items), self.split.valid
            quality = {name: evaluate_full(self.classic(name), valid, n_items)["NDCG@10"].mean() for name in names}
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
