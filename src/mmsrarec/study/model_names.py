"""The rows of the comparison by name, those of the language model among them."""

from collections.abc import Collection, Iterable
from pathlib import Path

from mmsrarec.data.folder import core_of
from mmsrarec.errors import RecipeError
from mmsrarec.rankers.registry.registry import (
    GENERATORS,
    candidate_generators,
    is_ranker,
    leak_of,
    made_from_log,
    ranker_class,
    ranker_names,
)
from mmsrarec.recommend.ablations import VARIANTS, sweep_of
from mmsrarec.retrieve.settings import ENCODERS
from mmsrarec.runs.run_folder import MSR

CONTEXT = "context-only"
"""A row of every report with stage 2; published protocol only, for its scores are 0 or 1."""
ENSEMBLE = "ensemble"
"""The candidate generators that validation queries choose, ranking as one without the language model."""
TRAINED = {
    "plain-fine-tuning": "titles",
    "plain-fine-tuning-with-pictures": "titles and pictures",
    "mmsrarec": "whole",
}
"""Row of the language model to its variant of stage 3."""


def needs_stage_2(name: str) -> bool:
    """Whether a row without a tuned language model is made from stage 2."""
    return name == CONTEXT or (is_ranker(name) and not made_from_log(name))


def check_generators(names: Collection[str]) -> None:
    """Raise RecipeError where no row can propose candidates to the language model, or no two form an ensemble."""
    if "mmsrarec" in names and not candidate_generators(names):
        raise RecipeError(f"full ranking needs a generator among evaluate.rows: {', '.join(GENERATORS)}")
    if ENSEMBLE in names and len(candidate_generators(names)) < 2:
        raise RecipeError(f"{ENSEMBLE} needs two generators among evaluate.rows: {', '.join(GENERATORS)}")


def is_ablation(variant: str) -> bool:
    """Whether a variant of stage 3 is an ablation, which is trained beside the rows of the table."""
    return variant not in TRAINED.values() and (variant in VARIANTS or sweep_of(variant) is not None)


def check_rows(names: Iterable[str], n_items: int) -> None:
    """Raise RecipeError for a row that does not exist or cannot be made for so many items."""
    others = (CONTEXT, *TRAINED, MSR, ENSEMBLE)
    for name in names:
        if is_ranker(name):
            ranker_class(name).check_size(n_items)
        elif name not in others:
            raise RecipeError(f'unknown row "{name}": choose from {", ".join((*ranker_names(), *others))}')


def obeys_clock(name: str) -> bool:
    """Whether a row uses at a query only interactions strictly before it."""
    return name in (CONTEXT, *TRAINED, MSR) or (is_ranker(name) and ranker_class(name).needs_time)


def core_note(folder: Path | None) -> list[str]:
    """The report's note on the k-core of the data, empty where the import took none.

    Args:
        folder: The data folder; None for data without one.
    """
    core = None if folder is None else core_of(folder)
    if core is None:
        return []
    return [
        f"The data are the {core[0]},{core[1]} core of the log: users with fewer than {core[0]} interactions and items "
        f"with fewer than {core[1]} were left out. The import took the core of the whole log before the split, so it "
        "looked at what is to be predicted."
    ]


def notes(names: Collection[str], fitted_on: str) -> list[str]:
    """The report's notes on its rows.

    Args:
        names: The rows.
        fitted_on: `evaluate.fitted_on` of the recipe.

    Returns:
        A note each.
    """
    clocked = [name for name in names if obeys_clock(name)]
    others = [name for name in names if name not in (*clocked, "random")]
    sentences: list[str] = []
    if clocked:
        sentences.append(
            "Rows that obey the clock, which are shown only what others did strictly before the query: "
            f"{', '.join(clocked)}. Weights that were trained, such as those of the encoder that looks for neighbours, "
            "come from all training events."
        )
    if others:
        sentences.append(
            f"Rows trained on all training events, later ones of other users included, as is usual, which favours "
            f"them: {', '.join(others)}."
        )
    sentences += [
        f"{name} is no recommender: its profiles are made of the target too, in training and at the query, as those of "
        f"published figures were. What it has above {clean} is what that leak is worth."
        for name in names
        if (clean := leak_of(name))
    ]
    if fitted_on != "train":
        fitted = [name for name in names if made_from_log(name) or name in ENCODERS]
        sentences.append(f"Rows fitted on the validation events as well: {', '.join(fitted)}.")
    if CONTEXT in names:
        sentences.append(
            f"{CONTEXT} scores 1 for an item among the collaborative items that a prompt shows, 0 for others: what "
            "copying the context is worth. What a language model with stage 2 adds is above it."
        )
    if MSR in names:
        sentences.append(
            f"{MSR} writes a preference from the history in several calls, then asks one prompt per candidate; it is "
            "tuned on as many queries and candidates as MMSRARec, on yes or no."
        )
    if "mmsrarec" in names:
        sentences.append(
            "Full ranking by the language model is re-ranking of what a cheap generator, or several together, "
            "proposed. It was chosen on validation users, by how often the target is among its proposals, and stands "
            "in the table by itself. Fused rows weigh the language model's log-odds against what the generators say, "
            "by weights learned on validation users; where those say that it adds nothing, it is left out, and the row "
            "costs no tokens."
        )
    return sentences
