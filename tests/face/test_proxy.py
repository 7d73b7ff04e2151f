"""The proxy to the views: what goes in comes out, both ways."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from prefect_worklets.proxy import ViewsProxy

from .serving import served


async def echo(request: Request) -> Response:
    body = await request.body()
    return JSONResponse(
        {
            "method": request.method,
            "path": request.scope["raw_path"].decode(),
            "query": request.scope["query_string"].decode(),
            "headers": [[n.decode(), v.decode("latin-1")] for n, v in request.scope["headers"]],
            "size": len(body),
            "start": body[:10].decode(),
        }
    )


async def cookies(_request: Request) -> Response:
    response = Response("ok")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


async def zipped(_request: Request) -> Response:
    return Response(gzip.compress(b"hello" * 100), headers={"content-encoding": "gzip"}, media_type="text/plain")


async def slowly(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"first"
        await request.app.state.release.wait()
        yield b"second"

    return StreamingResponse(parts())


async def elsewhere(_request: Request) -> Response:
    return RedirectResponse("/views/echo")


async def chat(socket: WebSocket) -> None:
    if socket.query_params.get("deny"):
        await socket.close(1008)
        return
    offered = socket.scope["subprotocols"]
    await socket.accept(subprotocol=offered[0] if offered else None)
    if socket.query_params.get("head"):
        await socket.send_json(dict(socket.headers.items()) | {"offered": offered})
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            socket.app.state.closed.set_result(message.get("code"))
            return
        if message.get("text") == "bye":
            await socket.close(4321, "enough")
            return
        if message.get("text") is not None:
            await socket.send_text(message["text"])
        else:
            await socket.send_bytes(message["bytes"])


def views() -> Starlette:
    app = Starlette(
        routes=[
            Route("/views/cookies", cookies),
            Route("/views/zipped", zipped),
            Route("/views/slowly", slowly),
            Route("/views/elsewhere", elsewhere),
            WebSocketRoute("/views/{name}/ws", chat),
            Route("/views/{path:path}", echo, methods=["GET", "POST", "PUT", "DELETE", "HEAD"]),
        ]
    )
    app.state.release = asyncio.Event()
    app.state.closed = asyncio.get_running_loop().create_future()
    return app


@pytest.fixture
async def upstream() -> Starlette:
    return views()


@pytest.fixture
async def address(upstream: Starlette) -> AsyncIterator[str]:
    async with served(upstream) as behind, fronted(behind) as front:
        yield front


class fronted:
    """The proxy, mounted as the HTTP app mounts it, on a real server."""

    def __init__(self, behind: str) -> None:
        self.proxy = ViewsProxy(behind)
        self.served = served(Starlette(routes=[Mount("/views", app=self.proxy)]))

    async def __aenter__(self) -> str:
        return await self.served.__aenter__()

    async def __aexit__(self, *error: object) -> None:
        await self.served.__aexit__(*error)  # type: ignore[arg-type]
        await self.proxy.aclose()


@pytest.fixture
async def client(address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        yield client


def ws(address: str, path: str) -> str:
    return address.replace("http://", "ws://") + path


class TestHttp:
    async def test_path_query_and_host_arrive_unchanged(self, client: httpx.AsyncClient) -> None:
        answer = (await client.get("/views/a%2Fb/ü?x=1&y=%20", headers={"host": "people.example:81"})).json()
        assert answer["path"] == "/views/a%2Fb/%C3%BC"
        assert answer["query"] == "x=1&y=%20"
        headers = dict(answer["headers"])
        assert headers["host"] == headers["x-forwarded-host"] == "people.example:81"
        assert headers["x-forwarded-for"] == "127.0.0.1"
        assert headers["x-forwarded-proto"] == "http"

    async def test_callers_cannot_say_where_they_come_from(self, client: httpx.AsyncClient) -> None:
        sent = {"x-forwarded-host": "evil.example", "forwarded": "for=1.2.3.4"}
        headers = dict((await client.get("/views/x", headers=sent)).json()["headers"])
        assert "evil" not in headers["x-forwarded-host"]
        assert "forwarded" not in headers

    async def test_drops_what_belongs_to_one_connection(self, client: httpx.AsyncClient) -> None:
        sent = {"connection": "keep-alive, x-mine", "x-mine": "1", "te": "trailers", "x-other": "2", "cookie": "a=b"}
        headers = dict((await client.get("/views/x", headers=sent)).json()["headers"])
        assert not {"x-mine", "te", "keep-alive"} & set(headers)
        assert (headers["x-other"], headers["cookie"]) == ("2", "a=b")

    async def test_adds_no_headers_of_its_own(self, address: str) -> None:
        host, port = address.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /views/x HTTP/1.0\r\nhost: h\r\n\r\n")
        answer = await reader.read()
        writer.close()
        assert b"accept-encoding" not in answer
        assert b"user-agent" not in answer

    async def test_large_bodies_stream_up(self, client: httpx.AsyncClient) -> None:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b"x" * 100_000

        answer = (await client.post("/views/upload", content=parts())).json()
        assert answer["size"] == 10_000_000
        answer = (await client.put("/views/upload", content=b"y" * 50)).json()
        assert (answer["method"], answer["size"], answer["start"]) == ("PUT", 50, "y" * 10)

    async def test_answers_stream_down(self, client: httpx.AsyncClient, upstream: Starlette) -> None:
        async with client.stream("GET", "/views/slowly") as response:
            parts = response.aiter_raw()
            assert await anext(parts) == b"first"
            upstream.state.release.set()
            assert await anext(parts) == b"second"

    async def test_each_cookie_is_kept(self, client: httpx.AsyncClient) -> None:
        response = await client.get("/views/cookies")
        assert len(response.headers.get_list("set-cookie")) == 2
        assert len(response.headers.get_list("date")) == 1

    async def test_no_caller_gets_anothers_cookie(self, address: str) -> None:
        async with httpx.AsyncClient(base_url=address) as one, httpx.AsyncClient(base_url=address) as other:
            await one.get("/views/cookies")
            assert "cookie" not in dict((await other.get("/views/x")).json()["headers"])

    async def test_compressed_answers_stay_compressed(self, client: httpx.AsyncClient) -> None:
        async with client.stream("GET", "/views/zipped") as response:
            raw = b"".join([part async for part in response.aiter_raw()])
        assert response.headers["content-encoding"] == "gzip"
        assert gzip.decompress(raw) == b"hello" * 100

    async def test_redirects_are_the_browsers_to_follow(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/views/elsewhere")).status_code == 307

    async def test_head_has_no_body(self, client: httpx.AsyncClient) -> None:
        response = await client.head("/views/x")
        assert (response.status_code, response.content) == (200, b"")


class TestWebsockets:
    async def test_texts_and_bytes_go_both_ways(self, address: str) -> None:
        async with connect(ws(address, "/views/x/ws"), max_size=None) as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"
            await socket.send(b"\x00\xff")
            assert await socket.recv() == b"\x00\xff"
            await socket.send(b"z" * 20_000_000)
            assert len(await socket.recv()) == 20_000_000
            await (await socket.ping())

    async def test_subprotocols_and_headers_arrive(self, address: str) -> None:
        offered = [Subprotocol("bokeh"), Subprotocol("a-token.of_its-session")]
        headers = {"cookie": "s=1", "origin": "http://people.example"}
        url = ws(address, "/views/x/ws?head=1")
        async with connect(url, subprotocols=offered, additional_headers=headers) as socket:
            seen = httpx.Response(200, content=await socket.recv()).json()
            assert socket.subprotocol == "bokeh"
        assert seen["offered"] == offered
        assert (seen["cookie"], seen["origin"]) == ("s=1", "http://people.example")
        assert seen["host"] == seen["x-forwarded-host"] == address.removeprefix("http://")

    async def test_close_codes_come_from_the_views(self, address: str) -> None:
        async with connect(ws(address, "/views/x/ws")) as socket:
            await socket.send("bye")
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        assert (socket.close_code, socket.close_reason) == (4321, "enough")

    async def test_close_codes_reach_the_views(self, address: str, upstream: Starlette) -> None:
        async with connect(ws(address, "/views/x/ws")) as socket:
            await socket.close(4000, "gone")
        assert await asyncio.wait_for(upstream.state.closed, 5) == 4000

    async def test_a_browser_that_vanishes_ends_the_views_side(self, address: str, upstream: Starlette) -> None:
        socket = await connect(ws(address, "/views/x/ws"))
        socket.transport.abort()
        assert await asyncio.wait_for(upstream.state.closed, 5) == 1001

    async def test_a_refusal_keeps_its_status(self, address: str) -> None:
        with pytest.raises(InvalidStatus) as refused:
            await connect(ws(address, "/views/x/ws?deny=1"))
        assert refused.value.response.status_code == 403


class TestViewsDown:
    async def test_pages_refresh_themselves(self, unused_tcp_port: int) -> None:
        async with fronted(f"http://127.0.0.1:{unused_tcp_port}") as address, httpx.AsyncClient() as client:
            response = await client.get(f"{address}/views/x")
        assert response.status_code == 503
        assert response.headers["retry-after"] == "2"
        assert "The views are starting" in response.text
        assert 'http-equiv="refresh"' in response.text

    async def test_websockets_are_told_to_come_back(self, unused_tcp_port: int) -> None:
        async with fronted(f"http://127.0.0.1:{unused_tcp_port}") as address:
            offered = [Subprotocol("bokeh"), Subprotocol("token")]
            socket = await connect(ws(address, "/views/x/ws"), subprotocols=offered)
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        assert socket.close_code == 1013

    async def test_works_again_after_a_restart(self, unused_tcp_port: int) -> None:
        behind = f"http://127.0.0.1:{unused_tcp_port}"
        async with fronted(behind) as address, httpx.AsyncClient(base_url=address) as client:
            for _ in range(2):
                async with served(views(), unused_tcp_port):
                    assert (await client.get("/views/x")).status_code == 200
                assert (await client.get("/views/x")).status_code == 503
