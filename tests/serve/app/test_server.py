"""A server takes SIGTERM as its end, not as the end of the process."""

import signal
import threading
from pathlib import Path

import pytest

uvicorn = pytest.importorskip("uvicorn")

from starlette.responses import PlainTextResponse  # noqa: E402

from mmsrarec.errors import NotFittedError  # noqa: E402
from mmsrarec.serve.app.server import ended_by_sigterm, serve  # noqa: E402
from mmsrarec.serve.settings import ServeSettings  # noqa: E402


def server() -> "uvicorn.Server":
    return uvicorn.Server(uvicorn.Config(PlainTextResponse("here"), port=0, log_config=None, lifespan="off"))


@pytest.mark.parametrize("when", ["before it runs", "while it runs"])
def test_sigterm_ends_the_server_and_the_process_goes_on(when: str) -> None:
    one, before = server(), signal.getsignal(signal.SIGTERM)
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGTERM])
    with ended_by_sigterm(one):
        if when == "before it runs":
            signal.raise_signal(signal.SIGTERM)
        else:
            timer.start()
        one.run()
    assert one.started
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_run_that_is_not_there_ends_in_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError, match="typo is not a run"):
        serve(ServeSettings(tmp_path / "typo"))
    assert not list(tmp_path.iterdir())


def test_beside_the_main_thread_signals_are_left_alone() -> None:
    handlers = list[object]()

    def look() -> None:
        with ended_by_sigterm(server()):
            handlers.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=look)
    thread.start()
    thread.join(10)
    assert handlers == [before]
