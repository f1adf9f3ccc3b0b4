"""The work and the memory of each stage of a recipe."""

from dataclasses import dataclass, field

from mmsrarec.data.splits import SplitName
from mmsrarec.models.backbone.settings import Quantization
from mmsrarec.models.sizes.model_size import ModelSize
from mmsrarec.models.vision.native_processor import PICTURES_AT_ONCE
from mmsrarec.pipeline.cost_plan import stage_memory, work
from mmsrarec.pipeline.cost_plan.data_size import DataSize
from mmsrarec.pipeline.cost_plan.prompt_tokens import picture_tokens, ranking_tokens, text_tokens
from mmsrarec.pipeline.cost_plan.stage_memory import Parts
from mmsrarec.pipeline.cost_plan.work import Work
from mmsrarec.retrieve.settings import CONTENT_ENCODERS, ENCODERS
from mmsrarec.runs.recipe import Recipe
from mmsrarec.study.model_names import TRAINED

PICTURE_BATCH = 32
"""Pictures that are encoded at once."""
TEST_SHARE: dict[SplitName, float] = {"leave-one-out": 1.0, "user-8-1-1": 0.1}
OTHER_SHARE = 0.1
"""Users of a split that are tested; of the other splits a tenth is assumed."""
EPOCHS_USED = 0.5
"""Passes of a sequence model over those allowed: training stops early, after about half of them."""
DIAGNOSES = 3
"""Times that a diagnosed user is ranked more."""


@dataclass(frozen=True)
class Stage:
    """A stage.

    Attributes:
        name: Of the stage.
        works: Its work, by kind.
        memory: Bytes by part, at its peak.
        width: Width of the model that works; it decides which share of a GPU's peak is assumed.
    """

    name: str
    works: list[Work] = field(default_factory=list[Work])
    memory: Parts = field(default_factory=Parts)
    width: int = 0

    @property
    def tokens(self) -> float:
        """Tokens that pass a model."""
        return sum(part.tokens for part in self.works)

    @property
    def flops(self) -> float:
        """Products with weights."""
        return sum(part.flops for part in self.works)

    @property
    def attention_flops(self) -> float:
        """Products of tokens with one another."""
        return sum(part.attention_flops for part in self.works)


def stages_of(recipe: Recipe, size: ModelSize, data: DataSize, number_bytes: int) -> list[Stage]:
    """All stages of a recipe, in order.

    Args:
        recipe: The recipe.
        size: The whole model.
        data: The size of the data.
        number_bytes: Of a number of the model.
    """
    plan = _StageCosts(recipe, size, data, number_bytes)
    stages = [plan.pictures(), plan.tune(), plan.summarize(), plan.retrieve(), plan.item_states()]
    stages += [plan.recommend(), plan.evaluate(), plan.answer()]
    return [stage for stage in stages if stage.works]


class _StageCosts:
    """The stages of one recipe; each method makes one, without works where the recipe leaves it out."""

    def __init__(self, recipe: Recipe, size: ModelSize, data: DataSize, number_bytes: int):
        self.recipe, self.size, self.data, self.bytes = recipe, size, data, number_bytes
        self.ranker = size.shortened(recipe.recommend.layers)
        self.tokens = ranking_tokens(recipe.recommend)
        rows, evaluate = recipe.evaluate.rows, recipe.evaluate
        self.variants = sum(name in TRAINED for name in rows) + len(evaluate.ablations)
        self.soft_sources = recipe.recommend.soft.sources if self.variants else ()
        named = {recipe.retrieve.encoder, *self.soft_sources, *(row for row in rows if row in ENCODERS)}
        self.encoders = [name for name in ENCODERS if name in named]
        self.proposed = min(evaluate.n_candidates, max(data.items // 2, 1))
        self.few_bits: Quantization | None = recipe.model.quantization
        self.weights = stage_memory.weights(size, number_bytes, self.few_bits)
        summarize = recipe.summarize
        is_native = summarize.pictures and summarize.model is None and summarize.is_native(size.family)
        self.native = size.vision if is_native and data.pictures else None

    def pictures(self) -> Stage:
        """Each picture once through the vision encoder."""
        vision = self.size.vision
        is_read = self.recipe.recommend.prompt_fields.pictures or self.recipe.summarize.pictures
        if vision is None or not is_read or not self.data.pictures:
            return Stage("pictures")
        one = Work(0.0, vision.flops, vision.attention_flops)
        channels = self.size.hidden * (1 + vision.deepstack)
        features = float(self.data.pictures * self.recipe.summarize.visual_tokens * channels * self.bytes)
        parts = {"activations": PICTURE_BATCH * vision.activations * self.bytes, "features": features}
        return self._stage("pictures", [one.times(self.data.pictures)], parts)

    def _prompts(self, shots: bool) -> list[tuple[float, float, int]]:
        """Tokens of the prompt, tokens of the answer, and items, for texts and for pictures."""
        settings = self.recipe.summarize
        prompts: list[tuple[float, float, int]] = []
        if settings.texts and self.data.texts:
            prompt = text_tokens(settings, self.data.text_tokens, shots)
            prompts.append((prompt, settings.max_new_tokens_text, self.data.texts))
        if settings.pictures and self.data.pictures and self.size.vision is not None:
            native = self.native.native.tokens if self.native else None
            prompts.append((picture_tokens(settings, native), settings.max_new_tokens_image, self.data.pictures))
        return prompts

    def tune(self) -> Stage:
        """Best of n, the warm start, GRPO, and the answers to held-out items; rewards read each answer twice."""
        settings, batch, rows = self.recipe.summarize.tune, self.recipe.runtime.generate_batch, self.recipe.runtime
        prompts = self._prompts(shots=False)
        if settings is None or not prompts:
            return Stage("tune")
        works: list[Work] = []
        for prompt, answer, items in prompts:
            tuned = min(settings.items, items * (1 - settings.held_out))
            held_out = min(settings.held_out_items, items * settings.held_out) * 3
            sampled = tuned * settings.samples
            group = settings.steps * settings.prompts * settings.group / len(prompts)
            n_prompts = tuned * (settings.samples > 0) + held_out + settings.steps * settings.prompts / len(prompts)
            works.append(work.forward(self.size, prompt).times(n_prompts))
            works.append(work.writing(self.size, prompt, answer, batch).times(sampled + held_out + group))
            works.append(work.forward(self.size, prompt + answer).times(2 * (sampled + group)))
            step = work.training(self.size, settings.rank, settings.first_layer, prompt + answer)
            works.append(step.times(settings.epochs * tuned * (settings.samples > 0) + group))
        longest = max(prompt + answer for prompt, answer, _ in prompts)
        tokens = rows.tune_rows * longest
        parts = stage_memory.training(self.size, settings.rank, settings.first_layer, tokens, self.bytes)
        answer = max(answer for _, answer, _ in prompts)
        logits = 3.0 * rows.tune_rows * answer * self.size.head_weights / self.size.hidden * stage_memory.FLOAT32
        return self._stage("tune", works, {**parts, "logits": logits})

    def summarize(self) -> Stage:
        """An answer to each text and each picture; a picture in the model's own way is encoded here, and read twice.

        The second time its keywords are checked with it.
        """
        prompts = self._prompts(shots=False)
        works: list[Work] = []
        held: list[Parts] = []
        for place, (prompt, answer, items) in enumerate(prompts, start=1):
            batch = self.recipe.runtime.generate_batch
            own_way = self.native if place == len(prompts) else None  # pictures come last
            if own_way is not None:
                batch = min(batch, PICTURES_AT_ONCE)
            works.append(work.forward(self.size, prompt).times(items))
            works.append(work.writing(self.size, prompt, answer, batch).times(items))
            tokens = batch * (prompt + answer)
            parts = stage_memory.reading(self.size, tokens, self.bytes)
            parts |= stage_memory.cache(self.size, batch, prompt + answer, self.bytes)
            if own_way is not None:
                seen = Work(0.0, own_way.flops, own_way.attention_flops).times(own_way.looks)
                works += [seen.times(2 * items), work.forward(self.size, prompt + answer).times(items)]
                parts["activations"] += batch * own_way.looks * own_way.activations * self.bytes
            held.append(parts)
        if not works:
            return Stage("summarize")
        return self._stage("summarize", works, max(held, key=lambda parts: sum(parts.values())))

    def retrieve(self) -> Stage:
        """Sequence models: 12 products of their width an interaction and layer, and the scores of all items."""
        settings, data = self.recipe.retrieve, self.data
        width = settings.embedding_size
        scored = data.items if settings.loss == "softmax" else settings.negatives
        one = 2.0 * (12 * width**2 * settings.n_layers + scored * width) * 3
        attention = 12.0 * width * min(settings.max_length, data.events / max(data.users, 1)) / 2 * settings.n_layers
        share = 1 - 1 / self.recipe.recommend.soft.folds  # of the users; the others train the language model
        models = len(self.encoders) + share * len(self.soft_sources)
        passes = max(settings.epochs * EPOCHS_USED, 1) * data.events * models
        logits = 2 if settings.logits_dtype == "bfloat16" else stage_memory.FLOAT32
        parts = stage_memory.sequence_model(data.items, width, settings.batch_size, logits) | stage_memory.neighbours(
            data.events, width
        )
        training = Work(passes, passes * one, passes * attention, trains=True).times(self.recipe.evaluate.n_seeds)
        return Stage("retrieve", [training], {"libraries": stage_memory.LIBRARIES, **parts}, width)

    def item_states(self) -> Stage:
        """The mean state of each item, where a sequence model reads it."""
        if not any(name in CONTENT_ENCODERS for name in self.encoders):
            return Stage("item states")
        one = work.forward(self.ranker, self.tokens.candidate)
        table = float(self.data.items * self.size.hidden * stage_memory.FLOAT32)
        parts = stage_memory.reading(self.ranker, self.recipe.runtime.score_tokens, self.bytes)
        return self._stage("item states", [one.times(self.data.items)], {**parts, "item states": table})

    def recommend(self) -> Stage:
        """Training of each variant on each split: the packs, and the tasks of writing beside them."""
        settings, runs = self.recipe.recommend, self.variants * len(self.recipe.evaluate.splits)
        runs *= self.recipe.evaluate.n_seeds
        if not runs:
            return Stage("recommend")
        first = settings.first_layer
        pack = work.training(
            self.ranker, settings.rank, first, self.tokens.shared, self.tokens.candidate, 1 + settings.negatives
        )
        shares = (settings.tasks.foresee, settings.tasks.recognise, settings.tasks.profile)
        prompts = (self.tokens.shared, self.tokens.candidate + 20, self.tokens.history)
        examples = settings.n_examples * settings.epochs * runs
        works = [pack.times(examples)]
        for share, tokens in zip(shares, prompts, strict=True):
            works.append(work.training(self.ranker, settings.rank, first, tokens).times(share * examples))
        packs = settings.batch_size * (self.tokens.shared + self.tokens.candidate * (1 + settings.negatives))
        at_once = min(self.recipe.runtime.train_tokens, packs)
        return self._stage(
            "recommend",
            works,
            stage_memory.training(self.ranker, settings.rank, first, at_once, self.bytes),
            self.ranker,
        )

    def evaluate(self) -> Stage:
        """Each test user among negatives and among what is proposed; the users of the ensemble and of diagnoses."""
        evaluate = self.recipe.evaluate
        if not self.variants:
            return Stage("evaluate")
        shares = [TEST_SHARE.get(name, OTHER_SHARE) for name in evaluate.splits]
        open_share = 1.0 if evaluate.open_sealed else 1 - evaluate.sealed
        users = sum(shares) * self.data.tested * open_share
        listed, proposed = (self._ranked(count) for count in (1 + evaluate.negatives, self.proposed))
        works = [listed.times(users * self.variants), proposed.times(users * self.variants)]
        fused = min(evaluate.fusion_users, self.data.tested) * len(shares)
        works += [listed.times(fused), proposed.times(fused)]
        works.append(listed.times(DIAGNOSES * min(evaluate.diagnosed_users, users)))
        parts = stage_memory.reading(self.ranker, self.recipe.runtime.score_tokens, self.bytes)
        return self._stage("evaluate", [part.times(evaluate.n_seeds) for part in works], parts, self.ranker)

    def answer(self) -> Stage:
        """One answer of a served run: the candidates ranked, without reasons."""
        tokens = self.tokens.shared + self.tokens.candidate * self.proposed
        parts = stage_memory.reading(self.ranker, tokens, self.bytes)
        parts |= stage_memory.neighbours(self.data.events, self.recipe.retrieve.embedding_size)
        vectors = self.data.items * self.recipe.retrieve.embedding_size * stage_memory.FLOAT32
        one = self._ranked(self.proposed)
        weights = float(self.ranker.layer_weights * self.ranker.layers)
        return self._stage(
            "answer",
            [Work(one.tokens, one.flops, one.attention_flops, weights)],
            {**parts, "item table": float(vectors)},
            self.ranker,
        )

    def _ranked(self, candidates: float) -> Work:
        return work.forward(self.ranker, self.tokens.shared, self.tokens.candidate, candidates)

    def _stage(self, name: str, works: list[Work], parts: Parts, size: ModelSize | None = None) -> Stage:
        held = {**(stage_memory.weights(size, self.bytes, self.few_bits) if size else self.weights), **parts}
        dropped = sum(self.weights.values()) - sum(held.values())
        if dropped > 0:  # the whole model is loaded before its upper layers are dropped
            held["layers dropped after loading"] = dropped
        return Stage(name, [part for part in works if part.flops], held, self.size.hidden)
