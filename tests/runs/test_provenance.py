"""A run answers by the settings that made its parts, whatever recipe.toml says, or says that they do not fit."""

import threading
from pathlib import Path

import pytest
from finished import done, go, report_of

from mmsrarec.core import artefacts
from mmsrarec.errors import MmsrarecError
from mmsrarec.runs.provenance import difference_text, differing, read_provenance
from mmsrarec.runs.recommender import Recommender

ASKED = ["001", "005", "010", "020"]


def scores(folder: Path) -> dict[str, float]:
    recommender = Recommender.load(folder / "run")
    return recommender.score(ASKED, user=recommender.dataset.user_ids[3])


@pytest.mark.parametrize(
    "change",
    [
        ("recommend.item_keywords=1", "recommend.history=1", "recommend.prompt_fields.popularity=false"),
        ("seed=5",),
        ("retrieve.k=1", "retrieve.n_vote_neighbours=3"),
        ("model.dtype=bfloat16",),
    ],
)
def test_a_call_that_made_nothing_changes_no_answer(mine: Path, change: tuple[str, ...]) -> None:
    """recipe.toml as another call would have left it: its ranker was never trained."""
    before, recipe = scores(mine), mine / "run" / "recipe.toml"
    from finished import recipe_in

    from mmsrarec.runs.recipe import to_toml

    recipe.write_text(to_toml(recipe_in(mine, *change)))
    recommender = Recommender.load(mine / "run")
    assert recommender.score(ASKED, user=recommender.dataset.user_ids[3]) == before
    dotted, _, _ = change[0].partition("=")
    (note,) = recommender.notes
    assert dotted in note
    assert "recommend/leave-one-out/whole" in note
    assert "recipe.toml" in note


def test_a_stopped_run_leaves_the_finished_one_as_it_was(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = scores(mine)

    def die(*args: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mmsrarec.recommend.training.fine_tuning.tune", die)
    with pytest.raises(KeyboardInterrupt):
        go(mine, "recommend.item_keywords=1", "recommend.learning_rate=0.01")
    monkeypatch.undo()
    assert scores(mine) == before
    assert not Recommender.load(mine / "run").notes


def test_a_part_made_again_since_does_not_fit_and_both_sides_are_named(mine: Path) -> None:
    assert "summarize" in done(go(mine, "summarize.max_keywords_text=3", stages=("summarize",))[1])
    with pytest.raises(MmsrarecError) as error:
        Recommender.load(mine / "run")
    message = str(error.value)
    assert "summarize was made again after recommend/leave-one-out/whole" in message
    assert "summarize.max_keywords_text is" in message
    assert "3 in summarize" in message
    assert "mmsrarec run" in message
    go(mine, "summarize.max_keywords_text=3")
    assert scores(mine)


def test_another_first_split_is_checked_and_served_by_its_own_models(mine: Path) -> None:
    rows = "evaluate.rows=['popularity', 'sasrec', 'mmsrarec']"
    other = (rows, "evaluate.splits=['user-8-1-1', 'leave-one-out']")
    go(mine, *other)
    assert report_of(mine)["served"]["fitted_on"].startswith("user-8-1-1")
    recommender = Recommender.load(mine / "run")
    assert recommender.split == recommender.run_folder.chosen_on == "user-8-1-1"
    go(mine, *other, "retrieve.embedding_size=8", stages=("retrieve",))
    go(mine, *other, stages=("summarize",))
    with pytest.raises(
        MmsrarecError, match=r"retrieve/user-8-1-1 was made again.*retrieve\.embedding_size is 16 .* and 8 in"
    ):
        Recommender.load(mine / "run")


def test_an_encoder_trained_again_does_not_fit(mine: Path) -> None:
    go(mine, "retrieve.learning_rate=0.01", stages=("retrieve",))
    with pytest.raises(MmsrarecError, match=r"retrieve/leave-one-out was made again.*retrieve\.learning_rate is"):
        Recommender.load(mine / "run")


def test_a_run_that_was_never_finished_has_no_recipe_and_says_what_to_do(tmp_path: Path, finished: Path) -> None:
    with pytest.raises(MmsrarecError, match="is not a run: make one with mmsrarec run RECIPE --out"):
        read_provenance(tmp_path / "nothing")


def test_two_calls_do_not_work_in_one_folder(mine: Path) -> None:
    """Another process holds the folder: here a thread of it would be let in, so the lock file is held by hand."""
    from filelock import FileLock

    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with FileLock(mine / "run" / ".lock", thread_local=False):
            entered.set()
            leave.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(10)
    before = (mine / "run" / "recipe.toml").read_bytes()
    try:
        with pytest.raises(MmsrarecError, match="another process is working in"):
            go(mine, "recommend.learning_rate=0.5")
    finally:
        leave.set()
        holder.join()
    assert (mine / "run" / "recipe.toml").read_bytes() == before


def test_differences_are_of_what_makes_parts() -> None:
    mine = {"name": "a", "data": "x", "seed": 0, "model": {"dtype": "auto"}, "runtime": {"device": "cpu"}}
    other = {"name": "b", "data": "y", "seed": 1, "model": {"dtype": "float32"}, "runtime": {"device": "cuda"}}
    found = differing(mine, other)
    assert found == {"seed": (0, 1), "model.dtype": ("auto", "float32")}
    assert (
        difference_text(found, "this", "that") == "seed is 0 in this and 1 in that; model.dtype is 'auto' in this and "
        "'float32' in that"
    )
    assert difference_text(dict.fromkeys("abcde", (1, 2)), "x", "y").endswith("; and 2 more")


def test_how_a_part_was_made_is_told_from_what_it_was_made_of(tmp_path: Path) -> None:
    with artefacts.writing(tmp_path / "a", kind="a", key="k1"):
        pass
    with artefacts.writing(tmp_path / "b", kind="b", key="k2", inputs={artefacts.MADE_BY: "how"}):
        pass
    assert artefacts.identity(tmp_path / "a") == "k1"
    assert artefacts.identity(tmp_path / "b") == "how"
