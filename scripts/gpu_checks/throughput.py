"""Throughput of stage 1, training and scoring, and the share that they have of the rate of a plain matrix product."""

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

import torch

from gpu_checks import operations
from gpu_checks.results import Result
from gpu_checks.workload import Workload
from mmsrarec.engines.local_engine import LocalEngine
from mmsrarec.engines.protocol import Request
from mmsrarec.models.backbone.adapter import Trainer, add_adapter
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.quick_layers import quickened
from mmsrarec.models.compiled_layers import compile_layers
from mmsrarec.models.devices import synchronize
from mmsrarec.models.packing.forward import batch_of
from mmsrarec.models.vision.image_features import encode_catalogue_images
from mmsrarec.recommend.ranking.scorer import score_packs, yes_minus_no_of
from mmsrarec.recommend.training.ranking_loss import choose_loss
from mmsrarec.summarize.keyword_parsing import stop_after
from mmsrarec.summarize.prompts import image_question, item_text, text_question

LEAST_REPEATS = 3
COMPILED = ", compiled layers"
"""How a line ends whose model has `runtime.compile_layers`."""


def seconds_of(do: Callable[[], object], device: str, seconds: float) -> float:
    """The median time of a call, after one that does not count; calls go on until the seconds are over."""
    do()
    synchronize(device)
    times: list[float] = []
    while len(times) < LEAST_REPEATS or sum(times) < seconds:
        start = time.perf_counter()
        do()
        synchronize(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def matrix_rate(work: Workload, dtype: torch.dtype) -> float:
    """Operations a second of the product of two square matrices."""
    side = work.size.side
    left, right = (torch.randn(side, side).to(work.device, dtype) for _ in range(2))
    with torch.inference_mode():
        return 2.0 * side**3 / seconds_of(lambda: left @ right, work.device, work.size.seconds)


def machine(work: Workload, rates: dict[torch.dtype, float]) -> Iterator[Result]:
    """The device, and its rates, which are kept for the other parts."""
    name = torch.cuda.get_device_name(work.device) if work.device.startswith("cuda") else work.device
    for dtype in (torch.bfloat16, torch.float32):
        rates[dtype] = matrix_rate(work, dtype)
        label = f"matrix product, {str(dtype).removeprefix('torch.')}"
        yield Result("device", label, work.size.side, "a side", rates[dtype], 1.0, remark=name)


def stage_one(work: Workload, rates: dict[torch.dtype, float]) -> Iterator[Result]:
    """Pictures seen, then questions about texts and pictures answered, by the number of them at once."""
    mllm, settings, size = work.mllm(), work.recipe.summarize, work.model_size
    rate = rates[mllm.dtype]
    start = time.perf_counter()
    features = encode_catalogue_images(mllm, work.dataset, settings.visual_tokens).features
    synchronize(work.device)
    took = time.perf_counter() - start
    seen = operations.flops(*operations.pictures(size, len(features))) / took
    yield Result("stage 1", "pictures opened and seen", len(features) / took, "a second", seen, seen / rate)
    texts = {f"t{code}": text for code, item in enumerate(work.dataset.items) if (text := item_text(item))}
    copies = range(work.size.copies)
    by_content = {f"p{code}-{copy}": feature for code, feature in features.items() for copy in copies}
    requests = {
        "text": [Request(f"{name}-{copy}", text_question(text)) for name, text in texts.items() for copy in copies],
        "picture": [Request(content, image_question()) for content in by_content],
    }
    tokens = {"text": settings.max_new_tokens_text, "picture": settings.max_new_tokens_image}
    stops = {"text": stop_after(settings.max_keywords_text), "picture": stop_after(settings.max_keywords_image)}
    for batch, way in [*((batch, "") for batch in work.size.batches), (max(work.size.batches), COMPILED)]:
        if way:
            _compile(mllm, work)
            for kind, asked in requests.items():  # the first batch of each shape waits for the compiler
                engine = LocalEngine(mllm, by_content, settings.text_budget, batch)
                list(engine.generate(asked[:batch], tokens[kind], stops[kind]))
        engine, flops, both = LocalEngine(mllm, by_content, settings.text_budget, batch), 0.0, 0.0
        for kind, asked in requests.items():
            questions = [engine.question(request) for request in asked]
            start = time.perf_counter()
            answers = [row for rows in engine.generate(asked, tokens[kind], stops[kind]) for row in rows]
            synchronize(work.device)
            both += time.perf_counter() - start
            shared = _shared(mllm, [list(question.prompt) for question in questions], batch)
            read = sum(len(question.prompt) - shared for question in questions) / len(questions)
            written = sum(len(mllm.encode(row.text or "")) + 1 for row in answers) / len(answers)
            flops += operations.flops(*operations.answers(size, read, written, len(asked), batch))
        items = len(work.dataset.items) * work.size.copies / both
        label = f"items with text and picture, {batch} questions at once{way}"
        yield Result("stage 1", label, items, "a second", flops / both, flops / both / rate)


def _compile(mllm: Mllm, work: Workload) -> None:
    """Compile the layers; on another device they are traced only, which shows that it works, and not what it saves."""
    compile_layers(mllm.decoder, "inductor" if work.device.startswith("cuda") else "eager")


def _shared(mllm: Mllm, prompts: list[list[int]], batch: int) -> int:
    """Tokens at the start of all prompts, which a batch computes once; 0 where each question is alone."""
    if batch == 1 or len(prompts) < 2:
        return 0
    columns = enumerate(zip(*prompts, strict=False))
    stop = mllm.vision_layout.image_token
    return next((at for at, column in columns if len(set(column)) > 1 or column[0] == stop), 0)


def training(work: Workload, rates: dict[torch.dtype, float]) -> Iterator[Result]:
    """Steps of stage 3, by the examples of a step, with the libraries' layers and with our own."""
    mllm, settings, size = work.mllm(ranks=True), work.recipe.recommend, work.model_size
    rate, prompts = rates[mllm.dtype], work.prompts(mllm)
    packs = [prompts.render(context) for context in work.contexts]
    peft = add_adapter(mllm, settings.rank, settings.first_layer, 0)
    trainer = Trainer(peft, 1e-6, 100_000)
    for count in work.size.packs:
        chosen = [packs[number % len(packs)] for number in range(count)]
        flops = operations.trained(size, settings, chosen)

        def step(chosen: list = chosen) -> None:
            logits = yes_minus_no_of(prompts, batch_of(mllm, chosen)).view(len(chosen), -1)
            place = torch.zeros(len(chosen), dtype=torch.long, device=logits.device)
            trainer.step(choose_loss(logits, place, settings.loss))

        for name in ("libraries' layers", "quick layers"):
            with quickened(peft) if name == "quick layers" else torch.enable_grad():
                took = seconds_of(step, work.device, work.size.seconds)
            done = flops / took
            label = f"examples, {count} a step, {name}"
            yield Result("training", label, count / took, "a second", done, done / rate)


def scoring(work: Workload, rates: dict[torch.dtype, float]) -> Iterator[Result]:
    """Users ranked, by the tokens that are computed at once."""
    mllm, settings = work.mllm(ranks=True), work.recipe.recommend
    prompts = work.prompts(mllm)
    packs = [prompts.render(context) for context in work.contexts]
    flops = operations.ranked(work.model_size, settings, packs)
    for tokens, way in [*((tokens, "") for tokens in work.size.score_tokens), (max(work.size.score_tokens), COMPILED)]:
        if way:
            _compile(mllm, work)
        took = seconds_of(partial(score_packs, prompts, packs, tokens), work.device, work.size.seconds)
        done, n = flops / took, len(packs[0].candidates)
        label = f"users with {n} candidates, {tokens:,} tokens at once{way}"
        yield Result("scoring", label, len(packs) / took, "a second", done, done / rates[mllm.dtype])
