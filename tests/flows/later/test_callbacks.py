"""Callbacks: signed, sent again, given up, and never to an address that may not be reached."""

from __future__ import annotations

import asyncio
import importlib.util
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from prefect_worklets.connectors.egress import Egress
from prefect_worklets.connectors.outgoing import Outgoing
from prefect_worklets.connectors.tables import Run
from prefect_worklets.flows.callbacks import PAUSES, Callbacks

KEY = b"k" * 32
EXAMPLE = Path(__file__).parents[3] / "docs/examples/verify_callback.py"
LATER_US = 10**15


@pytest.fixture(scope="module")
def verified():
    spec = importlib.util.spec_from_file_location("verify_callback", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.verified


@pytest.fixture
def receiver():
    """A server that keeps what it is sent, and answers as it is told."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            self.server.got.append((self.headers, body))
            self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.got, server.answers = [], []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}/done"
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
async def callbacks(store, receiver):
    outgoing = Outgoing(Egress(allow_private=[f"127.0.0.1:{receiver.server_port}"]))
    yield Callbacks(store, outgoing, KEY)
    await outgoing.close()


async def ended_run(parts, store, url, state="completed"):
    """A run that has ended, with its record in the store as the recorder's process takes it in."""
    row, _ = await asyncio.to_thread(lambda: parts.queue.submit("steps", 1, b"{}", None, callback_url=url))
    id = row.id
    await asyncio.to_thread(parts.queue.claim, "me", 1)
    await asyncio.to_thread(parts.queue.end, "me", id, state)
    with store.session() as session:
        record = {"id": id, "worklet": "steps", "state": state, "started_us": 1, "duration_us": 1, "output": b"50"}
        session.add(Run(**record, error=None if state == "completed" else {"detail": "no", "traceback": "secret"}))
    return id


async def test_told_once_and_signed(parts, store, receiver, callbacks, verified):
    id = await ended_run(parts, store, receiver.url)
    assert await callbacks.step() == 1
    assert await callbacks.step() == 0
    ((headers, body),) = receiver.got
    message = verified(headers, body, callbacks.shown_key)
    assert (message["type"], message["id"], message["output"]) == ("run.completed", id, 50)
    with pytest.raises(ValueError, match="not from the server"):
        verified(headers, body + b" ", callbacks.shown_key)
    with pytest.raises(ValueError, match="too old"):
        verified({**headers, "webhook-timestamp": str(int(time.time()) - 400)}, body, callbacks.shown_key)
    told = callbacks.of(id)
    assert (told["state"], told["attempts"], told["error"]) == ("delivered", 1, None)


async def test_an_open_run_is_not_told(parts, receiver, callbacks):
    await asyncio.to_thread(lambda: parts.queue.submit("steps", 1, b"{}", None, callback_url=receiver.url))
    assert await callbacks.step() == 0


async def test_a_failed_run_is_told_without_its_traceback(parts, store, receiver, callbacks):
    await ended_run(parts, store, receiver.url, "failed")
    await callbacks.step()
    assert b'"run.failed"' in receiver.got[0][1]
    assert b"secret" not in receiver.got[0][1]


async def test_sent_again_later_and_by_another_process(parts, store, receiver, callbacks, verified):
    receiver.answers = [503, 404]
    id = await ended_run(parts, store, receiver.url)
    await callbacks.step()
    told = callbacks.of(id)
    assert (told["state"], told["attempts"]) == ("waiting", 1)
    assert "503" in told["error"]
    assert 0 < told["next_us"] - time.time_ns() // 1000 <= PAUSES[0] * 1e6
    assert await callbacks.step() == 0
    outgoing = Outgoing(Egress(allow_private=[f"127.0.0.1:{receiver.server_port}"]))
    other = Callbacks(store, outgoing, KEY)
    await other.step(LATER_US * 2)
    await other.step(LATER_US * 3)
    await outgoing.close()
    assert (callbacks.of(id)["state"], callbacks.of(id)["attempts"]) == ("delivered", 3)
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


async def test_given_up_after_the_last_pause(parts, store, receiver, callbacks):
    receiver.answers = [500] * 99
    id = await ended_run(parts, store, receiver.url)
    for number in range(len(PAUSES) + 5):
        await callbacks.step(LATER_US * (number + 2))
    assert (callbacks.of(id)["state"], len(receiver.got)) == ("given-up", len(PAUSES) + 1)


async def test_a_private_address_is_never_reached(parts, store, receiver):
    outgoing = Outgoing(Egress())
    callbacks = Callbacks(store, outgoing, KEY)
    id = await ended_run(parts, store, receiver.url)
    await callbacks.step()
    await outgoing.close()
    assert callbacks.of(id)["state"] == "given-up"
    assert receiver.got == []


async def test_shown_with_the_run_and_refused_at_once(parts):
    async def submit(url):
        path = "/api/worklets/steps/runs"
        return await parts.client.post(path, params={"callback_url": url}, json={"x": 4}, headers=parts.headers())

    id = (await submit("https://example.com/done")).json()["id"]
    run = await parts.run(id)
    assert (run["callback"]["url"], run["callback"]["state"]) == ("https://example.com/done", "waiting")
    assert "callback" not in await parts.run((await parts.submit("steps", {"x": 4})).json()["id"])
    assert (await submit("ftp://example.com/done")).status_code == 400
    assert (await submit("https://example.com:22/done")).status_code == 400
    key = await parts.client.get("/api/callbacks/key", headers=parts.headers("builder"))
    assert key.json()["key"].startswith("whsec_")
    assert (await parts.client.get("/api/callbacks/key", headers=parts.headers())).status_code == 403
