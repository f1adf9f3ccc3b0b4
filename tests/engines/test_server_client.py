"""One attempt at a request: it ends in its time, whatever the server sends in the meantime."""

import asyncio
import time
from itertools import chain, repeat

import pytest
from chat_server import ChatServer, Reply, completion

from mmsrarec.engines.pacing import Pacing
from mmsrarec.engines.server_client import ServerClient, Unanswered

SECONDS = 0.3
HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n"
SLOW = {
    "nothing": [b""] * 40,
    "a byte of the headers at a time": [b"%c" % byte for byte in (HEAD + b"X-Long: " + b"x" * 40)],
    "early hints without end": repeat(HINT, 40),
    "a byte of the body at a time": chain([HEAD + b"\r\n"], repeat(b" ", 40)),
}


def client_of(server: ChatServer, attempts: int = 1) -> ServerClient:
    return ServerClient(server.url, None, Pacing(first_pause=0.01), SECONDS, attempts)


@pytest.mark.parametrize("pieces", SLOW.values(), ids=SLOW)
def test_an_attempt_ends_in_its_time_whatever_comes_bit_by_bit(pieces: list[bytes]) -> None:
    with ChatServer(lambda *_: Reply(pieces=pieces, drip=0.05)) as server:
        client, began = client_of(server), time.monotonic()
        with pytest.raises(Unanswered, match=r"no answer within 0.3 s") as error:
            client.post("chat/completions", {})
        assert time.monotonic() - began < 1.5
        assert not error.value.absent
        client.close()


def test_an_attempt_that_was_given_up_blocks_no_later_one() -> None:
    def behave(before: int, body: object) -> Reply:
        return Reply(body=completion("mug")) if before else Reply(pieces=repeat(HINT, 40), drip=0.05)

    with ChatServer(behave) as server:
        client = client_of(server, attempts=9)
        assert client.post("chat/completions", {}).attempts >= 2
        client.close()


def test_a_caller_with_an_event_loop_of_its_own_may_ask() -> None:
    async def ask(client: ServerClient) -> int:
        return client.post("chat/completions", {}).attempts

    with ChatServer() as server:
        assert asyncio.run(ask(client_of(server))) == 1
