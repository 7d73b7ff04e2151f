"""A real instance around the console: SQLite store, registry with a pushed worklet, engine, journal, file store."""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.access_api import access_routes
from prefect_worklets.connectors.blanking import Blanks
from prefect_worklets.connectors.egress import Egress
from prefect_worklets.connectors.errors import WorkletsError
from prefect_worklets.connectors.files import FileStore
from prefect_worklets.connectors.images import ImageLoader
from prefect_worklets.connectors.layout import DataDirectory
from prefect_worklets.connectors.passwords import Passwords
from prefect_worklets.connectors.secret import derived_key
from prefect_worklets.connectors.shares import Shares
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import Model, ModelVersion, Project, Run, Worklet, WorkletVersion, now
from prefect_worklets.connectors.web import SESSION_COOKIE, Guard, problem_response
from prefect_worklets.flows import api as flows_api
from prefect_worklets.flows import bundle
from prefect_worklets.flows.context import Services
from prefect_worklets.flows.editing import Edits
from prefect_worklets.flows.edits_api import EditsApi
from prefect_worklets.flows.engine import Engine
from prefect_worklets.flows.invoke import InvokeApp
from prefect_worklets.flows.journal import Journal
from prefect_worklets.flows.recent import RecentRuns
from prefect_worklets.flows.registry import Registry
from prefect_worklets.flows.run_nodes import RunNodes
from prefect_worklets.flows.trying import NodeTrial
from prefect_worklets.flows.versions import WorkletVersions
from prefect_worklets.panel_views import console
from prefect_worklets.panel_views.shares_api import shares_routes
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

BASE_URL = "http://console.test"
PROJECT = '''
"""A small project."""

from enum import Enum

from pydantic import BaseModel, Field

from prefect_worklets.connectors.images import Image
from prefect_worklets.flows.nodes import node
from prefect_worklets.flows.worklet import worklet


class Mode(str, Enum):
    short = "short"
    long = "long"


class Person(BaseModel):
    name: str
    age: int = Field(ge=0, description="In years.")


class Greeting(BaseModel):
    person: Person
    mode: Mode = Mode.short
    loud: bool = False
    times: int | None = Field(default=None, le=5)
    picture: Image | None = None


class Answer(BaseModel):
    text: str
    picture: Image | None = None


@node
def compose(greeting: Greeting) -> str:
    return f"Hello {greeting.person.name}" * (greeting.times or 1)


@node
def finish(text: str, greeting: Greeting) -> Answer:
    return Answer(text=text.upper() if greeting.loud else text, picture=greeting.picture)


@worklet
def greet(greeting: Greeting) -> Answer:
    """Greet a person."""
    return finish(compose(greeting), greeting)
'''


@dataclass
class Instance:
    """What a test needs of the instance."""

    store: Store
    access: Access
    passwords: Passwords
    data: DataDirectory
    app: Any
    files: FileStore
    registry: Registry
    recent: RecentRuns
    flow_runs: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, list[list[Any]]] = field(default_factory=dict)

    def user(self, name: str, role: str) -> tuple[str, dict[str, str]]:
        """A user's id, and the cookies of a session."""
        user = self.access.ensure_user(name, role)
        return user.id, {SESSION_COOKIE: self.access.create_session(user.id)}

    def add(self, *rows: Any) -> None:
        """Write rows."""
        with self.store.session() as session:
            for row in rows:
                session.add(row)
                session.flush()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    with built(tmp_path) as found:
        yield found


@contextmanager
def built(folder: Path) -> Iterator[Instance]:
    """An instance below `folder`."""
    data = DataDirectory(folder / "data").prepare()
    store = Store(data.database_url)
    store.migrate()
    access = Access(store)
    guard = Guard(access)
    # As strong as a test needs: what argon2 costs is not ours to test.
    passwords = Passwords(store, access, PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    shares = Shares(store, derived_key(data, "shares"), passwords)
    files = FileStore(store, data.files)
    registry = Registry(store, data.projects)
    recent = RecentRuns()
    journal = Journal(data.journal)
    engine = Engine(services=Services(store=store, files=files, images=ImageLoader(files, Egress())))
    flow_runs: dict[str, str] = {}
    nodes: dict[str, list[list[Any]]] = {}
    versions = WorkletVersions(store, data.projects)
    edits = Edits(store, registry, versions)
    links = console.ConsoleLinks(prefect_ui="http://127.0.0.1:4200", flow_run=flow_runs.get)
    routes = [
        *flows_api.routes(registry, guard, store, files, recent=recent),
        *EditsApi(guard, edits, NodeTrial(edits, engine, Blanks())).routes(),
        *access_routes(guard, passwords, BASE_URL),
        *shares_routes(store, guard, shares, BASE_URL),
        *console.routes(
            store=store,
            guard=guard,
            passwords=passwords,
            shares=shares,
            links=links,
            data=data,
            recent_run=recent.get,
            worklet_problem=lambda name: registry.broken.get(name),
            nodes_of=nodes.get,
            edits=edits,
            run_nodes=RunNodes(store, versions, recent, lambda _: None, Blanks()),
        ),
    ]
    rest = Starlette(routes=routes, exception_handlers={WorkletsError: told})
    app = InvokeApp(rest, registry=registry, engine=engine, guard=guard, journal=journal, recent=recent)
    yield Instance(store, access, passwords, data, app, files, registry, recent, flow_runs, nodes)
    journal.close()
    engine.close()
    store.close()


async def told(_request: Request, error: Exception) -> Response:
    """As the app tells errors."""
    assert isinstance(error, WorkletsError)
    return problem_response(error)


@pytest.fixture
def pushed(instance: Instance, tmp_path: Path) -> Instance:
    """The instance with the worklet `greet`."""
    push(instance, tmp_path)
    return instance


def push(instance: Instance, folder: Path) -> None:
    """Push the project with the worklet `greet`."""
    source = folder / "source"
    source.mkdir(exist_ok=True)
    (source / "greetings.py").write_text(textwrap.dedent(PROJECT))
    instance.registry.push(bundle.pack(source), "greetings")


@pytest.fixture
async def visitor(instance: Instance) -> AsyncIterator[httpx.AsyncClient]:
    """A browser without a session; it follows no redirect by itself."""
    transport = httpx.ASGITransport(app=instance.app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        yield client


@pytest.fixture
async def admin(instance: Instance) -> AsyncIterator[httpx.AsyncClient]:
    """A signed-in admin."""
    transport = httpx.ASGITransport(app=instance.app)
    _, cookies = instance.user("ada", "admin")
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, cookies=cookies) as client:
        yield client


def model_rows(name: str = "iris", *, live: str = "1.0.1") -> list[Any]:
    """A model with two versions."""
    field_of = {"name": "X", "kind": "array", "dtype": "float64", "shape": [None, 4]}
    manifest = {
        "framework": "sklearn",
        "python": "3.11.7",
        "packages": {"scikit-learn": "1.9.1"},
        "signature": {"inputs": [field_of], "outputs": []},
        "sample": [[5.1, 3.5, 1.4, 0.2]],
    }
    versions = [
        ModelVersion(
            model_name=name,
            version=version,
            bento_tag=f"{name}:{version}",
            status="live" if version == live else "stopped",
            tier="in-process",
            tier_reason="small and pure Python",
            manifest=manifest,
            size_bytes=4213,
        )
        for version in ("1.0.0", "1.0.1")
    ]
    return [Model(name=name, live_version=live), *versions]


def worklet_rows(graph: dict[str, Any], *, number: int = 1) -> list[Any]:
    """A worklet with one version that holds the graph."""
    return [
        Project(content_hash=f"{number:064x}", name="p"),
        Worklet(name=graph["name"], description=graph.get("description", ""), live_version=number),
        WorkletVersion(worklet_name=graph["name"], number=number, project_hash=f"{number:064x}", graph=graph),
    ]


def run_row(identity: str, **values: Any) -> Run:
    """A run of a moment ago."""
    fields: dict[str, Any] = {
        "worklet": "greet",
        "version": 1,
        "state": "completed",
        "started_us": int(now().timestamp() * 1e6),
        "duration_us": 2_500,
        "nodes": [["compose", "node", "completed", 10, 2000, None]],
    }
    return Run(id=identity, **(fields | values))
