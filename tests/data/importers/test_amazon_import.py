"""Importing the three editions of Amazon's reviews."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from importing import import_amazon, rejects_of
from PIL import Image

from mmsrarec.cli import commands
from mmsrarec.data.dataset import Item
from mmsrarec.data.folder import load
from mmsrarec.data.importers.import_report import Report
from mmsrarec.errors import MmsrarecError

EVENTS = [("u1", "B01", 30), ("u1", "B02", 10), ("u2", "B02", 20), ("u2", "B01", 21), ("u1", "B02", 10)]
OLD = [
    {"reviewerID": user, "asin": item, "overall": 5.0, "unixReviewTime": 1_300_000_000 + t} for user, item, t in EVENTS
]
NEW = [
    {"user_id": user, "asin": f"{item}-red", "parent_asin": item, "timestamp": 1000 * (1_300_000_000 + t) + 7}
    for user, item, t in EVENTS
]
SOLD_2014 = [
    "{'asin': 'B01', 'title': \"A child's cup\", 'description': 'Holds &lt;b&gt; milk', "
    "'categories': [['Baby', 'Cups']]}",
    "{'asin': 'B99', 'title': 'Never reviewed', 'price': 3.5}",
]
SOLD_2018 = [
    {
        "asin": "B01",
        "title": "A child's cup",
        "description": ["Holds", "<p>milk</p>"],
        "category": ["Baby", "<br>", "Cups"],
    },
    {"asin": "B01", "title": "A child's cup, again"},
]
SOLD_2023 = [
    {
        "parent_asin": "B01",
        "title": "A child's cup",
        "description": [],
        "features": ["Holds milk"],
        "categories": ["Baby", "Cups"],
    }
]


def written(file: Path, rows: list) -> Path:
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    with gzip.open(file, "wt") if file.suffix == ".gz" else file.open("w") as out:
        out.write(text)
    return file


def imported(folder: Path, reviews: list, sold: list, name: str = "reviews_Baby_5.json.gz", **options) -> Report:
    log, products = written(folder / name, reviews), written(folder / f"meta_{name}", sold)
    return import_amazon(log, folder / "out", products, **options)


@pytest.mark.parametrize(
    ("reviews", "sold", "text"),
    [(OLD, SOLD_2014, "Holds milk"), (OLD, SOLD_2018, "Holds milk"), (NEW, SOLD_2023, "Holds milk")],
    ids=["2014", "2018", "2023"],
)
@pytest.mark.parametrize("name", ["reviews_Baby_5.json.gz", "Baby.jsonl"])
def test_every_edition_is_read(reviews: list, sold: list, text: str, name: str, tmp_path: Path) -> None:
    report = imported(tmp_path, reviews, sold, name, max_rejects=0)
    dataset = load(tmp_path / "out")
    assert (report.items, report.users, report.interactions, report.rejects) == (2, 2, 4, 0)
    assert dataset.items == (Item("B01", "A child's cup", text, ("Baby", "Cups")), Item("B02"))
    taken = [
        [dataset.items[i].item_id for i in dataset.interactions.items_of(dataset.user_code[u])] for u in ("u1", "u2")
    ]
    assert taken == [["B02", "B01"], ["B02", "B01"]]
    assert sorted(dataset.interactions.time - 1_300_000_000) == [10, 20, 21, 30]


def test_the_core_is_taken_before_products_are_read(tmp_path: Path) -> None:
    once = {"reviewerID": "u3", "asin": "B77", "unixReviewTime": 1_300_000_000}
    assert imported(tmp_path, [*OLD, once], [*SOLD_2014, "{'asin': 'B77', 'title': 'Thin'}"], core=(2, 2)).items == 2
    assert [item.item_id for item in load(tmp_path / "out").items] == ["B01", "B02"]


def test_pictures_are_taken_where_they_open(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.new("RGB", (8, 8), "red").save(pictures / "B01.jpg")
    (pictures / "B02.png").write_bytes(b"no picture")
    (tmp_path / "secret.jpg").write_bytes((pictures / "B01.jpg").read_bytes())
    (pictures / "B03.jpg").symlink_to(tmp_path / "secret.jpg")
    other = {"reviewerID": "u3", "asin": "B03", "unixReviewTime": 1_300_000_000}
    report = imported(tmp_path, [*OLD, other], SOLD_2014, pictures=pictures)
    dataset = load(tmp_path / "out")
    assert [item.image is None for item in dataset.items] == [False, True, True]
    assert set(report.broken_images) == {"B02", "B03"}
    files = [path for path in (tmp_path / "out" / "images").rglob("*") if path.is_file()]
    assert files == [dataset.image_path(0)]
    assert files[0].read_bytes() == (pictures / "B01.jpg").read_bytes()


BAD = {
    "not JSON": '{"reviewerID": "u1", "asin": ',
    "not an object": '["u1"]',
    "no user": '{"asin": "B01", "unixReviewTime": 5}',
    "no item": '{"reviewerID": "u1", "unixReviewTime": 5}',
    "no time": '{"reviewerID": "u1", "asin": "B01"}',
    "time of letters": '{"reviewerID": "u1", "asin": "B01", "unixReviewTime": "five"}',
    "time in a list": '{"reviewerID": "u1", "asin": "B01", "unixReviewTime": [1300000000]}',
    "time of true": '{"reviewerID": "u1", "asin": "B01", "unixReviewTime": true}',
    "name of lines": '{"reviewerID": "u\\n1", "asin": "B01", "unixReviewTime": 1300000000}',
    "code": "__import__('os').abort()",
    "nested": "[" * 100_000,
    "endless": '{"reviewerID": "' + "u" * (1 << 20) + '"}',
}


@pytest.mark.parametrize("line", BAD.values(), ids=BAD.keys())
def test_faulty_reviews_are_set_aside(line: str, tmp_path: Path) -> None:
    with pytest.raises(MmsrarecError, match="1 of 6 lines are faulty"):
        imported(tmp_path, [*OLD, line], SOLD_2014)
    assert not (tmp_path / "out").exists()
    assert imported(tmp_path, [*OLD, line], SOLD_2014, max_rejects=0.2).rejects == 1
    assert [row[1] for row in rejects_of(tmp_path / "out")] == ["6"]


def test_a_cut_archive_is_said(tmp_path: Path) -> None:
    log = written(tmp_path / "reviews.json.gz", OLD)
    log.write_bytes(log.read_bytes()[:-12])
    with pytest.raises(MmsrarecError, match="fetch it again"):
        import_amazon(log, tmp_path / "out")
    log.write_bytes(b"no archive")
    with pytest.raises(MmsrarecError, match="fetch it again"):
        import_amazon(log, tmp_path / "out")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=60), st.just(json.dumps(OLD[0]).encode())), max_size=6))
def test_any_bytes_are_imported_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name in ("log.json", "sold.json"):
        (folder / name).write_bytes(b"\n".join(lines))
    try:
        import_amazon(folder / "log.json", folder / "out", folder / "sold.json", max_rejects=0.7)
    except MmsrarecError:
        assert not (folder / "out").exists()
    else:
        assert load(folder / "out").items[0].item_id == "B01"


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, sold = written(tmp_path / "reviews.json", OLD), written(tmp_path / "meta.json", SOLD_2014)
    out = ["--out", str(tmp_path / "out")]
    assert commands.call(["import", "amazon", str(log), "--products", str(sold), *out, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["items_without_text"] == 1
    for arguments, words in (
        (["import", "amazon", str(log), "--query", "select 1", *out], "--query does not belong to amazon"),
        (["import", "tables", str(tmp_path), "--items-query", "x", *out], "--items-query does not belong to tables"),
        (["import", "amazon", str(tmp_path / "none"), *out], "holds no reviews"),
        (["import", "amazon", str(log), "--pictures", str(log), *out], "is not a folder"),
        (["import", "netflix", str(log), *out], "unknown format netflix"),
    ):
        assert commands.call(arguments) == 2
        assert words in capsys.readouterr().err
