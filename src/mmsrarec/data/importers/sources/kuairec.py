"""KuaiRec: big_matrix.csv or small_matrix.csv, with captions and categories of the videos."""

from functools import partial
from pathlib import Path

from mmsrarec.data.importers.places import files_near, find_file, has_file, is_file, not_read, pictures_by_stem
from mmsrarec.data.importers.rewriting import with_changed_rows
from mmsrarec.data.importers.source import Format, ReadOptions, Record, Source
from mmsrarec.data.reading.delimited import read_delimited
from mmsrarec.errors import DataError

BIG, SMALL = r"big_matrix\.csv", r"small_matrix\.csv"
CAPTIONS, CATEGORIES = r"kuairec_caption_category\.csv", r"item_categories\.csv"
LEVELS = tuple(f"{place}_level_category_name" for place in ("first", "second", "third"))
UNKNOWN = ("UNKNOWN", "-124", "", "[]")
UNUSED = {
    "watch_ratio": "the share of the video that was watched; no like: --map rating=watch_ratio --min-rating 2 uses it",
    **dict.fromkeys(("play_duration", "video_duration"), "watch_ratio is one divided by the other"),
    **dict.fromkeys(("time", "date"), "timestamp says the same"),
    **dict.fromkeys((level.replace("_name", "_id") for level in LEVELS), "a number; its name is another column"),
    "feat": "numbers of tags without names",
}
NOT_READ = {
    r"item_daily_features\.csv": "it counts views and likes day by day",
    r"user_features.*\.csv": "attributes of users are not used",
    r"social_network\.csv": "friends are not used",
    r"video_raw_categories_multi\.csv": "categories come from the file of captions",
}
NOTES = (
    "Every view is an interaction, however short: there is no like.",
    "Users watch videos again, and each time is an interaction.",
    "Since its version 2.0 the data set lacks video 1225, and all videos above it have other numbers than before.",
)
SMALL_NOTE = "The small matrix shows nearly every video to every user: as a test, random other videos were watched too."
BIG_NOTE = "small_matrix.csv is not read: it is a separate log of nearly all videos for few users."


def read(place: str, options: ReadOptions) -> Source:
    """Open a folder of KuaiRec, or one of its matrices."""
    files = files_near(place)
    log = files[0] if is_file(place) else find_file(files, BIG) or find_file(files, SMALL)
    if log is None:
        raise DataError(f"{place} holds no big_matrix.csv or small_matrix.csv: name a folder of KuaiRec")
    captions = options.items or find_file(files, CAPTIONS) or find_file(files, CATEGORIES)
    small = "small" in log.name
    pictures = pictures_by_stem(options.pictures)
    items = None
    if captions is not None:
        table = read_delimited(captions, separator=",", encoding=options.encoding)
        items = with_changed_rows(table, partial(_video, pictures=pictures))
    return Source(
        name=log.name.split(".")[0],
        interactions=read_delimited(log, separator=","),
        items=items,
        pictures=options.pictures,
        columns={
            "user_id": "user_id",
            "item_id": "video_id",
            "timestamp": "timestamp",
            **(
                {"items.title": "caption", "items.categories": "categories"}
                if captions and not _numbers(captions)
                else {}
            ),
        },
        unused=UNUSED,
        time="seconds",
        exact_repeats="fold",
        unknown_items="add",
        notes=(*NOTES, SMALL_NOTE if small else BIG_NOTE, *not_read(files, NOT_READ)),
        files=tuple(path for path in (log, captions) if path is not None),
    )


def recognises(place: str) -> bool:
    """Whether a place has a matrix of KuaiRec."""
    files = files_near(place)
    return has_file(files[:1] if is_file(place) else files, f"{BIG}|{SMALL}")


FORMAT = Format(
    "kuairec",
    "a folder of KuaiRec, or its big_matrix.csv or small_matrix.csv",
    recognises,
    read,
    frozenset({"items", "pictures", "encoding"}),
)


def _numbers(path: Path) -> bool:
    """Whether a file of items holds numbers of tags only."""
    return path.name.startswith("item_categories")


def _video(row: Record, pictures: dict[str, str]) -> Record:
    """A video with the names of its categories as a list, and without what is unknown."""
    video: dict[str, object] = {
        name: None if str(value) in UNKNOWN else value for name, value in row.items() if name not in LEVELS
    }
    if any(level in row for level in LEVELS):
        video["categories"] = [str(row[level]) for level in LEVELS if str(row.get(level) or "") not in UNKNOWN]
    return video | {"image": pictures.get(str(row.get("video_id")))} if pictures else video
