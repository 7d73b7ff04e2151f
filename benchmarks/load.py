"""The load generator: HTTP/1.1 keep-alive clients in a closed loop, one process, shared by every subject.

Written on uvloop and httptools so that it costs little beside what it measures (see `peers/fixed_answer.py`
for its own limit). Run as `python -m benchmarks.load PLAN.json`; prints the outcome as one line of JSON.
"""

from __future__ import annotations

import array
import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httptools
import uvloop

GRACE = 10.0  # seconds for the last answers after the time is up
LEAST = 20  # answers, for which more time is given


@dataclass(frozen=True)
class Plan:
    """What to send. `samples` is the file that gets the latencies in ms, as 64-bit floats."""

    host: str
    port: int
    path: str
    bodies: list[str]
    concurrency: int
    seconds: float
    samples: str
    headers: dict[str, str] = field(default_factory=dict)
    warmup: float = 0.5

    def requests(self) -> list[bytes]:
        """Each request as it goes on the wire."""
        extra = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return [
            (
                f"POST {self.path} HTTP/1.1\r\nhost: {self.host}:{self.port}\r\ncontent-type: application/json\r\n"
                f"{extra}content-length: {len(body.encode())}\r\n\r\n{body}"
            ).encode()
            for body in self.bodies
        ]


@dataclass
class Outcome:
    """What came back. `sent` counts the warm-up too; `measured`, `seconds` and the latencies don't."""

    sent: int = 0
    measured: int = 0
    seconds: float = 0.0
    generator_busy: float = 0.0
    failures: dict[str, int] = field(default_factory=dict)


class Client(asyncio.Protocol):
    """One connection: sends the next request as soon as the last answer is complete."""

    def __init__(self, load: Load, first: int) -> None:
        self._load = load
        self._next = first
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._load.connected()

    def send(self) -> None:
        """The next request."""
        self._index = self._next % len(self._load.requests)
        self._next += 1
        self._load.sent += 1
        self._started = time.perf_counter_ns()
        self._transport.write(self._load.requests[self._index])

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._load.failures[f"unreadable answer: {error}"] += 1
            self._transport.close()

    def on_message_begin(self) -> None:
        self._body = b""

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        done = time.perf_counter_ns()
        if self._load.answered(self._index, self._parser.get_status_code(), self._body, self._started, done):
            self.send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._load.closed()


class Load:
    """The whole: opens the connections, keeps time, collects."""

    def __init__(self, plan: Plan) -> None:
        self.requests = plan.requests()
        self.sent = 0
        self.failures: Counter[str] = Counter()
        self.latencies = array.array("d")
        self._plan = plan
        self._first_answers: dict[int, bytes] = {}
        self._open = 0
        self._measure_from = 0
        self._measuring = False
        self._stopping = False

    async def run(self) -> Outcome:
        """Send for the planned time. Raises OSError if nothing listens."""
        loop = asyncio.get_running_loop()
        self._all_open, self._all_closed = loop.create_future(), loop.create_future()
        plan = self._plan
        clients = []
        for number in range(plan.concurrency):
            _, client = await loop.create_connection(lambda n=number: Client(self, n), plan.host, plan.port)  # type: ignore[misc]
            clients.append(client)
        await self._all_open
        for client in clients:
            client.send()
        await asyncio.sleep(plan.warmup)
        busy = time.process_time()
        self._measure_from = time.perf_counter_ns()
        self._measuring = True
        await asyncio.sleep(plan.seconds)
        # On a busy machine too few answers would make quantiles of nothing.
        while len(self.latencies) < LEAST and not self._all_closed.done() and self._since() < plan.seconds + GRACE:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        self._measuring, self._stopping = False, True
        seconds = self._since()
        busy = time.process_time() - busy
        try:
            await asyncio.wait_for(self._all_closed, GRACE)
        except TimeoutError:
            self.failures["no answer"] += self._open
        return Outcome(self.sent, len(self.latencies), seconds, busy / seconds, dict(self.failures))

    def _since(self) -> float:
        """Seconds since the measuring began."""
        return (time.perf_counter_ns() - self._measure_from) / 1e9

    def connected(self) -> None:
        """A connection stands."""
        self._open += 1
        if self._open == self._plan.concurrency:
            self._all_open.set_result(None)

    def closed(self) -> None:
        """A connection has ended, by us or by the server."""
        self._open -= 1
        if not self._stopping:
            self.failures["connection closed"] += 1
        if self._open == 0 and not self._all_closed.done():
            self._all_closed.set_result(None)

    def answered(self, index: int, status: int, body: bytes, started: int, done: int) -> bool:
        """Note an answer; whether to go on. The same request must get the same answer every time."""
        if status != 200:
            self.failures[f"status {status}"] += 1
        elif self._first_answers.setdefault(index, body) != body:
            self.failures["a different answer"] += 1
        # An answer counts if it arrived in the time; one that was under way at its start is the warm-up's.
        if self._measuring and started >= self._measure_from:
            self.latencies.append((done - started) / 1e6)
        return not self._stopping


def main(path: str) -> None:
    """Carry out the plan in a file."""
    plan = Plan(**json.loads(Path(path).read_text()))
    load = Load(plan)
    outcome = uvloop.run(load.run())
    with Path(plan.samples).open("wb") as file:
        load.latencies.tofile(file)
    print(json.dumps(asdict(outcome)))


if __name__ == "__main__":
    main(sys.argv[1])
