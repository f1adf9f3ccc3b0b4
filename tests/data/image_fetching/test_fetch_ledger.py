"""The ledger of a fetch: nothing that it names is missing, and what is missing is fetched again."""

from pathlib import Path

import pytest

from mmsrarec.data.image_fetching.fetch_ledger import LEDGER, FailedPicture, FetchLedger, store_beside
from mmsrarec.errors import MmsrarecError


def test_what_was_fetched_is_known_after_a_restart(tmp_path: Path) -> None:
    with FetchLedger(tmp_path / "store") as ledger:
        name = ledger.keep(b"picture", "jpg")
        ledger.record("http://a/1", name, 7, 1)
        ledger.record_failure(FailedPicture("http://a/2", "HTTP 404", 1))
    with FetchLedger(tmp_path / "store") as ledger:
        assert ledger.fetched(["http://a/1", "http://a/2", "http://a/3"]) == {"http://a/1": name}
        assert ledger.failures(["http://a/2", "http://a/3"]) == [FailedPicture("http://a/2", "HTTP 404", 1)]
        assert ledger.failures(["http://a/3"]) == []
        assert (ledger.files / name).read_bytes() == b"picture"


def test_a_later_result_replaces_an_earlier_one(tmp_path: Path) -> None:
    with FetchLedger(tmp_path) as ledger:
        ledger.record_failure(FailedPicture("http://a/1", "HTTP 503", 4))
        ledger.record("http://a/1", ledger.keep(b"x", "png"), 1, 2)
        assert ledger.failures(["http://a/1"]) == []
        assert list(ledger.fetched(["http://a/1"])) == ["http://a/1"]


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_a_file_that_is_gone_or_was_cut_counts_as_not_fetched(tmp_path: Path, damage) -> None:
    with FetchLedger(tmp_path) as ledger:
        name = ledger.keep(b"picture", "jpg")
        ledger.record("http://a/1", name, 7, 1)
        damage(ledger.files / name)
        assert ledger.fetched(["http://a/1"]) == {}
        assert ledger.keep(b"picture", "jpg") == name
        assert ledger.fetched(["http://a/1"]) == {"http://a/1": name}


def test_equal_pictures_are_one_file(tmp_path: Path) -> None:
    with FetchLedger(tmp_path) as ledger:
        assert ledger.keep(b"picture", "jpg") == ledger.keep(b"picture", "jpg") != ledger.keep(b"other", "jpg")
        assert len([path for path in ledger.files.rglob("*") if path.is_file()]) == 2


def test_two_processes_do_not_write_one_ledger(tmp_path: Path) -> None:
    with FetchLedger(tmp_path), pytest.raises(MmsrarecError, match="another process fetches into it"):
        FetchLedger(tmp_path)


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_bytes(b"not a database" * 100)
    with pytest.raises(MmsrarecError, match="cannot use"):
        FetchLedger(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(MmsrarecError, match="cannot write"):
        FetchLedger(tmp_path / "file")


def test_a_disk_that_takes_no_more_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with FetchLedger(tmp_path) as ledger:
        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(MmsrarecError, match="No space left on device; the same command goes on"):
            ledger.keep(b"picture", "jpg")


def test_the_store_lies_beside_the_folder_that_a_link_means(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert store_beside(tmp_path / "link") == tmp_path / ".real.fetched"
