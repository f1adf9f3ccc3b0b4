"""Real data sets come in by their formats, with the counts of their descriptions and an account of every column."""

from pathlib import Path

import pytest
from paths import SHARED_DATA

from mmsrarec.data.importers.formats import format_of
from mmsrarec.data.importers.import_report import Report
from mmsrarec.data.importers.importing import ImportOptions, import_source
from mmsrarec.data.importers.source import ReadOptions

SETS = {
    "amazon-beauty-2014": ("tables", (22_363, 12_101, 198_502)),
    "amazon-games-2018": ("tables", (50_546, 16_859, 452_989)),
    "amazon-office-2018-recent": ("tables", (3_231, 3_317, 22_447)),
    "amazon-toys-2014": ("tables", (19_412, 11_924, 167_597)),
    "ml-latest-small-mm": ("tables", (610, 3_650, 90_274)),
    "microlens-50k-text": ("microlens", (50_000, 19_220, 359_708)),
    "amazon-seq-text/beauty/sequences.txt": ("sequences", (22_363, 12_101, 198_502)),
    "amazon-seq-text/sports/sequences.txt": ("sequences", (35_598, 18_357, 296_337)),
    "amazon-seq-text/toys/sequences.txt": ("sequences", (19_412, 11_924, 167_597)),
    "amazon-seq-text/toys/sequences_rdrec.txt": ("sequences", (19_412, 11_924, 167_597)),
}
"""Place -> its format, and users, items and interactions as its DATASET.md says."""
WITHOUT_IMAGE = {"ml-latest-small-mm": 1_258, "amazon-games-2018": 16_859 - 1_622}
WITHOUT_TITLE = {"amazon-beauty-2014": 7, "amazon-toys-2014": 37}
JOINED = {
    "amazon-beauty-2014": {"brand"},
    "amazon-games-2018": {"brand"},
    "amazon-office-2018-recent": {"brand"},
    "amazon-toys-2014": set[str](),
    "ml-latest-small-mm": {"tags", "image_source", "description_source"},
    "microlens-50k-text": set[str](),
}
"""Columns of items beside the usual ones whose words join the text."""


def imported(name: str, tmp_path: Path) -> Report:
    place = SHARED_DATA / name
    if not place.exists():
        pytest.skip(f"the data set {name} is not here")
    one_format = format_of("auto", str(place))
    assert one_format.name == SETS[name][0]
    source = one_format.read(str(place), ReadOptions())
    return import_source(source, tmp_path / "out", ImportOptions(max_rejects=0), f"import {one_format.name}")


@pytest.mark.parametrize("name", SETS)
def test_a_real_set_comes_in_whole(name: str, tmp_path: Path) -> None:
    report = imported(name, tmp_path)
    assert (report.users, report.items, report.interactions) == SETS[name][1]
    assert report.rejects == 0
    assert all(counts.accounted and counts.read == counts.kept for counts in report.rows.values())
    assert all(use.became or use.note.startswith("not used") for use in report.columns)
    joined = {use.column for use in report.columns if use.note.startswith("joined")}
    assert joined == JOINED.get(name, set())
    if name in WITHOUT_IMAGE:
        assert report.items_without_image == WITHOUT_IMAGE[name]
    if name != "ml-latest-small-mm":
        assert report.times.startswith("steps")
    else:
        assert (report.first_time, report.last_time) == ("1996-03-29", "2018-09-24")
        assert report.tie_share == pytest.approx(0.237, abs=5e-4)
    if name in WITHOUT_TITLE:
        import polars as pl

        titles = pl.read_parquet(tmp_path / "out" / "items.parquet")["title"]
        assert int((titles.fill_null("") == "").sum()) == WITHOUT_TITLE[name]
