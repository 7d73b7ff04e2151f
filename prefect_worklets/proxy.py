"""The way from the HTTP app to the views process: HTTP streamed both ways, and websockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from urllib.parse import quote

import httpx
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

logger = logging.getLogger(__name__)

MAX_MESSAGE = 64 * 1024 * 1024
_OPEN_SECONDS = 5.0
_READ_SECONDS = 120.0
_CLOSE_SECONDS = 2.0
# They tell about one connection, and mean nothing on the next one (RFC 9110, 7.6.1).
_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade".split()
)
_FORWARDED = frozenset((b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"forwarded"))
# The app's server writes these itself.
_ANSWERED_ANYWAY = frozenset((b"date", b"server"))
_NOT_BEFORE_CLOSE = frozenset((1004, 1005, 1006, 1015))
_SERVICE_RESTART, _TRY_AGAIN_LATER = 1012, 1013

Header = tuple[bytes, bytes]


class ViewsProxy:
    """An ASGI app that hands every request on to the views process, path and host unchanged.

    Args:
        upstream_url: where the views process listens, `http://127.0.0.1:PORT`.
    """

    def __init__(self, upstream_url: str) -> None:
        self._upstream = httpx.URL(upstream_url)
        # Not httpx's client: it follows its environment, adds headers of its own, and keeps one jar of cookies
        # for all callers.
        self._transport = httpx.AsyncHTTPTransport(
            trust_env=False,
            limits=httpx.Limits(max_connections=500, max_keepalive_connections=50, keepalive_expiry=30),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)

    async def aclose(self) -> None:
        """Close the connections to the views process."""
        await self._transport.aclose()

    # --- HTTP -----------------------------------------------------------------------------------------

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._ask(scope, receive)
        except httpx.TimeoutException as error:
            if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout):
                await _send_page(scope, send, 504, "The page took too long", "The views did not answer in time.")
            else:
                await _send_starting(scope, send)
            return
        except httpx.TransportError:
            await _send_starting(scope, send)
            return
        except _ClientGone:
            return
        try:
            headers = _passed(response.headers.raw, _ANSWERED_ANYWAY)
            await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
            # Raw: what is compressed stays so, and fits its content-encoding.
            async for part in response.aiter_raw():
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except httpx.TransportError as error:
            # The head has left: breaking the connection off is the only honest end.
            raise ConnectionError(f"the views broke their answer to {scope['path'][:200]} off: {error}") from error
        finally:
            await response.aclose()

    async def _ask(self, scope: Scope, receive: Receive) -> httpx.Response:
        names = {name for name, _ in scope["headers"]}
        has_body = b"transfer-encoding" in names or dict(scope["headers"]).get(b"content-length", b"0") != b"0"
        url = self._upstream.copy_with(raw_path=_target(scope))
        timeout = {"connect": _OPEN_SECONDS, "pool": _OPEN_SECONDS, "read": _READ_SECONDS, "write": _READ_SECONDS}

        def request() -> httpx.Request:
            content = _body(receive) if has_body else None
            made = httpx.Request(scope["method"], url, headers=_onward(scope), content=content)
            made.extensions = {"timeout": timeout}
            return made

        try:
            return await self._transport.handle_async_request(request())
        except (httpx.RemoteProtocolError, httpx.ReadError):
            # A kept connection that the other side closed at this very moment.
            if has_body or scope["method"] not in ("GET", "HEAD"):
                raise
            return await self._transport.handle_async_request(request())

    # --- websockets -----------------------------------------------------------------------------------

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        try:
            upstream = await self._connect(scope)
        except InvalidStatus as error:
            await _refuse(scope, send, error.response.status_code)
            return
        except InvalidURI:
            await _refuse(scope, send, 400)
            return
        except (OSError, TimeoutError, InvalidHandshake, EOFError):
            # A close before the handshake's end has no code that a browser sees.
            offered = scope.get("subprotocols") or [None]
            await send({"type": "websocket.accept", "subprotocol": offered[0]})
            await send({"type": "websocket.close", "code": _TRY_AGAIN_LATER, "reason": "the views are starting"})
            return
        try:
            await send({"type": "websocket.accept", "subprotocol": upstream.subprotocol})
            await _relay(upstream, receive, send)
        finally:
            await upstream.close()

    async def _connect(self, scope: Scope) -> ClientConnection:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in _onward(scope)]
        host = next((value for name, value in headers if name == "host"), self._upstream.netloc.decode())
        return await connect(
            f"ws://{host}{_target(scope).decode('latin-1')}",
            host=self._upstream.host,
            port=self._upstream.port or 80,
            subprotocols=[Subprotocol(each) for each in scope.get("subprotocols", ())] or None,
            additional_headers=[(name, value) for name, value in headers if not _is_handshake(name)],
            user_agent_header=None,
            compression=None,
            proxy=None,
            open_timeout=_OPEN_SECONDS,
            close_timeout=_CLOSE_SECONDS,
            # The views may be busy for long, and a dead process is seen by its closed socket. Pings are answered.
            ping_interval=None,
            max_size=MAX_MESSAGE,
        )


class _ClientGone(Exception):
    """The caller left while its body was still on the way."""


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGone
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


def _target(scope: Scope) -> bytes:
    path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    query: bytes = scope.get("query_string", b"")
    return path + b"?" + query if query else path


def _onward(scope: Scope) -> list[Header]:
    """The request's headers for the next hop. The server has resolved what a trusted proxy before it said."""
    headers = _passed(scope["headers"], _FORWARDED)
    client = scope.get("client")
    if client:
        headers.append((b"x-forwarded-for", str(client[0]).encode("latin-1")))
    secure = scope.get("scheme") in ("https", "wss")
    headers.append((b"x-forwarded-proto", b"https" if secure else b"http"))
    host = next((value for name, value in scope["headers"] if name == b"host"), None)
    if host is not None:
        headers.append((b"x-forwarded-host", host))
    return headers


def _passed(headers: Iterable[Header], without: frozenset[bytes]) -> list[Header]:
    lower = [(name.lower(), value) for name, value in headers]
    named = {part.strip().lower() for name, value in lower if name == b"connection" for part in value.split(b",")}
    dropped = _HOP_BY_HOP | without | named
    return [(name, value) for name, value in lower if name not in dropped]


def _is_handshake(name: str) -> bool:
    # The client library writes these for the connection that it opens.
    return name in ("host", "content-length") or name.startswith("sec-websocket-")


async def _relay(upstream: ClientConnection, receive: Receive, send: Send) -> None:
    """Pass messages both ways until one side closes, and its close code with it."""
    ways = [
        asyncio.create_task(_to_views(upstream, receive), name="to the views"),
        asyncio.create_task(_to_browser(upstream, send), name="from the views"),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        for outcome in await asyncio.gather(*ways, return_exceptions=True):
            if isinstance(outcome, Exception):
                logger.debug("a websocket to the views ended: %s", outcome)


async def _to_views(upstream: ClientConnection, receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            code = message.get("code") or 1000
            await upstream.close(1001 if code in _NOT_BEFORE_CLOSE else code, (message.get("reason") or "")[:100])
            return
        text = message.get("text")
        await upstream.send(text if text is not None else message["bytes"])


async def _to_browser(upstream: ClientConnection, send: Send) -> None:
    try:
        while True:
            message = await upstream.recv()
            if isinstance(message, str):
                await send({"type": "websocket.send", "text": message})
            else:
                await send({"type": "websocket.send", "bytes": message})
    except ConnectionClosed as closed:
        code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (_SERVICE_RESTART, "")
        if closed.rcvd is None and closed.sent is not None and closed.sent.code != 1000:
            code, reason = closed.sent.code, closed.sent.reason  # we refused what came, such as a message too long
        code = 1000 if code in _NOT_BEFORE_CLOSE else code
        await send({"type": "websocket.close", "code": code, "reason": reason})


async def _refuse(scope: Scope, send: Send, status: int) -> None:
    """End a handshake with the status that the views gave it, where the server can say it, else with 403."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"The views refused this connection.\n"})


# --- pages --------------------------------------------------------------------------------------------


async def _send_starting(scope: Scope, send: Send) -> None:
    await _send_page(scope, send, 503, "The views are starting", "This page tries again by itself.")


async def _send_page(scope: Scope, send: Send, status: int, title: str, text: str) -> None:
    body = _PAGE.format(title=title, text=text).encode()
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"retry-after", b"2"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2"><title>{title}</title>
<meta name="viewport" content="width=device-width"><style>
body {{ font: 16px/1.5 system-ui, sans-serif; display: grid; place-items: center; min-height: 90vh; margin: 0;
  color: #1d2733; background: #f7f8fa; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #e6e9ee; background: #14181d; }} }}
</style></head><body><main role="status"><h1>{title}</h1><p>{text}</p></main></body></html>
"""
