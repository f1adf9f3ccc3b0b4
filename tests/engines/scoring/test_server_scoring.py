"""A server's scores are those of the local engine, and its silent faults are found at the first call."""

from collections.abc import Callable
from typing import Any

import pytest
from chat_server import ChatServer, Reply
from score_server import PATHS, ScoreServer
from tiny import tiny_mllm

from mmsrarec.engines.local_engine import LocalEngine
from mmsrarec.engines.openai_engine import OpenAIEngine
from mmsrarec.engines.pacing import Pacing
from mmsrarec.engines.settings import EngineSettings
from mmsrarec.errors import EngineError
from mmsrarec.models.backbone.mllm import Mllm

BOUND = 1e-5
"""How far scores of one model in float32 may be from each other, computed here and by a server."""
TEXTS = (" A mug of blue clay?", " A star?", " Rain?", " Two detectives?")


@pytest.fixture(scope="module")
def mllm() -> Mllm:
    return tiny_mllm()


@pytest.fixture(scope="module")
def other() -> Mllm:
    return tiny_mllm(seed=1)


def asked(mllm: Mllm) -> tuple[list[int], list[list[int]], list[int]]:
    labels = [mllm.first_token("yes"), mllm.first_token("no")]
    return mllm.encode("This person took: a mug."), [mllm.encode(text) for text in TEXTS], labels


def engine_of(server: ChatServer, model: str = "tiny", **settings: Any) -> OpenAIEngine:
    own = {"engine": "openai", "engine_url": server.url, "engine_attempts": 2, "engine_seconds": 20, **settings}
    return OpenAIEngine(EngineSettings(**own), model, Pacing(first_pause=0.01))


@pytest.mark.parametrize("kind", PATHS)
def test_scores_are_those_of_the_local_engine(kind: str, mllm: Mllm, caplog: pytest.LogCaptureFixture) -> None:
    query, candidates, labels = asked(mllm)
    with ScoreServer(kind, {"tiny": mllm}) as server:
        engine = engine_of(server)
        for names in (labels, labels[::-1], [*labels, mllm.first_token("red")]):
            expected = LocalEngine(mllm).score(query, candidates, names)
            assert engine.score(query, candidates, names) == pytest.approx(expected, abs=BOUND)
        assert engine.score(query, [], labels) == []
        routes = dict(server.paths)
    assert routes[PATHS[kind]] == 4  # three calls, and the check
    assert sum(routes.values()) == 4 + (kind == "sglang")  # the other route is tried once
    assert not caplog.records


@pytest.mark.parametrize("kind", PATHS)
def test_scores_that_depend_on_what_was_asked_before_are_told(
    kind: str, mllm: Mllm, caplog: pytest.LogCaptureFixture
) -> None:
    with ScoreServer(kind, {"tiny": mllm}, rounds_what_it_saw=True) as server:
        engine = engine_of(server)
        first = engine.score(*asked(mllm))
        again = engine.score(*asked(mllm))
    assert first != again
    assert [record.message for record in caplog.records if "order of the questions" in record.message]
    assert "--no-enable-prefix-caching" in caplog.text
    assert len(caplog.records) == 1


def test_one_score_for_all_candidates_is_told(mllm: Mllm, caplog: pytest.LogCaptureFixture) -> None:
    with ScoreServer("sglang", {"tiny": mllm}, ignores_candidates=True) as server:
        scores = engine_of(server).score(*asked(mllm))
    assert len(set(scores)) == 1
    assert "gives all 4 candidates one score" in caplog.text


ADAPTER = {"id": "adapter", "parent": "tiny"}


@pytest.mark.parametrize("kind", PATHS)
def test_an_adapter_that_is_never_applied_is_an_error(kind: str, mllm: Mllm, other: Mllm) -> None:
    with ScoreServer(kind, {"tiny": mllm, "adapter": mllm}, [ADAPTER]) as server:
        engine = engine_of(server, "adapter")
        for _ in range(2):  # it is looked at until it is well
            with pytest.raises(EngineError, match='not apply the adapter "adapter": its scores are those of "tiny"'):
                engine.score(*asked(mllm))
    with ScoreServer(kind, {"tiny": mllm, "adapter": other}, [ADAPTER]) as server:
        expected = LocalEngine(other).score(*asked(mllm))
        assert engine_of(server, "adapter").score(*asked(mllm)) == pytest.approx(expected, abs=BOUND)


def test_an_adapter_that_is_never_applied_is_found_under_noise_too(mllm: Mllm) -> None:
    loaded = {"tiny": mllm, "adapter": mllm}
    with (
        ScoreServer("vllm", loaded, [ADAPTER], rounds_what_it_saw=True) as server,
        pytest.raises(EngineError, match="does not apply the adapter"),
    ):
        engine_of(server, "adapter").score(*asked(mllm))


@pytest.mark.parametrize(
    ("behave", "message"),
    [
        (
            lambda *_: Reply(404, {"detail": "Not Found"}),
            'gives no scores of "tiny" .*generative_scoring.*; score: HTTP',
        ),
        (lambda *_: Reply(400, {"error": "no logits"}), "gives no scores .*generative_scoring: HTTP 400: no logits"),
        (lambda *_: Reply(body={"data": []}), "gives no scores: the engine sent 0 scores for 4 candidates"),
        (lambda *_: Reply(500, {"error": "died"}), "gives no scores: HTTP 500: died; start it there"),
        (lambda *_: Reply(cut=0), "gives no scores: the connection broke off"),
        (lambda *_: Reply(401, {"error": "who?"}), "wants a key"),
    ],
)
def test_a_server_that_gives_no_scores_is_one_line(behave: Callable[..., Reply], message: str, mllm: Mllm) -> None:
    with ChatServer(behave) as server, pytest.raises(EngineError, match=message) as error:
        engine_of(server).score(*asked(mllm))
    assert "\n" not in str(error.value)


def test_what_a_server_does_not_know_or_take_is_one_line_with_its_reason(mllm: Mllm) -> None:
    query, candidates, labels = asked(mllm)
    with ScoreServer("vllm", {"tiny": mllm}) as server:
        with pytest.raises(EngineError, match="The model `absent` does not exist"):
            engine_of(server, "absent").score(query, candidates, labels)
        with pytest.raises(EngineError, match="at least one token"):
            engine_of(server).score(query, candidates, [])


def test_a_list_of_models_that_is_none_stops_nobody(mllm: Mllm) -> None:
    with ScoreServer("vllm", {"tiny": mllm}, models=None) as server:
        assert len(engine_of(server).score(*asked(mllm))) == len(TEXTS)
