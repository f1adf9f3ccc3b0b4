"""Deepstack features go along with visual tokens, and are added after the first layers as the model adds them."""

import torch
from architectures import tiny_of
from PIL import Image
from torch import Tensor, nn

from mmsrarec.models.vision.deepstack import place_features, take_apart, with_deepstack
from mmsrarec.models.vision.image_token_ids import ImageTokenVocabulary
from mmsrarec.summarize.prompts import image_prompt


class Reader(nn.Module):
    """Notes what it is given."""

    def forward(self, inputs_embeds: Tensor, **more: object) -> Tensor:
        self.more = more
        return inputs_embeds


def test_features_stand_behind_the_tokens_of_their_picture() -> None:
    tokens, level = [torch.zeros(2, 3), torch.ones(4, 3)], [torch.full((2, 3), 5.0), torch.full((4, 3), 6.0)]
    first, second = with_deepstack(tokens, [level, level])
    assert first.tolist() == [[0, 0, 0, 5, 5, 5, 5, 5, 5]] * 2
    assert second.shape == (4, 9)
    assert torch.equal(with_deepstack(tokens, ())[1], tokens[1])


def test_words_have_zeros_where_pictures_have_features() -> None:
    words, places = torch.full((1, 3, 2), 7.0), torch.tensor([[False, True, False]])
    assert place_features(words, places, torch.tensor([[1.0, 2.0, 3.0, 4.0]])).tolist() == [
        [[7, 7, 0, 0], [1, 2, 3, 4], [7, 7, 0, 0]]
    ]
    assert place_features(words, places, torch.tensor([[1.0, 2.0]])).shape == (1, 3, 2)


def test_a_model_gets_the_levels_apart_and_plain_embeddings_as_they_are() -> None:
    reader = Reader()
    take_apart(reader, 2)
    take_apart(reader, 2)  # a model may be wrapped twice
    wide = torch.arange(12.0).view(1, 2, 6)
    assert torch.equal(reader(inputs_embeds=wide, use_cache=False), wide[..., :2])
    assert reader.more["use_cache"] is False
    assert [level.tolist() for level in reader.more["deepstack_visual_embeds"]] == [  # pyright: ignore
        [[[2, 3], [8, 9]]],
        [[[4, 5], [10, 11]]],
    ]
    assert torch.equal(reader(inputs_embeds=wide[..., :2]), wide[..., :2])
    assert "deepstack_visual_embeds" not in reader.more


def test_answers_depend_on_the_features_with_every_way_to_write_a_picture() -> None:
    mllm = tiny_of("qwen3_vl")
    feature = mllm.encode_images([Image.new("RGB", (64, 64), "red")], 4)[0]
    assert feature.shape == (4, 2 * mllm.hidden_size)
    without = feature.clone()
    without[:, mllm.hidden_size :] = 0
    ids, read = torch.tensor([image_prompt(mllm, 4)]), []
    for seen in (feature, without):
        words = ImageTokenVocabulary(mllm, {0: seen})
        with torch.no_grad():
            plain = mllm.decoder(inputs_embeds=mllm.embed(ids, seen[None])).last_hidden_state
            with words.installed():
                by_ids = mllm.decoder(
                    input_ids=None, inputs_embeds=mllm.embed(torch.tensor([words.fill(ids[0].tolist(), 0)]), None)
                )
        torch.testing.assert_close(by_ids.last_hidden_state, plain)
        read.append(plain)
    assert (read[0] - read[1]).abs().max() > 1e-2
