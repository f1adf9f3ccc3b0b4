"""Says which hosts may be asked for pictures, and which addresses of the network they may stand for.

An address in a catalogue comes from anybody. It may name a machine of the user's own network, directly, by a name that
resolves to it, or by a redirect. So hosts are allowed by name, and each connection is checked by number.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import httpx2

from mmsrarec.errors import DataError

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
PORTS = {"http": 80, "https": 443}
"""The schemes that are spoken, and the port of each, which is the only one allowed unless a host is given with one."""
MAX_ADDRESS_CHARACTERS = 8_192
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
"""Names as DNS has them, and numeric addresses."""
_PORT = re.compile(r":([0-9]{1,5})\Z")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 addresses whose last 32 bits are an IPv4 address, to which a gateway leads."""


class Refused(Exception):
    """The error for an address that may not be asked; the message is the reason."""


@dataclass(frozen=True)
class HostRule:
    """A host that the user allows.

    Attributes:
        name: The host in lower case, in the letters of DNS.
        port: The port; None for the usual one of each scheme.
        below: Whether the hosts below it are meant (`*.example.com`), and not the host itself.
    """

    name: str
    port: int | None = None
    below: bool = False

    @classmethod
    def parse(cls, text: str) -> "HostRule":
        """Read `example.com`, `*.example.com` or `example.com:8080`. Raises DataError."""
        text = text.strip()
        below = text.startswith("*.")
        try:
            url = parse_address(f"http://{text.removeprefix('*.')}/")
        except Refused:
            url = None
        if url is None or url.raw_path != b"/":
            raise DataError(f"{text!r} is not a host: write example.com, *.example.com or example.com:8080")
        port = _PORT.search(text)
        return cls(url.raw_host.decode("ascii").lower(), int(port[1]) if port else None, below)

    def allows(self, url: httpx2.URL) -> bool:
        """Whether an address is at this host."""
        host = url.raw_host.decode("ascii").lower()
        port = url.port or PORTS[url.scheme]
        named = host.endswith(f".{self.name}") if self.below else host == self.name
        return named and port == (self.port or PORTS[url.scheme])


@dataclass(frozen=True)
class HostRules:
    """What may be asked.

    Attributes:
        hosts: The hosts that are allowed by name.
        networks: Addresses of the network that are allowed although they are not public.
    """

    hosts: tuple[HostRule, ...]
    networks: tuple[IPNetwork, ...] = ()

    @classmethod
    def parse(cls, hosts: Iterable[str], addresses: Iterable[str] = ()) -> "HostRules":
        """Read what the user allows.

        Args:
            hosts: Such as `example.com`, `*.example.com`, `example.com:8080`.
            addresses: Such as `127.0.0.1` or `10.0.0.0/8`.

        Raises:
            DataError: One of them is neither.
        """
        networks: list[IPNetwork] = []
        for text in addresses:
            try:
                networks.append(ipaddress.ip_network(text.strip(), strict=False))
            except ValueError:
                raise DataError(f"{text!r} is not an address: write 127.0.0.1 or 10.0.0.0/8") from None
        return cls(tuple(map(HostRule.parse, hosts)), tuple(networks))

    def check(self, text: str) -> httpx2.URL:
        """Read an address and check its scheme, its host and its port.

        Args:
            text: The address.

        Returns:
            The address.

        Raises:
            Refused: It is none, or its host is not allowed.
        """
        url = parse_address(text)
        if not any(rule.allows(url) for rule in self.hosts):
            raise Refused(f"the host {host_of(url)} is not allowed: --allow-host {host_of(url)}")
        return url

    def usable(self, addresses: Sequence[str]) -> list[str]:
        """Those of a host's numeric addresses that may be connected to.

        Args:
            addresses: Numeric addresses, as the name was resolved.

        Returns:
            The public ones, and those that the user allows.

        Raises:
            Refused: There is none.
        """
        usable = [text for text in addresses if self._is_usable(ipaddress.ip_address(text))]
        if addresses and not usable:
            number = addresses[0].partition("%")[0]
            raise Refused(f"it stands for {number}, which is not public: --allow-address {number}")
        return usable

    def _is_usable(self, number: IPAddress) -> bool:
        """Whether an address, and the IPv4 address that it may hold, is public or allowed."""
        numbers = [number, *_embedded(number)]
        if any(_contains(network, each) for network in self.networks for each in numbers):
            return True
        return all(each.is_global and not each.is_multicast for each in numbers)


def parse_address(text: str) -> httpx2.URL:
    """Read an address of a picture.

    Raises:
        Refused: It is no address of http or https with a host, or it holds a name or password.
    """
    text = text.strip()
    if len(text) > MAX_ADDRESS_CHARACTERS:
        raise Refused(f"an address of more than {MAX_ADDRESS_CHARACTERS} characters")
    try:
        url = httpx2.URL(text)
        host = url.raw_host.decode("ascii")
    except (httpx2.InvalidURL, ValueError):
        raise Refused("not a valid address") from None
    if url.scheme not in PORTS:
        raise Refused(f"{url.scheme or 'no scheme'}: only http and https are spoken")
    if not host:
        raise Refused("an address without a host")
    if not _HOST.fullmatch(host) or not 0 < (url.port or 1) < 65_536:
        raise Refused("not a valid address")
    if url.userinfo:
        raise Refused("an address with a name or a password")
    return url


def host_of(url: httpx2.URL) -> str:
    """The host of an address, with its port where that is not the usual one, as `HostRule.parse` reads it."""
    host = url.raw_host.decode("ascii").lower()
    name = f"[{host}]" if ":" in host else host
    return name if url.port in (None, PORTS.get(url.scheme)) else f"{name}:{url.port}"


def _embedded(number: IPAddress) -> list[IPAddress]:
    """The IPv4 addresses that an IPv6 address leads to by mapping, 6to4, Teredo or NAT64."""
    if isinstance(number, ipaddress.IPv4Address):
        return []
    low = ipaddress.IPv4Address(int(number) & 0xFFFFFFFF)
    parts: list[IPAddress | None] = [number.ipv4_mapped, number.sixtofour, *(number.teredo or ())]
    if number in _NAT64 or 1 < int(number) < 2**32:  # also the old "IPv4-compatible" form ::a.b.c.d
        parts.append(low)
    return [part for part in parts if part is not None]


def _contains(network: IPNetwork, number: IPAddress) -> bool:
    """Whether an address lies in a network of the same version."""
    return network.version == number.version and number in network
