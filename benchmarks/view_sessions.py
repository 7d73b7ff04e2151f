"""Open so many sessions of our view as pages do: page, websocket, document. Hold them until standard input ends.

`python -m benchmarks.view_sessions URL NUMBER COOKIE`
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from urllib.parse import urlsplit

import httpx
import websockets


async def begin(client: httpx.AsyncClient, url: str, cookie: str) -> websockets.ClientConnection:
    """A session like that of a page that somebody has open."""
    page = (await client.get(url)).text
    found = re.search(r'"token":"([^"]+)"', page)
    assert found is not None, page[:500]
    parts = urlsplit(url)
    connection = await websockets.connect(
        f"ws://{parts.netloc}{parts.path}/ws",
        origin=f"http://{parts.netloc}",  # type: ignore[arg-type]
        subprotocols=["bokeh", found[1]],  # type: ignore[list-item]
        additional_headers={"cookie": cookie},
        max_size=None,
    )
    await connection.recv()  # the acknowledgement: header, metadata, content
    await connection.recv()
    await connection.recv()
    header = {"msgid": "1", "msgtype": "PULL-DOC-REQ"}
    for part in (header, {}, {}):
        await connection.send(json.dumps(part))
    while '"PULL-DOC-REPLY"' not in str(await connection.recv()):
        continue
    await connection.recv()
    await connection.recv()
    return connection


async def main(url: str, number: int, cookie: str) -> None:
    """Open, say how many, wait."""
    async with httpx.AsyncClient(headers={"cookie": cookie}, timeout=60) as client:
        held = [await begin(client, url, cookie) for _ in range(number)]
    print(len(held), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
