"""The room's HTTP app behind a real uvicorn: what an in-process client can't show."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
import uvicorn

from .conftest import Server

SOURCE = {
    "flow.py": """
import asyncio
from prefect_worklets.flows.nodes import node
from prefect_worklets.flows.worklet import worklet
@node
def double(a: int) -> int:
    return a * 2
@worklet
def twice(a: int) -> int:
    return double(a)
@node
async def sleep(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds
@worklet
def patient(seconds: float) -> float:
    return sleep(seconds)
"""
}


@pytest.fixture
async def port(server: Server) -> AsyncIterator[int]:
    server.push(SOURCE)
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(server.app, http="httptools", log_level="error", lifespan="off")
    running = uvicorn.Server(config)
    task = asyncio.create_task(running.serve(sockets=[listening]))
    while not running.started:  # noqa: ASYNC110 - uvicorn tells it by a flag alone
        await asyncio.sleep(0.01)
    yield listening.getsockname()[1]
    running.should_exit = True
    await task


def request(server: Server, name: str, body: bytes, length: int | None = None) -> bytes:
    key = server.keys["operator"]
    return (
        f"POST /api/worklets/{name}/invoke HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Length: {len(body) if length is None else length}\r\n\r\n"
    ).encode() + body


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    body = await reader.readexactly(int(lengths[0].split(b":")[1]))
    return int(head.split(b" ")[1]), body


async def test_one_connection_serves_many_calls(server: Server, port: int) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=server.as_role("operator")) as client:
        for number in range(20):
            got = await client.post("/api/worklets/twice/invoke", json={"a": number})
            assert got.json() == number * 2
        many = await asyncio.gather(*[client.post("/api/worklets/twice/invoke", json={"a": n}) for n in range(50)])
        assert [got.json() for got in many] == [n * 2 for n in range(50)]


async def test_a_body_over_the_limit_leaves_the_connection_usable(server: Server, port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    size = 21_000_000
    writer.write(request(server, "twice", b"", size))
    assert (await answer(reader))[0] == 413
    for _ in range(21):
        writer.write(b" " * 1_000_000)
        await writer.drain()
    writer.write(request(server, "twice", b'{"a": 4}'))
    assert await answer(reader) == (200, b"8")
    writer.close()


async def test_a_huge_body_is_cut_off_and_others_are_served(server: Server, port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(server, "twice", b"x" * 1000, 10_000_000_000))
    assert (await answer(reader))[0] == 413
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    other_reader, other = await asyncio.open_connection("127.0.0.1", port)
    other.write(request(server, "twice", b'{"a": 1}'))
    assert (await answer(other_reader))[1] == b"2"
    other.close()


async def test_a_client_that_leaves_in_the_body_harms_nobody(server: Server, port: int) -> None:
    for _ in range(5):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(server, "twice", b'{"a"', 1000))
        await writer.drain()
        writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(server, "twice", b'{"a": 1}'))
    assert (await answer(reader))[0] == 200
    writer.close()
    assert len(server.journal.appended) == 1


async def test_a_client_that_leaves_during_the_run_cancels_it(server: Server, port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(server, "patient", json.dumps({"seconds": 30}).encode()))
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.close()
    for _ in range(100):
        if server.journal.appended:
            break
        await asyncio.sleep(0.02)
    assert server.journal.last.state == "cancelled"


async def test_a_slow_run_holds_nobody_up(server: Server, port: int) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=server.as_role("operator")) as client:
        slow = asyncio.create_task(client.post("/api/worklets/patient/invoke", json={"seconds": 60}))
        await asyncio.sleep(0.05)
        for number in range(10):
            await client.post("/api/worklets/twice/invoke", json={"a": number})
        assert not slow.done()
        slow.cancel()
