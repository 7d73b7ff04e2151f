"""What Panel writes to a page: nothing is forgotten that comes while something else is being written."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from bokeh.document import Document
from panel.io import document as panel_document
from prefect_worklets.panel_views.handlers import dispatch_all, use_own_handlers


class Socket:
    """A page's connection whose writes end when the test says."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.writes: list[asyncio.Future[None]] = []


class Connection:
    """As much of Bokeh's as writing needs."""

    def __init__(self) -> None:
        self._socket = Socket()
        self.protocol = SimpleNamespace(create=lambda kind, events: events[0])


def write(connection: Connection, msg: str) -> list[asyncio.Future[None]]:
    connection._socket.sent.append(msg)
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    connection._socket.writes.append(future)
    return [future]


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Connection:
    monkeypatch.setitem(panel_document.extra_socket_handlers, Socket, write)
    return Connection()


async def write_two(connection: Connection) -> list[str]:
    """A second message in the moment in which the first has been written; what was sent in the end."""
    doc = Document()
    panel_document.schedule_write_events(doc, [connection], ["first"])
    await asyncio.sleep(0)
    connection._socket.writes[0].set_result(None)
    panel_document.schedule_write_events(doc, [connection], ["second"])
    for _ in range(20):
        await asyncio.sleep(0)
        for future in connection._socket.writes:
            if not future.done():
                future.set_result(None)
    return list(connection._socket.sent)


async def test_nothing_is_forgotten(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel_document, "_dispatch_msgs", dispatch_all)
    assert await write_two(connection) == ["first", "second"]


async def test_panel_still_needs_it(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """When this fails, Panel has been mended, and `dispatch_all` can go."""
    from prefect_worklets.panel_views import handlers

    monkeypatch.setattr(panel_document, "_dispatch_msgs", handlers._dispatch_msgs)
    assert await write_two(connection) == ["first"]


def test_it_is_used() -> None:
    use_own_handlers()
    assert panel_document._dispatch_msgs is dispatch_all
