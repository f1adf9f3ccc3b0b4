"""Files as they come: packed or not, whatever they are called, with any ends of lines."""

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsrarec.data.reading import files
from mmsrarec.data.reading.files import Lines, find, open_bytes, packing
from mmsrarec.errors import MmsrarecError

CONTENT = b"user_id,item_id,timestamp\nu,1,1700000000\n"
LINES = CONTENT.split(b"\n")[:2]


def zipped(data: bytes, path: Path, names: tuple[str, ...] = ("interactions.csv",)) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, data)


PACKERS: dict[str, Callable[[bytes, Path], object]] = {
    "plain": lambda data, path: path.write_bytes(data),
    "gzip": lambda data, path: path.write_bytes(gzip.compress(data)),
    "bzip2": lambda data, path: path.write_bytes(bz2.compress(data)),
    "xz": lambda data, path: path.write_bytes(lzma.compress(data)),
    "zip": zipped,
}


@pytest.mark.parametrize("packer", PACKERS)
def test_content_counts_and_not_the_name(tmp_path: Path, packer: str) -> None:
    path = tmp_path / "interactions.csv"
    PACKERS[packer](CONTENT, path)
    assert packing(path) == (None if packer == "plain" else packer)
    assert list(Lines(path)) == LINES


def test_zstd_is_unpacked_where_a_package_can(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    path = tmp_path / "interactions.csv"
    path.write_bytes(pyarrow.compress(CONTENT, "zstd", asbytes=True))
    assert packing(path) == "zstd"
    assert list(Lines(path)) == LINES


def test_zstd_is_named_where_none_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(files.importlib, "import_module", missing)
    path = tmp_path / "interactions.csv"
    path.write_bytes(files.ZSTD + CONTENT)
    with pytest.raises(MmsrarecError, match="packed with zstd"):
        list(Lines(path))


def test_an_ending_alone_finds_the_file(tmp_path: Path) -> None:
    path = tmp_path / "interactions.csv"
    assert find(tmp_path, path.name) == path
    PACKERS["gzip"](CONTENT, tmp_path / "interactions.csv.gz")
    assert list(Lines(find(tmp_path, path.name))) == LINES
    path.write_bytes(b"plain")
    assert find(tmp_path, path.name) == path


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (CONTENT.decode().encode("utf-16-be"), "UTF-16"),
        (CONTENT.decode().encode("utf-16-le"), "UTF-16"),
        (gzip.compress(CONTENT.decode().encode("utf-16-le"), mtime=0), "UTF-16"),
        (b"PAR1\x15\x04", "Parquet"),
        (b"SQLite format 3\x00", "SQLite"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "Microsoft Office"),
        (b"%PDF-1.7", "PDF"),
        (b"7z\xbc\xaf\x27\x1c\x00", "7z"),
        (gzip.compress(CONTENT, mtime=0)[:-9], "cannot be unpacked"),
        (b"\x1f\x8b\x08nonsense", "cannot be unpacked"),
        (b"PK\x03\x04nonsense", "cannot be unpacked"),
        (b"BZh9nonsense", "cannot be unpacked"),
    ],
)
def test_what_holds_no_lines_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "interactions.csv"
    path.write_bytes(data)
    with pytest.raises(MmsrarecError, match=words) as error:
        list(Lines(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_byte_order_mark_names_the_encoding(tmp_path: Path, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "interactions.csv"
    path.write_bytes(pack(CONTENT.decode().encode(encoding)))
    assert [line.removeprefix(b"\xef\xbb\xbf") for line in Lines(path)] == LINES


def test_a_declared_encoding_is_read_and_what_it_lacks_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "interactions.csv"
    path.write_bytes("Köln\n".encode("latin-1"))
    assert list(Lines(path)) == [b"K\xf6ln"]
    assert list(Lines(path, "latin-1")) == ["Köln".encode()]
    path.write_bytes("用户\n".encode("gbk") + b"\xff\xff\nok\n")
    first, second, third = Lines(path, "gbk")
    assert (first.decode(), third) == ("用户", b"ok")
    with pytest.raises(UnicodeDecodeError):
        second.decode()
    with pytest.raises(MmsrarecError, match="unknown encoding klingon"):
        list(Lines(path, "klingon"))


def test_archives_of_several_files_are_refused_and_a_mac_is_forgiven(tmp_path: Path) -> None:
    zipped(CONTENT, tmp_path / "two.zip", ("a.csv", "b.csv"))
    with pytest.raises(MmsrarecError, match="zip archive of 2 files"):
        list(Lines(tmp_path / "two.zip"))
    zipped(CONTENT, tmp_path / "book.csv", ("[Content_Types].xml", "xl/workbook.xml"))
    with pytest.raises(MmsrarecError, match="Microsoft Office"):
        list(Lines(tmp_path / "book.csv"))
    zipped(CONTENT, tmp_path / "mac.zip", ("interactions.csv", "__MACOSX/._interactions.csv"))
    assert list(Lines(tmp_path / "mac.zip")) == LINES


def test_a_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "interactions.csv"
    path.write_bytes(gzip.compress(bytes(32 << 20).replace(b"\0", b"a"), 9))
    monkeypatch.setattr(files, "SAFE_BYTES", 1 << 20)
    with pytest.raises(MmsrarecError, match="which no table does"):
        list(Lines(path))
    monkeypatch.setattr(files, "SAFE_BYTES", 64 << 20)
    monkeypatch.setattr(files, "MAX_UNPACKED_BYTES", 8 << 20)
    with pytest.raises(MmsrarecError, match="which no table does"):
        list(Lines(path))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.binary(max_size=5).map(lambda line: line.replace(b"\r", b"").replace(b"\n", b"")), max_size=6),
    st.sampled_from([b"\n", b"\r\n", b"\r", b"\r\r\n"]),
    st.booleans(),
    st.integers(1, 9),
)
def test_lines_are_the_same_whatever_ends_them(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], end: bytes, whole: bool, chunk: int
) -> None:
    """In chunks of any size, so that an end of two bytes is cut in two."""
    path = tmp_path_factory.getbasetemp() / "lines.csv"
    lines = [b"header", *lines] if whole else [b"header", *lines, b"x"]
    path.write_bytes(end.join(lines) + (end if whole else b""))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "CHUNK_BYTES", chunk)
        read = Lines(path)
        assert list(read) == lines
    assert read.whole == whole


def test_mixed_ends(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_bytes(b"a\rb\nc\r\nd\r\r\ne\n\nf")
    assert list(Lines(path)) == [b"a", b"b", b"c", b"d", b"e", b"", b"f"]


def test_a_folder_or_nothing_is_said(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(MmsrarecError, match="cannot be read"), open_bytes(path):
            pass
