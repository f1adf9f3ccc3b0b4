"""phi: the packaged sentence embedding, and what is said of one that cannot be had."""

import pytest
import torch

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.text_embedder import Embedder


def test_the_packaged_embedding_knows_what_is_alike() -> None:
    vectors = Embedder()(["a steel mug for coffee", "a cup made of metal", "two detectives hunt a killer"])
    assert vectors.dtype == torch.float32
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3), atol=1e-5, rtol=0)
    neighbour_votes, unlike, _ = (vectors[0] @ vectors[1]).item(), (vectors[0] @ vectors[2]).item(), None
    assert neighbour_votes > unlike + 0.2


def test_an_embedding_that_is_not_there_is_one_line(tmp_path) -> None:
    with pytest.raises(MmsrarecError, match=r'cannot load the embedding "/.*nowhere"'):
        Embedder(str(tmp_path / "nowhere"))
