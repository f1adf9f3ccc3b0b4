"""Every published layout comes in whole: counts, and an account of every row and every column."""

from collections.abc import Callable
from pathlib import Path

import pytest
import source_layouts as layouts

from mmsrarec.data.dataset import Dataset
from mmsrarec.data.importers.formats import BUILT_IN, format_by_name, format_names
from mmsrarec.data.importers.import_report import Report
from mmsrarec.data.importers.importing import ImportOptions, import_place

LAYOUTS: dict[str, tuple[Callable[..., Path], tuple[int, int, int]]] = {
    "movielens 100k": (layouts.movielens_100k, (3, 4, 4)),
    "movielens 1m": (layouts.movielens_1m, (2, 3, 4)),
    "movielens 10m": (layouts.movielens_10m, (2, 2, 3)),
    "movielens 20m": (layouts.movielens_20m, (2, 6, 4)),
    "microlens": (layouts.microlens, (3, 4, 9)),
    "microlens with times": (lambda folder: layouts.microlens(folder, "csv"), (3, 4, 5)),
    "recbole": (layouts.recbole, (2, 3, 3)),
    "mmrec": (layouts.mmrec, (3, 5, 5)),
    "amazon 2014": (layouts.amazon_2014, (2, 2, 3)),
    "amazon 2018": (layouts.amazon_2018, (2, 2, 2)),
    "amazon 2023": (layouts.amazon_2023, (1, 2, 2)),
    "amazon last out": (layouts.amazon_last_out, (1, 3, 3)),
    "hm": (layouts.hm, (2, 3, 4)),
    "kuairec": (layouts.kuairec, (1, 2, 3)),
    "steam": (layouts.steam, (2, 2, 2)),
    "yelp": (layouts.yelp, (1, 2, 2)),
    "goodreads": (layouts.goodreads_dated, (1, 2, 2)),
    "goodreads by number": (layouts.goodreads_numbers, (2, 2, 3)),
    "goodbooks": (layouts.goodbooks, (2, 2, 3)),
}
"""Name -> the function that writes it, and users, items and interactions of the data folder."""
TEXTS = {
    "movielens 1m": ["The City of Lost Children (Cité des enfants perdus, La) (1995)", "Fair Game"],
    "microlens": ["Noodles, fast # food"],
    "recbole": ['12" Kolya (1996)'],
    "amazon 2014": ['WAWO 15 Colour "Palette" & more', "It's a palette. WAWO"],
    "amazon 2018": ["Loud & Clear", "Fast. Safe. Loud 'N Clear. idea village"],
    "amazon 2023": ["Brush", "Soft. Colour: Red. Howard"],
    "hm": ["Atlanta Push Body", "Lace body, soft"],
    "kuairec": ["精神小伙路难走 程哥你狗粮慢点撒"],
    "steam": ["Lost Summoner Kitty (2018)", "specs: Single-player"],
    "yelp": ["St Honore Pastries", "WiFi: free; BusinessParking: street; BikeParking", "city: Philadelphia"],
    "goodreads": ["Selected Poems (2011)", "Poems. publisher: Penguin"],
    "goodbooks": ["The Hunger Games (The Hunger Games, #1) (2008)", "Suzanne Collins"],
}
"""What the first items with words say, cleaned and joined."""
HIDDEN = {
    "amazon 2014": ["also_bought", "3062", "8.99"],
    "amazon 2018": ["2,938,573", "a-box-inner", "getTime"],
    "amazon 2023": ["4.8", "12.99"],
    "steam": ["Strategy", "Mixed", "Free"],
    "goodreads": ["to-read", "89376", "604031"],
    "yelp": ["19107"],
    "goodbooks": ["66715"],
    "hm": ["0663713001"],
}
"""What must not be in the words of any item."""


def imported(name: str, folder: Path) -> tuple[Report, Dataset]:
    write, _ = LAYOUTS[name]
    report = import_place("auto", str(write(folder / "source")), folder / "out", ImportOptions(max_rejects=0.5))
    return report, Dataset.load(folder / "out")


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_comes_in_with_its_counts(name: str, tmp_path: Path) -> None:
    report, dataset = imported(name, tmp_path)
    assert (report.users, report.items, report.interactions) == LAYOUTS[name][1]
    assert (len(dataset.user_ids), len(dataset.items), len(dataset.interactions)) == LAYOUTS[name][1]
    assert report.format == name.split()[0].replace("goodbooks", "goodreads")


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_row_and_every_column_is_accounted_for(name: str, tmp_path: Path) -> None:
    report, _ = imported(name, tmp_path)
    assert all(counts.accounted for counts in report.rows.values())
    assert report.rows["interactions"].read
    assert all(use.became or use.note.startswith("not used") for use in report.columns)
    became = {(use.table, use.became) for use in report.columns}
    assert {("interactions", "user_id"), ("interactions", "item_id")} <= became


@pytest.mark.parametrize("name", TEXTS)
def test_items_say_what_the_source_says_of_them(name: str, tmp_path: Path) -> None:
    _, dataset = imported(name, tmp_path)
    words = "\n".join(f"{item.title}\n{item.text}" for item in dataset.items)
    assert [text for text in TEXTS[name] if text not in words] == []


@pytest.mark.parametrize("name", HIDDEN)
def test_counts_of_the_future_and_codes_are_no_words(name: str, tmp_path: Path) -> None:
    _, dataset = imported(name, tmp_path)
    words = "\n".join(f"{item.title}\n{item.text}\n{item.categories}" for item in dataset.items)
    assert [text for text in HIDDEN[name] if text in words] == []


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_format_says_what_it_reads(name: str) -> None:
    one = format_by_name(name)
    assert one.name == name
    assert name in format_names()
    assert one.summary
    assert len(one.summary) < 100


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("place", ["", "nowhere", "\0", "a" * 300, "https://example.org", "/dev/null"])
def test_no_format_fails_to_say_whether_it_recognises_a_place(name: str, place: str) -> None:
    assert format_by_name(name).recognises(place) in (False, name == "tables")


@pytest.mark.parametrize("name", LAYOUTS)
def test_no_layout_is_taken_for_another(name: str, tmp_path: Path) -> None:
    place = str(LAYOUTS[name][0](tmp_path))
    others = [other for other in BUILT_IN if other != "tables" and format_by_name(other).recognises(place)]
    assert others == [name.split()[0].replace("goodbooks", "goodreads")]
