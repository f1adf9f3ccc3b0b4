"""The tasks trained beside choosing: the model writes keywords, so that it understands items and users [extension].

The functions that gather and render the question of stage 3 do so for the tasks too, by the same temporal leakage rule.
An answer holds keywords that a prompt shows, so a variant that shows none has no such task.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mmsrarec.data.dataset import IntArray
from mmsrarec.models.packing.forward import PreparedBatch, prepare, read_prepared
from mmsrarec.models.packing.pack_table import PackTable
from mmsrarec.models.packing.packed_batch import Batch
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan
from mmsrarec.models.untyped import to_list
from mmsrarec.recommend.prompt.prompt_context import PromptContext, Retrieval
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import output_layer
from mmsrarec.recommend.training.training_samples import sample_queries
from mmsrarec.retrieve.collaborative_context import weigh_keywords

ExcludedUsers = NDArray[np.bool_] | None
"""(n_users,) mask of users whose queries are not drawn; None excludes nobody."""


def foresee(prompts: Prompts, context: PromptContext, target: int) -> PackedPrompt | None:
    """The task of writing the keywords of the next item, from history and context.

    Args:
        prompts: Renders the prompts.
        context: The prompt context of the query.
        target: Code of the next item.

    Returns:
        The example; None where the item has no keywords.
    """
    question = prompts.ask(prompts.context(context), "What do they take next? Answer with its keywords.")
    example = _answered(prompts, TokenSpan(question), prompts.shown_keywords(target))
    return None if example is None else replace(example, state=context.state)


def recognise(prompts: Prompts, code: int) -> PackedPrompt | None:
    """The task of writing the keywords of an item, from its title and picture.

    Args:
        prompts: Renders the prompts.
        code: Code of the item.

    Returns:
        The example; None where prompts show neither title nor picture of the item, or it has no keywords.
    """
    title, picture = prompts.title(code), prompts.picture(code)
    lines = [*title, *picture, *prompts.mllm.encode("\n")]
    question = TokenSpan(prompts.ask(lines, "What is it? Answer with its keywords."), [code] if picture else [])
    return _answered(prompts, question, prompts.shown_keywords(code) if title or picture else ())


def profile(prompts: Prompts, history: Sequence[int], consumed_items: Iterable[int]) -> PackedPrompt | None:
    """The task of writing the keywords that describe a user best, from the user's history.

    They are the heaviest by their number of items and their rarity in the catalogue
    (`retrieve.collaborative_context.weigh_keywords`).

    Args:
        prompts: Renders the prompts.
        history: Item codes, oldest first.
        consumed_items: Codes of all items that the user consumes in training.

    Returns:
        The example; None where these items have no keywords.
    """
    question = prompts.ask(prompts.history(history), "What do they like? Answer with keywords.")
    words = weigh_keywords(((code, 1.0) for code in consumed_items), prompts.shown_keywords, prompts.keyword_rarity)
    return _answered(prompts, TokenSpan(question), words[: prompts.settings.item_keywords])


def _answered(prompts: Prompts, question: TokenSpan, words: Sequence[str]) -> PackedPrompt | None:
    """A prompt whose answer stands in the place of a candidate and ends the model's turn; None without words."""
    answer = [*prompts.mllm.encode(", ".join(words)), prompts.mllm.turn_end]
    return PackedPrompt(question, [TokenSpan(answer)]) if words else None


def _foresee(
    prompts: Prompts, retrieval: Retrieval, n: int, rng: np.random.Generator, excluded_users: ExcludedUsers
) -> list[PackedPrompt | None]:
    """`n` examples of `foresee` at random training queries."""
    queries = sample_queries(retrieval.train, n, rng, excluded_users=excluded_users)
    contexts = retrieval.gather(queries, queries.target[:, None], prompts.settings)
    return [foresee(prompts, context, int(code)) for context, code in zip(contexts, queries.target, strict=True)]


def _recognise(
    prompts: Prompts, retrieval: Retrieval, n: int, rng: np.random.Generator, excluded_users: ExcludedUsers
) -> list[PackedPrompt | None]:
    """`n` examples of `recognise`: items of the training log, so that new items stay new; each before any repeats."""
    items = rng.permutation(np.flatnonzero(retrieval.train.counts))
    return [recognise(prompts, code) for code in np.resize(items, n).tolist()]


def _profile(
    prompts: Prompts, retrieval: Retrieval, n: int, rng: np.random.Generator, excluded_users: ExcludedUsers
) -> list[PackedPrompt | None]:
    """`n` examples of `profile` at random training queries."""
    queries = sample_queries(retrieval.train, n, rng, excluded_users=excluded_users)
    n_history = prompts.settings.history
    consumed_items = map(retrieval.train.items_of, queries.user.tolist())
    pairs = zip(queries.history, consumed_items, strict=True)
    return [profile(prompts, history[-n_history:].tolist(), items.tolist()) for history, items in pairs]


TASK_SAMPLERS: Mapping[
    str, Callable[[Prompts, Retrieval, int, np.random.Generator, ExcludedUsers], list[PackedPrompt | None]]
] = {
    "foresee": _foresee,
    "recognise": _recognise,
    "profile": _profile,
}
"""Task to the function that draws n examples of it from the training log."""


def draw_examples(
    prompts: Prompts, retrieval: Retrieval, seed: int, excluded_users: ExcludedUsers = None
) -> dict[str, list[PackedPrompt]]:
    """Draw the examples of the tasks. Those of one task do not depend on the shares of the others.

    Args:
        prompts: Renders the prompts; its settings name the share of each task.
        retrieval: Gathers the prompt contexts; holds the training log.
        seed: Seed of the draws.
        excluded_users: (n_users,) mask of users whose queries are not drawn; None excludes nobody.

    Returns:
        Task to its examples, without the tasks that have none.
    """
    examples_by_task: dict[str, list[PackedPrompt]] = {}
    for number, (task, sample) in enumerate(TASK_SAMPLERS.items(), start=1):
        n = round(getattr(prompts.settings.tasks, task) * prompts.settings.n_examples)
        samples = sample(prompts, retrieval, n, np.random.default_rng([seed, number]), excluded_users) if n else []
        if examples := [example for example in samples if example is not None]:
            examples_by_task[task] = examples
    return examples_by_task


def equal_cost_batch_size(examples: Sequence[PackedPrompt], packs: PackTable, batch: int) -> int:
    """The number of examples that cost about as much as a batch of packs.

    A token of an answer counts twice: it needs the whole output matrix, where a choice needs two rows of it.

    Args:
        examples: The examples of a task.
        packs: The packs of the task of choosing.
        batch: Packs of a batch.

    Returns:
        Examples of a batch, at least 1.
    """
    example_cost = np.mean([len(example) + len(example.candidates[0].ids) for example in examples])
    return max(1, round(batch * float(packs.lengths.mean() / example_cost)))


def mix_tasks(plans: Mapping[str, Sequence[IntArray]], rng: np.random.Generator) -> list[tuple[str, IntArray]]:
    """Mix the batches of all tasks in random order. The batches of one task keep their order.

    Args:
        plans: Task to the rows of each of its batches.
        rng: The random numbers.

    Returns:
        (task, rows) of each step.
    """
    remaining = {task: iter(batches) for task, batches in plans.items()}
    order = rng.permutation([task for task, batches in plans.items() for _ in batches]).tolist()
    return [(task, next(remaining[task])) for task in order]


def prepare_answers(prompts: Prompts, batch: Batch) -> PreparedBatch:
    """Prepare prompts with one answer each for `answer_loss`.

    Args:
        prompts: Holds the model in training and the pictures.
        batch: The prompts.
    """
    shared = batch.layout.shared
    rows: list[int] = []
    columns: list[int] = []
    answer_ids: list[int] = []
    shared_lengths: list[int] = to_list((batch.mask[:, 0, 0] == 0).sum(-1))
    for row, (length, last) in enumerate(zip(shared_lengths, to_list(batch.answers[1]), strict=True)):
        n_answer = last - shared + 1
        rows += [row] * n_answer
        columns += [length - 1, *range(shared, last)]
        answer_ids += to_list(batch.ids[row, shared : last + 1])
    places = torch.tensor(rows), torch.tensor(columns)
    return prepare(prompts.mllm, batch, prompts.features, places, [torch.tensor(answer_ids)])


def answer_loss(prompts: Prompts, prepared: PreparedBatch) -> Tensor:
    """The loss of written answers. Logits are computed only where a token of an answer is expected.

    Args:
        prompts: Holds the model in training and the pictures.
        prepared: What `prepare_answers` made of the prompts.

    Returns:
        The mean cross-entropy of the answers' tokens.
    """
    states, (answer_ids,) = read_prepared(prompts.mllm, prepared)
    logits: Tensor = output_layer(prompts.mllm)(states)
    return F.cross_entropy(logits.float(), answer_ids)


def answer_token_share(examples: PackTable, rows: IntArray, batch_rows: IntArray) -> float:
    """The share of a batch's answer tokens that one process computes: the weight of its mean loss.

    Args:
        examples: Prompts with one answer each.
        rows: Rows of the examples that the process computes.
        batch_rows: Rows of the whole batch.

    Returns:
        A share of 1.
    """
    answer_lengths = examples.part_lengths[1::2]  # a prompt, then its answer
    return float(answer_lengths[rows].sum() / answer_lengths[batch_rows].sum())
