"""The client of Prefect's API against a small real server: what passing trouble is, and what people are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from prefect_worklets.connectors.errors import BadInput, Conflict, NotFound, SetupError, Unavailable, WorkletsError
from prefect_worklets.connectors.prefect_api import PrefectApi


@dataclass
class Answers:
    """Answers with one status after another, then with 200 and the number 7."""

    statuses: list[int] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    url: str = ""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                length = next(
                    (int(x.split(b":")[1]) for x in head.lower().split(b"\r\n") if x[:15] == b"content-length:"), 0
                )
                await reader.readexactly(length)
                status = self.statuses.pop(0) if self.statuses else 200
                writer.write(f"HTTP/1.1 {status} x\r\nretry-after: 0\r\ncontent-length: 1\r\n\r\n7".encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def answering(*statuses: int) -> AsyncIterator[Answers]:
    answers = Answers(list(statuses))
    server = await asyncio.start_server(answers, "127.0.0.1", 0)
    answers.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api"
    try:
        yield answers
    finally:
        server.close()


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
async def test_passing_trouble_is_waited_out(status: int) -> None:
    async with answering(status, status) as answers, PrefectApi(answers.url) as api:
        assert await api.count_flow_runs(["x"]) == 7
        assert len(answers.heads) == 3


async def test_trouble_that_stays_is_told() -> None:
    async with answering(*[503] * 20) as answers, PrefectApi(answers.url, attempts=3) as api:
        with pytest.raises(Unavailable, match=f"{answers.url} answered 503 to POST /flow_runs/count"):
            await api.count_flow_runs(["x"])
        assert len(answers.heads) == 3


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BadInput),
        (401, SetupError),
        (403, SetupError),
        (404, NotFound),
        (409, Conflict),
        (422, BadInput),
        (500, WorkletsError),
    ],
)
async def test_a_refusal_is_not_repeated(status: int, error: type[WorkletsError]) -> None:
    async with answering(status) as answers, PrefectApi(answers.url) as api:
        with pytest.raises(error) as raised:
            await api.count_flow_runs(["x"])
        assert type(raised.value) is error
        assert len(answers.heads) == 1


async def test_nobody_there() -> None:
    async with answering() as answers:
        url = answers.url
    async with PrefectApi(url, attempts=2) as api:
        assert not await api.healthy()
        with pytest.raises(Unavailable, match="PREFECT_API_URL"):
            await api.count_flow_runs(["x"])


@pytest.mark.parametrize(
    ("credentials", "header"),
    [({"api_key": "abc"}, b"authorization: bearer abc"), ({"auth_string": "u:p"}, b"authorization: basic dtpw")],
)
async def test_credentials_are_sent(credentials: dict[str, str], header: bytes) -> None:
    async with answering() as answers, PrefectApi(answers.url, **credentials) as api:
        await api.count_flow_runs(["x"])
        assert header in answers.heads[0].lower()


async def test_no_events_are_no_request() -> None:
    async with answering() as answers, PrefectApi(answers.url) as api:
        await api.send_events([])
        assert answers.heads == []
