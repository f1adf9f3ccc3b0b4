"""MovieLens: five layouts, two encodings, titles with years, articles and brackets."""

from pathlib import Path

import pytest
from source_layouts import movielens_1m, movielens_10m, movielens_20m, movielens_100k, write_lines
from source_tables import faults, opened, records, values

from mmsrarec.data.importers.formats import format_by_name
from mmsrarec.data.importers.source import ReadOptions
from mmsrarec.data.importers.sources.movielens import split_title
from mmsrarec.errors import DataError

RATING = ("userId", "movieId", "rating", "timestamp")


def test_100k_reads_latin_1_and_genre_flags(tmp_path: Path) -> None:
    source = opened("movielens", movielens_100k(tmp_path))
    assert values(source.interactions, *RATING)[0] == ("196", "242", "3", "881250949")
    assert values(source.items, "movieId", "title", "year", "genres") == [
        ("242", "Kolya", "1996", ["Comedy", "Western"]),
        ("302", "Les Misérables", "1995", ["Comedy", "Western"]),
        ("267", "unknown", "", []),
        ("30", "Shanghai Triad (Yao a yao yao dao waipo qiao)", "1995", []),
    ]
    assert source.time == "seconds"
    assert any("u.user is not read" in note for note in source.notes)


def test_1m_is_parted_by_two_colons_and_a_title_may_hold_one(tmp_path: Path) -> None:
    source = opened("movielens", movielens_1m(tmp_path))
    assert values(source.interactions, *RATING)[1] == ("1", "661", "3", "978302109")
    assert values(source.items, "title", "year", "genres") == [
        ("The City of Lost Children (Cité des enfants perdus, La)", "1995", ["Adventure", "Sci-Fi"]),
        ("Star Wars: Episode IV - A New Hope", "1977", ["Drama"]),
        ("Fair Game", "", ["Action"]),
    ]


def test_10m_is_utf_8_and_has_half_stars(tmp_path: Path) -> None:
    movielens_10m(tmp_path)
    write_lines(tmp_path / "movies.dat", "122::Amélie (2001)::Comedy")
    source = opened("movielens", tmp_path)
    assert [row["rating"] for row in records(source.interactions)] == ["5", "3.5", "0.5"]
    assert values(source.items, "title", "year") == [("Amélie", "2001")]
    assert any(note.startswith("tags.dat is not read: users write tags") for note in source.notes)


def test_20m_reads_quoted_titles_and_films_without_genres(tmp_path: Path) -> None:
    source = opened("movielens", movielens_20m(tmp_path))
    films = values(source.items, "movieId", "title", "year", "genres")
    assert films[1][1:] == ("The City of Lost Children (Cité des enfants perdus, La)", "1995", ["Adventure", "Drama"])
    assert films[2][1:] == ("Death Note: Desu nôto", "2006", [])
    assert films[5] == ("171752", "Hyena Road", "", [])
    assert [name for _, name, *_ in films].count("Emma") == 2  # titles are not unique
    assert {path.name for path in source.files} == {"ratings.csv", "movies.csv"}


def test_the_named_file_of_ratings_is_read_with_the_films_beside_it(tmp_path: Path) -> None:
    movielens_20m(tmp_path)
    write_lines(tmp_path / "my_ratings.csv", "userId,movieId,rating,timestamp", "9,2,1.0,974820889")
    source = opened("movielens", tmp_path / "ratings.csv")
    assert len(records(source.interactions)) == 4
    chosen = format_by_name("movielens").read(str(tmp_path / "my_ratings.csv"), ReadOptions())
    assert values(chosen.interactions, "userId") == [("9",)]
    assert len(records(chosen.items)) == 6


def test_pictures_are_named_by_film(tmp_path: Path) -> None:
    movielens_20m(tmp_path)
    (tmp_path / "posters").mkdir()
    (tmp_path / "posters" / "29.jpg").touch()
    source = opened("movielens", tmp_path, pictures=tmp_path / "posters")
    assert values(source.items, "movieId", "image")[:2] == [("2", None), ("29", "29.jpg")]


def test_a_packed_file_is_found_and_a_bad_line_is_set_aside(tmp_path: Path) -> None:
    write_lines(tmp_path / "ratings.dat.gz", "1::122::5::838985046", "1::122::5", "2::122::4::838985047")
    write_lines(tmp_path / "movies.dat", "122::Boomerang (1992)::Comedy")
    source = opened("movielens", tmp_path)
    assert len(records(source.interactions)) == 2
    assert faults(source.interactions) == [(2, "3 fields where the header has 4")]


def test_without_films_the_items_have_no_titles_and_that_is_said(tmp_path: Path) -> None:
    write_lines(tmp_path / "u.data", "196\t242\t3\t881250949")
    source = opened("movielens", tmp_path)
    assert source.items is None
    assert "There is no file of films beside u.data: the items have no titles." in source.notes


def test_a_folder_of_something_else_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no u\.data, ratings\.dat or ratings\.csv: name a folder of MovieLens"):
        format_by_name("movielens").read(str(tmp_path), ReadOptions())


@pytest.mark.parametrize(
    ("title", "parts"),
    [
        ("Toy Story (1995)", ("Toy Story", "1995")),
        ("Net, The (1995)", ("The Net", "1995")),
        (
            "Shanghai Triad (Yao a yao yao dao waipo qiao) (1995)",
            ("Shanghai Triad (Yao a yao yao dao waipo qiao)", "1995"),
        ),
        ("Cube²: Hypercube (2002) ", ("Cube²: Hypercube", "2002")),
        ("Babylon 5", ("Babylon 5", "")),
        ("Battleship Potemkin (1925)(restored)", ("Battleship Potemkin (1925)(restored)", "")),
        ("Avventura, L' (Adventure, The) (1960)", ("L'Avventura (Adventure, The)", "1960")),
        ("Big Bang Theory, The (2007-)", ("The Big Bang Theory", "2007")),
        ("Good, the Bad and the Ugly, The (1966)", ("The Good, the Bad and the Ugly", "1966")),
        ("1941 (1979)", ("1941", "1979")),
        ("Anne, mein Schatz (1999)", ("Anne, mein Schatz", "1999")),
        ("", ("", "")),
    ],
)
def test_the_last_brackets_are_the_year_and_the_article_goes_in_front(title: str, parts: tuple[str, str]) -> None:
    assert split_title(title) == parts
