"""Which column holds what: the user first, then the format, then usual names."""

from pathlib import Path

import pytest

from mmsrarec.data.importers.column_names import INTERACTION_NAMES, ITEM_NAMES, folded
from mmsrarec.data.importers.columns import check_named, map_columns, needed, parse_map, read_map
from mmsrarec.errors import DataError


@pytest.mark.parametrize("table", [INTERACTION_NAMES, ITEM_NAMES])
def test_usual_names_are_folded_and_mean_one_field(table: dict[str, tuple[str, ...]]) -> None:
    names = [name for usual in table.values() for name in usual]
    assert [name for name in names if folded(name) != name] == []
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "name", ["userId", "USER_ID", "user id", " User-ID ", "user_id:token", "userid", "user.id", "Ｕｓｅｒ＿ｉｄ"]
)
def test_case_and_signs_do_not_matter(name: str) -> None:
    expected = "userid" if name.isascii() else folded(name)
    assert folded(name) == expected


def test_the_user_wins_then_the_format_then_the_name() -> None:
    columns = ["who", "user_id", "visitor", "item", "time"]
    by_name = map_columns("interactions", columns, {}, {}, {})
    assert (by_name.fields["user_id"], by_name.sources["user_id"]) == (("user_id",), "usual name")
    by_format = map_columns("interactions", columns, {}, {"user_id": "visitor"}, {})
    assert (by_format.fields["user_id"], by_format.sources["user_id"]) == (("visitor",), "format")
    by_user = map_columns("interactions", columns, {"user_id": ("who",)}, {"user_id": "visitor"}, {})
    assert (by_user.fields["user_id"], by_user.sources["user_id"]) == (("who",), "--map")
    assert by_user.others == ()
    assert set(by_user.ignored) == {"user_id", "visitor"}  # they could be it too, and the table says so


def test_a_key_of_one_table_is_for_that_table() -> None:
    said = {"items.item_id": ("sku",), "item_id": ("thing",)}
    items = map_columns("items", ["sku", "thing", "name"], said, {}, {})
    log = map_columns("interactions", ["user", "thing", "sku", "time"], said, {}, {})
    assert (items.column("item_id"), log.column("item_id")) == ("sku", "thing")


def test_columns_that_are_joined_or_left_out() -> None:
    said = parse_map("text=body_html+brand, title=name,ignore=tags+views")
    items = map_columns("items", ["id", "name", "Body_HTML", "brand", "tags", "views", "vendor"], said, {}, {})
    assert items.fields["text"] == ("Body_HTML", "brand")
    assert items.ignored == {"tags": "as you said", "views": "as you said"}
    assert items.others == ("vendor",)


def test_a_format_may_name_columns_that_an_edition_lacks() -> None:
    items = map_columns("items", ["asin", "description"], {}, {"text": "features+description", "image": "none"}, {})
    assert items.fields["text"] == ("description",)
    assert "image" not in items.fields


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("item_id", "expected FIELD=COLUMN"),
        ("item_id=", "expected FIELD=COLUMN"),
        ("colour=c", "unknown field 'colour'"),
        ("items.rating=c", "unknown field 'items.rating'"),
        ("shop.item_id=c", "unknown field"),
        ("item_id=a,item=b", "item_id stands twice"),
    ],
)
def test_a_wrong_mapping_is_one_line(text: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        parse_map(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"user_id": ("nobody",)}, "no column 'nobody'; it has u, item, time"),
        ({"user_id": ("u", "item")}, r"one column holds it, not u \+ item"),
    ],
)
def test_a_mapping_that_does_not_fit_names_the_columns(said: dict[str, tuple[str, ...]], words: str) -> None:
    with pytest.raises(DataError, match=words):
        map_columns("interactions", ["u", "item", "time"], said, {}, {})


def test_a_column_that_neither_table_has_is_named() -> None:
    maps = [map_columns("items", ["id"], {}, {}, {}), map_columns("interactions", ["user", "item", "time"], {}, {}, {})]
    with pytest.raises(DataError, match="no column 'sku' for item_id: items has id; interactions has user, item, time"):
        check_named({"item_id": ("sku",)}, maps)
    check_named({"item_id": ("ITEM",)}, maps)


def test_what_is_needed_and_missing_is_said_with_what_is_there() -> None:
    columns = map_columns("interactions", ["a\x1b", "item", "time"], {}, {}, {}, file="log.csv")
    with pytest.raises(DataError, match=r"interactions \(log.csv\): no column for user_id .* it has a.?, item, time"):
        needed(columns, ["user_id"])


def test_a_mapping_file_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text('item_id = "sku"\n[items]\ntext = ["body, html", "brand"]\n[interactions]\nuser = "who"\n')
    assert read_map(path) == {
        "item_id": ("sku",),
        "items.text": ("body, html", "brand"),
        "interactions.user_id": ("who",),
    }
    for content, words in (
        ("item_id = 3", "must be the name of a column"),
        ("[items]\ncolour = 'c'", "unknown field 'items.colour'"),
        ("item_id = ", "is no TOML file"),
    ):
        path.write_text(content)
        with pytest.raises(DataError, match=words):
            read_map(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_map(tmp_path / "none.toml")


def test_one_column_cannot_be_two_ids() -> None:
    user_map = {"user_id": ("who",), "item_id": ("who",), "timestamp": ("when",)}
    with pytest.raises(DataError, match=r"'who' cannot be user_id and item_id at once"):
        map_columns("interactions", ["who", "when"], user_map, {}, {})


def test_a_second_column_of_a_usual_name_is_left_out_with_a_reason() -> None:
    columns = ["user_id", "item_id", "asin", "timestamp", "created_at"]
    found = map_columns("interactions", columns, {}, {}, {})
    assert found.ignored["asin"] == "could be item_id too, which item_id holds"
    assert found.ignored["created_at"] == "could be timestamp too, which timestamp holds"


def test_a_table_of_one_column_is_told_of_the_separator() -> None:
    found = map_columns("interactions", ["user_id^item_id^timestamp"], {}, {}, {})
    with pytest.raises(DataError, match="--separator"):
        needed(found, ("user_id",))
