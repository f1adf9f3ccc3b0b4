"""The warm start: of several answers of the untuned model, the best under the reward becomes the answer to learn.

Rejection sampling, then supervised fine-tuning: a small model's answers are too alike and too poor for groups of them
to teach anything. An answer's first words count as answers of their own, and so does an answer without the words of
the title, so short ones and new ones are among the choice. For texts a list put together from all answers and from the
words of the text joins them: what a small model samples seldom holds the best combination.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import torch

from mmsrarec.core.progress import Count
from mmsrarec.summarize.keywords import clean, content_words, distinct
from mmsrarec.summarize.tuning.reward_scorer import RewardScorer
from mmsrarec.summarize.tuning.rewards import new_to, usable
from mmsrarec.summarize.tuning.tuning_tasks import SummaryTask

BATCH = 16
"""Subjects asked at once. Part of the result, as draws depend on it."""
MAX_FULLY_SCORED = 8
"""Answers to one subject that the whole reward judges, at most; information and length choose them."""
CHEAP_REWARDS = ("information", "length")
MAX_FIRST_CANDIDATES, MAX_LATER_CANDIDATES = 48, 16
"""Keywords that a list is put together from, at first and once the first is chosen."""


def best_of(
    judge: RewardScorer, summary_tasks: Sequence[SummaryTask], samples: int, temperature: float, seed: int, file: Path,
    progress: Count,
) -> list[dict]:  # fmt: skip
    """One {"name", "answer", "reward", "first"} a subject; first: the reward of the first sample as it came.

    Kept line by line in `file`, so a stopped search goes on where it was and draws the same.
    """
    done = _read(file, len(summary_tasks))
    with file.open("a", encoding="utf-8") as out:
        for start in range(len(done), len(summary_tasks), BATCH):
            batch = summary_tasks[start : start + BATCH]
            judge.forget()
            draws = torch.Generator(judge.policy_summarizer.mllm.device).manual_seed(seed * 1_000_003 + start)
            said = judge.policy_summarizer.decode(
                judge.policy_summarizer.answers(batch, True, samples, temperature, draws)
            )
            rows = [
                _best(judge, summary_task, said[n * samples : (n + 1) * samples])
                for n, summary_task in enumerate(batch)
            ]
            out.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
            out.flush()
            done += rows
            progress(len(done), len(summary_tasks), "best of several answers")
    return done


def _best(judge: RewardScorer, summary_task: SummaryTask, said: Sequence[str]) -> dict:
    limit = judge.policy_summarizer.limits[summary_task.modality]
    lists = [
        usable(answer, summary_task.modality, summary_task.text, limit, judge.policy_summarizer.lexicon)
        for answer in said
    ]
    if judge.tune.conditioning == "title":
        lists += [new_to(summary_task.title, kept, judge.policy_summarizer.lexicon) for kept in lists]
    cheap = summary_task.modality == "text" and "information" in judge.weights
    if cheap:
        lists.append(compose(judge, summary_task, [keyword for kept in lists for keyword in kept], limit))
    choice = list(dict.fromkeys(kept[:n] for kept in lists for n in range(1, len(kept) + 1)))
    if not choice:
        return {"name": summary_task.name, "answer": "", "reward": -1.0, "first": -1.0}
    answers = [", ".join(keywords) for keywords in choice]
    if cheap and len(answers) > MAX_FULLY_SCORED:
        told = judge.rewards_of([summary_task] * len(answers), answers, CHEAP_REWARDS)
        answers = [answers[place] for place in torch.tensor(told).argsort(descending=True)[:MAX_FULLY_SCORED].tolist()]
    found = judge.score([summary_task] * (len(answers) + 1), [*answers, said[0]])["total"]
    place = max(range(len(answers)), key=found.__getitem__)
    return {"name": summary_task.name, "answer": answers[place], "reward": found[place], "first": found[-1]}


def compose(judge: RewardScorer, summary_task: SummaryTask, said: Sequence[str], limit: int) -> tuple[str, ...]:
    """A list put together keyword by keyword, each the one that raises information less length most, while it pays.

    It chooses from the keywords that were said and the words of the text itself, the most telling first: so where a
    later prompt has little room, what it cuts off matters least.
    """
    lexicon = judge.policy_summarizer.lexicon
    pool = distinct((*said, *map(clean, content_words(summary_task.text, lexicon))), MAX_FIRST_CANDIDATES, lexicon)
    kept: tuple[str, ...] = ()
    best = -math.inf
    while len(kept) < limit and pool:
        lists = [(*kept, keyword) for keyword in pool]
        told = judge.rewards_of([summary_task] * len(lists), [", ".join(keywords) for keywords in lists], CHEAP_REWARDS)
        order = sorted(range(len(pool)), key=lambda place: -told[place])
        if told[order[0]] <= best:
            break
        best, kept = told[order[0]], lists[order[0]]
        pool = tuple(pool[place] for place in order[1 : 1 + MAX_LATER_CANDIDATES])
    return kept


def _read(file: Path, most: int) -> list[dict]:
    """The whole batches of an earlier search; what a killed process left half-written is cut off."""
    if not file.exists():
        return []
    rows: list[dict] = []
    for line in file.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
        if not line.endswith("\n"):
            rows.pop()
            break
    rows = rows[:most] if len(rows) >= most else rows[: len(rows) // BATCH * BATCH]
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return rows
