"""H&M's competition data: transactions_train.csv, articles.csv, and images/0NN/0NNNNNNNNN.jpg."""

from functools import partial

from mmsrarec.data.importers.places import (
    files_near,
    find_file,
    has_file,
    not_read,
    pictures_by_stem,
    sub_folder,
)
from mmsrarec.data.importers.rewriting import with_changed_rows
from mmsrarec.data.importers.source import Format, ReadOptions, Record, Source
from mmsrarec.data.reading.delimited import read_delimited
from mmsrarec.errors import DataError

TRANSACTIONS, ARTICLES = r"transactions.*\.csv", r"articles\.csv"
CATEGORIES = ("index_group_name", "garment_group_name", "product_group_name", "product_type_name")
CODES = (
    *("product_code", "product_type_no", "graphical_appearance_no", "colour_group_code", "perceived_colour_value_id"),
    *("perceived_colour_master_id", "department_no", "index_code", "index_group_no", "section_no", "garment_group_no"),
)
NOT_READ = {
    r"customers\.csv": "age, club and postal code of customers are not used",
    r"sample_submission\.csv": "it is the form of an answer",
}
NOTES = (
    "t_dat is a day: a whole basket shares it, and the order within a day means nothing.",
    "Equal rows are several pieces of one article, and stay interactions of their own; --repeats first folds them.",
    "price is scaled, and is no price that a customer saw.",
)


def read(place: str, options: ReadOptions) -> Source:
    """Open the folder of the competition, or its file of transactions."""
    files = files_near(place, depth=0)
    log, articles = find_file(files, TRANSACTIONS), options.items or find_file(files, ARTICLES)
    if log is None:
        raise DataError(f"{place} holds no transactions_train.csv: name the folder of H&M's competition")
    folder = options.pictures or sub_folder(files[:1], r"images.*")
    items = None
    if articles is not None:
        table = read_delimited(articles, separator=",", encoding=options.encoding)
        items = with_changed_rows(table, partial(_article, pictures=pictures_by_stem(folder)))
    return Source(
        name="hm",
        interactions=read_delimited(log, separator=","),
        items=items,
        pictures=folder,
        columns={
            "user_id": "customer_id",
            "item_id": "article_id",
            "timestamp": "t_dat",
            **({"title": "prod_name", "text": "detail_desc", "categories": "categories"} if items is not None else {}),
        },
        unused={
            "price": "scaled, and no measure of liking",
            "sales_channel_id": "shop (1) or web (2): it says nothing of the article",
            **dict.fromkeys(CODES, "a code; its name is another column"),
        },
        exact_repeats="keep",
        unknown_items="add",
        notes=(*NOTES, *not_read(files, NOT_READ)),
        files=tuple(path for path in (log, articles) if path is not None),
    )


def recognises(place: str) -> bool:
    """Whether a place has transactions and articles as the competition names them."""
    files = files_near(place, depth=0)
    return has_file(files, TRANSACTIONS) and has_file(files, ARTICLES)


FORMAT = Format(
    "hm",
    "the folder of H&M's competition, with transactions_train.csv",
    recognises,
    read,
    frozenset({"items", "pictures", "encoding"}),
)


def _article(row: Record, pictures: dict[str, str]) -> Record:
    """An article with its groups as categories and its picture, if there is one."""
    names = (str(row.get(column) or "") for column in CATEGORIES)
    article = {name: value for name, value in row.items() if name not in CATEGORIES}
    article["categories"] = [name for name in dict.fromkeys(names) if name and name.lower() != "unknown"]
    return article | {"image": pictures.get(str(row.get("article_id")))} if pictures else article
