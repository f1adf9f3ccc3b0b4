"""`mmsrarec images`: fetches the pictures that a data folder names by address and lacks, and adds them to it."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from mmsrarec.core.progress import Progress, Task
from mmsrarec.data.folder import load
from mmsrarec.data.image_fetching.download import Downloader, Failure, Limits
from mmsrarec.data.image_fetching.fetch_ledger import FailedPicture, FetchLedger, store_beside
from mmsrarec.data.image_fetching.guarded_transport import GuardedBackend, GuardedTransport
from mmsrarec.data.image_fetching.host_rules import HostRules, Refused, host_of, parse_address
from mmsrarec.data.image_fetching.item_addresses import add_pictures, check_writable, has_pictures, missing_pictures
from mmsrarec.data.images import BadPicture, decode_picture
from mmsrarec.errors import DataError

CONCURRENCY = 16
"""How many pictures are fetched at the same time."""
MAX_HOSTS_NAMED = 8


@dataclass
class FetchReport:
    """What a fetch did.

    Attributes:
        data: The data folder.
        items: Items that named an address and had no file.
        addresses: Different addresses among them.
        fetched: Pictures fetched now.
        fetched_before: Pictures that an earlier fetch had left ready.
        failed: Pictures that did not come, now or before; `retry` asks for them again.
        items_added: Items that got their picture.
        megabytes: Size of what was fetched now, in 2**20 bytes.
        reasons: Reason -> number of failed pictures.
        failures: The failed pictures.
    """

    data: Path
    items: int = 0
    addresses: int = 0
    fetched: int = 0
    fetched_before: int = 0
    failed: int = 0
    items_added: int = 0
    megabytes: float = 0.0
    reasons: dict[str, int] = field(default_factory=dict[str, int])
    failures: list[FailedPicture] = field(default_factory=list[FailedPicture])


def fetch_images(
    folder: Path,
    hosts: Sequence[str] = (),
    addresses: Sequence[str] = (),
    *,
    concurrency: int = CONCURRENCY,
    retry: bool = False,
    limits: Limits | None = None,
    progress: Progress | None = None,
    seed: int = 0,
) -> FetchReport:
    """Fetch the pictures that a data folder names by address and lacks, and write the folder anew with them.

    What was fetched is kept beside the folder, so that a stopped fetch goes on. Each address is asked once, even where
    several items name it.

    Args:
        folder: The data folder, which mmsrarec made.
        hosts: The hosts that may be asked, such as `example.com`, `*.example.com` or `example.com:8080`.
        addresses: Numeric addresses that may be connected to although they are not public, such as `10.0.0.0/8`.
        concurrency: How many pictures are fetched at the same time.
        retry: Whether pictures that failed before are asked for again.
        limits: How long and how often to try.
        progress: Shows how far it is.
        seed: Of the pauses between attempts.

    Returns:
        What was done.

    Raises:
        MmsrarecError: No host is allowed, the folder cannot be written, or no picture at all could be fetched.
    """
    folder = Path(folder)
    rules = HostRules.parse(hosts, addresses)
    dataset = load(folder)
    wanted = missing_pictures(dataset)
    report = FetchReport(folder, items=len(wanted), addresses=len(set(wanted.values())))
    if not wanted:
        return report
    check_writable(folder)
    if not rules.hosts:
        raise DataError(f"say which hosts may be asked for pictures, by --allow-host: {_hosts(wanted.values())}")
    with FetchLedger(store_beside(folder)) as ledger:
        before = ledger.fetched(wanted.values())
        skipped = set[str]() if retry else {failed.address for failed in ledger.failures(wanted.values())}
        pending = [name for name in dict.fromkeys(wanted.values()) if name not in before and name not in skipped]
        fetch = _Fetch(ledger, rules, limits or Limits(), random.Random(seed))
        fetch.run(pending, concurrency, progress or Progress())
        report.fetched_before, report.fetched, report.megabytes = len(before), fetch.fetched, fetch.size / 2**20
        files = ledger.fetched(wanted.values())
        report.failures = [*fetch.refused, *ledger.failures(set(wanted.values()) - fetch.refused_addresses)]
        report.failed = len(report.failures)
        report.reasons = dict(Counter(failed.reason for failed in report.failures).most_common())
        added = {code: files[address] for code, address in wanted.items() if address in files}
        if added:
            add_pictures(dataset, folder, added, ledger.files)
        elif not has_pictures(dataset):
            raise DataError(_total_loss(report))
        report.items_added = len(added)
    return report


class _Fetch:
    """One fetch of many pictures: some workers take addresses from one list.

    Attributes:
        fetched: Pictures that came.
        size: Their bytes.
        failed: Pictures that did not come.
        refused: Those of them that the rules refused. The ledger does not hold them: other rules may allow them.
    """

    def __init__(self, ledger: FetchLedger, rules: HostRules, limits: Limits, rng: random.Random):
        self._ledger, self._rules, self._limits, self._rng = ledger, rules, limits, rng
        self.fetched = self.size = self.failed = 0
        self.refused: list[FailedPicture] = []

    @property
    def refused_addresses(self) -> set[str]:
        """The addresses of `refused`."""
        return {failed.address for failed in self.refused}

    def run(self, addresses: Sequence[str], concurrency: int, progress: Progress) -> None:
        """Fetch all. Raises DataError where the disk takes no more."""
        if addresses:
            with progress.task("pictures", len(addresses)) as task:
                asyncio.run(self._all(iter(addresses), min(concurrency, len(addresses)), task))

    async def _all(self, addresses: Iterator[str], workers: int, task: Task) -> None:
        """Fetch with several workers until all addresses are done."""
        transport = GuardedTransport(GuardedBackend(self._rules), workers)
        timeout = httpx2.Timeout(self._limits.silence_seconds, connect=self._limits.connect_seconds, pool=None)
        async with httpx2.AsyncClient(transport=transport, trust_env=False, timeout=timeout) as client:
            downloader = Downloader(client, self._rules, self._limits, self._rng)
            # one thread decodes: Pillow's filters of warnings belong to the process
            with ThreadPoolExecutor(1) as decoding:
                try:
                    async with asyncio.TaskGroup() as group:
                        for _ in range(workers):
                            group.create_task(self._work(addresses, downloader, decoding, task))
                except BaseExceptionGroup as errors:
                    raise errors.exceptions[0] from None

    async def _work(
        self, addresses: Iterator[str], downloader: Downloader, decoding: ThreadPoolExecutor, task: Task
    ) -> None:
        """Fetch one address after the other."""
        for address in addresses:
            attempts = 0
            try:
                data, attempts = await downloader.fetch(address)
                loop = asyncio.get_running_loop()
                file = await loop.run_in_executor(decoding, self._keep, data)
                self._ledger.record(address, file, len(data), attempts)
                self.fetched, self.size = self.fetched + 1, self.size + len(data)
            except (Failure, BadPicture) as reason:
                attempts = reason.attempts if isinstance(reason, Failure) else attempts
                failed = FailedPicture(address, str(reason), attempts)
                if isinstance(reason, Failure) and reason.refused:
                    self.refused.append(failed)
                else:
                    self._ledger.record_failure(failed)
                self.failed += 1
            task.advance(note=f"{self.failed} failed" if self.failed else "")

    def _keep(self, data: bytes) -> str:
        """Decode a picture, to see that it is one, and write its file. Raises BadPicture, DataError."""
        _, ending = decode_picture(data)
        return self._ledger.keep(data, ending)


def _total_loss(report: FetchReport) -> str:
    """The message where not one picture came."""
    reason, count = next(iter(report.reasons.items()))
    return (
        f"none of {report.addresses} pictures could be fetched; {count} of them: {reason}. Mend the cause, then add "
        "--retry"
    )


def _hosts(addresses: Iterable[str]) -> str:
    """The hosts of addresses with their counts, the most frequent first, as a part of a message."""
    counts: Counter[str] = Counter()
    for address in addresses:
        try:
            counts[host_of(parse_address(address))] += 1
        except Refused:
            counts["(not valid)"] += 1
    named = [f"{host} ({count} items)" for host, count in counts.most_common(MAX_HOSTS_NAMED)]
    return ", ".join([*named, "..."] if len(counts) > MAX_HOSTS_NAMED else named)
