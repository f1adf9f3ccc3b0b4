"""A soft token is what its item, its kind and the user's state make it, and nothing else."""

from math import log
from pathlib import Path

import numpy as np
import pytest
import torch
from soft import drawn_sources
from tiny import tiny_mllm

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.packing.soft_ids import SoftKind, soft_id
from mmsrarec.recommend.soft.soft_sources import SoftSources
from mmsrarec.recommend.soft.soft_token_map import FILE, SoftTokenMap, spread_of

N = 20
SOURCES = drawn_sources(N, "sasrec", "content-sasrec")
STATES = torch.as_tensor(SOURCES.states([np.array([1, 2, 3]), np.array([4])]))


def made(sources: SoftSources = SOURCES, seed: int = 0) -> SoftTokenMap:
    return SoftTokenMap(sources, 64, 24, 0.02, seed).requires_grad_(False)


def ids(*tokens: tuple[SoftKind, int]) -> torch.Tensor:
    return torch.tensor([soft_id(kind, code) for kind, code in tokens])


def test_a_token_is_the_same_wherever_it_stands() -> None:
    token_map = made()
    tokens = [(kind, code) for kind in SoftKind for code in (0, 7, 19)]
    states = STATES[torch.arange(len(tokens)) % 2]
    together = token_map(ids(*tokens), states)
    for place, token in enumerate(tokens):
        torch.testing.assert_close(token_map(ids(token), states[place : place + 1])[0], together[place])
    order = torch.randperm(len(tokens), generator=torch.Generator().manual_seed(0))
    mixed = token_map(ids(*[tokens[place] for place in order]), states[order])
    torch.testing.assert_close(mixed, together[order])


def test_what_a_token_depends_on() -> None:
    token_map, one, other = made(), STATES[:1], STATES[1:]
    for kind in SoftKind:
        here, there = (token_map(ids((kind, 3)), state) for state in (one, other))
        assert torch.equal(here, there) == (kind == SoftKind.HISTORY)  # all others read the state
        same_item = torch.equal(here, token_map(ids((kind, 4)), one))
        assert same_item == (kind == SoftKind.USER)  # all others name an item
    kinds = token_map(ids(*[(kind, 3) for kind in SoftKind]), one.expand(4, -1))
    assert torch.pdist(kinds).min() > 1e-3


def test_the_spread_is_that_of_the_words() -> None:
    words = tiny_mllm().model.get_input_embeddings()
    assert spread_of(words) == pytest.approx(float(words.weight.std()))
    tokens = made()(ids(*[(SoftKind.CANDIDATE, code) for code in range(N)]), STATES[:1].expand(N, -1))
    np.testing.assert_allclose(tokens.std(dim=1), 0.02, rtol=0.05)


def test_a_candidate_is_told_how_likely_each_model_holds_it() -> None:
    token_map = made()
    inputs = token_map.inputs(ids(*[(SoftKind.CANDIDATE, code) for code in range(N)]), STATES[:1].expand(N, -1))
    for source, part in zip(SOURCES.sources, inputs[:, 4 * 16 : 4 * 16 + 2].T, strict=True):
        scores = source.encoder.scores([np.array([1, 2, 3])])[0].astype(np.float64)
        likely = scores - np.log(np.exp(scores).sum())
        np.testing.assert_allclose(part, (likely + log(N)) / log(N), atol=1e-4)


def test_inputs_are_of_the_size_of_one() -> None:
    token_map = made()
    candidates = ids(*[(SoftKind.CANDIDATE, code) for code in range(N)])
    shown = token_map.inputs(candidates, STATES[:1].expand(N, -1))[:, :32]
    np.testing.assert_allclose(shown, SOURCES.vectors / np.repeat(SOURCES.scales, SOURCES.sizes), atol=1e-5)
    np.testing.assert_allclose(np.square(shown.numpy())[:, :16].mean(), 1, rtol=1e-3)


def test_a_cold_candidate_shows_its_content_alone() -> None:
    token_map = made()
    cold = token_map.inputs(ids((SoftKind.COLD_CANDIDATE, 5)), STATES[:1])[0]
    warm = token_map.inputs(ids((SoftKind.CANDIDATE, 5)), STATES[:1])[0]
    assert not cold[:16].any()  # SASRec knows nothing of it
    assert cold[16:32].any()
    known = cold[-6:-4], warm[-6:-4]
    assert [part.tolist() for part in known] == [[0, 1], [1, 1]]
    assert cold[64] == 0  # no probability where nothing is known


def test_an_item_that_nobody_knows_has_no_numbers() -> None:
    grown = made(SoftSources(SOURCES.sources, N + 2))
    inputs = grown.inputs(ids((SoftKind.CANDIDATE, N), (SoftKind.HISTORY, N + 1)), STATES)
    assert not inputs[:, : -len(SoftKind)].any()
    assert torch.isfinite(grown(ids((SoftKind.CANDIDATE, N)), STATES[:1])).all()


def test_only_what_reads_no_state_needs_none() -> None:
    token_map, item = made(), ids((SoftKind.HISTORY, 3))
    assert torch.equal(token_map(item, None), token_map(item, STATES[:1]))
    for kind in set(SoftKind) - {SoftKind.HISTORY}:
        with pytest.raises(MmsrarecError, match="state"):
            token_map(ids((SoftKind.HISTORY, 3), (kind, 4)), None)


def test_the_seed_decides_the_weights_and_leaves_the_global_one_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again, other = (made(seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["inner.weight"], other["inner.weight"])
    assert torch.equal(torch.rand(1), expected)


def test_learned_weights_come_back_with_the_vectors_of_whoever_asks(tmp_path: Path) -> None:
    token_map, tokens = made(), ids((SoftKind.CANDIDATE, 3), (SoftKind.HISTORY, 4))
    token_map.save(tmp_path)
    loaded = SoftTokenMap.load(tmp_path, SOURCES)
    assert torch.equal(loaded(tokens, STATES), token_map(tokens, STATES))
    assert not any(weight.requires_grad for weight in loaded.parameters())
    saved = sum(weight.numel() for weight in loaded.state_dict().values())
    assert (tmp_path / FILE).stat().st_size < 4 * saved + 2000  # no item's vector is in it
    control = SoftTokenMap.load(tmp_path, SOURCES.shuffled(1))
    assert not torch.equal(control(tokens, STATES), token_map(tokens, STATES))
    assert torch.equal(control(ids((SoftKind.USER, 0)), STATES[:1]), token_map(ids((SoftKind.USER, 0)), STATES[:1]))


def test_other_sources_are_read_from_then_on() -> None:
    token_map, other, tokens = made(), SOURCES.shuffled(1), ids((SoftKind.HISTORY, 3))
    before = token_map(tokens, None)
    token_map.read_from(other)
    assert other.order is not None
    assert torch.equal(token_map(ids((SoftKind.HISTORY, int(np.flatnonzero(other.order == 3)[0]))), None), before)


def test_a_catalogue_of_one_item_gives_numbers() -> None:
    sources = drawn_sources(1)
    states = torch.as_tensor(sources.states([np.array([0])]))
    assert torch.isfinite(made(sources)(ids((SoftKind.CANDIDATE, 0)), states)).all()
