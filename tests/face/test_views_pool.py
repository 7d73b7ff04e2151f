"""Several views processes behind one address: a page's websocket finds the process that made the page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
from bokeh.util.token import generate_jwt_token, generate_session_id
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from prefect_worklets.views_pool import ViewsPool, process_of

from .serving import served


def token(process: object) -> str:
    """A page's token, as Bokeh makes it."""
    key = b"a key of this test"
    payload = {"visitor": "ada", "process": process}
    return str(generate_jwt_token(generate_session_id(key, True), key, True, payload))


def views(name: str) -> Starlette:
    async def page(_request: Request) -> Response:
        return PlainTextResponse(name)

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept(subprotocol="bokeh")
        await websocket.send_text(name)
        await websocket.receive()

    return Starlette(routes=[Route("/views/page", page), WebSocketRoute("/views/page/ws", socket)])


@pytest.fixture
async def pool() -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(served(views(name))) for name in ("first", "second")]
        pool = ViewsPool(urls)
        yield await stack.enter_async_context(served(Starlette(routes=[Mount("/views", app=pool)])))
        await pool.aclose()


async def opened(url: str, made: str) -> tuple[ClientConnection, str]:
    address = f"{url.replace('http', 'ws', 1)}/views/page/ws"
    connection = await connect(address, subprotocols=[Subprotocol("bokeh"), Subprotocol(made)])
    return connection, str(await asyncio.wait_for(connection.recv(), 10))


async def test_a_websocket_goes_where_its_page_is(pool: str) -> None:
    for _ in range(3):
        for process, name in enumerate(("first", "second")):
            connection, said = await opened(pool, token(process))
            assert said == name
            await connection.close()


async def test_new_pages_go_where_it_is_quiet(pool: str) -> None:
    async with httpx.AsyncClient(base_url=pool) as client:
        turns = [(await client.get("/views/page")).text for _ in range(4)]
        assert turns == ["first", "second", "first", "second"]
        connection, _ = await opened(pool, token(0))
        assert {(await client.get("/views/page")).text for _ in range(4)} == {"second"}
        await connection.close()
        async with asyncio.timeout(10):
            while {(await client.get("/views/page")).text for _ in range(2)} != {"first", "second"}:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "subprotocols",
    [
        [],
        ["bokeh"],
        ["bokeh", ""],
        ["bokeh", "nonsense"],
        ["bokeh", "e30.sig"],
        ["bokeh", "W10"],
        ["bokeh", "x" * 100_000],
        ["bokeh", token("third")],
        ["bokeh", token(None)],
    ],
)
def test_what_names_no_process_is_asked_of_the_first(subprotocols: list[str]) -> None:
    assert process_of(subprotocols) == 0


def test_a_number_is_read() -> None:
    assert process_of(["bokeh", token(3)]) == 3
