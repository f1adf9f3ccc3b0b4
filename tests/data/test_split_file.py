"""A split file: which part each user is in, and what is said where the file cannot be used."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.data.split_file import KEPT, check_users, codes_of, read_split_file, save_parts, saved_parts
from mmsrarec.errors import DataError, NotFittedError

PARTS = {"007": "train", "8": "validation", "x": "test"}
TEXTS = {
    "csv": "user_id,part\n007,train\n8,validation\nx,test\n",
    "tsv": "userId\tpart\n007\tTrain\n8\tvalid\nx\ttest\n",
    "jsonl": '{"user_id": "007", "split": "training"}\n{"user_id": 8, "split": "val"}\n'
    '{"user_id": "x", "split": "test"}\n',
}


def written(folder: Path, text: str, ending: str = "csv") -> Path:
    path = folder / f"split.{ending}"
    path.write_text(text)
    return path


def dataset(*users: tuple[str, int]) -> Dataset:
    """Users with so many interactions each."""
    user = np.repeat(np.arange(len(users)), [count for _, count in users])
    items = tuple(Item(str(code)) for code in range(len(user)))
    log = make_interactions(user, np.arange(len(user)), np.arange(len(user)), len(users), len(user))
    return Dataset("shop", items, tuple(name for name, _ in users), log)


@pytest.mark.parametrize("ending", TEXTS)
def test_any_table_says_the_parts(ending: str, tmp_path: Path) -> None:
    assert read_split_file(written(tmp_path, TEXTS[ending], ending)) == PARTS


def test_parquet_says_the_parts(tmp_path: Path) -> None:
    path = tmp_path / "split.parquet"
    pl.DataFrame({"user_id": list(PARTS), "part": list(PARTS.values())}).write_parquet(path)
    assert read_split_file(path) == PARTS
    pl.DataFrame({"user_id": [7, 8], "part": ["train", "test"]}).write_parquet(path)
    assert read_split_file(path) == {"7": "train", "8": "test"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user_id,part\n1,train\n2,later\n", r"line 3: unknown part 'later': write train, validation or test"),
        ("user_id,part\n1,\n", "line 2: unknown part"),
        ("user_id,part\n,train\n", "line 2: user_id is missing"),
        ("user_id,part\n1,train\n1,test\n", "line 3: user '1' is in test, and in train before"),
        ("user_id,fold\n1,train\n", "has no column part; it has user_id, fold"),
        ("who,part\n1,train\n", "has no column user_id; it has who, part"),
        ("user_id,item_id,part\n1,a,train\n", r"names single interactions \(column item_id\).*user_id and part"),
        ("user_id,part\n1,train,9\n", "line 2: "),
        ("", "is empty"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as refused:
        read_split_file(written(tmp_path, text))
    assert "\n" not in str(refused.value)


def test_a_faulty_line_of_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 2: "):
        read_split_file(written(tmp_path, '{"user_id": "1", "part": "train"}\n{"user_id": \n', "jsonl"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        read_split_file(tmp_path / "nowhere.csv")


def test_a_line_may_say_again_what_was_said(tmp_path: Path) -> None:
    assert read_split_file(written(tmp_path, "user_id,part\n1,train\n1,train\n")) == {"1": "train"}


def test_what_the_file_does_not_mention_is_counted() -> None:
    data = dataset(("a", 3), ("b", 2), ("c", 1), ("d", 4), ("e", 5))
    said = check_users(Path("s.csv"), {"a": "train", "b": "validation", "c": "test"}, data)
    assert "1 users in train, 1 users in validation, 1 users in test" in said
    assert "1 users of validation and test have one interaction only" in said
    assert "2 users with 9 of 15 interactions are not mentioned" in said
    whole = check_users(Path("s.csv"), dict.fromkeys("abcde", "train"), data)  # type: ignore[arg-type]
    assert "not mentioned" not in whole


def test_an_unknown_user_is_named() -> None:
    with pytest.raises(DataError, match=r"s\.csv: user 'z' \(and 1 more\) has no interaction in shop"):
        check_users(Path("s.csv"), {"a": "train", "z": "test", "y": "test"}, dataset(("a", 2)))


def test_codes_stand_in_the_order_of_the_users() -> None:
    data = dataset(("x", 1), ("new", 1), ("8", 1), ("007", 1))
    assert codes_of(PARTS, data).tolist() == [2, -1, 1, 0]  # type: ignore[arg-type]


def test_a_run_keeps_what_the_file_said(tmp_path: Path) -> None:
    assert saved_parts(tmp_path) is None
    save_parts(PARTS, tmp_path)  # type: ignore[arg-type]
    assert saved_parts(tmp_path) == PARTS
    (tmp_path / KEPT).write_text("{")
    with pytest.raises(NotFittedError, match="make the run anew"):
        saved_parts(tmp_path)
