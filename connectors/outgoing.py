"""HTTP that worklets send: one pool of connections, an allow-list, bounded answers.

An address that a definition fixes is its author's; one that a run's values make is checked as `Egress` checks it, and
so is whatever another host redirects to.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from .egress import MAX_REDIRECTS, Egress
from .errors import BadInput, RequestFailed, SetupError

_CONNECTIONS = 100
_USER_AGENT = "prefect-worklets"
# Answers that say that asking again may help (RFC 9110, RFC 6585).
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_SAID = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a server answered with success."""

    content: bytes
    content_type: str
    status: int


class Outgoing:
    """Sends requests. Its connections belong to the event loop that first uses them.

    Args:
        egress: the rules for addresses that users name.
        hosts: the only hosts that may be reached, `api.example.com`, `*.example.com` or `host:port`; none allows all.

    Raises:
        SetupError: an entry of `hosts` is no host.
    """

    def __init__(self, egress: Egress | None = None, hosts: Sequence[str] = ()) -> None:
        self._egress = egress or Egress()
        self.hosts = tuple(hosts)
        for entry in hosts:
            if not is_host_pattern(entry):
                raise SetupError(f"{entry!r} is no host; write `api.example.com`, `*.example.com` or `host:port`.")
        self._trusted: httpx.AsyncClient | None = None
        self._checked: httpx.AsyncClient | None = None

    async def send(
        self,
        method: str,
        url: str,
        *,
        trusted: bool,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout: float | None = None,
        max_bytes: int = 10_000_000,
        hosts: Sequence[str] = (),
        own_headers: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Send one request and read its answer.

        Args:
            method, url, params, headers, content: the request.
            trusted: whether the definition fixes the host; else it is checked against private addresses.
            timeout: seconds without a byte until it is given up; None waits.
            max_bytes: the largest answer, unpacked.
            hosts: an allow-list besides the server's own.
            own_headers: more headers, for this scheme, host and port alone: they do not go where it redirects to.

        Raises:
            BadInput: the address comes from a user and may not be reached.
            RequestFailed: no connection, no success, or too large an answer.
        """
        client = self._client(trusted)
        try:
            request = client.build_request(
                method, url, params=params or None, headers=headers, content=content, timeout=timeout
            )
        except (httpx.InvalidURL, ValueError, TypeError) as error:
            raise BadInput(f"This request can't be made: {error}.") from None
        request.headers.update(own_headers or {})
        for _ in range(MAX_REDIRECTS + 1):
            self._allow(request.url, trusted, hosts)
            answer = await self._one(client, request, max_bytes)
            if isinstance(answer, Outcome):
                return answer
            if _origin(answer.url) != _origin(request.url):
                for name in own_headers or ():
                    answer.headers.pop(name, None)
            if answer.url.host != request.url.host:
                trusted = False
                client = self._client(trusted)
            request = answer
        raise RequestFailed(f"{request.url.host} redirects more than {MAX_REDIRECTS} times.", repeatable=False)

    async def close(self) -> None:
        """Close the connections."""
        for client in (self._trusted, self._checked):
            if client is not None:
                await client.aclose()
        self._trusted = self._checked = None

    def _client(self, trusted: bool) -> httpx.AsyncClient:
        if trusted:
            if self._trusted is None:
                limits = httpx.Limits(max_connections=_CONNECTIONS)
                self._trusted = httpx.AsyncClient(limits=limits, headers={"user-agent": _USER_AGENT})
            return self._trusted
        if self._checked is None:
            transport = _CheckedTransport(self._egress)
            # No proxy: it would connect in our place, past the check.
            self._checked = httpx.AsyncClient(transport=transport, trust_env=False, headers={"user-agent": _USER_AGENT})
        return self._checked

    def _allow(self, url: httpx.URL, trusted: bool, hosts: Sequence[str]) -> None:
        for allowed in (self.hosts, hosts):
            if allowed and not is_allowed(url, allowed):
                said = f"{url.host} is not among the hosts that requests may go to ({', '.join(allowed)})."
                raise RequestFailed(said, repeatable=False) if trusted else BadInput(said)
        if not trusted:
            self._egress.check(str(url))

    async def _one(self, client: httpx.AsyncClient, request: httpx.Request, max_bytes: int) -> Outcome | httpx.Request:
        """The answer, or the request that it redirects to."""
        what = f"{request.method} {request.url.host}{request.url.path[:100]}"
        try:
            response = await client.send(request, stream=True)
            try:
                if response.next_request is not None:
                    return response.next_request
                if not response.is_success:
                    raise await _refusal(response, what)
                content = await _bounded(response.aiter_bytes(), max_bytes, what)
            finally:
                await response.aclose()
        except (httpx.TimeoutException, httpcore.TimeoutException) as error:
            raise RequestFailed(f"{what} timed out ({type(error).__name__}).", repeatable=True) from error
        except (httpx.TransportError, httpcore.NetworkError, httpcore.ProtocolError) as error:
            reason = str(error) or type(error).__name__
            raise RequestFailed(f"{what} got no answer: {reason}.", repeatable=True) from error
        except httpx.HTTPError as error:
            raise RequestFailed(f"{what} failed: {error}.", repeatable=False) from error
        return Outcome(content, response.headers.get("content-type", ""), response.status_code)


class _CheckedTransport(httpx.AsyncBaseTransport):
    """A pool that connects to addresses which `Egress` lets through, whatever the name says at that moment."""

    def __init__(self, egress: Egress) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=_CONNECTIONS,
            keepalive_expiry=5.0,
            network_backend=egress.backend(),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it. Raises httpcore's errors, and BadInput for an address that may not be reached."""
        target = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        answer = await self._pool.handle_async_request(
            httpcore.Request(
                request.method,
                target,
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_PoolStream(answer), extensions=answer.extensions
        )

    async def aclose(self) -> None:
        """Close the pool."""
        await self._pool.aclose()


class _PoolStream(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._answer.aiter_stream():
            yield part

    async def aclose(self) -> None:
        await self._answer.aclose()


async def _bounded(parts: AsyncIterator[bytes], max_bytes: int, what: str) -> bytes:
    found: list[bytes] = []
    size = 0
    async for part in parts:
        size += len(part)
        if size > max_bytes:
            raise RequestFailed(f"{what} answered more than {max_bytes:,} bytes.", repeatable=False)
        found.append(part)
    return b"".join(found)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


async def _refusal(response: httpx.Response, what: str) -> RequestFailed:
    said = ""
    async for part in response.aiter_bytes():
        said = " ".join(part[: 4 * _SAID].decode("utf-8", "replace").split())[:_SAID]
        break
    return RequestFailed(
        f"{what} answered {response.status_code}" + (f": {said}" if said else "."),
        repeatable=response.status_code in _PASSING,
        wait=_retry_after(response.headers.get("retry-after", "")),
    )


def _retry_after(text: str) -> float:
    """Seconds that a `Retry-After` asks to wait: a number, or a date. 0 for anything else."""
    if text.strip().isdecimal():
        return float(text)
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return 0.0
    return max(0.0, at.timestamp() - time.time())


def is_host_pattern(text: str) -> bool:
    """Whether it is `host`, `*.host` or one of them with `:port`."""
    host, _, port = text.removeprefix("*.").partition(":")
    return bool(host) and not set(host) & set("/*@? ") and (port.isdecimal() or ":" not in text)


def is_allowed(url: httpx.URL, hosts: Iterable[str]) -> bool:
    """Whether a URL's host is one of these."""
    port = url.port or (443 if url.scheme == "https" else 80)
    for entry in hosts:
        pattern, _, wanted = entry.lower().partition(":")
        if wanted and int(wanted) != port:
            continue
        if url.host == pattern or (pattern.startswith("*.") and url.host.endswith(pattern[1:])):
            return True
    return False


async def as_json(content: bytes) -> Any:
    """Parsed JSON; a large text in a thread. Raises ValueError."""
    return json.loads(content) if len(content) < 65_536 else await asyncio.to_thread(json.loads, content)
