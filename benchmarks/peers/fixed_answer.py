"""A server that computes nothing: it shows how much the load generator itself can drive."""

from __future__ import annotations

import asyncio
import sys

import uvloop

BODY = b'{"species":"setosa","label":0,"petal_area":0.28}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)


class FixedAnswer(asyncio.Protocol):
    """Answers each read, which is one request of our generator, with the same bytes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(ANSWER)  # type: ignore[attr-defined]


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(FixedAnswer, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
