"""Fit a data set in a given time: measure this machine, choose a recipe, do it, and answer from it."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmsrarec.core import artefacts
from mmsrarec.core.progress import Progress, Reported
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.folder import load, save
from mmsrarec.errors import DataError, MmsrarecError, RecipeError
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.devices import check_device
from mmsrarec.models.weight_packages import INSTALL_COMMAND
from mmsrarec.pipeline.fit_costs import Costs, Facts, measure, training_seconds
from mmsrarec.pipeline.fit_plan import NEGATIVES, Plan, choose, prompt_seconds, with_examples
from mmsrarec.pipeline.fit_rankers import fit_rankers, missing_model_packages, plan_rankers
from mmsrarec.pipeline.run import Run, run
from mmsrarec.runs.provenance import RECIPE
from mmsrarec.runs.recipe import Recipe, to_toml
from mmsrarec.runs.recommender import Recommender
from mmsrarec.runs.run_folder import RunFolder
from mmsrarec.study.candidate_generators import CandidateGenerators
from mmsrarec.study.model_scorers import Scorers

FIT, DATA = "fit.json", "data"
MIN_MINUTES = 0.5
PROBED_SECONDS = 20
"""With less left, what an example costs is not measured: there is time for the fewest only."""
REPORT_SECONDS = 30
"""Of the report, whatever the number of users."""
MIN_VALIDATED_USERS = 10
"""Users with three interactions or more, without whom nothing can be chosen on validation."""


def fit(
    data: Dataset | str | Path,
    out: str | Path,
    minutes: float = 30,
    *,
    progress: Reported = True,
    seed: int = 0,
    device: str = "auto",
    model: str = "embedded",
) -> Recommender:
    """Fit a recommender to a data set in about the given time.

    What the parts of the work cost on this machine is measured first, on a sample of the data; the recipe is chosen by
    that. What was chosen, why, and what it took is written to OUT/fit.json, the recipe to OUT/recipe.toml, with which
    `mmsrarec run` can go on. A call that was stopped goes on where it was.

    Args:
        data: A data set or a data folder. A data set that lies in no folder is saved to OUT/data.
        out: The run's folder.
        minutes: How long it may take; little time makes a recommender that has learned little, never none.
        progress: True shows it on standard error, False is silent, a function is given each line.
        seed: Every random draw follows from it.
        device: A torch device; "auto" is the fastest that is there.
        model: As `model.name` of a recipe.

    Returns:
        The recommender, ready to answer; `Recommender.load(out)` gives the same later. Where the packages of the
        embedded model are not installed, rankers alone answer, and its `notes` say so.

    Raises:
        DataError: The data cannot be used, or too few users have three interactions.
        MmsrarecError: `minutes` is no time, or the model cannot be loaded.
    """
    if not _is_time(minutes):
        raise MmsrarecError(f"minutes: {minutes!r} is no time: give a number of minutes, {MIN_MINUTES} or more")
    fitted(data, Path(out), minutes, Progress.of(progress), seed, device, model)
    return Recommender.load(out, device=device)


def _is_time(minutes: object) -> bool:
    """Whether it is a number of minutes that a fit may take."""
    return isinstance(minutes, int | float) and not isinstance(minutes, bool) and MIN_MINUTES <= minutes < 1e6


def fitted(
    data: Dataset | str | Path,
    out: Path,
    minutes: float,
    say: Progress,
    seed: int = 0,
    device: str = "auto",
    model: str = "embedded",
) -> dict[str, Any]:
    """The work of `fit`; what was chosen, why, and how long it took, as plain JSON values."""
    started, device = time.monotonic(), check_device(device)
    for note in data.notes if isinstance(data, Dataset) else ():
        say(note)
    dataset = _in_folder(data, out)
    facts = Facts.of(dataset)
    if facts.validated < MIN_VALIDATED_USERS:
        raise DataError(
            f"{dataset.name}: {facts.validated} users have three interactions or more, and fit needs "
            f"{MIN_VALIDATED_USERS} to choose and to check by: bring more interactions"
        )
    question = {"minutes": minutes, "seed": seed, "model": model, "device": device, "data": _digest(dataset)}
    record: dict[str, Any] = _earlier(out, question) or {}
    settings = ModelSettings(name=model)
    if missing := missing_model_packages(model):
        return _rankers_alone(dataset, out, record, question, missing, started, say)
    if not record:
        say("measuring what the work costs on this machine")
        costs = measure(dataset, settings, device, seed)
        plan = choose(facts, costs, minutes * 60 - (time.monotonic() - started))
        record = {"asked": question, "facts": asdict(facts), "costs": asdict(costs), **asdict(plan)}
        _keep(out, record)
        for reason in plan.reasons:
            say(f"chosen: {reason}")
    costs = Costs(**record["costs"])
    plan = Plan(record["settings"], tuple(record["reasons"]), record["predicted"])
    spent, name = dict(record.get("seconds", {})), _name(out)
    deadline = started + minutes * 60 - sum(spent.values())

    def recipe() -> Recipe:
        runtime = {"device": device}
        return Recipe.model_validate(
            {"name": name, "seed": seed, "data": dataset.folder, "model": settings, "runtime": runtime, **plan.settings}
        )

    def do(part: str, *stages: str) -> None:
        begun = time.monotonic()
        if stages:
            run(recipe(), out, stages, say)
        else:
            _learn_fusion(RunFolder(recipe(), out), say)
        spent[part] = round(spent.get(part, 0.0) + time.monotonic() - begun, 1)
        _keep(out, record | {"seconds": spent})

    do("reading and retrieval", "pictures", "summarize", "retrieve")
    if "ranker" not in spent:
        seconds_left = deadline - time.monotonic() - plan.predicted["fusion"] - 2 * costs.load
        if seconds_left > PROBED_SECONDS:
            say("measuring what an example of the ranker costs")
            of_example = training_seconds(RunFolder(recipe(), out), NEGATIVES)
            seconds_left = deadline - time.monotonic() - plan.predicted["fusion"] - 2 * costs.load
            plan = with_examples(plan, of_example, seconds_left)
            record |= {"example_seconds": of_example}
        record |= {"settings": plan.settings, "reasons": list(plan.reasons), "predicted": plan.predicted}
        say(f"chosen: {plan.reasons[-1]}")
    do("ranker", "recommend")
    do("fusion")
    evaluation = _evaluation_seconds(facts, plan, costs)
    if evaluation < deadline - time.monotonic():
        do("evaluation", "evaluate")
        note = f"measured on test users: {out / 'evaluate' / 'report.html'}"
    else:
        command = f"mmsrarec evaluate {out / RECIPE} --out {out}"
        long = f"{evaluation / 60:.0f} minutes" if evaluation >= 90 else f"{evaluation:.0f} seconds"
        note = f"not measured on test users, which would take about {long}: {command} does it"
    artefacts.atomic_write(out / RECIPE, to_toml(recipe()).encode())
    say(note)
    record |= {"seconds": spent, "evaluation": note, "recipe": str(out / RECIPE)}
    _keep(out, record)
    return {"run": str(out), **record}


def _rankers_alone(
    dataset: Dataset,
    out: Path,
    record: dict[str, Any],
    question: dict[str, Any],
    missing: list[str],
    started: float,
    say: Progress,
) -> dict[str, Any]:
    """`fitted` where the language model's packages are not installed."""
    if not record:
        seconds = question["minutes"] * 60 - (time.monotonic() - started)
        plan = plan_rankers(dataset, seconds, question["device"], question["seed"])
        lacks = f"rankers alone, for the language model lacks {', '.join(missing)}: {INSTALL_COMMAND}"
        record = {"asked": question, "facts": asdict(Facts.of(dataset)), **plan, "reasons": [lacks, *plan["reasons"]]}
        _keep(out, record)
    for reason in record["reasons"]:
        say(f"chosen: {reason}")
    base = {
        "name": _name(out),
        "seed": question["seed"],
        "data": dataset.folder,
        "runtime": {"device": question["device"]},
    }
    recipe = Recipe.model_validate(base | record["settings"])
    record |= {"seconds": {"rankers": fit_rankers(recipe, out, say)}, "recipe": str(out / RECIPE)}
    record |= {"evaluation": f"not measured on test users: mmsrarec evaluate {out / RECIPE} --out {out} does it"}
    _keep(out, record)
    return {"run": str(out), **record}


def _learn_fusion(run_folder: RunFolder, say: Progress) -> None:
    """Keep fitted rankers, choose who proposes, and learn on validation users how all are fused with the model."""
    split = run_folder.chosen_on
    with say.counting() as count:
        Run(run_folder, say).keep_rankers(count)
        scorers = Scorers(run_folder, split, count)
        CandidateGenerators(scorers, say).fusion("full", lambda: scorers.tuned("whole"))


def _evaluation_seconds(facts: Facts, plan: Plan, costs: Costs) -> float:
    """What the tables and the report would take: two rankings of each open test user, and reasons for some."""
    layers, propose = plan.settings["recommend"]["layers"], plan.settings["evaluate"]["n_candidates"]
    of_user = prompt_seconds(costs, layers, 21) + prompt_seconds(costs, layers, propose)
    return REPORT_SECONDS + 2 * costs.load + 1.3 * facts.validated * of_user


def _in_folder(data: Dataset | str | Path, out: Path) -> Dataset:
    """The data set as it lies in a folder, which a run refers to."""
    if not isinstance(data, Dataset):
        return load(Path(data))
    if data.folder is not None and data.image_root is None:
        return data
    place = out / DATA
    if (out / RECIPE).exists() and not place.exists():
        raise RecipeError(f"{out} holds a run of other data: name another folder")
    save(data, place)
    return load(place)


def _name(out: Path) -> str:
    """A recipe's name from that of the folder."""
    name = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in out.resolve().name)
    return name.strip("-") or "fit"


def _digest(dataset: Dataset) -> str:
    return artefacts.key(log=dataset.interactions.digest, items=[asdict(item) for item in dataset.items])


def _keep(out: Path, record: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    artefacts.atomic_write(out / FIT, json.dumps(record, indent=1, ensure_ascii=False).encode())


def _earlier(out: Path, question: dict[str, Any]) -> dict[str, Any] | None:
    """What an earlier call with the same question chose; None where there was none."""
    try:
        record = json.loads((out / FIT).read_text(encoding="utf-8"))
        return record if record["asked"] == question else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
