"""What the report shows beside its tables: single users in full, and each signal of a synthetic catalogue alone."""

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
"""Number of pairs of items that an attribute is tested on."""
RECOMMENDED = 3
"""Number of items recommended to each shown user."""


def attributes(
    run_folder: RunFolder,
    split: SplitName,
    variants: list[str],
    tuned: Callable[[str], Ranker],
) -> dict[str, float]:
    """The share of item pairs that each variant puts in the right order, on a synthetic catalogue.

    The items of a pair differ in one attribute: one matches what the shopper wants, the other does not. Chance is .5.

    Args:
        run_folder: The run.
        split: Name of the split.
        variants: Names of the variants.
        tuned: Loads the scorer of a variant.

    Returns:
        Description to share; empty on other data.
    """
    folder = run_folder.dataset.folder
    if folder is None or not (folder / ANSWERS).exists():
        return {}
    try:
        ground_truth = GroundTruth.load(run_folder.dataset)
    except MmsrarecError:  # a synthetic catalogue that was changed since: its ground truth is of other items
        return {}
    shares: dict[str, float] = {}
    for variant in variants:
        sealing = run_folder.recipe.evaluate.model_dump(include={"sealed", "open_sealed"})
        key = artefacts.key(made_from=run_folder.recorded(adapter_part(split, variant)), pairs=PAIRS, sealing=sealing)
        scorer: Ranker | None = None
        for attribute in ATTRIBUTES:
            name = f"{variant}-{attribute}-{key[:12]}.txt".replace(" ", "-")
            file = run_folder.folder / "evaluate" / "attributes" / name
            if not file.exists():
                scorer = scorer or tuned(variant)
                if (share := right_order_share(run_folder, split, ground_truth, attribute, scorer)) is None:
                    continue
                file.parent.mkdir(parents=True, exist_ok=True)
                artefacts.atomic_write(file, f"{share:.3f}".encode())
            shares[f"{attribute} told apart, {variant}"] = float(file.read_text())
    return shares


def right_order_share(
    run_folder: RunFolder, split: SplitName, ground_truth: GroundTruth, attribute: Attribute, scorer: Ranker
) -> float | None:
    """The share of pairs of one attribute in the right order, of test users who are not sealed.

    Motif and material are tested on new items, where only content can tell, and on shoppers who prefer them.

    Args:
        run_folder: The run.
        split: Name of the split.
        ground_truth: The ground truth of the catalogue.
        attribute: The attribute.
        scorer: The model to test.

    Returns:
        The share; None where the catalogue has no such pair.
    """
    test, rng = run_folder.split(split).test, np.random.default_rng(run_folder.recipe.seed)
    test = test.pick(open_rows(test, run_folder.dataset.user_ids, run_folder.recipe.evaluate)[0])
    cold = attribute != "series"
    rows, right, wrong = attribute_pairs(run_folder.dataset, ground_truth, test, attribute, rng, new=cold)
    if cold:
        leaning = ground_truth.leans_motif[test.user[rows]] == (attribute == "motif")
        rows, right, wrong = rows[leaning], right[leaning], wrong[leaning]
    if not len(rows):
        return None
    sample = rng.permutation(len(rows))[:PAIRS]
    scores = scorer.score(test.pick(rows[sample]), np.stack([right[sample], wrong[sample]], axis=1))
    return float((scores[:, 0] > scores[:, 1]).mean())


def sample_test_rows(run_folder: RunFolder, split: SplitName) -> list[int]:
    """Draw the test users that the report shows in full.

    Args:
        run_folder: The run.
        split: Name of the split.

    Returns:
        `evaluate.shown_users` rows of the test queries, none of a sealed user.
    """
    test = run_folder.split(split).test
    order = np.random.default_rng(run_folder.recipe.seed).permutation(len(test))
    order = order[np.isin(order, open_rows(test, run_folder.dataset.user_ids, run_folder.recipe.evaluate)[0])]
    return np.sort(order[: run_folder.recipe.evaluate.shown_users]).tolist()


def shown_users(run_folder: RunFolder, split: SplitName, rows: Mapping[int, str], count: Count) -> list[UserCard]:
    """Show test users in full: history, recommendations with their reasons, and the target.

    Args:
        run_folder: The run.
        split: Name of the split.
        rows: Row of the test queries to a note on the user.
        count: Counts the users.

    Returns:
        A card for each user.
    """
    if not rows:
        return []
    test = run_folder.split(split).test
    recommender = Recommender(run_folder, split, run_folder.tuned(split, run_folder.served))
    prompts, code_of = recommender.prompts, run_folder.dataset.item_code
    cards: list[UserCard] = []
    for number, (row, note) in enumerate(rows.items()):
        query = test.pick(np.array([row]))
        (context,) = recommender.retrieval.gather(query, query.target[:, None], prompts.settings)
        similar = [word for code in context.similar for word in prompts.shown_keywords(code)]
        answers = recommender.answer(query, RECOMMENDED)
        cards.append(
            UserCard(
                name=f"User {run_folder.dataset.user_ids[int(query.user[0])]}",
                history=[shown_item(run_folder, code) for code in context.history],
                similar=list(dict.fromkeys(similar)),
                recommendations=[
                    shown_item(run_folder, code_of[answer.item_id], answer.probability, answer.because)
                    for answer in answers
                ],
                consumed_next=shown_item(run_folder, int(query.target[0])),
                note=note,
            )
        )
        count(number + 1, len(rows), "users shown")
    return cards


def shown_item(run_folder: RunFolder, code: int, score: float | None = None, because: tuple[str, ...] = ()) -> ItemCard:
    """The card of an item.

    Args:
        run_folder: The run.
        code: Code of the item.
        score: Score of a recommended item.
        because: Reasons of a recommended item.

    Returns:
        The card.
    """
    item, picture = run_folder.dataset.items[code], small_picture(run_folder.dataset, code)
    return ItemCard(item.title, run_folder.keywords.united(code), picture, score, because, item.item_id)
