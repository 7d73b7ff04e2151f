from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx
import pytest
from listening import Listener
from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.files import FileStore
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.web import Guard
from prefect_worklets.flows import api, bundle
from prefect_worklets.flows.context import Answer, Services
from prefect_worklets.flows.engine import Engine
from prefect_worklets.flows.invoke import InvokeApp
from prefect_worklets.flows.journal import RunRecord
from prefect_worklets.flows.recent import RecentRuns
from prefect_worklets.flows.registry import Registry
from starlette.applications import Starlette


@dataclass
class PlainModels:
    """Models that are plain functions; those in `slow` answer by `predict` alone, those in `gathered` by `joined`."""

    functions: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    slow: set[str] = field(default_factory=set)
    gathered: set[str] = field(default_factory=set)

    def quick(self, name: str, version: str | None = None) -> Callable[[Any], Answer] | None:
        if name in self.slow or name in self.gathered or name not in self.functions:
            return None
        return lambda inputs: Answer(self.functions[name](inputs), name, version or "7")

    def joined(self, name: str, inputs: Any, version: str | None = None) -> asyncio.Future[Answer] | None:
        if name not in self.gathered:
            return None
        loop = asyncio.get_running_loop()
        answer = loop.create_future()

        def give() -> None:
            if answer.done():
                return
            try:
                answer.set_result(Answer(self.functions[name](inputs), name, version or "7"))
            except Exception as error:
                answer.set_exception(error)

        loop.call_soon(give)
        return answer

    async def predict(self, name: str, inputs: Any, version: str | None = None, *, timeout: float | None = None) -> Any:
        from prefect_worklets.connectors.errors import NotFound

        if name not in self.functions:
            raise NotFound(f"There is no model {name!r}.")
        return Answer(self.functions[name](inputs), name, version or "7")


@dataclass
class Records:
    """A journal that keeps its records in a list."""

    appended: list[RunRecord] = field(default_factory=list)

    def append(self, record: RunRecord) -> None:
        self.appended.append(record)

    @property
    def last(self) -> RunRecord:
        return self.appended[-1]


INTERNAL_KEY = "the-instances-own"


@dataclass
class Server:
    """The room's HTTP app in this process."""

    app: InvokeApp
    access: Access
    registry: Registry
    engine: Engine
    journal: Records
    store: Store
    files: FileStore
    models: PlainModels
    keys: dict[str, str]
    client: httpx.AsyncClient

    def as_role(self, role: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.keys[role]}"}

    def push(self, files: Mapping[str, str], project: str = "demo") -> list[Any]:
        return self.registry.push(packed(files, self.registry.folder.parent / "source"), project, "me")

    async def invoke(self, name: str, json: Any = None, role: str = "operator", **options: Any) -> httpx.Response:
        headers = {**self.as_role(role), **options.pop("headers", {})}
        if json is not None:
            options["json"] = json
        return await self.client.post(f"/api/worklets/{name}/invoke", headers=headers, **options)


def write_tree(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    return folder


def packed(files: Mapping[str, str], folder: Path) -> bytes:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return bundle.pack(write_tree(folder, files))


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """Writes a source tree and gives its folder."""
    count = 0

    def write(files: Mapping[str, str]) -> Path:
        nonlocal count
        count += 1
        folder = tmp_path / f"tree{count}"
        folder.mkdir()
        return write_tree(folder, files)

    return write


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file at the newest schema, to copy: a migration takes far longer than a copy."""
    path = tmp_path_factory.mktemp("migrated") / "worklets.db"
    store = Store(f"sqlite:///{path}")
    store.migrate()
    store.close()  # the last connection takes the write-ahead log into the file
    return path


@pytest.fixture
def store(tmp_path: Path, migrated: Path) -> Iterator[Store]:
    shutil.copy(migrated, tmp_path / "worklets.db")
    store = Store(f"sqlite:///{tmp_path / 'worklets.db'}")
    yield store
    store.close()


@pytest.fixture
async def server(store: Store, tmp_path: Path) -> AsyncIterator[Server]:
    access = Access(store, INTERNAL_KEY)
    keys = {role: access.create_key(role, role) for role in ("viewer", "operator", "builder", "admin")}
    guard = Guard(access)
    files = FileStore(store, tmp_path / "files")
    registry = Registry(store, tmp_path / "projects")
    models = PlainModels()
    engine = Engine(services=Services(models=models, store=store, files=files))
    recent, journal = RecentRuns(), Records()
    inner = Starlette(routes=api.routes(registry, guard, store, files, recent=recent))
    app = InvokeApp(
        inner,
        registry=registry,
        engine=engine,
        guard=guard,
        journal=journal,  # type: ignore[arg-type]
        recent=recent,
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Server(app, access, registry, engine, journal, store, files, models, keys, client)
    engine.close()


@pytest.fixture
def models() -> PlainModels:
    return PlainModels()


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.held.set()
    server.shutdown()
    server.server_close()
    thread.join()
