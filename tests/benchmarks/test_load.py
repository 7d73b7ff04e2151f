import array
import asyncio
import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.load import Load, Plan

REPOSITORY = Path(__file__).resolve().parents[2]


class Answering:
    """A small real HTTP server: notes the requests and answers as it is told."""

    def __init__(self, answer=lambda number, body: (200, b'{"ok": true}'), chunked=False, close_after=None):
        self.requests = []
        self.connections = 0
        self._answer, self._chunked, self._close_after = answer, chunked, close_after

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
                body = await reader.readexactly(int(headers["content-length"]))
                self.requests.append((head.split("\r\n")[0], headers, body))
                if self._close_after is not None and len(self.requests) > self._close_after:
                    break
                self._write(writer, *self._answer(len(self.requests), body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    def _write(self, writer, status, body):
        if not self._chunked:
            writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body))
            return
        writer.write(b"HTTP/1.1 %d X\r\ntransfer-encoding: chunked\r\n\r\n" % status)
        for part in (body[:3], body[3:]):
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
        writer.write(b"0\r\n\r\n")


def plan(port, tmp_path, **rest):
    options = {"bodies": ['{"a": 1}', '{"a": 2}'], "concurrency": 1, "seconds": 0.15, "warmup": 0.05, **rest}
    return Plan(host="127.0.0.1", port=port, path="/x", samples=str(tmp_path / "samples"), **options)


async def test_requests_are_whole_and_cycle_through_the_bodies(tmp_path):
    async with Answering() as server:
        outcome = await Load(plan(server.port, tmp_path, headers={"authorization": "Bearer k"})).run()
    lines, headers, bodies = zip(*server.requests, strict=True)
    assert set(lines) == {"POST /x HTTP/1.1"}
    assert all(h["authorization"] == "bearer k" and h["content-type"] == "application/json" for h in headers)
    assert list(bodies[:4]) == [b'{"a": 1}', b'{"a": 2}', b'{"a": 1}', b'{"a": 2}']
    assert outcome.failures == {}
    assert outcome.sent == len(server.requests)


async def test_one_connection_a_client_is_kept_alive(tmp_path):
    async with Answering() as server:
        outcome = await Load(plan(server.port, tmp_path, concurrency=5)).run()
    assert server.connections == 5
    assert outcome.sent > 10
    assert outcome.failures == {}


async def test_the_warm_up_is_sent_but_not_measured(tmp_path):
    async with Answering() as server:
        load = Load(plan(server.port, tmp_path, warmup=0.15, seconds=0.15))
        began = time.perf_counter()
        outcome = await load.run()
        took = time.perf_counter() - began
    assert 0 < outcome.measured < outcome.sent
    assert outcome.measured == len(load.latencies)
    assert 0.14 < outcome.seconds < took - 0.14


async def test_latencies_are_milliseconds(tmp_path):
    async with Answering() as server:

        def slow(_number, _body):
            time.sleep(0.02)
            return 200, b"{}"

        server._answer = slow
        load = Load(plan(server.port, tmp_path, seconds=0.3))
        await load.run()
    assert 20 <= min(load.latencies) < 40


async def test_a_slow_server_gets_more_time_for_a_few_answers(tmp_path):
    async with Answering() as server:
        answer = server._answer

        def slow(number, body):
            time.sleep(0.02)
            return answer(number, body)

        server._answer = slow
        outcome = await Load(plan(server.port, tmp_path, seconds=0.05)).run()
    assert outcome.measured >= 20
    assert outcome.seconds > 0.3


async def test_chunked_answers_are_read(tmp_path):
    async with Answering(chunked=True) as server:
        outcome = await Load(plan(server.port, tmp_path)).run()
    assert outcome.failures == {}
    assert outcome.measured > 1


async def test_a_status_that_is_no_success_is_a_failure(tmp_path):
    async with Answering(lambda number, body: (503 if number == 3 else 200, b"{}")) as server:
        outcome = await Load(plan(server.port, tmp_path)).run()
    assert outcome.failures == {"status 503": 1}


async def test_the_same_request_must_get_the_same_answer(tmp_path):
    async with Answering(lambda number, body: (200, body if number != 4 else b"other")) as server:
        outcome = await Load(plan(server.port, tmp_path)).run()
    assert outcome.failures == {"a different answer": 1}


async def test_a_closed_connection_is_a_failure(tmp_path):
    async with Answering(close_after=3) as server:
        outcome = await Load(plan(server.port, tmp_path)).run()
    assert outcome.failures == {"connection closed": 1}


async def test_an_answer_that_is_not_http_is_a_failure(tmp_path):
    async with Answering() as server:
        server._write = lambda writer, *_: writer.write(b"SSH-2.0-hello\r\n\r\n")
        outcome = await Load(plan(server.port, tmp_path)).run()
    assert any(name.startswith("unreadable answer") for name in outcome.failures)


async def test_nothing_listening_is_an_error(tmp_path):
    async with Answering() as server:
        port = server.port
    with pytest.raises(OSError, match="onnect"):
        await Load(plan(port, tmp_path)).run()


async def test_as_a_process_it_prints_the_outcome_and_writes_the_latencies(tmp_path):
    async with Answering() as server:
        made = plan(server.port, tmp_path, concurrency=2)
        file = tmp_path / "plan.json"
        file.write_text(json.dumps(asdict(made)))
        command = [sys.executable, "-m", "benchmarks.load", str(file)]
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=REPOSITORY, capture_output=True, text=True, timeout=30
        )
    outcome = json.loads(done.stdout)
    latencies = array.array("d", Path(made.samples).read_bytes())  # noqa: ASYNC240
    assert done.returncode == 0, done.stderr
    assert outcome["measured"] == len(latencies) > 0
    assert outcome["sent"] == len(server.requests)
    assert 0 < outcome["generator_busy"] < 1.5
