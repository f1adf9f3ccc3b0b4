"""Summarizing survives SIGKILL at any query: every restart works, nothing recorded is lost or asked again."""

import hashlib
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import kills
import pytest
import torch
from tiny import tiny_mllm
from torch import Tensor

from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.packing.answer_likelihood import token_log_probs
from mmsrarec.models.vision.image_features import blank
from mmsrarec.summarize import image_grounding
from mmsrarec.summarize import summarizer as stage_1
from mmsrarec.summarize.keywords import Keywords
from mmsrarec.summarize.prompts import image_prompt, item_text, text_prompt
from mmsrarec.summarize.settings import SummarizeSettings

SETTINGS = SummarizeSettings(max_new_tokens_text=3, max_new_tokens_image=3, visual_tokens=4)
ITEMS, BATCH, SLOW = 60, 2, 0.02  # SLOW: seconds that each call of the model takes longer
KILLS, LITTLE = 25, 0.2  # LITTLE: share of the work below which it is finished, and new work begun
TABLES = ("answers", "support")


def make_data(folder: Path) -> Dataset:
    """Items with texts of different lengths; two of three have a picture, which nobody opens: `features` stands in."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    items = []
    for n in range(ITEMS):
        image = f"{n}.png" if n % 3 else None
        if image and not (folder / "images" / image).exists():
            (folder / "images" / image).write_bytes(b"picture %d" % n)
        items.append(Item(str(n), f"Mug {n}", "of blue clay " * (n % 4), ("Kitchen",), image))
    nobody = torch.zeros(0, dtype=torch.int64).numpy()
    return Dataset("test", tuple(items), (), make_interactions(nobody, nobody, nobody, 0, ITEMS), folder)


def features_of(mllm: Mllm, dataset: Dataset) -> dict[int, Tensor]:
    noise = torch.Generator().manual_seed(0)
    pictured = [code for code, item in enumerate(dataset.items) if item.image]
    return {code: 0.3 * torch.randn(4, mllm.hidden_size, generator=noise) for code in pictured}


def sign(*parts: Iterable[int] | Tensor | None) -> str:
    """A line that stands for a question."""
    text = "|".join(str(part.tolist() if isinstance(part, Tensor) else part and list(part)) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()


class Logging:
    """The tiny model, a bit slow, which writes down every question before it looks at it."""

    def __init__(self, mllm: Mllm, log: Path):
        self.mllm = mllm
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def __getattr__(self, name: str):
        return getattr(self.mllm, name)

    def tell(self, signs: Iterable[str]) -> None:
        for line in signs:
            os.write(self.log, f"{line}\n".encode())
        time.sleep(SLOW)

    def generate(self, prompts: Sequence[Sequence[int]], features: Sequence[Tensor | None], tokens: int, stop):
        self.tell(map(sign, prompts, features))
        # whatever the random weights say, it ends in what they cannot spell, so no answer is another's beginning
        answers = self.mllm.generate(prompts, features, tokens, stop)
        return [f"blue, {' '.join(said.split())}, zebra crossing" for said in answers]

    def check(self, _, prompts, answers, features, batch_tokens: int = 8192) -> list[Tensor]:
        self.tell(map(sign, prompts, features, answers))
        return token_log_probs(self.mllm, prompts, answers, features, batch_tokens)


def work(folder: Path, store: Path, log: Path) -> None:
    """What the child does."""
    torch.set_num_threads(1)
    dataset, model = make_data(folder), Logging(tiny_mllm(), log)
    image_grounding.token_log_probs = model.check  # this process is here for nothing else
    keywords = stage_1.summarize(dataset, model, SETTINGS, store, features_of(model.mllm, dataset), BATCH)  # pyright: ignore
    keywords.save(store.with_suffix(".parquet"), dataset, model.fingerprint)


def recorded(store: Path, scratch: Path) -> dict[str, set[tuple]]:
    """All rows of each table, out of a copy, so that the restarted child finds what the killed one left."""
    rows: dict[str, set[tuple]] = {name: set() for name in TABLES}
    if not store.exists():
        return rows
    for path in (store, store.with_name(store.name + "-wal")):
        if path.exists():
            shutil.copy(path, scratch / path.name)
    with closing(sqlite3.connect(scratch / store.name)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        there = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        for name in there & rows.keys():
            rows[name] = set(db.execute(f"SELECT * FROM {name}"))
    for path in scratch.iterdir():
        path.unlink()
    return rows


class Questions:
    """The sign under which a row's question was written down."""

    def __init__(self, folder: Path):
        self.mllm, dataset = tiny_mllm(), make_data(folder)
        features, self.asked = features_of(self.mllm, dataset), {}
        self.features: dict[str, Tensor] = {}
        for code, item in enumerate(dataset.items):
            content = hashlib.sha256(item_text(item).encode()).hexdigest()
            self.asked[content] = sign(text_prompt(self.mllm, item, SETTINGS.text_budget), None)
            if (path := dataset.image_path(code)) is not None:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                self.features[content] = features[code]
                self.asked[content] = sign(image_prompt(self.mllm, 4), features[code])
        self.blank = blank(self.mllm, 4)

    def of(self, rows: dict[str, set[tuple]]) -> set[str]:
        answered = {self.asked[row[4]] for row in rows["answers"]}
        places = {(row[2], row[3]) for row in rows["support"]}  # a row for each place in an answer
        said = {content: max((k for c, k in places if c == content), key=len) for content, _ in places}
        said.pop(image_grounding.BLANK, None)
        parts = {content: said[content].split(", ") for content in said}
        expected = {(c, so_far) for content in parts for so_far in image_grounding.prefixes(parts[content])
                    for c in (content, image_grounding.BLANK)}  # fmt: skip
        assert places == expected
        prompt, checked = image_prompt(self.mllm, 4), set()
        for content, keywords in parts.items():
            ids = [token for piece in image_grounding.pieces(self.mllm, keywords) for token in piece]
            checked |= {sign(prompt, self.features[content], ids), sign(prompt, self.blank, ids)}
        return answered | checked


def seconds_of(*args: Path) -> float:
    begun = time.monotonic()
    kills.run_to_the_end(work, args)
    return time.monotonic() - begun


@pytest.mark.slow
def test_killed_at_any_moment_summarizing_loses_nothing_and_asks_nothing_twice(tmp_path: Path) -> None:
    data, scratch, rng = tmp_path / "data", tmp_path / "scratch", random.Random(0)
    scratch.mkdir()
    dataset, questions = make_data(data), Questions(data)
    whole, whole_log = tmp_path / "whole", tmp_path / "whole.log"
    seconds_of(data, tmp_path / "first", tmp_path / "first.log")  # waits for the server
    at_work = seconds_of(data, whole, whole_log)
    expected = Keywords.load(whole.with_suffix(".parquet"), dataset)
    rows = recorded(whole, scratch)
    total = sum(map(len, rows.values()))
    signs = whole_log.read_text().split()
    assert len(signs) == len(questions.of(rows))
    assert questions.of(rows) == set(signs)
    idle = seconds_of(data, whole, whole_log)
    assert whole_log.read_text().split() == signs

    tries = hits = inside = stores = 0
    left = 1.0
    while hits < KILLS:
        store, log = (tmp_path / f"{stores}{end}" for end in ("", ".log"))
        log.touch()
        before, logged = recorded(store, scratch), log.stat().st_size
        expected_end = idle + left * (at_work - idle)
        hit = kills.kill_at_random(work, (data, store, log), rng, 0, expected_end)
        after, asked = recorded(store, scratch), log.read_bytes()[logged:].decode().split()
        assert all(before[name] <= after[name] for name in TABLES)  # every column, the time of its making included
        assert len(asked) == len(set(asked))
        assert not questions.of(before) & set(asked)
        tries, hits, inside = tries + 1, hits + hit, inside + (hit and bool(asked))
        left = 1 - sum(map(len, after.values())) / total
        if left < LITTLE or hits == KILLS:
            logged = log.stat().st_size
            seconds_of(data, store, log)
            assert all(after[name] <= recorded(store, scratch)[name] for name in TABLES)
            assert not questions.of(after) & set(log.read_bytes()[logged:].decode().split())
            assert Keywords.load(store.with_suffix(".parquet"), dataset) == expected
            left, stores = 1.0, stores + 1
        assert hits >= tries / 2 or tries < 10, f"only {hits} of {tries} kills met a living process"
    print(f"{hits} of {tries} kills met a living process, {inside} amid its questions; {stores} stores finished")
    print(f"uninterrupted: {at_work:.1f} s, of which {idle:.1f} s to start")
    assert inside > KILLS / 2
