"""The shared host: one process that holds many models, each a BentoML service, on a Unix socket.

    python -m prefect_worklets.bentos.host --data DIR --socket PATH

Only this instance's own processes get in, by `WORKLETS_INTERNAL_KEY`. The host decides nothing: the app's deployer
tells it what to load, and tells it again after a restart.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hmac
import importlib
import logging
import os
import socket
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..connectors.errors import BadInput, NotAllowed, NotFound, SetupError, WorkletsError
from ..connectors.layout import DataDirectory
from ..connectors.lifeline import end_with, end_with_parent
from .artifacts import ArtifactStore, prepare_bentoml
from .bounds import LOAD_SECONDS, bound_memory
from .failures import to_data
from .frameworks.base import physical_cores
from .hosted import HostedModel
from .model_log import ModelLog, listen_to_models, log_path

logger = logging.getLogger(__name__)

KEY_VARIABLE = "WORKLETS_INTERNAL_KEY"


class _Mounted:
    """A model with its app, whose lifespan runs in a task of its own: it is to end in the task that began it."""

    def __init__(self, model: HostedModel, app: Any) -> None:
        self.model = model
        self.app = app
        self._up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._live(), name=f"lifespan {model.tag}")

    async def started(self) -> None:
        await self._up

    async def stop(self) -> None:
        self._stop.set()
        await self._task
        self.model.close()

    async def _live(self) -> None:
        try:
            async with self.app.router.lifespan_context(self.app):
                self._up.set_result(None)
                await self._stop.wait()
        except Exception as error:  # BentoML's start-up may raise anything
            if self._up.done():
                logger.exception("The service of %s did not end well", self.model.tag)
            else:
                self._up.set_exception(error)


class ModelHost:
    """The ASGI app of the shared host.

    Args:
        artifacts: where the packages are.
        key: the secret that every request must carry.
        threads: how many calls of one model may compute at once.
        logs: where each model has a log; None for the host of one model, whose output is its log.
    """

    def __init__(
        self, artifacts: ArtifactStore, key: str, *, threads: int | None = None, logs: Path | None = None
    ) -> None:
        self._artifacts = artifacts
        self._logs = logs
        self._authorization = f"Bearer {key}".encode()
        self._threads = threads or max(2, physical_cores())
        self._boot = uuid.uuid4().hex
        self._mounted: dict[str, _Mounted] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._warming: asyncio.Task[Any] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            app = self._app_for(scope)
            await app(scope, receive, send)

    def _app_for(self, scope: Scope) -> ASGIApp:
        sent = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if not hmac.compare_digest(sent, self._authorization):
            return _error(NotAllowed("The model host speaks only to its own instance."), 403)
        parts = scope["path"].split("/")
        if len(parts) == 5 and parts[1] == "models" and scope["method"] == "POST":
            return self._app_of_model(f"{parts[2]}:{parts[3]}", parts[4], scope)
        handlers: dict[tuple[str, int], Callable[[Request], Awaitable[Response]]] = {
            ("GET", 2): self._health,
            ("POST", 2): self._load,
            ("DELETE", 4): self._unload,
        }
        handler = handlers.get((scope["method"], len(parts)))
        if handler is None:
            return _error(BadInput(f"The model host has no {scope['method']} {scope['path']}."), 400)
        return _endpoint(handler)

    def _app_of_model(self, tag: str, action: str, scope: Scope) -> ASGIApp:
        mounted = self._mounted.get(tag)
        if mounted is None:
            return _error(NotFound(f"{tag} is not loaded here."), 404)
        if action == "probe":
            return _endpoint(lambda request: self._probe(mounted, request))
        scope["root_path"] = scope.get("root_path", "") + f"/models/{tag.replace(':', '/')}"
        app: ASGIApp = mounted.app
        return app

    async def _health(self, request: Request) -> Response:
        return _json({"boot": self._boot, "pid": os.getpid(), "models": sorted(self._mounted)})

    async def _load(self, request: Request) -> Response:
        asked = orjson.loads(await request.body())
        tag, seconds = str(asked["tag"]), float(asked.get("seconds", LOAD_SECONDS))
        async with self._locks.setdefault(tag, asyncio.Lock()):
            mounted = self._mounted.get(tag)
            if mounted is not None and mounted.model.is_outdated():
                del self._mounted[tag]
                await mounted.stop()
                mounted = None
            if mounted is None:
                self._mounted[tag] = await self._mount(tag, seconds)
                logger.info("Loaded %s", tag)
        return _json({"loaded": tag})

    async def _mount(self, tag: str, seconds: float) -> _Mounted:
        if self._warming is not None:
            await self._warming
        from .service import build_app

        name, _, version = tag.partition(":")
        log = ModelLog(log_path(self._logs, name, version)) if self._logs is not None else None
        model = HostedModel(tag, self._artifacts.folder(tag), limit=self._threads, log=log)
        await model.load(seconds)
        mounted = _Mounted(model, build_app(model))
        await mounted.started()
        # A model is many objects that live as long as the process: the collector need not look at them again.
        gc.collect()
        gc.freeze()
        return mounted

    async def _unload(self, request: Request) -> Response:
        _, _, name, version = request.url.path.split("/")
        tag = f"{name}:{version}"
        async with self._locks.setdefault(tag, asyncio.Lock()):
            mounted = self._mounted.pop(tag, None)
            if mounted is not None:
                await mounted.stop()
                gc.unfreeze()  # or its objects would never be freed
                gc.collect()
                gc.freeze()
                logger.info("Unloaded %s", tag)
        self._locks.pop(tag, None)
        return _json({"unloaded": tag})

    async def _probe(self, mounted: _Mounted, request: Request) -> Response:
        from .service import read_timeout, wire_response

        timeout = read_timeout(request)
        values = await mounted.model.sample(timeout)
        answer = None if values is None else await mounted.model.predict(values, timeout)
        return wire_response(answer, mounted.model.tag)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                # BentoML takes a second or two to import; by the time of the first load it is there.
                self._warming = asyncio.create_task(
                    asyncio.to_thread(importlib.import_module, f"{__package__}.service")
                )
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                for mounted in list(self._mounted.values()):
                    await mounted.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _endpoint(handler: Callable[[Request], Awaitable[Response]]) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await handler(Request(scope, receive))
        except WorkletsError as error:
            response = _json(to_data(error), error.status if error.status != 404 else 500)
        except Exception as error:
            logger.exception("The model host failed at %s", scope["path"])
            response = _json({"kind": "ModelFailed", "detail": f"{type(error).__name__}: {error}"}, 500)
        await response(scope, receive, send)

    return answer


def _error(error: WorkletsError, status: int) -> ASGIApp:
    return _json(to_data(error), status)


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status_code=status, media_type="application/json")


def listen(path: Path) -> socket.socket:
    """A listening Unix socket that only this user may open; one that a dead host left is replaced."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
    finally:
        os.umask(before)
    listening.listen(512)
    return listening


def main(arguments: list[str] | None = None) -> None:
    """Run the shared host until it is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m prefect_worklets.bentos.host", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the instance's data directory")
    parser.add_argument("--socket", type=Path, help="the Unix socket to listen on (default: run/host.sock in it)")
    parser.add_argument("--alone", action="store_true", help="it is for one model, which all its output is of")
    parser.add_argument("--memory", type=int, help="bytes that it may allocate (default: no limit)")
    options = parser.parse_args(arguments)
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        raise SystemExit(str(SetupError(f"{KEY_VARIABLE} is not set; the model host is started by `worklets up`.")))
    end_with_parent()
    data = DataDirectory(options.data.resolve())
    serve(data, options.socket or data.socket("host"), key, options.memory, alone=options.alone)


def serve_alone(root: str, path: str, key: str, log: str, memory: int | None) -> None:
    """Be the host of one isolated model, in a process that was forked for it; prints go to the file `log`."""
    end_with(os.getppid())
    with open(log, "ab", buffering=0) as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    serve(DataDirectory(Path(root)), Path(path), key, memory, alone=True)


def serve(data: DataDirectory, path: Path, key: str, memory: int | None = None, *, alone: bool = False) -> None:
    """Run a host on a Unix socket until it is told to stop.

    Args:
        memory: bytes that it may allocate.
        alone: it is for one model, which all its output is of.
    """
    bound_memory(memory)
    if not alone:
        listen_to_models()  # before logging takes the stream
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", force=True)
    prepare_bentoml(data)
    host = ModelHost(ArtifactStore(data), key, logs=None if alone else data.logs)
    config = uvicorn.Config(host, log_level="warning", access_log=False, timeout_graceful_shutdown=10)
    server = uvicorn.Server(config)
    listening = listen(path)
    try:
        server.run(sockets=[listening])
    finally:
        listening.close()
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
