"""Published layouts with damaged files: each is imported with an account of every row, or refused in one line."""

import gzip
import random
import zlib
from pathlib import Path

import pytest
from test_all_formats import LAYOUTS

from mmsrarec.data.importers.formats import BUILT_IN, format_by_name
from mmsrarec.data.importers.importing import ImportOptions, import_place
from mmsrarec.errors import MmsrarecError

TRIES = 6
SIGNS = [b'"', b"'", b"\t", b",", b"::", b"\n", b"\r", b"\0", b"{", b"]", b"\\", b"|", b"\xff\xfe", b"NULL", b"1e400"]
WORDS = [b",", b"\t", b":", b'"', b"id", b"user", b"item", b"time", b"title"]


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The content cut, with bytes lost, repeated or put in, with lines shuffled, or with a sign replaced everywhere."""
    start = rng.randrange(len(content) or 1)
    end = start + rng.randrange(1, 20)
    match rng.randrange(7):
        case 0:
            return content[:start]
        case 1:
            return content[:start] + content[end:]
        case 2:
            return content[:start] + content[start:end] * 3 + content[start:]
        case 3:
            return content[:start] + rng.choice(SIGNS) + content[start:]
        case 4:
            lines = content.split(b"\n")
            rng.shuffle(lines)
            return b"\n".join(lines)
        case 5:
            return content.replace(rng.choice(WORDS), rng.choice([b"", b" ", b";", b"x"]))
        case _:
            return content[:start] + rng.randbytes(20) + content[end:]


def damage(place: Path, rng: random.Random) -> None:
    """Damage one file of a place, packed or within, or remove it."""
    path = rng.choice(sorted(path for path in place.rglob("*") if path.is_file() and path.suffix != ".npy"))
    if rng.random() < 0.05:
        path.unlink()
    elif path.suffix == ".gz" and rng.random() < 0.8:
        path.write_bytes(gzip.compress(damaged(gzip.decompress(path.read_bytes()), rng)))
    else:
        path.write_bytes(damaged(path.read_bytes(), rng))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_damaged_layout_is_accounted_for_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    rng = random.Random(zlib.crc32(name.encode()))
    for number in range(TRIES):
        place = LAYOUTS[name][0](tmp_path / f"source-{number}")
        damage(place, rng)
        for other in BUILT_IN:
            format_by_name(other).recognises(str(place))
        format_name = rng.choice(["auto", name.split()[0].replace("goodbooks", "goodreads")])
        refusal = ""
        try:
            report = import_place(format_name, str(place), tmp_path / "out", ImportOptions(max_rejects=1))
        except MmsrarecError as error:
            refusal = str(error)
        assert "\n" not in refusal
        assert refusal or all(counts.accounted for counts in report.rows.values())
