"""The tasks trained beside choosing: the model writes keywords, so that it understands items and people [extension].

Every context is gathered and rendered by the functions that serve the question of stage 3, under the same clock. An
answer holds keywords that a prompt shows, so a variant that shows none has no such task.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mmsrarec.data.dataset import IntArray
from mmsrarec.models.packing.forward import batch_of, read
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan
from mmsrarec.recommend.prompt.prompt_context import PromptContext, Retrieval
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.training.training_samples import sample_queries
from mmsrarec.retrieve.collaborative_context import weigh_keywords


def foresee(prompts: Prompts, context: PromptContext, target: int) -> PackedPrompt | None:
    """History and context -> the keywords of the item that is taken next. None where that has no keywords."""
    asked = prompts.ask(prompts.context(context), "What do they take next? Answer with its keywords.")
    return _answered(prompts, TokenSpan(asked), prompts.shown_keywords(target))


def recognise(prompts: Prompts, code: int) -> PackedPrompt | None:
    """Title and picture of an item -> its keywords. None where nothing is shown of it, or it has no keywords."""
    title, picture = prompts.title(code), prompts.picture(code)
    lines = [*title, *picture, *prompts.mllm.encode("\n")]
    asked = TokenSpan(prompts.ask(lines, "What is it? Answer with its keywords."), [code] if picture else [])
    return _answered(prompts, asked, prompts.shown_keywords(code) if title or picture else ())


def profile(prompts: Prompts, history: Sequence[int], taken: Iterable[int]) -> PackedPrompt | None:
    """History -> the keywords that describe somebody best: of all items taken, the ones in many of them, and rare in
    the catalogue. None where those have no keywords."""
    asked = prompts.ask(prompts.history(history), "What do they like? Answer with keywords.")
    words = weigh_keywords(((code, 1.0) for code in taken), prompts.shown_keywords, prompts.keyword_rarity)
    return _answered(prompts, TokenSpan(asked), words[: prompts.settings.item_keywords])


def _answered(prompts: Prompts, asked: TokenSpan, words: Sequence[str]) -> PackedPrompt | None:
    """The answer stands where a candidate does, and ends the model's turn."""
    answer = [*prompts.mllm.encode(", ".join(words)), prompts.mllm.turn_end]
    return PackedPrompt(asked, [TokenSpan(answer)]) if words else None


def _foresee(prompts: Prompts, retrieval: Retrieval, n: int, rng: np.random.Generator) -> list[PackedPrompt | None]:
    queries = sample_queries(retrieval.train, n, rng)
    known = retrieval.gather(queries, queries.target[:, None], prompts.settings)
    return [foresee(prompts, one, int(code)) for one, code in zip(known, queries.target, strict=True)]


def _recognise(prompts: Prompts, retrieval: Retrieval, n: int, rng: np.random.Generator) -> list[PackedPrompt | None]:
    """Items that training knows only, so that new ones stay new; all of them before any comes again."""
    items = rng.permutation(np.flatnonzero(retrieval.train.counts))
    return [recognise(prompts, code) for code in np.resize(items, n).tolist()]


def _profile(prompts: Prompts, retrieval: Retrieval, n: int, rng: np.random.Generator) -> list[PackedPrompt | None]:
    queries, newest = sample_queries(retrieval.train, n, rng), prompts.settings.history
    taken = map(retrieval.train.items_of, queries.user.tolist())
    pairs = zip(queries.history, taken, strict=True)
    return [profile(prompts, history[-newest:].tolist(), all_.tolist()) for history, all_ in pairs]


DRAWN: Mapping[str, Callable[[Prompts, Retrieval, int, np.random.Generator], list[PackedPrompt | None]]] = {
    "foresee": _foresee,
    "recognise": _recognise,
    "profile": _profile,
}
"""How the examples of each task are drawn, from the training part alone."""


def draw_examples(prompts: Prompts, retrieval: Retrieval, seed: int) -> dict[str, list[PackedPrompt]]:
    """The examples of each task that the settings ask for; a task's do not depend on the weights of the others."""
    found = {}
    for number, (task, draw) in enumerate(DRAWN.items(), start=1):
        n = round(getattr(prompts.settings.tasks, task) * prompts.settings.n_examples)
        drawn = draw(prompts, retrieval, n, np.random.default_rng([seed, number])) if n else []
        if examples := [one for one in drawn if one is not None]:
            found[task] = examples
    return found


def alike_in_cost(examples: Sequence[PackedPrompt], packs: Sequence[PackedPrompt], batch: int) -> int:
    """How many examples make a step about as dear as `batch` packs. An answer's tokens count twice: each asks the whole
    output matrix, where a choice asks two rows of it."""
    dear = np.mean([len(one) + len(one.candidates[0].ids) for one in examples])
    return max(1, round(batch * float(np.mean([len(pack) for pack in packs]) / dear)))


def mix(plans: Mapping[str, Sequence[IntArray]], rng: np.random.Generator) -> list[tuple[str, IntArray]]:
    """(task, rows) of every step: batches of one task each, in random order, in which each task keeps its own."""
    waiting = {task: iter(batches) for task, batches in plans.items()}
    order = rng.permutation([task for task, batches in plans.items() for _ in batches]).tolist()
    return [(task, next(waiting[task])) for task in order]


def answer_loss(prompts: Prompts, examples: Sequence[PackedPrompt]) -> Tensor:
    """Mean cross-entropy of the answers' tokens. Logits are computed where an answer is expected, and nowhere else."""
    batch, device = batch_of(prompts.mllm, examples), prompts.mllm.device
    rows, columns, wanted = [], [], []
    for row, one in enumerate(examples):
        (answer,) = one.candidates
        rows += [row] * len(answer.ids)
        columns += [len(one.shared.ids) - 1, *range(batch.layout.shared, batch.layout.shared + len(answer.ids) - 1)]
        wanted += answer.ids
    places = torch.tensor(rows, device=device), torch.tensor(columns, device=device)
    logits = prompts.mllm.model.get_output_embeddings()(read(prompts.mllm, batch, prompts.features, places))  # pyright: ignore
    return F.cross_entropy(logits.float(), torch.tensor(wanted, device=device))


def answer_share(examples: Sequence[PackedPrompt], rows: IntArray, together: IntArray) -> float:
    """Of the answers' tokens in a batch, the share in `rows` of it: what a process's mean weighs in that of all."""
    mine, all_ = (sum(len(examples[row].candidates[0].ids) for row in part) for part in (rows, together))
    return mine / all_
