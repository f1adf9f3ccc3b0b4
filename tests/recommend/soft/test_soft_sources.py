"""Vectors and states are the sequence model's own: scores are its scores, whatever is rotated or put together."""

import numpy as np
import pytest
from soft import drawn_encoder, drawn_sources

from mmsrarec.recommend.soft.soft_sources import SoftSource, SoftSources
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.settings import CONTENT_ENCODERS, ENCODERS, SPEEDER_STYLE, EncoderName

NAMES = [name for name in ENCODERS if name != SPEEDER_STYLE]  # its modalities need a training of their own
HISTORIES = [np.array(codes, dtype=np.int64) for codes in ([3, 1, 4], [15], [9, 2, 6, 5, 3, 5, 8, 9, 7], [])]


def rotated(encoder: Encoder, seed: int) -> SoftSource:
    """The model in a space of another rotation, as another training would leave it."""
    size = encoder.settings.embedding_size
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))
    return SoftSource(encoder, turn.astype(np.float32))


def scores(source: SoftSource) -> np.ndarray:
    return source.states(HISTORIES)[:, :-1] @ source.vectors.T


@pytest.mark.parametrize("name", NAMES)
def test_states_and_vectors_give_the_scores_of_the_model(name: EncoderName) -> None:
    source = SoftSource.of(drawn_encoder(20, name))
    np.testing.assert_allclose(scores(source), source.encoder.scores(HISTORIES), atol=1e-4)
    exact = np.log(np.exp(source.encoder.scores(HISTORIES).astype(np.float64)).sum(axis=1))
    np.testing.assert_allclose(source.states(HISTORIES)[:, -1], exact, atol=1e-4)
    assert source.states([]).shape == (0, source.encoder.settings.embedding_size + 1)


def test_many_histories_are_summed_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    source = SoftSource.of(drawn_encoder(20))
    expected = source.states(HISTORIES)
    monkeypatch.setattr("mmsrarec.recommend.soft.soft_sources.BLOCK", 3)
    np.testing.assert_allclose(source.states(HISTORIES), expected, atol=1e-6)


def test_the_mean_square_of_scaled_vectors_is_one() -> None:
    known = np.arange(20) < 15
    source = SoftSource.of(drawn_encoder(20, known=known))
    shown = source.vectors[known] / source.scale
    assert np.square(shown).mean() == pytest.approx(1, abs=1e-4)
    assert SoftSource.of(drawn_encoder(4, known=np.zeros(4, dtype=bool))).scale == 1


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_item_has_no_vector_unless_its_content_is_known(name: EncoderName) -> None:
    known = np.arange(20) != 7
    source = SoftSource.of(drawn_encoder(20, name, known=known))
    has_content = name in CONTENT_ENCODERS
    assert source.vectors[7].any() == has_content
    assert np.delete(source.vectors, 7, axis=0).any(axis=1).all()
    assert source.cold_vectors.any() == has_content
    if has_content:
        np.testing.assert_array_equal(source.vectors[7], source.cold_vectors[7])  # nothing but content, cold or not
        assert (source.vectors[known] != source.cold_vectors[known]).any(axis=1).all()


def test_rotation_and_alignment_change_no_score() -> None:
    one, other = drawn_encoder(30, seed=1), SoftSource.of(drawn_encoder(30, seed=2))
    plain = SoftSource.of(one)
    for source in (rotated(one, 3), plain.aligned_to(other), rotated(one, 3).aligned_to(other)):
        np.testing.assert_allclose(scores(source), scores(plain), atol=1e-3, rtol=1e-4)
        np.testing.assert_allclose(source.states(HISTORIES)[:, -1], plain.states(HISTORIES)[:, -1], atol=1e-3)
        np.testing.assert_allclose(source.rotation @ source.rotation.T, np.eye(16), atol=1e-5)
        assert source.scale == pytest.approx(plain.scale, rel=1e-4)


def test_alignment_turns_a_rotated_copy_back() -> None:
    model = drawn_encoder(30, known=np.arange(30) % 5 > 0)
    turned, plain = rotated(model, 3), SoftSource.of(model)
    assert np.abs(turned.vectors - plain.vectors).max() > 0.1
    back = turned.aligned_to(plain)
    np.testing.assert_allclose(back.vectors, plain.vectors, atol=1e-4)
    np.testing.assert_allclose(back.states(HISTORIES), plain.states(HISTORIES), atol=1e-3)
    assert np.abs(plain.aligned_to(turned).vectors - turned.vectors).max() < 1e-4


def test_alignment_never_moves_vectors_further_apart() -> None:
    one, other = (SoftSource.of(drawn_encoder(30, seed=seed)) for seed in (1, 2))

    def distance(source: SoftSource) -> float:
        return float(np.square(source.vectors - other.vectors).sum())

    assert distance(one.aligned_to(other)) < distance(one)
    for seed in range(5):
        assert distance(one.aligned_to(other)) <= distance(rotated(one.encoder, seed)) + 1e-3


def test_sources_stand_one_after_the_other() -> None:
    sources = drawn_sources(20, "sasrec", "gru4rec")
    sasrec, gru4rec = sources.sources
    assert sources.sizes == (16, 16)
    assert sources.scales == (sasrec.scale, gru4rec.scale)
    np.testing.assert_array_equal(sources.vectors, np.hstack([sasrec.vectors, gru4rec.vectors]))
    parts = sasrec.states(HISTORIES), gru4rec.states(HISTORIES)
    np.testing.assert_array_equal(sources.states(HISTORIES), np.hstack(parts))
    other = drawn_sources(20, "sasrec", "gru4rec", seed=5)
    aligned = sources.aligned_to(other)
    expected = np.hstack([sasrec.aligned_to(other.sources[0]).vectors, gru4rec.aligned_to(other.sources[1]).vectors])
    np.testing.assert_array_equal(aligned.vectors, expected)


def test_items_that_joined_the_catalogue_since_have_no_vector() -> None:
    few = drawn_sources(20).sources
    grown = SoftSources(few, 23)
    assert grown.vectors.shape == grown.cold_vectors.shape == (23, 16)
    assert not grown.vectors[20:].any()
    np.testing.assert_array_equal(grown.vectors[:20], SoftSources(few).vectors)


def test_the_control_exchanges_the_vectors_and_keeps_the_states() -> None:
    sources = drawn_sources(20, "content-sasrec")
    control, again, other = sources.shuffled(3), sources.shuffled(3), sources.shuffled(4)
    assert control.order is not None
    assert sorted(control.order.tolist()) == list(range(20))
    np.testing.assert_array_equal(control.vectors, sources.vectors[control.order])
    np.testing.assert_array_equal(control.cold_vectors, sources.cold_vectors[control.order])
    np.testing.assert_array_equal(control.vectors, again.vectors)
    assert (control.vectors != other.vectors).any()
    assert (control.vectors != sources.vectors).any(axis=1).mean() > 0.7
    np.testing.assert_array_equal(control.states(HISTORIES), sources.states(HISTORIES))
