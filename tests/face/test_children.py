"""One supervised process, with real ones that end, hang, talk and start others."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from prefect_worklets.children import MAX_BACKOFF_SECONDS, Child, ChildSpec, backoff


class Lines:
    """A log that remembers."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, name: str, line: str) -> None:
        self.lines.append((name, line))

    async def has(self, text: str) -> str:
        """Wait for a line with the text."""
        async with asyncio.timeout(20):
            while True:
                for _, line in self.lines:
                    if text in line:
                        return line
                await asyncio.sleep(0.02)


def python(code: str) -> list[str]:
    return [sys.executable, "-u", "-c", code]


def alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(20):
        while True:
            if not alive(pid):
                return
            await asyncio.sleep(0.02)


class TestBackoff:
    def test_starts_again_at_once_the_first_time(self):
        assert backoff(1) == 0

    def test_waits_longer_each_time_up_to_a_limit(self):
        waits = [backoff(deaths) for deaths in range(1, 12)]
        assert waits == sorted(waits)
        assert waits[1] == 0.5
        assert waits[-1] == MAX_BACKOFF_SECONDS


class TestChild:
    async def test_one_that_hangs_is_ended_and_started_again(self, tmp_path: Path):
        log, starts = Lines(), tmp_path / "starts"
        code = f"""
import time
with open({str(starts)!r}, "a") as file:
    file.write("x")
def spin_for_ever():
    while True:
        pass
print("up")
if open({str(starts)!r}).read() == "x":
    time.sleep(0.5)
    spin_for_ever()
time.sleep(60)
"""
        began = asyncio.get_running_loop().time()

        async def alive() -> bool:
            # The first process answers at first; the second one for ever.
            return starts.read_text() != "x" or asyncio.get_running_loop().time() - began < 0.3

        async def ready() -> bool:
            return True

        environment = {"PYTHONFAULTHANDLER": "1"}
        child = Child(ChildSpec("it", python(code), environment, ready, alive, hung_seconds=0.8), log)
        child.start()
        assert await log.has("has not answered for 0.8 s")
        assert await log.has("spin_for_ever")
        assert await log.has("ended (SIGABRT); starting it again at once")
        await asyncio.wait_for(child.ready.wait(), 20)
        pid = child.pid
        await asyncio.sleep(1.2)  # longer than it may hang: it answers, and is left alone
        assert (child.pid, child.restarts) == (pid, 1)
        await child.stop()

    async def test_names_its_lines_and_is_ready_when_its_probe_says_so(self, tmp_path: Path):
        log, flag = Lines(), tmp_path / "ready"

        async def probe() -> bool:
            return flag.exists()

        code = f"import time, pathlib; print('hello'); pathlib.Path({str(flag)!r}).touch(); time.sleep(60)"
        child = Child(ChildSpec("it", python(code), probe=probe), log)
        child.start()
        assert await log.has("hello")
        await asyncio.wait_for(child.ready.wait(), 10)
        assert child.status()["state"] == "ready"
        await child.stop()
        assert child.status()["state"] == "stopped"

    async def test_is_started_again_after_a_kill(self):
        log = Lines()
        child = Child(ChildSpec("it", python("import time; print('up'); time.sleep(60)")), log)
        child.start()
        await log.has("up")
        first = child.pid
        assert first is not None
        log.lines.clear()
        os.kill(first, signal.SIGKILL)
        await log.has("up")
        assert child.pid not in (None, first)
        assert child.restarts == 1
        await child.stop()

    async def test_one_that_ends_at_once_each_time_counts_as_failing(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("prefect_worklets.children.backoff", lambda deaths: 0.0)
        log = Lines()
        child = Child(ChildSpec("it", python("import sys; print('no config'); sys.exit(3)")), log)
        child.start()
        await log.has("keeps ending")
        assert "exit status 3" in await log.has("ended")
        status = child.status()
        assert status["state"] == "failing"
        assert "no config" in status["last_lines"]  # type: ignore[operator]
        await child.stop()

    async def test_one_that_ignores_sigterm_is_killed_in_time(self):
        log = Lines()
        code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(60)"
        child = Child(ChildSpec("it", python(code), stop_seconds=0.3), log)
        child.start()
        await log.has("up")
        pid = child.pid
        assert pid is not None
        await asyncio.wait_for(child.stop(), 10)
        assert not alive(pid)

    async def test_takes_along_what_it_started_itself(self):
        log = Lines()
        code = (
            "import subprocess, sys, time\n"
            "inner = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
            "print('inner', inner.pid)\n"
            "time.sleep(60)"
        )
        child = Child(ChildSpec("it", python(code)), log)
        child.start()
        inner = int((await log.has("inner")).split()[1])
        await child.stop()
        await until_gone(inner)

    async def test_a_line_without_end_does_not_stop_the_log(self):
        log = Lines()
        code = "import sys, time; sys.stdout.write('x' * 5_000_000 + '\\n'); print('after'); time.sleep(60)"
        child = Child(ChildSpec("it", python(code)), log)
        child.start()
        await log.has("after")
        await child.stop()
