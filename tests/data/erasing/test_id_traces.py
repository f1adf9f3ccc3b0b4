"""An id is found where it stands, and not where other numbers stand."""

from pathlib import Path

import polars as pl
import pytest

from mmsrarec.data.erasing.id_traces import STRUCK, files_holding, is_distinct, pattern, struck_out


@pytest.mark.parametrize(
    ("user", "text", "found"),
    [
        ("u0021", "User u0021 had a mug", True),
        ("u0021", "u00210 and xu0021 and u0021-b", False),
        ("7", "7 items, 17 users, rank 7", False),
        ("7", "the user '7' has 900 interactions", True),
        ("7", "User 7", True),
        ("7", "User 77", False),
        ("a&b c", "<td>a&amp;b c</td>", True),
        ("ünicode", '{"user": "\\u00fcnicode"}', True),
        ("a.*b", "aXXb", False),
        ("12345678", "id 12345678", True),
    ],
)
def test_an_id_in_a_text(user: str, text: str, found: bool) -> None:
    assert bool(pattern(user).search(text)) == found


def test_what_is_hardly_anything_else() -> None:
    assert [is_distinct(user) for user in ("7", "abc", "1234567", "u007", "12345678")] == [
        False,
        False,
        False,
        True,
        True,
    ]


def test_an_id_is_struck_out_of_values_and_nothing_else_is() -> None:
    content = {"notes": ["the user 'u0021' is odd", "fine"], "u0021": {"n": 3}, "ids": ["u0021", "u0022"], "n": 21}
    struck = {"notes": [f"the user '{STRUCK}' is odd", "fine"], STRUCK: {"n": 3}, "ids": [STRUCK, "u0022"], "n": 21}
    assert struck_out(content, "u0021") == struck
    assert struck_out({"items": ["7", 7], "note": "user 7"}, "7") == {"items": ["7", 7], "note": f"user {STRUCK}"}


def test_files_that_hold_an_id(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    pl.DataFrame({"user_id": ["u0021"], "item_id": ["x"]}).write_parquet(tmp_path / "log.parquet")
    pl.DataFrame({"user": [0]}).write_parquet(tmp_path / "deep" / "meta.parquet", metadata={"users": '["u0021"]'})
    pl.DataFrame({"item_id": ["u0021"]}).write_parquet(tmp_path / "items.parquet")
    (tmp_path / "deep" / "report.html").write_text("<h2>User u0021</h2>")
    (tmp_path / "other.json").write_text('{"user": "u0022"}')
    (tmp_path / "w.safetensors").write_bytes(b"u0021")
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1")
    (tmp_path / "kept.sqlite").write_bytes(b"\0u0021\0")
    names = [path.relative_to(tmp_path).as_posix() for path in files_holding(tmp_path, "u0021")]
    assert names == ["deep/meta.parquet", "deep/report.html", "kept.sqlite", "log.parquet"]
    assert list(files_holding(tmp_path, "nobody")) == []


def test_a_short_id_in_a_column_of_users(tmp_path: Path) -> None:
    pl.DataFrame({"user_id": [7, 8], "item_id": ["1", "2"]}).write_parquet(tmp_path / "log.parquet")
    assert len(list(files_holding(tmp_path, "7"))) == 1
    assert list(files_holding(tmp_path, "2")) == []
