"""The encoder: gives a query the vector of its own last items, whichever sequence model is behind it."""

import json

import numpy as np
import pytest
import torch
from bodies import tiny_body
from rounds import SMALL, rounds
from safetensors.torch import load_file, save_file

from mmsrarec.data.splits import leave_one_out
from mmsrarec.errors import MmsrarecError
from mmsrarec.retrieve.encoder import Encoder, new_model
from mmsrarec.retrieve.settings import ENCODERS, RetrieveSettings
from mmsrarec.retrieve.training import train_encoder


@pytest.fixture(scope="module")
def split():
    return leave_one_out(rounds())


@pytest.fixture(scope="module", params=ENCODERS)
def encoder(split, request) -> Encoder:
    settings = SMALL.model_copy(update={"encoder": request.param, "epochs": 8})
    content = torch.eye(split.train.n_items, settings.content_size)
    return train_encoder(split.train, split.valid, settings, seed=0, content=content, body=tiny_body(2))


@pytest.mark.parametrize("n", [0, 1, 3, 8])
def test_a_moment_has_the_vector_of_one_pass(encoder, n):
    """Causal: one pass over the whole has the states of all its beginnings. BERT4Rec: the state of a mask behind."""
    history, masked = np.arange(n), encoder.settings.encoder == "bert4rec"
    tokens = [*range(n), encoder.n_items + 1] if masked else [encoder.n_items, *range(8)]
    with torch.no_grad():
        whole = encoder.model(torch.tensor([tokens]))[0, n].numpy()
    np.testing.assert_allclose(encoder.encode([history])[0], whole, atol=1e-5)


def test_a_long_history_is_read_from_its_end(encoder):
    tail = np.array([5, 3, 1, 0, 2, 4, 6, 7])
    a, b, c = encoder.encode([np.append([9, 9, 9], tail), tail, np.append(9, tail[1:])])
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 1e-3


def test_a_history_alone_and_in_a_crowd_have_the_same_vector(encoder, split):
    n_vote_neighbours = encoder.encode(split.valid.history)
    alone = np.concatenate([encoder.encode([h]) for h in split.valid.history])
    np.testing.assert_allclose(n_vote_neighbours, alone, atol=1e-5)
    order = np.random.default_rng(0).permutation(len(n_vote_neighbours))
    np.testing.assert_array_equal(encoder.encode([split.valid.history[i] for i in order]), n_vote_neighbours[order])


def test_empty_and_unknown_histories_work(encoder):
    empty, unknown, mixed, known = encoder.encode(
        [np.array([], int), np.array([-1, -1]), np.array([3, -1, 99]), np.array([3])]
    )
    np.testing.assert_array_equal(empty, unknown)
    np.testing.assert_array_equal(mixed, known)
    assert np.isfinite(encoder.scores([np.array([], int)])).all()
    assert encoder.encode([]).shape == (0, 16)
    assert encoder.scores([]).shape == (0, 30)


def test_saved_and_loaded_it_says_the_same(encoder, split, tmp_path):
    encoder.save(tmp_path)
    loaded = Encoder.load(tmp_path)
    assert (loaded.settings, loaded.curve, loaded.n_items) == (encoder.settings, encoder.curve, 30)
    np.testing.assert_array_equal(loaded.scores(split.test.history), encoder.scores(split.test.history))
    with pytest.raises(MmsrarecError, match="run stage 2"):
        Encoder.load(tmp_path / "nowhere")


@pytest.mark.parametrize("other", ["settings", "weights"])
def test_what_another_version_saved_is_refused(tmp_path, other):
    Encoder(new_model(30, SMALL), SMALL).save(tmp_path)
    if other == "settings":
        record = json.loads((tmp_path / "encoder.json").read_text())
        record["settings"]["keywords"] = 24
        (tmp_path / "encoder.json").write_text(json.dumps(record))
    else:
        weights = load_file(tmp_path / "encoder.safetensors")
        del weights["scale"]
        save_file(weights, tmp_path / "encoder.safetensors")
    with pytest.raises(MmsrarecError, match="of this version: remove it and run stage 2 again"):
        Encoder.load(tmp_path)


def test_settings_refuse_what_cannot_work():
    with pytest.raises(ValueError, match="must divide"):
        RetrieveSettings(embedding_size=10, n_heads=3)
    with pytest.raises(ValueError, match="Extra inputs"):
        RetrieveSettings.model_validate({"dimensions": 3})
