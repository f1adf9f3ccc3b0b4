"""Kill workers of Ray again and again while they answer stage 1: nothing is lost, and nothing answered is asked twice.

    python benchmarks/engines/ray_kills.py --kills 20

Two workers answer about a synthetic catalogue with the embedded model, batch by batch. Each writes down what it begins
to answer. A thread kills one that is amid a batch, at a random time, again and again. What was under way has no answer
yet, so it is asked again, and is counted apart. Once a store is finished another one is begun, until there were enough
kills. The last line of the output is one JSON object.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from parity import LOCAL, catalogue

from mmsrarec.data.dataset import Dataset
from mmsrarec.engines.local_engine import LocalEngine, Question
from mmsrarec.engines.protocol import Answer, Request
from mmsrarec.engines.ray_engine import ModelSource, RayEngine
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.ray_workers import MOST_DEATHS, RayWorkers
from mmsrarec.models.vision.image_features import encode_catalogue_images
from mmsrarec.summarize.answer_store import Job, Store
from mmsrarec.summarize.keyword_parsing import stop_after
from mmsrarec.summarize.prompts import image_question, item_text, text_question
from mmsrarec.summarize.summarizer import ask

BATCH, TOKENS = 2, 12
STOP = stop_after(6)
JOB = Job("text", "model", "prompt", "decoding")


@dataclass
class Log:
    """Says who began to answer what. Workers write it, each line in one piece."""

    file: Path

    def __call__(self, mllm: Mllm, questions: Sequence[Question]) -> list[str | None]:
        with self.file.open("a") as file:
            file.write("".join(f"{question.content} {os.getpid()} {time.time()}\n" for question in questions))
        return [None] * len(questions)

    def rows(self) -> list[tuple[str, int, float]]:
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        return [(content, int(pid), float(at)) for content, pid, at in map(str.split, lines)]


@dataclass
class Killer:
    """Kills workers that are amid a batch.

    log: which batches were begun; kept: when each answer was kept; wanted: kills; killed: which process was killed
    when, and over which questions.
    """

    log: Log
    kept: dict[str, float]
    wanted: int
    rng: random.Random
    killed: dict[int, tuple[float, set[str]]] = field(default_factory=dict)
    finished: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        over: Counter[str] = Counter()
        while not self.finished.is_set() and len(self.killed) < self.wanted:
            begun: dict[int, set[str]] = {}
            for content, pid, _ in self.log.rows():
                if content not in self.kept and pid not in self.killed:
                    begun.setdefault(pid, set()).add(content)
            # one batch may lose fewer than MOST_DEATHS workers, which would end the work
            ready = [pid for pid, contents in begun.items() if max(over[each] for each in contents) < MOST_DEATHS - 2]
            if ready:
                pid = self.rng.choice(ready)
                time.sleep(self.rng.uniform(0, 0.3))
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                contents = {content for content in begun[pid] if content not in self.kept}
                self.killed[pid] = time.time(), contents
                over.update(contents)
                time.sleep(self.rng.uniform(0, 1))
            time.sleep(0.02)


class Watched(Store):
    """A store that says when it kept an answer."""

    kept: dict[str, float]

    def add(self, job: Job, answers: Sequence[Answer]) -> None:
        super().add(job, answers)
        self.kept.update({row.content: time.time() for row in answers})


def questions(dataset: Dataset, mllm: Mllm) -> tuple[list[Request], dict[str, Any]]:
    """What is asked about a catalogue, and the features of its pictures."""
    features = encode_catalogue_images(mllm, dataset, LOCAL.visual_tokens).features
    pictures = {f"picture-{code}": feature for code, feature in features.items()}
    texts = {f"text-{code}": text for code, item in enumerate(dataset.items) if (text := item_text(item))}
    asked = [Request(name, text_question(text)) for name, text in texts.items()]
    return [*asked, *(Request(name, image_question()) for name in pictures)], pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--items", type=int, default=12)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", default="embedded", help="a name or folder of a model")
    arguments = parser.parse_args()
    rng, source = random.Random(0), ModelSource(ModelSettings(name=arguments.model, dtype="float32"))
    with tempfile.TemporaryDirectory() as place:
        folder, mllm = Path(place), source.load()
        dataset = catalogue(folder / "data", arguments.items)
        requests, pictures = questions(dataset, mllm)
        contents = [request.content for request in requests]
        plain = LocalEngine(mllm, pictures, LOCAL.text_budget, BATCH)
        expected = {row.content: row.text for rows in plain.generate(requests, TOKENS, STOP) for row in rows}
        counts: Counter[str] = Counter()
        with RayWorkers(source.load, arguments.workers) as workers:
            while counts["kills"] < arguments.kills:
                number = counts["stores_finished"]
                log = Log(folder / f"log-{number}")
                local = LocalEngine(mllm, pictures, LOCAL.text_budget, BATCH, first_answers=log)
                engine = RayEngine(local, workers)
                with Watched(folder / f"{number}.sqlite") as store:
                    store.kept = {}
                    killer = Killer(log, store.kept, arguments.kills - counts["kills"], rng)
                    thread = threading.Thread(target=killer.run)
                    thread.start()
                    try:
                        answers = ask(
                            store,
                            JOB,
                            lambda known, e=engine: e.generate(requests, TOKENS, STOP, known),
                            contents,
                            lambda done, total, label: None,
                        )
                    finally:
                        killer.finished.set()
                        thread.join()
                    counts["answers_lost"] += len(expected.keys() - store.answers(JOB).keys())
                    counts["different"] += sum(answers.get(name) != text for name, text in expected.items())
                counts += count(log, store.kept, killer)
                counts["stores_finished"] += 1
                print(f"{counts['kills']} kills, {counts['stores_finished']} stores finished", flush=True)
            deaths = workers.deaths
    names = ("kills", "kills_amid_questions", "answers_lost", "answered_and_asked_again", "under_way_and_asked_again")
    result = {name: counts[name] for name in (*names, "different", "stores_finished")}
    print(json.dumps({"questions": len(requests), "workers": arguments.workers, "deaths": deaths, **result}))


def count(log: Log, kept: dict[str, float], killer: Killer) -> Counter[str]:
    """What the log of a finished store shows."""
    counts: Counter[str] = Counter(kills=len(killer.killed))
    counts["kills_amid_questions"] = sum(bool(contents) for _, contents in killer.killed.values())
    asked = Counter(content for content, _, _ in log.rows())
    counts["answered_and_asked_again"] = sum(at > kept[content] for content, _, at in log.rows())
    counts["under_way_and_asked_again"] = sum(times - 1 for times in asked.values())
    return counts


if __name__ == "__main__":
    main()
