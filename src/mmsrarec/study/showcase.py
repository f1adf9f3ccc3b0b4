"""What the report shows beside its tables: single users whole, and, on a drawn catalogue, each signal alone."""

from collections.abc import Callable, Mapping

import numpy as np

from mmsrarec.core import artefacts
from mmsrarec.core.progress import Count
from mmsrarec.data.splits import SplitName
from mmsrarec.data.synthetic.ground_truth import ANSWERS, ATTRIBUTES, Answers, Attribute, attribute_pairs
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.test_queries import open_rows
from mmsrarec.rankers.base import Scorer
from mmsrarec.runs.recommender import Recommender
from mmsrarec.runs.run_folder import Workspace, adapter_part
from mmsrarec.study.report.user_examples import ShownItem, ShownUser, small_picture

PAIRS = 100
"""Pairs of items that an attribute is tried on."""
RECOMMENDED = 3
"""Items recommended to each shown user."""


def attributes(
    workspace: Workspace,
    split: SplitName,
    variants: list[str],
    tuned: Callable[[str], Scorer],
) -> dict[str, float]:
    """On a drawn catalogue, the share of pairs that each variant puts in the right order; {} on other data.

    The two items of a pair differ in one attribute only: one matches what the shopper wants, the other does not. Chance
    is .5. tuned: the scorer of a variant.
    """
    folder = workspace.dataset.folder
    if folder is None or not (folder / ANSWERS).exists():
        return {}
    try:
        answers, found = Answers.load(workspace.dataset), {}
    except MmsrarecError:  # a drawn catalogue that was changed since: its answers are of other items
        return {}
    for variant in variants:
        asked = workspace.recipe.evaluate.model_dump(include={"sealed", "open_sealed"})
        key = artefacts.key(made_from=workspace.recorded(adapter_part(split, variant)), pairs=PAIRS, asked=asked)
        scorer: Scorer | None = None
        for attribute in ATTRIBUTES:
            name = f"{variant}-{attribute}-{key[:12]}.txt".replace(" ", "-")
            file = workspace.folder / "evaluate" / "attributes" / name
            if not file.exists():
                scorer = scorer or tuned(variant)
                if (share := told_apart(workspace, split, answers, attribute, scorer)) is None:
                    continue
                file.parent.mkdir(parents=True, exist_ok=True)
                artefacts.atomic_write(file, f"{share:.3f}".encode())
            found[f"{attribute} told apart, {variant}"] = float(file.read_text())
    return found


def told_apart(
    workspace: Workspace, split: SplitName, answers: Answers, attribute: Attribute, scorer: Scorer
) -> float | None:
    """Share of pairs in the right order, of test users who are not sealed; None where the catalogue has no such pair.

    Motif and material are tried on new items, where nothing but content can tell, and on shoppers who lean to them.
    """
    test, rng = workspace.split(split).test, np.random.default_rng(workspace.recipe.seed)
    test = test.pick(open_rows(test, workspace.dataset.user_ids, workspace.recipe.evaluate)[0])
    new = attribute != "series"
    rows, right, wrong = attribute_pairs(workspace.dataset, answers, test, attribute, rng, new=new)
    if new:
        leans = answers.leans_motif[test.user[rows]] == (attribute == "motif")
        rows, right, wrong = rows[leans], right[leans], wrong[leans]
    if not len(rows):
        return None
    chosen = rng.permutation(len(rows))[:PAIRS]
    scores = scorer.score(test.pick(rows[chosen]), np.stack([right[chosen], wrong[chosen]], axis=1))
    return float((scores[:, 0] > scores[:, 1]).mean())


def drawn_users(workspace: Workspace, split: SplitName) -> list[int]:
    """Test users that the report shows whole, as rows of the test: `evaluate.shown_users` of them, none sealed."""
    test = workspace.split(split).test
    order = np.random.default_rng(workspace.recipe.seed).permutation(len(test))
    order = order[np.isin(order, open_rows(test, workspace.dataset.user_ids, workspace.recipe.evaluate)[0])]
    return np.sort(order[: workspace.recipe.evaluate.shown_users]).tolist()


def shown_users(workspace: Workspace, split: SplitName, rows: Mapping[int, str], count: Count) -> list[ShownUser]:
    """Test users whole: what they had, what is recommended and why, what they took. rows: of the test, each with a
    sentence to say beside."""
    if not rows:
        return []
    test = workspace.split(split).test
    recommender = Recommender(workspace, split, workspace.tuned(split, workspace.served))
    prompts, code_of = recommender.prompts, workspace.dataset.item_code
    shown = []
    for number, (row, note) in enumerate(rows.items()):
        moment = test.pick(np.array([row]))
        (evidence,) = recommender.retrieval.gather(moment, moment.target[:, None], prompts.settings)
        similar = [word for code in evidence.similar for word in prompts.shown_keywords(code)]
        answers = recommender.answer(moment, RECOMMENDED)
        shown.append(
            ShownUser(
                name=f"User {workspace.dataset.user_ids[int(moment.user[0])]}",
                history=[shown_item(workspace, code) for code in evidence.history],
                similar=list(dict.fromkeys(similar)),
                recommendations=[shown_item(workspace, code_of[a.item_id], a.score, a.because) for a in answers],
                taken=shown_item(workspace, int(moment.target[0])),
                note=note,
            )
        )
        count(number + 1, len(rows), "users shown")
    return shown


def shown_item(workspace: Workspace, code: int, score: float | None = None, because: tuple[str, ...] = ()) -> ShownItem:
    item, picture = workspace.dataset.items[code], small_picture(workspace.dataset, code)
    return ShownItem(item.title, workspace.keywords.united(code), picture, score, because, item.item_id)
