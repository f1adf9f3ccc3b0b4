"""The comparison: every row of the table under both protocols, the paired tests, and the report.

A row is an artefact of its own, so a stopped comparison goes on at the row where it was.
"""

import json
import resource
import time
from collections.abc import Callable, Sequence
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
    ndcg_of_lists,
    published_candidates,
    target_slices,
)
from mmsrarec.evaluate.report import Row, build_report, compare_rows, load_row, save_row, text_table
from mmsrarec.evaluate.rows import CONTEXT, GENERATORS, MSR, STAGE_2, TRAINED, Source, make_row, notes, proposers
from mmsrarec.progress import Count, Progress
from mmsrarec.recipe import Recipe
from mmsrarec.recommend.fuse import Fused, Fusion, Silent, language_model, learn, terms
from mmsrarec.recommend.propose import Reranked, parts_of
from mmsrarec.recommend.score import MllmScorer
from mmsrarec.recommend.variants import SWEEPS, VARIANTS, sweep_of
from mmsrarec.retrieve.settings import ENCODERS
from mmsrarec.rival import load_msr, msr_part
from mmsrarec.showcase import attributes, shown_users
from mmsrarec.summarize.statistics import statistics
from mmsrarec.summary_page import PAGE
from mmsrarec.workspace import SEEDS, Kind, Workspace, adapter_part, fusion_part

TESTED = {"published": ("HR@5", "NDCG@5", "AUC"), "full": ("HR@10", "NDCG@10")}
"""Metrics of the paired tests."""
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
    repeats = repeated(workspace)
    manifest = artefacts.key(
        version=__version__,
        settings=recipe.evaluate,
        rows=[[row.protocol, row.split, row.label, row.metrics, row.cost] for row in rows],
        facts=shown_facts,
        attributes=shares,
        notes=said,
        leaks=(leaks := leak_checks(workspace, recorded)),
        repeats=[report["rows"] for report in repeats],
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
            published=recipe.evaluate.published,
            repeats=repeats,
            sweeps=swept(rows, recipe, first.name),
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


def swept(rows: list[Row], recipe: Recipe, split: str) -> dict[str, list[tuple[int, Row]]]:
    """What was swept -> its rows under the published protocol, by count, the recipe's own among them."""
    ours = [row for row in rows if (row.protocol, row.split, row.model) == ("published", split, "mmsrarec")]
    own = {"history": recipe.recommend.history, "k": recipe.retrieve.k}
    found: dict[str, list[tuple[int, Row]]] = {}
    for what, means in SWEEPS.items():
        points = [(point[1], row) for row in ours if (point := sweep_of(row.variant)) and point[0] == what]
        if points:
            points += [(own[what], row) for row in ours if row.variant == "whole"]
            found[means] = sorted(dict(points).items())
    return found


def repeated(workspace: Workspace) -> list[dict]:
    """report.json of each other seed that the recipe asks for."""
    recipe = workspace.recipe
    seeds = range(recipe.seed + 1, recipe.seed + recipe.evaluate.repeats)
    files = (workspace.folder / SEEDS / str(seed) / "evaluate" / "report.json" for seed in seeds)
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def reported(folder: Path) -> str | None:
    """What the report in a folder was made from; None where there is no whole one."""
    try:
        made_from = json.loads((folder / "report.json").read_text(encoding="utf-8"))["manifest"]
    except (OSError, ValueError, KeyError):
        return None
    return made_from if (folder / "report.html").is_file() else None


def is_ablation(variant: str) -> bool:
    """Whether a row's variant is one that is trained for itself, beside the rows of the table."""
    return variant not in TRAINED.values() and (variant in VARIANTS or sweep_of(variant) is not None)


def against_whole(rows: list[Row], row: Row) -> list[dict]:
    """Paired tests of MMSRARec whole, with and without fusion, against one other row of its table."""
    table = [other for other in rows if (other.protocol, other.split) == (row.protocol, row.split)]
    wholes = [other for other in table if other.model == "mmsrarec" and not is_ablation(other.variant)]
    earlier = wholes.index(row) + 1 if row in wholes else 0  # two of them are compared once
    return [pair for whole in wholes[earlier:] for pair in compare_rows(whole, row, TESTED[row.protocol])]


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
            make = cache(partial(self.tuned, variant))  # loaded once for both protocols, with and without fusion
            found.append(self.row("published", model, shown, make))
            if variant == "whole" and self.recipe.recommend.head_weight:
                head = cache(lambda make=make: self.workspace.head(self.name, make()))
                found += [self.row(kind, model, "head", head) for kind in ("published", "full")[: 1 + self.full]]
            if variant == "whole":
                found += self.with_proposers(model, make)
        return found

    def with_proposers(self, model: str, tuned: Callable[[], MllmScorer]) -> list[Row]:
        """The rows of the whole model that its proposers have a part in: re-ranking, and fusion with their scores."""
        found, fuses = [], self.recipe.evaluate.fusion_users > 0
        if not (fuses or self.full):
            return []
        chosen = self.chosen()
        generator = cache(partial(self.classic, chosen))

        def fused(kind: Kind) -> Fused:
            weights = self.fusion(kind, chosen, tuned).weights
            return Fused("mmsrarec", tuned(), parts_of(generator()), weights, self.fitted.counts > 0)

        def alone(kind: Kind) -> Fused:  # what the language model adds is above it
            weights = (0.0, *self.fusion(kind, chosen, tuned).without)
            return Fused(chosen, Silent(), parts_of(generator()), weights, self.fitted.counts > 0)

        made_from = self.inputs(chosen, "whole")
        learned = [*made_from, artefacts.key(users=self.recipe.evaluate.fusion_users)]
        if fuses:
            found.append(self.row("published", model, f"fused with {chosen}", lambda: fused("published"), learned))
            if "+" in chosen:
                found.append(self.row("published", chosen, "fused", lambda: alone("published"), learned))
        if self.full:
            if "+" in chosen:  # whoever proposes stands in the table by itself
                found.append(self.row("full", chosen, "whole", generator))
            label = f"re-ranks {chosen}"
            found.append(self.row("full", model, label, lambda: self.reranked(generator(), tuned()), made_from))
            if fuses:
                label += ", fused"
                found.append(self.row("full", model, label, lambda: self.reranked(generator(), fused("full")), learned))
            if fuses and "+" in chosen:
                found.append(
                    self.row("full", chosen, "fused", lambda: self.reranked(generator(), alone("full")), learned)
                )
        return found

    def fusion(self, kind: Kind, chosen: str, tuned: Callable[[], MllmScorer]) -> Fusion:
        """What validation moments say of the language model's and the proposers' weights, learned unless it is there.

        The proposers are fitted on the training events for it, also where they are fitted on the validation events as
        well (`evaluate.fitted_on`) for the row that the weights are then used in: the moments must be new to them.
        """
        settings, valid = self.recipe.evaluate, self.split.valid
        adapter = self.recorded(adapter_part(self.name, "whole"))
        key = artefacts.key(
            made_from=[adapter, *self.inputs(chosen, "whole"), artefacts.key(train=[self.split.train.item])],
            proposer=chosen,
            candidates=settings.negatives if kind == "published" else self.proposed,
            users=settings.fusion_users,
            seed=self.recipe.seed,
            version=2,
        )
        folder = self.workspace.folder / fusion_part(self.name, kind)
        if not artefacts.is_current(folder, key):
            self.say(f"fusing with {chosen}: {kind}, {self.name}")
            scorer, maker = tuned(), self.made(chosen, self.split.train)
            order = np.random.default_rng(self.recipe.seed).permutation(len(valid))
            if kind == "published":
                moments = valid.pick(np.sort(order[: settings.fusion_users]))
                asked = published_candidates(moments, self.dataset.events, self.recipe.seed, settings.negatives)
                candidates, place, looked_at = asked.items, asked.place, len(moments)
            else:
                proposed = Reranked("mmsrarec", maker, scorer, self.proposed).proposals(valid)
                hit = proposed == valid.target[:, None]
                rows = np.sort(order[hit.any(axis=1)[order]][: settings.fusion_users])
                moments, candidates, place = valid.pick(rows), proposed[rows], hit[rows].argmax(axis=1)
                looked_at = len(valid)
            parts = parts_of(maker)
            names = [part.name for part in parts]
            x, known = np.zeros((0, 1, 1 + len(parts))), self.split.train.counts > 0
            if len(moments):
                x = terms(scorer, parts, moments, candidates, known)
            learned = learn(x, place, names, looked_at, ndcg_of_lists(5 if kind == "published" else 10))
            folder.parent.mkdir(parents=True, exist_ok=True)
            with artefacts.writing(folder, kind="fusion", key=key, inputs={"adapter": adapter}) as draft:
                learned.save(draft)
        return Fusion.load(folder)

    def row(self, protocol: str, model: str, variant: str, make: Callable[[], Scorer], more: Sequence[str] = ()) -> Row:
        """One row, computed unless it is there already. more: keys of what else than its own model it was made from."""
        key = artefacts.key(
            protocol=protocol,
            split=self.name,
            model=model,
            variant=variant,
            seed=self.recipe.seed,
            candidates=self.candidates.digest,
            propose=self.recipe.evaluate.propose,
            made_from=[*self.inputs(model, variant), *more],
        )
        slug = f"{protocol}-{model}-{variant}".replace(",", "").replace(" ", "-")
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
        if "+" in model:
            return [key for part in model.split("+") for key in self.inputs(part, variant)]
        if model in TRAINED:
            trained = variant if is_ablation(variant) else TRAINED[model]
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
        test, asked = self.split.test, language_model(scorer)
        before = (asked.tokens, asked.moments, asked.spared, asked.calls) if asked else (0, 0, 0.0, 0)
        started = time.perf_counter()
        if protocol == "published":
            metrics = evaluate_published(scorer, test, self.candidates)
        else:
            metrics = evaluate_full(scorer, test, len(self.dataset.items))
        seconds = time.perf_counter() - started + (asked.spared - before[2] if asked else 0.0)
        cost = {"ms_per_user": 1000 * seconds / max(len(test), 1)}
        if asked:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            moments = max(asked.moments - before[1], 1)
            tokens, calls = (asked.tokens - before[0]) / moments, (asked.calls - before[3]) / moments
            cost |= {"tokens_per_user": tokens, "calls_per_user": calls, "peak_mb": peak}
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
        return make_row(name, Source(train, self.recipe.seed, encoder, retrieval, self.recipe.recommend))

    def tuned(self, variant: str) -> MllmScorer:
        prompts = self.workspace.tuned(self.name, variant)
        retrieval = self.workspace.retrieval(self.name, variant)
        batch = self.recipe.runtime.score_tokens
        return MllmScorer(variant, prompts, retrieval, batch, self.count, keep=variant == "whole")

    def msr(self) -> MllmScorer:
        return load_msr(self.workspace, self.name, self.workspace.folder / msr_part(self.name), self.count)

    def generator(self) -> Scorer:
        """The chosen proposer, as it is tested."""
        return self.classic(self.chosen())

    def chosen(self) -> str:
        """The proposer of the most validation targets; the choice is kept, for it costs full rankings."""
        names = self.proposers
        if not names:
            raise MmsrarecError(f"full ranking needs a generator among evaluate.rows: {', '.join(GENERATORS)}")
        key = artefacts.key(
            made_from=[self.inputs(name, "whole") for name in names], propose=self.proposed, seed=self.recipe.seed
        )
        file = self.workspace.folder / "evaluate" / "generators" / f"{self.name}-{key[:12]}.json"
        if not file.exists():
            quality = self.proposer_quality()
            best = max(names, key=lambda name: tuple(quality[name].values()))
            file.parent.mkdir(parents=True, exist_ok=True)
            artefacts.atomic_write(file, json.dumps({"chosen": best, "quality": quality}, indent=1).encode())
        return json.loads(file.read_text())["chosen"]

    @property
    def proposers(self) -> list[str]:
        """Names of whoever may propose."""
        settings = self.recipe.evaluate
        return proposers(settings.rows, self.recipe.retrieve.encoder, settings.combine_proposers)

    @property
    def proposed(self) -> int:
        """Items that are proposed."""
        return min(self.recipe.evaluate.propose, len(self.dataset.items) // 2)

    def proposer_quality(self) -> dict[str, dict[str, float]]:
        """Of each proposer, on validation users: how often the target is among what it proposes; then NDCG@10."""
        measured = (f"HR@{self.proposed}", "NDCG@10")
        n_items, valid = len(self.dataset.items), self.split.valid
        made = {name: self.made(name, self.split.train) for name in self.proposers}
        found = {name: evaluate_full(row, valid, n_items, measured) for name, row in made.items()}
        return {name: {metric: float(values[metric].mean()) for metric in measured} for name, values in found.items()}

    def reranked(self, generator: Scorer, ranker: Scorer) -> Reranked:
        return Reranked("mmsrarec", generator, ranker, self.proposed)

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
