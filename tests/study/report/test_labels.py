"""Names of rows and tables on the pages."""

import pytest

from mmsrarec.study.report.labels import HEADLINE, PROTOCOLS, of_table, row_label, table_label, union


@pytest.mark.parametrize(
    ("variant", "label"), [("", "mmsrarec"), ("whole", "mmsrarec"), ("without pictures", "mmsrarec, without pictures")]
)
def test_a_row_is_called_by_its_model_and_its_variant(variant: str, label: str) -> None:
    assert row_label({"model": "mmsrarec", "variant": variant}) == label


def test_a_table_is_called_by_its_protocol_and_split() -> None:
    assert table_label("published", "time-cut") == "One among twenty-one, time-cut"
    assert table_label("another", "time-cut") == "another, time-cut"
    assert PROTOCOLS.keys() == HEADLINE.keys()


def test_entries_of_a_table_keep_their_order() -> None:
    entries = [{"protocol": protocol, "split": split} for protocol in ("full", "published") for split in ("a", "b")]
    entries.append({"protocol": "full"})  # a pair of an old report has no split
    assert of_table(entries, "full", "b") == [{"protocol": "full", "split": "b"}]
    assert of_table(entries, "full", "") == [{"protocol": "full"}]
    assert of_table(entries, "none", "b") == []


def test_a_union_of_keys_is_in_the_order_of_first_occurrence() -> None:
    assert union([{"b": 1, "a": 2}, {}, {"c": 3, "a": 4}]) == ["b", "a", "c"]
    assert union([]) == []
