"""What tests of importers share: a small log on disk, and the rows that an import set aside."""

import csv
from pathlib import Path

LOG = "u1\t7 007 8\nu2 8 7\r\nu3 9 9 7 8 007\n"
TITLED = 'item,title\n10,"Nobody\'s, yet"\n007,Bond\n7,\n'


def rejects_of(out: Path) -> list[tuple[str, str, str]]:
    with (out / "rejects.csv").open(newline="", encoding="utf-8") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


def source_of(folder: Path, log: str | bytes = LOG, titles: str | None = TITLED) -> tuple[Path, Path, Path | None]:
    (folder / "log.txt").write_bytes(log if isinstance(log, bytes) else log.encode())
    if titles is None:
        return folder / "log.txt", folder / "out", None
    (folder / "titles.csv").write_text(titles, encoding="utf-8")
    return folder / "log.txt", folder / "out", folder / "titles.csv"
