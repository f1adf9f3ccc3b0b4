"""Writes the parts of a run into its folder, each whole or absent."""

import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from mmsrarec.core import artefacts
from mmsrarec.core.progress import Progress
from mmsrarec.models import processes
from mmsrarec.runs.fingerprints import Fingerprints
from mmsrarec.runs.run_folder import RunFolder
from mmsrarec.summarize.language.detection import CatalogueWords

Shard = tuple[int, int]


class PartWriter:
    """A run folder that is being filled.

    Attributes:
        run_folder: The run that is made.
        say: Is told each line.
        shard: (i, n): answer only the i-th of n parts of stage 1's questions, into a file of its own.
        retune: Tune the summaries again where the catalogue has changed since they were tuned.
        words: The words of the whole catalogue when it was first summarized, so that items that join change no other
            item's keywords; counted anew unless given.
        keys: The keys of the run's parts.
    """

    def __init__(
        self,
        run_folder: RunFolder,
        say: Progress,
        shard: Shard | None = None,
        retune: bool = False,
        words: CatalogueWords | None = None,
    ):
        self.run_folder, self.say, self.shard, self.retune, self.words = run_folder, say, shard, retune, words
        self.recipe, self.out = run_folder.recipe, run_folder.folder
        self.keys = Fingerprints(run_folder)

    @contextmanager
    def stage(self, part: str, key: str, inputs: dict[str, str] | None = None) -> Generator[Path | None]:
        """A folder to write a part into, or None where it is current already.

        Args:
            part: The part's folder inside the run.
            key: What it is made from, as `Fingerprints` says.
            inputs: What its manifest records of the parts that it is made from.
        """
        if artefacts.is_current(self.out / part, key):
            self.say(f"{part}: up to date")
            yield None
            return
        if not processes.is_first():  # what it makes too, the first one keeps
            with tempfile.TemporaryDirectory() as scratch:
                yield Path(scratch)
            return
        started = time.monotonic()
        (self.out / part).parent.mkdir(parents=True, exist_ok=True)
        with artefacts.writing(self.out / part, kind=part, key=key, settings=self.recipe, inputs=inputs) as folder:
            yield folder
        self.say(f"{part}: done in {time.monotonic() - started:.0f} s")
