"""`worklets up`: start every process of an instance, keep them running, say where everything is, stop in order."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from .announcement import announce
from .children import Child
from .connectors.access import Access
from .connectors.errors import SetupError
from .connectors.layout import DataDirectory
from .logbook import Logbook
from .opening import open_store, prepare_data
from .ports import any_free, bind, bind_next, next_free, port_of
from .processes import Instance, choose_prefect
from .profile import Profile, write_profile
from .settings import DEFAULT_PORT, Settings

OWN_NAME = "up"
READY_SECONDS = 120.0


def up(
    settings: Settings,
    *,
    project: Path | None = None,
    demo: bool = False,
    explicit_port: bool = False,
    as_json: bool = False,
) -> int:
    """Run an instance until SIGINT, SIGTERM or the end of its terminal; the exit status.

    Args:
        settings: host, port, data directory and the rest.
        project: a project directory that is pushed now and after every change.
        demo: deploy the demo.
        explicit_port: the port was asked for, so that another one is no substitute.
        as_json: print the addresses as one JSON object.

    Raises:
        SetupError: the data directory, the port or the store can't be had.
    """
    data = prepare_data(settings)
    _ = settings.brand  # a logo that can't be read is said now as well
    data.socket("supervisor")  # too long a path is said now, not by a process later
    with _lock(data), _listen(settings, explicit_port) as listening:
        settings = settings.model_copy(update={"port": port_of(listening)})
        return asyncio.run(_run(settings, listening, project, demo, as_json))


async def _run(settings: Settings, listening: socket.socket, project: Path | None, demo: bool, as_json: bool) -> int:
    data = settings.data
    log = Logbook(data.root / "logs")
    prefect_socket, prefect_api = choose_prefect(settings)
    instance = Instance(
        settings=settings,
        internal_key=secrets.token_urlsafe(32),
        app_socket=listening,
        prefect_socket=prefect_socket,
        views_ports=[any_free() for _ in range(settings.view_processes)],
        prefect_api=prefect_api,
        project=project,
        demo=demo,
    )
    access = Access(await asyncio.to_thread(open_store, settings))
    children = [Child(spec, log) for spec in instance.specs()]
    stop = _stop_on_signals(children, log)
    log(OWN_NAME, f"data directory {data.root}; log files in {data.root / 'logs'}")
    async with _control_socket(data, children):
        key = await asyncio.to_thread(access.replace_key, "profile", "admin")
        write_profile(data, Profile(url=instance.api_url, key=key, pid=os.getpid()))
        for child in children:
            child.start()
        try:
            if await _wait_ready(children, stop, log):
                try:
                    await announce(instance, access, as_json=as_json)
                except OSError as error:  # whoever read our output has ended; the instance goes on
                    log(OWN_NAME, f"the addresses can't be printed ({error.strerror}); `worklets login` prints a link")
                await stop.wait()
        finally:
            log(OWN_NAME, "stopping; Ctrl-C again ends it at once")
            await _stop_in_order(children)
            with contextlib.suppress(FileNotFoundError):
                data.profile.unlink()
    log(OWN_NAME, "stopped")
    log.close()
    return 0


async def _wait_ready(children: list[Child], stop: asyncio.Event, log: Logbook) -> bool:
    """True once every process is ready, or after a while in which it is said who isn't; False if stopped."""
    stopping = asyncio.create_task(stop.wait())
    pending = {asyncio.create_task(child.ready.wait(), name=child.spec.name) for child in children}
    log(OWN_NAME, f"starting {', '.join(child.spec.name for child in children)}")
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    while pending and not stop.is_set():
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            late = ", ".join(sorted(task.get_name() for task in pending))
            log(OWN_NAME, f"not ready after {READY_SECONDS:g} s: {late}; `worklets doctor` may say why. Going on")
            break
        done, rest = await asyncio.wait({*pending, stopping}, timeout=min(left, 5), return_when=asyncio.FIRST_COMPLETED)
        pending = rest - {stopping}
        if not done:
            log(OWN_NAME, f"waiting for {', '.join(sorted(task.get_name() for task in pending))}")
    for task in (*pending, stopping):
        task.cancel()
    return not stop.is_set()


def _stop_on_signals(children: list[Child], log: Logbook) -> asyncio.Event:
    """An event that the first SIGINT, SIGTERM or SIGHUP sets; another SIGINT or SIGTERM kills everything."""
    stop = asyncio.Event()

    def asked() -> None:
        if not stop.is_set():
            stop.set()
            return
        log(OWN_NAME, "killing what still runs")
        for child in children:
            child.kill()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # `nohup` asks to outlive the terminal
        loop.add_signal_handler(signal.SIGHUP, stop.set)
    return stop


async def _stop_in_order(children: list[Child]) -> None:
    # The app goes first, so that what it still answers finds the model host; Prefect goes last, so that the
    # recorder can hand over what it has.
    order = {"recorder": 1, "worker": 1, "host": 1, "prefect": 2}
    for stage in (0, 1, 2):
        await asyncio.gather(*(child.stop() for child in children if order.get(child.spec.name, 0) == stage))


def _listen(settings: Settings, explicit: bool) -> socket.socket:
    """The app's socket. A taken port is said; the next free one takes its place unless it was asked for."""
    found = bind(settings.host, settings.port)
    if found is not None:
        return found
    if explicit or settings.port != DEFAULT_PORT:
        free = next_free(settings.host, settings.port + 1)
        raise SetupError(f"Port {settings.port} is taken by another program; --port {free} is free.")
    found = bind_next(settings.host, settings.port + 1)
    print(f"Port {settings.port} is taken by another program; using {port_of(found)}.", file=sys.stderr)
    return found


@contextmanager
def _lock(data: DataDirectory) -> Iterator[None]:
    """Hold the data directory for this instance alone. Raises SetupError if another one has it."""
    with (data.run / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            who = file.read().strip() or "unknown"
            raise SetupError(
                f"The data directory {data.root} is in use by process {who}; stop that one, "
                "or choose another directory with --data."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@asynccontextmanager
async def _control_socket(data: DataDirectory, children: list[Child]) -> AsyncIterator[None]:
    """Answer each connection with one line of JSON: the processes and their states."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        document = {"pid": os.getpid(), "processes": [child.status() for child in children]}
        writer.write(json.dumps(document).encode() + b"\n")
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    path = data.socket("supervisor")
    path.unlink(missing_ok=True)  # left by a killed supervisor; the lock says that nobody has it
    server = await asyncio.start_unix_server(answer, path)
    path.chmod(0o600)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)
