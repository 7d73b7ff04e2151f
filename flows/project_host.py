"""The process of a project with requirements of its own: `python -m prefect_worklets.flows.project_host`.

It loads the project's modules in its environment, says what their graphs are, and runs them with an engine of its own.
Rows, files and kept results go where the app's go; models are asked through the app, which has them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..bentos.wire import WireError
from ..connectors.blanking import Blanks, blanked_output
from ..connectors.egress import Egress
from ..connectors.errors import ModelFailed, NotFound, WorkletsError
from ..connectors.files import FileStore
from ..connectors.images import ImageLoader
from ..connectors.layout import DataDirectory
from ..connectors.lifeline import end_with_parent
from ..connectors.outgoing import Outgoing
from ..connectors.secrets import Secrets, secrets_cipher
from ..connectors.store import Store
from .channel import Channel, as_message, principal_of
from .checkpoints import Checkpoints
from .context import Answer, Services
from .dask_items import DaskItems
from .engine import LATER_SECONDS, Engine
from .execution import Execution
from .importing import import_document
from .node_details import Sampling, details_of
from .observing import kept_lines
from .project import Project, load_project
from .remote_calls import AppCalls, Questions
from .reviews import Reviews
from .trying import load_alone, ran_alone
from .worklet import Worklet

logger = logging.getLogger(__name__)

_TELL_SECONDS = 0.2


class AppModels:
    """The app's models, asked over the channel."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions

    def quick(self, name: str, version: str | None = None) -> None:
        """No model answers at once from here."""
        return

    def joined(self, name: str, inputs: Any, version: str | None = None) -> None:
        """Nor at the end of a turn of the loop."""
        return

    async def predict(self, name: str, inputs: Any, version: str | None = None, *, timeout: float | None = None) -> Any:
        """The model's answer. Raises what the app's router raises, ModelFailed for inputs that can't be sent."""
        try:
            found = await self._questions.ask({"model": name, "inputs": inputs, "version": version, "timeout": timeout})
        except WireError as error:
            raise ModelFailed(f"The model {name!r} can't be asked this from the worklet's process: {error}.") from None
        return Answer(found["outputs"], found["model"], found["version"])


class ProjectHost:
    """Loads trees and runs their worklets, for one app at the other end of the channel.

    Args:
        channel: the connection to the app.
        services: what runs may ask for, but for the models.
        checkpoints: where the results of submitted runs are kept.
        threads: how many plain functions may run at the same time.
        timeout: seconds for a run that somebody waits for and whose worklet says nothing else.
    """

    def __init__(
        self, channel: Channel, services: Services, checkpoints: Checkpoints, *, threads: int, timeout: float
    ) -> None:
        self._channel = channel
        self._questions = Questions(channel)
        self._checkpoints = checkpoints
        given = replace(services, models=AppModels(self._questions), calls=AppCalls(self._questions))
        self._engine = Engine(services=given, threads=threads, timeout=timeout)
        self._pauses = given.pauses
        self._later_engine = Engine(services=given, threads=threads, timeout=LATER_SECONDS)
        self._sampling = Sampling()
        self._projects: dict[str, Project] = {}
        self._work: dict[int, asyncio.Task[None]] = {}
        # How many runs are under way by the submitted run that they are part of.
        self._kept: Counter[str] = Counter()

    async def serve(self) -> None:
        """Answer until the app goes."""
        while (message := await self._channel.receive()) is not None:
            if "answer" in message:
                self._questions.answered(message)
            elif message["do"] == "cancel":
                task = self._work.get(message["id"])
                if task is not None:
                    task.cancel()
            elif message["do"] == "pause":
                if self._kept[message["run"]]:
                    self._pauses.ask(message["run"], wanted=message["wanted"])
            else:
                number = message["id"]
                if message.get("kept"):
                    self._kept[message["root"] or message["run"]] += 1
                task = self._work[number] = asyncio.create_task(self._do(message))
                task.add_done_callback(partial(self._done, message))

    async def _do(self, message: dict[str, Any]) -> None:
        answers = {
            "load": self._load, "check": self._check, "run": self._run, "compose": self._compose, "try": self._try,
        }  # fmt: skip
        try:
            found = await answers[message["do"]](message)
        except WorkletsError as error:
            found = {"error": as_message(error)}
        except asyncio.CancelledError:
            found = {"cancelled": True}
        except Exception as error:
            logger.exception("a message of the app failed")
            found = {"error": as_message(WorkletsError(f"The worklet's process failed: {error!r}"))}
        with contextlib.suppress(ConnectionError):
            await self._channel.send({**found, "id": message["id"]})

    def _done(self, message: dict[str, Any], task: asyncio.Task[None]) -> None:
        self._work.pop(message["id"], None)
        if message.get("kept"):
            run = message["root"] or message["run"]
            self._kept[run] -= 1
            if not self._kept[run]:
                del self._kept[run]
                self._pauses.forget(run)

    # --- what is asked --------------------------------------------------------------------------------

    async def _load(self, message: dict[str, Any]) -> dict[str, Any]:
        project = await asyncio.to_thread(
            load_project, Path(message["folder"]), message["hash"], only=frozenset(message["modules"])
        )
        # Modules that ask for the same environment in other words are loaded one after the other.
        before = self._projects.get(message["hash"])
        found = replace(project, worklets={**before.worklets, **project.worklets}) if before is not None else project
        self._projects[message["hash"]] = found
        graphs = {name: project.graph(name).model_dump(mode="json") for name in project.worklets}
        images = [name for name, each in project.worklets.items() if each.output.has_images]
        bodies = {name: each.input.body for name, each in project.worklets.items() if isinstance(each, Worklet)}
        return {"graphs": graphs, "images": images, "bodies": bodies}

    async def _check(self, message: dict[str, Any]) -> dict[str, Any]:
        await asyncio.to_thread(self._inputs, message)
        return {}

    async def _compose(self, message: dict[str, Any]) -> dict[str, Any]:
        folder = Path(message["folder"])
        module = await asyncio.to_thread(import_document, message["document"], folder, replace=True)
        return {"module": str(module)}

    async def _try(self, message: dict[str, Any]) -> dict[str, Any]:
        project = await asyncio.to_thread(load_alone, Path(message["module"]))
        try:
            by = principal_of(message["principal"])
            return {"shown": await ran_alone(self._engine, project, message["input"], by)}
        finally:
            if project.tree is not None:
                project.tree.close()

    async def _run(self, message: dict[str, Any]) -> dict[str, Any]:
        worklet = self._worklet(message)
        inputs = await asyncio.to_thread(self._inputs, message)
        engine = self._later_engine if message["kept"] else self._engine
        context = engine.context(worklet.name, message["version"], principal_of(message["principal"]), message["run"])
        context.callers, context.root = tuple(message["callers"]), message["root"]
        if message["kept"]:
            execution = await asyncio.to_thread(worklet.kept_execution, engine, inputs, context, self._checkpoints)
        else:
            execution = worklet.execution(engine, inputs, context)
        telling = asyncio.create_task(self._tell(message["id"], execution)) if message["kept"] else None
        try:
            if not execution.advance():
                await execution.finish()
        finally:
            if telling is not None:
                telling.cancel()
        found: dict[str, Any] = {
            "entries": execution.entries,
            "elapsed_us": execution.elapsed_us,
            "models": context.model_versions,
        }
        error = execution.error
        if error is None and execution.state == "completed":
            try:
                result = execution.plan.output(execution.values)
                output = await asyncio.to_thread(worklet.fitted_output, result)
                await execution.commit()
                found["output"] = output
            except WorkletsError as failure:
                execution.state, error = "failed", failure
        elif execution.state == "suspended":
            await execution.commit()
        found["details"] = None
        if message["kept"] or self._sampling.wants(worklet.name, execution.state, time.time_ns() // 1000):
            found["details"] = details_of(execution)
        return found | {"state": execution.state, "failure": as_message(error) if error is not None else None}

    async def _tell(self, number: int, execution: Execution) -> None:
        """Say how far a run is, as it goes on."""
        told, told_us = 0, -1
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            lines = [line for line in list(execution.context.lines or ()) if line[0] > told_us]
            if len(execution.entries) != told or lines:
                told, told_us = len(execution.entries), lines[-1][0] if lines else told_us
                with contextlib.suppress(ConnectionError):
                    await self._channel.send({"so_far": list(execution.entries), "lines": lines, "id": number})

    def _worklet(self, message: dict[str, Any]) -> Worklet[Any, Any]:
        project = self._projects.get(message["hash"])
        found = project.worklets.get(message["worklet"]) if project is not None else None
        if not isinstance(found, Worklet):
            raise NotFound(f"The worklet {message['worklet']!r} is not loaded in this process.")
        return found

    def _inputs(self, message: dict[str, Any]) -> list[Any]:
        contract = self._worklet(message).input
        return contract.from_json(message["body"]) if "body" in message else contract.from_object(message["object"])


def main(arguments: list[str] | None = None) -> int:
    """Run the process; answers its exit status."""
    parser = argparse.ArgumentParser(prog="project_host", description="Worklets with an environment of their own.")
    parser.add_argument("--data", type=Path, required=True, help="the data directory")
    parser.add_argument("--socket", type=Path, required=True, help="where to listen for the app")
    parser.add_argument("--threads", type=int, default=32, help="plain functions that may run at the same time")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds that an invoked run may take")
    parser.add_argument("--allow-private", action="append", default=[], help="a private address that runs may fetch")
    parser.add_argument("--http-host", action="append", default=[], help="a host that requests may go to")
    parser.add_argument("--dask-address", help="the Dask scheduler for maps")
    parser.add_argument("--dask-workers", type=int, help="processes of a Dask cluster on this machine")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's: it stops this process in its turn
    end_with_parent()
    asyncio.run(_serve(options))
    return 0


async def _serve(options: argparse.Namespace) -> None:
    data = DataDirectory(options.data)
    store = Store(os.environ.get("WORKLETS_DATABASE_URL") or data.database_url)
    files = FileStore(store, data.files)
    egress = Egress(allow_private=options.allow_private)
    outgoing = Outgoing(egress, options.http_host)
    secrets = Secrets(store, secrets_cipher(data, os.environ.get("WORKLETS_SECRETS_KEY")))
    await asyncio.to_thread(secrets.refresh)
    watching = asyncio.create_task(secrets.watch())
    dask = DaskItems(options.dask_address, workers=options.dask_workers, folder=data.dask)
    services = Services(
        store=store, files=files, images=ImageLoader(files, egress), outgoing=outgoing, secrets=secrets,
        reviews=Reviews(store, blanks=Blanks(lambda: secrets.values)), elsewhere=dask,
    )  # fmt: skip
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        channel = Channel(reader, writer)
        host = ProjectHost(
            channel, services, Checkpoints(data.results), threads=options.threads, timeout=options.timeout
        )
        try:
            await host.serve()
        finally:
            writer.close()
            if not done.done():
                done.set_result(None)  # the app has gone, and with it what this process is for

    server = await asyncio.start_unix_server(serve, path=str(options.socket))
    async with server:
        with blanked_output(Blanks(lambda: secrets.values)), kept_lines():
            await done
    watching.cancel()
    await asyncio.to_thread(dask.close)
    await outgoing.close()
    store.close()


if __name__ == "__main__":
    sys.exit(main())
