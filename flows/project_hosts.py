"""Processes for projects with requirements of their own, as the app sees them: one for each environment.

A process starts when its environment is first needed, stops when nobody asks for a while, and starts again with the
next request, which waits for it. One that dies costs the runs inside it; submitted runs go on in the next, with the
nodes that have ended not run again.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bentos.environments import Environments, Wanted
from ..bentos.wire import WireError
from ..connectors.access import Principal
from ..connectors.errors import NodeFailed, SetupError, TookTooLong, Unavailable, WorkletsError
from ..connectors.layout import DataDirectory
from ..connectors.lifeline import PARENT_VARIABLE
from .channel import Channel, as_error, as_message, principal_data
from .context import Models
from .graph import GraphDocument
from .pausing import Pauses

if TYPE_CHECKING:
    from .remote_calls import CallAnswers

logger = logging.getLogger(__name__)

START_SECONDS = 60.0
_END_SECONDS = 5.0
# Takes a run's entries, and the lines that its nodes have logged since the last time.
SoFar = Callable[[list[Any], list[Any]], None]
_LOOK_SECONDS = 0.5
_TAIL = 2_000


@dataclass(frozen=True)
class Tree:
    """Modules of a pushed project that are loaded in an environment of their own."""

    folder: Path
    content_hash: str
    modules: tuple[str, ...]
    wanted: Wanted


@dataclass(frozen=True)
class Loaded:
    """What a process said of a tree.

    Attributes:
        graphs: of its worklets.
        images: the worklets that answer with images.
        bodies: by worklet, the parameter that is the whole body; None where the body has a field for each.
    """

    graphs: Mapping[str, GraphDocument]
    images: frozenset[str]
    bodies: Mapping[str, str | None]


class ProjectHosts:
    """The processes, by environment. Made by the app; `start` ties it to the app's event loop.

    Args:
        data: the instance's data directory.
        environments: makes what the requirements say.
        models: answers what the worklets ask models.
        idle_seconds: without a run for so long a process is stopped; None keeps it.
        options: further arguments of the processes.
        variables: environment variables that they get.
    """

    def __init__(
        self,
        data: DataDirectory,
        environments: Environments,
        models: Models,
        *,
        idle_seconds: float | None = None,
        options: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._data = data
        self._environments = environments
        self._models = models
        self._idle_seconds = idle_seconds
        self._options = tuple(options)
        self._variables = dict(variables or {})
        self._hosts: dict[str, ProjectProcess] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        # Runs the worklets that these call; the app sets it once it can.
        self.calls: CallAnswers | None = None

    def start(self) -> None:
        """Take the running event loop as the one that the processes are spoken to from."""
        self._loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        """End every process."""
        hosts, self._hosts = list(self._hosts.values()), {}
        await asyncio.gather(*(host.close() for host in hosts))

    def wait(self, work: Any) -> Any:
        """The result of a coroutine of this class; for threads. Raises what it raises, SetupError before the start."""
        if self._loop is None:
            work.close()
            raise SetupError("A project with requirements of its own is loaded by the server (`worklets up`).")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def prepare(self, wanted: Wanted) -> None:
        """Make the environment, if it is not there. Raises DefinitionError with the installer's words."""
        await self._environments.ensure(wanted.requirements, wanted.python)

    async def load(self, tree: Tree) -> Loaded:
        """Load a tree, and say what is in it.

        Raises:
            DefinitionError: with every fault of the tree.
        """
        found = await self._ask(tree, {"do": "load", **_as_load(tree)}, loads=True)
        graphs = {name: GraphDocument.model_validate(graph) for name, graph in found["graphs"].items()}
        return Loaded(graphs, frozenset(found["images"]), found["bodies"])

    async def check(self, tree: Tree, message: Mapping[str, Any]) -> None:
        """Raises BadInput if a worklet's input does not fit."""
        await self._ask(tree, {"do": "check", "hash": tree.content_hash, **message})

    async def run(
        self, tree: Tree, message: Mapping[str, Any], so_far: SoFar | None = None, pauses: Pauses | None = None
    ) -> dict[str, Any]:
        """How a run ended: `state`, `output` (JSON), `failure`, `entries`, `elapsed_us`, `models`."""
        message = {"do": "run", "hash": tree.content_hash, **message}
        return await self._ask(tree, message, so_far=so_far, pauses=pauses)

    async def compose(self, wanted: Wanted, document: Mapping[str, Any], folder: Path) -> Path:
        """Write a document's worklet into a folder of sources, as `import_document` does; the module's file.

        Raises:
            DefinitionError: with every fault, those that only the code tells too.
        """
        message = {"do": "compose", "document": dict(document), "folder": str(folder)}
        return Path((await self._asked(wanted, message))["module"])

    async def try_alone(self, wanted: Wanted, module: Path, given: Mapping[str, Any], by: Principal) -> dict[str, Any]:
        """Run the one worklet of a module that is part of no push: what `ran_alone` gives."""
        message = {"do": "try", "module": str(module), "input": dict(given), "principal": principal_data(by)}
        found: dict[str, Any] = (await self._asked(wanted, message))["shown"]
        return found

    async def _ask(
        self,
        tree: Tree,
        message: Mapping[str, Any],
        *,
        loads: bool = False,
        so_far: SoFar | None = None,
        pauses: Pauses | None = None,
    ) -> dict[str, Any]:
        return await self._asked(tree.wanted, message, None if loads else tree, so_far, pauses)

    async def _asked(
        self,
        wanted: Wanted,
        message: Mapping[str, Any],
        tree: Tree | None = None,
        so_far: SoFar | None = None,
        pauses: Pauses | None = None,
    ) -> dict[str, Any]:
        environment = await self._environments.ensure(wanted.requirements, wanted.python)
        host = self._hosts.get(environment.key)
        if host is None:
            host = ProjectProcess(
                environment.key, environment.python, self._data, self._models,
                options=self._options, variables=self._variables, idle_seconds=self._idle_seconds,
                calls=lambda: self.calls,
            )  # fmt: skip
            self._hosts[environment.key] = host
        found = await host.ask(message, tree, so_far=so_far, pauses=pauses)
        if found.get("error") is not None:
            raise as_error(found["error"])
        return found


@dataclass
class _Question:
    answer: asyncio.Future[dict[str, Any]]
    so_far: SoFar | None


class ProjectProcess:
    """One process, which is started when it is asked."""

    def __init__(
        self,
        key: str,
        python: Path,
        data: DataDirectory,
        models: Models,
        *,
        options: Sequence[str],
        variables: Mapping[str, str],
        idle_seconds: float | None,
        calls: Callable[[], CallAnswers | None],
    ) -> None:
        self.key = key
        self._python = python
        self._data = data
        self._models = models
        self._options = tuple(options)
        self._variables = dict(variables)
        self._idle_seconds = idle_seconds
        self._calls = calls
        # What is being answered, by the process's number of the question.
        self._answering: dict[int, asyncio.Task[None]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._channel: Channel | None = None
        self._loaded: set[tuple[str, tuple[str, ...]]] = set()
        self._starting = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._open: dict[int, _Question] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._used_at = time.monotonic()

    @property
    def pid(self) -> int | None:
        """The running process; None while there is none."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process is not None else None

    @property
    def log(self) -> Path:
        """What it prints."""
        return self._data.logs / f"worklets-{self.key}.log"

    async def ask(
        self,
        message: Mapping[str, Any],
        tree: Tree | None = None,
        *,
        so_far: SoFar | None = None,
        pauses: Pauses | None = None,
    ) -> dict[str, Any]:
        """The answer to a message, about a tree that is loaded first if this process does not have it yet.

        `pauses`, for a run, says whether it is to rest; the process is told.
        """
        channel = await self._running()
        if tree is not None and (tree.content_hash, tree.modules) not in self._loaded:
            found = await self.ask({"do": "load", **_as_load(tree)})
            if found.get("error") is not None:
                return found
            channel = await self._running()
        number = next(self._numbers)
        question = self._open[number] = _Question(asyncio.get_running_loop().create_future(), so_far)
        self._used_at = time.monotonic()
        try:
            await channel.send({**message, "id": number})
            with self._telling(channel, message, pauses):
                found = await question.answer
        except WireError as error:
            raise WorkletsError(f"The worklet's process can't be sent this: {error}.") from None
        except ConnectionError:
            raise Unavailable("The worklet's process ended; ask again.") from None
        except asyncio.CancelledError:
            self._go(self._cancel(channel, number))
            raise
        finally:
            self._open.pop(number, None)
            self._used_at = time.monotonic()
        if message["do"] == "load" and found.get("error") is None:
            self._loaded.add((message["hash"], tuple(message["modules"])))
        return found

    async def close(self) -> None:
        """End the process."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._end()

    async def _cancel(self, channel: Channel, number: int) -> None:
        await self._tell(channel, {"do": "cancel", "id": number})

    @contextlib.contextmanager
    def _telling(self, channel: Channel, message: Mapping[str, Any], pauses: Pauses | None) -> Iterator[None]:
        if pauses is None:
            yield
            return
        run = message["root"] or message["run"]

        def tell(wanted: bool) -> None:
            self._go(self._tell(channel, {"do": "pause", "run": run, "wanted": wanted}))

        with pauses.listening(run, tell):
            if pauses.asked(run):
                tell(True)
            yield

    async def _tell(self, channel: Channel, message: Mapping[str, Any]) -> None:
        with contextlib.suppress(ConnectionError):
            await channel.send(message)

    # --- the process ----------------------------------------------------------------------------------

    async def _running(self) -> Channel:
        async with self._starting:
            if self._channel is not None and self.pid is not None:
                return self._channel
            await self._end()
            return await self._start()

    async def _start(self) -> Channel:
        socket = self._data.socket(f"w-{secrets.token_hex(6)}")
        self._data.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = [str(self._python), "-m", f"{__package__}.project_host", "--data", str(self._data.root)]
        kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
        variables = {**kept, **self._variables, PARENT_VARIABLE: str(os.getpid())}
        with self.log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                *command, "--socket", str(socket), *self._options,
                stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, env=variables,
            )  # fmt: skip
        self._process = process
        try:
            reader, writer = await self._connected(process, socket)
        except BaseException:
            await self._end()
            raise
        finally:
            socket.unlink(missing_ok=True)
        self._loaded.clear()
        channel = self._channel = Channel(reader, writer)
        self._go(self._listen(channel, process))
        if self._idle_seconds is not None:
            self._go(self._end_when_idle(process, self._idle_seconds))
        return channel

    async def _connected(
        self, process: asyncio.subprocess.Process, socket: Path
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                return await asyncio.open_unix_connection(str(socket))
            if process.returncode is not None:
                raise Unavailable(f"The worklet's process ended as it started: {self._said()}")
            if time.monotonic() > deadline:
                raise TookTooLong(f"The worklet's process did not start within {START_SECONDS:g} s.")
            await asyncio.sleep(0.02)

    async def _listen(self, channel: Channel, process: asyncio.subprocess.Process) -> None:
        while (message := await channel.receive()) is not None:
            if "ask" in message:
                task = self._answering[message["ask"]] = self._go(self._answer(channel, message))
                task.add_done_callback(partial(self._answered, message["ask"]))
                continue
            if "unask" in message:
                if (asked := self._answering.get(message["unask"])) is not None:
                    asked.cancel()
                continue
            question = self._open.get(message["id"])
            if question is None:
                continue
            if "so_far" in message:
                if question.so_far is not None:
                    question.so_far(message["so_far"], message["lines"])
            elif not question.answer.done():
                question.answer.set_result(message)
        if self._channel is channel:
            self._channel = None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _END_SECONDS)
        # A run that goes on in the next process asks again: what it called may not run twice at a time.
        left = list(self._answering.values())
        for asked in left:
            asked.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        said = f"The worklet's process ended (status {process.returncode}). {self._said()}".strip()
        if self._open:
            logger.warning("%d runs were in it. %s", len(self._open), said)
        for question in self._open.values():
            if not question.answer.done():
                question.answer.set_result({"error": as_message(NodeFailed(said, node="")), "died": True})

    def _answered(self, number: int, task: asyncio.Task[None]) -> None:
        self._answering.pop(number, None)

    async def _answer(self, channel: Channel, message: dict[str, Any]) -> None:
        """Ask a model, or run another worklet, for the process."""
        found: dict[str, Any]
        if "call" in message:
            calls = self._calls()
            if calls is None:
                found = {"error": as_message(SetupError("This process has no worklets to call."))}
            else:
                found = await calls.answer(message)
            with contextlib.suppress(ConnectionError):
                await channel.send({**found, "answer": message["ask"]})
            return
        try:
            answer = await self._models.predict(
                message["model"], message["inputs"], message["version"], timeout=message["timeout"]
            )
            found = {"outputs": answer.outputs, "model": answer.model, "version": answer.version}
        except WorkletsError as error:
            found = {"error": as_message(error)}
        try:
            await channel.send({**found, "answer": message["ask"]})
        except WireError as error:
            refusal = WorkletsError(f"What the model {message['model']!r} answers can't be sent: {error}.")
            await channel.send({"error": as_message(refusal), "answer": message["ask"]})
        except ConnectionError:
            return

    async def _end_when_idle(self, process: asyncio.subprocess.Process, seconds: float) -> None:
        while process.returncode is None:
            await asyncio.sleep(min(_LOOK_SECONDS, seconds))
            if not self._open and time.monotonic() - self._used_at > seconds:
                logger.info("no worklet of the environment %s has run for %g s; its process ends", self.key, seconds)
                async with self._starting:
                    if not self._open and self._process is process:
                        await self._end()

    async def _end(self) -> None:
        channel, process, self._channel, self._process = self._channel, self._process, None, None
        if channel is not None:
            channel.close()
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _go(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _said(self) -> str:
        try:
            return self.log.read_bytes()[-_TAIL:].decode(errors="replace").strip()
        except OSError:
            return ""


def _as_load(tree: Tree) -> dict[str, Any]:
    return {"folder": str(tree.folder), "hash": tree.content_hash, "modules": list(tree.modules)}
