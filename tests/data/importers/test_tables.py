"""Importing tables with faults in them."""

import hashlib
import json
from pathlib import Path

import pytest
from importing import import_tables, rejects_of
from PIL import Image

from mmsrarec.data.folder import image_sources, load
from mmsrarec.errors import MmsrarecError

ITEMS = [
    {"item_id": "007", "title": "Bond", "year": 1962, "description": "A spy.", "tags": ["secret"], "image": "a.png"},
    {"item_id": "7", "title": "Seven", "categories": ["Film"], "image": "broken.png"},
    {"item_id": "8", "image": "../outside.png"},
]
ROWS = [f"u{i % 5},{('007', '7', '8')[i % 3]},{i % 10 / 2},{1_700_000_000 + i // 2}" for i in range(30)]


def source_of(tmp_path: Path, *more: str | bytes, items: list[str] | None = None, end: bytes = b"\n") -> Path:
    source = tmp_path / "source"
    (source / "images").mkdir(parents=True)
    Image.new("RGB", (8, 8), "red").save(source / "images" / "a.png")
    Image.new("RGB", (8, 8), "red").save(source / "outside.png")
    (source / "images" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    lines = [json.dumps(item) for item in ITEMS] + (items or [])
    (source / "items.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    log = ["user_id,item_id,rating,timestamp", *ROWS, *more]
    data = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in log) + end
    (source / "interactions.csv").write_bytes(data)
    return source


def test_a_clean_import(tmp_path: Path) -> None:
    report = import_tables(source_of(tmp_path), tmp_path / "out", max_rejects=0)
    dataset = load(tmp_path / "out")
    assert (report.items, report.users, report.interactions, report.rejects, report.duplicates) == (3, 5, 30, 0, 0)
    assert len(dataset.interactions) == 30
    assert dataset.items[0].title == "Bond (1962)"
    assert dataset.items[0].text == "A spy. tags: secret"
    assert json.loads((tmp_path / "out" / "import.json").read_text()) == report.to_dict()


def test_what_users_wrote_is_left_out_where_that_is_said(tmp_path: Path) -> None:
    report = import_tables(source_of(tmp_path), tmp_path / "out", columns={"ignore": ("tags",)})
    assert load(tmp_path / "out").items[0].text == "A spy."
    assert b"secret" not in (tmp_path / "out" / "items.parquet").read_bytes()
    use = next(one for one in report.columns if one.column == "tags")
    assert (use.became, use.note) == ("", "not used: as you said")


def test_a_broken_picture_makes_its_item_text_only(tmp_path: Path) -> None:
    report = import_tables(source_of(tmp_path), tmp_path / "out")
    dataset = load(tmp_path / "out")
    assert [item.image is None for item in dataset.items] == [False, True, True]
    path = dataset.image_path(0)
    assert path is not None
    assert path.read_bytes() == (tmp_path / "source" / "images" / "a.png").read_bytes()
    assert path.stem == hashlib.sha256(path.read_bytes()).hexdigest()
    assert set(report.broken_images) == {"7", "8"}
    assert "outside" in report.broken_images["8"]
    assert report.items_without_image == 2
    assert report.items_without_text == 2
    assert [one for one in (tmp_path / "out" / "images").rglob("*") if one.is_file()] == [path]
    assert image_sources(tmp_path / "out") == {"7": "broken.png", "8": "../outside.png"}


def test_faulty_lines_are_set_aside_with_file_line_and_reason(tmp_path: Path) -> None:
    bad = [
        "u1,7",
        b"u\xff,7,1.0,1700000000",
        "u1,7,nan,1700000000",
        "u1,7,1.0,NaN",
        'u1,"7,1.0,1700000000',
        "u1,7,1.0,17000",
    ]
    source = source_of(tmp_path, *bad, items=['{"item_id": "9", "title": "cut'], end=b"")
    report = import_tables(source, tmp_path / "out", max_rejects=0.3)
    found = rejects_of(tmp_path / "out")
    assert report.rejects == len(found) == 7
    assert report.interactions == 30
    assert [(file, int(line)) for file, line, _ in found[1:]] == [("interactions.csv", 32 + i) for i in range(6)]
    assert found[0][:2] == ("items.jsonl", "4")
    for (_, _, reason), said in zip(found[1:], ["2 fields", "UTF-8", "rating", "NaN", "CSV", "cut short"], strict=True):
        assert said in reason


def test_above_the_stated_share_the_import_fails_and_leaves_nothing(tmp_path: Path) -> None:
    source = source_of(tmp_path, "u1,7")
    with pytest.raises(MmsrarecError, match=r"1 of 31 lines are faulty.*line 32: 2 fields"):
        import_tables(source, tmp_path / "out", max_rejects=0.03)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source"]
    assert import_tables(source, tmp_path / "out", max_rejects=0.04).rejects == 1


def test_exact_duplicates_are_dropped_and_counted_repeats_are_kept(tmp_path: Path) -> None:
    again = "u0,007,0.0,1700009999"  # the same item another time
    report = import_tables(source_of(tmp_path, ROWS[0], ROWS[0], again, items=[json.dumps(ITEMS[0])]), tmp_path / "out")
    assert report.duplicates == 3
    assert report.interactions == 31
    assert report.items == 3


def test_an_item_described_twice_differently_is_set_aside(tmp_path: Path) -> None:
    source = source_of(tmp_path, items=['{"item_id": "7", "title": "Other"}'])
    assert import_tables(source, tmp_path / "out", max_rejects=0.5).rejects == 1
    assert load(tmp_path / "out").items[1].title == "Seven"


def test_an_unknown_item_is_one_line_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(MmsrarecError, match=r"3 interactions name 2 items .*'70', '0007'") as error:
        import_tables(source_of(tmp_path, "u1,70,1,3", "u1,0007,1,4", "u2,70,1,5"), tmp_path / "out", max_rejects=1)
    assert "\n" not in str(error.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source"]


def test_interactions_of_an_item_set_aside_follow_it(tmp_path: Path) -> None:
    source = source_of(tmp_path, "u1,9,1,1700000001", items=['{"item_id": "9", "title": "cut'])
    import_tables(source, tmp_path / "out", max_rejects=0.3)
    assert "item '9' was set aside: items.jsonl, line 4" in rejects_of(tmp_path / "out")[1][2]


def test_an_import_is_repeatable_and_replaces_only_its_own(tmp_path: Path) -> None:
    source = source_of(tmp_path)
    import_tables(source, tmp_path / "out")
    before = {p: p.read_bytes() for p in sorted((tmp_path / "out").rglob("*.*"))}
    import_tables(source, tmp_path / "out")
    assert before == {p: p.read_bytes() for p in sorted((tmp_path / "out").rglob("*.*"))}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("x")
    for out in (tmp_path / "other", source):
        with pytest.raises(MmsrarecError, match=r"choose another|name another"):
            import_tables(source, out)
    assert (tmp_path / "other" / "file").read_text() == "x"


def test_mixed_units_and_missing_parts_are_refused(tmp_path: Path) -> None:
    source = source_of(tmp_path, "u1,7,1,1700000000000")
    with pytest.raises(MmsrarecError, match="1 look like milliseconds"):
        import_tables(source, tmp_path / "out")
    (source / "interactions.csv").write_text("user_id,item_id\n")
    with pytest.raises(MmsrarecError, match="no column for timestamp"):
        import_tables(source, tmp_path / "out")
    (source / "items.jsonl").unlink()
    with pytest.raises(MmsrarecError, match="does not exist"):
        import_tables(source, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source"]


def test_real_tables_with_posters(movielens: Path, tmp_path: Path) -> None:
    report = import_tables(movielens, tmp_path / "out", max_rejects=0)
    assert (report.items, report.users, report.interactions) == (3650, 610, 90_274)
    assert (report.items_without_image, report.items_without_text) == (1258, 45)
    assert not report.broken_images
    assert round(report.tie_share, 3) == 0.237
    dataset = load(tmp_path / "out")
    assert dataset.items[0].title == "Toy Story (1995)"
    assert any(" tags: " in item.text for item in dataset.items)
    assert len(dataset.interactions) == 90_274
    others = ("tags", "image_source", "description_source")
    plain = import_tables(movielens, tmp_path / "plain", columns={"ignore": others}, max_rejects=0)
    assert plain.items_without_text == 71
