"""Starting the process of one model: a fork of a server that has everything imported, or another interpreter."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import threading
from collections.abc import Awaitable, Callable
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Protocol

from ..connectors.layout import DataDirectory
from .host import KEY_VARIABLE, serve_alone


class Spawner(Protocol):
    """Starts one kind of host process."""

    async def spawn(self, data: DataDirectory, socket: Path, key: str, log: Path, memory: int | None) -> HostChild:
        """A process that is about to listen on `socket`."""
        ...


class HostChild(Protocol):
    """A running host process."""

    pid: int

    def alive(self) -> bool:
        """Whether it has not ended."""
        ...

    def exit_code(self) -> int | None:
        """How it ended: its status, or minus the signal's number; None while it runs."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...

    async def wait(self, seconds: float) -> None:
        """Wait for its end, for so long at most."""
        ...


class ForkSpawner:
    """Isolated hosts: forked from a server process that has everything imported, in about a tenth of a second."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        modules = ("fork_server", "host", "service")
        self._context.set_forkserver_preload([f"{__package__}.{module}" for module in modules])
        # From this thread, the loop's: the server ends with the thread that starts it.
        forkserver.ensure_running()

    async def spawn(self, data: DataDirectory, socket: Path, key: str, log: Path, memory: int | None) -> HostChild:
        """A fork. The key goes over a pipe, not over a command line that others may read."""
        arguments = (str(data.root), str(socket), key, str(log), memory)
        process = self._context.Process(target=serve_alone, args=arguments, daemon=True, name=socket.stem)
        await asyncio.to_thread(process.start)
        return _Forked(process)


class _Forked:
    def __init__(self, process: Any) -> None:
        self._process = process
        self.pid: int = process.pid
        # The fork server tells the status once: of two threads that ask at the same time, one would be told 255.
        self._one = threading.Lock()

    def alive(self) -> bool:
        return self.exit_code() is None

    def exit_code(self) -> int | None:
        with self._one:
            code: int | None = self._process.exitcode
        return code

    def kill(self) -> None:
        with self._one:
            self._process.kill()

    async def wait(self, seconds: float) -> None:
        await asyncio.to_thread(multiprocessing.connection.wait, [self._process.sentinel], seconds)


class CommandSpawner:
    """Hosts with an environment of their own: its interpreter, started anew.

    Args:
        python: gives the interpreter; may build the environment first.
    """

    def __init__(self, python: Callable[[], Awaitable[Path]]) -> None:
        self._python = python

    async def spawn(self, data: DataDirectory, socket: Path, key: str, log: Path, memory: int | None) -> HostChild:
        """A process that ends with this one."""
        python = await self._python()
        command = [str(python), "-m", f"{__package__}.host", "--data", str(data.root), "--socket", str(socket)]
        command.append("--alone")
        command += ["--memory", str(memory)] * (memory is not None)
        variables = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
        variables |= {KEY_VARIABLE: key, "WORKLETS_PARENT": str(os.getpid())}
        with log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, env=variables
            )
        return _Commanded(process)


class _Commanded:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    def alive(self) -> bool:
        return self._process.returncode is None

    def exit_code(self) -> int | None:
        return self._process.returncode

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), seconds)
