"""Rows by name: which exist, what each is made from, and what the report says of them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from importing import import_tables

from mmsrarec.errors import RecipeError
from mmsrarec.rankers.registry.registry import GENERATORS, STAGE_2, made_from_log, ranker_class, ranker_names
from mmsrarec.recommend.ablations import SWEEPS, VARIANTS
from mmsrarec.retrieve.settings import ENCODERS
from mmsrarec.runs.run_folder import MSR
from mmsrarec.study.model_names import (
    CONTEXT,
    ENSEMBLE,
    TRAINED,
    check_generators,
    check_rows,
    core_note,
    is_ablation,
    needs_stage_2,
    notes,
    obeys_clock,
)

ROWS = (*ranker_names(), CONTEXT, *TRAINED, MSR, ENSEMBLE)
some_rows = st.lists(st.sampled_from(ROWS), unique=True)
nouns = st.text("abcdefghij", min_size=1, max_size=6).filter(lambda name: name not in ROWS)


def rows_named(note: str) -> list[str]:
    """The rows that a note lists after its first colon."""
    return note.partition(": ")[2].partition(". ")[0].rstrip(".").split(", ")


@given(some_rows)
def test_every_row_that_exists_is_accepted(names: list[str]) -> None:
    check_rows(names, 100)


@given(some_rows, nouns)
def test_a_row_that_does_not_exist_is_named_beside_all_that_do(names: list[str], wrong: str) -> None:
    with pytest.raises(RecipeError) as error:
        check_rows([*names, wrong], 100)
    message = str(error.value)
    assert message.startswith(f'unknown row "{wrong}": choose from ')
    assert message.partition("choose from ")[2].split(", ") == list(ROWS)


def test_a_variant_of_stage_3_is_no_row() -> None:
    for variant in ("whole", "titles", "without pictures"):
        with pytest.raises(RecipeError, match="unknown row"):
            check_rows([variant], 100)


@given(some_rows.filter(lambda names: ENSEMBLE not in names))
def test_full_ranking_needs_a_generator_only_where_the_language_model_is_a_row(names: list[str]) -> None:
    if "mmsrarec" in names and not set(names) & set(GENERATORS):
        with pytest.raises(RecipeError, match=r"needs a generator among evaluate\.rows") as error:
            check_generators(names)
        assert str(error.value).partition("rows: ")[2].split(", ") == list(GENERATORS)
    else:
        check_generators(names)


@given(st.sampled_from(ROWS))
def test_no_row_is_made_both_from_the_log_alone_and_from_stage_2(name: str) -> None:
    assert needs_stage_2(name) == (name in (*STAGE_2, CONTEXT))
    assert not (needs_stage_2(name) and made_from_log(name))


@pytest.mark.parametrize("name", ["", "nobody", "whole", MSR, *TRAINED])
def test_rows_of_tuned_language_models_are_no_rows_of_stage_2(name: str) -> None:
    assert not needs_stage_2(name)


@given(st.sampled_from(ranker_names()))
def test_a_ranker_obeys_the_clock_where_its_class_needs_the_time(name: str) -> None:
    assert obeys_clock(name) == ranker_class(name).needs_time


@pytest.mark.parametrize("name", [CONTEXT, MSR, *TRAINED])
def test_rows_that_read_a_prompt_obey_the_clock(name: str) -> None:
    assert obeys_clock(name)


def test_a_row_that_does_not_exist_obeys_no_clock() -> None:
    assert not obeys_clock("nobody")


@given(st.sampled_from([*VARIANTS]))
def test_a_variant_belongs_to_a_row_or_is_an_ablation(variant: str) -> None:
    assert is_ablation(variant) != (variant in TRAINED.values())


@given(st.sampled_from([*SWEEPS]), st.integers(1, 99))
def test_every_point_of_a_sweep_is_an_ablation(setting: str, value: int) -> None:
    assert is_ablation(f"{setting} {value}")


@pytest.mark.parametrize("name", ["", "k", "k 0", "k 100", "k 5.0", "history -1", "epochs 3", "ensemble", "fused"])
def test_what_is_no_variant_is_no_ablation(name: str) -> None:
    assert not is_ablation(name)


@given(some_rows)
def test_every_row_but_the_random_one_is_in_exactly_one_note_on_the_clock(names: list[str]) -> None:
    about_clock = [note for note in notes(names, "train") if note.startswith(("Rows that obey", "Rows trained on"))]
    named = [name for note in about_clock for name in rows_named(note)]
    assert sorted(named) == sorted({*names} - {"random"})
    obedient = [name for name in names if obeys_clock(name)]
    assert not obedient or rows_named(about_clock[0]) == obedient


@given(some_rows)
def test_one_note_more_where_rows_are_fitted_on_the_validation_interactions(names: list[str]) -> None:
    usual, more = notes(names, "train"), notes(names, "train+validation")
    (extra,) = [note for note in more if note not in usual]
    assert [note for note in more if note != extra] == usual
    fitted = [name for name in names if made_from_log(name) or name in ENCODERS]
    assert rows_named(extra) == (fitted or [""])


@pytest.mark.parametrize(
    ("name", "start"), [(CONTEXT, "context-only scores 1"), (MSR, f"{MSR} writes"), ("mmsrarec", "Full ranking by")]
)
@given(others=some_rows)
def test_some_rows_are_explained_where_they_are_in_the_table(name: str, start: str, others: list[str]) -> None:
    without = [other for other in others if other != name]
    assert not any(note.startswith(start) for note in notes(without, "train"))
    assert sum(note.startswith(start) for note in notes([*without, name], "train")) == 1


def test_nothing_is_said_of_no_rows() -> None:
    assert notes([], "train") == []
    assert notes(["random"], "train") == []


def test_the_report_says_that_a_core_was_taken_before_the_split(tmp_path: Path) -> None:
    lines = [f"{user},{item},{1_500_000_000 + n}" for n, (user, item) in enumerate(["xa", "xb", "ya", "yb", "zd"])]
    (tmp_path / "interactions.csv").write_text("\n".join(["user_id,item_id,timestamp", *lines]) + "\n")
    import_tables(tmp_path / "interactions.csv", tmp_path / "core", core=(2, 2))
    import_tables(tmp_path / "interactions.csv", tmp_path / "all")
    (note,) = core_note(tmp_path / "core")
    assert note.startswith("The data are the 2,2 core of the log")
    assert "before the split" in note
    assert core_note(tmp_path / "all") == core_note(tmp_path) == core_note(None) == []


def test_an_ensemble_has_two_generators() -> None:
    with pytest.raises(RecipeError, match="two generators"):
        check_generators(["popularity", "ease", ENSEMBLE])
    check_generators(["als", "ease", ENSEMBLE])
