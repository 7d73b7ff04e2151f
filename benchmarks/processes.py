"""Process trees: start, wait for, pin, freeze, weigh and end them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

START_LIMIT = 120.0


@dataclass(frozen=True)
class Weight:
    """The memory of one process, in MB. PSS counts a page shared by n processes as one n-th."""

    process: str
    pss: float
    rss: float


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Tree:
    """A started command with all its descendants. Its output goes to a log file, or to us in a `dialogue`."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str],
        cwd: Path,
        *,
        dialogue: bool = False,
    ) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if dialogue else subprocess.DEVNULL,
                stdout=subprocess.PIPE if dialogue else output,
                stderr=output,
                env=dict(environment),
                cwd=cwd,
            )

    def members(self) -> list[psutil.Process]:
        """The process and its descendants, parents first."""
        try:
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def wait_until(self, ready: Callable[[], bool], limit: float = START_LIMIT) -> None:
        """Wait for a sign of life. Raises RuntimeError with the end of the log if none comes."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with status {self.process.returncode}:\n{self.tail()}")
            if ready():
                return
            time.sleep(0.05)
        raise RuntimeError(f"{self.name} was not ready after {limit:.0f} s:\n{self.tail()}")

    def tail(self, size: int = 2000) -> str:
        """The end of the log."""
        return self.log.read_text(errors="replace")[-size:]

    def pin(self, cpu: int, port: int | None = None) -> None:
        """Keep every process, or only the one that listens on `port`, on one CPU."""
        for member in self.members():
            if port is None or _listens(member, port):
                for thread in member.threads():
                    with contextlib.suppress(OSError):
                        os.sched_setaffinity(thread.id, {cpu})

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Thaw the tree, and freeze it again: an idle server takes time too, from whatever is measured."""
        self.thaw()
        try:
            yield
        finally:
            self.freeze()

    def freeze(self) -> None:
        """Stop every process of the tree, parents first so that none sees its child stand still."""
        for member in self.members():
            with contextlib.suppress(psutil.NoSuchProcess):
                member.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the tree go on, children first."""
        for member in reversed(self.members()):
            with contextlib.suppress(psutil.NoSuchProcess):
                member.send_signal(signal.SIGCONT)

    def weigh(self) -> list[Weight]:
        """The memory of each process."""
        weights = []
        for member in self.members():
            with contextlib.suppress(psutil.NoSuchProcess, OSError):
                weights.append(weight(member))
        return weights

    def end(self, limit: float = 15.0) -> None:
        """Ask the command to end, then what it left behind, and kill what has not ended after `limit` seconds."""
        members = self.members()
        self.thaw()
        if self.process.poll() is None:
            self.process.terminate()
        psutil.wait_procs(members[:1], timeout=limit)
        for signum in (signal.SIGTERM, signal.SIGKILL):
            for member in members:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.send_signal(signum)
            _, members = psutil.wait_procs(members, timeout=2.0)
        self.process.wait()


def weight(process: psutil.Process) -> Weight:
    """The memory of one process. Raises psutil.NoSuchProcess if it has ended."""
    memory = process.memory_full_info()
    pss = getattr(memory, "pss", memory.rss)
    return Weight(_role(process), pss / 1e6, memory.rss / 1e6)


def _role(process: psutil.Process) -> str:
    """What a process is, from its command line: the program and what it runs, without paths and options."""
    words = [Path(word).name for word in process.cmdline()]
    if "-c" in words[1:]:  # multiprocessing's helpers: the code is no name
        return f"{words[0]} -c"
    named = [word for word in words if not word.startswith("-") and not word.startswith("python")]
    return " ".join(named[:2])[:60] or process.name()


def _listens(process: psutil.Process, port: int) -> bool:
    try:
        connections = process.net_connections(kind="tcp")
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections)
