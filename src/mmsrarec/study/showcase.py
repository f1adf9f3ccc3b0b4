"""What the report shows beside its tables: single users whole, and, on a synthetic catalogue, each signal alone."""

from collections.abc import Callable, Mapping

import numpy as np

from mmsrarec.core import artefacts
from mmsrarec.core.progress import Count
from mmsrarec.data.splits import SplitName
from mmsrarec.data.synthetic.ground_truth import ANSWERS, ATTRIBUTES, Attribute, GroundTruth, attribute_pairs
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.test_queries import open_rows
from mmsrarec.rankers.base import Ranker
from mmsrarec.runs.recommender import Recommender
from mmsrarec.runs.run_folder import RunFolder, adapter_part
from mmsrarec.study.report.user_examples import ItemCard, UserCard, small_picture

PAIRS = 100
"""Pairs of items that an attribute is tried on."""
RECOMMENDED = 3
"""Items recommended to each shown user."""


def attributes(
    run_folder: RunFolder,
    split: SplitName,
    variants: list[str],
    tuned: Callable[[str], Ranker],
) -> dict[str, float]:
    """On a synthetic catalogue, the share of pairs that each variant puts in the right order; {} on other data.

    The two items of a pair differ in one attribute only: one matches what the shopper wants, the other does not. Chance
    is .5. tuned: the scorer of a variant.
    """
    folder = run_folder.dataset.folder
    if folder is None or not (folder / ANSWERS).exists():
        return {}
    try:
        answers, found = GroundTruth.load(run_folder.dataset), {}
    except MmsrarecError:  # a synthetic catalogue that was changed since: its answers are of other items
        return {}
    for variant in variants:
        asked = run_folder.recipe.evaluate.model_dump(include={"sealed", "open_sealed"})
        key = artefacts.key(made_from=run_folder.recorded(adapter_part(split, variant)), pairs=PAIRS, asked=asked)
        scorer: Ranker | None = None
        for attribute in ATTRIBUTES:
            name = f"{variant}-{attribute}-{key[:12]}.txt".replace(" ", "-")
            file = run_folder.folder / "evaluate" / "attributes" / name
            if not file.exists():
                scorer = scorer or tuned(variant)
                if (share := right_order_share(run_folder, split, answers, attribute, scorer)) is None:
                    continue
                file.parent.mkdir(parents=True, exist_ok=True)
                artefacts.atomic_write(file, f"{share:.3f}".encode())
            found[f"{attribute} told apart, {variant}"] = float(file.read_text())
    return found


def right_order_share(
    run_folder: RunFolder, split: SplitName, answers: GroundTruth, attribute: Attribute, scorer: Ranker
) -> float | None:
    """Share of pairs in the right order, of test users who are not sealed; None where the catalogue has no such pair.

    Motif and material are tried on new items, where nothing but content can tell, and on shoppers who lean to them.
    """
    test, rng = run_folder.split(split).test, np.random.default_rng(run_folder.recipe.seed)
    test = test.pick(open_rows(test, run_folder.dataset.user_ids, run_folder.recipe.evaluate)[0])
    new = attribute != "series"
    rows, right, wrong = attribute_pairs(run_folder.dataset, answers, test, attribute, rng, new=new)
    if new:
        leans = answers.leans_motif[test.user[rows]] == (attribute == "motif")
        rows, right, wrong = rows[leans], right[leans], wrong[leans]
    if not len(rows):
        return None
    chosen = rng.permutation(len(rows))[:PAIRS]
    scores = scorer.score(test.pick(rows[chosen]), np.stack([right[chosen], wrong[chosen]], axis=1))
    return float((scores[:, 0] > scores[:, 1]).mean())


def attribute_users(run_folder: RunFolder, split: SplitName) -> list[int]:
    """Test users that the report shows whole, as rows of the test: `evaluate.shown_users` of them, none sealed."""
    test = run_folder.split(split).test
    order = np.random.default_rng(run_folder.recipe.seed).permutation(len(test))
    order = order[np.isin(order, open_rows(test, run_folder.dataset.user_ids, run_folder.recipe.evaluate)[0])]
    return np.sort(order[: run_folder.recipe.evaluate.shown_users]).tolist()


def shown_users(run_folder: RunFolder, split: SplitName, rows: Mapping[int, str], count: Count) -> list[UserCard]:
    """Test users whole: what they had, what is recommended and why, what they took. rows: of the test, each with a
    sentence to say beside."""
    if not rows:
        return []
    test = run_folder.split(split).test
    recommender = Recommender(run_folder, split, run_folder.tuned(split, run_folder.served))
    prompts, code_of = recommender.prompts, run_folder.dataset.item_code
    shown = []
    for number, (row, note) in enumerate(rows.items()):
        query = test.pick(np.array([row]))
        (context,) = recommender.retrieval.gather(query, query.target[:, None], prompts.settings)
        similar = [word for code in context.similar for word in prompts.shown_keywords(code)]
        answers = recommender.answer(query, RECOMMENDED)
        shown.append(
            UserCard(
                name=f"User {run_folder.dataset.user_ids[int(query.user[0])]}",
                history=[shown_item(run_folder, code) for code in context.history],
                similar=list(dict.fromkeys(similar)),
                recommendations=[shown_item(run_folder, code_of[a.item_id], a.score, a.because) for a in answers],
                taken=shown_item(run_folder, int(query.target[0])),
                note=note,
            )
        )
        count(number + 1, len(rows), "users shown")
    return shown


def shown_item(run_folder: RunFolder, code: int, score: float | None = None, because: tuple[str, ...] = ()) -> ItemCard:
    item, picture = run_folder.dataset.items[code], small_picture(run_folder.dataset, code)
    return ItemCard(item.title, run_folder.keywords.united(code), picture, score, because, item.item_id)
