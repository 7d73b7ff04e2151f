"""HTTP to addresses that a user named, without lending them this machine's place in the network.

A host is resolved once, every address that it has is checked, and the connection goes to a checked address: a name that
answers differently the second time (DNS rebinding) gains nothing. Each redirect is checked the same way.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NoReturn

import httpcore
import httpx

from .errors import BadInput, SetupError

MAX_REDIRECTS = 5
# The web's ports and their usual seconds; `allow_private` adds others, host by host.
DEFAULT_PORTS = frozenset({80, 443, 8080, 8443})
_CONNECT_SECONDS = 5.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

# Beyond what `ipaddress` knows as not global, which differs between Python's patch versions.
_REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, where some clouds keep their metadata
        "168.63.129.16/32",  # Azure's host agent, on a public address
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "2001::/23",  # Teredo and other tunnels
        "2001:db8::/32",
        "3fff::/20",
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_6TO4 = IPv6Network("2002::/16")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a URL answered: its content, its `content-type` as sent, and the URL after redirects."""

    content: bytes
    content_type: str
    url: str


class Egress:
    """Fetches http(s) URLs that users named. Takes no proxy and no credentials from the environment.

    Args:
        max_bytes: the largest answer taken.
        timeout: seconds for everything together, redirects included.
        allow_private: what may be reached though private: networks (`10.1.0.0/16`, any of `ports`)
            and hosts with port (`intranet.example:9000`, which need not be in `ports`).
        ports: the ports that may be reached.
        tls: how certificates are checked; by default against the public authorities.
        resolve: from host and port to addresses; by default the system's resolver.

    Raises:
        SetupError: an entry of `allow_private` is neither a network nor a host with port.
    """

    def __init__(
        self,
        max_bytes: int = 25_000_000,
        timeout: float = 20.0,
        allow_private: Sequence[str] = (),
        *,
        ports: Iterable[int] = DEFAULT_PORTS,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        self.max_bytes = max_bytes
        self.timeout = timeout
        self._ports = frozenset(ports)
        self._networks, self._hosts = _parse_allowed(allow_private)
        self._tls = tls
        self._resolve = resolve or _system_resolve

    async def get(self, url: str) -> Fetched:
        """The content behind `url`.

        Raises:
            BadInput: the URL is not http(s), its host is private or cannot be reached, or the answer is not a
                success, is larger than `max_bytes` or takes longer than `timeout`. The message names the host.
        """
        target = self._checked(url)
        try:
            async with asyncio.timeout(self.timeout):
                return await self._follow(target)
        except TimeoutError:
            raise BadInput(f"{target.host} took longer than {self.timeout:g} seconds to send it.") from None

    async def _follow(self, target: httpx.URL) -> Fetched:
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._fetch(target)
            if isinstance(answer, Fetched):
                return answer
            target = self._checked(answer, after=target)
        raise BadInput(f"{target.host} redirects more than {MAX_REDIRECTS} times; give the final address.")

    async def _fetch(self, target: httpx.URL) -> Fetched | str:
        """What `target` answers: its content, or where it redirects to."""
        # A pool for each fetch: an open connection would belong to one event loop, and hosts seldom repeat.
        backend = _CheckedBackend(self._addresses)
        try:
            async with (
                httpcore.AsyncConnectionPool(ssl_context=self._tls_context(target), network_backend=backend) as pool,
                pool.stream("GET", _core_url(target), headers=_headers(target)) as response,
            ):
                return await self._read(target, response)
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.TimeoutException,
            httpcore.UnsupportedProtocol,
            OSError,
        ) as error:
            raise BadInput(f"{target.host} could not be read: {error or type(error).__name__}.") from error

    async def _read(self, target: httpx.URL, response: httpcore.Response) -> Fetched | str:
        headers = httpx.Headers(response.headers)
        if response.status in _REDIRECTS and "location" in headers:
            return headers["location"]
        if not 200 <= response.status < 300:
            raise BadInput(f"{target.host} answered {response.status} for {target.path[:100]}, not with content.")
        if headers.get("content-encoding", "identity").lower() != "identity":
            # It was not asked for, and unpacking would get round the limit.
            raise BadInput(f"{target.host} sent it compressed ({headers['content-encoding']}) though not asked to.")
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self.max_bytes:
            self._too_large(target)
        parts: list[bytes] = []
        size = 0
        async for part in response.aiter_stream():
            size += len(part)
            if size > self.max_bytes:
                self._too_large(target)
            parts.append(part)
        return Fetched(b"".join(parts), headers.get("content-type", ""), str(target))

    def _too_large(self, target: httpx.URL) -> NoReturn:
        raise BadInput(f"{target.host} sent more than the {self.max_bytes:,} bytes allowed.")

    def _tls_context(self, target: httpx.URL) -> ssl.SSLContext | None:
        if target.scheme == "https" and self._tls is None:
            self._tls = httpx.create_ssl_context()
        return self._tls

    def check(self, url: str) -> None:
        """Raise BadInput for a URL that, by its text, may not be fetched. Its host is checked at connecting."""
        self._checked(url)

    def backend(self) -> httpcore.AsyncNetworkBackend:
        """What connects to checked addresses only, for a pool of connections of its own."""
        return _CheckedBackend(self._addresses)

    # --- what is let through --------------------------------------------------------------------------

    def _checked(self, url: str, after: httpx.URL | None = None) -> httpx.URL:
        """The URL, joined to the one that redirected to it, if it may be fetched as far as the URL says."""
        try:
            target = after.join(url) if after is not None else httpx.URL(url)
        except (httpx.InvalidURL, ValueError) as error:
            raise BadInput(f"{url[:100]!r} is not a valid URL ({error}).") from None
        place = f"{after.host} redirects to {target.host or url[:100]!r}" if after else target.host or repr(url[:100])
        if target.scheme not in ("http", "https") or not target.host:
            raise BadInput(f"{place}: only http:// and https:// URLs with a host are fetched.")
        if target.userinfo:
            raise BadInput(f"{place}: a URL with a user name or password in it is not fetched.")
        port = _port(target)
        if port not in self._ports and (_host(target), port) not in self._hosts:
            ports = ", ".join(str(port) for port in sorted(self._ports))
            raise BadInput(f"{place}: port {port} may not be reached, only {ports}.")
        return target

    async def _addresses(self, host: str, port: int) -> list[str]:
        """The addresses of the host, every one of them checked."""
        try:
            texts = list(dict.fromkeys(await self._resolve(host, port)))
        except (OSError, UnicodeError):
            texts = []
        if not texts:
            raise BadInput(f"{host} is no known host; check the address.")
        if (host, port) in self._hosts:
            return texts
        for text in texts:
            # The address itself is not told: it may be a secret of the network here.
            if why := self._refusal(ipaddress.ip_address(text.partition("%")[0])):
                raise BadInput(f"{host} is not fetched: it is {why}, which may not be reached from here.")
        return texts

    def _refusal(self, address: Address) -> str | None:
        inner = embedded(address)
        if any(address in network or inner in network for network in self._networks):
            return None
        return refusal(address)


def refusal(address: Address) -> str | None:
    """Why an address may not be reached ("a loopback address"), or None for one of the public network."""
    inner = embedded(address)
    if inner != address:
        return refusal(inner)
    if address.is_loopback:
        return "a loopback address"
    if address.is_link_local:
        return "a link-local address"
    if address.is_multicast:
        return "a multicast address"
    if address.is_unspecified:
        return "the unspecified address"
    if address.is_private:
        return "a private address"
    if address.is_reserved or not address.is_global or any(address in network for network in _REFUSED):
        return "a reserved address"
    if address.version == 6 and address not in _GLOBAL_V6:
        return "a reserved address"
    return None


def embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (mapped, 6to4, NAT64), or else the address."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _6TO4:
        return IPv4Address((int(address) >> 80) & 0xFFFFFFFF)
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses only. TLS still checks the certificate against the host's name."""

    def __init__(self, addresses: Callable[[str, int], Awaitable[list[str]]]) -> None:
        self._addresses = addresses
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first of the host's addresses that answers. Raises BadInput."""
        failure: Exception | None = None
        for address in await self._addresses(host, port):
            try:
                return await self._inner.connect_tcp(address, port, _CONNECT_SECONDS, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise BadInput(f"{host} does not answer on port {port}; check the address.") from failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refused: no URL leads to a Unix socket."""
        raise BadInput("A Unix socket may not be reached.")

    async def sleep(self, seconds: float) -> None:
        """Wait; httpcore asks for it between attempts."""
        await asyncio.sleep(seconds)


async def _system_resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


def _parse_allowed(entries: Sequence[str]) -> tuple[list[Network], set[tuple[str, int]]]:
    networks: list[Network] = []
    hosts: set[tuple[str, int]] = set()
    for entry in entries:
        try:
            networks.append(ipaddress.ip_network(entry, strict=False))
            continue
        except ValueError:
            host, colon, port = entry.rpartition(":")
        if not (colon and host and port.isdecimal() and 0 < int(port) < 65536) or "/" in host:
            raise SetupError(
                f"{entry!r} allows no private address; write a network (10.1.0.0/16) or a host with port "
                "(intranet.example:9000)."
            )
        hosts.add((host.strip("[]").lower(), int(port)))
    return networks, hosts


def _host(target: httpx.URL) -> str:
    return target.raw_host.decode("ascii").strip("[]").lower()


def _port(target: httpx.URL) -> int:
    if target.port is not None:
        return target.port
    return 443 if target.scheme == "https" else 80


def _core_url(target: httpx.URL) -> httpcore.URL:
    return httpcore.URL(
        scheme=target.raw_scheme, host=_host(target).encode("ascii"), port=target.port, target=target.raw_path
    )


def _headers(target: httpx.URL) -> list[tuple[bytes, bytes]]:
    return [
        (b"Host", target.netloc),
        (b"User-Agent", b"prefect-worklets"),
        (b"Accept", b"*/*"),
        (b"Accept-Encoding", b"identity"),
        (b"Connection", b"close"),
    ]
