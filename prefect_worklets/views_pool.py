"""Several views processes behind one address: who opens a page goes where it is quiet, and then stays there.

A page's session lives in the process that made the page. No cookie says which one that was (in a frame of another site
there is none): the page's own token does, which its websocket brings along.
"""

from __future__ import annotations

import base64
import itertools
import json
import zlib
from collections.abc import Sequence

from starlette.types import Receive, Scope, Send

from .proxy import ViewsProxy

_MOST_TOKEN = 64_000
_MOST_PAYLOAD = 256_000


class ViewsPool:
    """An ASGI app that passes each request on to one of the views processes.

    Args:
        urls: where they listen; the first is process 0.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self._proxies = [ViewsProxy(url) for url in urls]
        self._open = [0] * len(urls)
        self._turn = itertools.cycle(range(len(urls)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] != "websocket":
            await self._proxies[self._quiet()](scope, receive, send)
            return
        number = process_of(scope.get("subprotocols", ())) % len(self._proxies)
        self._open[number] += 1
        try:
            await self._proxies[number](scope, receive, send)
        finally:
            self._open[number] -= 1

    async def aclose(self) -> None:
        """Close the connections to the views processes."""
        for proxy in self._proxies:
            await proxy.aclose()

    def _quiet(self) -> int:
        """The process with the fewest open pages; among equals each in turn."""
        first = next(self._turn)
        numbers = range(first, first + len(self._open))
        return min((number % len(self._open) for number in numbers), key=lambda number: self._open[number])


def process_of(subprotocols: Sequence[str]) -> int:
    """The process whose number a page's token has. It only says where to ask: there the signature is checked."""
    if len(subprotocols) != 2 or len(subprotocols[1]) > _MOST_TOKEN:
        return 0
    try:
        token = json.loads(_decoded(subprotocols[1].partition(".")[0]))
        packed = _decoded(token["__bk__zlib_"])
        payload = json.loads(zlib.decompressobj().decompress(packed, _MOST_PAYLOAD))
        return int(payload["process"])
    except (ValueError, KeyError, TypeError, zlib.error, RecursionError):
        return 0


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
