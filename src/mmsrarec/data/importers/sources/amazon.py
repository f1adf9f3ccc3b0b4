"""Amazon's reviews as McAuley and colleagues publish them: 2014, 2018 and 2023.

Reviews are JSON lines, or a table of ratings (without a header in 2014 and 2018), or the benchmark tables of 2023.
`amazon_products` reads what is sold.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from mmsrarec.data.importers.amazon_products import PRODUCT_ROLES, PRODUCTS_UNUSED, read_products
from mmsrarec.data.importers.id_columns import guess_id_columns
from mmsrarec.data.importers.places import files_near, find_files, is_file, pictures_by_stem, plain_name
from mmsrarec.data.importers.rewriting import one_after_the_other
from mmsrarec.data.importers.source import Batches, Format, ReadOptions, Source
from mmsrarec.data.reading.delimited import read_delimited
from mmsrarec.data.reading.files import Lines, text_lines
from mmsrarec.data.reading.json_batches import json_batches
from mmsrarec.errors import DataError

REVIEWS = r"(reviews?_.*\.json|.*_5\.json|ratings?_.*\.csv|(?!meta_).*\.jsonl)"
PRODUCTS = r"meta_.*\.jsonl?"
CERTAIN = re.compile(r"reviews_.*\.json|.*_5\.json|ratings_.*\.csv", re.IGNORECASE)
"""Names that other data sets do not have."""
PARTS = re.compile(r"(.+)\.(train|valid|test)\.csv", re.IGNORECASE)
ITEMS, USERS, TIMES, RATINGS = (
    ("parent_asin", "asin"),
    ("reviewerID", "user_id"),
    ("unixReviewTime", "timestamp", "sortTimestamp"),
    ("overall", "rating"),
)
"""Columns of the item (since 2023 all variants of a product are one item), the user, the time and the stars."""
RATING_COLUMNS = ("column_1", "column_2", "rating", "timestamp")
UNUSED = {
    **dict.fromkeys(("reviewText", "summary", "text", "title"), "the text of a review says what is to be predicted"),
    **dict.fromkeys(("image", "images"), "pictures that a reviewer took"),
    **dict.fromkeys(("helpful", "vote", "helpful_vote"), "votes of later readers"),
    **dict.fromkeys(("reviewTime", "reviewerName"), "the time stands in another column, and so does the user"),
    "asin": "the variant; parent_asin is the product",
    "history": "it repeats earlier rows",
}
DAY_NOTE = "Reviews of one user often share a day: the order within it is that of the file."


def read(place: str, options: ReadOptions) -> Source:
    """Open a file of reviews, or the folder in which it lies."""
    files = files_near(place, depth=2)
    logs = _logs(place, files)
    products = options.items or _products_of(logs[0], files)
    pictures = pictures_by_stem(options.pictures)
    interactions, roles, notes = _interactions(logs, options.encoding)
    items = None if products is None else read_products(products, options.encoding, pictures)
    if products is None:
        notes.append("No file meta_* lies beside the reviews: the items have no texts. Name it by --items.")
    return Source(
        name=_category(logs[0]),
        interactions=interactions,
        items=items,
        pictures=options.pictures,
        columns={f"interactions.{field}": column for field, column in roles.items()}
        | (PRODUCT_ROLES if items is not None else {}),
        unused={name: reason for name, reason in UNUSED.items() if name not in roles.values()} | PRODUCTS_UNUSED,
        unknown_items="add",
        described_again="first",
        catalogue="log",
        notes=(*notes, DAY_NOTE),
        files=(*logs, *((products,) if products else ())),
    )


def recognises(place: str) -> bool:
    """Whether a place is named as Amazon's reviews are: reviews_X_5.json.gz, X_5.json.gz, or X.jsonl beside meta_X."""
    path, files = Path(place), files_near(place)
    if is_file(place):
        return bool(
            CERTAIN.fullmatch(plain_name(path)) or _products_of(path, files_near(place, 0)) or _is_benchmark(path)
        )
    return any(CERTAIN.fullmatch(plain_name(file)) or _is_benchmark(file) for file in files) or any(
        find_files(files, PRODUCTS)
    )


FORMAT = Format(
    "amazon",
    "a file of Amazon's reviews of 2014, 2018 or 2023, or its folder: JSON lines or ratings in CSV",
    recognises,
    read,
    frozenset({"items", "pictures", "encoding"}),
)


def _is_benchmark(path: Path) -> bool:
    """Whether a file is a table of the benchmark of 2023."""
    if ".csv" not in path.suffixes:
        return False
    try:
        _, header = next(text_lines(Lines(path)), (0, ""))
    except DataError:
        return False
    return "parent_asin" in (header or "").split(",")


def _logs(place: str, files: list[Path]) -> list[Path]:
    """The files of the log: one, or the training, validation and test part of one."""
    if is_file(place):
        return files[:1]
    parts = {path: match for path in files if (match := PARTS.fullmatch(plain_name(path)))}
    logs = [path for path in find_files(files, REVIEWS) if path not in parts]
    categories = {(path.parent, match[1]) for path, match in parts.items()}
    if not logs and len(categories) == 1:
        order = ("train", "valid", "test")
        return sorted(parts, key=lambda path: order.index(parts[path][2].lower()))
    logs += [path for path in find_files(files, r".+\.csv") if path not in parts and path not in logs]
    names = [path.name for path in logs] + sorted({f"{folder.name}/{name}.train.csv" for folder, name in categories})
    if not names:
        raise DataError(f"{place} holds no reviews: name a file such as reviews_Beauty_5.json.gz or All_Beauty.jsonl")
    if len(names) > 1:
        raise DataError(f"{place} holds {', '.join(names[:5])}: name the one to import as SOURCE")
    return logs


def _category(path: Path) -> str:
    """The category in the name of a file: Beauty in reviews_Beauty_5.json.gz, meta_Beauty.json and Beauty.train.csv."""
    name = plain_name(path).split(".")[0]
    name = re.sub(r"^(reviews?|ratings?|meta)_", "", name, flags=re.IGNORECASE)
    return re.sub(r"(_5|_10)$", "", name)


def _products_of(log: Path, files: Iterable[Path]) -> Path | None:
    """The file of products of the same category."""
    candidates = [path for path in find_files(files, PRODUCTS) if path != log]
    if log.parent.name == "review_categories":
        candidates += find_files(files_near(str(log.parent.parent / "meta_categories"), 0), PRODUCTS)
    same = [path for path in candidates if _category(path).lower() == _category(log).lower()]
    return next(iter(same or (candidates if len(candidates) == 1 else [])), None)


def _interactions(logs: list[Path], encoding: str | None) -> tuple[Batches, dict[str, str], list[str]]:
    """The table of interactions, the columns by field, and remarks."""
    _, first = next(text_lines(Lines(logs[0], encoding)), (0, ""))
    if (first or "").lstrip().startswith("{"):
        table = json_batches(logs[0], encoding=encoding, literals=True)
        roles = _roles(table.columns, logs[0])
        required = [column for field, column in roles.items() if field != "rating"]
        return json_batches(logs[0], encoding=encoding, literals=True, required=required), roles, []
    names = [name.strip().strip('"') for name in (first or "").split(",")]
    if any(name in (*ITEMS, *USERS, "item_id", "user") for name in names):
        table = one_after_the_other([read_delimited(path, separator=",", encoding=encoding) for path in logs])
        return table, _roles(table.columns, logs[0]), _split_notes(logs)
    if len(names) != len(RATING_COLUMNS):
        raise DataError(f"{logs[0]} has {len(names)} columns: user, item, rating and time are expected, or JSON lines")
    table = read_delimited(logs[0], separator=",", names=RATING_COLUMNS, encoding=encoding)
    user, item, reason = guess_id_columns(table, *RATING_COLUMNS[:2])
    return table, {"user_id": user, "item_id": item, "rating": "rating", "timestamp": "timestamp"}, [reason]


def _roles(columns: tuple[str, ...], path: Path) -> dict[str, str]:
    """Field -> the column of it, by edition."""
    fields = {
        "user_id": (*USERS, "user"),
        "item_id": (*ITEMS, "item_id", "item"),
        "timestamp": TIMES,
        "rating": RATINGS,
    }
    roles = {
        field: next(name for name in names if name in columns)
        for field, names in fields.items()
        if not set(names).isdisjoint(columns)
    }
    if missing := [field for field in ("user_id", "item_id", "timestamp") if field not in roles]:
        seen = ", ".join(columns[:12])
        raise DataError(f"{path} has no column for {missing[0]} ({seen}): say it by --map {missing[0]}=COLUMN")
    return roles


def _split_notes(logs: list[Path]) -> list[str]:
    """Remarks on the parts of a split."""
    if len(logs) > 1:
        return [f"{', '.join(path.name for path in logs)} are read as one log: their split is not kept."]
    if match := PARTS.fullmatch(plain_name(logs[0])):
        return [f"Only the part {match[2]} is read: name the folder to read all parts of {match[1]}."]
    return []
