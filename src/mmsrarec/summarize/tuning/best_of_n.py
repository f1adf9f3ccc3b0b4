"""The warm start's targets: of several answers of the untuned model, the best under the reward.

This is rejection sampling, before supervised fine-tuning: a small model's answers are too similar and too poor for
groups of them to teach anything. Three kinds of lists join the sampled answers: their first keywords, their keywords
without the words of the title, and, for texts, a list composed of the keywords of all answers and the words of the
text, for a small model seldom samples the best combination.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import torch

from mmsrarec.core.progress import Count
from mmsrarec.models import processes
from mmsrarec.summarize.keyword_parsing import clean, content_words, distinct
from mmsrarec.summarize.tuning.reward_parts import new_to, usable
from mmsrarec.summarize.tuning.reward_scorer import RewardScorer
from mmsrarec.summarize.tuning.tuning_tasks import SummaryTask, answer_draws

BATCH = 16
"""Tasks asked at once. Several processes take a batch each."""
MAX_FULLY_SCORED = 8
"""Answers to a task that are scored by all rewards, at most; CHEAP_REWARDS choose them."""
CHEAP_REWARDS = ("information", "length")
"""Names of the rewards that need no language model."""
MAX_FIRST_CANDIDATES, MAX_LATER_CANDIDATES = 48, 16
"""Keywords that a list is composed from, for its first keyword and for the later ones."""


class BestAnswer(TypedDict):
    """The best answer to a task.

    Attributes:
        name: The task's name.
        answer: The best answer; "" where none is usable.
        reward: Its reward.
        first: The reward of the first sample, as the model gave it.
    """

    name: str
    answer: str
    reward: float
    first: float


def best_of(
    scorer: RewardScorer,
    summary_tasks: Sequence[SummaryTask],
    samples: int,
    temperature: float,
    seed: int,
    file: Path,
    progress: Count,
) -> list[BestAnswer]:
    """Find the best of several answers to each task.

    Rows are kept line by line in a file, so that a stopped search continues where it was and draws the same. Several
    processes (`models.processes`) share the batches; only the first writes, and all get the rows.

    Args:
        scorer: The rewards, with the policy that answers.
        summary_tasks: m tasks.
        samples: Answers to a task.
        temperature: Temperature of sampling.
        seed: Seed of sampling.
        file: The JSON lines of finished tasks.
        progress: Called with (done, total, label).

    Returns:
        m rows.
    """
    rows = processes.from_first(lambda: _read(file, len(summary_tasks)))
    while len(rows) < len(summary_tasks):
        start = len(rows) + BATCH * processes.rank()
        batch_rows = _best_of_batch(scorer, summary_tasks[start : start + BATCH], samples, temperature, seed)
        new_rows = [row for share in processes.gather(batch_rows) for row in share]
        if processes.is_first():
            with file.open("a", encoding="utf-8") as out:
                out.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in new_rows))
        rows += new_rows
        progress(len(rows), len(summary_tasks), "best of several answers")
    return rows


def _best_of_batch(
    scorer: RewardScorer, batch: Sequence[SummaryTask], samples: int, temperature: float, seed: int
) -> list[BestAnswer]:
    """The best answers to the tasks of a batch, which may be none."""
    if not batch:
        return []
    scorer.forget()
    policy = scorer.policy_summarizer
    names = [f"{summary_task.name}|{number}" for summary_task in batch for number in range(samples)]
    draws = answer_draws(seed, names, max(policy.tokens.values()))
    answers = policy.decode(policy.answers(batch, True, samples, temperature, draws))
    return [
        _best(scorer, summary_task, answers[n * samples : (n + 1) * samples]) for n, summary_task in enumerate(batch)
    ]


def _best(scorer: RewardScorer, summary_task: SummaryTask, samples: Sequence[str]) -> BestAnswer:
    """The best answer to one task, given its sampled answers."""
    lexicon, limit = scorer.policy_summarizer.lexicon, scorer.policy_summarizer.limits[summary_task.modality]
    lists = [usable(answer, summary_task.modality, summary_task.text, limit, lexicon) for answer in samples]
    if scorer.tune.conditioning == "title":
        lists += [new_to(summary_task.title, keywords, lexicon) for keywords in lists]
    has_cheap_rewards = summary_task.modality == "text" and "information" in scorer.weights
    if has_cheap_rewards:
        lists.append(compose(scorer, summary_task, [keyword for keywords in lists for keyword in keywords], limit))
    candidates = list(dict.fromkeys(keywords[:n] for keywords in lists for n in range(1, len(keywords) + 1)))
    if not candidates:
        return {"name": summary_task.name, "answer": "", "reward": -1.0, "first": -1.0}
    answers = [", ".join(keywords) for keywords in candidates]
    if has_cheap_rewards and len(answers) > MAX_FULLY_SCORED:
        values = scorer.rewards_of([summary_task] * len(answers), answers, CHEAP_REWARDS)
        order = torch.argsort(torch.tensor(values), descending=True)[:MAX_FULLY_SCORED].numpy()
        answers = [answers[int(place)] for place in order]
    rewards = scorer.rewards_of([summary_task] * (len(answers) + 1), [*answers, samples[0]])
    place = max(range(len(answers)), key=rewards.__getitem__)
    return {"name": summary_task.name, "answer": answers[place], "reward": rewards[place], "first": rewards[-1]}


def compose(scorer: RewardScorer, summary_task: SummaryTask, keywords: Sequence[str], limit: int) -> tuple[str, ...]:
    """Compose a list keyword by keyword, each the one that raises CHEAP_REWARDS most, while any does.

    The candidates are the given keywords and the content words of the task's text. The most informative keyword comes
    first, so a later prompt with little room cuts off the least informative ones.

    Args:
        scorer: The rewards.
        summary_task: A task about a text.
        keywords: The keywords of all answers.
        limit: Keywords, at most.

    Returns:
        The composed list.
    """
    lexicon = scorer.policy_summarizer.lexicon
    candidates = (*keywords, *map(clean, content_words(summary_task.text, lexicon)))
    pool: tuple[str, ...] = distinct(candidates, MAX_FIRST_CANDIDATES, lexicon)
    composed: tuple[str, ...] = ()
    best_value = -math.inf
    while len(composed) < limit and pool:
        lists: list[tuple[str, ...]] = [(*composed, keyword) for keyword in pool]
        answers = [", ".join(row) for row in lists]
        values = scorer.rewards_of([summary_task] * len(lists), answers, CHEAP_REWARDS)
        order = sorted(range(len(pool)), key=lambda place: -values[place])
        if values[order[0]] <= best_value:
            break
        best_value, composed = values[order[0]], lists[order[0]]
        pool = tuple(pool[place] for place in order[1 : 1 + MAX_LATER_CANDIDATES])
    return composed


def _read(file: Path, n_tasks: int) -> list[BestAnswer]:
    """The whole batches of an earlier search; a line that a killed process left half-written is cut off."""
    if not file.exists():
        return []
    rows: list[BestAnswer] = []
    for line in file.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
        if not line.endswith("\n"):
            rows.pop()
            break
    rows = rows[:n_tasks] if len(rows) >= n_tasks else rows[: len(rows) // BATCH * BATCH]
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return rows
