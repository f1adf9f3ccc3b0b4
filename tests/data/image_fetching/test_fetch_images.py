"""A whole fetch against a real server: what comes, what does not, and what a second call does."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fetching import FAST, LOOPBACK, data_with, pictures_of
from misbehaving_server import Server, picture

from mmsrarec.cli import commands
from mmsrarec.core.artefacts import verify
from mmsrarec.core.progress import Progress
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.image_fetching import fetch_images as module
from mmsrarec.data.image_fetching.fetch_images import FetchReport, fetch_images
from mmsrarec.data.image_fetching.fetch_ledger import FetchLedger, store_beside
from mmsrarec.data.image_fetching.item_addresses import missing_pictures
from mmsrarec.data.images import open_picture
from mmsrarec.errors import DataError


def fetch(data: Path, server: Server, **options) -> FetchReport:
    return fetch_images(data, [server.host], LOOPBACK, **{"limits": FAST, "progress": Progress.of(False)} | options)


def test_pictures_join_the_data_and_failures_are_listed(tmp_path: Path) -> None:
    with Server() as server:
        paths = ["picture/1", "picture/2", "missing/1", "webp/1", "avif/1", "gif/1", "liar/1", "picture/1"]
        data = data_with(tmp_path / "data", [*map(server.address, paths), None])
        report = fetch(data, server)
        assert server.requests["picture/1"] == 1  # two items name it
    assert (report.items, report.addresses, report.fetched, report.failed, report.items_added) == (8, 7, 5, 2, 6)
    assert {failed.address.rsplit("/", 2)[1]: failed.reason for failed in report.failures} == {
        "missing": "HTTP 404 Not Found",
        "liar": "a web page: only JPEG, PNG, WEBP, GIF, AVIF are read",
    }
    assert sum(report.reasons.values()) == report.failed
    assert verify(data)
    dataset = Dataset.load(data)
    names = [item.image for item in dataset.items]
    assert names[0] == names[7]
    assert [Path(name).suffix for name in names[3:6]] == [".webp", ".avif", ".gif"]
    assert names[2] is None
    assert missing_pictures(dataset) == {2: server.address("missing/1"), 6: server.address("liar/1")}
    for code in (0, 1, 3, 4, 5):
        path, root = dataset.image_path(code), dataset.image_folder
        assert path is not None
        assert root is not None
        assert open_picture(path, root).size == (24, 16)


def test_a_second_call_asks_for_nothing_and_retry_asks_for_what_failed(tmp_path: Path) -> None:
    with Server() as server:
        data = data_with(tmp_path / "data", [server.address(path) for path in ("picture/1", "always-busy/1")])
        fetch(data, server)
        asked = server.requests.copy()
        again = fetch(data, server)
        assert server.requests == asked
        assert (again.fetched, again.failed, again.items_added) == (0, 1, 0)
        assert again.failures[0].attempts == 3
        fetch(data, server, retry=True)
        assert server.requests["always-busy/1"] == 2 * asked["always-busy/1"]
        assert server.requests["picture/1"] == 1


def test_pictures_survive_a_new_import_into_the_folder(tmp_path: Path) -> None:
    with Server() as server:
        addresses = [server.address(f"picture/{number}") for number in range(3)]
        data = data_with(tmp_path / "data", addresses[:2])
        fetch(data, server)
        data_with(data, addresses)  # replaces the folder
        report = fetch(data, server)
        assert (report.fetched, report.fetched_before, report.items_added) == (1, 2, 3)
        assert max(server.requests.values()) == 1


def test_as_many_requests_as_are_allowed_run_at_once_and_no_more(tmp_path: Path) -> None:
    with Server(delay=0.05) as server:
        data = data_with(tmp_path / "data", [server.address(f"picture/{number}") for number in range(30)])
        start = time.monotonic()
        assert fetch(data, server, concurrency=8).fetched == 30
        assert server.most_at_once == 8
        assert time.monotonic() - start < 30 * 0.05


def test_without_a_host_nothing_is_asked_and_the_hosts_are_named(tmp_path: Path) -> None:
    addresses = ["https://a.example/1", "https://a.example/2", "http://b.example:8080/1", "http://["]
    data = data_with(tmp_path / "data", addresses)
    with pytest.raises(DataError, match=r"--allow-host: a\.example \(2 items\), b\.example:8080 \(1 items\), \(not va"):
        fetch_images(data)


def test_hosts_that_are_not_allowed_are_listed_and_asked_once_they_are(tmp_path: Path) -> None:
    with Server() as server:
        other = f"http://localhost:{server.port}/picture/2"
        data = data_with(tmp_path / "data", [server.address("picture/1"), other])
        report = fetch(data, server)
        assert (
            report.failures[0].reason
            == f"the host localhost:{server.port} is not allowed: --allow-host localhost:{server.port}"
        )
        both = fetch_images(data, [server.host, f"localhost:{server.port}"], ["127.0.0.1", "::1"], limits=FAST)
        assert (both.fetched, both.failed) == (1, 0)


def test_this_machine_is_not_asked_unless_its_number_is_named(tmp_path: Path) -> None:
    with Server() as server:
        data = data_with(tmp_path / "data", [server.address("picture/1")])
        with pytest.raises(DataError, match=r"127\.0\.0\.1, which is not public: --allow-address 127\.0\.0\.1"):
            fetch_images(data, [server.host], limits=FAST)
        assert not server.requests
        assert fetch(data, server).fetched == 1  # no --retry is needed: the rules have changed


def test_the_loss_of_all_pictures_is_an_error(tmp_path: Path) -> None:
    with Server() as server:
        data = data_with(tmp_path / "data", [server.address(f"forbidden/{number}") for number in range(5)])
        with pytest.raises(DataError, match="none of 5 pictures could be fetched; 5 of them: HTTP 403"):
            fetch(data, server)


def test_a_full_disk_ends_the_fetch_in_one_line_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, calls = FetchLedger.keep, []

    def full(self: FetchLedger, data: bytes, ending: str) -> str:
        calls.append(ending)
        if len(calls) > 5:
            raise DataError("cannot write files: No space left on device; the same command goes on")
        return keep(self, data, ending)

    with Server() as server:
        data = data_with(tmp_path / "data", [server.address(f"picture/{number}") for number in range(20)])
        with monkeypatch.context() as patched:
            patched.setattr(FetchLedger, "keep", full)
            with pytest.raises(DataError, match="No space left"):
                fetch(data, server, concurrency=4)
        report = fetch(data, server)
        assert (report.fetched_before, report.fetched + report.fetched_before, report.failed) == (5, 20, 0)


def test_a_folder_without_addresses_needs_nothing(tmp_path: Path) -> None:
    data = data_with(tmp_path / "data", [None, "1.jpg"])  # a name without a file is no address
    assert fetch_images(data) == FetchReport(data)


def test_the_command_prints_reasons_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Server() as server:
        data = data_with(tmp_path / "data", [server.address(path) for path in ("picture/1", "missing/1", "missing/2")])
        allowed = ["--allow-host", server.host, "--allow-address", "127.0.0.1", "--concurrency", "2"]
        assert commands.call(["images", str(data), *allowed]) == 0
        shown = capsys.readouterr()
        assert "fetched: 1\n" in shown.out
        assert "2         HTTP 404 Not Found" in shown.out
        assert "--retry asks for them again" in shown.out
        assert "pictures: 3/3" in shown.err
        assert commands.call(["images", str(data), *allowed, "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        assert (answer["fetched"], answer["failed"], len(answer["failures"])) == (0, 2, 2)
        assert commands.call(["images", str(tmp_path / "nowhere")]) == 2
        assert commands.call(["images", str(data), "--allow-host", "http://x/"]) == 2
        assert "is not a host" in capsys.readouterr().err


def command(data: Path, server: Server, concurrency: int) -> list[str]:
    allowed = ["--allow-host", server.host, "--allow-address", "127.0.0.1", "--concurrency", str(concurrency)]
    return [sys.executable, "-m", "mmsrarec", "images", str(data), *allowed, "--json"]


def test_a_killed_fetch_goes_on(tmp_path: Path) -> None:
    summary = killed_and_resumed(tmp_path, pictures=60, kills=2, concurrency=4, delay=0.05)
    assert summary["recorded_at_the_last_kill"] > 0


@pytest.mark.slow
def test_two_thousand_pictures_killed_ten_times(tmp_path: Path) -> None:
    killed_and_resumed(tmp_path, pictures=2000, kills=10, concurrency=16, delay=0.05)


def killed_and_resumed(folder: Path, pictures: int, kills: int, concurrency: int, delay: float) -> dict[str, int]:
    """Kill the command at random times until it has been killed often enough, then let it end; what the server saw.

    A picture that was on its way when the process died may come twice. One that was recorded never does.
    """
    with Server(delay) as server:
        paths = [f"picture/{number}" for number in range(pictures)]
        data = data_with(folder / "data", list(map(server.address, paths)))
        rng, recorded = random.Random(1), dict[str, int]()
        for _ in range(kills):
            step = pictures // (kills + 1)
            aim = server.requests.total() + rng.randrange(step // 2, step)
            with subprocess.Popen(command(data, server, concurrency), stderr=subprocess.PIPE) as child:
                while server.requests.total() < aim and child.poll() is None:
                    time.sleep(0.001)
                time.sleep(rng.uniform(0, 2 * delay))
                assert child.poll() is None
                child.kill()
            time.sleep(2 * delay)  # until the server has sent what was on its way
            with FetchLedger(store_beside(data)) as ledger:
                fetched = ledger.fetched(map(server.address, paths))
            for path in paths:
                if server.address(path) in fetched:
                    recorded.setdefault(path, server.requests[path])
        done = subprocess.run(command(data, server, concurrency), capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)["failed"] == 0
        assert {path: server.requests[path] for path in recorded} == recorded  # none fetched twice
        assert set(server.requests) == set(paths)
        assert server.requests.total() <= pictures + kills * concurrency
        assert verify(data)
        dataset = Dataset.load(data)
        for code in range(pictures):  # none lost
            path = dataset.image_path(code)
            assert path is not None
            assert path.read_bytes() == picture(code)
        summary = {
            "pictures": pictures,
            "kills": kills,
            "recorded_at_the_last_kill": len(recorded),
            "requests": server.requests.total(),
            "on_their_way_at_a_kill": server.requests.total() - pictures,
            "most_at_once": server.most_at_once,
        }
        print(json.dumps(summary))
        return summary


def test_what_an_interrupted_fetch_left_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with Server() as server:
        data = data_with(tmp_path / "data", [server.address(f"picture/{number}") for number in range(5)])
        with monkeypatch.context() as patched:
            patched.setattr(module, "add_pictures", stop)
            with pytest.raises(KeyboardInterrupt):
                fetch(data, server)
        assert pictures_of(data) == [None] * 5
        report = fetch(data, server)
        assert (report.fetched, report.fetched_before, report.items_added) == (0, 5, 5)
    assert os.listdir(data / "images")
