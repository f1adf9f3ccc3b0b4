"""Connections go to numbers that were checked, whatever DNS says a moment later."""

import asyncio

import httpcore2
import httpx2
import pytest
from misbehaving_server import Server, picture

from mmsrarec.data.image_fetching.guarded_transport import GuardedBackend, GuardedTransport
from mmsrarec.data.image_fetching.host_rules import HostRules, Refused


class Lookup(GuardedBackend):
    """A backend whose name server gives one answer after the other, and which notes where it connects."""

    def __init__(self, rules: HostRules, *answers: list[str]):
        super().__init__(rules)
        self.answers, self.connected = list(answers), list[str]()
        inner = self._inner.connect_tcp

        async def connect(number: str, *arguments: object) -> httpcore2.AsyncNetworkStream:
            self.connected.append(number)
            return await inner(number, *arguments)

        self._inner.connect_tcp = connect

    async def resolve(self, host: str, port: int) -> list[str]:
        return self.answers.pop(0)


async def get(backend: GuardedBackend, *addresses: str) -> list[int]:
    transport = GuardedTransport(backend, 4)
    async with httpx2.AsyncClient(transport=transport, trust_env=False, timeout=2) as client:
        statuses: list[int] = []
        for address in addresses:
            answer = await client.get(address, headers={"Connection": "close"})
            statuses.append(answer.status_code)
        return statuses


def test_a_name_that_stands_for_this_machine_is_refused_before_anything_is_sent() -> None:
    with Server() as server:
        rules = HostRules.parse([f"shop.example:{server.port}"])
        backend = Lookup(rules, ["127.0.0.1"])
        with pytest.raises(Refused, match=r"127\.0\.0\.1, which is not public"):
            asyncio.run(get(backend, f"http://shop.example:{server.port}/picture/1"))
        assert backend.connected == []
        assert not server.requests


def test_a_name_that_turns_to_this_machine_later_is_refused_then() -> None:
    """DNS rebinding: the first answer may be used, the second may not."""
    with Server() as server:
        rules = HostRules.parse([f"shop.example:{server.port}"], ["127.0.0.1"])
        backend = Lookup(rules, ["127.0.0.1"], ["127.0.0.2"])
        address = f"http://shop.example:{server.port}/picture/1"
        with pytest.raises(Refused, match=r"127\.0\.0\.2"):
            asyncio.run(get(backend, address, address))
        assert backend.connected == ["127.0.0.1"]
        assert server.requests["picture/1"] == 1


def test_the_connection_goes_to_the_number_that_was_checked_and_the_name_is_asked_for_once() -> None:
    with Server() as server:
        rules = HostRules.parse([f"shop.example:{server.port}"], ["127.0.0.1"])
        backend = Lookup(rules, ["10.0.0.1", "127.0.0.1"])
        assert asyncio.run(get(backend, f"http://shop.example:{server.port}/picture/1")) == [200]
        assert backend.connected == ["127.0.0.1"]
        assert backend.answers == []


def test_where_one_number_does_not_answer_the_next_is_tried() -> None:
    with Server() as server:
        rules = HostRules.parse(["x.example"], ["127.0.0.0/8"])
        backend = Lookup(rules, ["127.0.0.9", "127.0.0.1"])
        assert asyncio.run(get(backend, f"http://x.example:{server.port}/picture/1")) == [200]
        assert backend.connected == ["127.0.0.9", "127.0.0.1"]


def test_a_name_without_numbers_is_an_error_of_connecting() -> None:
    backend = Lookup(HostRules.parse(["x.example"]), [])
    with pytest.raises(httpcore2.ConnectError, match="no address is known"):
        asyncio.run(get(backend, "http://x.example/"))
    real = GuardedBackend(HostRules.parse(["*.invalid"]))
    for name in ("name.invalid", "x" * 70 + ".invalid", "a..invalid"):
        with pytest.raises(httpcore2.ConnectError, match="no address is known"):
            asyncio.run(get(real, f"http://{name}/"))


def test_a_slow_name_server_is_an_error_of_time() -> None:
    class Slow(GuardedBackend):
        async def resolve(self, host: str, port: int) -> list[str]:
            await asyncio.sleep(10)
            return []

    with pytest.raises(httpcore2.ConnectTimeout):
        asyncio.run(Slow(HostRules.parse(["x.example"])).connect_tcp("x.example", 80, timeout=0.05))


def test_sockets_of_the_machine_are_not_used() -> None:
    with pytest.raises(httpcore2.ConnectError):
        asyncio.run(GuardedBackend(HostRules.parse([])).connect_unix_socket("/run/x"))


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with Server() as server:
        backend = GuardedBackend(HostRules.parse([server.host], ["127.0.0.1"]))
        assert asyncio.run(get(backend, server.address("picture/3"))) == [200]
    assert picture(3)
