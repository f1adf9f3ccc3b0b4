"""Ids become codes in the order of their appearance, whatever the parts they come in."""

import gc

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsrarec.data.importers.log.id_codes import IdCodes, id_text

words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=4)


@settings(deadline=None)
@given(st.lists(st.lists(words, max_size=8), max_size=5))
def test_codes_last_from_part_to_part(parts: list[list[str]]) -> None:
    """Nothing of an earlier part is alive but what IdCodes keeps."""
    ids, codes = IdCodes("user_id"), []
    gc.freeze()  # what other tests left is not looked at again and again
    for part in parts:
        codes += ids.of(pl.Series(part, dtype=pl.String)).tolist()
        gc.collect()
    gc.unfreeze()
    texts = [text for part in parts for text in part]
    assert len(codes) == len(texts)
    for code, text in zip(codes, texts, strict=True):
        if code >= 0:
            assert ids.names[code] == text
        else:
            assert "user_id" in str(ids.faults[-1 - code])
    real = [text for code, text in zip(codes, texts, strict=True) if code >= 0]
    assert ids.names == list(dict.fromkeys(real))


def test_what_is_no_id_has_its_reason() -> None:
    ids = IdCodes("item_id")
    codes = ids.of(pl.Series(["a", None, "NULL", "a\nb", "a"]))
    assert codes.tolist() == [0, -1, -2, -3, 0]
    reasons, kinds = ids.reasons(codes[1:4])
    assert kinds.to_list() == ["null_items", "null_items", "fault"]
    assert "names nothing" in reasons[1]
    assert "not of one line" in reasons[2]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pl.Series([1, None, 3]), ["1", "", "3"]),
        (pl.Series([1.0, float("nan"), 3.0]), ["1", "", "3"]),
        (pl.Series(["007", None]), ["007", ""]),
        (pl.Series(["a", "b"], dtype=pl.Categorical), ["a", "b"]),
        (pl.Series([None, None]), ["", ""]),
    ],
)
def test_ids_are_text(values: pl.Series, texts: list[str]) -> None:
    text, wrong = id_text(values, "user_id")
    assert (text.to_list(), wrong) == (texts, None)


@pytest.mark.parametrize("values", [pl.Series([1.5, 2.0]), pl.Series([True, False]), pl.Series([[1], [2]])])
def test_other_types_are_faults_of_their_rows(values: pl.Series) -> None:
    ids = IdCodes("user_id")
    codes = ids.of(values)
    assert (codes < 0).all()
    assert "neither text nor a whole number" in ids.reasons(codes)[0][0]
