"""A lean HTTP/1.1 client for one Unix socket, with connections kept open.

About a quarter of httpx's time a call; what we speak to on this socket is our own host.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

import httptools

MAX_IDLE = 32


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes


class ConnectionLost(ConnectionError):
    """The connection broke. `sent` tells whether the request may have reached the other side."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class SocketClient:
    """Requests to the server on a Unix socket; every request carries the headers given here."""

    def __init__(self, socket: Path, headers: dict[str, str]) -> None:
        self._socket = str(socket)
        self._head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._idle: list[_Connection] = []

    async def request(self, method: str, path: str, body: bytes = b"", *, headers: str = "") -> Answer:
        """The answer, whatever its status. `headers` are whole lines.

        Raises:
            ConnectionLost: nobody listens, or the connection broke before the answer was whole.
        """
        head = f"{method} {path} HTTP/1.1\r\nhost: h\r\ncontent-length: {len(body)}\r\n{self._head}{headers}\r\n"
        connection = await self._connection()
        try:
            answer = await connection.exchange(head.encode() + body)
        except BaseException:  # cancelled too: an answer that nobody awaits must not meet the next request
            connection.close()
            raise
        if connection.reusable and len(self._idle) < MAX_IDLE:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_unix_connection(_Connection, self._socket)
        except OSError as error:
            raise ConnectionLost(f"nobody listens on {self._socket} ({error.strerror})", sent=False) from None
        return connection


class _Connection(asyncio.Protocol):
    """One connection, with one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self.reusable = False

    async def exchange(self, request: bytes) -> Answer:
        if self._transport is None or self._transport.is_closing():
            raise ConnectionLost("the connection is closed", sent=False)
        self._waiter = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._parts = []
        self._transport.write(request)
        return await self._waiter

    def close(self) -> None:
        self.reusable = False
        if self._transport is not None:
            self._transport.close()

    # --- asyncio's callbacks
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self.reusable = True

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"the answer is no HTTP: {error}")
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        self._fail("the connection broke before the answer")

    # --- the parser's callbacks
    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self.reusable = bool(self._parser.should_keep_alive())
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(Answer(self._parser.get_status_code(), b"".join(self._parts)))

    def _fail(self, message: str) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionLost(message, sent=True))
