"""Operations of the measured work, by the calculation of `mmsrarec plan`."""

from collections.abc import Sequence

from mmsrarec.models.packing.packed_prompt import PackedPrompt
from mmsrarec.models.sizes.model_size import ModelSize
from mmsrarec.pipeline.cost_plan import work
from mmsrarec.pipeline.cost_plan.work import Work
from mmsrarec.recommend.settings import RecommendSettings


def flops(*works: Work) -> float:
    return sum(each.flops + each.attention_flops for each in works)


def answers(size: ModelSize, prompt_tokens: float, new_tokens: float, count: float, batch: int) -> list[Work]:
    """So many questions read and answered."""
    read = work.forward(size, prompt_tokens).times(count)
    return [read, work.writing(size, prompt_tokens, new_tokens, batch).times(count)]


def pictures(size: ModelSize, count: float) -> list[Work]:
    """So many pictures seen."""
    vision = size.vision
    return [] if vision is None else [Work(0.0, vision.flops, vision.attention_flops).times(count)]


def ranked(size: ModelSize, settings: RecommendSettings, packs: Sequence[PackedPrompt]) -> float:
    """FLOPs of ranking packs."""
    ranker = size.shortened(settings.layers)
    return sum(flops(work.forward(ranker, *_lengths(pack))) for pack in packs)


def trained(size: ModelSize, settings: RecommendSettings, packs: Sequence[PackedPrompt]) -> float:
    """FLOPs of training on packs."""
    ranker = size.shortened(settings.layers)
    return sum(flops(work.training(ranker, settings.rank, settings.first_layer, *_lengths(pack))) for pack in packs)


def _lengths(pack: PackedPrompt) -> tuple[float, float, float]:
    """Tokens of the shared part, mean tokens of a candidate, and candidates."""
    n = len(pack.candidates)
    return len(pack.shared.ids), (len(pack) - len(pack.shared.ids)) / max(n, 1), n
