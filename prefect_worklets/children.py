"""One supervised process: start, watch, restart with backoff, stop. Its lines go to a log with its name before them."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import os
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

STABLE_SECONDS = 30.0
MAX_BACKOFF_SECONDS = 10.0
# So many quick deaths in a row, and the process counts as failing (it is tried on, slowly).
FAILING_AFTER = 5
# A failing process that nothing can ask counts as well again once it has lived so long.
_SETTLED_SECONDS = 5.0
_KEPT_LINES = 20
_LOOK_SECONDS = 5.0
# Time to print where each thread is.
_DUMP_SECONDS = 2.0
_PR_SET_PDEATHSIG = 1
_LINE_LIMIT = 1 << 20
_STAND_BACK_TRIES = 20

Log = Callable[[str, str], None]
Probe = Callable[[], Awaitable[bool]]


@dataclass(frozen=True)
class ChildSpec:
    """What to run.

    Args:
        name: before each of its lines, and in the status.
        command: program and arguments.
        environment: variables beside the supervisor's own.
        probe: answers whether the process does its work by now; None counts it as ready once started.
        alive: answers whether a process that was ready still answers; None where nobody asks.
        hung_seconds: one that has not answered `alive` for so long is ended, and so started again.
        stable_seconds: one that ends sooner after it was ready, or before, has ended quickly, and the next start waits.
        stop_seconds: how long it may take to end after SIGTERM before it is killed.
        listening: a socket that it inherits, under the same number. Stopping the process closes it.
        niceness: how far it stands back behind the others, as of nice(2).
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    probe: Probe | None = None
    alive: Probe | None = None
    hung_seconds: float = 60.0
    stable_seconds: float = STABLE_SECONDS
    stop_seconds: float = 10.0
    listening: socket.socket | None = None
    niceness: int = 0


def backoff(quick_deaths: int) -> float:
    """Seconds to wait before the next start: at once the first time, then doubling up to ten."""
    return 0.0 if quick_deaths <= 1 else min(0.5 * 2 ** (quick_deaths - 2), MAX_BACKOFF_SECONDS)


class Child:
    """Keeps one process running until it is stopped.

    Attributes:
        state: starting, ready, waiting (before a restart), failing or stopped.
        restarts: how often it was started again.
        since: seconds since 1970 of the latest change of state.
    """

    def __init__(self, spec: ChildSpec, log: Log) -> None:
        self.spec = spec
        self.state = "waiting"
        self.restarts = 0
        self.since = time.time()
        self.last_lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.ready = asyncio.Event()
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._ready_at: float | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def start(self) -> None:
        """Begin to keep it running."""
        self._task = asyncio.create_task(self._keep_running(), name=f"child {self.spec.name}")

    async def stop(self) -> None:
        """End it: SIGTERM to it and all that it started, SIGKILL when its time is over."""
        self._stopping = True
        if self.spec.listening is not None:
            # Nothing starts it again: who connects from now on is refused, and not kept waiting.
            self.spec.listening.close()
        process = self._process
        if process is not None and process.returncode is None:
            self._signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), self.spec.stop_seconds)
            except TimeoutError:
                self._log(self.spec.name, f"did not end within {self.spec.stop_seconds:g} s; killing it")
        self.kill()
        if process is not None:
            await process.wait()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._become("stopped")

    def kill(self) -> None:
        """SIGKILL to it and all that it started."""
        self._stopping = True
        self._signal(signal.SIGKILL)

    def status(self) -> dict[str, object]:
        """What `worklets status` shows."""
        return {
            "name": self.spec.name,
            "pid": self.pid,
            "state": self.state,
            "restarts": self.restarts,
            "since": self.since,
            "last_lines": list(self.last_lines) if self.state == "failing" else [],
        }

    async def _keep_running(self) -> None:
        quick_deaths = 0
        while not self._stopping:
            self._ready_at = None
            self._become("failing" if quick_deaths >= FAILING_AFTER else "starting")
            code = await self._run_once()
            if self._stopping:
                return
            served = 0.0 if self._ready_at is None else time.monotonic() - self._ready_at
            quick_deaths = quick_deaths + 1 if served < self.spec.stable_seconds else 1
            pause = backoff(quick_deaths)
            again = f"again in {pause:g} s" if pause else "again at once"
            self._log(self.spec.name, f"ended ({_how(code)}); starting it {again}")
            if quick_deaths == FAILING_AFTER:
                self._log(self.spec.name, "it keeps ending; see its lines above. `worklets doctor` may say why")
            self._become("failing" if quick_deaths >= FAILING_AFTER else "waiting")
            await asyncio.sleep(pause)
            self.restarts += 1

    async def _run_once(self) -> int:
        # The new session makes a process group of its own: a Ctrl-C on the terminal reaches the supervisor
        # alone, which stops the others in order.
        process = await asyncio.create_subprocess_exec(
            *self.spec.command,
            env={**os.environ, **self.spec.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=functools.partial(_before_exec, self.spec.niceness),
            pass_fds=() if self.spec.listening is None else (self.spec.listening.fileno(),),
            limit=_LINE_LIMIT,
        )
        self._process = process
        probing = asyncio.create_task(self._probe())
        reading = asyncio.create_task(self._read(process))
        try:
            code = await process.wait()
        finally:
            probing.cancel()
            self.ready.clear()
            self._signal(signal.SIGKILL)  # what it may have started itself
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reading, 2)
        return code

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # a line over the limit: what was read of it is gone
                line = b"(a line too long to show)\n"
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            self.last_lines.append(text)
            self._log(self.spec.name, text)

    async def _probe(self) -> None:
        probe = self.spec.probe
        if probe is None and self.state == "failing":
            await asyncio.sleep(_SETTLED_SECONDS)
        while probe is not None:
            if await probe():
                break
            await asyncio.sleep(0.1)
        self._ready_at = time.monotonic()
        self._become("ready")
        self.ready.set()
        if self.pid is not None:
            await _stand_back(self.pid, self.spec.niceness)  # not before: a start is waited for
        if self.spec.alive is not None:
            await self._end_when_hung(self.spec.alive)

    async def _end_when_hung(self, alive: Probe) -> None:
        limit = self.spec.hung_seconds
        answered = time.monotonic()
        while True:
            await asyncio.sleep(min(_LOOK_SECONDS, limit / 4))
            if await alive():
                answered = time.monotonic()
            elif time.monotonic() - answered > limit:
                break
        self._log(self.spec.name, f"has not answered for {limit:g} s; ending it. What its threads were doing:")
        self._signal(signal.SIGABRT)  # at which Python prints that, where it is told to
        await asyncio.sleep(_DUMP_SECONDS)
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)

    def _become(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self.since = time.time()


def _before_exec(niceness: int) -> None:
    """In the child: the kernel shall kill it when the supervisor is gone, however that went."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if niceness:
        os.nice(niceness)


async def _stand_back(pid: int, niceness: int) -> None:
    """Weigh a process's whole session as nice(2) would: where the kernel groups by session, nice counts inside one."""
    if not niceness or sys.platform != "linux":
        return
    for _ in range(_STAND_BACK_TRIES):
        try:
            # The file takes one short write without blocking.
            with open(f"/proc/{pid}/autogroup", "w") as group:  # noqa: ASYNC230
                group.write(str(niceness))
            return
        except BlockingIOError:  # the kernel takes one such change in a tenth of a second
            await asyncio.sleep(0.12)
        except OSError:  # no such groups here, or not ours to change
            return


def _how(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
