"""MovieLens in all its editions: 100k (u.data), 1M and 10M (ratings.dat), 20M to 32M and latest (ratings.csv).

A title of 20M reads "City of Lost Children, The (Cité des enfants perdus, La) (1995)": only the last brackets are the
year, and the article belongs in front of the first title.
"""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mmsrarec.data.importers.places import files_near, find_file, has_file, not_read, pictures_by_stem
from mmsrarec.data.importers.rewriting import with_changed_rows
from mmsrarec.data.importers.source import Batches, Format, ReadOptions, Record, Records, Source
from mmsrarec.data.reading.delimited import read_delimited
from mmsrarec.data.reading.files import Lines
from mmsrarec.errors import DataError

RATING_COLUMNS = ("userId", "movieId", "rating", "timestamp")
GENRES = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]
FLAGS = tuple(f"genre_{number}" for number in range(len(GENRES)))
FILM_COLUMNS = ("movieId", "title", "release_date", "video_release_date", "IMDb_URL", *FLAGS)
NO_GENRES = "(no genres listed)"
YEAR = re.compile(r"(.*?)\s*\(\s*(\d{4})(?:\s*[-\u2013]\s*(?:\d{4})?)?\s*\)\s*")
ARTICLE = re.compile(
    r"(.+), (The|A|An|Le|La|Les|L'|Un|Une|Il|Lo|Gli|I|El|Los|Las|Der|Die|Das|Ein|Eine|De|Het|Den|Det)((?: \(.*)?)"
)
NOT_READ = {
    r"tags\.(csv|dat)": "users write tags, so a tag may give away what is to be predicted",
    r"links\.csv": "it holds the numbers of IMDb and TMDB, no words",
    r"(u\.user|users\.dat)": "age, sex and occupation of users are not used",
    r"genome-.*\.csv": "it is computed from tags of the whole time, which give away the future",
}
NOTES = (
    "Ratings of one user often share their second; the order within it is that of the file.",
    "A rating says that somebody knows a film, and not when it was seen.",
)


def read(place: str, options: ReadOptions) -> Source:
    """Open a folder of MovieLens, or its file of ratings."""
    files = files_near(place)
    ratings, films = _log(files), options.items or find_file(files, r"(u\.item|movies\.(dat|csv))")
    if ratings is None:
        raise DataError(f"{place} holds no u.data, ratings.dat or ratings.csv: name a folder of MovieLens")
    pictures = pictures_by_stem(options.pictures)
    items = None if films is None else _films(films, options.encoding, pictures)
    missing = () if films else (f"There is no file of films beside {ratings.name}: the items have no titles.",)
    return Source(
        name=ratings.parent.resolve().name,
        interactions=_ratings(ratings),
        items=items,
        pictures=options.pictures,
        columns={"item_id": "movieId", "user_id": "userId", "items.categories": "genres"},
        unused={
            "IMDb_URL": "an address",
            "release_date": "the year is taken from the title",
            "video_release_date": "empty in the published file",
        },
        time="seconds",
        unknown_items="add",
        notes=(*NOTES, *missing, *not_read(files, NOT_READ)),
        files=(ratings, *((films,) if films else ())),
    )


def recognises(place: str) -> bool:
    """Whether a place has a log of MovieLens, and films beside it."""
    files = files_near(place, depth=0)
    return (
        has_file(files, r"u\.data")
        or (has_file(files, r"ratings\.dat") and has_file(files, r"movies\.dat"))
        or (has_file(files, r"ratings\.csv") and has_file(files, r"movies\.csv"))
    )


FORMAT = Format(
    "movielens",
    "a folder of MovieLens: 100k, 1M, 10M, 20M, 25M, 32M or latest",
    recognises,
    read,
    frozenset({"items", "pictures", "encoding"}),
)


def split_title(title: str) -> tuple[str, str]:
    """The title without the year in its last brackets, its article in front, and the year or "".

    "Net, The (1995)" is ("The Net", "1995"); "Hyena Road" has no year.
    """
    match = YEAR.fullmatch(title)
    words, year = (match[1], match[2]) if match else (title.strip(), "")
    if moved := ARTICLE.fullmatch(words):
        blank = "" if moved[2].endswith("'") else " "
        words = f"{moved[2]}{blank}{moved[1]}{moved[3]}"
    return words, year


def _log(files: Sequence[Path]) -> Path | None:
    """The file of ratings: the one that was named, or the only one there is."""
    if files and has_file(files[:1], r"(u\.data|u\d\.base|.*ratings.*\.(dat|csv))"):
        return files[0]
    return find_file(files, r"u\.data|ratings\.(dat|csv)")


def _ratings(path: Path) -> Batches:
    """The table of ratings."""
    if ".csv" in path.suffixes:
        return read_delimited(path, separator=",")
    separator = "::" if ".dat" in path.suffixes else "\t"
    return read_delimited(path, separator=separator, names=RATING_COLUMNS, quotes=False)


def _films(path: Path, encoding: str | None, pictures: dict[str, str]) -> Records:
    """The table of films. The old editions are in Latin-1, 10M and later ones in UTF-8."""
    if ".csv" in path.suffixes:
        table = read_delimited(path, separator=",", encoding=encoding)
    else:
        encoding = encoding or ("utf-8" if _is_utf8(path) else "latin-1")
        layout = ("::", ("movieId", "title", "genres")) if ".dat" in path.suffixes else ("|", FILM_COLUMNS)
        table = read_delimited(path, separator=layout[0], names=layout[1], encoding=encoding, quotes=False)
    columns = [name for name in table.columns if name not in FLAGS]
    columns += ["year", "genres"] if "genres" not in columns else ["year"]
    return with_changed_rows(table, partial(_film, pictures=pictures), (*columns, *(("image",) if pictures else ())))


def _film(row: Record, pictures: dict[str, str]) -> Record:
    """A film with its year apart and its genres as a list."""
    title, year = split_title(str(row["title"] or ""))
    if "genres" in row:
        genres = [name for name in str(row["genres"] or "").split("|") if name and name != NO_GENRES]
    else:
        genres = [name for flag, name in zip(FLAGS, GENRES, strict=True) if row[flag] == "1" and name != "unknown"]
    film = {name: value for name, value in row.items() if name not in FLAGS}
    film |= {"title": title, "year": year, "genres": genres}
    return film | {"image": pictures.get(str(row["movieId"]))} if pictures else film


def _is_utf8(path: Path) -> bool:
    """Whether every line of a file is UTF-8."""
    try:
        for line in Lines(path):
            line.decode()
    except UnicodeDecodeError:
        return False
    return True
