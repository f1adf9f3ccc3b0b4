"""What content-sasrec may be told of an item: states of the language model, and of the vision encoder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from stage_one import tell
from torch import Tensor

from mmsrarec.core.files import file_hash
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.images import open_picture
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.warm_up import grids, projector_of
from mmsrarec.models.sequence.whitening import whitened
from mmsrarec.models.untyped import load_tensors, save_tensors
from mmsrarec.models.vision.image_features import Features, pool
from mmsrarec.models.vision.pooling import pool_grid
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.item_states import item_states
from mmsrarec.recommend.settings import PromptFields, RecommendSettings
from mmsrarec.summarize.keywords import Keywords

NOTHING = PromptFields(titles=False, text_keywords=False, image_keywords=False, pictures=False)
SHOWN: Mapping[str, PromptFields] = {
    "title": NOTHING.model_copy(update={"titles": True}),
    "title+picture": NOTHING.model_copy(update={"titles": True, "pictures": True}),
    "title+picture keywords": NOTHING.model_copy(update={"titles": True, "image_keywords": True}),
    "text": NOTHING.model_copy(update={"titles": True, "descriptions": True}),
    "text+picture": NOTHING.model_copy(update={"titles": True, "descriptions": True, "pictures": True}),
    "picture": NOTHING.model_copy(update={"pictures": True}),
}
"""What the language model reads of an item, by the name of the state. A text has the title and the categories too."""
EYE, OTHER_EYE = "eye", "eye of another item"
"""The pooled state of the vision encoder; and a control, that of another item's picture."""


@dataclass(frozen=True)
class SeenPictures:
    """What a model sees of a catalogue's pictures.

    Attributes:
        features: Item code to (v, d) visual tokens.
        states: Item code to the (channels,) mean state of the vision encoder.
    """

    features: Features
    states: dict[int, Tensor]


def see(mllm: Mllm, dataset: Dataset, visual_tokens: int, file: Path, batch: int = 32) -> SeenPictures:
    """Look at all pictures of a catalogue; one that several items share is looked at once.

    Args:
        mllm: The embedded model, or one that is built like it.
        dataset: The catalogue.
        visual_tokens: v, the number of tokens of each picture.
        file: Keeps the output of the vision encoder, by the hash of a picture, for other projectors.
        batch: Pictures that are looked at at once.

    Raises:
        BadPicture: A picture cannot be used.
    """
    paths = {code: path for code in range(len(dataset.items)) if (path := dataset.image_path(code)) is not None}
    digests = {path: file_hash(path) for path in dict.fromkeys(paths.values())}
    known = load_tensors(file) if file.is_file() else {}
    missing = [path for path, digest in digests.items() if digest not in known]
    for start in range(0, len(missing), batch):
        part = missing[start : start + batch]
        outputs = grids(mllm, [open_picture(path, path.parent) for path in part]).cpu()
        known.update(zip([digests[path] for path in part], outputs, strict=True))
        tell(start + len(part), len(missing), "pictures")
    if missing:
        save_tensors({name: grid.contiguous() for name, grid in known.items()}, file)
    projector = projector_of(mllm)
    features: dict[str, Tensor] = {}
    with torch.inference_mode():
        for digest in dict.fromkeys(digests.values()):
            grid = known[digest].to(mllm.device, mllm.dtype)
            features[digest] = pool_grid(projector(grid[None])[0], visual_tokens).cpu()
    return SeenPictures(
        {code: features[digests[path]] for code, path in paths.items()},
        {code: known[digests[path]].float().mean(0) for code, path in paths.items()},
    )


def no_keywords(n: int) -> Keywords:
    """Stage 1's result where nobody was asked about n items."""
    return Keywords(((),) * n, ((),) * n, (("none", "none"),) * n, ((None, None),) * n)


def language_states(
    mllm: Mllm,
    dataset: Dataset,
    seen: SeenPictures,
    keywords: Keywords,
    name: str,
    settings: RecommendSettings,
    file: Path | None = None,
) -> Tensor:
    """(n, d) states of the language model when it reads of each item what `SHOWN[name]` says.

    Args:
        mllm: The model, as deep as it is to be.
        dataset: The catalogue.
        seen: What the model sees of the pictures.
        keywords: Stage 1's result.
        name: A key of SHOWN.
        settings: Settings of stage 3, whose `prompt_fields` are replaced.
        file: Keeps states from run to run.
    """
    fields = SHOWN[name]
    features = pool(seen.features, settings.visual_tokens) if fields.pictures else {}
    told = settings.model_copy(update={"prompt_fields": fields})
    return item_states(Prompts(mllm, dataset, keywords, features, told), file)


def eye_block(states: Mapping[int, Tensor], n: int, dims: int, exchanged: bool = False, seed: int = 0) -> Tensor:
    """(n, dims) whitened states of the vision encoder; zeros for items without a picture.

    Args:
        states: Item code to (channels,) state.
        n: Number of items.
        dims: Principal components.
        exchanged: Give each item the state of another one's picture.
        seed: Seed of the exchange.
    """
    codes = torch.tensor(sorted(states))
    block = torch.zeros(n, dims)
    rows = whitened(torch.stack([states[int(code)] for code in codes]), dims)
    if exchanged:
        rows = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))]
    block[codes] = rows
    return block


def content_of(
    row: str,
    states: Mapping[str, Tensor],
    eyes: Mapping[int, Tensor],
    dims: int,
    eye_dims: int | None = None,
    eye_weight: float = 1.0,
) -> Tensor:
    """The content of a row, whose name joins its blocks by " & ".

    Args:
        row: Such as "title & eye".
        states: (n, d) states by a key of SHOWN.
        eyes: Item code to (channels,) state of the vision encoder.
        dims: Principal components of a block.
        eye_dims: Those of the vision encoder, unless it stands alone; as many if not given.
        eye_weight: Standard deviation of its components, unless it stands alone; those of other blocks have 1.

    Returns:
        (n, all components).
    """
    n = len(next(iter(states.values())))
    names = row.split(" & ")
    eye_size, weight = (eye_dims or dims, eye_weight) if len(names) > 1 else (dims, 1.0)
    blocks = [
        weight * eye_block(eyes, n, eye_size, name == OTHER_EYE)
        if name in (EYE, OTHER_EYE)
        else whitened(states[name], dims)
        for name in names
    ]
    return torch.cat(blocks, dim=1)
