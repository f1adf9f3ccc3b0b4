"""Changes of what a server answers from: items that are written, patched and deleted, and runs that take over.

One change is made after the other. A change is on the disk before it is answered, and the next question sees it;
questions that are being answered meanwhile see the catalogue of before.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from mmsrarec.data.dataset import Item
from mmsrarec.data.erasing.id_traces import pattern
from mmsrarec.data.reading.cleaning import clean
from mmsrarec.data.reading.line_faults import is_null
from mmsrarec.errors import MmsrarecError, NotFittedError, UnknownIdError
from mmsrarec.runs.changes.reach import ELSEWHERE, erase_beside
from mmsrarec.serve.model.catalogue_view import CatalogueView
from mmsrarec.serve.model.item_reading import ItemReader
from mmsrarec.serve.schema.changing import ErasureAnswered, ItemAnswered, ItemAsked, ItemPatch, RunAnswered
from mmsrarec.serve.service import Service
from mmsrarec.serve.state import erasing
from mmsrarec.serve.state.change_log import tell
from mmsrarec.serve.state.database import is_sqlite
from mmsrarec.serve.state.item_rows import ItemRow, load_items, save_item, set_stock
from mmsrarec.serve.worker import Worker

Result = TypeVar("Result")
QUEUE = 32
"""Changes that may wait."""
NO_RUN_OF_BEFORE = "there is no run of before (an erasure lets it go): have one take over by its name"
OTHER_SERVERS = (
    "servers of this database on other machines keep run folders of their own, which are not reached: "
    "mmsrarec erase FOLDER --user ID there"
)


class Changes:
    """Changes one server.

    Attributes:
        service: The server.
        worker: The thread that reads items and loads runs.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.worker: Worker[Callable[[], object], object] = Worker("changes", _one_by_one, QUEUE, 1)
        service.workers["changes"] = self.worker
        self._reader: ItemReader | None = None
        self._first = service.settings.run.expanduser().absolute()

    async def close(self) -> None:
        """Finish what waits."""
        await asyncio.to_thread(self.worker.close)

    async def put_item(self, item_id: str, body: ItemAsked) -> ItemAnswered:
        """Write an item: it is read, and recommendable when this returns."""
        self.service.run()
        if is_null(item_id):
            raise MmsrarecError(f"{item_id!r} names nothing: give the item another id")
        categories = filter(None, map(clean, body.categories))
        item = Item(item_id, clean(body.title), clean(body.text), tuple(dict.fromkeys(categories)))

        def write() -> ItemAnswered:
            row = self._item_reader().read(item, body.picture, body.in_stock)
            return self._took(lambda connection: save_item(connection, row, self.service.server))

        return await self._with_worker(write)

    async def patch_item(self, item_id: str, body: ItemPatch) -> ItemAnswered:
        """Change whether an item is in stock. Raises UnknownIdError."""
        CatalogueView(self.service.run()).code(item_id)
        server = self.service.server
        return await self._with_worker(
            lambda: self._took(lambda connection: set_stock(connection, item_id, body.in_stock, server))
        )

    async def delete_item(self, item_id: str) -> None:
        """Delete an item: it is never recommended, and its text and picture are gone. Raises UnknownIdError."""
        CatalogueView(self.service.run()).code(item_id)

        def write() -> None:
            before = self.service.run().rows.get(item_id)
            described = before is not None and before.described
            row = ItemRow(Item(item_id), in_stock=False, deleted=True, described=described)
            self.take_items([self._written(lambda connection: save_item(connection, row, self.service.server))])

        await self._with_worker(write)

    async def erase_user(self, user: str) -> ErasureAnswered:
        """Erase a user from the state, from the runs that this server may load, and from their data folders.

        What was trained with this user stays, and its manifest says so. The answer of this comes when no file holds the
        id any more; the run is loaded anew meanwhile. `notes` and `not_reached` say what is left to do.
        """
        self.service.run()
        receipt = await self.service.forget_user(user)
        wiped = await asyncio.to_thread(erasing.wipe, self.service.state.engine)  # first: the run may refuse
        in_run, notes = await self._with_worker(lambda: self._erase_from_runs(user, f"erased-{receipt.receipt}"))
        if not wiped:
            notes.append("another process reads the state: erased rows leave its files once it is closed")
        return ErasureAnswered(
            receipt=receipt.receipt,
            time=receipt.time,
            events=receipt.events,
            run="erased" if in_run else "absent",
            notes=notes,
            not_reached=[ELSEWHERE, *([] if is_sqlite(self.service.state.engine) else [OTHER_SERVERS])],
        )

    async def activate(self, name: str) -> RunAnswered:
        """Let another run take over, which lies beside the first one; until it is loaded the old one answers.

        Raises:
            MmsrarecError: There is no such run, or it cannot be loaded.
        """
        folder = self._first.parent / name
        if not folder.is_dir():
            raise UnknownIdError(f"there is no run {name} beside the one that the server was started with")
        return await self._with_worker(lambda: self._take_over(folder))

    async def roll_back(self) -> RunAnswered:
        """Have the run of before back, with the items of now. Raises MmsrarecError where there is none."""
        if self.service.previous is None:
            raise NotFittedError(NO_RUN_OF_BEFORE)
        return await self._with_worker(self._swap)

    def answered(self) -> RunAnswered:
        """The run that answers."""
        previous = self.service.previous
        return RunAnswered(run=self.service.run().name, previous=None if previous is None else previous.name)

    def _take_over(self, folder: Path) -> RunAnswered:
        loaded = self.service.load(folder, self._data_of(folder))  # of the same name it may have been made anew
        self.service.previous, self.service.served = self.service.run(), loaded
        return self.answered()

    def _erase_from_runs(self, user: str, placeholder: str) -> tuple[bool, list[str]]:
        """Whether a run or its data held the user, and notes. The run is loaded anew where one did."""
        now, before = self.service.run(), self.service.previous
        folders = [served.folder for served in dict.fromkeys((now, before)) if served is not None]
        erasure = erase_beside(list(dict.fromkeys(folders)), user, placeholder, self._data_of(now.folder))
        if erasure.was_there:
            self.reload()
            self._written(lambda connection: tell(connection, self.service.server, "files"))
        return erasure.was_there, [pattern(user).sub("ID", note) for note in erasure.notes]

    def _swap(self) -> RunAnswered:
        before, now = self.service.previous, self.service.run()
        if before is None:
            raise NotFittedError(NO_RUN_OF_BEFORE)
        changed = [name for name, row in now.rows.items() if row != before.rows.get(name)]
        rows = self._written(lambda connection: load_items(connection, changed))
        self.service.previous, self.service.served = now, before.with_rows(rows)
        return self.answered()

    def _item_reader(self) -> ItemReader:
        """Of the run that answers; what it loaded is kept."""
        base = self.service.run().base
        if self._reader is None or self._reader.recommender is not base:
            self._reader = ItemReader(base)
        return self._reader

    def take_items(self, rows: Sequence[ItemRow]) -> None:
        """Answer with the catalogue in which some items are as the state has them. Called in the worker."""
        self.service.served = self.service.run().with_rows(rows)

    def reload(self) -> None:
        """Load the run that answers anew, whose files were rewritten. Called in the worker."""
        folder = self.service.run().folder
        self.service.previous = None
        self.service.served = self.service.load(folder, self._data_of(folder))

    def _data_of(self, folder: Path) -> Path | None:
        """Where the data folder of a run lies, if the server was told."""
        return self.service.settings.data if folder == self._first else None

    def _took(self, write: Callable[[Connection], ItemRow]) -> ItemAnswered:
        row = self._written(write)
        self.take_items([row])
        return CatalogueView(self.service.run()).item(row.item.item_id)

    def _written(self, step: Callable[[Connection], Result]) -> Result:
        """What a step of the database returns, once it is on the disk."""
        return self.service.state.submit(step).result()

    async def _with_worker(self, change: Callable[[], Result]) -> Result:
        return await asyncio.wrap_future(self.worker.submit(change))  # pyright: ignore[reportReturnType]


def _one_by_one(changes: Sequence[Callable[[], object]]) -> list[object]:
    results: list[object] = []
    for change in changes:
        try:
            results.append(change())
        except Exception as error:
            results.append(error)
    return results
