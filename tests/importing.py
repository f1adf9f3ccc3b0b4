"""What tests of importers share: a small log on disk, imports in one call, and the rows that an import set aside."""

from pathlib import Path
from typing import Any

import polars as pl

from mmsrarec.data.importers.import_report import Report
from mmsrarec.data.importers.importing import ImportOptions, import_place
from mmsrarec.data.importers.source import ReadOptions

LOG = "u1\t7 007 8\nu2 8 7\r\nu3 9 9 7 8 007\n"
TITLED = 'item,title\n10,"Nobody\'s, yet"\n007,Bond\n7,\n'


def rejects_of(out: Path) -> list[tuple[str, str, str]]:
    """File, line and reason of each line that was set aside."""
    table = pl.read_parquet(out / "rejects.parquet")
    return [(file, str(line), reason) for file, line, reason, _ in table.iter_rows()]


def import_tables(source: Path, out: Path, **options: Any) -> Report:
    return import_place("tables", str(source), out, ImportOptions(**options))


def import_sequences(source: Path, out: Path, titles: Path | None = None, **options: Any) -> Report:
    return import_place("sequences", str(source), out, ImportOptions(**options), ReadOptions(items=titles))


def import_amazon(
    reviews: Path, out: Path, products: Path | None = None, pictures: Path | None = None, **options: Any
) -> Report:
    places = ReadOptions(items=products, pictures=pictures)
    return import_place("amazon", str(reviews), out, ImportOptions(**options), places)


def source_of(folder: Path, log: str | bytes = LOG, titles: str | None = TITLED) -> tuple[Path, Path, Path | None]:
    (folder / "log.txt").write_bytes(log if isinstance(log, bytes) else log.encode())
    if titles is None:
        return folder / "log.txt", folder / "out", None
    (folder / "titles.csv").write_text(titles, encoding="utf-8")
    return folder / "log.txt", folder / "out", folder / "titles.csv"
